"""Slices of NIfTI volumes: how they lie and are shown, and what is refused."""

import gzip
import zlib
from itertools import permutations, product
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from dicom_files import drawn_volume, scan_file
from numpy.typing import NDArray
from shown_scans import pixels

from edge_infer import scan_files
from edge_infer.errors import (
    BrainError,
    CorruptImage,
    InputOverLimit,
    ScanRefused,
    UnsupportedImage,
)
from edge_infer.nifti.read import open_nifti
from edge_infer.scan_files import MAX_SCAN_BYTES
from edge_infer.scan_slice import ScanFile, ScanSlice
from edge_infer.stretch import BLANK, STRETCHED, stretch

VOLUME = drawn_volume(
    slices=5, rows=40, columns=34
)  # [z to the head, y to the back, x to the left]
#: In NIfTI's axes: x to the right, y to the front, z to the head.
RAS = np.ascontiguousarray(VOLUME.transpose(2, 1, 0)[::-1, ::-1]).astype(np.int16)
THICK = np.diag([1.0, 1.0, 4.0, 1.0])


def _bytes(data: NDArray[Any], affine: NDArray[Any] | None = THICK, **header: Any) -> bytes:
    image = nibabel.Nifti1Image(data, affine)
    for field, value in header.items():
        image.header[field] = value
    found: bytes = image.to_bytes()
    return found


def _open(data: bytes, name: str = "scan.nii.gz") -> list[ScanSlice]:
    return open_nifti(scan_file(data, name))


def _expected(values: NDArray[Any]) -> NDArray[np.int64]:
    grey = stretch(values.astype(float))
    assert grey is not None
    return np.rint(grey).astype(np.int64)


def test_axial_slices_are_shown_from_the_feet_with_the_front_above() -> None:
    slices = _open(_bytes(RAS))
    assert [one.name for one in slices] == [f"scan.nii.gz#{number}" for number in range(1, 6)]
    for at, one in enumerate(slices):
        found = one.read()
        np.testing.assert_array_equal(pixels(found), _expected(VOLUME[at]))
        assert found.grey == STRETCHED
    geometry = slices[1].geometry
    assert geometry is not None
    assert (geometry.plane, geometry.position_mm, geometry.spacing_mm) == ("axial", 4.0, (1.0, 1.0))
    assert slices[0].identity is None


