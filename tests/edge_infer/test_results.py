"""Results are whole, hold every name, and a place where they cannot go is said."""

import codecs
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_bundle import scan

from edge_infer.errors import CannotWrite
from edge_infer.results import KEEP_NAMES, WholeRecords

NAMES = ("Kovač.png", "脳.png", "🧠.png", os.fsdecode(b"Gr\xf6sse.png"))
ENCODINGS = ("cp1252", "cp437", "ascii", "latin-1", "utf-16")


@pytest.mark.parametrize("encoding", [*ENCODINGS, "utf-8"])
@pytest.mark.parametrize("name", NAMES)
def test_every_name_can_be_written_in_every_encoding(
    encoding: str, name: str, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as file:
        records = WholeRecords(file.fileno(), encoding=encoding, errors=KEEP_NAMES)
        for _ in range(2):
            records.write(f"{name}\n")
    written = (tmp_path / "out").read_bytes()
    expected = f"{name}\n".encode(encoding, KEEP_NAMES)
    mark = codecs.BOM_UTF16 if encoding == "utf-16" else b""
    assert written == mark + 2 * expected.removeprefix(mark)
    if encoding == "utf-8":
        assert written == 2 * os.fsencode(f"{name}\n")
    elif name == "Kovač.png" and encoding != "utf-16":
        assert written.startswith(b"Kova\\u010d.png\n")


def test_what_does_not_fit_is_taken_back_and_said(tmp_path: Path) -> None:
    program = (
        "import resource, signal, sys\n"
        "from edge_infer.results import WholeRecords\n"
        "from edge_infer.errors import CannotWrite\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "records = WholeRecords(1, encoding='utf-8', errors='strict')\n"
        "try:\n"
        "    for _ in range(100): records.write('x' * 299 + '\\n')\n"
        "except CannotWrite as error: sys.exit(str(error))\n"
    )
    with (tmp_path / "out").open("ab") as file:
        file.write(b"before\n")
        file.flush()
        finished = subprocess.run(
            [sys.executable, "-c", program], stdout=file, stderr=subprocess.PIPE, check=False
        )
    assert b"File too large" in finished.stderr
    assert (tmp_path / "out").read_bytes() == b"before\n" + 3 * (b"x" * 299 + b"\n")


def test_a_full_device_is_an_error() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    try:
        with pytest.raises(CannotWrite, match="No space left"):
            WholeRecords(descriptor, encoding="utf-8", errors="strict").write("x")
    finally:
        os.close(descriptor)


def in_shell(command: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    named = {
        "I": f"{sys.executable} -m edge_infer",
        "X": f"{sys.executable} -m edge_infer.doctor_cli",
    }
    return subprocess.run(
        ["sh", "-c", command],
        capture_output=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **named, **environment},
    )


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("$I $S > /dev/full", 40),
        ("$I --json $S $S > /dev/full", 40),
        ("$I --csv $S > /dev/full", 40),
        ("$I --help > /dev/full", 40),
        ("$I --version > /dev/full", 40),
        ("$X --help > /dev/full", 40),
        ("$I $S >&-", 40),
        ("$X >&-", 40),
        ("$I --help >&-", 0),
        ("$I $S 2>&-", 0),
        ("$I $S <&-", 0),
        ("$I $S none.png 2>/dev/full", 100),
        ("$I --nonsense 2>/dev/full", 2),
        ("$I --nonsense", 2),
        ("$I $S <&- >&- 2>&-", 40),
    ],
)
def test_full_and_closed_streams_have_a_status_and_no_traceback(
    command: str, status: int, bundle_path: Path, scan_path: Path
) -> None:
    given = f"--bundle {bundle_path} {scan_path}"
    finished = in_shell(command, S=given)
    assert finished.returncode == status
    assert b"Traceback" not in finished.stderr
    assert b"Exception ignored" not in finished.stderr
    if status == 40 and "2>" not in command:
        assert b"error: " in finished.stderr
    if command == "$I $S 2>&-":
        assert finished.stdout.startswith(os.fsencode(f"{scan_path}: "))


def test_a_closed_stdout_is_not_given_to_the_next_file(
    bundle_path: Path, scan_path: Path, tmp_path: Path
) -> None:
    before = scan_path.read_bytes()
    target = tmp_path / "map.png"
    command = f"$I --bundle {bundle_path} --heatmap {target} {scan_path} <&- 2>&-"
    assert in_shell(command).returncode == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    assert scan_path.read_bytes() == before


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_no_answer_is_lost_to_a_name_that_stdout_cannot_hold(
    encoding: str, bundle_path: Path, tmp_path: Path
) -> None:
    for name in ("a.png", *NAMES, "z.png"):
        scan().save(tmp_path / "scan.png")
        (tmp_path / "scan.png").rename(tmp_path / name)
    for form in ("", "--csv", "--json"):
        finished = in_shell(
            f"$I {form} --bundle {bundle_path} {tmp_path} none-č", PYTHONIOENCODING=encoding
        )
        assert finished.returncode == 100, finished.stderr
        text = finished.stdout.decode("utf-8" if form == "--csv" else encoding)
        if form == "--json":
            sources = [json.loads(line)["source"] for line in text.splitlines()]
            assert {Path(source).name for source in sources} == {"a.png", *NAMES, "z.png", "none-č"}
        else:
            assert text.count(".png") == 6
