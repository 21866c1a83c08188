from pathlib import Path

import numpy as np
import pytest
from phantom_volumes import sees_lesion, write_phantom_volumes

from train.volumes.answers import SliceAnswers, ask
from train.volumes.examples import choose
from train.volumes.slices import read_slices


@pytest.fixture
def answers(tmp_path: Path) -> SliceAnswers:
    slices = read_slices(write_phantom_volumes(tmp_path / "set", patients=4, slices=6, healthy=2))
    return ask(sees_lesion, slices, np.zeros((len(slices), 64, 64), dtype=np.uint8))


def test_every_tumour_stands_above_a_slice_of_its_own_volume(answers: SliceAnswers) -> None:
    chosen = choose(answers, each=6)
    pairs = list(zip(chosen.tumours, chosen.without, strict=True))
    assert len(set(chosen.tumours)) == len(set(chosen.without)) == len(pairs) == 6
    for tumour, without in pairs:
        assert answers.slices[tumour].shows_tumour
        assert not answers.slices[without].shows_tumour
        assert answers.slices[tumour].volume == answers.slices[without].volume
    first = {answers.slices[row].volume for row in chosen.tumours[:4]}
    assert len(first) == 4, "one of every volume before a second of any"


def test_other_sources_are_those_without_a_mixed_volume(answers: SliceAnswers) -> None:
    chosen = choose(answers, each=6)
    assert {answers.slices[row].source for row in chosen.others} == {"healthy T1"}
    assert len(set(chosen.others)) == 6


def test_the_choice_is_random_and_repeatable(answers: SliceAnswers) -> None:
    assert choose(answers, seed=1) == choose(answers, seed=1)
    assert choose(answers, seed=1) != choose(answers, seed=2)


def test_there_may_be_nothing_to_draw_of_a_kind(answers: SliceAnswers) -> None:
    healthy = answers.only(answers.rows("healthy T1"))
    assert choose(healthy).tumours == ()
    mixed = answers.only(answers.rows("mixed T1c"))
    assert choose(mixed).others == ()
