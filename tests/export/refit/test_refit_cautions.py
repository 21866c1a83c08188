"""What brain-refit says on stderr, refuses and records where a site's images or folders are not what they should be."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_infer.bundle import Bundle, load_bundle
from edge_infer.contract import LABELS
from export.card_of_trust import trust_section
from export.refit_cli import main

pytestmark = pytest.mark.usefixtures("only_colour_is_checked")


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stderr


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "ours"


@pytest.fixture
def scans(site: Path, tmp_path: Path) -> Path:
    """A copy of the site's images, to add to."""
    return Path(shutil.copytree(site, tmp_path / "scans"))


def noise(folder: Path, count: int) -> None:
    generator = np.random.default_rng(0)
    for number in range(count):
        pixels = generator.integers(0, 256, (64, 64), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"strange{number:02}.png")


def threshold(folder: Path) -> float:
    return float(load_bundle(folder).manifest["trust"]["scope"]["threshold"])


def test_images_that_the_checks_refuse_are_left_out_and_named(
    old: Bundle, scans: Path, output: Path, tmp_path: Path
) -> None:
    assert run("--bundle", old.path, "--on", scans, "--output", tmp_path / "clean")[0] == 0
    (scans / "ward").mkdir()
    generator = np.random.default_rng(0)
    for number in range(12):
        photograph = generator.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(photograph).save(scans / "ward" / f"{number:02}.png")
    code, err = run("--bundle", old.path, "--on", scans, "--output", output)
    assert code == 0, err
    assert "left out: 12 images on which the bundle abstains" in err
    assert "ward/00.png (colour_overlay)" in err
    assert "ward/09.png (colour_overlay) and 2 more" in err
    assert threshold(output) == threshold(tmp_path / "clean")
    record = load_bundle(output).manifest["provenance"]["refits"][0]
    assert (record["n"], record["left_out_by_checks"]) == (80, 12)


def test_images_far_from_the_rest_are_left_out_and_named(
    old: Bundle, scans: Path, output: Path, tmp_path: Path
) -> None:
    assert run("--bundle", old.path, "--on", scans, "--output", tmp_path / "clean")[0] == 0
    noise(scans, 4)
    code, err = run("--bundle", old.path, "--on", scans, "--output", output)
    assert code == 0, err
    assert "left out of the scope threshold, because far from the rest" in err
    assert all(f"strange{number:02}.png (" in err for number in range(4))
    assert threshold(output) == pytest.approx(threshold(tmp_path / "clean"), abs=0.1)


def test_a_threshold_that_rises_much_is_warned_of_and_its_images_are_named(
    old: Bundle, site: Path, scans: Path, output: Path
) -> None:
    low = output.with_name("low")
    assert run("--bundle", old.path, "--on", site, "--output", low)[0] == 0
    # 40 of noise and 80 right ones: the half that is allowed, and no few.
    noise(scans, 40)
    code, err = run("--bundle", low, "--on", scans, "--output", output)
    assert code == 0, err
    assert threshold(output) > 1.25 * threshold(low)
    assert "warning: the scope threshold rises from" in err
    newly = next(line for line in err.splitlines() if line.startswith("out of scope until now"))
    assert "strange" in newly
    assert " more" in newly
    values = [float(part.split(")")[0]) for part in newly.split(".png (")[1:]]
    assert len(values) == 10
    assert values == sorted(values, reverse=True)


def test_wrong_labels_are_warned_of(old: Bundle, scans: Path, output: Path) -> None:
    (scans / "glioma").rename(scans / "x")
    (scans / "meningioma").rename(scans / "glioma")
    (scans / "x").rename(scans / "meningioma")
    code, err = run("--bundle", old.path, "--on", scans, "--by-folder", "--output", output)
    assert code == 0, err
    assert "of the labelled images are answered rightly: labels may be wrong" in err


def test_right_labels_are_not_warned_of(old: Bundle, site: Path, output: Path) -> None:
    code, err = run("--bundle", old.path, "--on", site, "--by-folder", "--output", output)
    assert code == 0, err
    assert "labels may be wrong" not in err


def test_the_card_says_so_where_no_probability_was_high_enough(bundles: dict[str, Bundle]) -> None:
    manifest = bundles["int8"].manifest
    trust = manifest["trust"]
    none = trust_section({**manifest, "trust": {**trust, "least_score": 1.0}})
    assert "no probability was high enough" in none
    assert "accepted answers were right" not in none
    some = trust_section({**manifest, "trust": {**trust, "least_score": 0.5}})
    assert "97 % of the accepted answers were right" in some


def test_of_every_path_only_the_last_name_enters_the_bundle(
    old: Bundle, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(site, "MUELLER_ANNA/scans")
    shutil.copytree(old.path, "SCHMIDT/bundle")
    rows = ["path,label"]
    rows += [
        f"../MUELLER_ANNA/scans/{path.relative_to(site)},{path.parent.name}"
        for path in sorted(site.rglob("*.png"))
    ]
    Path("KLEIN").mkdir()
    Path("KLEIN/labels.csv").write_text("\n".join(rows) + "\n")
    words = ["--bundle", "SCHMIDT/bundle", "--on", "MUELLER_ANNA/scans"]
    words += ["--manifest", "KLEIN/labels.csv", "--output", "WEBER/new"]
    monkeypatch.setattr("sys.argv", ["brain-refit", *words])
    code, err = run(*words)
    assert code == 0, err
    for path in Path("WEBER/new").iterdir():
        for name in (b"MUELLER", b"SCHMIDT", b"KLEIN", b"WEBER", tmp_path.name.encode()):
            assert name not in path.read_bytes(), path.name
    command = load_bundle(Path("WEBER/new")).manifest["provenance"]["refits"][0]["command"]
    assert command == "brain-refit --bundle bundle --on scans --manifest labels.csv --output new"


@pytest.mark.parametrize("below", [".", "new", "deep/new"])
def test_an_output_among_the_images_is_refused(old: Bundle, scans: Path, below: str) -> None:
    code, err = run("--bundle", old.path, "--on", scans, "--output", scans / below)
    assert code == 40
    assert "lies in the folder of the images" in err


def test_a_row_that_is_listed_twice_is_no_copy(
    old: Bundle, scans: Path, output: Path, tmp_path: Path
) -> None:
    image = sorted(scans.rglob("*.png"))[0]
    name = image.relative_to(tmp_path)
    table = tmp_path / "labels.csv"
    table.write_text("path,label\n" + "".join(f"{name},{label}\n" for label in LABELS[:2]))
    code, err = run(*("--bundle", old.path, "--on", scans, "--manifest", table, "--output", output))
    assert code == 26
    assert f"{image.name}: is listed twice with another label" in err


def test_a_folder_whose_name_no_manifest_takes_is_refused_before_the_work(
    old: Bundle, site: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / ("\x1b" * 200)
    folder.symlink_to(site)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("images were asked about")

    monkeypatch.setattr("export.refit.answers.ask_site", never)
    code, err = run("--bundle", old.path, "--on", folder, "--output", output)
    assert code == 26
    assert "the name of the folder has" in err
