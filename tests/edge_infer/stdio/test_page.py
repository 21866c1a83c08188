"""docs/stdio.md: its conversation is what a worker says, its codes and limits are those of the code."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from stdio_worker import Event, HostedWorker

from edge_infer.errors import HostOutOfStep
from edge_infer.stdio import protocol

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/stdio.md").read_text(encoding="utf-8")
REST = "…"


def conversation() -> tuple[list[str], list[Event]]:
    block = PAGE.partition("```text\n")[2].partition("```")[0].splitlines()
    said = [line[2:] for line in block if line.startswith("> ")]
    return said, [json.loads(line[2:]) for line in block if line.startswith("< ")]


def fits(found: Any, shown: Any) -> bool:
    """Whether a value is what the page shows, where … stands for what is left out."""
    if shown == REST:
        return True
    if not isinstance(shown, dict):
        return bool(found == shown)
    named = shown.keys() - {REST}
    is_whole = REST in shown or found.keys() == named
    return is_whole and all(name in found and fits(found[name], shown[name]) for name in named)


def by_id(events: list[Event]) -> dict[Any, list[Event]]:
    groups = defaultdict(list)
    for event in events:
        groups[event.get("id")].append(event)
    return groups


def replayed(said: list[str]) -> list[Event]:
    with HostedWorker() as worker:
        for line in said:
            content = re.fullmatch(r"\[the (\d+) bytes of (\S+)\]", line)
            if content is None:
                worker.write(line.encode() + b"\n")
                continue
            data = (ROOT / content[2]).read_bytes()
            assert len(data) == int(content[1])
            worker.write(data)
        events, status = worker.close()
    assert status == 0
    return events


def test_the_conversation_is_what_a_worker_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    said, shown = conversation()
    expected = by_id(shown)
    for _ in range(
        3
    ):  # on a busy machine, request 4 may be answered before its cancellation is read
        found = by_id(replayed(said))
        if found[4][-1]["event"] == "error":
            break
    assert found.keys() == expected.keys()
    for identity, events in expected.items():
        assert len(found[identity]) == len(events)
        assert all(map(fits, found[identity], events)), (found[identity], events)


def test_what_the_page_leaves_out_is_all_that_may_differ() -> None:
    assert fits({"a": 1, "b": 2}, {"a": 1, REST: REST})
    assert not fits({"a": 1, "b": 2}, {"a": 1})
    assert not fits({"a": 1, "b": 2}, {"a": 2, REST: REST})
    assert not fits({"b": 2}, {"a": REST, REST: REST})


def test_every_code_and_status_is_on_the_page() -> None:
    source = "".join(path.read_text() for path in (ROOT / "edge_infer/stdio").glob("*.py"))
    raised = re.findall(r'(?:RequestRefused|OutOfStep)\(\s*"(\w+)"', source)
    ends = re.findall(r'job\.end = (?:job\.end or )?"(\w+)"', source)
    codes = {*raised, *ends, *re.findall(r'"(unknown_method|bad_request|internal)"', source)}
    rows = set(
        re.findall(r"^\| `(\w+)` \| (?!.*Fields)", PAGE.partition("| `code` of")[2], re.MULTILINE)
    )
    assert codes == rows
    assert f"| {HostOutOfStep.exit_code} | `length_lost`, `cut_short` or `version`" in PAGE


def test_the_limits_are_those_of_the_page() -> None:
    assert (protocol.MAX_LINE_BYTES, protocol.MAX_CONTENT_BYTES) == (2**20, 512 * 2**20)
    assert protocol.MAX_REQUESTS == 64
    assert "of at most 1 MiB" in PAGE
    assert "`busy` | 64 requests, or content of 512 MiB together" in PAGE
