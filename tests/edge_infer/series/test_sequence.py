"""What a series is taken for: times and code words count before words of the text, and nothing known is unknown."""

from typing import Any

import pytest

from edge_infer.scan_slice import Acquisition
from edge_infer.series.sequence import guess_sequence


def guess(**fields: Any) -> str:
    words = frozenset(fields.pop("words", "").split())
    given = Acquisition(modality="MR", described_as=words, **fields)
    return guess_sequence(given).name


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        # Gradient echo: MPRAGE, SPGR, VIBE.
        ({"scanning_sequence": ("GR",), "sequence_variant": ("MP",), "echo_time_ms": 2.9}, "t1"),
        (
            {
                "scanning_sequence": ("GR", "IR"),
                "sequence_variant": ("SP", "MP"),
                "echo_time_ms": 3.0,
                "inversion_time_ms": 900.0,
                "repetition_time_ms": 1900.0,
            },
            "t1",
        ),
        ({"scanning_sequence": ("GR",), "echo_time_ms": 4.0, "repetition_time_ms": 9.0}, "t1"),
        # MP2RAGE's second inversion is late: proton density, though its echo is short.
        (
            {"scanning_sequence": ("GR", "IR"), "echo_time_ms": 3.0, "inversion_time_ms": 2500.0},
            "other",
        ),
        # Spin echo.
        ({"scanning_sequence": ("SE",), "echo_time_ms": 12.0, "repetition_time_ms": 550.0}, "t1"),
        ({"scanning_sequence": ("SE",), "echo_time_ms": 100.0, "repetition_time_ms": 4e3}, "t2"),
        ({"scanning_sequence": ("SE",), "echo_time_ms": 15.0, "repetition_time_ms": 3e3}, "other"),
        (
            {
                "scanning_sequence": ("SE", "IR"),
                "echo_time_ms": 120.0,
                "repetition_time_ms": 9e3,
                "inversion_time_ms": 2500.0,
            },
            "flair",
        ),
        (
            {
                "scanning_sequence": ("SE", "IR"),
                "echo_time_ms": 10.0,
                "repetition_time_ms": 2e3,
                "inversion_time_ms": 860.0,
            },
            "t1",
        ),
        (
            {
                "scanning_sequence": ("SE", "IR"),
                "echo_time_ms": 40.0,
                "repetition_time_ms": 4e3,
                "inversion_time_ms": 160.0,
            },
            "other",
        ),
        # Echo-planar.
        ({"scanning_sequence": ("EP",), "echo_time_ms": 30.0}, "epi"),
        ({"scanning_sequence": ("EP", "SE"), "echo_time_ms": 80.0, "words": "dwi"}, "dwi"),
        ({"image_type": ("ORIGINAL", "PRIMARY", "DIFFUSION"), "echo_time_ms": 80.0}, "dwi"),
        ({"image_type": ("DERIVED", "SECONDARY", "ADC")}, "dwi"),
        # T2*, susceptibility, angiography: gradient echoes that are no T1.
        ({"scanning_sequence": ("GR",), "echo_time_ms": 20.0}, "other"),
        ({"scanning_sequence": ("GR",), "echo_time_ms": 5.0, "words": "angio"}, "other"),
        ({"scanning_sequence": ("GR",), "echo_time_ms": 5.0, "words": "perfusion t1"}, "other"),
        # Only words.
        ({"words": "t1 contrast"}, "t1"),
        ({"words": "mprage"}, "t1"),
        ({"words": "t2"}, "t2"),
        ({"words": "t2 flair"}, "flair"),
        ({"words": "t1 flair"}, "t1"),
        ({"words": "flair"}, "flair"),
        ({"words": "t1 t2"}, "unknown"),
        ({"words": "fat_saturated"}, "unknown"),
        ({}, "unknown"),
        ({"echo_time_ms": 12.0}, "unknown"),
        # A balanced steady state is T2/T1; one that is called T1 contradicts itself.
        (
            {"scanning_sequence": ("GR",), "sequence_variant": ("SS",), "echo_time_ms": 2.0},
            "other",
        ),
        ({"scanning_sequence": ("GR",), "sequence_variant": ("SK", "SS")}, "other"),
        (
            {
                "scanning_sequence": ("GR",),
                "sequence_variant": ("SS",),
                "echo_time_ms": 2.0,
                "words": "t1",
            },
            "unknown",
        ),
        (
            {
                "scanning_sequence": ("GR",),
                "sequence_variant": ("SS", "SP"),
                "echo_time_ms": 4.0,
                "repetition_time_ms": 8.0,
            },
            "t1",
        ),
        ({"sequence_variant": ("SS",), "echo_time_ms": 2.0, "repetition_time_ms": 5.0}, "other"),
        (
            {
                "scanning_sequence": ("GR",),
                "sequence_variant": ("TRSS", "SP"),
                "echo_time_ms": 5.0,
            },
            "other",
        ),
    ],
)
def test_a_sequence_is_told_from_what_is_known(fields: dict[str, Any], name: str) -> None:
    assert guess(**fields) == name


