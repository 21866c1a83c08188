"""A run's folder, with the request in run.json, so that a resumed run is the same run."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import BrainError, CannotWrite
from edge_infer.names import shown_name

__all__ = ["CHECKPOINT", "Claim", "claim_run_folder", "newest_run"]

#: The finished checkpoint inside a run's folder.
CHECKPOINT = "checkpoint"

_REQUEST = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What claiming a run's folder made.

    Attributes:
        request: The request that was written; None if it was there.
        folders: Those that were created, the innermost first.
    """

    request: Path | None = None
    folders: tuple[Path, ...] = ()

    @contextmanager
    def released_if_refused(self) -> Iterator[None]:
        """Remove what the claim made if a start is refused inside, so that the next try may have the same folder.

        What was there before stays, and so does what others have put there meanwhile. A run that is interrupted keeps
        its folder: it can be resumed.
        """
        try:
            yield
        except BrainError:
            self._release()
            raise

    def _release(self) -> None:
        if self.request is not None:
            with suppress(OSError):  # the refusal is what is reported
                self.request.unlink()
        for folder in self.folders:
            with suppress(OSError):  # it holds what others have put there
                folder.rmdir()


def claim_run_folder(
    run: Path,
    request: dict[str, Any],
    *,
    resume: bool,
    defaults: Mapping[str, Any] | None = None,
    former_names: Mapping[str, str] | None = None,
) -> Claim:
    """Create the folder of a new run, or check that an existing one is of the same run.

    Args:
        run: The folder.
        request: Everything that decides the result: model, recipe, data hash, teacher, weights.
        resume: Whether to continue an existing run.
        defaults: Values of keys that an older version did not write yet.
        former_names: What recipes that an older version wrote by name are called now.

    Returns:
        What it made, to be released if the start is refused.

    Raises:
        CannotWrite: The folder holds another run, or the same one without ``resume``.
    """
    path = run / _REQUEST
    request = _as_json(request)
    if _is_file(path):
        if not resume:
            raise CannotWrite(
                f"{run} holds a run already",
                hint="pass --resume to continue it, or another --output",
            )
        before = _filled(json.loads(path.read_text(encoding="utf-8")), _as_json(defaults or {}))
        recipe = before.get("recipe")
        if isinstance(recipe, dict) and recipe.get("name") in (former_names or {}):
            recipe["name"] = (former_names or {})[recipe["name"]]
        if before != request:
            changed = sorted(key for key in before | request if before.get(key) != request.get(key))
            raise CannotWrite(
                f"{run} was started with other settings: {', '.join(changed)}",
                hint="pass another --output",
            )
        return Claim()
    absent = tuple(folder for folder in (run, *run.parents) if not _is_there(folder))
    with Claim(folders=absent).released_if_refused():
        try:
            run.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CannotWrite(
                f"{shown_name(run)}: cannot be created ({error.strerror})",
                hint="name another --output",
            ) from error
        content = json.dumps(request, indent=2, sort_keys=True) + "\n"
        write_bytes_atomically(path, content.encode())
    return Claim(request=path, folders=absent)


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # forbidden or too long
        return True


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # forbidden or too long: creating the folder reports it
        return False


def newest_run(runs: Path, model: str) -> Path | None:
    """Return the checkpoint of the newest finished run of a model below a folder, or None."""
    finished: list[Path] = []
    for path in runs.glob(f"*/{_REQUEST}"):
        checkpoint = path.parent / CHECKPOINT
        if (
            json.loads(path.read_text(encoding="utf-8")).get("model") == model
            and checkpoint.is_dir()
        ):
            finished.append(checkpoint)
    return max(finished, key=lambda folder: folder.stat().st_mtime, default=None)


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn tuples into lists, as reading the file back does."""
    converted: dict[str, Any] = json.loads(json.dumps(values))
    return converted


def _filled(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """Add the keys that are missing, in nested tables too."""
    filled = {**defaults, **values}
    for key, default in defaults.items():
        if isinstance(default, dict) and isinstance(filled[key], dict):
            filled[key] = _filled(filled[key], default)
    return filled
