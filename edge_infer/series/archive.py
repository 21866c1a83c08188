"""A ZIP archive of a study, read without unpacking it to the disk; what it may hold is bounded before anything is read.

Names of members are only shown, never opened as paths, so ``../../etc/passwd`` is a name like any other. A member gives
no more bytes than the archive's index states (``zipfile`` stops there and checks the sum), so bounds on the index bound
the work.
"""

import io
import stat
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from edge_infer.errors import (
    CorruptImage,
    InputError,
    InputOverLimit,
    UnreadableInput,
    UnsupportedImage,
)
from edge_infer.folder_walk import is_litter
from edge_infer.names import shown_name
from edge_infer.scan_files import MAX_SCAN_BYTES, START_BYTES
from edge_infer.scan_slice import ScanFile
from edge_infer.unpacked_room import make_room

__all__ = ["MAX_MEMBERS", "MAX_RATIO", "MAX_TOTAL_BYTES", "Archive", "Member"]

#: A study has thousands of slices, not hundreds of thousands.
MAX_MEMBERS = 50_000
MAX_TOTAL_BYTES = 8 * 2**30
#: How many times larger than its compressed form a member may be; empty background alone reaches 100. Checked from
#: ``_SMALL`` on: a smaller file is no burden.
MAX_RATIO = 250
_SMALL = 2**20
_PIECE = 2**20
_ENCRYPTED = 0x1
#: Those that every program writes; LZMA can ask for gigabytes of memory.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HINT_UNPACK = "unpack it, and give the folder"


class Member:
    """A file in an archive.

    Args:
        archive: Stays open as long as a member is there.
        info: Of the index.
        name: As shown: ``ARCHIVE!MEMBER``.
    """

    def __init__(self, archive: "Archive", info: zipfile.ZipInfo, name: str) -> None:
        self._archive, self._info, self.name = archive, info, name

    @property
    def file(self) -> ScanFile:
        """As readers take it."""
        return ScanFile(name=self.name, read=self._whole)

    def start(self) -> bytes:
        """Return the first bytes, to tell what it is.

        Raises:
            CorruptImage: It is damaged.
            InputOverLimit: It is too large, or unpacks to too much.
            UnsupportedImage: It is encrypted, or neither stored nor deflated.
        """
        self._check()
        return self._read(START_BYTES)

    def _check(self) -> None:
        shown, info = shown_name(self.name), self._info
        if info.flag_bits & _ENCRYPTED:
            raise UnsupportedImage(f"{shown}: is encrypted", hint=_HINT_UNPACK)
        if info.compress_type not in _METHODS:
            raise UnsupportedImage(
                f"{shown}: is compressed in a way that is not read", hint=_HINT_UNPACK
            )
        if info.file_size > MAX_SCAN_BYTES:
            raise InputOverLimit(
                f"{shown}: file unpacks to {info.file_size / 2**20:,.0f} MiB, "
                f"expected at most {MAX_SCAN_BYTES // 2**20}"
            )
        if info.file_size > max(_SMALL, MAX_RATIO * info.compress_size):
            raise InputOverLimit(
                f"{shown}: file unpacks to more than {MAX_RATIO} times its size",
                hint=f"this is how archives do harm; if you trust it, {_HINT_UNPACK}",
            )

    def _whole(self) -> bytes:
        make_room("member", self._info.file_size, shown_name(self.name))
        return self._read(self._info.file_size + 1)

    def _read(self, count: int) -> bytes:
        shown = shown_name(self.name)
        try:
            with self._archive.zip.open(self._info) as stream:
                # In pieces, and into memory of the right size: read at once, it would be there twice for a moment.
                whole = io.BytesIO()
                whole.seek(max(0, min(count, self._info.file_size) - 1))
                whole.write(b"\0")
                whole.seek(0)
                while part := stream.read(min(_PIECE, count - whole.tell())):
                    whole.write(part)
                whole.truncate()
                return whole.getvalue()
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError):
            raise CorruptImage(
                f"{shown}: is damaged in its archive", hint="copy the archive again"
            ) from None
        except OSError as error:
            raise UnreadableInput(
                f"{shown}: cannot be read ({error.strerror or 'its archive is damaged'})"
            ) from None


class Archive:
    """An open ZIP archive.

    Args:
        path: Of a regular file, or only its name, with ``content``.
        content: The archive itself, where it is in memory.

    Raises:
        UnreadableInput: It is missing, no regular file, or may not be read.
        CorruptImage: Its index is damaged.
        InputOverLimit: It holds too many files, or too much.
    """

    def __init__(self, path: Path, content: bytes | None = None) -> None:
        shown = shown_name(path)
        try:
            if content is None and not stat.S_ISREG(path.stat().st_mode):
                raise UnreadableInput(f"{shown}: is not a regular file")
            self.zip = zipfile.ZipFile(path if content is None else io.BytesIO(content))
        except InputError:
            raise
        except OSError as error:
            raise UnreadableInput(
                f"{shown}: cannot be read ({error.strerror})",
                hint="check the name and the permissions",
            ) from None
        except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError):
            raise CorruptImage(
                f"{shown}: archive is damaged or cut short", hint="copy or download it again"
            ) from None
        weakref.finalize(self, self.zip.close)
        self._path = path
        infos = self.zip.infolist()
        if len(infos) > MAX_MEMBERS:
            raise InputOverLimit(
                f"{shown}: archive holds {len(infos):,} files, expected at most {MAX_MEMBERS:,}",
                hint=_HINT_UNPACK,
            )
        total = sum(info.file_size for info in infos)
        if total > MAX_TOTAL_BYTES:
            raise InputOverLimit(
                f"{shown}: archive unpacks to {total / 2**30:,.1f} GiB, "
                f"expected at most {MAX_TOTAL_BYTES // 2**30}",
                hint=_HINT_UNPACK,
            )

    def members(self) -> Iterator[Member]:
        """Yield its files in order of name; folders, hidden files and what programs leave are passed by."""
        for info in sorted(self.zip.infolist(), key=lambda info: info.filename):
            parts = info.filename.replace("\\", "/").split("/")
            if info.is_dir() or any(is_litter(part) and part.strip(".") for part in parts):
                continue
            yield Member(self, info, f"{self._path}!{info.filename}")
