"""The page without a server in a headless Chromium: the runtime's answers, and nothing goes anywhere else."""

import hashlib
import http.server
import io
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import Tab, browser
from jsonschema import Draft202012Validator
from PIL import Image
from served_page import ask, served

from edge_infer import Classifier
from edge_infer.answer_lines import AnswerLines
from edge_infer.contract import RESEARCH_USE_ONLY

ROOT = Path(__file__).parents[3]
SCHEMA = Draft202012Validator(json.loads((ROOT / "docs" / "result.schema.json").read_text()))
EXAMPLES = sorted((ROOT / "examples").glob("*.jpg"))

FACTS = 'import("./engine.js").then((one) => one.openEngine()).then(({ facts }) => facts)'
#: Fewer bits in another order: INT8 in WebAssembly is that far from INT8 natively (docs/browser.md).
PROBABILITY_ATOL = 0.03


@pytest.fixture(scope="module")
def tab(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    profile = tmp_path_factory.mktemp("profile")
    with (
        served(page.parent) as url,  # not at the root of its server
        browser(profile) as opened,
    ):
        opened.open(f"{url}{page.name}/", width=1200)
        yield opened


@pytest.fixture(scope="module")
def python() -> AnswerLines:
    return AnswerLines(Classifier.load(num_threads=1))


def changed(data: bytes, change: Callable[[Image.Image], Image.Image], kind: str = "PNG") -> bytes:
    packed = io.BytesIO()
    change(Image.open(io.BytesIO(data))).save(packed, kind)
    return packed.getvalue()


def files() -> dict[str, bytes]:
    scan = EXAMPLES[0].read_bytes()
    return {
        **{path.name: path.read_bytes() for path in EXAMPLES},
        "tinted.jpg": changed(
            scan, lambda grey: Image.merge("RGB", (grey, grey, grey.rotate(5))), "JPEG"
        ),
        "large.png": changed(scan, lambda grey: grey.resize((900, 700))),
        "inverted.png": changed(scan, lambda grey: grey.point(lambda value: 255 - value)),
        "two.png": changed(scan, lambda grey: grey.resize((512, 256))),
        "cut.jpg": scan[: len(scan) // 2],
        "line\nbreak.png": b"",
    }


def test_answers_are_those_of_the_runtime_and_of_its_schema(tab: Tab, python: AnswerLines) -> None:
    given = files()
    for (name, content), line in zip(given.items(), ask(tab, given), strict=True):
        [expected] = python.of_content(content, name=name, view=True)
        view, expected_view = line.pop("view", None), expected.pop("view", None)
        assert [error.message for error in SCHEMA.iter_errors(line)] == []
        for field in (
            "status",
            "source",
            "decision",
            "reasons",
            "prediction_set",
            "label",
            "warnings",
            "model",
        ):
            assert line.get(field) == expected.get(field), (name, field)
        assert line["research_use_only"] == RESEARCH_USE_ONLY
        assert line["runtime"]["provider"] == "wasm"
        if line["status"] == "error":
            assert line["error"]["code"] == expected["error"]["code"]
            assert line["error"]["exit_code"] == expected["error"]["exit_code"]
            continue
        assert line["source_sha256"] == expected["source_sha256"]
        assert line["probabilities"] == pytest.approx(
            expected["probabilities"], abs=PROBABILITY_ATOL
        )
        assert line["scope"]["score"] == pytest.approx(expected["scope"]["score"], abs=0.03)
        assert (view["width"], view["height"]) == (expected_view["width"], expected_view["height"])
        assert view["evidence"]["shape"] == expected_view["evidence"]["shape"]


def test_what_is_refused_names_what_to_use_instead(tab: Tab) -> None:
    [line] = ask(tab, {"volume.nii": b"\0" * 344 + b"n+1\0" + bytes(100)})
    assert line["error"]["code"] == "unsupported"
    assert "NIfTI" in line["error"]["message"]
    assert "brain-serve" in line["error"]["hint"]


def test_the_page_knows_the_bundle_and_reads_jpeg_as_pillow_does(tab: Tab) -> None:
    facts = tab.value(
        'import("./engine.js").then((one) => one.openEngine()).then(({ facts }) => facts)'
    )
    assert facts["model"]["manifest_sha256"] == Classifier.load().model.manifest_sha256
    assert facts["missing_checks"] == []
    assert facts["jpeg_levels_apart"] == 0
    assert facts["runtime"]["num_threads"] == 1


def test_a_chosen_file_is_answered_on_the_page(tab: Tab) -> None:
    root = tab.send("DOM.getDocument")["root"]["nodeId"]
    picker = tab.send("DOM.querySelector", nodeId=root, selector="#files")["nodeId"]
    tab.send("DOM.setFileInputFiles", nodeId=picker, files=[str(EXAMPLES[0])])
    answered = """new Promise((done) => {
        const look = () => (document.querySelector("#result h2") && document.querySelector("#jobs .done")
            ? done(document.querySelector("#result").innerText) : setTimeout(look, 50));
        look();
    })"""
    text = tab.value(answered)
    assert "glioma" in text
    assert "wasm" in text or "efficientnet-lite" in text
    assert tab.seen("Runtime.exceptionThrown") == []


def test_nothing_but_the_folder_can_be_fetched_by_the_page_or_a_worker(tab: Tab) -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(204)
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        fetched = f'fetch("{url}", {{ mode: "no-cors" }}).then(() => "fetched", () => "refused")'
        assert tab.value(fetched) == "refused"
        # As the engine starts its worker.
        start = f"new Blob([`{fetched}.then((said) => postMessage(said))`], {{ type: 'text/javascript' }})"
        in_worker = (
            f"new Promise((done) => {{ new Worker(URL.createObjectURL({start}), {{ type: 'module' }})"
            ".onmessage = ({ data }) => done(data); })"
        )
        assert tab.value(in_worker) == "refused"
        server.shutdown()
        thread.join()
    assert asked == []


def test_the_page_asks_for_nothing_but_its_folder_also_without_https(
    page: Path, tmp_path: Path
) -> None:
    log = tmp_path / "network.json"
    # A name that is not localhost, without https: there the browser computes no digests for a page.
    names = (
        "--host-resolver-rules=MAP workstation.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    )
    with served(page) as address, browser(tmp_path, f"--log-net-log={log}", names) as tab:
        url = address.replace("127.0.0.1", "workstation.test")
        tab.open(url, width=1200)
        assert tab.value("isSecureContext") is False
        [line] = ask(tab, {"scan.jpg": EXAMPLES[0].read_bytes()})
        assert tab.value(f"{FACTS}.then((facts) => facts.digests_by)") != "the browser"
    digest = hashlib.sha256(EXAMPLES[0].read_bytes()).hexdigest()
    assert (line["status"], line["source_sha256"]) == ("ok", digest)
    requests = [event.get("params", {}) for event in json.loads(log.read_text())["events"]]
    # Chromium also asks for things of its own, whatever page is open: those have no page behind them.
    by_page = {
        one["url"] for one in requests if one.get("initiator", "").startswith(url.rstrip("/"))
    }
    assert f"{url}model/model.onnx" in by_page
    assert {one for one in by_page if not one.startswith((url, f"blob:{url}"))} == set()


def opening(folder: Path, profile: Path) -> dict[str, Any]:
    """Open a page whose engine is to refuse; return what it says."""
    with served(folder) as url, browser(profile) as tab:
        tab.open(url, width=1200)
        said: dict[str, Any] = tab.value(
            'import("./engine.js").then((one) => one.openEngine())'
            ".then(() => ({ code: 'opened' }), ({ code, message, hint }) => ({ code, message, hint }))"
        )
        return said


def test_a_file_that_was_changed_is_noticed_before_the_first_answer(
    page: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    shutil.copytree(page, folder)
    scope = bytearray((folder / "model" / "scope.bin").read_bytes())
    scope[1000] ^= 1
    (folder / "model" / "scope.bin").write_bytes(scope)
    said = opening(folder, tmp_path)
    assert (said["code"], said["message"].partition(":")[0]) == (
        "bundle_integrity",
        "model/scope.bin",
    )


def test_a_browser_that_computes_otherwise_is_refused(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    shutil.copytree(page, folder)
    path = folder / "model" / "decision.json"
    decision = json.loads(path.read_text())
    tolerance = decision["golden"]["tolerance_logits"]
    decision["golden"]["answers"][0]["logits"][0] += 3 * tolerance
    path.write_text(json.dumps(decision))
    manifest = json.loads((folder / "manifest.json").read_text())
    content = path.read_bytes()
    manifest["files"]["model/decision.json"] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_bytes": len(content),
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    said = opening(folder, tmp_path)
    assert said["code"] == "self_test_failed"
    assert said["message"].startswith("golden image 1: ")
