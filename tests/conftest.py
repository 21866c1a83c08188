"""The folder of real scans, for whichever test asks for it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_scans() -> Path:
    """The folder of the real scans; tests that need them skip where they are not."""
    folder = Path(os.environ.get("BRAIN_EDGE_DATA", ROOT / ".." / "shared" / "data"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real scans: set BRAIN_EDGE_DATA (no manifest.csv in {folder.name!r})")
    return folder
