import errno
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from edge_infer.console import DefaultGroup, FiniteRange, shown_to_user, typed_command
from edge_infer.errors import CannotWrite


def status_of(error: BaseException, *, debug: bool = False) -> int | str | None:
    with pytest.raises(SystemExit) as caught, shown_to_user(debug=debug):
        raise error
    return caught.value.code


def test_an_error_is_two_lines_and_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(CannotWrite("x: full", hint="make room")) == 40
    assert capsys.readouterr().err == "error: x: full\n  hint: make room\n"


def test_a_missing_extra_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert status_of(ModuleNotFoundError("no", name="torch.nn")) == 87
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
    assert written("", "\xfc\u8111\udcff") == b"\xfc\\u8111\xff"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 40),
        (OSError(errno.EFBIG, "File too large", "out.png"), 40),
        (PermissionError(errno.EACCES, "Permission denied", b"a\xff"), 20),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300), 20),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), 26),
        (MemoryError(), 80),
    ],
)
def test_what_the_system_refuses_is_no_bug(
    error: BaseException, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status_of(error) == status
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "Traceback" not in said
    assert "or written" not in said, "it is not known which"
    assert said.isascii()


def test_errors_of_libraries_in_the_same_classes_stay_bugs() -> None:
    for error in (
        OSError("cannot load this"),
        UnicodeEncodeError("ascii", "\xfc", 0, 1, "ordinal"),
    ):
        with pytest.raises(type(error)), shown_to_user():
            raise error


def test_a_message_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    status_of(CannotWrite("label \x1b[2J of\n  two lines", hint="\x07"))
    expected = "error: label \\x1b[2J of\n  two lines\n  hint: \\x07\n"
    assert capsys.readouterr().err == expected


def test_paths_that_lead_out_of_the_folder_are_not_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["--data", "/srv/doe/scans", "--output=/srv/doe/run", "--cache", "../../doe/cache"]
    words += ["--teacher", "runs/a", "~/b", "..", "--manifest=x/../../m.csv", "name=\udcff"]
    words += ["--far", "photos=/srv/doe/far", "--near", "a=b/c", "/srv/doe=1/x"]
    monkeypatch.setattr(sys, "argv", ["brain-train", *words])
    told = typed_command("brain-train")
    assert "doe" not in told
    assert "srv" not in told
    assert "--data scans --output=run --cache cache --teacher runs/a b" in told
    assert "--manifest=m.csv" in told
    assert "--far photos=far --near a=b/c x" in told
    assert told.isascii()


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e400"])
def test_only_finite_numbers_are_numbers(text: str) -> None:
    for bounds in (FiniteRange(), FiniteRange(0, 1), FiniteRange(0, min_open=True)):
        with pytest.raises(click.BadParameter):
            bounds.convert(text, None, None)


@click.group("tool", cls=DefaultGroup, default="work")
@click.option("-v", "--verbose", is_flag=True)
def tool(verbose: bool) -> None:
    click.echo(f"verbose {verbose}")


@tool.command()
@click.option("--size", type=int, required=True)
@click.option("-v", "--verbose", is_flag=True)
def work(size: int, verbose: bool) -> None:
    click.echo(f"work {size} {verbose}")


@tool.command()
def look() -> None:
    click.echo("look")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("work --size 3", "verbose False\nwork 3 False\n"),
        ("--size 3", "verbose False\nwork 3 False\n"),
        ("--size=3 -v", "verbose False\nwork 3 True\n"),
        ("-v --size 3", "verbose True\nwork 3 False\n"),
        ("look", "verbose False\nlook\n"),
        ("-v --debug look", "verbose True\nlook\n"),
    ],
)
def test_the_default_command_may_be_left_out(words: str, said: str) -> None:
    result = CliRunner().invoke(tool, words.split())
    assert (result.exit_code, result.stdout) == (0, said), result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--sise 3", "--sise"),
        ("--size", "--size"),
        ("--size 3 look", "look"),
        ("wrok", "No such command 'wrok'"),
        ("-v", "Missing command"),
    ],
)
def test_wrong_words_are_named_although_the_command_may_be_left_out(words: str, said: str) -> None:
    result = CliRunner().invoke(tool, words.split())
    assert result.exit_code == 2
    assert said in result.stderr


def test_the_help_of_a_default_group_lists_its_commands_in_their_order() -> None:
    for words in ([], ["--help"]):
        shown = CliRunner().invoke(tool, words).output
        assert "Usage: tool [OPTIONS] [COMMAND] [ARGS]...\n" in shown
        assert shown.index("\n  work") < shown.index("\n  look")
