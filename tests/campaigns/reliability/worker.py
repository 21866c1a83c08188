"""Runs trials in a process of its own, whose death costs no more than the trial it died of."""

import functools
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from reliability.campaign import Broken, Seen
from reliability.catalogue import campaign

__all__ = ["run_trials"]


def run_trials(name: str, subject: str, numbers: list[int]) -> dict[str, Any]:
    """Run trials and return their counts: ``tries``, ``kinds``, ``failures``, ``figures``, ``slowest_s``."""
    chosen = campaign(name)
    attacked = chosen.subjects[subject]
    prepared = _prepared(name, subject)
    kinds: Counter[str] = Counter()
    failures: list[dict[str, Any]] = []
    figures: dict[str, float] = {}
    tries, slowest = 0, 0.0
    for number in numbers:
        began = time.monotonic()
        seen = Seen(kind="failed")
        try:
            with tempfile.TemporaryDirectory(
                prefix=f"{name}-", ignore_cleanup_errors=True
            ) as folder:
                found = attacked.trial(prepared, number, Path(folder))
            seen = found if isinstance(found, Seen) else Seen(kind=found)
        except Broken as broken:
            failures.append({"trial": number, "why": str(broken)})
        except (ImportError, NameError):
            raise  # a campaign that cannot run looks like a control that fails
        except Exception as error:  # whatever comes out unnamed is what campaigns look for
            failures.append({"trial": number, "why": f"{type(error).__name__}: {error}"[:300]})
        took = time.monotonic() - began
        if took > chosen.limit_s:
            failures.append(
                {"trial": number, "why": f"took {took:.1f} s, limit {chosen.limit_s} s"}
            )
        slowest = max(slowest, took)
        tries += seen.tries
        kinds[seen.kind] += seen.tries
        for figure, value in seen.figures.items():
            figures[figure] = max(value, figures.get(figure, value))
    return {
        "tries": tries,
        "kinds": dict(kinds),
        "failures": failures,
        "figures": figures,
        "slowest_s": slowest,
    }


@functools.cache
def _prepared(name: str, subject: str) -> Any:
    folder = tempfile.TemporaryDirectory(prefix=f"{name}-{subject}-", ignore_cleanup_errors=True)
    _FOLDERS.append(folder)  # kept until the process ends
    return campaign(name).subjects[subject].prepare(Path(folder.name))


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