def test_what_the_scanner_set_counts_before_what_somebody_typed() -> None:
    given = Acquisition(
        modality="MR",
        scanning_sequence=("SE",),
        echo_time_ms=95.0,
        repetition_time_ms=4000.0,
        described_as=frozenset({"t1"}),
    )
    found = guess_sequence(given)
    assert found.name == "t2"
    assert found.reasons == ("TE 95 ms", "described as t1, which counts less")


def test_reasons_say_where_a_guess_comes_from() -> None:
    mprage = Acquisition(
        modality="MR",
        scanning_sequence=("GR",),
        sequence_variant=("MP",),
        echo_time_ms=2.93,
        described_as=frozenset({"t1"}),
    )
    assert guess_sequence(mprage).reasons == ("scanning sequence GR with MP, TE 2.93 ms",)
    words = guess_sequence(Acquisition(described_as=frozenset({"t2", "flair", "contrast"})))
    assert words.reasons == ("described as flair t2",)
    assert guess_sequence(Acquisition()).reasons == ()


@pytest.mark.parametrize(
    ("fields", "contrast"),
    [
        ({"contrast_agent": True}, "stated"),
        ({"contrast_agent": True, "described_as": frozenset({"contrast"})}, "stated"),
        ({"described_as": frozenset({"contrast", "t1"})}, "described"),
        ({"described_as": frozenset({"t1"})}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_a_contrast_agent_is_stated_described_or_unknown(
    fields: dict[str, Any], contrast: str
) -> None:
    assert guess_sequence(Acquisition(**fields)).contrast == contrast


def test_another_modality_is_another_sequence() -> None:
    found = guess_sequence(Acquisition(modality="CT", described_as=frozenset({"t1"})))
    assert (found.name, found.reasons[0]) == ("other", "modality CT")


GRADIENT = {"scanning_sequence": ("GR",), "echo_time_ms": 3.5, "repetition_time_ms": 25.0}
SPIN = {"scanning_sequence": ("SE",), "echo_time_ms": 12.0, "repetition_time_ms": 550.0}


def test_the_times_of_a_t1_are_those_that_the_next_tests_contradict() -> None:
    assert guess(**GRADIENT) == guess(**SPIN) == "t1"
    assert guess(**GRADIENT, words="t1 contrast") == "t1"


@pytest.mark.parametrize(
    "signs",
    [
        {"shows_vessels": True},
        {"sequence_variant": ("MTC", "SP")},
        {"acquisition_contrast": "TOF"},
        {"image_type": ("ORIGINAL", "PRIMARY", "M_PCA", "M")},
        {"inversion_time_ms": 2500.0},
        {"echo_time_ms": 0.07},
        {"repetition_time_ms": 6000.0},
        {"echo_time_ms": 1.0, "repetition_time_ms": 2.7},
        *({"words": word} for word in ("swi", "ciss", "angio", "perfusion", "field_map", "b1_map")),
        *({"words": word} for word in ("attenuation", "ultrashort", "calibration", "relaxometry")),
        *({"words": f"{word} t1"} for word in ("magnetization_transfer", "late_inversion", "pd")),
    ],
)
def test_a_gradient_echo_is_no_t1_if_anything_contradicts(signs: dict[str, Any]) -> None:
    assert guess(**{**GRADIENT, **signs}) == "other"


@pytest.mark.parametrize("times", [GRADIENT, SPIN])
@pytest.mark.parametrize(("words", "name"), [("t2", "t2"), ("flair", "flair"), ("dwi", "dwi")])
def test_times_of_a_t1_and_words_of_another_sequence_are_no_t1(
    times: dict[str, Any], words: str, name: str
) -> None:
    given = Acquisition(modality="MR", described_as=frozenset({words}), **times)
    found = guess_sequence(given)
    assert found.name == name
    assert "contradict" in found.reasons[1]


@pytest.mark.parametrize(
    ("contrast", "name"),
    [
        ("FLUID_ATTENUATED", "flair"),
        ("T2", "t2"),
        ("DIFFUSION", "dwi"),
        *((one, "other") for one in ("T2_STAR", "PROTON_DENSITY", "STIR", "PERFUSION", "TOF")),
        *((one, "other") for one in ("FLOW_ENCODED", "TAGGING")),
        ("T1", "t1"),
        ("", "unknown"),
    ],
)
def test_acquisition_contrast_tells(contrast: str, name: str) -> None:
    assert guess(acquisition_contrast=contrast) == name
    if contrast not in ("T1", ""):
        assert guess(acquisition_contrast=contrast, **SPIN) == name


def test_a_contrast_of_t1_does_not_count_against_its_times() -> None:
    assert guess(acquisition_contrast="T1", echo_time_ms=100.0) == "t2"
    assert guess(acquisition_contrast="T1", echo_time_ms=50.0, repetition_time_ms=4e3) == "other"


def test_a_t1_by_its_name_has_no_times_of_another_sequence() -> None:
    flair = {"scanning_sequence": ("SE", "IR"), "echo_time_ms": 31.0, "words": "t1 flair"}
    assert guess(**flair, repetition_time_ms=3100.0) == "t1"
    assert guess(**flair, repetition_time_ms=4000.0) == "other"
