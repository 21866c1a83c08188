"""The folder is written whole, holds what its manifest lists, and replaces nothing that is not such a folder."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import onnx
import pytest
from click.testing import CliRunner

from edge_infer.bundle import Bundle
from edge_infer.contract import OUTPUT_NAMES, RESEARCH_USE_ONLY
from edge_infer.errors import CannotWrite, MissingDependency
from edge_infer.image_limits import MAX_FILE_BYTES, MAX_PIXELS, MAX_SIDE, MIN_SIDE
from export.cli import main
from export.web.page import CONTENT_SECURITY_POLICY, engine_files, static_page
from export.web.write import write_web

EXAMPLE = Path(__file__).parents[3] / "examples" / "browser"
LOCK = json.loads((EXAMPLE / "package-lock.json").read_text())


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of the shape of onnxruntime-web."""
    folder = tmp_path / "node_modules" / "onnxruntime-web"
    (folder / "dist").mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "onnxruntime-web", "version": "1.30.0"}')
    for name in ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"):
        (folder / "dist" / name).write_text(name)
    return folder


def test_the_folder_holds_what_its_manifest_lists(
    bundles: dict[str, Bundle], package: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    written = write_web(bundles["int8"], folder, package / "dist")
    manifest = json.loads((folder / "manifest.json").read_text())
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {*manifest["files"], "manifest.json"}
    for name, entry in manifest["files"].items():
        content = (folder / name).read_bytes()
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    assert written.size_bytes == sum(
        path.stat().st_size for path in folder.rglob("*") if path.is_file()
    )
    assert manifest["bundle_manifest_sha256"] == bundles["int8"].manifest["manifest_sha256"]
    assert manifest["research_use_only"] == RESEARCH_USE_ONLY
    assert (folder / "onnxruntime" / "ort.js").read_text() == "ort.wasm.min.mjs"
    assert "MIT License" in (folder / "onnxruntime" / "LICENSE.txt").read_text()
    assert not [name for name in found if name.endswith(".mjs")]  # some servers do not know it


def test_what_decides_is_the_bundles(
    bundles: dict[str, Bundle], package: Path, tmp_path: Path
) -> None:
    bundle = bundles["int8"]
    write_web(bundle, tmp_path / "page", package)
    decision: dict[str, Any] = json.loads(
        (tmp_path / "page" / "model" / "decision.json").read_text()
    )
    assert decision["labels"] == list(bundle.labels)
    assert decision["temperature"] == bundle.temperature
    assert decision["scope_model"] == bundle.manifest["trust"]["scope"]
    assert decision["trust"]["least_score"] == bundle.manifest["trust"]["least_score"]
    assert len(decision["golden"]["answers"]) == len(bundle.manifest["golden"])
    assert (tmp_path / "page" / "model" / "scope.bin").read_bytes() == bundle.scope_bin
    graph = onnx.load(tmp_path / "page" / "model" / "model.onnx")
    assert tuple(output.name for output in graph.graph.output) == OUTPUT_NAMES


def test_another_folder_is_not_replaced(
    bundles: dict[str, Bundle], package: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(CannotWrite, match=r"thesis\.txt"):
        write_web(bundles["int8"], folder, package)
    assert (folder / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("missing", ["package.json", "dist/ort-wasm-simd-threaded.wasm"])
def test_a_package_that_lacks_something_is_named(
    missing: str, bundles: dict[str, Bundle], package: Path, tmp_path: Path
) -> None:
    (package / missing).unlink()
    with pytest.raises(MissingDependency, match="--onnxruntime-web") as raised:
        write_web(bundles["int8"], tmp_path / "page", package)
    assert "npm install onnxruntime-web@1.30.0" in raised.value.hint
    assert not (tmp_path / "page").exists()


def test_the_command_writes_a_page_for_a_bundle_that_exists(
    bundles: dict[str, Bundle], package: Path, tmp_path: Path
) -> None:
    asked = ["--bundle", str(bundles["int8"].path), "--web", str(tmp_path / "page")]
    done = CliRunner().invoke(main, [*asked, "--onnxruntime-web", str(package)])
    assert done.exit_code == 0, done.output
    assert "page without a server: " in done.output
    assert (tmp_path / "page" / "index.html").is_file()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "give --model to export one, or --bundle for one that exists"),
        (["--bundle", "b"], "--bundle needs --end-to-end, --triton, --web or --sign"),
        (["--bundle", "b", "--model", "cvt13", "--end-to-end"], "or --bundle for one that exists"),
        (["--model", "cvt13", "--web", "page"], "--web and --onnxruntime-web belong together"),
    ],
)
def test_options_that_do_not_fit_are_usage_errors(
    options: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b").mkdir()
    done = CliRunner().invoke(main, options)
    assert done.exit_code == 2
    assert said in done.output


def test_the_page_carries_its_policy_before_anything_that_it_loads() -> None:
    front = static_page()["index.html"].decode()
    policy = front.index(CONTENT_SECURITY_POLICY)
    assert policy < min(front.index("<link"), front.index("<script"))
    assert "'unsafe-inline'" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY


def test_no_module_of_the_engine_names_another_host() -> None:
    for name, content in engine_files().items():
        text = content.decode()
        for known in ("http://ns.adobe.com/xap/1.0/", "version https://git-lfs"):  # in files
            text = text.replace(known, "")
        assert not re.search(r"https?://|wss?://", text), name


def test_limits_are_those_of_the_runtime() -> None:
    text = engine_files()["engine/limits.js"].decode()
    found = {
        name: eval(value.replace("_", ""), {"__builtins__": {}})  # noqa: S307 -- a product of our own numbers
        for name, value in re.findall(r"export const (\w+) = ([\d_ *]+);", text)
    }
    assert found == {
        "MAX_FILE_BYTES": MAX_FILE_BYTES,
        "MAX_SIDE": MAX_SIDE,
        "MAX_PIXELS": MAX_PIXELS,
        "MIN_SIDE": MIN_SIDE,
    }


def test_every_package_of_the_example_is_pinned_by_its_digest() -> None:
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]
    assert wanted == LOCK["packages"][""]["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
    packages = {name: entry for name, entry in LOCK["packages"].items() if name}
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
