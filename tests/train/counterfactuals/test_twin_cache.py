import dataclasses
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_infer.contract import LABELS
from train.counterfactuals.cache import TwinCache, TwinSource
from train.counterfactuals.progress import reported
from train.counterfactuals.twins import removed

HEALTHY = LABELS.index("no_tumor")
# Row 0 belongs to another part; the tumour of row 5 has no mask.
ROWS, LABELS_OF_ROWS = [1, 2, 3, 4, 5], [0, HEALTHY, 3, HEALTHY, 1]


@pytest.fixture(scope="module")
def source(make_pair: Callable[[str, int], Any]) -> TwinSource:
    drawn = ["disc", "disc", "no_tumor", "disc", "no_tumor", "disc"]
    pairs = [make_pair(label, number) for number, label in enumerate(drawn)]
    masks = np.stack([np.where(pair.mask, np.uint8(255), np.uint8(0)) for pair in pairs])
    masks[5] = 0
    return TwinSource(
        key="images-and-masks",
        pixels=np.stack([pair.scan for pair in pairs]),
        masks=masks,
        known=np.array([True, True, False, True, False, False]),
        rows=ROWS,
        labels=LABELS_OF_ROWS,
    )


@pytest.fixture(scope="module")
def built(source: TwinSource, tmp_path_factory: pytest.TempPathFactory) -> TwinCache:
    return TwinCache.build(source, tmp_path_factory.mktemp("cache"), seed=3)


def count_made(source: TwinSource, folder: Path, seed: int = 3) -> int:
    calls: list[tuple[int, int]] = []
    TwinCache.build(source, folder, seed=seed, progress=lambda *done: calls.append(done))
    assert calls == [(number + 1, len(source.rows)) for number in range(len(calls))]
    return len(calls)


def everything(twins: TwinCache) -> list[bytes]:
    return [np.asarray(getattr(twins, x.name)).tobytes() for x in dataclasses.fields(twins)]


def test_every_image_of_the_part_has_its_row(source: TwinSource, built: TwinCache) -> None:
    shape = (5, *source.pixels.shape[1:])
    assert built.changed.shape == built.changed_masks.shape == built.harmless.shape == shape
    assert built.changed_labels.tolist()[0] == built.changed_labels.tolist()[2] == HEALTHY
    assert built.changed_labels[4] == -1
    assert not built.has_harmless[4]
    assert not built.changed[4].any()
    assert built.has_harmless.any()
    with pytest.raises(ValueError, match="read-only"):
        built.changed[0, 0, 0] = 1


def test_a_tumour_is_removed_and_its_mask_is_empty(source: TwinSource, built: TwinCache) -> None:
    for index in (0, 2):
        row = ROWS[index]
        expected = removed(source.pixels[row], source.masks[row] > 0)
        assert expected is not None
        np.testing.assert_array_equal(built.changed[index], expected.image)
        assert not built.changed_masks[index].any()


def test_a_healthy_head_gets_a_tumour_of_the_part_its_class_and_its_outline(
    source: TwinSource, built: TwinCache
) -> None:
    for index in (1, 3):
        assert built.changed_labels[index] in (0, 3), "class 1 has no outline"
        mask = built.changed_masks[index]
        assert set(np.unique(mask)) == {0, 255}
        of_class = ROWS[LABELS_OF_ROWS.index(int(built.changed_labels[index]))]
        assert (mask > 0).sum() == (source.masks[of_class] > 0).sum()
        changed = built.changed[index] != source.pixels[ROWS[index]]
        assert (changed & (mask > 0)).sum() > 0.8 * (mask > 0).sum()


def test_a_harmless_change_is_of_the_same_image_beside_its_tumour(
    source: TwinSource, built: TwinCache
) -> None:
    for index in np.flatnonzero(built.has_harmless):
        row = ROWS[index]
        changed = built.harmless[index] != source.pixels[row]
        assert 0 < changed.mean() < 0.3
        assert not (changed & (source.masks[row] > 0)).any()


def test_a_finished_cache_is_opened_and_another_seed_source_or_part_gets_its_own(
    source: TwinSource, built: TwinCache, tmp_path: Path
) -> None:
    assert count_made(source, tmp_path) == 5
    assert count_made(source, tmp_path) == 0
    assert everything(TwinCache.build(source, tmp_path, seed=3)) == everything(built)
    assert count_made(source, tmp_path, seed=4) == 5
    assert count_made(dataclasses.replace(source, key="other masks"), tmp_path) == 5
    assert count_made(dataclasses.replace(source, rows=[1, 2], labels=[0, 2]), tmp_path) == 2
    assert count_made(dataclasses.replace(source, labels=[3, 2, 3, 2, 1]), tmp_path) == 5
    assert len(list(tmp_path.iterdir())) == 5


def test_an_image_does_not_depend_on_those_made_before_it(
    source: TwinSource, built: TwinCache, tmp_path: Path
) -> None:
    # Of a blank head nothing is made, and fewer random numbers are drawn.
    pixels = source.pixels.copy()
    pixels[ROWS[1]] = 0
    other = TwinCache.build(
        dataclasses.replace(source, key="blank", pixels=pixels), tmp_path, seed=3
    )
    assert other.changed_labels[1] == -1
    assert not other.has_harmless[1]
    for index in (0, 2, 3):
        assert other.changed_labels[index] == built.changed_labels[index]
        np.testing.assert_array_equal(other.changed[index], built.changed[index])
        np.testing.assert_array_equal(other.harmless[index], built.harmless[index])


def test_a_damaged_cache_is_made_again(source: TwinSource, tmp_path: Path) -> None:
    good = everything(TwinCache.build(source, tmp_path, seed=3))
    (folder,) = tmp_path.iterdir()
    data = bytearray((folder / "pixels.npy").read_bytes())
    data[-1] ^= 255
    (folder / "pixels.npy").write_bytes(data)
    assert count_made(source, tmp_path) == 5
    assert everything(TwinCache.build(source, tmp_path, seed=3)) == good


def test_a_build_that_is_stopped_leaves_nothing(source: TwinSource, tmp_path: Path) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        TwinCache.build(source, tmp_path, seed=3, progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert count_made(source, tmp_path) == 5


def test_without_any_outline_there_are_no_twins(source: TwinSource, tmp_path: Path) -> None:
    unknown = dataclasses.replace(source, known=np.zeros(6, dtype=bool))
    twins = TwinCache.build(unknown, tmp_path, seed=3)
    assert twins.changed_labels.tolist() == [-1] * 5
    assert not twins.has_harmless.any()


def test_a_log_has_a_line_each_tenth_and_none_without_work(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False)
    with caplog.at_level(logging.INFO), reported("images") as progress:
        assert not caplog.messages
        for done in range(1, 26):
            progress(done, 25)
    assert caplog.messages[0] == "images: 3 of 25 made (10 %)"
    assert caplog.messages[-1] == "images: 25 of 25 made (100 %)"
    assert len(caplog.messages) == 10


def test_a_terminal_has_a_bar_and_no_lines(
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("tqdm.std.time", lambda: next(clock))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with caplog.at_level(logging.INFO):
        with reported("images"):
            pass
        assert capsys.readouterr().err == ""
        with reported("images") as progress:
            for done in range(1, 5):
                progress(done, 4)
    shown = capsys.readouterr().err
    assert "making images" in shown
    assert "4/4" in shown
    assert not caplog.messages
