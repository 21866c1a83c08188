"""A program that opens a model, makes processes in one of the usual ways, and says how they ended.

    python forking_program.py '{"stack": "ours", "way": "os.fork", ...}'

It prints a list: the exit status of each child (a signal is negative; 9 is another answer than the parent's), then
whether the parent still answers as before. ``reliability.runtime.forks`` says which values there are.
"""

import contextlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import numpy as np

_OTHER_ANSWER = 9
_PIXELS = np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) // 13
_LONGEST_S = 90.0

#: What a child of this process asks; a global, as in a server that is loaded before it forks.
ask: Any = None
expected: Any = None


class Ours:
    """A classifier; it can be sent to other processes."""

    def __init__(self, bundle: str, threads: int) -> None:
        from edge_infer.classifier import Classifier

        self._classifier = Classifier.load(bundle, num_threads=threads)

    def __call__(self) -> list[float]:
        return list(self._classifier.predict(_PIXELS.astype(np.uint8)).logits.values())


class Unguarded(Ours):
    """The same without what protects forks: the check of the process, and the reference that keeps old sessions."""

    def __init__(self, bundle: str, threads: int) -> None:
        from edge_infer import classifier, session

        super().__init__(bundle, threads)
        session._live_sessions = ()  # type: ignore[assignment]
        classifier.Classifier.session = property(lambda one: one._session)  # type: ignore[method-assign,assignment]


class Plain:
    """onnxruntime's session. It cannot be sent, so another process opens its own."""

    def __init__(self, bundle: str, threads: int) -> None:
        import onnxruntime

        self._made_of = bundle, threads
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(Path(bundle) / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
        self._shape = [1, *self._session.get_inputs()[0].shape[1:]]

    def __call__(self) -> list[float]:
        pixel_values = np.resize(_PIXELS / np.float32(255), self._shape).astype(np.float32)
        return [
            float(one)
            for one in self._session.run(["logits"], {"pixel_values": pixel_values})[0][0]
        ]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of


STACKS = {"ours": Ours, "unguarded": Unguarded, "plain": Plain}


def inside(what: str, asked: Any = None, answer: Any = None) -> None:
    """Be the child: do ``what``, then end as Python ends, unless the caller ends otherwise."""
    global ask
    if asked is not None:  # in a spawned process there is nothing of the parent's
        ask = asked
    given = expected if answer is None else answer
    asked = None
    if what in ("predict", "predict and delete"):
        _same(ask(), given)
    if what == "predict in threads":
        threads = [threading.Thread(target=lambda: _same(ask(), given)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    if what == "grandchild":
        _same(ask(), given)
        grandchild = os.fork()
        if grandchild == 0:
            _same(ask(), given)
            sys.exit(0)
        status = _waited(grandchild)
        if status:
            os._exit(_OTHER_ANSWER)
    if what in ("delete", "predict and delete"):
        ask = None


def _same(answer: Any, given: Any) -> None:
    if answer != given:
        os._exit(_OTHER_ANSWER)


def in_pool(what: str, asked: Any, answer: Any) -> str:
    """Do it in a worker of a pool; a forked one has the parent's global."""
    inside(what, asked, answer)
    return "done"


def by_os_fork(what: str) -> list[int]:
    """As ``os.fork`` does; the child ends as a program ends."""
    child = os.fork()
    if child == 0:
        inside(what)
        sys.exit(0)
    return [_waited(child)]


def by_multiprocessing(method: str) -> Callable[[str], list[int]]:
    """A process of multiprocessing; a forked one uses what it inherits, others are sent the model."""

    def run(what: str) -> list[int]:
        sent = (None, None) if method == "fork" else (ask, expected)
        context: Any = multiprocessing.get_context(method)
        process = context.Process(target=inside, args=(what, *sent))
        process.start()
        process.join(_LONGEST_S)
        if process.exitcode is None:
            process.kill()
            process.join()
            return [-signal.SIGALRM]  # hung
        return [process.exitcode]

    return run


def by_executor(what: str) -> list[int]:
    """Two workers of a ``ProcessPoolExecutor``, as it comes."""
    pool = ProcessPoolExecutor(2)
    asked = [
        pool.submit(in_pool, "predict" if what == "grandchild" else what, None, None)
        for _ in range(2)
    ]
    workers = list((pool._processes or {}).values())
    with contextlib.suppress(BrokenProcessPool):
        for one in asked:
            one.result(_LONGEST_S)
    pool.shutdown()
    return [worker.exitcode or 0 for worker in workers]


def by_preload(what: str) -> list[int]:
    """As gunicorn with ``--preload``: workers are forked from a loaded master, one is killed and replaced, all stop."""

    def worker() -> int:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            inside("predict" if what == "delete" else what)
            os.write(told, b"r")
            while True:
                time.sleep(10)
        return child

    tells, told = os.pipe()
    workers = [worker(), worker()]
    if not _bytes(tells, 2):
        return [_ended(child) for child in workers]
    os.kill(workers[0], signal.SIGKILL)
    os.waitpid(workers[0], 0)
    workers[0] = worker()
    if not _bytes(tells, 1):
        return [_ended(child) for child in workers]
    for child in workers:
        os.kill(child, signal.SIGTERM)
    return [_waited(child) for child in workers]


def _bytes(tells: int, count: int) -> bool:
    """Wait until so many workers are ready; false if one of them is not in time, or dead."""
    os.set_blocking(tells, False)
    end = time.monotonic() + _LONGEST_S
    while count and time.monotonic() < end:
        with contextlib.suppress(BlockingIOError):
            count -= len(os.read(tells, count))
        if count and os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        time.sleep(0.005)
    return count == 0


def _ended(child: int) -> int:
    """Return how a child ended, or that it was ready and is ended now."""
    time.sleep(0.1)
    gone, status = os.waitpid(child, os.WNOHANG)
    if gone:
        return os.waitstatus_to_exitcode(status)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return 0


def _waited(child: int) -> int:
    end = time.monotonic() + _LONGEST_S
    while time.monotonic() < end:
        gone, status = os.waitpid(child, os.WNOHANG)
        if gone:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return -signal.SIGALRM  # hung


@contextlib.contextmanager
def meanwhile(busy: bool) -> Iterator[None]:
    """Let another thread ask all the time, if the processes are to be made in the middle of an answer."""
    if not busy:
        yield
        return
    stop = threading.Event()
    own = ask  # a child that lets go of its own does not take this thread's away, which it has not

    def work() -> None:
        while not stop.is_set():
            own()
            time.sleep(0.02)  # or it starves those that open a session on a busy machine

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    time.sleep(0.05)
    try:
        yield
    finally:
        stop.set()
        thread.join(_LONGEST_S) if thread.is_alive() else None


WAYS: dict[str, Callable[[str], list[int]]] = {
    "os.fork": by_os_fork,
    "fork": by_multiprocessing("fork"),
    "spawn": by_multiprocessing("spawn"),
    "forkserver": by_multiprocessing("forkserver"),
    "executor": by_executor,
    "preload": by_preload,
}


def main() -> None:
    global ask, expected
    spec = json.loads(sys.argv[1])
    ask = STACKS[spec["stack"]](spec["bundle"], spec["threads"])
    # What is expected comes from a classifier of its own where the fork is to find one that was never asked.
    fresh = spec["before"] == "loaded"
    expected = (STACKS[spec["stack"]](spec["bundle"], spec["threads"]) if fresh else ask)()
    with meanwhile(spec["before"] == "predicting"):
        children = WAYS[spec["way"]](spec["inside"])
    sys.stdout.write(json.dumps([children, bool(ask() == expected)]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
