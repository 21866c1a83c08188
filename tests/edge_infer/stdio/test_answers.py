"""A worker's answers are those of brain-infer --json, whatever names, pipes and libraries do."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from small_schema import faults
from stdio_worker import HostedWorker, lines_of

from edge_infer.cli import main
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.version import __version__

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))


def printed(*words: object) -> list[dict[str, Any]]:
    output = CliRunner().invoke(main, ["--json", "--threads", "1", *map(str, words)]).stdout
    return [without_times(json.loads(line)) for line in output.splitlines()]


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "timings_ms"}


def test_the_first_line_says_what_the_worker_is(bundle: Path) -> None:
    with HostedWorker("--bundle", bundle) as worker:
        ready = worker.event()

        assert (ready["event"], ready["protocol"]) == ("ready", "brain-edge-stdio")
        assert (ready["versions"], ready["pid"]) == ([1], worker.process.pid)
        assert ready["bundle"]["runtime"]["versions"]["brain-edge"] == __version__
        assert ready["research_use_only"] == RESEARCH_USE_ONLY
        assert worker.close() == ([], 0)


def test_answers_by_path_and_by_content_are_those_of_the_command(
    worker: HostedWorker, bundle: Path, series: Path, image: bytes, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "a.png", tmp_path / "cut.png"
    whole.write_bytes(image)
    cut.write_bytes(image[:200])
    inputs = [str(one) for one in (whole, cut, tmp_path / "missing.png", series)]
    expected = printed("--bundle", bundle, *inputs)

    worker.send({"id": 1, "method": "classify", "paths": inputs})
    by_path = worker.answers(1)
    worker.send({"id": 2, "method": "classify", "name": inputs[0]}, image)
    worker.send({"id": 3, "method": "classify", "name": inputs[1]}, image[:200])
    by_content = [*worker.answers(2), *worker.answers(3)]

    assert [without_times(line) for line in by_path] == expected
    assert [without_times(line) for line in by_content] == expected[:2]
    assert [line.get("status") for line in expected[:3]] == ["ok", "error", "error"]
    assert expected[-1]["kind"] == "series"


def test_the_shipped_model_answers_the_examples_bit_by_bit_as_the_command() -> None:
    expected = printed(*EXAMPLES)
    with HostedWorker() as worker:
        worker.event()
        found = []
        for number, path in enumerate(EXAMPLES):
            worker.send({"id": number, "method": "classify", "name": str(path)}, path.read_bytes())
            found += worker.answers(number)
    assert len(expected) == 4
    assert [json.dumps(without_times(line)) for line in found] == list(map(json.dumps, expected))


def test_a_view_is_sent_to_who_asks(worker: HostedWorker, image: bytes) -> None:
    worker.send({"id": 1, "method": "classify", "view": True}, image)
    worker.send({"id": 2, "method": "classify", "view": None}, image)

    (seen,), (unseen,) = worker.answers(1), worker.answers(2)

    assert seen.pop("view")["evidence"]["shape"][0] == len(seen["probabilities"])
    assert without_times(seen) == without_times(unseen)


def test_a_request_may_have_its_own_time_limit(worker: HostedWorker, image: bytes) -> None:
    worker.send({"id": 1, "method": "classify", "timeout_s": 1e-6}, image)
    worker.send({"id": 2, "method": "classify", "timeout_s": 1000}, image)
    worker.send({"id": 3, "method": "classify"}, image)

    assert [worker.answers(one)[0].get("error", {}).get("code") for one in (1, 2, 3)] == [
        "timed_out",
        None,
        None,
    ]


def test_the_time_limit_of_the_command_line_is_the_usual_one(bundle: Path, image: bytes) -> None:
    with HostedWorker("--bundle", bundle, "--timeout", "0.000001") as worker:
        worker.event()
        worker.send({"id": 1, "method": "classify"}, image)
        worker.send({"id": 2, "method": "classify", "timeout_s": 1000}, image)
        assert [worker.answers(one)[0]["status"] for one in (1, 2)] == ["error", "ok"]


NAMES = ["Łódź.png", "脳.png", "Kovač.png", os.fsdecode(b"Gr\xf6sse.png")]


def test_what_is_left_out_of_a_folder_is_told(
    worker: HostedWorker, image: bytes, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(image)
    (tmp_path / "notes.txt").write_text("words")
    worker.send({"id": 1, "method": "classify", "path": str(tmp_path)})
    *_, done = worker.until(1)
    assert done == {
        "event": "done",
        "id": 1,
        "lines": 1,
        "left_out": "1 without an image's ending (notes.txt)",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8 need Linux")
@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii", "utf-8"])
def test_names_of_any_letters_pass_pipes_of_any_encoding(
    encoding: str, bundle: Path, image: bytes, tmp_path: Path
) -> None:
    paths = [tmp_path / name for name in NAMES]
    for path in paths:
        path.write_bytes(image)
    with HostedWorker("--bundle", bundle, environment={"PYTHONIOENCODING": encoding}) as worker:
        worker.event()
        worker.send({"id": "Łódź", "method": "classify", "paths": list(map(str, paths))})
        raw = json.dumps({"id": 2, "method": "classify", "path": str(paths[0])}, ensure_ascii=False)
        worker.write(raw.encode() + b"\n")
        lines = [*worker.answers("Łódź"), *worker.answers(2)]
    assert [line["status"] for line in lines] == ["ok"] * 5
    assert [line["source"] for line in lines] == [*map(str, paths), str(paths[0])]


@pytest.mark.parametrize("path", ["\ud800", "a\0b", "x" * 5000, "-", "~", "missing"])
def test_a_name_that_no_file_can_have_is_an_error_of_that_image(
    worker: HostedWorker, path: str
) -> None:
    worker.send({"id": 1, "method": "classify", "path": path})
    (line,) = worker.answers(1)
    schema = json.loads((ROOT / "docs/result.schema.json").read_text())
    assert line["error"]["code"] == "unreadable"
    assert not faults(line, schema, schema)


NOISY = """
import os, sys
from edge_infer import answer_lines
from edge_infer.cli import main
real = answer_lines.open_named
def open_named(content, name):
    os.write(1, b"a decoder prints Muster^Max"); os.write(2, b"a decoder warns of Muster^Max")
    print("Python, too, Muster^Max"); print("Muster^Max", file=sys.stderr); sys.stdout.flush()
    assert sys.stdin.read() == ""
    return real(content, name)
