"""The known figures of the two student reports that the project began with."""

import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from train.metrics.figures import wilson_interval

__all__ = ["first_report_figures"]


def first_report_figures() -> list[dict[str, Any]]:
    """Return for each system ``report``, ``system``, ``here``, ``data``, ``split``, ``accuracy`` and ``macro_f1``.

    The interval of an accuracy is Wilson's, computed from the stated accuracy and n; a figure that is not stated is
    None.
    """
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return [_entry(stated) for stated in tomllib.loads(text)["figures"]]


def _entry(stated: dict[str, Any]) -> dict[str, Any]:
    described = {key: stated[key] for key in ("report", "system", "here", "data", "split")}
    if "accuracy_percent" not in stated:
        return {**described, "accuracy": None, "macro_f1": None}
    n = stated["n"]
    accuracy = wilson_interval(round(stated["accuracy_percent"] / 100 * n), n)
    # A macro F1 has no interval without the answers themselves.
    unknown = {"low": None, "high": None, "interval": "not stated"}
    macro_f1 = {"value": stated["macro_f1_percent"] / 100, "n": n, **unknown}
    return {**described, "accuracy": asdict(accuracy), "macro_f1": macro_f1}
