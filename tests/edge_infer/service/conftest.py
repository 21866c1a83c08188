"""Services around the tiny bundle: the real one, and one whose answers take as long as a test says."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import slow_service
from service_runs import Service
from tiny_bundle import files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.bundle import write_bundle

SLOW = (str(Path(slow_service.__file__)),)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return path


@pytest.fixture(scope="module")
def service(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with one worker, for the tests of a file."""
    log = tmp_path_factory.mktemp("service") / "log.jsonl"
    with Service("--bundle", bundle, "--workers", 1, "--threads", 1, "--access-log", log=log) as it:
        yield it


@pytest.fixture
def start(bundle: Path, tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start a service with options of the test's own."""
    started: list[Service] = []

    def begin(*words: object, slow: bool = False, **options: object) -> Service:
        if slow:
            options["program"] = SLOW
            options["env"] = {slow_service.SEEN: str(tmp_path / "seen")}
        log = tmp_path / f"log-{len(started)}.jsonl"
        own = () if "--workers" in words else ("--workers", 1)
        started.append(
            Service("--bundle", bundle, "--threads", 1, *own, *words, log=log, **options)  # type: ignore[arg-type]
        )
        return started[-1]

    yield begin
    for one in started:
        one.end()
