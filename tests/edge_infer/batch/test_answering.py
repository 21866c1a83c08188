"""Units become rows: what Python gives for them, in the same order, and a reason for each one that fails."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import CANARIES, file_bytes, mosaic, mr_series, secondary_capture, write_files
from PIL import Image
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import GOLDEN, files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.batch import answering, study_rows
from edge_infer.batch.answering import answer_units
from edge_infer.batch.listing import list_units
from edge_infer.batch.row import FIELDS, Row
from edge_infer.batch.statistics import Counts
from edge_infer.batch.units import Unit
from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier, Outcome
from edge_infer.drift.image_facts import FACTS, image_facts
from edge_infer.errors import BundleIntegrity, MissingDependency, NonFiniteOutput
from edge_infer.series.study import open_study
from edge_infer.study_run import run_study

NAMES = [name for name, _, _ in FIELDS]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return Classifier.load(path, num_threads=1)


def png(grey: np.ndarray = GOLDEN[0]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "png")
    return stream.getvalue()


def rows_of(
    classifier: Classifier, *units: Unit | Path, embeddings: bool = False, **options: Any
) -> list[Row]:
    made = [one if isinstance(one, Unit) else Unit(kind="image", source=str(one)) for one in units]
    answers = answer_units(
        classifier, enumerate(made), on_start=lambda _: None, embeddings=embeddings, **options
    )
    return [row for _, rows in answers for row in rows]


def write_study(folder: Path, *, name: str = "a", count: int = 4, **attributes: Any) -> list[Path]:
    greys = [HEALTHY, GLIOMA, GLIOMA, GLIOMA]
    volume = np.stack([greys[number * 4 // count] for number in range(count)]).astype(np.uint16)
    window = {"WindowCenter": "128", "WindowWidth": "256"}
    return write_files(folder, mr_series(volume, series=name, **window, **attributes), stem=name)


def test_a_row_holds_what_python_gives(classifier: Classifier, tmp_path: Path) -> None:
    path = tmp_path / "golden.png"
    path.write_bytes(png())
    expected = classifier.keeping(embedding=True).predict(path)
    (row,) = rows_of(classifier, path, embeddings=True)
    assert expected.seen is not None
    assert expected.embedding is not None
    assert row == {
        **dict.fromkeys(NAMES),
        "unit": 0,
        "row": 0,
        "kind": "image",
        "source": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "state": "answered",
        "decision": expected.decision,
        "reasons": [reason.value for reason in expected.reasons],
        "label": expected.label,
        "score": expected.score,
        "probabilities": list(expected.probabilities.values()),
        "prediction_set": list(expected.prediction_set),
        "scope_score": expected.scope_score,
        "warnings": list(expected.warnings),
        "width": 32,
        "height": 32,
        "image_facts": list(image_facts(expected.seen)),
        "embedding": [float(number) for number in expected.embedding],
    }
    assert list(row) == NAMES
    assert len(row["image_facts"]) == len(FACTS)


def test_embeddings_are_there_only_if_asked_for(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (row,) = rows_of(classifier, tmp_path / "a.png")
    assert row["embedding"] is None


@pytest.mark.parametrize(
    ("content", "code", "is_read"),
    [
        (None, "unreadable", False),
        (b"", "corrupt", True),
        (png()[:-20], "corrupt", True),
        (b"%PDF-1.4", "unsupported", True),
        (png(np.zeros((8, 8), dtype=np.uint8)), "unsupported", True),
    ],
    ids=["missing", "empty", "cut", "another format", "too small"],
)
def test_an_image_that_fails_is_a_row_and_the_others_have_theirs(
    classifier: Classifier, tmp_path: Path, content: bytes | None, code: str, is_read: bool
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(png())
    if content is not None:
        bad.write_bytes(content)
    first, failed, last = rows_of(classifier, good, bad, good)
    assert first["state"] == last["state"] == "answered"
    assert {**first, "unit": 2} == last
    assert (failed["state"], failed["code"], failed["kind"]) == ("failed", code, "image")
    assert failed["message"].startswith(f"{bad}: ")
    assert failed["label"] is None
    digest = hashlib.sha256(content or b"").hexdigest()
    assert failed["sha256"] == (digest if is_read else None)


def test_a_unit_is_told_of_before_it_is_read_and_after_the_one_before_was_given_out(
    classifier: Classifier, tmp_path: Path
) -> None:
    events: list[str] = []
    study = write_study(tmp_path / "study")
    units: list[Unit] = []
    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png())
        units.append(Unit(kind="image", source=str(tmp_path / f"{number}.png")))
    units.insert(2, Unit(kind="study", source=str(study[0].parent), members=tuple(map(str, study))))

    def taken() -> Iterator[tuple[int, Unit]]:
        for number, unit in enumerate(units):
            events.append(f"taken {number}")
            yield number, unit
            Path(unit.source).unlink() if unit.kind == "image" else None

    def on_start(number: int) -> None:
        events.append(f"start {number}")
        source = Path(units[number].source)
        if number == 1:  # nothing of it was read before
            source.write_bytes(b"")

    answers = answer_units(classifier, taken(), on_start=on_start, embeddings=False)
    states = []
    for number, rows in answers:
        events.append(f"given {number}")
        states.append(rows[0]["state"])
    assert events == [f"{what} {n}" for n in range(4) for what in ("taken", "start", "given")]
    assert states == ["answered", "failed", "answered", "answered"]


def test_rows_are_the_same_in_whatever_pieces_units_come(
    classifier: Classifier, tmp_path: Path
) -> None:
    write_study(tmp_path / "study")
    (tmp_path / "study" / "x").write_bytes(file_bytes(mosaic()))
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "b.png").write_bytes(b"")
    units = list(list_units([tmp_path]))
    together = rows_of(classifier, *units, embeddings=True)
    apart = [
        {**row, "unit": number}
        for number, unit in enumerate(units)
        for row in rows_of(classifier, unit, embeddings=True)
    ]
    assert together == apart == json.loads(json.dumps(together, allow_nan=False))
    assert {tuple(row) for row in together} == {tuple(NAMES)}


def test_members_of_an_archive_are_answered_as_their_files_would_be(
    classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (alone,) = rows_of(classifier, tmp_path / "a.png")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("deep/a.png", png())
        archive.writestr("b.png", b"no image")
    bad, good = rows_of(classifier, *list_units([tmp_path / "a.zip"]))
    source = str(tmp_path / "a.zip")
    assert good == {**alone, "unit": 1, "source": source, "member": "deep/a.png"}
    assert (bad["source"], bad["member"], bad["code"]) == (source, "b.png", "corrupt")
    assert bad["message"].startswith(f"{source}!b.png: ")


def _bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.png", bytes(2**22))


def _encrypted(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.png", png())
    path.write_bytes(
        path.read_bytes().replace(b"PK\x01\x02\x14\x03\x14\0\0\0", b"PK\x01\x02\x14\x03\x14\0\1\0")
    )


def _gone(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("y.png", png())


@pytest.mark.parametrize(
    ("write", "code"),
    [
        (_bomb, "over_limit"),
        (_encrypted, "unsupported"),
        (_gone, "unreadable"),
        (lambda path: path.write_bytes(b"PK\x03\x04"), "corrupt"),
        (Path.exists, "unreadable"),
    ],
    ids=["bomb", "encrypted", "not in it", "damaged", "missing"],
)
def test_a_member_that_cannot_be_read_is_a_row(
    classifier: Classifier, tmp_path: Path, write: Callable[[Path], object], code: str
) -> None:
    write(tmp_path / "a.zip")
    unit = Unit(kind="image", source=str(tmp_path / "a.zip"), members=("x.png",))
    (row,) = rows_of(classifier, unit)
    assert (row["state"], row["code"], row["sha256"]) == ("failed", code, None)


def test_an_archive_is_opened_once_for_all_its_images(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", png())
    units = list(list_units([tmp_path / "a.zip"]))
    opened: list[object] = []
    original = zipfile.ZipFile.__init__

    def counted(self: zipfile.ZipFile, *given: Any, **options: Any) -> None:
        opened.append(given)
        original(self, *given, **options)

    monkeypatch.setattr(zipfile.ZipFile, "__init__", counted)
    assert [row["state"] for row in rows_of(classifier, *units)] == ["answered"] * 5
    assert len(opened) == 1


def test_a_study_has_a_row_for_each_slice_each_series_and_each_refused_file(
    classifier: Classifier, tmp_path: Path
) -> None:
    folder = tmp_path / "study"
    paths = write_study(folder, Manufacturer="SIEMENS", ManufacturerModelName="Prisma_fit")
    (folder / "capture").write_bytes(file_bytes(secondary_capture()))
    (expected,) = run_study(classifier, paths)
    rows = rows_of(classifier, *list_units([folder]))
    assert [row["kind"] for row in rows] == ["refused", *["slice"] * 4, "series"]
    assert [row["row"] for row in rows] == list(range(6))
    assert {row["source"] for row in rows} == {str(folder)}
    refused, *slices, series = rows
    assert (refused["member"], refused["state"], refused["code"]) == (
        "capture",
        "failed",
        "scan_refused",
    )
    for row, answer, path in zip(slices, expected.slices, paths, strict=True):
        assert answer.outcome is not None
        assert answer.outcome.prediction is not None
        prediction = answer.outcome.prediction
        assert row["member"] == path.name
        assert row["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert (row["label"], row["score"]) == (prediction.label, prediction.score)
        assert row["scope_score"] == prediction.scope_score
        assert (row["plane"], row["series"]) == ("axial", 1)
        assert row["series_instance_uid"] == expected.series_instance_uid
        assert row["device"] == "Siemens Prisma Fit"
        assert len(row["image_facts"]) == len(FACTS)
    assert {
        "state": "answered",
        "decision": "accept",
        "reasons": [],
        "label": expected.label,
        "score": expected.score,
        "finding": "tumour_evidence",
        "warnings": list(expected.warnings),
        "plane": "axial",
        "device": "Siemens Prisma Fit",
        "series": 1,
        "series_instance_uid": expected.series_instance_uid,
        "member": None,
    }.items() <= series.items()


def test_facts_and_embeddings_are_those_of_their_slice(
    classifier: Classifier, tmp_path: Path
) -> None:
    paths = write_study(tmp_path / "study")
    paths[1].write_bytes(paths[1].read_bytes()[:-700])  # fails, and must not shift the others'
    keeping = classifier.keeping(seen=True, embedding=True)
    (study,) = open_study(paths).series
    expected = [
        next(keeping.predict_each([one.read().source])).prediction
        for one in study.slices
        if one.file.path != paths[1]
    ]
    rows = rows_of(classifier, *list_units([tmp_path]), embeddings=True)
    answered = [row for row in rows if row["kind"] == "slice" and row["state"] == "answered"]
    assert [row["state"] for row in rows] == ["answered", "failed", *["answered"] * 3]
    for row, one in zip(answered, expected, strict=True):
        assert one is not None
        assert one.seen is not None
        assert one.embedding is not None
        assert row["image_facts"] == list(image_facts(one.seen))
        assert row["embedding"] == one.embedding.tolist()
    (failed,) = (row for row in rows if row["state"] == "failed")
    assert (failed["code"], failed["image_facts"], failed["label"]) == ("corrupt", None, None)
    assert failed["sha256"] == hashlib.sha256(paths[1].read_bytes()).hexdigest()


def test_end_slices_are_not_asked_and_say_so(classifier: Classifier, tmp_path: Path) -> None:
    speck = np.zeros((32, 32), dtype=np.uint16)
    speck[14:18, 14:18] = 200
    volume = np.stack([speck, *[GLIOMA.astype(np.uint16)] * 3])
    window = {"WindowCenter": "128", "WindowWidth": "256"}
    write_files(tmp_path / "study", mr_series(volume, **window))
    rows = rows_of(classifier, *list_units([tmp_path]))
    assert [row["state"] for row in rows] == ["not_asked", *["answered"] * 4]
    assert rows[0]["label"] is None
    assert rows[0]["image_facts"] is None


def test_a_volume_counts_its_slices_as_frames(classifier: Classifier, tmp_path: Path) -> None:
    nibabel = pytest.importorskip("nibabel")
    volume = np.stack([GLIOMA] * 3, axis=-1).astype(np.int16)
    image = nibabel.Nifti1Image(volume, np.diag([1.0, 1.0, 5.0, 1.0]))
    (tmp_path / "v.nii").write_bytes(image.to_bytes())
    rows = rows_of(classifier, *list_units([tmp_path]))
    assert [(row["kind"], row["frame"]) for row in rows] == [
        ("slice", 1),
        ("slice", 2),
        ("slice", 3),
        ("series", None),
    ]
    assert {row["member"] for row in rows} == {None}
    assert {row["source"] for row in rows} == {str(tmp_path / "v.nii")}


def test_a_study_in_an_archive_names_its_members(classifier: Classifier, tmp_path: Path) -> None:
    paths = write_study(tmp_path / "study")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in paths:
            archive.write(path, f"x/{path.name}")
    rows = rows_of(classifier, *list_units([tmp_path / "a.zip"]))
    assert [row["member"] for row in rows] == [*(f"x/{path.name}" for path in paths), None]
    plain = rows_of(classifier, *list_units([tmp_path / "study"]))
    assert [row["score"] for row in rows] == [row["score"] for row in plain]


@pytest.mark.parametrize(
    ("unit", "code"),
    [
        (Unit(kind="study", source="/nowhere"), "unreadable"),
        (Unit(kind="study", source="/nowhere", members=("/nowhere/1",)), "unreadable"),
        (Unit(kind="study", source="/dev/null"), "unreadable"),
    ],
)
def test_a_study_that_cannot_be_read_is_a_row(
    classifier: Classifier, unit: Unit, code: str
) -> None:
    (row,) = rows_of(classifier, unit)
    assert (row["state"], row["code"]) == ("failed", code)


def test_a_folder_without_anything_says_what_is_there(
    classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (row,) = rows_of(classifier, Unit(kind="study", source=str(tmp_path)))
    assert (row["kind"], row["state"], row["code"]) == ("series", "failed", "no_inputs")
    assert "notes.txt" in row["message"]


def test_an_archive_that_is_damaged_is_a_row(classifier: Classifier, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 and nothing")
    (row,) = rows_of(classifier, *list_units([tmp_path / "a.zip"]))
    assert (row["kind"], row["state"], row["code"]) == ("refused", "failed", "corrupt")
    assert row["member"] is None


def test_an_archive_within_an_archive_is_left_out_beside_scans_and_no_failure(
    classifier: Classifier, tmp_path: Path
) -> None:
    paths = write_study(tmp_path / "study")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
        archive.writestr("viewer.jar", b"PK\x03\x04")
        archive.writestr("capture", file_bytes(secondary_capture()))
    listing = list_units([tmp_path / "a.zip"])
    rows = rows_of(classifier, *listing)
    assert [row["kind"] for row in rows] == ["refused", *["slice"] * 4, "series"]
    assert (rows[0]["member"], rows[0]["code"]) == ("capture", "scan_refused")
    assert listing.left_out_counts == {"nested": 1}


def test_an_archive_of_nothing_but_archives_says_so(classifier: Classifier, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("b.zip", b"PK\x03\x04")
    unit = Unit(kind="study", source=str(tmp_path / "a.zip"))
    (row,) = rows_of(classifier, unit)
    assert (row["kind"], row["member"], row["code"]) == ("refused", "b.zip", "unsupported")


def test_a_series_of_damaged_slices_fails_as_often_as_it_has_slices(
    classifier: Classifier, tmp_path: Path
) -> None:
    for path in write_study(tmp_path / "study", count=3):
        path.write_bytes(path.read_bytes()[:-700])
    counts = Counts()
    for row in rows_of(classifier, *list_units([tmp_path])):
        counts.add(row)
    assert counts.states == {"slice": {"failed": 3}, "series": {"failed": 1}}
    assert counts.failures["corrupt"]["count"] == 3


def test_text_that_utf8_cannot_hold_is_escaped(classifier: Classifier) -> None:
    unit = Unit(kind="image", source="/nowhere/\udcff é.png", members=("\udcfe\n.png",))
    (row,) = rows_of(classifier, unit)
    assert row["source"] == "/nowhere/\\udcff é.png"
    assert row["member"] == "\\udcfe\n.png"
    json.dumps(row, ensure_ascii=False).encode()


def test_no_patient_data_is_in_any_row(classifier: Classifier, tmp_path: Path) -> None:
    write_study(tmp_path / "study")
    (tmp_path / "study" / "x").write_bytes(file_bytes(secondary_capture()))
    rows = rows_of(classifier, *list_units([tmp_path]))
    text = json.dumps(rows)
    assert not [word for word in CANARIES.values() if word in text]


def test_a_failure_of_the_model_is_that_of_its_unit(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    error = NonFiniteOutput("a.png: model gave NaN")
    monkeypatch.setattr(
        Classifier, "predict_each", lambda *_, **__: iter([Outcome(source="a", error=error)])
    )
    (row,) = rows_of(classifier, tmp_path / "a.png")
    assert (row["code"], row["sha256"]) == ("non_finite", hashlib.sha256(png()).hexdigest())


def test_what_is_wrong_with_the_machine_is_no_row(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path / "study")
    (tmp_path / "a.png").write_bytes(png())
    units = list(list_units([tmp_path]))
    from edge_infer.batch import sorting
    from edge_infer.dicom import quiet

    for room in (sorting, quiet):
        monkeypatch.setattr(room, "find_spec", lambda _: None)
    with pytest.raises(MissingDependency, match="pydicom"):
        rows_of(classifier, units[1])
    changed = BundleIntegrity("bundle has changed")
    monkeypatch.setattr(
        Classifier, "predict_each", lambda *_, **__: iter([Outcome(source="a", error=changed)])
    )
    with pytest.raises(BundleIntegrity):
        rows_of(classifier, units[0])


def test_want_of_memory_is_a_row(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png())

    def greedy(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(study_rows, "open_study", greedy)
    monkeypatch.setattr(answering, "open_named", greedy)
    units = [Unit(kind=kind, source=str(tmp_path / "a.png")) for kind in ("study", "image")]
    assert [row["code"] for row in rows_of(classifier, *units)] == ["over_limit"] * 2


def test_reading_that_takes_too_long_is_a_row(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    (tmp_path / "a.png").write_bytes(png())
    hang = threading.Event()
    original = answering.open_named

    def slow(content: bytes, name: str) -> Any:
        hang.wait(5)
        return original(content, name)

    monkeypatch.setattr(answering, "open_named", slow)
    (row,) = rows_of(classifier, tmp_path / "a.png", timeout_s=0.05)
    hang.set()
    assert (row["code"], row["sha256"]) == ("timed_out", None)


def test_headers_that_take_too_long_are_a_row_and_a_long_study_has_its_time(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    write_study(tmp_path / "study")
    (unit,) = list_units([tmp_path])
    original = study_rows.open_study

    def slow(paths: Any, **options: Any) -> Any:
        time.sleep(1.2)
        return original(paths, **options)

    monkeypatch.setattr(study_rows, "open_study", slow)
    assert len(rows_of(classifier, unit, timeout_s=0.8)) == 5  # 3.2 s for four files
    (row,) = rows_of(classifier, Unit(kind="study", source=unit.members[0]), timeout_s=0.8)
    assert row["code"] == "timed_out"


def test_a_study_that_breaks_off_leaves_nothing_to_the_next_unit(
    classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_study(tmp_path / "a")
    write_study(tmp_path / "b", count=8)
    (tmp_path / "c.png").write_bytes(png(GOLDEN[1]))
    image, first, second = list_units([tmp_path])
    expected = rows_of(classifier, second, image)
    original = study_rows.run_series

    def breaks_off(asked: Classifier, series: Any, **options: Any) -> Any:
        original(asked, series, **options)
        monkeypatch.setattr(study_rows, "run_series", original)
        raise MemoryError

    for later in (second, image):
        monkeypatch.setattr(study_rows, "run_series", breaks_off)
        failed, *rows = rows_of(classifier, first, later)
        assert failed["code"] == "over_limit"
        kept = [row["image_facts"] for row in expected if row["source"] == later.source]
        assert [row["image_facts"] for row in rows] == kept
