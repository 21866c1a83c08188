"""The process of a unit that may have ended another one; see ``edge_infer.batch.alone``.

    python -m edge_infer.batch.alone_process

reads one JSON line from standard input, says in one when it is ready and in one what the unit gave, and ends as soon as
its watcher does.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from edge_infer.batch.answering import answer_units
from edge_infer.batch.loading import BundleSource, load_for
from edge_infer.batch.run_file import RunFile
from edge_infer.batch.told_errors import as_words
from edge_infer.batch.units import Unit
from edge_infer.errors import BrainError
from edge_infer.private_streams import private_streams
from edge_infer.returned_memory import return_freed_memory

__all__ = ["main"]


def main() -> int:
    """Answer one unit."""
    return_freed_memory()
    with private_streams() as (source, target):
        asked = json.loads(_line(source))
        threading.Thread(target=_end_with_watcher, args=(source,), daemon=True).start()
        with open(target, "wb", buffering=0, closefd=False) as answers:
            for line in _answers(asked):
                answers.write(json.dumps(line, allow_nan=False).encode() + b"\n")
    return 0


def _answers(asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield that the classifier is ready, then the rows of the unit; or an error that is none of the unit."""
    run = RunFile.from_json(asked["run"])
    try:
        classifier = load_for(run.request, BundleSource.from_json(asked["source"]))
        yield {"is_ready": True}
        units = [(int(asked["number"]), Unit.from_json(asked["unit"]))]
        for _, rows in answer_units(
            classifier,
            units,
            on_start=lambda _: None,
            embeddings=run.request.embeddings,
            despite=run.request.despite,
            timeout_s=run.request.timeout_s,
        ):
            yield {"rows": rows}
    except BrainError as error:
        yield {"error": as_words(error)}


def _line(source: int) -> bytes:
    """Read a line, and not a byte more."""
    line = bytearray()
    while not line.endswith(b"\n"):
        piece = os.read(source, 1)
        if not piece:
            break
        line += piece
    return bytes(line)


def _end_with_watcher(source: int) -> None:
    while os.read(source, 4096):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
