"""The hook tells PyInstaller all that a frozen program needs; tests/campaigns/pyinstaller_build.py builds one."""

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from edge_infer import _HOMES, _pyinstaller
from edge_infer.contract import BUNDLE_FILES

PACKAGE = Path(_pyinstaller.__file__).parents[1]


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the hook sets, with functions in the place of PyInstaller's that do what its documentation says."""
    hooks = ModuleType("PyInstaller.utils.hooks")

    def collect_data_files(package: str) -> list[tuple[str, str]]:
        files = (path for path in PACKAGE.rglob("*") if path.suffix not in (".py", ".pyc"))
        return [
            (str(path), f"{package}/{path.parent.relative_to(PACKAGE).as_posix()}")
            for path in files
            if path.is_file()
        ]

    def collect_submodules(package: str, filter: Any) -> list[str]:  # noqa: A002 -- its name
        inner = [path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py")]
        names = [".".join([package, *path.parts]).removesuffix(".__init__") for path in inner]
        return [name for name in names if filter(name)]

    def copy_metadata(distribution: str) -> list[tuple[str, str]]:
        return [(distribution, "metadata")]

    for function in (collect_data_files, collect_submodules, copy_metadata):
        setattr(hooks, function.__name__, function)
    for name in ("PyInstaller", "PyInstaller.utils"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, hooks.__name__, hooks)
    (folder,) = _pyinstaller.get_hook_dirs()
    return runpy.run_path(str(Path(folder) / "hook-edge_infer.py"))


def test_the_shipped_bundle_is_taken_whole_to_where_it_is_looked_for(hook: dict[str, Any]) -> None:
    bundle = [Path(file).name for file, place in hook["datas"] if place == "edge_infer/shipped"]
    listed = json.loads((PACKAGE / "shipped" / "manifest.json").read_bytes())["files"]
    assert sorted(bundle) == sorted([*listed, "manifest.json"])
    assert set(BUNDLE_FILES) <= set(bundle)


def test_the_page_is_taken_whole_to_where_it_is_looked_for(hook: dict[str, Any]) -> None:
    page = {Path(file).name for file, place in hook["datas"] if place == "edge_infer/page"}
    assert {"index.html", "main.js", "page.css"} <= page


def test_what_is_imported_by_name_is_taken(hook: dict[str, Any]) -> None:
    names = set(hook["hiddenimports"])
    assert {f"edge_infer.{home}" for home in _HOMES.values()} <= names
    assert "onnxruntime" in names
    assert "edge_infer._pyinstaller" not in names


def test_the_versions_that_results_state_are_taken(hook: dict[str, Any]) -> None:
    distributions = {name for name, place in hook["datas"] if place == "metadata"}
    assert distributions == {"brain-edge", "onnxruntime"}
