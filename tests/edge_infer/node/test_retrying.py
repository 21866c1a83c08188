"""Failed rounds that are taken up again by hand."""

from pathlib import Path

import pytest

from edge_infer.errors import NoInputs
from edge_infer.node.retrying import retry_failed
from edge_infer.node.spool import STAGES, Stage

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    for stage in STAGES:
        (tmp_path / stage).mkdir()
    return tmp_path


def round_in(spool: Path, stage: Stage, name: str) -> None:
    (spool / stage / name / "images").mkdir(parents=True)


@pytest.mark.parametrize("stage", ["ready", "results", "sent"])
def test_a_round_that_a_later_one_replaced_is_left_alone(spool: Path, stage: Stage) -> None:
    round_in(spool, "failed", f"{KEY}.1")
    round_in(spool, "failed", f"{OTHER}.1")
    round_in(spool, stage, f"{KEY}.2")
    assert retry_failed(spool, None) == [f"{OTHER}.1"]
    assert (spool / "failed" / f"{KEY}.1").is_dir()
    with pytest.raises(NoInputs, match="a later round of this study"):
        retry_failed(spool, [f"{KEY}.1"])


def test_a_later_round_that_failed_too_replaces_nothing(spool: Path) -> None:
    for number in (1, 2):
        round_in(spool, "failed", f"{KEY}.{number}")
    round_in(spool, "sent", f"{OTHER}.2")
    assert retry_failed(spool, [KEY]) == [f"{KEY}.1", f"{KEY}.2"]


def test_an_earlier_round_that_was_sent_is_no_reason(spool: Path) -> None:
    round_in(spool, "sent", f"{KEY}.1")
    round_in(spool, "failed", f"{KEY}.2")
    assert retry_failed(spool, None) == [f"{KEY}.2"]
