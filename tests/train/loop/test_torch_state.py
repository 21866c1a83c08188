# ruff: noqa: NPY002, S311 - the global generators are what is saved
import ast
import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

import edge_infer
from edge_infer.errors import BundleIncomplete
from train.loop.torch_state import load_random_state, load_state, save_random_state, save_state

PACKAGES = Path(edge_infer.__file__).parents[1]
READS_TENSORS = PACKAGES / "train" / "imagenet_weights.py"


def model() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3))


def adamw(network: nn.Module) -> torch.optim.AdamW:
    decayed = [value for value in network.parameters() if value.ndim > 1]
    others = [value for value in network.parameters() if value.ndim == 1]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=3e-3, fused=True)


def train(network: nn.Module, optimizer: torch.optim.AdamW, seeds: range) -> None:
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        optimizer.zero_grad()
        network(torch.randn(4, 6, generator=generator)).square().sum().backward()
        optimizer.step()


def assert_same(given: Any, expected: Any) -> None:
    if isinstance(expected, torch.Tensor):
        assert given.dtype == expected.dtype
        assert torch.equal(given, expected)
    elif isinstance(expected, dict):
        assert list(given) == list(expected)  # types of keys too: 0 is not "0"
        for key, value in expected.items():
            assert_same(given[key], value)
    elif isinstance(expected, list | tuple):
        assert len(given) == len(expected)
        for one, other in zip(given, expected, strict=True):
            assert_same(one, other)
    else:
        assert type(given) is type(expected)
        assert given == expected


def test_the_state_of_adamw_comes_back_bit_for_bit(tmp_path: Path) -> None:
    network = model()
    optimizer = adamw(network)
    train(network, optimizer, range(3))
    save_state(optimizer.state_dict(), tmp_path, "optimizer")
    assert_same(load_state(tmp_path, "optimizer"), optimizer.state_dict())


def test_a_restored_optimizer_continues_as_if_never_saved(tmp_path: Path) -> None:
    unbroken = model()
    optimizer = adamw(unbroken)
    train(unbroken, optimizer, range(3))
    save_state(optimizer.state_dict(), tmp_path, "optimizer")
    save_state(unbroken.state_dict(), tmp_path, "weights")
    train(unbroken, optimizer, range(3, 6))

    resumed = model()
    resumed.load_state_dict(load_state(tmp_path, "weights"))
    restored = adamw(resumed)
    restored.load_state_dict(load_state(tmp_path, "optimizer"))
    train(resumed, restored, range(3, 6))
    assert_same(resumed.state_dict(), unbroken.state_dict())


def test_the_state_of_a_schedule_comes_back(tmp_path: Path) -> None:
    optimizer = adamw(model())
    schedule = LambdaLR(optimizer, lambda step: 1 / (1 + step))
    optimizer.step()
    schedule.step()
    save_state(schedule.state_dict(), tmp_path, "scheduler")
    again = LambdaLR(adamw(model()), lambda step: 1 / (1 + step))
    again.load_state_dict(load_state(tmp_path, "scheduler"))
    assert again.last_epoch == 1
    assert again.get_last_lr() == schedule.get_last_lr()


def test_tensors_that_share_memory_and_odd_numbers_survive(tmp_path: Path) -> None:
    shared = torch.arange(6.0)
    state = {"a": shared, "b": shared[2:], "c": [1e-17, float("inf"), None, True, "text"], "d": {}}
    save_state(state, tmp_path, "odd")
    assert_same(load_state(tmp_path, "odd"), state)


@pytest.mark.parametrize("missing", ["weights.json", "weights.safetensors"])
def test_half_a_state_is_incomplete(tmp_path: Path, missing: str) -> None:
    save_state({"weight": torch.zeros(1)}, tmp_path, "weights")
    (tmp_path / missing).unlink()
    with pytest.raises(BundleIncomplete, match="weights"):
        load_state(tmp_path, "weights")


def drawn() -> list[float]:
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.random()),
        float(np.random.standard_normal()),
        float(torch.rand(())),
        float(torch.randn(())),
    ]


def test_all_generators_go_on_where_they_were_saved(tmp_path: Path) -> None:
    random.seed(1)
    np.random.seed(2)
    torch.manual_seed(3)
    random.gauss(0, 1)  # each keeps a second normal number in store,
    np.random.standard_normal()  # which is part of the state
    torch.randn(1)
    assert np.random.get_state(legacy=False)["has_gauss"] == 1
    save_random_state(tmp_path)
    expected = [drawn(), drawn()]
    load_random_state(tmp_path)
    assert [drawn(), drawn()] == expected


def test_the_files_are_safetensors_and_json(tmp_path: Path) -> None:
    save_random_state(tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".safetensors"]
    data = (tmp_path / "random_state.safetensors").read_bytes()
    header = data[8 : 8 + int.from_bytes(data[:8], "little")]
    assert "/torch" in json.loads(header)


def test_no_source_reads_or_writes_pickle() -> None:
    """Except one file, see the next test: weights that others saved, and whose digests are known."""
    forbidden = re.compile(
        r"torch\.(load|save)\b|^\s*(import|from) (c?pickle|dill|joblib|shelve)\b|allow_pickle=True"
        r"|safe_serialization=False",
        re.MULTILINE,
    )
    sources = [
        path
        for name in ("train", "export", "edge_infer")
        for path in (PACKAGES / name).rglob("*.py")
    ]
    assert len(sources) > 60
    found = {
        path.name: match.group()
        for path in sources
        for match in forbidden.finditer(path.read_text(encoding="utf-8"))
        if "``" not in path.read_text(encoding="utf-8")[match.start() - 2 : match.start()]
        and (path, match.group()) != (READS_TENSORS, "torch.load")
    }
    assert found == {}


def test_the_one_file_that_reads_pickle_builds_tensors_only() -> None:
    tree = ast.parse(READS_TENSORS.read_text(encoding="utf-8"))
    loads = [
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "load"
    ]
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.func in loads]
    assert len(loads) == len(calls) == 1, "called, once, and not handed on"
    options = {option.arg: ast.unparse(option.value) for option in calls[0].keywords}
    assert options == {"map_location": "'cpu'", "weights_only": "True"}


def test_the_generators_of_gpus_come_back_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    states = [torch.arange(16, dtype=torch.uint8), torch.arange(16, 32, dtype=torch.uint8)]
    set_again: list[torch.Tensor] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", set_again.extend)
    save_random_state(tmp_path)
    load_random_state(tmp_path)
    assert_same(set_again, states)


@pytest.mark.parametrize(("gpus", "saved_on"), [(1, 2), (1, 0), (0, 2)])
def test_a_machine_with_other_gpus_goes_on_without_their_generators(
    gpus: int, saved_on: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    states = [torch.zeros(16, dtype=torch.uint8)] * saved_on

    def refuse(_: list[torch.Tensor]) -> None:
        raise AssertionError("of other GPUs")

    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", refuse)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: saved_on > 0)
    save_random_state(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpus > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    load_random_state(tmp_path)
