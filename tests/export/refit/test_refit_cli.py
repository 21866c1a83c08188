"""brain-refit from end to end on drawn textures, and that it needs nothing that a hospital does not have."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray
from PIL import Image

from edge_infer.bundle import Bundle, load_bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.image_file import open_source
from edge_infer.reasons import Reason
from export.refit.new_bundle import bundle_contents
from export.refit.scope_refit import within_fence
from export.refit_cli import main
from export.trust.scope_fit import threshold_at

pytestmark = pytest.mark.usefixtures("only_colour_is_checked")

Textures = Callable[[int, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "ours"


def scores(bundle: Bundle, site: Path) -> NDArray[np.float64]:
    paths = sorted(site.rglob("*.png"))
    found = [one.scope_score for one in Classifier(bundle).predict_many(paths)]
    return np.array(found, dtype=np.float64)


def test_without_labels_only_the_scope_threshold_is_new(
    old: Bundle, site: Path, output: Path
) -> None:
    before = contents(old.path)
    code, out, err = run("--bundle", old.path, "--on", site, "--output", output)
    assert code == 0, err
    assert RESEARCH_USE_ONLY in out
    assert "80 images, without labels" in err
    assert "--by-folder" in err
    new = load_bundle(output)
    was, now = old.manifest["trust"], new.manifest["trust"]
    found = scores(old, site)
    usual = found[within_fence(found)]
    assert now["scope"]["threshold"] == pytest.approx(threshold_at(usual))
    assert now["scope"]["threshold"] != was["scope"]["threshold"]
    assert now["scope"]["fitted_on"]["threshold"] == "images of the site, scans"
    assert now["scope"]["fitted_on"]["n_threshold"] == len(usual)
    assert now["scope"]["fitted_on"]["n_train"] == was["scope"]["fitted_on"]["n_train"]
    assert {**now, "scope": None} == {**was, "scope": None}
    assert new.manifest["calibration"] == old.manifest["calibration"]
    # ... and all the rest is the old bundle's, byte for byte, which is unharmed itself.
    changed = {name for name, data in contents(output).items() if data != before[name]}
    assert changed == {"README.md", "manifest.json"}
    assert contents(old.path) == before


def test_the_new_bundle_accepts_this_sites_images_as_often_as_it_says(
    old: Bundle, site: Path, output: Path
) -> None:
    assert run("--bundle", old.path, "--on", site, "--output", output)[0] == 0
    new = load_bundle(output)
    found = scores(new, site)
    usual = found[
        within_fence(found)
    ]  # how many are not depends on the model, which was trained on this machine
    assert len(usual) >= 0.9 * len(found)
    accepted = (usual <= new.manifest["trust"]["scope"]["threshold"]).mean()
    assert accepted == pytest.approx(0.95, abs=1 / len(usual))  # to one image


def test_a_site_whose_images_are_often_out_of_scope_is_told_to_look_at_them(
    old: Bundle, output: Path, tmp_path: Path, textures: Textures
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for number, image in enumerate(textures(60, 60)[0]):
        noise = generator.normal(0, 60, image.shape) if number % 3 == 0 else 0
        Image.fromarray(np.clip(image + noise, 0, 255).astype(np.uint8)).save(
            folder / f"{number}.png"
        )
    code, _, err = run("--bundle", old.path, "--on", folder, "--output", output)
    assert code == 0, err
    share = load_bundle(output).manifest["provenance"]["refits"][0]["in_scope_before"]
    assert 0.5 < share < 0.8
    assert f"only {100 * share:.1f} % of these images were in scope" in err


def test_with_labels_temperature_and_sets_are_the_sites(
    old: Bundle, site: Path, output: Path
) -> None:
    code, out, err = run("--bundle", old.path, "--on", site, "--by-folder", "--output", output)
    assert code == 0, err
    assert "of 80 images no patient is known" in err
    new = load_bundle(output)
    trust = new.manifest["trust"]
    # As the bundle itself answers, whatever the scope check says.
    accepted = right = 0
    for label in LABELS:
        for one in Classifier(new, scope="off").predict_many(sorted((site / label).iterdir())):
            accepted += Reason.AMBIGUOUS not in one.reasons
            right += Reason.AMBIGUOUS not in one.reasons and one.label == label
    assert 0 < right <= accepted < 80
    assert trust["fitted_on"] == {
        "source": "images of the site, scans",
        "n": 80,
        "accepted": accepted,
        "right": right,
        "groups": dict.fromkeys(LABELS, 20),
        "way": "site",
    }
    assert trust["set_thresholds"] != old.manifest["trust"]["set_thresholds"]
    assert new.manifest["calibration"]["fitted_on"] == "images of the site, scans, n 80"
    assert trust["alpha"] == old.manifest["trust"]["alpha"]
    # Fitted on these images: of each class at least 90 % have it in their set.
    for label in LABELS:
        predictions = Classifier(new).predict_many(sorted((site / label).iterdir()))
        assert np.mean([label in one.prediction_set for one in predictions]) >= 0.9
    assert "right, " in out


def test_where_it_comes_from_is_in_manifest_and_card(
    old: Bundle, site: Path, output: Path, tmp_path: Path
) -> None:
    run("--bundle", old.path, "--on", site, "--output", output)
    again = tmp_path / "again"
    code, _, err = run("--bundle", output, "--on", site, "--by-folder", "--output", again)
    assert code == 0, err
    manifest = load_bundle(again).manifest
    first, second = manifest["provenance"]["refits"]
    assert first["from"] == old.manifest["manifest_sha256"]
    assert second["from"] == load_bundle(output).manifest["manifest_sha256"]
    assert (first["labelled"], second["labelled"]) == (False, True)
    assert first["in_scope_after"] >= 0.95
    assert manifest["provenance"]["recipe"] == old.manifest["provenance"]["recipe"]
    card = (again / "README.md").read_text()
    assert "### Refitted" in card
    assert card.count("| images of the site, scans | 80 |") == 2


def test_no_image_name_and_no_path_enters_the_bundle(old: Bundle, site: Path, output: Path) -> None:
    run("--bundle", old.path, "--on", site, "--by-folder", "--output", output)
    for name, data in contents(output).items():
        assert str(site).encode() not in data, name
        assert b"07.png" not in data, name


def test_a_table_says_which_images_are_of_one_patient(
    old: Bundle, site: Path, output: Path, tmp_path: Path
) -> None:
    rows = ["path,label,patient_id"]
    folder = tmp_path / "scans"
    folder.mkdir()
    for path in sorted(site.rglob("*.png")):
        shutil.copy(path, folder / path.name)
        rows.append(f"{path.name},{path.parent.name},patient {int(path.stem) // 8}")
    table = folder / "labels.csv"
    table.write_text("\n".join(rows) + "\n")
    code, _, err = run(
        *("--bundle", old.path, "--on", folder, "--manifest", table, "--output", output)
    )
    assert code == 0, err
    assert "no patient is known" not in err
    # 80 images in ten patients, each with two images of every class.
    assert load_bundle(output).manifest["trust"]["fitted_on"]["groups"] == dict.fromkeys(LABELS, 10)


def test_copies_of_a_file_count_once(old: Bundle, site: Path, output: Path, tmp_path: Path) -> None:
    twice = tmp_path / "twice"
    shutil.copytree(site, twice)
    shutil.copytree(site, twice / "again")
    code, _, err = run("--bundle", old.path, "--on", twice, "--output", output)
    assert code == 0, err
    assert "left out: 80 whose bytes are those of another" in err
    assert load_bundle(output).manifest["provenance"]["refits"][0]["n"] == 80


def few(site: Path, folder: Path) -> Path:
    for path in sorted(site.rglob("*.png"))[:49]:
        target = folder / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return folder


def without_most_gliomas(site: Path, folder: Path) -> Path:
    shutil.copytree(site, folder)
    for path in sorted((folder / "glioma").iterdir())[3:]:
        path.unlink()
    return folder


def with_a_text_file_as_image(site: Path, folder: Path) -> Path:
    shutil.copytree(site, folder)
    (folder / "glioma" / "broken.png").write_text("no image")
    return folder


def with_a_contradiction(site: Path, folder: Path) -> Path:
    shutil.copytree(site, folder)
    shutil.copy(folder / "glioma" / "00.png", folder / "pituitary" / "copy.png")
    return folder


def with_another_folder(site: Path, folder: Path) -> Path:
    shutil.copytree(site, folder)
    (folder / "glioma").rename(folder / "knee")
    return folder


def of_another_kind(_: Path, folder: Path) -> Path:
    generator = np.random.default_rng(0)
    folder.mkdir()
    for number in range(60):
        Image.fromarray(generator.integers(0, 256, (64, 64), dtype=np.uint8)).save(
            folder / f"{number}.png"
        )
    return folder


def empty(_: Path, folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.mark.parametrize(
    ("make", "options", "code", "said"),
    [
        (few, [], 26, "49 different images, expected at least 50"),
        (without_most_gliomas, ["--by-folder"], 26, "too few patients of glioma 3"),
        (with_a_text_file_as_image, [], 26, "broken.png: "),
        (with_a_contradiction, ["--by-folder"], 26, "with another label"),
        (with_another_folder, ["--by-folder"], 26, "unknown class 'knee'"),
        (of_another_kind, [], 26, "a kind that the model has not learnt"),
        (empty, [], 21, "folder has no image"),
        (few, ["--by-folder", "--manifest", "x.csv"], 2, "exclude each other"),
        (few, ["--manifest", "x.csv"], 20, "cannot read table"),
    ],
)
def test_what_cannot_be_refitted_is_refused_with_a_reason(
    old: Bundle,
    site: Path,
    output: Path,
    tmp_path: Path,
    make: Callable[[Path, Path], Path],
    options: list[str],
    code: int,
    said: str,
) -> None:
    before = contents(old.path)
    folder = make(site, tmp_path / "given")
    given, out, err = run("--bundle", old.path, "--on", folder, *options, "--output", output)
    assert (given, out) == (code, ""), err
    assert said in err
    assert not output.exists()
    assert contents(old.path) == before


def test_too_few_of_a_class_can_still_be_given_without_labels(
    old: Bundle, site: Path, output: Path, tmp_path: Path
) -> None:
    folder = without_most_gliomas(site, tmp_path / "given")
    assert run("--bundle", old.path, "--on", folder, "--output", output)[0] == 0


@pytest.mark.parametrize("way", ["same", "linked"])
def test_the_old_bundle_is_not_written_over(
    old: Bundle, site: Path, tmp_path: Path, way: str
) -> None:
    before = contents(old.path)
    target = old.path
    if way == "linked":
        target = tmp_path / "link"
        target.symlink_to(old.path)
    code, _, err = run("--bundle", old.path, "--on", site, "--output", target)
    assert code == 40
    assert "is the bundle that is refitted" in err
    assert contents(old.path) == before


def test_a_folder_with_other_things_in_it_is_left_alone(
    old: Bundle, site: Path, output: Path
) -> None:
    output.mkdir()
    (output / "mine.txt").write_text("precious")
    code, _, err = run("--bundle", old.path, "--on", site, "--output", output)
    assert code == 40, err
    assert contents(output) == {"mine.txt": b"precious"}


def test_a_bundle_without_scope_check_needs_labels(
    old: Bundle, site: Path, output: Path, tmp_path: Path
) -> None:
    from edge_infer.bundle import write_bundle
    from edge_infer.contract import SCOPE_FILE

    kept = {name: data for name, data in bundle_contents(old).items() if name != SCOPE_FILE}
    derived = ("files", "image_size", "labels", "manifest_sha256", "opset", "schema_version")
    body: dict[str, Any] = {
        name: value for name, value in old.manifest.items() if name not in derived
    }
    bare = write_bundle(tmp_path / "bare", {**kept, "README.md": b"x"}, {**body, "trust": None})
    code, _, err = run("--bundle", bare.path, "--on", site, "--output", output)
    assert code == 32
    assert "no scope check" in err
    code, _, err = run("--bundle", bare.path, "--on", site, "--by-folder", "--output", output)
    assert code == 0, err
    trust = load_bundle(output).manifest["trust"]
    assert trust["scope"] is None
    assert (trust["alpha"], trust["fitted_on"]["way"]) == (0.1, "site")


def test_interrupted_while_it_works_it_leaves_nothing(
    old: Bundle, site: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    def interrupted(source: Any) -> Any:
        seen.append(source)
        if len(seen) == 40:
            raise KeyboardInterrupt
        return open_source(source)

    monkeypatch.setattr("export.refit.answers.open_source", interrupted)
    before = contents(old.path)
    code, _, err = run("--bundle", old.path, "--on", site, "--output", output)
    assert code == 130
    assert "interrupted" in err
    assert list(output.parent.iterdir()) == []
    assert contents(old.path) == before


def test_it_needs_neither_torch_nor_onnx(old: Bundle, site: Path, output: Path) -> None:
    absent = ["matplotlib", "onnx", "pyarrow", "safetensors", "scipy", "sklearn", "torch"]
    program = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"  # None: importing it fails
        "from export.refit_cli import main\n"
        f"main({['--bundle', str(old.path), '--on', str(site), '--by-folder', '--output', str(output)]!r})"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads((output / "manifest.json").read_text())["trust"]["fitted_on"]["way"] == "site"


def test_help_shows_its_examples() -> None:
    code, out, _ = run("--help")
    assert code == 0
    assert "\n    brain-refit --on scans/ --output our-bundle\n" in out
