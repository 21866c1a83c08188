"""A browser and a server for the tests of the page."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Tab, browser, installed
from page_server import PageServer, page_server
from page_tab import PageTab

from edge_infer.classifier import Classifier


@pytest.fixture(scope="session")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    if installed() is None:
        pytest.skip("no browser")
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture(scope="session")
def running() -> Iterator[PageServer]:
    with page_server(Classifier.load(num_threads=1)) as server:
        yield server


@pytest.fixture
def server(running: PageServer) -> Iterator[PageServer]:
    yield running
    running.reset()


@pytest.fixture
def page(tab: Tab, server: PageServer, tmp_path: Path) -> Iterator[PageTab]:
    """The page, open. A fault that the browser reports fails the test that uses it."""
    opened = PageTab(tab)
    opened.open(server.url)
    opened.downloads_to(tmp_path)
    yield opened
    assert opened.faults() == []
    assert opened.hosts() == {server.url.split("/")[2]}, "nothing comes from another host"


@pytest.fixture(scope="module")
def modules(tab: Tab, running: PageServer) -> PageTab:
    """The page, open, for tests that call its modules and change nothing."""
    opened = PageTab(tab)
    opened.open(running.url)
    return opened
