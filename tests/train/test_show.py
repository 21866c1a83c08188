from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import train.show
from edge_infer.contract import LABELS
from edge_infer.errors import CannotWrite, DataRefused
from train.data.samples import Sample
from train.plots.dataset import plot_images, plot_means, two_lines
from train.show import show


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[object, ...]]:
    """The arguments of the plots; drawing itself takes a second."""
    calls: dict[str, tuple[object, ...]] = {}
    for name in ("plot_class_counts", "plot_images", "plot_means"):
        monkeypatch.setattr(
            train.show, name, lambda *given, name=name: calls.__setitem__(name, given)
        )
    return calls


def flat(value: int, side: int = 64) -> Image.Image:
    pixels = np.full((side, side), value, dtype=np.uint8)
    pixels[: side // 8] = 0  # a blank image would be refused
    return Image.fromarray(pixels)


def make_samples(folder: Path) -> list[Sample]:
    """Two train images of each class, grey 40 * class + 40 and 20 more, and a white test image."""
    samples = []
    for label, name in enumerate(LABELS):
        for number, value in enumerate((40 + 40 * label, 60 + 40 * label, 255)):
            path = folder / f"{name}_{number}.png"
            flat(value).save(path)
            part = "test" if number == 2 else "train"
            samples.append(Sample(source=path, name=f"in/{path.name}", label=label, split=part))  # type: ignore[arg-type]
    return samples


def test_images_and_means_are_of_the_train_part_without_copies(
    tmp_path: Path, drawn: dict[str, tuple[object, ...]]
) -> None:
    samples = make_samples(tmp_path)
    samples[1] = replace(samples[1], is_copy=True)
    files = show(samples, tmp_path / "shown", name="set", per_class=5)
    assert [file.name for file in files] == ["classes.png", "images.png", "means.png"]
    rows, _, title, _ = drawn["plot_images"]
    assert title == "set, train part: first images"
    assert isinstance(rows, list)
    assert [[name for name, _ in row] for row in rows] == [
        ["glioma_0.png"],
        *([f"{name}_0.png", f"{name}_1.png"] for name in LABELS[1:]),
    ]
    means, counts, _, _, _ = drawn["plot_means"]
    assert counts == [1, 2, 2, 2]
    assert isinstance(means, np.ndarray)
    assert [mean[64, 64] for mean in means] == [40, 90, 130, 170]  # rows below the black margin


def test_an_undivided_set_is_shown_whole(
    tmp_path: Path, drawn: dict[str, tuple[object, ...]]
) -> None:
    samples = [replace(sample, split="") for sample in make_samples(tmp_path)]
    show(samples, tmp_path / "shown", name="set")
    assert drawn["plot_means"][1] == [3, 3, 3, 3]
    assert drawn["plot_images"][2] == "set: first images"


def test_a_seed_draws_other_images_and_the_same_again(
    tmp_path: Path, drawn: dict[str, tuple[object, ...]]
) -> None:
    samples = [replace(sample, split="") for sample in make_samples(tmp_path)]

    def shown(seed: int | None) -> list[list[str]]:
        show(samples, tmp_path / "shown", name="set", per_class=2, seed=seed)
        rows = drawn["plot_images"][0]
        assert isinstance(rows, list)
        return [[name for name, _ in row] for row in rows]

    first = shown(None)
    assert first[0] == ["glioma_0.png", "glioma_1.png"]
    assert shown(1) == shown(1)
    assert len({str(shown(seed)) for seed in (None, 1, 2, 3)}) > 1


def test_damaged_images_of_any_part_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    samples = make_samples(tmp_path)
    for row in (0, 2):  # train and test
        source = samples[row].source
        assert isinstance(source, Path)
        source.write_bytes(source.read_bytes()[:60])
    with pytest.raises(DataRefused) as caught:
        show(samples, tmp_path / "shown", name="set")
    assert "in/glioma_0.png: corrupt" in caught.value.message
    assert "in/glioma_2.png: corrupt" in caught.value.message
    assert not (tmp_path / "shown").exists()


def test_a_folder_that_cannot_be_created_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match="cannot be created"):
        show(make_samples(tmp_path), tmp_path / "file" / "shown", name="set")


def pixels_of(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("L"))


def test_the_grid_keeps_the_shape_of_images_and_takes_any_name(tmp_path: Path) -> None:
    wide = Image.new("L", (120, 30), 0)
    names = ["$_^$.png", "x" * 200 + ".png", "bell\x07.png"]
    plot_images(
        [[(name, wide) for name in names], [], [], []], LABELS, "set $x$", tmp_path / "grid.png"
    )
    black = pixels_of(tmp_path / "grid.png") < 20
    # A bar of the image's width: four times as wide as high. Letters are smaller than that.
    columns = np.flatnonzero(black.sum(axis=0) > 30)
    width = len(columns) / len(names)
    height = np.median(black.sum(axis=0)[columns])
    assert width / height == pytest.approx(4, rel=0.1)  # a pixel more or less at every rim


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("gg (1).jpg", "gg (1).jpg"),
        ("brisc2025_train_00001_gl_ax_t1.jpg", "brisc2025_train_00001_gl_\nax_t1.jpg"),
        ("a_" + "b" * 40, "a_" + "b" * 24 + "\n" + "b" * 16),
        ("b" * 40 + "c" * 40, "b" * 26 + "\n…" + "c" * 25),
    ],
)
def test_a_long_name_is_wrapped_after_a_separator_and_loses_its_middle(
    name: str, lines: str
) -> None:
    assert two_lines(name) == lines


def test_a_class_without_images_has_no_mean(tmp_path: Path) -> None:
    means = np.zeros((4, 32, 32))
    means[1:] = 100
    plot_means(means, [0, 5, 5, 5], LABELS, "set", tmp_path / "means.png")
    assert pixels_of(tmp_path / "means.png").shape[1] > 800
