"""Write a result: NAME.json, NAME.html, NAME.png and NAME.svg in one folder."""

import json
from pathlib import Path
from typing import Any

from benchmarks.comparison import Result
from benchmarks.page import render_page
from benchmarks.plot import plot_trade_off
from benchmarks.run import SCHEMA_VERSION
from edge_infer.atomic import write_bytes_atomically
from edge_infer.errors import UnreadableInput

__all__ = ["read_result", "write_report", "write_result"]


def write_result(result: Result, path: Path) -> None:
    """Write the JSON in one step."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes_atomically(path, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())


def write_report(result: Result, folder: Path, stem: str) -> Path:
    """Write the plot and the page; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    plots = plot_trade_off(result, folder / stem)
    page = folder / f"{stem}.html"
    write_bytes_atomically(page, render_page(result, plots[0] if plots else None).encode())
    return page


def read_result(path: Path) -> dict[str, Any]:
    """Read a result.

    Raises:
        UnreadableInput: It is not a result, or of another schema version.
    """
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableInput(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableInput(f"{path}: is not JSON ({error})") from error
    if not isinstance(result, dict) or result.get("schema_version") != SCHEMA_VERSION:
        raise UnreadableInput(
            f"{path}: is not a result of brain-bench, schema version {SCHEMA_VERSION}",
            hint="pass a JSON that brain-bench run wrote",
        )
    return result
