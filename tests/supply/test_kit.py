"""What a kit promises: every package pinned, nothing runs at install, a changed file is found before pip starts."""

import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from kit import _pack_bundle
from lock import EXTRAS, LOCK, names
from packaging.requirements import Requirement
from packaging.version import Version
from sbom import rendered, sbom_of_wheels
from wheels import faults

from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.signature.verify import signature_path
from export.ml_bom import ml_bom

ROOT = Path(__file__).parents[2]
INSTALL = ROOT / ".ci/supply/install.py"


def wheel(folder: Path, name: str, *, needs: tuple[str, ...] = (), **files: str) -> Path:
    path = folder / f"{name}-1.0-py3-none-any.whl"
    required = "".join(f"Requires-Dist: {each}\n" for each in needs)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{name}-1.0.dist-info/METADATA",
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\nLicense-Expression: MIT\n{required}",
        )
        for file, text in files.items():
            archive.writestr(file.replace("__", "."), text)
    return path


def test_a_wheel_that_only_holds_modules_passes(tmp_path: Path) -> None:
    assert faults(wheel(tmp_path, "good", good__py="import os\n", path__pth="vendored\n")) == []


@pytest.mark.parametrize("file", ["hook__pth", "sitecustomize__py", "usercustomize__py"])
def test_a_wheel_that_runs_at_each_start_is_named(tmp_path: Path, file: str) -> None:
    (fault,) = faults(wheel(tmp_path, "bad", **{file: "import os; os.system('true')\n"}))
    assert file.replace("__", ".") in fault


@pytest.mark.parametrize(
    "file",
    [
        "bad-1.0.data/purelib/sitecustomize.py",
        "bad-1.0.data/platlib/usercustomize.py",
        "bad-1.0.data/purelib/hook.pth",
        "bad-1.0.data/data/lib/python3.11/site-packages/hook.pth",
        "bad-1.0.data\\purelib\\sitecustomize.py",
        "sitecustomize/__init__.py",
        "sitecustomize.pyc",
        "usercustomize.cpython-311-x86_64-linux-gnu.so",
        "sitecustomize.pyd",
        "added/sitecustomize.py",
        "hook.start",
        ".pth",
    ],
)
def test_what_runs_at_each_start_is_found_in_every_folder_and_with_every_ending(
    tmp_path: Path, file: str
) -> None:
    path = wheel(tmp_path, "bad")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(file, "\ufeffimport os; os.system('true')\n")
    (fault,) = faults(path)
    assert f"{file} runs at each start of Python" in fault


def test_names_that_only_begin_like_those_pass(tmp_path: Path) -> None:
    path = wheel(tmp_path, "sitecustomize")  # what installs it is another file
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("good/sitecustomized.py", "")
        archive.writestr("good/start.py", "")
    assert faults(path) == []


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_bundle_is_packed_with_the_signature_beside_it(tmp_path: Path, is_linked: bool) -> None:
    bundle = tmp_path / "real" / "ours"
    bundle.mkdir(parents=True)
    (bundle / "manifest.json").write_text("{}", "utf-8")
    given = bundle
    if is_linked:
        given = tmp_path / "linked"
        given.symlink_to(bundle)
    _pack_bundle(given, tmp_path / "unsigned")
    signature_path(bundle).write_text("signed", "utf-8")
    _pack_bundle(given, tmp_path / "bundles")
    packed = tmp_path / "bundles" / given.name
    assert (packed / "manifest.json").read_text("utf-8") == "{}"
    assert signature_path(packed).read_text("utf-8") == "signed"
    assert [path.name for path in (tmp_path / "unsigned").iterdir()] == [given.name]


def test_an_sdist_is_refused_because_building_it_runs_its_code(tmp_path: Path) -> None:
    path = tmp_path / "bad-1.0.tar.gz"
    path.write_bytes(b"")
    assert "not a wheel" in faults(path)[0]


