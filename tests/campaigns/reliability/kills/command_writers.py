"""Whole commands, and writers of whole folders beside bundles."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from reliability.campaign import Broken
from reliability.kills.bundle_writers import bundle
from reliability.kills.children import Ended, be_watched
from reliability.kills.writers import Writer

from edge_infer.bundle import load_bundle, write_bundle
from edge_infer.errors import BrainError

__all__ = ["export", "triton"]


def triton(kept: Path) -> Writer:
    """Write the two models of a Triton repository over two older ones."""
    from tiny_bundle import bundle_files, manifest_body

    from export.triton import repository

    folder = kept / "b"
    one = write_bundle(folder, bundle_files(), manifest_body())
    other = write_bundle(folder, bundle_files(), manifest_body(calibration={"temperature": 3.0}))
    del one
    older = kept / "older-bundle"
    write_bundle(older / "b", bundle_files(), manifest_body())

    def write(place: Path) -> None:
        with _watched_from(repository, "replace_folder_atomically"):
            repository.write_triton_repository(other, place)

    return Writer(
        name="write_triton_repository",
        before=lambda place: repository.write_triton_repository(load_bundle(older / "b"), place),
        write=write,
        late=True,
        # Two models, each replaced as a whole.
        check=lambda place, _ended: _one_state(place),
    )


def _one_state(place: Path) -> None:
    for model in ("b", "b-image"):
        names = {path.name for path in (place / model).rglob("*")}
        if names != {"config.pbtxt", "labels.txt", "1", "model.onnx"}:
            raise Broken("a model of the repository is not whole")


def export(kept: Path) -> Writer:
    """Run the whole of ``brain-export`` on a small CvT, over an older bundle."""
    import torch
    from own_classes import save_texture_checkpoint

    from export import bundling, cli

    torch.set_num_threads(1)  # a fork has none of its parent's
    checkpoint = save_texture_checkpoint(kept / "checkpoint", learnt=32)

    def write(folder: Path) -> None:
        os.chdir(folder)
        arguments = ["--model", "cvt_test", "--checkpoint", str(checkpoint), "--output", "b"]
        with _watched_from(bundling, "write_bundle"):
            cli.main(arguments, prog_name="brain-export")

    return Writer(
        name="brain-export",
        before=bundle(kept).before,
        write=write,
        together=True,
        check=_loads,
        late=True,
    )


@contextlib.contextmanager
def _watched_from(module: ModuleType, name: str) -> Iterator[None]:
    """Be watched from the first call of a function on."""
    usual = getattr(module, name)

    def watched(*args: object, **extra: object) -> object:
        be_watched()
        return usual(*args, **extra)

    setattr(module, name, watched)
    try:
        yield
    finally:
        setattr(module, name, usual)


def _loads(folder: Path, _ended: Ended | None) -> None:
    try:
        load_bundle(folder / "b").golden_cases()
    except BrainError as error:
        raise Broken(f"the bundle does not load: {error.code}") from None