def _stored(order: tuple[int, ...], signs: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the volume with its axes swapped and mirrored, and the affine that says so."""
    data, affine = RAS.transpose(order), THICK[:, [*order, 3]].copy()
    for axis, sign in enumerate(signs):
        if sign < 0:
            data = np.flip(data, axis)
            affine[:, 3] += affine[:, axis] * (data.shape[axis] - 1)
            affine[:, axis] *= -1
    return np.ascontiguousarray(data), affine


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_every_way_to_store_a_volume_shows_the_same(order: tuple[int, ...]) -> None:
    expected = [_expected(plane) for plane in VOLUME]
    for signs in product((1, -1), repeat=3):
        slices = _open(_bytes(*_stored(order, signs)))
        at = {round(one.geometry.position_mm / 4): one for one in slices if one.geometry}
        assert sorted(at) == list(range(5))
        assert {one.geometry.plane for one in slices if one.geometry} == {"axial"}
        for number, one in at.items():
            np.testing.assert_array_equal(pixels(one.read()), expected[number])


@pytest.mark.parametrize(("axis", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
def test_slices_lie_across_the_largest_spacing(axis: int, plane: str) -> None:
    spacing = np.ones(4)
    spacing[axis] = 3
    slices = _open(_bytes(RAS.repeat(5, axis=2), np.diag(spacing)))
    assert {one.geometry.plane for one in slices if one.geometry} == {plane}


def test_slices_of_equal_spacing_are_axial_however_stored() -> None:
    data = np.ascontiguousarray(RAS.repeat(5, axis=2).transpose(2, 0, 1))
    affine = np.eye(4)[:, [2, 0, 1, 3]]
    assert {one.geometry.plane for one in _open(_bytes(data, affine)) if one.geometry} == {"axial"}


def test_flat_voxels_are_resampled_to_square_pixels() -> None:
    slices = _open(_bytes(RAS[:, ::2], np.diag([1.0, 2.0, 4.0, 1.0])))
    assert slices[2].read().source.image.size == (34, 40)


def test_scale_and_offset_of_the_header_are_applied() -> None:
    image = nibabel.Nifti1Image(RAS, THICK)
    image.header.set_slope_inter(2.5, -100)
    scaled = bytearray(image.to_bytes())
    scaled[112:120] = np.array([-2.5, 100], "<f4").tobytes()  # scl_slope, scl_inter
    found = pixels(_open(bytes(scaled))[2].read())
    np.testing.assert_array_equal(found, _expected(VOLUME[2] * -2.5 + 100))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_numbers_of_every_kind_are_read(dtype: str) -> None:
    data = (RAS // 6).astype(dtype)
    np.testing.assert_array_equal(pixels(_open(_bytes(data))[2].read()), _expected(VOLUME[2] // 6))


def test_both_versions_and_byte_orders_are_read() -> None:
    expected = _expected(VOLUME[2])
    second = nibabel.Nifti2Image(RAS, THICK).to_bytes()
    swapped = nibabel.Nifti1Image(RAS, THICK, nibabel.Nifti1Header(endianness=">")).to_bytes()
    for data in (second, swapped, gzip.compress(second), _bytes(RAS[..., None])):
        np.testing.assert_array_equal(pixels(_open(data)[2].read()), expected)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_a_header_of_another_length_is_refused(kind: Any) -> None:
    damaged = bytearray(kind(RAS, THICK).to_bytes())
    damaged[0] ^= 0x45  # nibabel logs it, and reads on
    with pytest.raises(CorruptImage, match="length that no header has"):
        _open(bytes(damaged))


def test_values_that_are_no_number_are_black_with_a_word() -> None:
    data = RAS.astype(np.float32)
    data[:, -5:, 2] = np.nan
    one = _open(_bytes(data))[2].read()
    assert not pixels(one)[:5].any()
    np.testing.assert_array_equal(pixels(one)[5:], _expected(VOLUME[2, 5:]))
    assert one.warnings == ("values that are no number are black",)


def test_a_blank_slice_is_black_with_a_word() -> None:
    data = RAS.copy()
    data[..., 0] = 0
    one = _open(_bytes(data))[0].read()
    assert not pixels(one).any()
    assert one.warnings == (BLANK,)


def test_a_volume_that_does_not_say_how_it_lies_says_so() -> None:
    image = nibabel.Nifti1Image(RAS, None)
    slices = _open(image.to_bytes())
    assert slices[0].geometry is None
    assert "does not say how the volume lies" in slices[0].warnings[0]
    np.testing.assert_array_equal(pixels(slices[2].read())[:, ::-1], _expected(VOLUME[2]))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_an_affine_that_is_none_says_so(value: float) -> None:
    data = bytearray(_bytes(RAS))
    data[280:284] = np.array([value], "<f4").tobytes()  # srow_x
    slices = _open(bytes(data))
    assert slices[0].geometry is None
    assert slices[2].read().source.image.size == (34, 40)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sub-01_T1w.nii.gz", {"t1"}),
        ("BraTS_001_t1ce.nii.gz", {"t1", "contrast"}),
        ("folder_t2/flair.nii", {"flair"}),
        ("study.zip!t1/scan.nii", set()),
    ],
)
def test_the_name_of_the_file_may_tell_the_sequence(name: str, expected: set[str]) -> None:
    assert _open(_bytes(RAS), name)[0].acquisition.described_as == expected


def test_the_description_is_shown_nowhere() -> None:
    slices = _open(_bytes(RAS, descrip=b"CANARY^NAME t2 flair"))
    assert slices[0].acquisition.described_as == {"t2", "flair"}
    assert "CANARY" not in repr(slices) + repr(slices[0].read())


def test_no_gzip_member_copies_those_behind_it() -> None:
    copied: list[int] = []

    class Watched(bytes):
        def __getitem__(self, part: Any) -> Any:
            found = super().__getitem__(part)
            copied.append(len(found))
            return found

    data = _bytes(RAS)
    packed = Watched(gzip.compress(data) + gzip.compress(b"") * 5000)
    assert scan_files.unpacked(packed, "x", is_gzip=True, limit=2**30) == data
    assert max(copied) <= 2**14 < len(packed) // 4


def test_what_unpacks_to_very_many_times_its_size_is_refused() -> None:
    packed = gzip.compress(_bytes(RAS) + bytes(17 * 2**20))
    with pytest.raises(InputOverLimit, match="more than 250 times its size"):
        _open(packed)


def test_what_begins_with_much_that_is_empty_is_unpacked_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scan_files, "_SOON", 0)
    asked: list[int] = []
    monkeypatch.setattr(scan_files, "make_room", lambda _layer, count, _name: asked.append(count))
    data = bytes(20 * 2**20) + np.random.default_rng(1).bytes(200_000)
    packed = zlib.compress(data, wbits=-15)  # which states no size
    assert scan_files.unpacked(packed, "x", is_gzip=False, limit=2**30) == data
    assert asked == [len(data)]  # nothing is kept before it is counted


def test_room_for_a_volume_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(scan_files, "make_room", lambda _layer, count, _name: asked.append(count))
    data = np.random.default_rng(1).bytes(200_000)
    packed = gzip.compress(data)
    assert scan_files.unpacked(packed, "x", is_gzip=True, limit=2**30) == data
    assert asked == [len(data)]
    with pytest.raises(zlib.error):  # a size that lies: asked for as it grows
        scan_files.unpacked(packed[:-4] + bytes(4), "x", is_gzip=True, limit=2**30)
    assert len(asked) > 10


def test_a_volume_is_unpacked_once() -> None:
    calls: list[int] = []
    data = gzip.compress(_bytes(RAS))

    def read() -> bytes:
        calls.append(1)
        return data

    slices = open_nifti(ScanFile(name="x.nii.gz", read=read))
    for one in slices:
        one.read()
    assert len(calls) == 2  # for the header, and for the slices


@pytest.mark.parametrize(
    ("data", "refusal"),
    [
        (_bytes(np.stack([RAS, RAS], axis=-1)), "several_volumes"),
        (_bytes(RAS, intent_code=1002), "not_an_image"),
        (_bytes(RAS, intent_code=5), "not_an_image"),
        (_bytes(RAS, intent_code=1007), "not_an_image"),
    ],
)
def test_volumes_that_are_no_scan_are_refused_by_name(data: bytes, refusal: str) -> None:
    with pytest.raises(ScanRefused) as caught:
        _open(data)
    assert caught.value.refusal == refusal


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_bytes(RAS.astype(np.complex64)), "kind"),
        (_bytes(np.zeros((32, 32, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])), "kind"),
        (_bytes(RAS[..., 0]), "2 dimensions"),
        (_bytes(RAS[:8]), "16 a side"),
        (_bytes(RAS)[:344] + b"ni1\0" + _bytes(RAS)[348:], "pair"),
    ],
)
def test_values_of_other_kinds_are_unsupported(data: bytes, words: str) -> None:
    with pytest.raises(UnsupportedImage, match=words):
        _open(data)


@pytest.mark.parametrize("share", [0.99, 0.5, 0.02])
def test_a_file_that_is_cut_short_is_refused(share: float) -> None:
    for data in (_bytes(RAS), gzip.compress(_bytes(RAS))):
        with pytest.raises(CorruptImage):
            _open(data[: int(len(data) * share)])


def test_what_is_no_nifti_is_corrupt() -> None:
    for data in (b"", b"n+1\0" * 200, gzip.compress(b"text " * 1000), bytes(400)):
        with pytest.raises(BrainError) as caught:
            _open(data)
        assert caught.value.code == "corrupt"


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_infer.nifti.volume.MAX_SCAN_BYTES", 2**20)
    packer = zlib.compressobj(wbits=31)
    bomb = packer.compress(bytes(2**24)) + packer.flush()
    assert len(bomb) < 2**15
    for data in (bomb, gzip.compress(bytes(2**19)) * 3):
        with pytest.raises(InputOverLimit, match="unpacks"):
            _open(data)


def test_sides_that_lie_are_refused() -> None:
    data = bytearray(_bytes(RAS))
    for sides in (
        [3, 30_000, 30_000, 4],
        [3, 40, 34, 500],
        [3, 32767, 32767, 32767],
        [3, -5, 34, 5],
    ):
        data[40:48] = np.array(sides, "<i2").tobytes()
        with pytest.raises(BrainError):
            _open(bytes(data))


@pytest.mark.real_scans
def test_the_mni_template_is_shown_upright(real_scans: Path) -> None:
    (path,) = (real_scans / "nifti").glob("mni*.nii.gz")
    slices = open_nifti(ScanFile.at(path, limit=MAX_SCAN_BYTES))
    assert len(slices) == 189
    image = pixels(slices[90].read())
    assert image.shape == (233, 197)
    # The frontal lobes are narrower than the parietal ones, and the two halves alike.
    widths = (image > 60).sum(axis=1)
    assert widths[40] < widths[150]
    assert np.abs(image - image[:, ::-1]).mean() < 2


def _with_forms(sform: NDArray[Any], qform: NDArray[Any], codes: tuple[int, int] = (1, 1)) -> bytes:
    image = nibabel.Nifti1Image(RAS, None)
    image.set_sform(sform, codes[0])
    image.set_qform(qform, codes[1])
    found: bytes = image.to_bytes()
    return found


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("codes", [(1, 1), (4, 1)])
def test_a_header_that_says_left_and_right_of_one_axis_is_refused(
    axis: int, codes: tuple[int, int]
) -> None:
    turned = THICK.copy()
    turned[:, axis] *= -1
    with pytest.raises(UnsupportedImage, match=f"axis {axis + 1} runs to the .* by its sform, and"):
        _open(_with_forms(THICK, turned, codes))
    # Only one of them counts where the other is not stated.
    assert len(_open(_with_forms(THICK, turned, (1, 0)))) == 5


@pytest.mark.parametrize(
    ("shift", "degrees", "said"), [(0, 0, 0), (0.2, 0, 0), (30, 0, 1), (0, 8, 1)]
)
def test_transforms_that_differ_a_little_are_said(shift: float, degrees: float, said: int) -> None:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    other = np.eye(4)
    other[1:3, 1:3] = [[cosine, -sine], [sine, cosine]]
    other = other @ THICK
    other[0, 3] += shift
    slices = _open(_with_forms(THICK, other))
    words = "sform and qform of the header disagree: the sform is used"
    assert [words in one.warnings for one in slices] == [bool(said)] * 5
    assert slices[1].geometry is not None
    assert slices[1].geometry.position_mm == pytest.approx(4.0)


@pytest.mark.parametrize(("unit", "scale"), [("meter", 0.001), ("micron", 1000.0), ("mm", 1.0)])
@pytest.mark.parametrize("which", ["sform", "qform"])
def test_units_are_turned_to_mm(unit: str, scale: float, which: str) -> None:
    affine = THICK.copy()
    affine[:3] *= scale
    affine[:3, 3] = np.array([3.0, -2.0, 10.0]) * scale
    image = nibabel.Nifti1Image(RAS, affine)
    image.header.set_xyzt_units(unit)
    image.set_sform(affine, int(which == "sform"))
    image.set_qform(affine, int(which == "qform"))
    slices = _open(image.to_bytes())
    places = [one.geometry.position_mm for one in slices if one.geometry]
    assert places == pytest.approx([10.0, 14.0, 18.0, 22.0, 26.0], abs=1e-3)
    assert slices[0].geometry is not None
    assert slices[0].geometry.spacing_mm == pytest.approx((1.0, 1.0), abs=1e-4)
    assert any("turned to mm" in one for one in slices[0].warnings) == (unit != "mm")


def test_sizes_of_voxels_that_contradict_the_transform_are_said_and_not_used() -> None:
    image = nibabel.Nifti1Image(RAS, THICK)
    image.set_qform(None, 0)
    image.header["pixdim"][1:4] = [6.5, 1, 1]
    slices = _open(image.to_bytes())
    assert any("pixdim" in one for one in slices[0].warnings)
    assert {one.geometry.plane for one in slices if one.geometry} == {"axial"}


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("side", [0, -3])
def test_a_side_without_voxels_is_called_so(axis: int, side: int) -> None:
    data = bytearray(_bytes(RAS))
    data[40 + 2 * axis : 42 + 2 * axis] = np.array([side], "<i2").tobytes()
    with pytest.raises(CorruptImage, match=f"a side of {side} voxels|damaged"):
        _open(bytes(data))
