import csv
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tiny_bundle import GOLDEN, scan

from edge_infer.cli import main
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.version import __version__


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def in_shell(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_infer", *map(str, arguments)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twenty scans, one of them bad, and what does not count."""
    folder = tmp_path / "scans"
    (folder / "deeper").mkdir(parents=True)
    for number in range(19):
        where = folder / "deeper" if number % 2 else folder
        scan(number).save(where / f"scan{number:02}.png")
    (folder / "bad.JPG").write_text("no image")
    (folder / "notes.txt").write_text("not counted")
    (folder / "._scan00.png").write_text("not counted")
    return folder


def test_one_scan_is_answered_on_stdout(trusting_path: Path, scan_path: Path) -> None:
    result = in_shell(scan_path, "--bundle", trusting_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"{scan_path}: ")
    assert result.stdout.endswith(f"{RESEARCH_USE_ONLY}\n")
    for label in ("glioma", "meningioma", "no_tumor", "pituitary"):
        assert f"\n  {label}" in result.stdout


def test_json_is_one_object_per_line_and_nothing_else(bundle_path: Path, scan_path: Path) -> None:
    result = in_shell("--json", "--bundle", bundle_path, scan_path, scan_path)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["status"] for line in lines] == ["ok", "ok"]
    assert lines[0]["probabilities"] == lines[1]["probabilities"]
    assert "2 of 2 classified, 0 failed: 2 accepted, 0 abstained" in result.stderr


def test_a_folder_with_one_bad_file_gives_all_other_answers(
    bundle_path: Path, folder: Path
) -> None:
    result = run("--json", "--bundle", bundle_path, folder)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 100
    assert len(lines) == 20
    assert [line["source"] for line in lines if line["status"] == "error"] == [
        str(folder / "bad.JPG")
    ]
    assert "19 of 20 classified, 1 failed" in result.stderr
    assert f"error: {folder / 'bad.JPG'}" in result.stderr
    assert [line["source"] for line in lines] == sorted(
        (line["source"] for line in lines), key=lambda name: ("deeper" in name, name)
    )


def test_csv_has_a_row_for_every_image(bundle_path: Path, folder: Path) -> None:
    result = run("--csv", "--bundle", bundle_path, folder)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert result.exit_code == 100
    assert len(rows) == 20
    assert [row["error_code"] for row in rows if row["status"] == "error"] == ["corrupt"]


def test_text_goes_on_past_a_bad_file(bundle_path: Path, folder: Path) -> None:
    result = run("--bundle", bundle_path, folder)
    assert result.exit_code == 100
    assert result.stdout.count("glioma  ") == 19
    assert result.stdout.count(RESEARCH_USE_ONLY) == 1


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Two golden images, which are in the scope of ``trusting_path``, and a scan, which is not."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(GOLDEN[number]).save(folder / f"golden{number}.png")
    scan().save(folder / "scan.png")
    return folder


def test_a_batch_counts_what_is_accepted_and_shows_the_rest_as_not_accepted(
    trusting_path: Path, mixed: Path
) -> None:
    result = run("--bundle", trusting_path, mixed)
    assert (result.exit_code, result.stderr) == (
        0,
        "3 of 3 classified, 0 failed: 2 accepted, 1 abstained\n",
    )
    blocks = result.stdout.split("\n\n")
    assert blocks[0].startswith(f"{mixed / 'golden0.png'}: glioma (")
    assert blocks[2].startswith(f"{mixed / 'scan.png'}: abstains (out_of_scope); nearest answer ")
    assert "\n  not accepted:\n  glioma" in blocks[2]


@pytest.mark.parametrize(
    ("option", "decision", "reasons", "status"),
    [
        ([], "abstain", ["out_of_scope"], 101),
        (["--scope", "enforce"], "abstain", ["out_of_scope"], 101),
        (["--scope", "report"], "accept", ["out_of_scope"], 0),
        (["--scope", "off"], "accept", [], 0),
    ],
)
def test_an_answer_that_is_not_accepted_fails_where_that_is_asked_for(
    trusting_path: Path,
    mixed: Path,
    option: list[str],
    decision: str,
    reasons: list[str],
    status: int,
) -> None:
    path = mixed / "scan.png"
    usual = run("--json", *option, "--bundle", trusting_path, path)
    assert usual.exit_code == 0
    line = json.loads(usual.stdout)
    assert (line["decision"], line["reasons"]) == (decision, reasons)
    strict = run("--fail-on-abstain", "--json", *option, "--bundle", trusting_path, path)
    assert strict.exit_code == status
    answer = json.loads(strict.stdout)
    assert answer["probabilities"] == line["probabilities"]
    assert (
        run("--fail-on-abstain", "--csv", *option, "--bundle", trusting_path, mixed).exit_code
        == status
    )


