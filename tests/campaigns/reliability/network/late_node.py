"""A planted fault: a node whose worker now and then answers with the study that it was asked about before."""

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2]))  # started as a program

from edge_infer.node.answering import Answer, load_classifier
from edge_infer.node.answering import answer_study as _answer_study

__all__ = ["answer_study", "load_classifier"]

_BEFORE: list[Path] = []


def answer_study(classifier: Any, images: Sequence[Path], out: Path, **options: Any) -> Answer:
    """Answer every second time for the images of the time before."""
    kept = Path(tempfile.mkdtemp(prefix="late-node-"))
    _BEFORE.append(kept)
    for path in images:
        shutil.copy(path, kept)
    asked = _BEFORE.pop(0) if len(_BEFORE) > 1 else kept
    answer = _answer_study(classifier, sorted(asked.iterdir()), out, **options)
    for former in _BEFORE[:-1]:
        shutil.rmtree(former)
    return answer


if __name__ == "__main__":
    from reliability.network.attacked_node import run

    run("reliability.network.late_node")
