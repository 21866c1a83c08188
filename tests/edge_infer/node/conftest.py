"""Nodes with a stub for their classifier."""

import gc
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from node_runs import Destination, Node


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node that is not started; it ends with the test."""
    made = Node(tmp_path)
    yield made
    made.end()


@pytest.fixture
def pacs(node: Node) -> Iterator[Destination]:
    """The destination of ``node``, not started."""
    destination = Destination(node.destination_port)
    yield destination
    destination.stop()


@pytest.fixture(autouse=True, scope="module")
def _sockets() -> Iterator[None]:
    """Collect the sockets that pynetdicom leaves where an association was not established."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()
