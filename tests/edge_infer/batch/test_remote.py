"""What lies at URLs is found and answered as on a disk, without a byte written; what goes wrong there is a row."""

import io
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dicom_files import file_bytes, mr_series
from PIL import Image
from scan_slices import GLIOMA, HEALTHY
from tiny_bundle import GOLDEN

from edge_infer.batch import remote, remote_folders, study_rows
from edge_infer.batch.answering import answer_units
from edge_infer.batch.listing import list_units
from edge_infer.batch.row import Row
from edge_infer.batch.units import Unit
from edge_infer.classifier import Classifier
from edge_infer.errors import InputOverLimit, MissingDependency, NoInputs, UnreadableInput

pytest.importorskip("fsspec")
from fsspec.implementations.memory import MemoryFileSystem

NIFTI = (348).to_bytes(4, "little") + bytes(340) + b"n+1\0" + bytes(160)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFileSystem]:
    """A store in this process, asked without pauses."""
    monkeypatch.setattr(remote, "_PAUSES_S", (0.0, 0.0))
    system = MemoryFileSystem()
    yield system
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def classifier(bundle_path: Path) -> Classifier:
    return Classifier.load(bundle_path, num_threads=1)


def png(grey: np.ndarray = GOLDEN[0]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "png")
    return stream.getvalue()


def study() -> dict[str, bytes]:
    volume = np.stack([HEALTHY, GLIOMA, GLIOMA, GLIOMA]).astype(np.uint16)
    slices = mr_series(volume, WindowCenter="128", WindowWidth="256")
    return {f"{number}.dcm": file_bytes(one) for number, one in enumerate(slices)}


def rows_of(classifier: Classifier, units: Any, **options: Any) -> list[Row]:
    answers = answer_units(
        classifier, enumerate(units), on_start=lambda _: None, embeddings=False, **options
    )
    return [row for _, rows in answers for row in rows]


def test_a_folder_at_a_url_gives_the_units_of_one_on_the_disk(
    store: MemoryFileSystem, tmp_path: Path
) -> None:
    files = {
        "b.png": b"",
        "a b#?%41é.jpg": b"",
        "notes.txt": b"x",
        "empty": b"",
        ".hidden.png": b"",
        "__MACOSX/x.png": b"",
        "deep/x.heatmap.png": b"",
        "deep/archive": b"PK\x03\x04",
        "deep/er/volume": NIFTI,
        **{f"study/{name}": content for name, content in study().items()},
    }
    for name, content in files.items():
        store.pipe_file(f"/in/{name}", content)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    here, there = list_units([tmp_path]), list_units(["memory://in"])
    moved = [
        Unit(
            kind=one.kind,
            source=one.source.replace("memory:///in", str(tmp_path)),
            members=tuple(name.replace("memory:///in", str(tmp_path)) for name in one.members),
        )
        for one in there
    ]
    assert moved == list(here)
    assert there.left_out_counts == here.left_out_counts
    assert len(moved) == 4


