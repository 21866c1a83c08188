"""Audit logs with drawn records, and ways to tamper with them."""

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edge_infer.audit.file import AuditFile
from edge_infer.audit.rotated import files_of

__all__ = [
    "ATTACKS",
    "Lines",
    "answers_and_records",
    "drawn_log",
    "lines_of",
    "rechained",
    "written",
]

#: The lines of each file of a log, the oldest file first.
Lines = list[list[bytes]]

_WRITER = Path(__file__).parent / "audit_writer.py"


def drawn_entry(draw: random.Random) -> dict[str, Any]:
    """A record like that of an answer."""
    probability = draw.random()
    return {
        "kind": "image",
        "input_sha256": draw.randbytes(32).hex(),
        "decision": draw.choice(["accept", "abstain"]),
        "reasons": [],
        "label": draw.choice(["glioma", "meningioma", "no_tumor", "pituitary"]),
        "score": probability,
        "probabilities": {"glioma": probability, "no_tumor": 1 - probability},
        "program": "drawn",
        "bundle_sha256": "0" * 64,
    }


def drawn_log(path: Path, seed: int, *, records: int = 10, files: int = 3) -> Path:
    """Write a log of several files, each of so many records."""
    draw = random.Random(seed)  # noqa: S311 -- no secrets
    log = AuditFile(path, program="drawn")
    for number in range(files):
        log.append([drawn_entry(draw) for _ in range(records)])
        if number < files - 1:
            log.rotate()
    return path


def lines_of(path: Path) -> Lines:
    """The lines of all files, with their line ends."""
    return [file.read_bytes().splitlines(keepends=True) for file in files_of(path)]


def written(lines: Lines, path: Path) -> Path:
    """Write lines as the files of a log."""
    for number, content in enumerate(lines[:-1], 1):
        path.with_name(f"{path.name}.{number:06d}").write_bytes(b"".join(content))
    path.write_bytes(b"".join(lines[-1]))
    return path


def rechained(lines: Lines) -> Lines:
    """All lines with their numbers and digests made right again."""
    before: bytes | None = None
    seq = 0
    made: Lines = []
    for file in lines:
        made.append([])
        for line in file:
            record = json.loads(line)
            if "prev" in record:
                record["prev"] = None if before is None else hashlib.sha256(before).hexdigest()
            record["seq"] = seq
            before = json.dumps(record, separators=(",", ":")).encode() + b"\n"
            seq += 1
            made[-1].append(before)
    return made


def _any(lines: Lines, draw: random.Random) -> tuple[list[bytes], int]:
    file = draw.choice([one for one in lines if one])
    return file, draw.randrange(len(file))


def _flip_a_bit(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    file, place = _any(lines, draw)
    line = bytearray(file[place])
    line[draw.randrange(len(line))] ^= 1 << draw.randrange(8)
    file[place] = bytes(line)
    return lines


def _change_a_value(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    answers = [(file, n) for file in lines for n, line in enumerate(file) if b'"label"' in line]
    file, place = draw.choice(answers)
    record = json.loads(file[place])
    name, value = draw.choice(
        [("label", "other"), ("score", 0.5), ("time", "2001-01-01T00:00:00.000Z")]
    )
    file[place] = json.dumps({**record, name: value}, separators=(",", ":")).encode() + b"\n"
    return lines


def _delete_lines(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    file, place = _any(lines, draw)
    del file[place : place + draw.choice([1, 1, 2, 5])]
    return lines


def _duplicate_a_line(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    file, place = _any(lines, draw)
    target, where = _any(lines, draw)
    target.insert(where + draw.randrange(2), file[place])
    return lines


def _swap_lines(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    (a, m), (b, n) = _any(lines, draw), _any(lines, draw)
    a[m], b[n] = b[n], a[m]
    return lines


def _insert_a_line(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    file, place = _any(lines, draw)
    number = lines.index(file)
    file.insert(place, other[number][min(place, len(other[number]) - 1)])
    return lines


def _forge_a_line(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    """A line that continues the one before it; what follows does not continue it."""
    file, place = _any(lines, draw)
    place = min(place, len(file) - 2)
    before, record = file[place], json.loads(other[-1][-1])
    record["seq"] = json.loads(before)["seq"] + 1
    if "prev" in record:
        record["prev"] = hashlib.sha256(before).hexdigest()
    forged = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    if draw.randrange(2):
        file[place + 1] = forged
    else:
        file.insert(place + 1, forged)
    return lines


def _cut_the_end(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    file = lines[-1]
    del file[draw.randrange(1, len(file)) :]
    if draw.randrange(2):
        file[-1] = file[-1][: draw.randrange(1, len(file[-1]))]
    return lines


def _splice(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    number = draw.randrange(len(lines))
    place = draw.randrange(1, len(lines[number]))
    return [*lines[:number], lines[number][:place] + other[number][place:], *other[number + 1 :]]


def _change_and_rechain(lines: Lines, other: Lines, draw: random.Random) -> Lines:
    attack = draw.choice([_change_a_value, _delete_an_answer, _splice])
    return rechained(attack(lines, other, draw))


def _delete_an_answer(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    file = draw.choice(lines)
    del file[draw.randrange(1, len(file))]
    return lines


def _swap_files(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    a, b = draw.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    return lines


def _take_a_file_out(lines: Lines, _other: Lines, draw: random.Random) -> Lines:
    lines.pop(draw.randrange(1, len(lines)))
    return lines


def _take_anothers_log(_lines: Lines, other: Lines, _draw: random.Random) -> Lines:
    return other


Attack = Callable[[Lines, Lines, random.Random], Lines]

#: By name: each gets the lines, those of another log of as many records, and draws.
ATTACKS: dict[str, Attack] = {
    "bit flipped": _flip_a_bit,
    "value changed": _change_a_value,
    "lines deleted": _delete_lines,
    "line duplicated": _duplicate_a_line,
    "lines swapped": _swap_lines,
    "line of another log put in": _insert_a_line,
    "line forged": _forge_a_line,
    "end cut off": _cut_the_end,
    "spliced with another log": _splice,
    "changed and chained anew": _change_and_rechain,
    "files swapped": _swap_files,
    "file taken out": _take_a_file_out,
    "another log in its place": _take_anothers_log,
}


def answers_and_records(
    path: Path, seeds: Sequence[int], seconds: float
) -> tuple[set[str], list[str]]:
    """Run writers on one file, kill them, and return the answers that they gave and those that the log holds then.

    Args:
        path: Of the log.
        seeds: One for each writer.
        seconds: How long they write after the first answer.
    """
    writers = [
        subprocess.Popen(
            [sys.executable, str(_WRITER), str(path), str(seed)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in seeds
    ]
    answers: set[str] = set()
    for writer in writers:
        assert writer.stdout
        answers.add(writer.stdout.readline().strip())
    time.sleep(seconds)
    for writer in writers:
        writer.kill()
    for writer in writers:
        assert writer.stdout
        assert writer.stderr
        rest, errors = writer.stdout.read(), writer.stderr.read()
        writer.wait()
        writer.stdout.close()
        writer.stderr.close()
        assert not errors, errors
        # The line that a kill cut off was not given out.
        answers |= set(rest[: rest.rfind("\n") + 1].split())
    AuditFile(path, program="writer")  # mends what was left
    records = [json.loads(line) for file in lines_of(path) for line in file]
    return answers - {""}, [record["error"] for record in records if record["kind"] == "run"]
