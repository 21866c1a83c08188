"""``brain-serve`` whose answers are as slow, long or faulty as the body of the request says, in JSON.

Keys: ``lines``, ``seconds`` before each, ``size`` of each, ``deaf`` (it does not look whether it is cancelled),
``fails`` (after the lines). It writes ``cancelled`` into the file that the environment names when it sees that it is.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge_infer.answer_lines import AnswerLines, Cancelled
from edge_infer.serve_cli import main
from edge_infer.service import state

__all__ = ["SEEN"]

#: The variable of the environment.
SEEN = "SLOW_SERVICE_SEEN"


class _SlowLines(AnswerLines):
    def of_content(
        self,
        content: bytes,
        *,
        progress: Callable[[int, int], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        **_options: Any,
    ) -> Iterator[dict[str, Any]]:
        try:
            told = json.loads(content)
        except ValueError:
            yield from super().of_content(content)
            return
        for number in range(told.get("lines", 1)):
            self._wait(told, is_cancelled)
            if progress is not None:
                progress(number + 1, told.get("lines", 1))
            yield {"status": "skipped", "number": number, "filler": "x" * told.get("size", 0)}
        if told.get("fails"):
            raise ZeroDivisionError("CANARY of a header")

    def _wait(self, told: dict[str, Any], is_cancelled: Callable[[], bool] | None) -> None:
        ends = time.monotonic() + told.get("seconds", 0)
        while time.monotonic() < ends:
            time.sleep(0.01)
            if is_cancelled is not None and is_cancelled() and not told.get("deaf"):
                with Path(os.environ[SEEN]).open("a", encoding="utf-8") as seen:
                    seen.write("cancelled\n")
                raise Cancelled


if __name__ == "__main__":
    state.AnswerLines = _SlowLines  # type: ignore[misc]
    main()