def test_accepted_answers_never_fail_and_failures_come_first(
    trusting_path: Path, mixed: Path, golden_path: Path
) -> None:
    strict = ["--fail-on-abstain", "--bundle", trusting_path]
    assert run(*strict, golden_path).exit_code == 0
    (mixed / "bad.png").write_text("no image")
    result = run(*strict, mixed)
    assert result.exit_code == 100
    assert "3 of 4 classified, 1 failed: 2 accepted, 1 abstained" in result.stderr
    assert run(*strict, mixed / "bad.png").exit_code == 22


def test_a_run_without_a_scope_check_says_so_once(
    bundle_path: Path, trusting_path: Path, mixed: Path
) -> None:
    said = "this bundle has no scope check"
    assert run("--bundle", bundle_path, mixed).stderr.count(said) == 1
    for form in ([], ["--json"], ["--csv"]):
        alone = run(*form, "--bundle", bundle_path, mixed / "scan.png")
        assert (alone.stderr.count(said), said in alone.stdout) == (1, False)
    assert said not in run("--bundle", trusting_path, mixed / "scan.png").stderr
    assert said not in run("--bundle", trusting_path, mixed).stderr
    assert said not in run("--bundle", trusting_path, "--scope", "off", mixed).stderr


@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("none.jpg", None, 20),
        ("text.jpg", b"no image", 22),
        ("empty.jpg", b"", 22),
        ("movie.gif", b"GIF89a" + bytes(50), 23),
        ("large.png", "sparse", 24),
    ],
)
@pytest.mark.parametrize("form", [[], ["--json"], ["--csv"]], ids=["text", "json", "csv"])
def test_one_bad_input_ends_with_its_own_status(
    bundle_path: Path, tmp_path: Path, name: str, content: object, status: int, form: list[str]
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "sparse":
        with path.open("wb") as file:
            file.truncate(65 * 2**20)
    result = run(*form, "--bundle", bundle_path, path)
    assert result.exit_code == status
    assert f"error: {path}" in result.stderr
    assert "Traceback" not in result.stderr
    if form == ["--json"]:
        assert json.loads(result.stdout)["error"]["exit_code"] == status
    if not form:
        assert result.stdout == ""


def test_a_truncated_jpeg_gets_no_label(bundle_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.jpg"
    scan().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    result = in_shell(path, "--bundle", bundle_path)
    assert (result.returncode, result.stdout) == (22, "")
    assert "cut short" in result.stderr


def test_a_folder_without_images_is_no_input(bundle_path: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("--bundle", bundle_path, tmp_path / "empty")
    assert result.exit_code == 21


def test_usage_errors_end_with_2(bundle_path: Path, scan_path: Path) -> None:
    for arguments in (
        ["--json", "--csv", scan_path],
        ["--threads", "0", scan_path],
        ["--device", "tpu", scan_path],
        ["--nonsense", scan_path],
        ["--scope", "maybe", scan_path],
        [],
    ):
        assert run("--bundle", bundle_path, *arguments).exit_code == 2


def test_a_missing_and_a_tampered_bundle_have_their_own_status(
    own_bundle: Path, scan_path: Path
) -> None:
    assert run("--bundle", own_bundle.parent / "none", scan_path).exit_code == 30
    data = bytearray((own_bundle / "model.onnx").read_bytes())
    data[len(data) // 2] ^= 1
    (own_bundle / "model.onnx").write_bytes(data)
    result = run("--bundle", own_bundle, scan_path)
    assert (result.exit_code, result.stdout) == (31, "")
    assert "model.onnx" in result.stderr


def test_cuda_without_cuda_ends_with_81_and_a_clean_stdout(
    bundle_path: Path, scan_path: Path
) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine's onnxruntime has CUDA")
    result = in_shell("--device", "cuda", "--bundle", bundle_path, scan_path)
    assert (result.returncode, result.stdout) == (81, "")
    assert "CPUExecutionProvider" in result.stderr


def test_a_heatmap_is_drawn_for_one_and_for_many(
    bundle_path: Path, scan_path: Path, folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "map.png"
    assert run("--heatmap", target, "--bundle", bundle_path, scan_path).exit_code == 0
    assert target.read_bytes().startswith(b"\x89PNG")
    maps = tmp_path / "maps"
    assert run("--heatmap", maps, "--bundle", bundle_path, folder).exit_code == 100
    assert len(list(maps.iterdir())) == 19
    assert (maps / "scan00.heatmap.png").is_file()
    nowhere = tmp_path / "none" / "map.png"
    assert run("--heatmap", nowhere, "--bundle", bundle_path, scan_path).exit_code == 40
    over = run("--heatmap", scan_path, "--bundle", bundle_path, scan_path)
    assert over.exit_code == 40
    assert "overwrite" in over.stderr


def piped(data: bytes, *arguments: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_infer", *map(str, arguments)]
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, input=data, capture_output=True, timeout=60, check=False, **options
    )


def test_an_image_from_standard_input_gets_the_answer_of_its_file(
    trusting_path: Path, scan_path: Path
) -> None:
    data = scan_path.read_bytes()
    from_pipe = piped(data, "--json", "--bundle", trusting_path, "-")
    assert (from_pipe.returncode, from_pipe.stderr) == (0, b"")
    one, other = (
        json.loads(result.stdout)
        for result in (from_pipe, in_shell("--json", "--bundle", trusting_path, scan_path))
    )
    assert one["source"] == "<stdin>"
    for field in ("source_sha256", "label", "probabilities", "logits", "warnings"):
        assert one[field] == other[field]
    text = piped(data, "-", "--bundle", trusting_path)
    assert text.stdout.startswith(b"<stdin>: ")
    table = piped(data, "--csv", "-", "--bundle", trusting_path)
    assert table.stdout.splitlines()[1].startswith(b"<stdin>,ok,")
    with scan_path.open("rb") as file:
        redirected = in_shell("-", "--bundle", trusting_path, stdin=file)
    assert redirected.stdout.encode() == text.stdout


def test_a_heatmap_of_standard_input_is_that_of_its_file(
    bundle_path: Path, scan_path: Path, tmp_path: Path
) -> None:
    one, other, maps = tmp_path / "one.png", tmp_path / "other.png", tmp_path / "maps"
    data = scan_path.read_bytes()
    assert piped(data, "-", "--heatmap", one, "--bundle", bundle_path).returncode == 0
    assert run(scan_path, "--heatmap", other, "--bundle", bundle_path).exit_code == 0
    assert one.read_bytes() == other.read_bytes()
    both = piped(data, scan_path, "-", "--heatmap", maps, "--bundle", bundle_path)
    assert both.returncode == 0
    assert sorted(path.name for path in maps.iterdir()) == ["scan.heatmap.png", "stdin.heatmap.png"]


@pytest.mark.parametrize(
    ("data", "status", "said"),
    [
        (b"", 22, "<stdin>: file is empty (0 bytes)\n  hint: pipe an image into it"),
        (b"no image", 22, "<stdin>: content is not an image"),
        (b"GIF89a" + bytes(50), 23, "<stdin>: format is GIF"),
        (bytes(64 * 2**20 + 1), 24, "<stdin>: file is larger than 64 MiB"),
    ],
    ids=["empty", "text", "gif", "too large"],
)
def test_a_bad_standard_input_ends_as_a_bad_file_does(
    bundle_path: Path, data: bytes, status: int, said: str
) -> None:
    result = piped(data, "--json", "--bundle", bundle_path, "-")
    assert result.returncode == status
    assert said in result.stderr.decode()
    line = json.loads(result.stdout)
    assert (line["source"], line["error"]["exit_code"]) == ("<stdin>", status)


def test_a_closed_standard_input_is_unreadable(bundle_path: Path) -> None:
    command = [sys.executable, "-m", "edge_infer", "--json", "--bundle", str(bundle_path), "-"]
    result = subprocess.run(
        ["sh", "-c", 'exec "$@" <&-', "sh", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 20
    assert "standard input is closed" in result.stderr
    assert json.loads(result.stdout)["error"]["code"] == "unreadable"


def test_a_terminal_is_asked_for_a_pipe_and_not_waited_for(bundle_path: Path) -> None:
    pty = pytest.importorskip("pty", reason="only Unix has such terminals")
    ours, theirs = pty.openpty()
    try:
        result = in_shell("-", "--bundle", bundle_path, stdin=theirs)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (result.returncode, result.stdout) == (2, "")
    assert "brain-infer - < scan.png" in result.stderr


def test_standard_input_is_given_once_and_beside_files(
    trusting_path: Path, scan_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = scan_path.read_bytes()
    assert piped(data, "-", "-", "--bundle", trusting_path).returncode == 2
    both = piped(data, "--json", scan_path, "-", "--bundle", trusting_path)
    assert both.returncode == 0
    sources = [json.loads(line)["source"] for line in both.stdout.splitlines()]
    assert sources == [str(scan_path), "<stdin>"]
    monkeypatch.chdir(tmp_path)
    scan(8).save(io_file := io.BytesIO(), "PNG")
    Path("-").write_bytes(io_file.getvalue())
    named = piped(data, "--json", "./-", "-", "--bundle", trusting_path)
    lines = [json.loads(line) for line in named.stdout.splitlines()]
    assert [line["source"] for line in lines] == ["-", "<stdin>"]
    assert lines[0]["source_sha256"] == hashlib.sha256(io_file.getvalue()).hexdigest()
    Path("-").unlink()
    Path("-").mkdir()  # a folder of that name changes nothing
    alone = piped(data, "-", "--bundle", trusting_path)
    assert (alone.returncode, alone.stderr) == (0, b"")


def test_version_and_help_need_no_bundle() -> None:
    assert run("--version").stdout == f"brain-infer, version {__version__}\n"
    text = run("--help").stdout
    assert RESEARCH_USE_ONLY in text
    assert "Example:\n    brain-infer scan.jpg\n" in text


def test_debug_shows_the_traceback(bundle_path: Path, tmp_path: Path) -> None:
    result = run("--debug", "--bundle", bundle_path, tmp_path / "none.png")
    assert result.exit_code == 20
    assert "Traceback" in result.stderr


def test_names_that_are_no_utf8_are_exact_in_json_and_escaped_elsewhere(
    bundle_path: Path, tmp_path: Path
) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    scan().save(io_file := io.BytesIO(), "PNG")
    Path(os.fsdecode(raw)).write_bytes(io_file.getvalue())
    for form in ([], ["--csv"], ["--json"]):
        command = [sys.executable, "-m", "edge_infer", *form, "--bundle", str(bundle_path), raw]
        finished = subprocess.run(command, capture_output=True, timeout=60, check=False)
        assert finished.returncode == 0, finished.stderr
        text = finished.stdout.decode("utf-8")
        if form == ["--json"]:
            assert os.fsencode(json.loads(text)["source"]) == raw
        else:
            assert r"/\udcff\udcfe.png" in text


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-16"])
def test_a_csv_is_utf8_whatever_the_locale(
    trusting_path: Path, tmp_path: Path, encoding: str
) -> None:
    name = "\N{LATIN SMALL LETTER U WITH DIAERESIS}\N{CJK UNIFIED IDEOGRAPH-8111}.png"
    scan().save(tmp_path / name)
    result = in_shell(
        *("--csv", "--bundle", trusting_path, tmp_path / name),
        env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "1"},
        encoding="utf-8",
    )
    assert (result.returncode, result.stderr) == (0, "")
    (row,) = csv.DictReader(io.StringIO(result.stdout))
    assert row["source"] == str(tmp_path / name)


def test_a_name_that_the_terminal_cannot_show_does_not_end_the_run(
    trusting_path: Path, tmp_path: Path
) -> None:
    path = tmp_path / "\N{CJK UNIFIED IDEOGRAPH-8111}.png"
    scan().save(path)
    for form in ([], ["--json"]):
        result = in_shell(
            *(*form, "--bundle", trusting_path, path),
            env={**os.environ, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "1"},
        )
        assert (result.returncode, result.stderr) == (0, "")
        assert r"\u8111.png" in result.stdout


def test_a_closed_pipe_is_no_error_of_ours(trusting_path: Path, folder: Path) -> None:
    (folder / "bad.JPG").unlink()
    command = [sys.executable, "-m", "edge_infer", "--json", "--bundle", str(trusting_path)]
    with subprocess.Popen(
        [*command, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
        assert process.wait(60) == 141
    assert errors == ""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_run_with_their_status(
    bundle_path: Path, tmp_path: Path, number: signal.Signals, status: int
) -> None:
    inputs = [str(tmp_path / "scan.png")] * 20_000
    scan().save(inputs[0])
    command = [sys.executable, "-m", "edge_infer", "--json", "--bundle", str(bundle_path)]
    with subprocess.Popen(
        [*command, *inputs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a shell has SIGINT ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]  # it has begun to answer
        process.send_signal(number)
        out, errors = process.communicate(timeout=60)
        lines += out.splitlines()
    assert process.returncode == status
    assert "Traceback" not in errors
    assert len(lines) < len(inputs)


def test_what_a_library_prints_to_stdout_goes_to_stderr(bundle_path: Path, scan_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from edge_infer import session\n"
        "opened = session._open\n"
        "def noisy(*a):\n"
        "    print('noise of python')\n"
        "    os.write(1, b'noise of a native library\\n')\n"
        "    return opened(*a)\n"
        "session._open = noisy\n"
        "from edge_infer.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code, "--json", "--bundle", str(bundle_path), str(scan_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert json.loads(finished.stdout)["status"] == "ok"
    assert "noise of python" in finished.stderr
    assert "noise of a native library" in finished.stderr


def test_an_empty_name_is_not_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scan.png").write_bytes(b"not asked for")
    for words in ([""], ["scan.png", "--bundle", ""], ["scan.png", "--heatmap", ""]):
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert "the name is empty" in result.output
