"""The tools that make a kit lie in a folder that is no package."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / ".ci" / "supply"))
