"""An object store of this machine, spoken to as to any other: listed, answered, and its failures rows."""

import io
import logging
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

from edge_infer.batch import remote
from edge_infer.batch.answering import answer_units
from edge_infer.batch.listing import list_units
from edge_infer.batch.row import Row
from edge_infer.batch.units import Unit
from edge_infer.classifier import Classifier

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the store and its client
]
moto_server = pytest.importorskip("moto.server")
s3fs = pytest.importorskip("s3fs")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A bucket, found by the environment alone."""
    for name, value in {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "SECRET-KEY",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(remote, "_PAUSES_S", (0.0, 0.0))
    system = s3fs.S3FileSystem()
    system.mkdir("archive")
    yield system
    system.rm("archive", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(scope="module")
def classifier(bundle_path: Path) -> Classifier:
    return Classifier.load(bundle_path, num_threads=1)


def png(grey: np.ndarray = GOLDEN[0]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(grey).save(stream, "png")
    return stream.getvalue()


def rows_of(classifier: Classifier, units: Any) -> list[Row]:
    answers = answer_units(classifier, enumerate(units), on_start=lambda _: None, embeddings=False)
    return [row for _, rows in answers for row in rows]


def test_a_bucket_is_answered_as_the_folder_it_was_filled_from(
    store: Any, classifier: Classifier, tmp_path: Path
) -> None:
    volume = np.stack([HEALTHY, GLIOMA, GLIOMA, GLIOMA]).astype(np.uint16)
    slices = mr_series(volume, WindowCenter="128", WindowWidth="256")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/a.png", png())
    files = {
        "a b+é.png": png(),
        "empty.png": b"",
        "empty": b"",
        "notes.txt": b"x",
        ".hidden.png": png(),
        "letter.docx": packed.getvalue(),
        **{f"deep/study/{n}": file_bytes(one) for n, one in enumerate(slices)},
    }
    for name, content in files.items():
        store.pipe_file(f"archive/in/{name}", content)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    store.pipe_file("archive/in/deep/", b"")  # what consoles make for a folder
    places = ["", "/letter.docx"]
    here = list_units([f"{tmp_path}{place}" for place in places])
    there = list_units([f"s3://archive/in{place}" for place in places])
    expected = rows_of(classifier, here)
    rows = rows_of(classifier, there)
    assert there.left_out_counts == here.left_out_counts
    for row in rows:
        row["source"] = row["source"].replace("s3://archive/in", str(tmp_path))
        row["message"] = row["message"] and row["message"].replace("s3://archive/in", str(tmp_path))
    assert rows == expected
    assert not store.dircache  # lists of folders are not kept
    assert [row["state"] for row in rows] == ["answered", "failed", *["answered"] * 6]


def test_what_a_store_refuses_is_a_row_without_its_words(
    store: Any, classifier: Classifier
) -> None:
    units = [
        Unit(kind="image", source="s3://archive/missing.png"),
        Unit(kind="image", source="s3://nobody-has-this/x.png"),
        Unit(kind="study", source="s3://archive", members=("s3://archive/1",)),
        Unit(kind="image", source="s3://archive/a.zip", members=("x.png",)),
    ]
    rows = rows_of(classifier, units)
    assert [row["code"] for row in rows] == ["unreadable"] * 4
    assert not [row for row in rows if "SECRET" in row["message"]]
    assert store is not None
