"""A whole run, small: a checkpoint, its bundle, phantoms; and what happens without peers."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from benchmarks import artifacts, preparation
from benchmarks.accuracy import agreement
from benchmarks.cli import main
from benchmarks.cold_starts import measure_cold_starts
from benchmarks.engines import Engine
from benchmarks.measure import Contender
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible
from edge_infer.preprocessing import PreprocessorConfig
from export import bundling
from export.bundling import export_bundle
from export.to_onnx import export_graph
from train.checkpoint import load_checkpoint, save_checkpoint
from train.models import create_model
from train.phantoms import phantom

SIZE = 64


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch) -> Path:
    """Holds a checkpoint, its FP32 bundle and a data set of phantoms."""
    top = tmp_path_factory.mktemp("bench")
    torch.manual_seed(0)
    save_checkpoint(
        top / "checkpoint",
        name="cvt_test",
        model=create_model("cvt_test", len(LABELS)).eval(),
        preprocessor=PreprocessorConfig(height=SIZE, width=SIZE),
        training={"recipe": {"name": "tiny", "seed": 1}, "data": "phantoms"},
    )
    checkpoint = load_checkpoint(top / "checkpoint")
    traced = export_graph(checkpoint.model, height=SIZE, width=SIZE).SerializeToString()
    for module in (artifacts, bundling):  # tracing takes seconds; once is enough
        patched.setattr(module, "export_graph", lambda *_, **__: onnx.load_from_string(traced))
    export_bundle(
        checkpoint,
        top / "cvt_test-fp32",
        precision="fp32",
        images=None,
        metrics={},
        command="test",
    )
    generator = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 1), ("test", 2)):
        for label in LABELS:
            (top / "data" / part / label).mkdir(parents=True)
            for number in range(count):
                drawn = Image.fromarray(phantom(label, generator, 128)).convert("RGB")
                drawn.save(top / "data" / part / label / f"{number}.jpg", quality=95)
    return top


def bench(folder: Path, *more: str) -> Any:
    arguments = [
        "run", "--model", "cvt_test", "--checkpoint", str(folder / "checkpoint"),
        "--bundle", str(folder / "cvt_test-fp32"), "--kept", str(folder / "kept"),
        "--cache", str(folder / "cache"), "--peers", str(folder / "no-peers"),
        "--threads", "1", "--rounds", "2", "--output", str(folder / "out" / "run.json"), *more,
    ]  # fmt: skip
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.mark.slow
def test_one_command_gives_json_table_plot_and_page(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "_install_bytes", lambda *_: {})
    engines = "ours,torch,ort,ort-qdq,openvino,detect-tumor"
    done = bench(folder, "--data", str(folder / "data"), "--engines", engines, "--cold-rounds", "0")
    assert done.exit_code == 0, done.output
    result = json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))
    assert result["complete"]
    assert result["research_use_only"] == RESEARCH_USE_ONLY
    assert result["environment"]["cpu"]
    timed = result["threads"]["1"]["engines"]
    assert set(timed) == {"brain-edge cvt_test-fp32", "torch", "onnxruntime", "onnxruntime QDQ"}
    for name, timing in timed.items():
        assert timing["model_only"]["n"] == 8, name
        assert timing["end_to_end"]["n"] == 4, name
        assert timing["peak_memory_bytes"] > 20_000_000, name
        assert set(timing["throughput"]) == {"8", "16"}, name
    for name in ("openvino", "openvino bf16", "detect-tumor"):
        assert "is not installed" in result["engines"][name]["missing"]
        assert f"{name}" in done.output
    facts = result["engines"]["brain-edge cvt_test-fp32"]
    assert facts["accuracy"]["n"] == 8
    assert facts["accuracy"]["accuracy"]["low"] is not None
    assert facts["accuracy"]["ece"]["interval"] == "group_bootstrap"
    # The bundle is the checkpoint's: a wrong one would show here.
    assert facts["against_torch"]["max_abs_logit_difference"] < 1e-4
    assert facts["against_torch"]["same_class"]["value"] == 1.0
    quantized = result["engines"]["onnxruntime QDQ"]
    assert quantized["model_bytes"] < result["engines"]["onnxruntime"]["model_bytes"]
    assert quantized["against_torch"]["max_abs_logit_difference"] > 1e-4
    assert {path.suffix for path in (folder / "out").iterdir()} == {
        ".json",
        ".html",
        ".png",
        ".svg",
    }
    assert str(folder) not in json.dumps(result)  # results travel

    # A second run takes graphs and answers from what is kept.
    before = {path: path.stat().st_mtime_ns for path in (folder / "kept").rglob("*.onnx")}
    kept = {path: path.stat().st_mtime_ns for path in (folder / "kept/answers").iterdir()}
    again = bench(folder, "--data", str(folder / "data"), "--engines", engines, "--prepare-only")
    assert again.exit_code == 0
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "kept").rglob("*.onnx")}
    assert kept == {path: path.stat().st_mtime_ns for path in (folder / "kept/answers").iterdir()}


@pytest.mark.slow
def test_a_quantizer_that_fails_on_the_graph_is_missing_and_the_others_go_on(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(source: Path, *_: Any, **__: Any) -> None:
        raise IndexError(f"768 is out of bounds in {source}")

    monkeypatch.setattr(preparation, "_install_bytes", lambda *_: {})
    monkeypatch.setattr(artifacts, "quantize_static", fail)
    done = bench(
        folder, "--engines", "ort,ort-qdq", "--cold-rounds", "0", "--kept", str(tmp_path / "kept")
    )
    assert done.exit_code == 0, done.output
    result = json.loads((folder / "out" / "run.json").read_text(encoding="utf-8"))
    assert set(result["threads"]["1"]["engines"]) == {"onnxruntime"}
    reason = result["engines"]["onnxruntime QDQ"]["missing"]
    assert "cannot quantize this graph (IndexError: 768 is out of bounds" in reason
    assert str(tmp_path) not in reason


def test_a_bundle_of_other_weights_is_refused_rather_than_measured() -> None:
    ours = Engine(name="ours", family="ours", title="", precision="fp32", config={})
    answers = np.random.default_rng(0).standard_normal((20, len(LABELS)))
    labels = np.zeros(20, dtype=np.int64)
    preparation.refuse_other_weights(ours, agreement(answers + 1e-5, answers, labels))
    other = agreement(answers + np.array([1.0, 0, 0, 0]), answers, labels)
    with pytest.raises(BundleIncompatible, match="has other weights"):
        preparation.refuse_other_weights(ours, other)
    # INT8 may differ, and other engines are made from the checkpoint here.
    preparation.refuse_other_weights(dataclasses.replace(ours, precision="int8"), other)


def test_agreement_counts_tumours_that_became_healthy_only_where_fp32_was_right() -> None:
    glioma, healthy = LABELS.index("glioma"), LABELS.index("no_tumor")
    one_hot = np.eye(len(LABELS))
    labels = np.array([glioma, glioma, healthy, glioma])
    reference = one_hot[[glioma, healthy, healthy, glioma]]
    found = agreement(one_hot[[healthy, healthy, healthy, glioma]], reference, labels)
    assert found["tumor_to_no_tumor_flips"] == 1
    assert found["same_class"]["value"] == 0.75
    assert found["max_abs_logit_difference"] == 1.0


@pytest.mark.slow
def test_a_cold_start_is_a_new_process_up_to_its_first_answer(folder: Path) -> None:
    scan = folder / "data/test/glioma/0.jpg"
    ours = Contender(
        name="ours",
        config={"adapter": "brain_edge", "bundle": str(folder / "cvt_test-fp32")},
        python=None,
        batches=(),
    )
    absent = dataclasses.replace(ours, name="absent", config={"adapter": "nonsense"})
    turns: list[int] = []
    found = measure_cold_starts(
        [ours, absent], str(scan), rounds=2, threads=1, turn_done=lambda: turns.append(1)
    )
    assert found["ours"]["n"] == 2
    assert found["ours"]["min_ms"] > 50  # an interpreter alone takes tens of milliseconds
    assert found["ours"]["peak_memory_bytes"] > 20_000_000
    assert "no answer from a new process" in found["absent"]["error"]


@pytest.mark.slow
def test_a_bundle_of_another_size_is_refused(folder: Path) -> None:
    done = bench(folder, "--engines", "ours", "--image-size", "96", "--no-accuracy")
    assert done.exit_code == 32
    assert "expected cvt_test at 96 x 96" in done.output


def test_an_unknown_engine_is_a_usage_error_that_lists_the_known(folder: Path) -> None:
    done = bench(folder, "--engines", "ours,tensorrt")
    assert done.exit_code == 2
    assert "no such engine: tensorrt; known: ours, torch" in done.output


def test_an_unknown_peer_is_a_usage_error() -> None:
    done = CliRunner().invoke(main, ["peers", "install", "nobody"])
    assert done.exit_code == 2
    assert "known: detect-tumor, openvino, optimum" in done.output
