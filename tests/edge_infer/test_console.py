import os
import subprocess
import sys

import click
import pytest

from edge_infer.console import shown_to_user
from edge_infer.errors import CannotWrite


def status_of(error: BaseException, *, debug: bool = False) -> int | str | None:
    with pytest.raises(SystemExit) as caught, shown_to_user(debug=debug):
        raise error
    return caught.value.code


def test_an_error_is_two_lines_and_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(CannotWrite("x: full", hint="make room")) == 40
    assert capsys.readouterr().err == "error: x: full\n  hint: make room\n"


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(ModuleNotFoundError("no", name="torch.nn")) == 80
    assert "pip install 'brain-edge[train]'" in capsys.readouterr().err


def test_any_other_missing_module_is_a_bug() -> None:
    for name in ("edge_infer.nonsense", None):
        with pytest.raises(ModuleNotFoundError), shown_to_user():
            raise ModuleNotFoundError("no", name=name)


def test_a_bug_stays_a_traceback() -> None:
    with pytest.raises(ZeroDivisionError), shown_to_user():
        raise ZeroDivisionError


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.exceptions.Abort()])
def test_an_interruption_ends_with_130(error: BaseException) -> None:
    assert status_of(error) == 130


def written(arguments: str, text: str) -> bytes:
    """What a process whose stdout is latin-1 writes to its stream of results."""
    program = (
        "from edge_infer.console import results_stream\n"
        f"with results_stream({arguments}) as results: results.write({text!a})"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, env=environment
    )
    return finished.stdout


def test_results_are_in_the_encoding_of_stdout_unless_told() -> None:
    assert written("", "\xfc\udcff") == b"\xfc\xff"
    assert written("encoding='utf-8'", "\xfc\u8111\udcff") == b"\xc3\xbc\xe8\x84\x91\xff"
    assert written("errors='backslashreplace'", "\xfc\u8111") == b"\xfc\\u8111"
