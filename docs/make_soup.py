"""Write docs/soup.md, the list of foreign software (SOUP), from the lock and from what is known of each package.

    python docs/make_soup.py

Raises if a package of the lock is not described in .ci/supply/soup.toml, or the other way round.
"""

import re
import tomllib
from pathlib import Path

from edge_infer.atomic import write_bytes_atomically
from train.metrics.text import markdown

__all__ = ["PAGE", "render"]

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "soup.md"
_SUPPLY = DOCS.parent / ".ci" / "supply"

_HEADER = """# Foreign software

<!-- Written by docs/make_soup.py; do not edit. -->

Every package that an install of the edge can bring, as IEC 62304 asks of "software of unknown provenance" (5.3.3,
5.3.4, 7.1.2, 7.1.3, 8.1.2): which version, what for, what its failure could do, how that is checked, and where its
known faults are listed. Versions are those of `.ci/supply/edge.lock`, which also pins a hash for each system; a
newer one gets in by writing the lock again. What runs on the machine that trains and exports is not listed here.
R1 to R27 are the campaigns of [reliability.md](reliability.md). This project is for research and is not a medical
device; the list helps those who have to make their own.

Required of all: Python 3.11 or newer, 64 bits; no package runs code when it is installed
([supply-chain.md](supply-chain.md)).
"""


def render() -> str:
    """Render the page.

    Raises:
        ValueError: A package is in one of the two files alone.
    """
    locked = re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==(\S+)(?: ; (.+?))? \\$",
        (_SUPPLY / "edge.lock").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    known = tomllib.loads((_SUPPLY / "soup.toml").read_text(encoding="utf-8"))
    lonely = {name for name, _, _ in locked} ^ known.keys()
    if lonely:
        raise ValueError(f"in edge.lock or in soup.toml alone: {', '.join(sorted(lonely))}")
    rows = [
        [
            "Package",
            "Version",
            "What for",
            "Risk, and what is done about it",
            "Checked by",
            "Known faults",
        ]
    ]
    for name, version, condition in locked:
        each = known[name]
        shown = f"{version} ({condition})" if condition else version
        faults = f"[list]({each['anomalies']})"
        rows.append([name, shown, each["why"], each["risk"], each["verified"], faults])
    return "\n".join([_HEADER, *markdown(rows)]).rstrip() + "\n"


if __name__ == "__main__":
    write_bytes_atomically(PAGE, render().encode())
