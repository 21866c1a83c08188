from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner
from report_page import Page

from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.report import report as command


def invoke(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def test_without_data_it_says_what_is_missing_and_how_to_get_it(
    runs: list[Path], tmp_path: Path
) -> None:
    code, out, err = invoke(runs[0], "--output", tmp_path / "report")
    assert (code, err) == (0, "")
    assert out == f"report: {tmp_path / 'report' / 'report.html'}\n{RESEARCH_USE_ONLY}\n"
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    assert "Made without the data set." in page.words
    assert "--data DIR --manifest FILE --dataset NAME" in page.words
    assert "The split was not checked" in page.words
    assert len(page.all("img")) == 5, "the curves and four images of the answers"
    assert str(tmp_path) not in (tmp_path / "report" / "report.html").read_text()
    # An older report is replaced as a whole, and nothing else is.
    before = (tmp_path / "report" / "report.html").stat().st_ino
    (tmp_path / "report" / "notes.txt").write_text("mine")
    assert invoke(runs[0], "--output", tmp_path / "report")[0] == 40
    assert (tmp_path / "report" / "report.html").stat().st_ino == before
    (tmp_path / "report" / "notes.txt").unlink()
    assert invoke(runs[1], "--output", tmp_path / "report")[0] == 0
    assert sorted(path.name for path in (tmp_path / "report").iterdir()) == [
        "epochs.png",
        "report.html",
        "summary.json",
    ]


@pytest.mark.parametrize(
    ("given", "code", "said"),
    [
        (["unfinished"], 30, "--resume"),
        (["empty"], 30, "neither run.json nor checkpoint"),
        (["absent"], 20, "absent"),
        (["FULL", "FULL"], 26, "given twice"),
        (["FULL", "--dataset", "x"], 2, "--data"),
        (["FULL", "--bundle", "absent"], 30, "absent"),
        ([], 2, "RUN"),
    ],
)
def test_a_wrong_call_has_its_exit_code_and_writes_nothing(
    runs: list[Path], tmp_path: Path, given: Sequence[str], code: int, said: str
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "unfinished" / "checkpoint-12").mkdir(parents=True)
    (tmp_path / "unfinished" / "run.json").write_text("{}")
    named = {name: tmp_path / name for name in ("unfinished", "empty", "absent")}
    named["FULL"] = runs[0]
    status, out, err = invoke(
        *(named.get(word, word) for word in given), "--output", tmp_path / "report"
    )
    assert (status, out) == (code, "")
    assert said in err
    assert not (tmp_path / "report").exists()
