"""R26: what may not stand in the code that runs on a workstation.

A trial looks at one file. The control looks at the same file with one forbidden thing planted, at a place that the
number chooses, and must find it.
"""

import ast
import random
from collections.abc import Iterator
from pathlib import Path

from reliability.campaign import Broken, Campaign, Subject

__all__ = ["CAMPAIGN", "violations"]

_EDGE = Path(__file__).resolve().parents[4] / "edge_infer"

#: Modules that load code from data, or bring what the edge must not need.
_NEVER = {
    *(
        "pickle",
        "cPickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "joblib",
        "marshal",
        "shelve",
        "code",
        "pty",
    ),
    *(
        "torch",
        "torchvision",
        "transformers",
        "onnx",
        "scipy",
        "sklearn",
        "pandas",
        "matplotlib",
        "timm",
    ),
    *(
        "requests",
        "httpx",
        "aiohttp",
        "urllib3",
        "smtplib",
        "ftplib",
        "telnetlib",
        "xmlrpc",
        "webbrowser",
    ),
    *("urllib.request", "http.client", "multiprocessing.managers"),
}

#: Where a few things are allowed, and why.
_ALLOWED = {
    "socket": {
        "node/sending.py",  # the node sends results to the archive that its configuration names
        "node/socket_guard.py",
        "node/tls.py",
        "serve_cli.py",  # the service listens where it was told to
        "service/listening.py",
        "service/server.py",
        "service/connection.py",
    },
    "ctypes": {
        "node/worker.py",  # ends with its parent
        "exchange.py",  # two folders change places in one call of the system
        "devices/cuda.py",  # is the driver there?
        "quiet_pillow.py",  # what libtiff would print
        "returned_memory.py",  # a setting of the C library
        "session.py",  # keeps a parent's session alive in a forked child
    },
    "subprocess": {
        "batch/alone.py",  # answers an image that has ended a process before
        "node/worker_process.py",  # reads files that may kill the process
        "comparison/cost.py",  # measures each bundle in a process of its own
    },
}
_CALLS = {"eval", "exec", "compile", "__import__"}
_ATTRIBUTES = {
    ("os", "system"),
    ("os", "popen"),
    ("os", "execv"),
    ("os", "execvp"),
    ("os", "spawnv"),
    ("numpy", "load"),
    ("np", "load"),
}

#: One for each kind of violation; the control plants them.
_PLANTED = (
    "import pickle",
    "from pickle import loads",
    "import torch",
    "import requests",
    "from urllib import request",
    "import urllib.request as fetch",
    "import http.client",
    "import socket as s",
    "import subprocess",
    "import ctypes",
    "eval('1')",
    "exec('pass')",
    "__import__('pickle')",
    "import os; os.system('true')",
    "import os; os.popen('true')",
    "import numpy as np; np.load('x', allow_pickle=True)",
    "f = open; f('x', shell=True)",
)


def violations(source: str, name: str) -> Iterator[str]:
    """Yield what a file holds that it may not.

    Args:
        source: Python.
        name: Of the file within ``edge_infer``, with slashes.
    """
    for node in ast.walk(ast.parse(source)):
        for module in _imported(node):
            parents = {module, module.partition(".")[0]}
            if parents & _NEVER:
                yield f"line {node.lineno}: imports {module}"
            for rare, places in _ALLOWED.items():
                if rare in parents and name not in places:
                    yield f"line {node.lineno}: imports {module}"
        if isinstance(node, ast.Call):
            yield from _called(node)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _called(node: ast.Call) -> Iterator[str]:
    called = node.func
    if isinstance(called, ast.Name) and called.id in _CALLS:
        yield f"line {node.lineno}: calls {called.id}"
    is_dotted = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name)
    if is_dotted and (called.value.id, called.attr) in _ATTRIBUTES:
        yield f"line {node.lineno}: calls {called.value.id}.{called.attr}"
    for keyword in node.keywords:
        is_off = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        if keyword.arg in {"shell", "allow_pickle"} and not is_off:
            yield f"line {node.lineno}: passes {keyword.arg}"


def _files() -> list[Path]:
    return sorted(_EDGE.rglob("*.py"))


def _clean(files: list[Path], number: int, folder: Path) -> str:
    del folder
    path = files[number % len(files)]
    name = path.relative_to(_EDGE).as_posix()
    found = list(violations(path.read_text("utf-8"), name))
    if found:
        raise Broken(f"{name}: {'; '.join(found)}")
    return "clean"


def _planted(files: list[Path], number: int, folder: Path) -> str:
    """Break the promise on purpose: what the gate then overlooks is counted as held, and shows as too few failures."""
    del folder
    draw = random.Random(number)  # noqa: S311  # no secrets, but the same plant everywhere
    path = files[number % len(files)]
    lines = path.read_text("utf-8").splitlines()
    planted = draw.choice(_PLANTED)
    ends = [node.end_lineno for node in ast.parse("\n".join(lines)).body]
    lines.insert(draw.choice(ends), planted)
    found = list(violations("\n".join(lines), path.relative_to(_EDGE).as_posix()))
    if found:
        raise Broken(f"{planted}: found")
    rare = {"socket", "subprocess", "ctypes"}
    name = path.relative_to(_EDGE).as_posix()
    for word in rare:
        if word in planted and name in _ALLOWED[word]:
            raise Broken(f"{planted}: allowed in {name}")
    return f"overlooked: {planted}"


_COUNT = len(_files())

CAMPAIGN = Campaign(
    id="R26",
    title="Static gates",
    promise="What runs on a workstation unpickles nothing, evaluates nothing, starts no shell, and opens sockets and "
    "processes only in the few files that are for that.",
    attack="reads one file of `edge_infer`",
    unit="files",
    subjects={
        "ours": Subject(trial=_clean, prepare=lambda _folder: _files(), what="every file as it is"),
        "control": Subject(
            trial=_planted,
            prepare=lambda _folder: _files(),
            what="every file with one of 17 forbidden lines planted; all must be found",
        ),
    },
    ci={"ours": _COUNT, "control": _COUNT},
    full={"ours": _COUNT, "control": 10 * _COUNT},
    limit_s=5,
    chunk=200,
    control_share=1.0,
)
