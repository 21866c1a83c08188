"""``brain-doctor audit``: is this audit log whole?"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import Command, NamedPath, results_stream, say
from edge_infer.errors import BundleIntegrity
from edge_infer.names import counted, shown_name

if TYPE_CHECKING:
    from edge_infer.audit.verifying import Examined, KeptHead

__all__ = ["audit"]

_HEAD = re.compile(r"(?:(\d{1,15}):)?([0-9a-fA-F]{64})")

_HELP = """Check that audit logs are whole.

Nothing may be changed, taken out, put in, or put in another order.

FILE is the file that is written to; what was rotated, FILE.000001 and so on, is checked with it. Or
name files of one log, the oldest first.

What was cut off at the end shows only beside a head that was kept elsewhere: keep what --print-head
prints, and give it back with --head (docs/audit.md).

\b
Example:
  brain-doctor audit audit.jsonl
  brain-doctor audit audit.jsonl --print-head
  brain-doctor audit audit.jsonl --head 1234:5f1c...
  brain-doctor audit audit.jsonl --rotate

\b
Exit status:
  0 whole, 2 usage, 20 unreadable, 31 not whole, 32 of another version,
  40-41 --rotate failed
"""


class _Head(click.ParamType[Any]):
    name = "head"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> "KeptHead":
        """Read ``SHA256`` or ``COUNT:SHA256``."""
        from edge_infer.audit.verifying import KeptHead

        match = _HEAD.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None:
            self.fail(f"{value!r} is not SHA256 or COUNT:SHA256", param, ctx)
        count = None if match[1] is None else int(match[1])
        return KeptHead(sha256=match[2].lower(), count=count)


@click.command("audit", cls=Command, help=_HELP)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=NamedPath(path_type=Path, readable=False),
)
@click.option(
    "--head",
    "heads",
    metavar="[COUNT:]SHA256",
    multiple=True,
    type=_Head(),
    help="Head that was kept elsewhere, which must be in the log. May be repeated.",
)
@click.option(
    "--print-head",
    is_flag=True,
    help="Print COUNT:SHA256 of the last record and nothing else, to be kept elsewhere.",
)
@click.option(
    "--rotate",
    is_flag=True,
    help="If the log is whole, begin a new file, which continues it; the old one gets its number.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def audit(
    files: tuple[Path, ...],
    heads: "tuple[KeptHead, ...]",
    print_head: bool,
    rotate: bool,
    as_json: bool,
) -> None:
    """Check audit logs."""
    if print_head and as_json:
        raise click.UsageError("--print-head and --json exclude each other")
    if rotate and len(files) > 1:
        raise click.UsageError("--rotate takes the one file that is written to")
    with results_stream(must_be_open=True) as results:
        from edge_infer.audit.rotated import files_of
        from edge_infer.audit.verifying import examine

        chain = list(dict.fromkeys(one for file in files for one in files_of(file)))
        found = examine(chain, heads)
        if as_json:
            results.write(json.dumps(_json(found), indent=2) + "\n")
        elif not print_head:
            results.write(_text(found))
        elif found.broken is None and found.link is not None:
            results.write(f"{_head(found)}\n")
        results.flush()
    if found.broken is not None:
        broken = found.broken
        raise BundleIntegrity(
            f"{shown_name(broken.file)}: line {broken.line}: {broken.why}",
            hint="keep all files of the log as they are, and find out who changed it",
        )
    if rotate:
        from edge_infer.audit.log import AuditLog

        say(f"now {shown_name(AuditLog(files[0], program='brain-doctor').rotate())}")


def _head(found: "Examined") -> str:
    return "" if found.link is None else f"{found.link.seq + 1}:{found.link.head}"


def _text(found: "Examined") -> str:
    lines = [
        f"file     {shown_name(file)}, {counted(records, 'record')}"
        for file, records in found.files.items()
    ]
    if found.records:
        lines.append(f"written  {found.first_time} to {found.last_time}")
        lines += [
            f"{'records' if number == 0 else '':<8} {count:>7} {shown_name(outcome)}"
            for number, (outcome, count) in enumerate(sorted(found.outcomes.items()))
        ]
    if found.starts_after is not None:
        lines.append(
            f"note     begins with record {found.first_seq}, behind {found.starts_after}: older files were not given"
        )
    if found.torn_bytes:
        lines.append(
            f"note     the last record is not written to its end ({counted(found.torn_bytes, 'byte')}): "
            "a program was ended, or writes it just now"
        )
    if found.broken is not None:
        lines.append("NOT WHOLE.")
    else:
        lines += [f"head     {_head(found) or 'none'}", "Whole."]
    return "\n".join([*lines, ""])


def _json(found: "Examined") -> dict[str, Any]:
    broken = found.broken
    return {
        "status": "whole" if broken is None else "broken",
        "files": [{"file": str(file), "records": records} for file, records in found.files.items()],
        "records": found.records,
        "first_seq": found.first_seq,
        "starts_after": found.starts_after,
        "first_time": found.first_time,
        "last_time": found.last_time,
        "outcomes": dict(sorted(found.outcomes.items())),
        "torn_bytes": found.torn_bytes,
        "count": 0 if found.link is None else found.link.seq + 1,
        "head": None if found.link is None else found.link.head,
        "broken": None
        if broken is None
        else {"file": str(broken.file), "line": broken.line, "why": broken.why},
    }