def test_what_lies_at_urls_is_answered_as_on_the_disk(
    store: MemoryFileSystem, tmp_path: Path, classifier: Classifier
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/a.png", png())
        for name, content in study().items():
            archive.writestr(name, content)
    files = {
        "a.png": png(),
        "a.zip": packed.getvalue(),
        **{f"study/{name}": content for name, content in study().items()},
    }
    for name, content in files.items():
        store.pipe_file(f"/in/{name}", content)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    names = ["a.png", "a.zip", "study", "study/1.dcm"]
    here = rows_of(classifier, list_units([tmp_path / name for name in names]))
    there = rows_of(classifier, list_units([f"memory://in/{name}" for name in names]))
    places = [str(row["source"]).rpartition("in/")[2] for row in there]
    assert set(places) == {"a.png", "a.zip", "study", "study/1.dcm"}
    assert [
        {**row, "source": str(tmp_path / place)} for row, place in zip(there, places, strict=True)
    ] == here
    assert len(here) == 1 + 1 + 5 + 5 + 2


def test_a_url_that_is_missing_or_empty_is_a_row(
    store: MemoryFileSystem, classifier: Classifier
) -> None:
    store.pipe_file("/in/empty.png", b"")
    store.pipe_file("/in/empty", b"")
    store.mkdir("/nothing")
    urls = ["no.png", "no", "in/empty.png", "in/empty", "nothing"]
    rows = rows_of(classifier, list_units([f"memory://{url}" for url in urls]))
    assert [row["code"] for row in rows] == [
        "unreadable",
        "unreadable",
        "corrupt",
        "corrupt",
        "unreadable",
    ]
    assert [row["source"] for row in rows] == [f"memory://{url}" for url in urls]


def test_a_folder_at_a_url_without_anything_is_said(store: MemoryFileSystem) -> None:
    store.mkdir("/nothing")
    with pytest.raises(NoInputs):
        list(list_units(["memory://nothing"]))


def test_a_folder_that_cannot_be_listed_ends_the_listing_without_the_words_of_the_store(
    store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a/1.png", "b/2.png", "c/3.png"):
        store.pipe_file(f"/in/{name}", b"")
    listed = MemoryFileSystem.ls

    def forbidding(self: MemoryFileSystem, path: str, **options: Any) -> Any:
        if path.endswith("/b"):
            raise PermissionError("AKIA-SECRET-KEY")
        return listed(self, path, **options)

    monkeypatch.setattr(MemoryFileSystem, "ls", forbidding)
    with pytest.raises(UnreadableInput, match="in/b: cannot be read") as caught:
        list(list_units(["memory://in"]))
    assert "SECRET" not in str(caught.value)


def test_a_file_that_cannot_be_looked_at_is_a_unit(
    store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe_file("/in/IM1", b"x")
    store.pipe_file("/in/empty", b"")  # not asked for a part of nothing, which stores refuse
    store.pipe_file("/in/x.png", b"x")

    def failing(*_: object, **__: object) -> bytes:
        raise ConnectionResetError

    monkeypatch.setattr(MemoryFileSystem, "cat_file", failing)
    units = [one.source for one in list_units(["memory://in", "memory://in/IM1"])]
    assert units == ["memory:///in/IM1", "memory:///in/x.png", "memory://in/IM1"]


def test_folders_in_a_circle_end(store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(_self: object, path: str, **_: object) -> list[dict[str, Any]]:
        return [{"name": f"{path}/a", "type": "directory", "size": 0}]

    store.mkdir("/in")
    monkeypatch.setattr(MemoryFileSystem, "ls", endless)
    monkeypatch.setattr(remote_folders, "_MOST_LEVELS", 5)
    (unit,) = list_units(["memory://in"])
    assert unit.source.endswith("in/a/a/a/a/a/a")


class Flaky:
    """Raises so often, then answers."""

    def __init__(self, error: Exception, times: int) -> None:
        self.error, self.left, self.asked = error, times, 0

    def __call__(self, *_: object, **__: object) -> Any:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error
        return io.BytesIO(b"content")


@pytest.mark.parametrize(
    ("error", "times", "asked"),
    [
        (ConnectionResetError("x"), 2, 3),
        (RuntimeError("AKIA-SECRET-KEY"), 3, 3),
        (FileNotFoundError("x"), 1, 1),
        (PermissionError("AKIA-SECRET-KEY"), 1, 1),
    ],
)
def test_a_store_is_asked_again_where_that_may_help(
    store: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    times: int,
    asked: int,
) -> None:
    flaky = Flaky(error, times)
    monkeypatch.setattr(MemoryFileSystem, "open", flaky)
    if times < asked:
        assert remote.read_url("memory://x", limit=100) == b"content"
    else:
        with pytest.raises(UnreadableInput) as caught:
            remote.read_url("memory://x", limit=100)
        assert "SECRET" not in str(caught.value)
        assert caught.value.__cause__ is None
    assert flaky.asked == asked
    assert store is not None


def test_what_is_larger_than_the_limit_is_not_read(
    store: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.pipe_file("/large", bytes(101))
    store.pipe_file("/right", bytes(100))
    assert len(remote.read_url("memory://right", limit=100)) == 100
    with pytest.raises(InputOverLimit):
        remote.read_url("memory://large", limit=100)
    # A server that states no size, or a wrong one.
    monkeypatch.setattr(MemoryFileSystem, "open", lambda *_, **__: io.BytesIO(bytes(101)))
    with pytest.raises(InputOverLimit):
        remote.read_url("memory://large", limit=100)


def test_a_study_over_the_limit_of_memory_is_a_row(
    store: MemoryFileSystem, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, content in study().items():
        store.pipe_file(f"/in/{name}", content)
    monkeypatch.setattr(study_rows, "MAX_SCAN_BYTES", 5000)
    (row,) = rows_of(classifier, list_units(["memory://in"]))
    assert (row["state"], row["code"]) == ("failed", "over_limit")


def test_a_store_that_hangs_is_left_after_the_time_limit(
    store: MemoryFileSystem, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hang = threading.Event()
    monkeypatch.setattr(MemoryFileSystem, "open", lambda *_, **__: hang.wait(5))
    units = [
        Unit(kind="image", source="memory://a.png"),
        Unit(kind="study", source="memory://a", members=("memory://a/1",)),
    ]
    rows = rows_of(classifier, units, timeout_s=0.05)
    hang.set()
    assert [row["code"] for row in rows] == ["timed_out"] * 2
    assert store is not None


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(MissingDependency, match="fsspec") as caught:
        list(list_units(["memory://x"]))
    assert caught.value.hint == "pip install 'brain-edge[scale]'"


def test_a_protocol_without_its_package_names_it() -> None:
    pytest.importorskip("fsspec")
    with pytest.raises(MissingDependency, match="gcsfs"):
        list(list_units(["gs://bucket/x"]))
