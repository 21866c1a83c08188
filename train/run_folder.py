"""A run's folder, with the request in run.json, so that a resumed run is the same run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name

__all__ = ["CHECKPOINT", "claim_run_folder", "newest_run"]

#: The finished checkpoint inside a run's folder.
CHECKPOINT = "checkpoint"

_REQUEST = "run.json"


def claim_run_folder(
    run: Path,
    request: dict[str, Any],
    *,
    resume: bool,
    defaults: Mapping[str, Any] | None = None,
    former_names: Mapping[str, str] | None = None,
) -> None:
    """Create the folder of a new run, or check that an existing one is of the same run.

    Args:
        run: The folder.
        request: Everything that decides the result: model, recipe, data hash, teacher, weights.
        resume: Whether to continue an existing run.
        defaults: Values of keys that an older version did not write yet.
        former_names: What recipes that an older version wrote by name are called now.

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
        return
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(
            f"{shown_name(run)}: cannot be created ({error.strerror})", hint="name another --output"
        ) from error
    write_bytes_atomically(path, (json.dumps(request, indent=2, sort_keys=True) + "\n").encode())


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
