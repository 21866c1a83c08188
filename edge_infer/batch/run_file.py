"""run.json: what a run was asked for, so that the same command goes on with it and another one is refused."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from edge_infer.atomic import write_bytes_atomically
from edge_infer.batch.partition_files import Format
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object

__all__ = ["RUN_FILE", "Request", "RunFile", "read_run", "write_run"]

RUN_FILE = "run.json"

_SCHEMA_VERSION = 1

#: How what a request holds is called in messages.
_SPOKEN = {
    "inputs": "inputs",
    "lists": "--list",
    "manifest_sha256": "bundle",
    "versions": "versions of the packages",
    "scope": "--scope",
    "despite": "--despite",
    "timeout_s": "--timeout",
    "formats": "--format",
    "embeddings": "--embeddings",
    "partition_size": "--partition-size",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """All that decides the rows of a run. Not in it: where the bundle lies, and on how many processes it runs.

    Attributes:
        inputs: As given, paths made absolute: workers have other working folders.
        lists: Files that list inputs, likewise.
        manifest_sha256: Of the bundle.
        versions: Of the packages that an answer depends on, by name.
        scope: As for ``Classifier.load``.
        despite: Refusals of scans to overrule, sorted.
        timeout_s: As for ``Classifier.load``.
        formats: Of the rows, sorted.
        embeddings: Whether rows hold them.
        partition_size: Files a partition.
    """

    inputs: tuple[str, ...]
    lists: tuple[str, ...]
    manifest_sha256: str
    versions: Mapping[str, str]
    scope: Literal["enforce", "report", "off"]
    despite: tuple[str, ...]
    timeout_s: float | None
    formats: tuple[Format, ...]
    embeddings: bool
    partition_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """What run.json holds.

    Attributes:
        run_id: Of request and plan; the same again for the same inputs, bundle and options.
        request: What was asked for.
        model: Of the bundle.
        precision: Likewise.
        labels: Likewise.
        units: How many the plan has.
        partitions: Likewise.
        left_out: What was met and is no unit, in words.
    """

    run_id: str
    request: Request
    model: str
    precision: str
    labels: tuple[str, ...]
    units: int
    partitions: int
    left_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        fixed = {"schema_version": _SCHEMA_VERSION, "research_use_only": RESEARCH_USE_ONLY}
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))  # lists for tuples
        return fixed | plain

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Read what ``as_json`` gave.

        Raises:
            ValueError: It is something else, or of another schema version.
        """
        if fields.get("schema_version") != _SCHEMA_VERSION:
            raise ValueError(f"has schema version {fields.get('schema_version')!r}")
        try:
            own = {name: _tuples(fields[name]) for name in cls.__dataclass_fields__}
            asked = {name: _tuples(own["request"][name]) for name in Request.__dataclass_fields__}
        except (KeyError, TypeError) as error:
            raise ValueError(f"lacks {error}") from error
        return cls(**(own | {"request": Request(**asked)}))

    def refuse_other(self, request: Request, output: Path) -> None:
        """Refuse to go on with another request.

        Raises:
            CannotWrite: The request differs from this run's.
        """
        before, now = asdict(self.request), asdict(request)
        changed = [_SPOKEN[name] for name in before if before[name] != now[name]]
        if changed:
            raise CannotWrite(
                f"{shown_name(output)} was started with other settings: {', '.join(changed)}",
                hint="give the same again to go on with it, or another --output",
            )


def read_run(output: Path) -> RunFile | None:
    """Return what a run was asked for; None if none has begun here.

    Raises:
        CannotWrite: run.json cannot be read, or is not of this version.
    """
    path = output / RUN_FILE
    try:
        return RunFile.from_json(parse_object(path.read_bytes()))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise _unreadable(path, str(error)) from error


def write_run(output: Path, run: RunFile) -> None:
    """Write run.json, the last part of a plan.

    Raises:
        CannotWrite: It cannot be written.
    """
    text = json.dumps(run.as_json(), indent=2, sort_keys=True) + "\n"
    write_bytes_atomically(output / RUN_FILE, text.encode())


def _tuples(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _unreadable(path: Path, reason: str) -> CannotWrite:
    return CannotWrite(
        f"{shown_name(path)}: cannot be read ({reason})", hint="name another --output"
    )
