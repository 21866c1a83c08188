"""A run that takes too long is stopped, and only that run."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from tiny_bundle import SIZE, scan, tiny_model

from edge_infer.classifier import Classifier
from edge_infer.cli import main
from edge_infer.errors import TimedOut
from edge_infer.session import Session, open_session

LARGE = np.zeros((4000, 3, SIZE, SIZE), dtype=np.float32)  # its first operator takes long enough


@pytest.fixture(scope="module")
def session() -> Session:
    return open_session(tiny_model().SerializeToString(), num_threads=1)


def test_a_long_run_is_stopped_and_the_session_lives_on(session: Session) -> None:
    with pytest.raises(TimedOut, match=r"0\.0001 s") as caught:
        session.run(LARGE, timeout_s=1e-4)
    assert caught.value.exit_code == 82
    assert session.run(LARGE[:1], timeout_s=600)[0].shape == (1, 4)


def test_runs_of_other_threads_go_on(session: Session) -> None:
    def ask(timeout_s: float | None) -> str:
        try:
            session.run(LARGE, timeout_s=timeout_s)
        except TimedOut:
            return "stopped"
        return "answered"

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(ask, [1e-4, None, 1e-4, 600]))
    assert results == ["stopped", "answered", "stopped", "answered"]


def test_a_classifier_hands_it_on_also_to_another_process(bundle_path: Path) -> None:
    classifier = Classifier.load(bundle_path, timeout_s=600)
    assert classifier.predict(scan()).label
    assert classifier.__getstate__()["options"]["timeout_s"] == 600
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="timeout_s"):
            Classifier.load(bundle_path, timeout_s=wrong)
    for wrong in ("3", b"3", [3]):
        with pytest.raises(TypeError, match=r"timeout_s is .*, expected a number of seconds"):
            Classifier.load(bundle_path, timeout_s=wrong)  # type: ignore[arg-type]
    assert Classifier.load(bundle_path, timeout_s=Decimal("1.5")).predict(scan()).label  # type: ignore[arg-type]
    assert Classifier.load(bundle_path, timeout_s=1e300).predict(scan()).label


@pytest.mark.parametrize("text", ["nan", "inf", "1e400", "0", "-1", "x"])
def test_no_number_of_seconds_is_a_usage_error(text: str, scan_path: Path) -> None:
    assert CliRunner().invoke(main, ["--timeout", text, str(scan_path)]).exit_code == 2


def test_the_command_ends_with_82(
    bundle_path: Path, scan_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def late(*_: object, timeout_s: float) -> None:
        asked.append(timeout_s)
        raise TimedOut("no answer within 2.5 s")

    monkeypatch.setattr(Session, "run", late)
    arguments = ["--timeout", "2.5", "--self-test", "off", "--bundle", str(bundle_path)]
    result = CliRunner().invoke(main, [*arguments, str(scan_path)])
    assert (result.exit_code, result.stdout) == (82, "")
    assert 2.0 < asked[0] < 2.5  # reading has used up some of it
    assert f"{scan_path}: no answer within 2.5 s" in result.stderr
