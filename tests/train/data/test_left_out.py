"""Files of a data set are used, refused by name or reported as left out: none is dropped silently."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from edge_infer.contract import LABELS
from edge_infer.errors import CannotWrite, DataRefused, UnreadableInput
from train.commands.data import main
from train.data.cached_rows import cached_rows
from train.data.layouts import load_samples
from train.data.manifest_csv import read_manifest, write_manifest
from train.data.samples import Sample
from train.loop.torch_state import save_state
from train.splits.division_text import lacking_text
from train.splits.sample_rows import part_rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two images of each class, not divided."""
    root = tmp_path / "data"
    for label in LABELS:
        (root / label).mkdir(parents=True)
        for number in (1, 2):
            _image(root / label / f"{number}.png", seed=number + 10 * LABELS.index(label))
    return root


def _image(path: Path, *, seed: int) -> None:
    grey = np.random.default_rng(seed).integers(0, 255, (32, 32), dtype=np.uint8)
    Image.fromarray(grey).save(path)


def test_broken_links_are_named_in_every_command(data: Path, tmp_path: Path) -> None:
    (data / "glioma" / "3.png").symlink_to("annex/3.png")
    (data / "glioma" / "loop.png").symlink_to("loop.png")
    for command in (
        ["audit", str(data)],
        ["split", str(data), "--output", str(tmp_path / "m.csv")],
        ["show", str(data), "--output", str(tmp_path / "shown")],
    ):
        result = CliRunner().invoke(main, command)
        assert result.exit_code == 26
        assert "glioma/3.png: is a broken link" in result.stderr
        assert "glioma/loop.png: is a broken link" in result.stderr


def test_a_class_folder_that_is_a_broken_link_is_named(data: Path) -> None:
    (data / "glioma").rename(data.parent / "moved")
    (data / "glioma").symlink_to("moved")
    with pytest.raises(DataRefused, match="glioma: is a broken link"):
        load_samples(data)


def test_linked_folders_are_read_and_their_manifest_too(data: Path, tmp_path: Path) -> None:
    batch = tmp_path / "batch2"
    batch.mkdir()
    _image(batch / "9.png", seed=9)
    (data / "glioma" / "batch2").symlink_to(batch)
    samples = load_samples(data)
    assert "glioma/batch2/9.png" in [sample.name for sample in samples]
    for where in (data / "manifest.csv", tmp_path / "manifest.csv"):
        write_manifest(where, samples)
        assert len(load_samples(data, manifest=where)) == 9


def test_a_folder_that_is_linked_twice_or_in_a_circle_is_refused(data: Path) -> None:
    (data / "glioma" / "up").symlink_to("..")
    with pytest.raises(DataRefused, match=r"is linked to a folder that is read already"):
        load_samples(data)
    (data / "glioma" / "up").unlink()
    (data / "glioma" / "again").symlink_to("../meningioma")
    with pytest.raises(DataRefused, match=r"is linked to a folder that is read already"):
        load_samples(data)


def test_special_files_and_names_that_are_not_utf8_are_refused(data: Path) -> None:
    os.mkfifo(data / "glioma" / "pipe.png")
    _image(data / "glioma" / "x.png", seed=1)
    (data / "glioma" / "x.png").rename(data / "glioma" / os.fsdecode(b"Gr\xf6sse.png"))
    with pytest.raises(DataRefused) as caught:
        load_samples(data, verify=False)
    assert "glioma/pipe.png: is not a regular file" in caught.value.message
    assert r"glioma/Gr\udcf6sse.png: its name is not UTF-8" in caught.value.message


def test_a_data_set_in_a_folder_whose_name_is_not_utf8_is_read(data: Path, tmp_path: Path) -> None:
    for label in LABELS:
        for number in range(3, 9):
            _image(data / label / f"{number}.png", seed=100 * number + LABELS.index(label))
    root = tmp_path / os.fsdecode(b"Gr\xf6sse")
    data.rename(root)
    result = CliRunner().invoke(main, ["audit", str(root)])
    assert result.exit_code == 0, result.output
    assert "32 images" in result.stdout
    inside = CliRunner().invoke(main, ["split", str(root), "--output", str(root / "m.csv")])
    assert inside.exit_code == 0, inside.output
    assert {row.dataset for row in read_manifest(root / "m.csv")} == {r"Gr\udcf6sse"}
    outside = CliRunner().invoke(main, ["split", str(root), "--output", str(tmp_path / "m.csv")])
    assert outside.exit_code == 26
    assert "not UTF-8" in outside.stderr


