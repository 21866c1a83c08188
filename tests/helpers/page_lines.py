"""Lines as the page gets them, without a view, for classes that no project has."""

from typing import Any

from edge_infer.contract import RESEARCH_USE_ONLY

__all__ = ["answer", "refused", "series_of_four"]

_SHARED = {
    "model": {"name": "m", "precision": "fp32", "manifest_sha256": "0" * 64},
    "runtime": {"provider": "CPUExecutionProvider", "num_threads": 1, "versions": {}},
    "research_use_only": RESEARCH_USE_ONLY,
}
_UIDS = dict.fromkeys(("study_instance_uid", "series_instance_uid", "sop_instance_uid"), "1.2")


def answer(probabilities: dict[str, float], **changes: Any) -> dict[str, Any]:
    """The line of an image; accepted unless the changes say otherwise."""
    label = max(probabilities, key=probabilities.__getitem__)
    return {
        "status": "ok",
        "source": "x",
        "decision": "accept",
        "reasons": [],
        "prediction_set": [label],
        "scope": None,
        "source_sha256": "0" * 64,
        "label": label,
        "score": probabilities[label],
        "logits": {},
        "probabilities": probabilities,
        "timings_ms": {"read": 1, "preprocess": 1, "inference": 1},
        "warnings": [],
        **_SHARED,
        **changes,
    }


def refused(message: str, **changes: Any) -> dict[str, Any]:
    """The line of an image that cannot be read."""
    error = {"code": "corrupt", "exit_code": 22, "message": message, "hint": ""}
    return {"status": "error", "source": "x", "error": error, **_SHARED, **changes}


def series_of_four() -> list[dict[str, Any]]:
    """A series with an end slice, an accepted slice, one that abstains, and one that failed; and its own line."""
    place = {"first": 2, "last": 3, "first_mm": 0.0, "last_mm": 5.0}
    abstains = {"decision": "abstain", "reasons": ["ambiguous"]}
    counts = {"total": 4, "classified": 2, "accepted": 1, "abstained": 1}
    return [
        {"status": "skipped", "source": "x", "scan": _scan(1, "end_slice", -5.0), **_SHARED},
        answer({"none": 0.1, "crab": 0.9}, scan=_scan(2, "classified", 0.0)),
        answer({"none": 0.6, "crab": 0.4}, scan=_scan(3, "classified", 5.0), **abstains),
        refused("cannot be read", scan=_scan(4, "failed", None)),
        {
            "kind": "series",
            "number": 1,
            "source": "x",
            "plane": "axial",
            "sequence": {"name": "t1", "reasons": [], "contrast": "unknown"},
            "finding": "tumour_evidence",
            "reasons": [],
            "label": "crab",
            "score": 0.65,
            "scored": place,
            "rule": "a rule",
            "slices": {**counts, "end_slices": 1, "failed": 1},
            "labels": {"crab": 1},
            "runs": [{"label": "crab", "slices": 2, "length_mm": 5.0, **place}],
            "warnings": [],
            **_UIDS,
            **_SHARED,
        },
    ]


def _scan(number: int, state: str, place: float | None) -> dict[str, Any]:
    return {
        "series": 1,
        "number": number,
        "plane": "axial",
        "position_mm": place,
        "state": state,
        "warnings": [],
        **_UIDS,
    }