def test_the_lock_pins_whatever_an_install_of_the_edge_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [
        Requirement(each)
        for each in [
            *project["dependencies"],
            *(line for extra in EXTRAS for line in extras[extra]),
        ]
    ]
    locked = LOCK.read_text("utf-8")
    pinned = {}
    for line in locked.splitlines():
        if "==" in line:
            name, _, rest = line.partition("==")
            pinned.setdefault(name, []).append(Version(rest.split()[0]))
    for requirement in asked:
        if requirement.name != "brain-edge":
            assert all(map(requirement.specifier.contains, pinned[requirement.name])), requirement
    assert len(names(locked)) == len(pinned)
    assert locked.count("--hash=sha256:") > len(pinned)
    assert "http" not in locked


def test_packages_said_to_stay_unused_are_not_loaded_by_an_answer() -> None:
    code = (
        "import sys; from edge_infer import Classifier;"
        f"Classifier.load().predict({str(ROOT / 'examples/brisc_glioma_axial.jpg')!r});"
        "print([name for name in ('google.protobuf', 'flatbuffers', 'packaging') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_sbom_fits_the_schema_and_holds_hashes_licences_and_who_needs_whom(
    tmp_path: Path,
) -> None:
    own = wheel(tmp_path, "brain_edge", needs=("Numpy>=2.0", "absent>=1 ; extra == 'x'"))
    numpy = wheel(tmp_path, "numpy")
    soup = tomllib.loads((ROOT / ".ci/supply/soup.toml").read_text("utf-8"))
    document = sbom_of_wheels(own, [own, numpy], soup)
    assert rendered(document) == rendered(sbom_of_wheels(own, [numpy, own], soup))
    (component,) = document["components"]
    assert component["hashes"][0]["content"] == hashlib.sha256(numpy.read_bytes()).hexdigest()
    assert component["licenses"] == [{"expression": "MIT"}]
    assert {"ref": "brain-edge@1.0", "dependsOn": ["numpy@1.0"]} in document["dependencies"]
    with pytest.raises(ValueError, match="not CycloneDX"):
        rendered({**document, "components": [{"type": "unheard of"}]})


def test_the_ml_bom_of_the_shipped_bundle_fits_the_schema_and_its_figures_have_n_and_interval() -> (
    None
):
    bundle = load_bundle(shipped_bundle_path())
    document = ml_bom(bundle)
    assert json.loads(rendered(document)) == document
    component = document["metadata"]["component"]
    assert component["hashes"][0]["content"] == hashlib.sha256(bundle.model_bytes).hexdigest()
    figures = component["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"accuracy", "tumor_called_no_tumor", "recall glioma"} <= {
        each["type"] for each in figures
    }
    assert all(", n " in each["slice"] and each["confidenceInterval"] for each in figures)
    assert [each["name"] for each in document["components"] if each["type"] == "file"] == sorted(
        bundle.manifest["files"]
    )


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    folder = tmp_path / "kit"
    (folder / "wheels").mkdir(parents=True)
    wheel(folder / "wheels", "good", good__py="")
    shutil.copy(INSTALL, folder)
    (folder / "requirements.txt").write_text("good==1.0 --hash=sha256:0\n", "utf-8")
    sums = [
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    return folder


def _install(kit: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", str(kit / "install.py"), "--into", str(kit.parent / "new")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("change", ["append", "add", "remove"])
def test_a_changed_kit_is_refused_before_anything_is_installed(kit: Path, change: str) -> None:
    (file,) = (kit / "wheels").iterdir()
    if change == "append":
        file.write_bytes(file.read_bytes() + b"\n")
    elif change == "add":
        (kit / "wheels" / "more-1.0-py3-none-any.whl").write_bytes(b"")
    else:
        file.unlink()
    done = _install(kit)
    assert done.returncode == 31
    assert "wheels/" in done.stderr
    assert not (kit.parent / "new").exists()


def test_a_kit_is_not_installed_over_what_is_there(kit: Path) -> None:
    (kit.parent / "new").mkdir()
    done = _install(kit)
    assert done.returncode == 40
    assert "--into" in done.stderr


@pytest.mark.parametrize("folder", ["examples/node", "examples/browser", "tests/edge_infer/page"])
def test_packages_of_npm_run_nothing_when_they_are_installed(folder: str) -> None:
    assert "ignore-scripts=true" in (ROOT / folder / ".npmrc").read_text("utf-8")
