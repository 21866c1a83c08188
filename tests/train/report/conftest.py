from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from report_page import Page
from report_runs import HOSTILE, make_run

from edge_infer.figures import intervals
from train.data.samples import Sample
from train.report import BundleFacts, data_facts, read_runs, write_report

INT8 = BundleFacts(
    name="cvt_test-int8",
    precision="int8",
    size_bytes=1_234_567,
    agreement={"value": 0.995, "n": 200, "low": 0.97, "high": 0.999, "interval": "wilson"},
    gate_source="synthetic phantoms, seed 0",
    gate_synthetic=True,
    manifest_sha256="0" * 64,
)


@contextmanager
def quick_bootstrap() -> Iterator[None]:
    """Twenty draws instead of a thousand: these tests need no good intervals, but those of other folders do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_RESAMPLES", 20)
        yield


@pytest.fixture(autouse=True)
def _quick_bootstrap() -> Iterator[None]:
    with quick_bootstrap():
        yield


@pytest.fixture(scope="package")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="package")
def runs(
    phantom_samples: list[Sample], cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """A complete run, and one with a hostile name, few recorded facts and no evaluation."""
    folder = tmp_path_factory.mktemp("runs")
    with quick_bootstrap():
        full = make_run(
            folder / "full run",
            phantom_samples,
            cache,
            best_val_accuracy=0.75,
            n_train=28,
            n_val=4,
            seconds=4371.6,
            data="phantoms",
            versions={"torch": "2.14.1"},
        )
        bare = make_run(folder / HOSTILE, phantom_samples, cache, parts=(), seed=8, history=[])
    return [full, bare]


@pytest.fixture(scope="package")
def written(
    runs: list[Path],
    phantom_samples: list[Sample],
    cache: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("out") / "report"
    with quick_bootstrap():
        data = data_facts("phantoms", phantom_samples, cache)
        facts, bundles = read_runs(runs), {1: {"int8": INT8}}
        page = write_report(
            folder, facts, bundles, data, command="brain-train report", made_on="2026-01-02"
        )
    assert page == folder / "report.html"
    return folder


@pytest.fixture(scope="package")
def page(written: Path) -> Page:
    return Page((written / "report.html").read_text(encoding="utf-8"))
