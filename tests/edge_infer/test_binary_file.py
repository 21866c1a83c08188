import hashlib
import io
import os
import socket
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tiny_bundle import scan

from edge_infer.binary_file import read_binary
from edge_infer.classifier import Classifier
from edge_infer.errors import BrainError, CorruptImage, InputOverLimit, UnreadableInput
from edge_infer.image_file import open_source, read_image
from edge_infer.image_limits import MAX_FILE_BYTES


def encoded() -> bytes:
    file = io.BytesIO()
    scan().save(file, "PNG")
    return file.getvalue()


DATA = encoded()


def from_pipe() -> object:
    reading, writing = os.pipe()
    os.write(writing, DATA)
    os.close(writing)
    return os.fdopen(reading, "rb", buffering=0)


def from_socket() -> object:
    ours, theirs = socket.socketpair()
    theirs.sendall(DATA)
    theirs.close()
    file = ours.makefile("rb")
    ours.close()
    return file


def from_zip() -> object:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Doe^John.png", DATA)
    return zipfile.ZipFile(packed).open("Doe^John.png")


def spooled() -> object:
    file = tempfile.SpooledTemporaryFile(max_size=10)  # noqa: SIM115 -- the test closes it
    file.write(DATA)
    file.seek(0)
    return file


class Dribbling:
    """Gives a few bytes at a time, as a slow network does."""

    def __init__(self) -> None:
        self.rest = DATA

    def read(self, size: int) -> bytes:
        given, self.rest = self.rest[: min(size, 100)], self.rest[min(size, 100) :]
        return given


FILES: dict[str, Callable[[], object]] = {
    "BytesIO": lambda: io.BytesIO(DATA),
    "pipe": from_pipe,
    "socket": from_socket,
    "member of a ZIP": from_zip,
    "spooled": spooled,
    "a few bytes at a time": Dribbling,
}


@pytest.mark.parametrize("make", FILES.values(), ids=FILES.keys())
def test_every_binary_file_is_read_whole_and_left_open(make: Callable[[], object]) -> None:
    file = make()
    source = open_source(file)  # type: ignore[arg-type]
    assert np.array_equal(np.asarray(source.image), np.asarray(scan()))
    assert source.sha256 == hashlib.sha256(DATA).hexdigest()
    assert not getattr(file, "closed", False)
    if hasattr(file, "close"):
        file.close()


def test_an_open_file_is_read_from_where_it_stands_and_shown_without_its_name(
    scan_path: Path,
) -> None:
    named = scan_path.rename(scan_path.with_name("Doe^John.png"))
    named.write_bytes(b"header" + DATA)
    with named.open("rb") as file:
        file.seek(6)
        source = open_source(file)
        assert source.name == "<file>"
        assert source.sha256 == hashlib.sha256(DATA).hexdigest()
        assert file.tell() == 6 + len(DATA)
        with pytest.raises(CorruptImage, match=r"<file>: file is empty \(0 bytes\).*seek\(0\)"):
            open_source(file)
        file.seek(0)
        with pytest.raises(BrainError) as caught:
            open_source(file)
        assert "Doe" not in str(caught.value)


@pytest.mark.parametrize("kind", [bytearray, memoryview, lambda data: memoryview(data)[:]])
def test_bytes_of_other_kinds_are_bytes(kind: Callable[[bytes], object]) -> None:
    source = open_source(kind(DATA))  # type: ignore[arg-type]
    assert (source.name, source.sha256) == ("<bytes>", hashlib.sha256(DATA).hexdigest())
    every_second = memoryview(bytes(byte for pair in zip(DATA, DATA, strict=True) for byte in pair))
    assert open_source(every_second[::2]).sha256 == source.sha256


def test_text_is_not_an_image(scan_path: Path) -> None:
    text_wrapper = tempfile.NamedTemporaryFile("w+")  # noqa: SIM115 -- closed below
    text_wrapper.write("text")
    text_wrapper.seek(0)
    with text_wrapper, scan_path.open(encoding="utf-8") as text:
        undecodable = tempfile.NamedTemporaryFile("w+", encoding="utf-8")  # noqa: SIM115
        Path(undecodable.name).write_bytes(DATA)
        for file in (text, io.StringIO("text"), text_wrapper, undecodable):
            with pytest.raises(TypeError, match=r"open\(path, 'rb'\)"):
                read_image(file)
        undecodable.close()


@pytest.mark.parametrize("given", [None, "text", 3, bytearray(b"x"), [b"x"]])
def test_what_reads_as_anything_but_bytes_is_refused(given: object) -> None:
    class Odd:
        def read(self, _size: int) -> object:
            return given

    with pytest.raises(TypeError, match=rf"returned {type(given).__name__}\), expected binary"):
        read_image(Odd())


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), TimeoutError(), EOFError("Doe^John.png")]
)
def test_an_error_while_reading_is_unreadable_and_the_next_image_is_answered(
    bundle_path: Path, error: Exception
) -> None:
    class Broken:
        def __init__(self) -> None:
            self.parts = [DATA[:50]]

        def read(self, _size: int) -> bytes:
            if self.parts:
                return self.parts.pop()
            raise error

    classifier = Classifier.load(bundle_path)
    bad, good = classifier.predict_each([Broken(), io.BytesIO(DATA)])
    assert isinstance(bad.error, UnreadableInput)
    assert bad.error.message.startswith("<file>: cannot be read (")
    assert "Doe" not in str(bad.error)
    assert good.prediction == classifier.predict(io.BytesIO(DATA))
    assert good.prediction is not None
    assert good.prediction.probabilities == classifier.predict(DATA).probabilities


def test_a_damaged_member_of_a_zip_is_unreadable() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("Doe^John.png", DATA)
    spoiled = bytearray(packed.getvalue())
    spoiled[len(DATA) // 2] ^= 1
    with zipfile.ZipFile(io.BytesIO(spoiled)) as archive, archive.open("Doe^John.png") as member:
        with pytest.raises(UnreadableInput, match="BadZipFile") as caught:
            read_image(member)
        assert "Doe" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_unreadable_and_a_closed_one_a_bug(tmp_path: Path) -> None:
    with (tmp_path / "new.png").open("wb") as file, pytest.raises(UnreadableInput):
        read_image(file)
    closed = io.BytesIO(DATA)
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        read_image(closed)


def test_no_more_is_read_than_the_limit_and_one_byte() -> None:
    class Endless:
        taken = 0

        def read(self, size: int) -> bytes:
            self.taken += size
            return bytes(size)

    endless = Endless()
    assert len(read_binary(endless, "<file>")) == endless.taken == MAX_FILE_BYTES + 1
    with pytest.raises(InputOverLimit, match="64 MiB"):
        read_image(Endless())
    with pytest.raises(InputOverLimit, match="64 MiB"):
        read_image(bytearray(MAX_FILE_BYTES + 1))
