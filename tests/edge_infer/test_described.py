"""Words found in the free text of a header."""

import pytest

from edge_infer.described import DESCRIPTIONS, described_as


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anat-T1w", {"t1"}),
        ("ADNI_Sag3D MPRAGE", {"t1", "mprage"}),
        ("*tfl3d1", {"t1", "mprage"}),
        ("AX T1 POST GD", {"t1", "contrast"}),
        ("T1 +C", {"t1", "contrast"}),
        ("t1ce", {"t1", "contrast"}),
        ("T1C", {"t1", "contrast"}),
        ("T1 SE KM tra", {"t1", "contrast"}),
        ("Sag3DT1", {"t1"}),
        ("AXT1 C+", {"t1", "contrast"}),
        ("AX T2 FLAIR", {"t2", "flair"}),
        ("T2*", {"t2star"}),
        ("t2_star", {"t2star"}),
        ("ep2d_diff_mddw_30", {"dwi", "epi"}),
        ("*epfid2d1_64", {"epi"}),
        ("3-plane loc", {"localizer"}),
        ("posterior", set()),
        ("T2 post fossa", {"t2"}),
        ("CANARY^NAME Gregory Epiphany Locke", set()),
        ("", set()),
    ],
)
def test_sequences_and_contrast_are_found(text: str, expected: set[str]) -> None:
    assert described_as([text]) == expected


def test_only_words_of_the_list_come_out() -> None:
    texts = ["CANARY t1 CANARY", "flair" * 100, "\x00\xff" * 500]
    assert described_as(texts) <= DESCRIPTIONS


def test_a_long_text_is_looked_at_only_in_part() -> None:
    assert described_as(["x " * 200 + "t1"]) == set()