answer_lines.open_named = open_named
main()
"""


def test_what_libraries_print_reaches_neither_the_host_nor_a_log(
    bundle: Path, image: bytes
) -> None:
    with HostedWorker("--bundle", bundle, program=("-c", NOISY)) as worker:
        worker.event()
        worker.send({"id": 1, "method": "classify"}, image)
        assert [line["status"] for line in lines_of(worker.until(1))] == ["ok"]
        assert worker.close() == ([], 0)
        assert worker.ended() == (0, b"")


BROKEN = """
from edge_infer import answer_lines
from edge_infer.cli import main
def open_named(content, name):
    raise KeyError("Muster^Max")
answer_lines.open_named = open_named
main()
"""


def test_a_bug_ends_its_request_and_tells_where_and_not_what(bundle: Path, image: bytes) -> None:
    with HostedWorker("--bundle", bundle, program=("-c", BROKEN)) as worker:
        worker.event()
        worker.send({"id": 1, "method": "classify"}, image)
        worker.send({"id": 2, "method": "ping"})
        events = [*worker.until(1), *worker.close()[0]]
        (error,) = [one["error"] for one in events if one["event"] == "error"]
        assert (error["code"], error["message"]) == ("internal", "KeyError in <string>:5")
        assert worker.ended() == (0, b"")


def test_a_bundle_that_fails_is_one_line_and_the_status_of_the_command(tmp_path: Path) -> None:
    with HostedWorker("--bundle", tmp_path) as worker:
        events, status = worker.close()
    (event,) = events
    assert (event["event"], event["id"], event["exit_status"]) == ("error", None, 30)
    assert (event["error"]["code"], status) == ("bundle_incomplete", 30)


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["x.png"], "INPUT..."),
        (["--json"], "--json"),
        (["--csv"], "--csv"),
        (["--fail-on-abstain"], "--fail-on-abstain"),
        (["--codes", "sct"], "--codes"),
    ],
)
def test_what_a_worker_does_not_use_is_refused(words: list[str], named: str) -> None:
    result = CliRunner().invoke(main, ["--serve-stdio", *words])
    assert result.exit_code == 2
    assert f"--serve-stdio goes without '{named}'" in result.stderr