def test_a_folder_that_may_not_be_read_is_not_called_empty(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: Callable[[Path], list[str]] = os.listdir

    def list_folder(path: Path) -> list[str]:
        if Path(path).name == "glioma":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", list_folder)
    with pytest.raises(UnreadableInput, match="glioma: folder cannot be read"):
        load_samples(data)


def test_what_lies_beside_the_classes_is_said(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _image(data / "stray.png", seed=3)
    with caplog.at_level(logging.WARNING):
        load_samples(data)
    assert "left out: 1 images that lie in no class folder: stray.png" in caplog.text
    divided = tmp_path / "divided"
    (divided / "masks").mkdir(parents=True)
    data.rename(divided / "train")
    with caplog.at_level(logging.WARNING):
        assert len(load_samples(divided)) == 8
    assert "left out: 1 folders beside the parts: masks" in caplog.text


def _samples(counts: dict[str, dict[str, int]]) -> list[Sample]:
    return [
        Sample(source=b"", name=f"{part}/{name}/{n}", label=LABELS.index(name), split=part)  # type: ignore[arg-type]
        for part, of_class in counts.items()
        for name, count in of_class.items()
        for n in range(count)
    ]


def test_a_missing_class_is_explained_by_what_is_missing() -> None:
    full = dict.fromkeys(LABELS, 2)
    three = {**full, "no_tumor": 0}
    for samples, hint in (
        (
            _samples({"train": three, "val": three}),
            "has none; train and val need images of all 4",
        ),
        (_samples({"": full}), "pass it with --manifest"),
        (_samples({"train": three, "val": full}), "the data set has 2 of no_tumor"),
    ):
        with pytest.raises(DataRefused) as caught:
            part_rows(samples, "train")
        assert hint in caught.value.hint


def test_a_class_that_a_part_lacks_is_said() -> None:
    full, three = dict.fromkeys(LABELS, 1), {**dict.fromkeys(LABELS, 1), "glioma": 0}
    assert lacking_text(_samples({"train": full, "val": full})) == ""
    assert lacking_text(_samples({"train": full, "val": three, "test": three})) == (
        "glioma in val and test"
    )


def test_split_warns_of_a_class_that_is_missing(data: Path, tmp_path: Path) -> None:
    for file in (data / "no_tumor").iterdir():
        file.rename(data / "pituitary" / f"moved-{file.name}")
    (data / "no_tumor").rmdir()
    result = CliRunner().invoke(main, ["split", str(data), "--output", str(tmp_path / "m.csv")])
    assert result.exit_code == 0
    assert "no image of" in result.stderr
    assert "no_tumor in train" in result.stderr


FULL = """
import resource, sys
import torch
from pathlib import Path
from edge_infer.console import shown_to_user
from train.loop.torch_state import save_state
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
with shown_to_user():
    save_state({"weight": torch.zeros(10_000)}, Path(sys.argv[1]), "weights")
"""


def test_a_full_disk_is_no_bug_of_training(tmp_path: Path) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, "Traceback" in finished.stderr) == (40, False)
    assert "weights.safetensors: cannot be written" in finished.stderr
    with pytest.raises(CannotWrite):
        save_state({"weight": torch.zeros(2)}, tmp_path / "none", "weights")


def test_space_for_a_cache_is_taken_before_it_is_filled(tmp_path: Path) -> None:
    def fill(pixels: np.ndarray) -> dict[str, list[str]]:  # type: ignore[type-arg]
        (file,) = tmp_path.glob(".rows.*/pixels.npy")
        assert file.stat().st_blocks * 512 >= 4 * 64 * 64
        pixels[:] = 1
        return {"names": ["a", "b", "c", "d"]}

    cached_rows(tmp_path / "rows", (4, 64, 64), ("names",), fill)
