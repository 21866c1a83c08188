"""``task.json`` of mercure-style modules: only our settings are taken from it. Its ``info`` names the patient."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge_infer.errors import DataRefused
from edge_infer.image_file import read_file
from edge_infer.node.config import Model
from edge_infer.node.fields import read_table

__all__ = ["TASK_FILE", "read_task_settings"]

TASK_FILE = "task.json"

_MAX_BYTES = 16 * 2**20

#: What a module of ours is called in a chain of several.
_OURS = "brain"


def read_task_settings(folder: Path) -> Model:
    """Read ``process.settings`` of the task in a folder, as ``[model]`` of a node; by default the defaults.

    Raises:
        DataRefused: The task is no JSON, or a setting is unknown or not allowed.
        UnreadableInput: The file cannot be read.
    """
    file = folder / TASK_FILE
    if not file.exists():
        return Model()
    try:
        task = json.loads(read_file(file, limit=_MAX_BYTES))
    except (ValueError, RecursionError):  # their text may quote the file
        raise DataRefused(f"{TASK_FILE}: is no JSON") from None
    settings = _settings_of(task)
    return read_table(Model, settings, file=file, name="process.settings")


def _settings_of(task: Any) -> Mapping[str, Any]:
    process = task.get("process") if isinstance(task, Mapping) else None
    steps: list[Any] = process if isinstance(process, list) else [process]
    steps = [step for step in steps if isinstance(step, Mapping) and step]
    if len(steps) > 1:
        steps = [step for step in steps if _OURS in str(step.get("module_name", "")).lower()]
        if len(steps) != 1:
            raise DataRefused(
                f"{TASK_FILE}: process lists several modules, and {len(steps)} of them are called {_OURS}",
                hint=f"give the module a name with {_OURS} in it",
            )
    settings = steps[0].get("settings") if steps else None
    # mercure writes settings that nobody set as null or as an empty text.
    return settings if isinstance(settings, Mapping) else {}
