"""Whether the header says head: a value that is there must be known as one, in the languages that are typed."""

import pytest
from dicom_files import drawn_volume, enhanced_mr, file_bytes, mr_slice
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from shown_scans import only_slice, refusal_of

HEAD = drawn_volume()[4]


def _said(part: str, encoding: str = "utf-8", character_set: str = "ISO_IR 192") -> bytes:
    """Return a file with any value, as scanners write them, whether it is a valid code word or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config.settings, "_writing_validation_mode", config.IGNORE)
        patch.setattr(config.settings, "reading_validation_mode", config.IGNORE)
        dataset = mr_slice(HEAD)
        dataset.SpecificCharacterSet = character_set
        # pydicom writes and reads code strings byte by byte.
        dataset.add_new("BodyPartExamined", "CS", part.encode(encoding).decode("latin-1"))
        return file_bytes(dataset)


def _region(code: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "SCT", meaning
    return Sequence([item])


@pytest.mark.parametrize(
    "part",
    [
        *("L-SPINE", "C-SPINE", "KNEE/L", "LOWER EXTREMITIES", "ABDOMEN-PELVIS", "ABDOMEN&PELVIS"),
        *("HWS/BWS", "WIRBELSÄULE", "Hüfte", "NECK", "FACE", "WHOLEBODY", "CAP", "MR", "колено"),
        *("FEMORAL HEAD", "HUMERAL HEAD", "HEAD OF PANCREAS", "Tête fémorale", "Hüftkopf"),
        *("cabeza femoral", "POPLITEAL FOSSA", "NEUROFORAMEN", "膝"),
    ],
)
def test_what_is_not_known_as_a_head_is_refused(part: str) -> None:
    assert refusal_of(_said(part)) == "other_body_part"
    warnings = only_slice(_said(part), despite=("other_body_part",)).warnings
    assert any("other_body_part" in warning for warning in warnings)


@pytest.mark.parametrize(
    "part",
    [
        *(
            "HEAD",
            "head",
            "HEAD/NECK",
            "HEAD&NECK",
            "MRI HEAD",
            "BRAIN W/O",
            "BRAIN SPINE",
            "SKULL",
        ),
        *("ENCEPHALE", "Encéphale", "CRÂNE", "TÊTE", "HERSENEN", "SCHÄDEL", "Schaedel", "Kopf"),
        *("CABEZA", "CEREBRO", "CABEÇA", "ENCEFALO", "TESTA", "ГОЛОВА", "головной мозг", "头部"),
        *("脳", "TEMPORAL BONE", "POSTERIOR FOSSA", "ORBITS", "IAC", "PITUITARY", "GŁOWA MÓZG"),
    ],
)
def test_heads_are_known_in_the_usual_languages(part: str) -> None:
    assert only_slice(_said(part)).warnings == ()


@pytest.mark.parametrize("part", ["", " ", "UNKNOWN", "NOT SPECIFIED", "NONE", "N/A", "-"])
def test_only_what_says_nothing_is_unknown(part: str) -> None:
    assert only_slice(_said(part)).warnings == ("the header does not say which part of the body",)


def test_the_region_counts_by_its_code_whatever_its_words() -> None:
    def given(code: str, meaning: str, part: str | None = None) -> str:
        sequence = _region(code, meaning)
        return refusal_of(mr_slice(HEAD, BodyPartExamined=part, AnatomicRegionSequence=sequence))

    assert given("12738006", "something") == given("0", "Encéphale") == "read"
    assert given("72696002", "Knee region") == "other_body_part"
    assert given("72696002", "Knee region", "HEAD") == "other_body_part"
    assert given("12738006", "Brain", "KNEE") == "other_body_part"


def test_the_region_of_a_frame_is_looked_at() -> None:
    dataset = enhanced_mr(BodyPartExamined=None)
    item = Dataset()
    item.AnatomicRegionSequence = _region("72696002", "Knee region")
    dataset.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = Sequence([item])
    assert refusal_of(dataset) == "other_body_part"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"SeriesDescription": "PD_TSE_SAG_FS_KNIE"}, "other_body_part"),
        ({"SeriesDescription": "t1_tse_tra Becken"}, "other_body_part"),
        ({"StudyDescription": "MRT Knie links", "SeriesDescription": "t1"}, "other_body_part"),
        ({"StudyDescription": "Schädel und HWS", "SeriesDescription": "t1"}, "read"),
        ({"StudyDescription": "MRT Schädel", "SeriesDescription": "t1 HWS"}, "other_body_part"),
        ({"SeriesDescription": "t1 hippocampus spin echo"}, "read"),
        ({"SeriesDescription": "t1 KNIE", "BodyPartExamined": "HEAD"}, "read"),
    ],
)
def test_texts_can_say_no_where_nothing_else_is_said(texts: dict[str, str], expected: str) -> None:
    assert refusal_of(mr_slice(HEAD, **{"BodyPartExamined": None, **texts})) == expected


@pytest.mark.parametrize(
    ("part", "encoding", "character_set"),
    [
        ("SCHÄDEL", "latin-1", "ISO_IR 100"),
        ("SCHÄDEL", "utf-8", "ISO_IR 100"),
        ("SCHÄDEL", "latin-1", "ISO_IR 192"),
        ("ГОЛОВА", "iso8859-5", "ISO_IR 144"),
        ("头部", "gb18030", "GB18030"),
    ],
)
def test_letters_are_read_in_the_character_set_of_the_file(
    part: str, encoding: str, character_set: str
) -> None:
    assert refusal_of(_said(part, encoding, character_set)) == "read"
