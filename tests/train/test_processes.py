"""Processes that train together: who they are, who goes first, and what is said when one is missing."""

import json
import os
import time
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest
import torch
from own_process import preloaded
from trained_together import all_well, start_together

from edge_infer.errors import ProcessLost
from train import processes
from train.commands.one_voice import hushed
from train.processes import (
    all_agree,
    first_process_first,
    is_first,
    joined,
    process_count,
    process_number,
    total_,
)

PLACE = {"RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    return preloaded("trained_together")


def test_a_process_alone_is_the_first_of_one() -> None:
    assert (process_count(), process_number(), is_first()) == (1, 0, True)
    assert all_agree(True)
    assert not all_agree(False)
    with first_process_first():
        pass


@pytest.mark.parametrize(
    "place",
    [
        {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1"},
        {"WORLD_SIZE": "4", "RANK": "2"},  # another program's
    ],
)
def test_a_process_alone_goes_on_and_transformers_does_not_learn_of_its_place(
    monkeypatch: pytest.MonkeyPatch, place: dict[str, str]
) -> None:
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    with joined():
        assert process_count() == 1
        assert not set(place) & set(os.environ)
        hushed()()  # speaks as ever
    assert {name: os.environ[name] for name in place} == place


def test_several_add_up_agree_and_go_one_after_the_other(
    context: ForkServerContext, tmp_path: Path
) -> None:
    all_well(start_together(context, 3, _told, tmp_path))
    told = [json.loads((tmp_path / f"{number}.json").read_text()) for number in range(3)]
    assert [each["place"] for each in told] == [[number, 3] for number in range(3)]
    assert all(each["total"] == [3.0, 30.0] for each in told)
    assert all(each["agreed"] == [True, False] for each in told)
    assert told[0]["found"] == []
    assert told[1]["found"] == told[2]["found"] == ["made by 0"]


def _told(folder: Path) -> None:
    number = process_number()
    with first_process_first():
        found = [path.name for path in folder.glob("made *")]
        if is_first():
            time.sleep(0.2)  # the others would be here by now
            (folder / "made by 0").touch()
    told = {
        "place": [number, process_count()],
        "total": total_(torch.tensor([1.0, 10.0]) * number).tolist(),
        "agreed": [all_agree(True), all_agree(number != 1)],
        "found": found,
    }
    (folder / f"{number}.json").write_text(json.dumps(told))


def test_if_one_ends_the_others_say_so_and_do_not_wait(
    context: ForkServerContext, tmp_path: Path
) -> None:
    began = time.monotonic()
    for process in start_together(context, 2, _left_alone, tmp_path):
        process.join(60)
    assert time.monotonic() - began < 60
    assert (tmp_path / "0").read_text() == "88 process_lost: --resume"
    assert not (tmp_path / "1").exists()


def _left_alone(folder: Path) -> None:
    if not is_first():
        os._exit(9)
    try:
        for _ in range(1000):
            total_(torch.ones(1))
    except ProcessLost as error:
        (folder / "0").write_text(f"{error.exit_code} {error.code}: {error.hint[-8:]}")
        os._exit(0)


@pytest.mark.parametrize(
    ("gpus", "visible", "adds_up", "seen"),
    [
        (0, None, "gloo", None),
        (2, None, "nccl", "1"),
        (2, "4,6", "nccl", "6"),
        (1, None, "gloo", "0"),  # two processes on one GPU: NCCL refuses that
    ],
)
def test_each_process_sees_one_gpu(
    monkeypatch: pytest.MonkeyPatch, gpus: int, visible: str | None, adds_up: str, seen: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert processes._choose_device(PLACE) == adds_up
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == seen
