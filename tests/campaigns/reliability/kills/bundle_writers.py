"""Writers of bundles and single files: the promised ones, plain writing in place, and ``onnx.save`` as it comes."""

from pathlib import Path

import onnx
from reliability.campaign import Broken
from reliability.kills.children import Ended
from reliability.kills.writers import Writer
from tiny_bundle import bundle_files, files_with_scope, manifest_body, tiny_trust

from edge_infer.atomic import write_bytes_atomically
from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.errors import BrainError

__all__ = ["bundle", "bundle_by_renames", "bundle_in_place", "file", "file_in_place", "saved_model"]

#: So that a state takes several pages of a disk.
_CARD = b"# A model for tests\n" + b"It says nothing about anybody.\n" * 3000

_OLDER = bundle_files() | {"README.md": _CARD}
_NEWER = files_with_scope() | {"README.md": _CARD[::-1]}
_BODIES = {"older": manifest_body(), "newer": manifest_body(trust=tiny_trust())}


def bundle(_kept: Path) -> Writer:
    """Write a bundle of seven files over one of six."""
    return Writer(
        name="write_bundle",
        before=lambda folder: write_bundle(folder / "b", _OLDER, _BODIES["older"]),
        write=lambda folder: write_bundle(folder / "b", _NEWER, _BODIES["newer"]),
        together=True,
        check=_loads,
    )


def bundle_by_renames(kept: Path) -> Writer:
    """Do it where the system cannot exchange two folders in one step."""
    usual = bundle(kept)
    return Writer(
        name="write_bundle without exchange",
        before=usual.before,
        write=usual.write,
        together=True,
        check=_loads,
        inject=("renameat2:error=ENOSYS",),
    )


def file(_kept: Path) -> Writer:
    """Write one file of 200 kB over another."""
    return Writer(
        name="write_bytes_atomically",
        before=lambda folder: (folder / "f").write_bytes(_CARD),
        write=lambda folder: write_bytes_atomically(folder / "f", _CARD[::-1] * 2),
    )


def bundle_in_place(kept: Path) -> Writer:
    """Open each file of the target and write it."""
    write_bundle(kept / "b", _NEWER, _BODIES["newer"])
    newer = {path.name: path.read_bytes() for path in (kept / "b").iterdir()}

    def write(folder: Path) -> None:
        for name, data in newer.items():
            (folder / "b" / name).write_bytes(data)

    return Writer(
        name="a bundle in place",
        before=bundle(kept).before,
        write=write,
        together=True,
        statuses=frozenset(),
        check=_loads,
    )


def file_in_place(_kept: Path) -> Writer:
    """Open the file and write it."""
    return Writer(
        name="a file in place",
        before=file(_kept).before,
        write=lambda folder: (folder / "f").write_bytes(_CARD[::-1] * 2),
        statuses=frozenset(),
    )


def saved_model(_kept: Path) -> Writer:
    """``onnx.save`` over an older model."""
    older = onnx.load_model_from_string(_OLDER["model.onnx"])
    older.doc_string = _CARD.decode()
    newer = onnx.load_model_from_string(_OLDER["model.onnx"])
    newer.doc_string = 2 * _CARD[::-1].decode()
    return Writer(
        name="onnx.save",
        before=lambda folder: onnx.save(older, folder / "model.onnx"),
        write=lambda folder: onnx.save(newer, folder / "model.onnx"),
        statuses=frozenset(),
    )


def _loads(folder: Path, _ended: Ended | None) -> None:
    try:
        load_bundle(folder / "b").golden_cases()
    except BrainError as error:
        raise Broken(f"the bundle does not load: {error.code}") from None
