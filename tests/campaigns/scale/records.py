"""What the campaigns of scale-out write, and where they ran."""

import json
import os
import platform
import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_infer.atomic import write_bytes_atomically

__all__ = ["TOP", "circumstances", "read_json", "write_json"]

_NUMBERS = re.compile(r"\[\s+((?:[-+.\deE]+,?\s+)+)\]")

TOP = Path(__file__).resolve().parents[3]


def write_json(path: Path, value: Any) -> None:
    """Write it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=1)
    # Numbers that belong together stand on one line.
    text = _NUMBERS.sub(lambda found: f"[{', '.join(found[1].split())}]".replace(",,", ","), text)
    write_bytes_atomically(path, f"{text}\n".encode())


def read_json(path: Path, default: Any) -> Any:
    """Read what ``write_json`` wrote; the default where there is nothing yet."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else default


def circumstances() -> dict[str, Any]:
    """Return when and where this runs, by which command, and how busy the machine is."""
    script = Path(sys.argv[0]).resolve().relative_to(TOP).as_posix()
    command = shlex.join(["python", script, *map(_shown, sys.argv[1:])])
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 1),
        "command": command,
    }


def _shown(word: str) -> str:
    """Return a word of the command line without folders of this machine."""
    return "FOLDER" if word.startswith(("/", "..")) else word


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor()
    fields = dict(
        map(str.strip, line.split(":", 1)) for line in path.read_text().splitlines() if ":" in line
    )
    flags = fields.get("flags", "")
    # Fourth generation and later of AMD's server processors: AVX-512 with VNNI and BF16.
    zen4 = ", Zen 4" if "AMD EPYC" in fields["model name"] and "avx512_bf16" in flags else ""
    vnni = "with" if "vnni" in flags else "without"
    return f"{fields['model name']}{zen4}, {vnni} VNNI"
