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


@pytest.mark.parametrize(
    "text",
    [
        *("localizer", "Loc", "3-plane loc", "3-pl T2* FGRE S", "3PLANELOC", "Locator", "Survey"),
        *("AAHead_Scout", "AAHScout", "Übersicht", "Ubersicht 3 Ebenen", "Repérage", "localizador"),
        *("localizzatore", "Lokalizer", "SmartBrain", "Fast View", "plan scan", "位置決め"),
    ],
)
def test_localizers_are_found_in_the_words_of_several_countries(text: str) -> None:
    assert "localizer" in described_as([text])


@pytest.mark.parametrize(
    "text", ["locally", "location", "localized", "allocated", "t1_mprage_sag_p2_iso", "Ax T1 FLAIR"]
)
def test_other_words_are_no_localizer(text: str) -> None:
    assert "localizer" not in described_as([text])


@pytest.mark.parametrize(
    "text",
    [
        *("T1 ohne KM", "T1 vor KM", "T1 vor Kontrastmittelgabe", "T1 sans gado", "T1 pre gad"),
        *("T1 PRE-GD", "T1 precontrast", "T1 non-contrast", "AX T1 W/O CONTRAST", "T1-C", "T1 C-"),
        *("T1 Gd-", "T1 senza m.d.c.", "T1 sin contraste", "T1 avant injection", "T1 nativ"),
        *("T1 nativ KM", "T1 unenhanced", "T1 KM frei", "T1 post op", "postop T1", "T1 post RT"),
        *("T1 post-treatment", "POST FOSSA T1", "T1 posterior", "phase contrast", "C-Spine", "T1"),
    ],
)
def test_what_denies_a_contrast_agent_or_speaks_of_none_describes_none(text: str) -> None:
    assert "contrast" not in described_as([text])


@pytest.mark.parametrize(
    "text",
    [
        *("T1 mit KM", "T1 nach i.v. KM", "t1 k.m.", "T1-KM", "T1KM", "T1 3D après injection"),
        *("T1 con contraste", "T1 con mdc", "T1 m.d.c.", "T1+C", "T1 C+", "T1-CE", "T1 w contrast"),
        *("T1 w/ contrast", "T1 3D +", "T1 post gad", "T1 post-op gad", "T1_POST", "T1-Gd"),
        *("T1 post-contrast", "T1 po kontrascie", "T1 met contrast", "T1 Dotarem", "T1 injecté"),
    ],
)
def test_contrast_is_described_in_several_languages(text: str) -> None:
    assert "contrast" in described_as([text])


def test_the_first_text_that_speaks_of_contrast_decides() -> None:
    assert "contrast" not in described_as(["t1 ohne KM", "Kopf mit KM"])
    assert "contrast" in described_as(["t1 mit KM", "Kopf ohne KM"])
    assert "contrast" in described_as(["t1", "Kopf mit KM"])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *(("*ci3d1_ns", "ciss"), ("t2_tfi_tra", "ciss"), ("t2_psif3d", "ciss"), ("DESS", "ciss")),
        *(("s3DI_MC_HR", "angio"), ("Polygone de Willis", "angio"), ("fl3d_ce", "angio")),
        *(("gre_field_mapping", "field_map"), ("*fm2d2r", "field_map"), ("B1 map", "b1_map")),
        *(("DYNAMIC TWIST", "perfusion"), ("Head_MRAC", "attenuation"), ("UTE", "ultrashort")),
        *(("SWIp", "swi"), ("SWAN", "swi"), ("T2 haem", "t2star"), ("T1 map", "relaxometry")),
        *(("gre MT on", "magnetization_transfer"), ("mp2rage_INV2", "late_inversion")),
        *(("Hirnarterien", "angio"), ("Sinus venosus", "angio"), ("Mikroblutung", "t2star")),
        *(("mGRE", "t2star"), ("fMRI", "epi"), ("Liquorfluss", "flow"), ("PD", "pd")),
        *(("Coil Survey", "calibration"), ("TOF_MIP", "projection"), ("FLUID_ATTENUATED", "flair")),
    ],
)
def test_sequences_with_the_times_of_a_t1_are_found(text: str, word: str) -> None:
    assert word in described_as([text])
    assert word not in described_as(["Ax T1 SE flow comp"])
