"""Where an object belongs is read from its header, however hostile: an answer, or a refusal in fixed words."""

import io
import random
import struct
import warnings
from pathlib import Path

import pytest
from dicom_files import MR_IMAGE, mr_slice, uid_of
from node_runs import study

from edge_infer.node.received import NotUnderstood, Received, read_received


def read(path: Path, sop_instance_uid: str = "") -> Received:
    return read_received(
        path,
        sop_class_uid=MR_IMAGE,
        sop_instance_uid=sop_instance_uid or uid_of("study", "series", 1),
    )


@pytest.fixture
def content() -> bytes:
    file = io.BytesIO()
    study("study", slices=1)[0].save_as(file, enforce_file_format=True)
    return file.getvalue()


def test_a_whole_object_is_placed_by_study_and_patient(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    received = read(path)
    assert received.study_instance_uid == uid_of("study")
    assert len(received.key) == 16
    assert received.name.endswith(".dcm")
    assert "CANARY" not in repr(received)


def test_an_object_that_is_not_what_the_command_says_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(content)
    with pytest.raises(NotUnderstood, match="not those of the sender's command"):
        read(path, "1.2.3")


def test_damaged_headers_are_placed_or_refused_and_nothing_else(
    tmp_path: Path, content: bytes
) -> None:
    rng = random.Random(3)  # noqa: S311 -- places, no secrets
    path, placed, refused = tmp_path / "a.dcm", 0, []
    end = content.index(struct.pack("<HH", 0x7FE0, 0x0010))
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 1, 2, 8])):
            damaged[rng.randrange(128, end)] = rng.randrange(256)
        path.write_bytes(damaged[: rng.choice([len(damaged), rng.randrange(100, end)])])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read(path)
                placed += 1
            except NotUnderstood as error:
                refused.append(error)
    assert placed > 50
    assert len(refused) > 50
    assert not [one for one in refused if "CANARY" in str(one)]
    assert not [one for one in refused if one.__context__ and not one.__suppress_context__]


def test_sequences_nested_without_end_are_refused(tmp_path: Path, content: bytes) -> None:
    item = struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    sequence = struct.pack("<HH2sHI", 0x0008, 0x1115, b"SQ", 0, 0xFFFFFFFF)
    place = content.index(struct.pack("<HH", 0x0008, 0x0016))  # before SOP Class UID
    path = tmp_path / "a.dcm"
    path.write_bytes(content[:place] + (sequence + item) * 20_000)
    with pytest.raises(NotUnderstood):
        read(path)


@pytest.mark.parametrize("uid", ["", "1.2.x", "../../etc", "1" * 65])
def test_a_study_uid_that_is_none_is_refused(tmp_path: Path, uid: str) -> None:
    path = tmp_path / "a.dcm"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = mr_slice(study("study", slices=1)[0].pixel_array, StudyInstanceUID=uid)
        image.save_as(path, enforce_file_format=True)
        with pytest.raises(NotUnderstood, match="StudyInstanceUID is missing or no UID"):
            read(path)
