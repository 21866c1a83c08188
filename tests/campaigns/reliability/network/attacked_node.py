"""``brain-node`` as R21 attacks it, a program that ends with its parent: ``attacked_node.py CONFIG``."""

import ctypes
import os
import signal
import sys
from pathlib import Path

from edge_infer.node.config import read_config
from edge_infer.node.log import log_to_stderr
from edge_infer.node.service import ANSWERING, NodeService

__all__ = ["run"]

_PR_SET_PDEATHSIG = 1


def run(answering: str) -> None:
    """Run a node whose worker answers with a module."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))  # for the worker
    log_to_stderr()
    service = NodeService(read_config(Path(sys.argv[1])), answering=answering)
    signal.signal(signal.SIGTERM, lambda _number, _frame: service.stop())
    service.run()


if __name__ == "__main__":
    run(ANSWERING)
