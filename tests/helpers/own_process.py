"""Run a function in a process of its own, so that a crash inside torch is one failed test and not the end of pytest."""

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.context import ForkServerContext

__all__ = ["ending_of", "preloaded"]


def preloaded(*modules: str) -> ForkServerContext:
    """Prepare a server that has imported the modules, so that its children start at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    return context


def ending_of(context: ForkServerContext, target: Callable[..., None], *arguments: object) -> str:
    """Run ``target`` and say how its process ended: well, with an error (then on stderr), or by a signal."""
    process = context.Process(target=target, args=arguments)
    process.start()
    process.join(300)
    if process.exitcode is None:
        process.kill()
        process.join()
        return "not within 300 s"
    if process.exitcode < 0:
        return f"killed by {signal.Signals(-process.exitcode).name}"
    return "well" if process.exitcode == 0 else "with an error"
