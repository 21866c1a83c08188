"""``python -m benchmarks.worker CONFIG``: serve one engine over stdin and stdout until stdin ends.

CONFIG is JSON: ``adapter`` and what it needs. If it holds ``once``, the path of an image, the first answer is printed
and the process ends: that measures a cold start.
"""

import json
import os
import sys
import time
from typing import TextIO

from benchmarks.worker.commands import Commands
from benchmarks.worker.memory import peak_memory_bytes

__all__ = ["main"]


def main() -> None:
    """Run the worker."""
    config = json.loads(sys.argv[1])
    with _private_stdout() as results:
        if "once" in config:
            _cold_start(config, results)
            return
        commands = Commands(config)
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "quit":
                return
            try:
                reply = commands(request)
            except Exception as error:  # engines raise errors of any class; the parent reports them
                lines = str(error).splitlines() or [""]
                reply = {"error": f"{type(error).__name__}: {lines[0][:300]}"}
            _say(results, reply)


def _cold_start(config: dict[str, str], results: TextIO) -> None:
    commands = Commands(config)
    started = time.perf_counter()
    commands({"do": "load"})
    answer = commands.adapter.answer(config["once"])
    _say(
        results,
        {
            "answer": json.loads(answer),
            "seconds": time.perf_counter() - started,
            "peak_memory_bytes": peak_memory_bytes(),
        },
    )
    results.flush()
    os._exit(0)  # at once: the time torch needs to shut down is not part of a cold start


def _private_stdout() -> TextIO:
    """Keep stdout for replies: what native libraries print to it goes to stderr."""
    private = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(private, "w", encoding="utf-8")


def _say(results: TextIO, reply: dict[str, object]) -> None:
    results.write(json.dumps(reply) + "\n")
    results.flush()


if __name__ == "__main__":
    main()
