"""The page with brain-serve itself behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import NAMES, Tab, installed
from dicom_files import drawn_volume, mr_series, write_files
from page_tab import PageTab
from service_runs import Service

pytest.importorskip("starlette")
pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]

EXAMPLE = min((Path(__file__).parents[3] / "examples").glob("*.jpg"))
TOKEN = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    token = folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    with Service("--token-file", token, "--workers", 1, log=folder / "log") as running:
        yield running


def test_scans_are_dropped_and_answered(tab: Tab, service: Service, tmp_path: Path) -> None:
    write_files(tmp_path / "study", mr_series(drawn_volume(slices=5, rows=64, columns=56)))
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(EXAMPLE.read_bytes()[:3000])
    page = PageTab(tab)
    page.open(f"http://127.0.0.1:{service.port}/")
    page.type(TOKEN)
    page.press("Enter")
    page.wait("document.getElementById('model').textContent")
    page.drop([EXAMPLE, broken, tmp_path / "study"])
    assert page.wait_for_jobs(3) == ["done", "failed", "done"]
    assert page.text("#result .label").startswith("glioma")
    page.click(".entry", text="study")
    assert page.value("document.querySelectorAll('tbody tr').length") == 5
    refused = [fault for fault in page.faults() if "401" not in fault and "422" not in fault]
    assert refused == [], "but what the browser says of the token and of the broken image"
