"""The page of brain-compare in a browser: nothing overflows, nothing is loaded, a checker finds nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import COLLIDING, DECODED, NAMES, OUTSIDE, PAGE, Tab, browser, installed
from compared_bundles import MISSES, known_images, planted

from edge_infer.comparison.comparing import Wishes, compare
from edge_infer.comparison.limits import limits_with
from edge_infer.comparison.page import page_of
from edge_infer.figures import intervals

AXE = Path(__file__).parents[1] / "page/node_modules/axe-core/axe.min.js"
VIOLATIONS = """axe.run(document, { resultTypes: ["violations"] }).then(result =>
    result.violations.map(one => [one.id, one.nodes.map(node => node.html.slice(0, 120))]))"""

pytestmark = [
    pytest.mark.chromium,
    pytest.mark.skipif(installed() is None, reason=f"no browser: none of {', '.join(NAMES)}"),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    known_images(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(intervals, "_RESAMPLES", 20)
        comparison = compare(
            Wishes(
                old=str(planted(folder / "old")),
                new=str(planted(folder / "new", MISSES)),
                data=folder / "data",
                limits=limits_with(["flips=0.01"], None),
                threads=1,
                rounds=0,
                thumbnails=True,
                command=f"brain-compare {'BUNDLE' * 20} <b>",
            )
        )
    path = folder / "change.html"
    path.write_text(page_of(comparison), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_the_page_is_shown_whole_and_keeps_nobody_out(
    tab: Tab, page: Path, scheme: str, width: int
) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    tab.send("Emulation.setEmulatedMedia", media="", features=features)
    tab.open(page.as_uri(), width=width)
    tab.value(DECODED)
    assert tab.value("document.images.length") > 0
    across, window = tab.value(PAGE)
    assert across == window
    assert tab.value(OUTSIDE) == []
    assert tab.value(COLLIDING) == []
    assert tab.seen("Log.entryAdded") == []
    assert tab.seen("Runtime.exceptionThrown") == []
    requested = {event["request"]["url"][:5] for event in tab.seen("Network.requestWillBeSent")}
    assert requested <= {"file:", "data:"}
    if AXE.exists():
        tab.value(f"{AXE.read_text()};null")
        assert tab.value(VIOLATIONS) == []
