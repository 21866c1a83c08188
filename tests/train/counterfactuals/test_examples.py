from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from masked_phantoms import write_masked_phantoms
from PIL import Image

from edge_infer.errors import DataRefused
from train.counterfactuals.examples import draw_examples
from train.data.samples import Sample
from train.data.tumour_masks import mask_file
from train.phantoms import phantom

SQUARE = (slice(25, 31), slice(42, 49))


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Four images a class in train and in test, of 64 pixels' side; tumours are small bright squares."""
    samples = write_masked_phantoms(tmp_path / "set")
    inside = np.zeros((64, 64), dtype=bool)
    inside[SQUARE] = True
    for number, sample in enumerate(samples):
        mask = mask_file(sample)
        if mask is not None:
            assert isinstance(sample.source, Path)
            grey = phantom("no_tumor", np.random.default_rng(number), 64) // 2
            Image.fromarray(np.where(inside, np.uint8(255), grey)).save(sample.source)
            Image.fromarray(inside).save(mask)
    return samples


def test_a_row_has_a_tumour_a_healthy_head_and_what_was_made_of_them(
    samples: list[Sample],
) -> None:
    (example,) = draw_examples(samples, count=1, seed=0)
    assert example.tumour_image.shape == example.healthy_image.shape == (512, 512)
    expected = np.zeros((64, 64), dtype=bool)
    expected[SQUARE] = True
    np.testing.assert_array_equal(example.mask, expected.repeat(8, 0).repeat(8, 1))
    assert example.tumour.class_name != "no_tumor"
    assert example.healthy.class_name == "no_tumor"
    assert example.removed is not None
    before, after = example.tumour_image[example.mask], example.removed.image[example.mask]
    assert before.mean() > 240
    assert after.mean() < 150
    assert example.harmless is not None
    np.testing.assert_array_equal(example.harmless.image[example.mask], before)
    assert example.pasted is not None
    assert (example.pasted.image != example.healthy_image).any()


def test_images_are_of_the_train_part_without_copies_and_classes_come_in_turn(
    samples: list[Sample],
) -> None:
    first = next(x for x in samples if x.split == "train" and x.class_name == "glioma")
    chosen = [replace(x, is_copy=True) if x is first else x for x in samples]
    progress: list[tuple[int, int]] = []
    examples = draw_examples(chosen, count=4, seed=1, progress=lambda *done: progress.append(done))
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]
    classes = [example.tumour.class_name for example in examples]
    assert classes == ["glioma", "meningioma", "pituitary", "glioma"]
    drawn = [sample for example in examples for sample in (example.tumour, example.healthy)]
    assert {sample.split for sample in drawn} == {"train"}
    assert len({sample.name for sample in drawn}) == 8
    assert first.name not in {sample.name for sample in drawn}


def test_the_seed_chooses_and_there_are_no_more_rows_than_scans(samples: list[Sample]) -> None:
    def names(seed: int, count: int = 2) -> list[str]:
        return [example.tumour.name for example in draw_examples(samples, count=count, seed=seed)]

    assert names(0) == names(0)
    assert len({tuple(names(seed)) for seed in range(4)}) > 1
    assert len(names(0, count=24)) == 4, "there are four healthy heads to train on"


def test_without_outlines_or_healthy_heads_it_is_refused(
    samples: list[Sample], phantom_samples: list[Sample]
) -> None:
    with pytest.raises(DataRefused, match="the train part has no scan with a tumour mask"):
        draw_examples(phantom_samples, count=2, seed=0)
    tumours = [sample for sample in samples if sample.class_name != "no_tumor"]
    with pytest.raises(DataRefused, match="the train part has no healthy head"):
        draw_examples(tumours, count=2, seed=0)
    undivided = [replace(sample, split="") for sample in tumours]
    with pytest.raises(DataRefused, match="the data set has no healthy head"):
        draw_examples(undivided, count=2, seed=0)


def test_files_that_cannot_be_read_are_all_named(samples: list[Sample]) -> None:
    healthy = [x for x in samples if x.split == "train" and x.class_name == "no_tumor"]
    for sample in healthy[:2]:
        assert isinstance(sample.source, Path)
        sample.source.write_bytes(sample.source.read_bytes()[:60])
    with pytest.raises(DataRefused, match="images or masks cannot be used") as refused:
        draw_examples(samples, count=4, seed=0)
    assert all(sample.name in refused.value.message for sample in healthy[:2])


def test_a_damaged_mask_or_one_of_another_size_is_named(samples: list[Sample]) -> None:
    chosen = [x for x in samples if x.class_name in ("glioma", "no_tumor")]
    masked = [x for x in chosen if x.split == "train" and x.class_name == "glioma"]
    files = [mask_file(sample) for sample in masked[:2]]
    assert files[0] is not None
    assert files[1] is not None
    files[0].write_bytes(files[0].read_bytes()[:-20])
    square = np.zeros((64, 65), dtype=bool)
    square[3:9, 3:9] = True
    Image.fromarray(square).save(files[1])
    with pytest.raises(DataRefused, match="images or masks cannot be used") as refused:
        draw_examples(chosen, count=4, seed=0)
    assert all(sample.name in refused.value.message for sample in masked[:2])
    assert "its mask is 65 x 64, but it is 64 x 64" in refused.value.message
