"""Loading ends: by its end, by its deadline or by a signal, whatever the graph makes onnxruntime do."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tiny_bundle import tiny_model

from edge_infer import deadline, self_test, session
from edge_infer.bundle import load_bundle
from edge_infer.classifier import Classifier
from edge_infer.deadline import within
from edge_infer.errors import TimedOut
from edge_infer.session import open_session


def never() -> NoReturn:
    pytest.fail("was stopped")


def test_work_in_time_is_as_if_it_were_done_here() -> None:
    assert within(60, lambda: 7, what="it", stop=never) == 7
    with pytest.raises(ZeroDivisionError):
        within(60, lambda: 1 / 0, what="it", stop=never)


def test_work_that_is_late_is_told_to_stop_and_given_up() -> None:
    told = threading.Event()
    with pytest.raises(TimedOut, match=r"it takes longer than 0\.05 s") as caught:
        within(0.05, lambda: told.wait(60), what="it", stop=told.set)
    assert caught.value.exit_code == 82
    assert told.is_set()


def test_work_that_does_not_listen_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "_GRACE_SECONDS", 0.05)
    end = threading.Event()
    started = time.monotonic()
    with pytest.raises(TimedOut):
        within(0.05, lambda: end.wait(60), what="it", stop=lambda: None)
    assert time.monotonic() - started < 10
    end.set()


def test_a_signal_ends_the_wait_and_stops_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    told = threading.Event()

    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(deadline._Working, "is_done", interrupted)
    with pytest.raises(KeyboardInterrupt):
        within(60, lambda: told.wait(60), what="it", stop=told.set)
    assert told.is_set()


def constants_that_take_long_to_fold(size: int, count: int) -> bytes:
    """A graph that onnxruntime multiplies out before it is loaded."""
    products = [helper.make_node("MatMul", [f"m{i}", f"m{i}"], [f"m{i + 1}"]) for i in range(count)]
    end = [
        helper.make_node("ReduceMax", [f"m{count}"], ["largest"], keepdims=0),
        helper.make_node("Add", ["largest", "x"], ["y"]),
    ]
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    ones = numpy_helper.from_array(np.ones((size, size), np.float32), "m0")
    graph = helper.make_graph([*products, *end], "slow", value[:1], value[1:], [ones])
    opset = helper.make_opsetid("", 18)
    return helper.make_model(graph, opset_imports=[opset], ir_version=10).SerializeToString()


def test_opening_a_session_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "LOAD_SECONDS", 0.02)
    monkeypatch.setattr(deadline, "_GRACE_SECONDS", 0.02)
    with pytest.raises(TimedOut, match=r"opening model\.onnx takes longer"):
        open_session(constants_that_take_long_to_fold(1000, 12))


class Endless:
    """An inference session that runs until it is told to stop."""

    def run(self, _names: list[str], _feeds: dict[str, Any], run_options: Any) -> NoReturn:
        while not run_options.terminate:
            time.sleep(0.005)
        raise RuntimeError("stopped")


def test_the_self_test_has_a_deadline(bundle_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(self_test, "LOAD_SECONDS", 0.05)
    bundle = load_bundle(bundle_path)
    opened = open_session(tiny_model().SerializeToString())
    opened._inference_session = Endless()
    with pytest.raises(TimedOut, match=r"no answer within 0\.05 s"):
        self_test.require_golden_answers(bundle, opened, "quick")


LOAD_FOR_LONG = """
import signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it, and what they start
sys.path[:0] = sys.argv[1:]
from test_deadline import constants_that_take_long_to_fold
from edge_infer.session import open_session
model = constants_that_take_long_to_fold(3000, 60)
threading.Timer(1, lambda: print("loading", flush=True)).start()
open_session(model, num_threads=1)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_ctrl_c_ends_a_load_that_would_take_minutes() -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-c", LOAD_FOR_LONG, str(here), str(here.with_name("helpers"))]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "loading\n"
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        _, said = child.communicate(timeout=60)
    assert time.monotonic() - started < 30
    assert "KeyboardInterrupt" in said
    assert child.returncode in (-signal.SIGINT, 130)


def test_a_classifier_that_is_loaded_in_time_is_the_same(bundle_path: Path) -> None:
    assert Classifier.load(bundle_path).session.provider == "CPUExecutionProvider"
