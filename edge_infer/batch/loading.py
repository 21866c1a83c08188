"""The classifier of a worker process: loaded once, and only if it is the one that the run began with."""

import contextlib
import threading
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

from edge_infer.batch.run_file import Request
from edge_infer.classifier import Classifier
from edge_infer.errors import BundleIncompatible, BundleIntegrity
from edge_infer.names import shown_name
from edge_infer.runtime import versions
from edge_infer.version import __version__

__all__ = ["BundleSource", "load_for", "package_versions"]

#: They turn files into pixels.
_READERS = ("pydicom", "pyjpegls", "pylibjpeg", "pylibjpeg-openjpeg", "nibabel")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSource:
    """Where a worker finds the bundle.

    Attributes:
        bundle: Its folder, absolute; None for the shipped one.
        trust: Keys that it must be signed with, absolute; none asks for no signature.
    """

    bundle: str | None = None
    trust: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return {"bundle": self.bundle, "trust": list(self.trust)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read what ``as_json`` gave."""
        return cls(bundle=fields["bundle"], trust=tuple(fields["trust"]))


_lock = threading.Lock()
_loaded: list[tuple[tuple[BundleSource, str, float | None], Classifier]] = []


def load_for(request: Request, source: BundleSource) -> Classifier:
    """Return this process's classifier, of one thread, for the request.

    Raises:
        BundleIncompatible: This process has other versions of the packages than the run began with.
        BundleIntegrity: The bundle is another one than the run began with.
        BrainError: As ``Classifier.load``.
    """
    _refuse_other_versions(request.versions)
    key = (source, request.scope, request.timeout_s)
    with _lock:
        if not _loaded or _loaded[0][0] != key:
            warnings.filterwarnings("ignore", module="PIL")  # they say nothing a user can act on
            classifier = Classifier.load(
                source.bundle,
                num_threads=1,
                timeout_s=request.timeout_s,
                scope=request.scope,
                trust=source.trust or None,
            )
            _loaded[:] = [(key, classifier)]
        classifier = _loaded[0][1]
    _refuse_other_bundle(classifier, request.manifest_sha256)
    return classifier


def package_versions() -> dict[str, str]:
    """Return the versions that an answer depends on, by package: of this one, the runtime, and what reads files."""
    return {"brain-edge": __version__, **versions(), **dict(_readers())}


def _readers() -> Iterator[tuple[str, str]]:
    for name in _READERS:
        with contextlib.suppress(PackageNotFoundError):
            yield name, version(name)


def _refuse_other_versions(expected: Mapping[str, str]) -> None:
    own = package_versions()
    if own != dict(expected):
        differing = sorted(
            name for name in own | dict(expected) if own.get(name) != expected.get(name)
        )
        described = ", ".join(
            f"{name} {expected.get(name) or 'absent'} there, {own.get(name) or 'absent'} here"
            for name in differing
        )
        raise BundleIncompatible(
            f"a worker has other versions than the run began with: {described}",
            hint="install the same versions on all machines, or begin anew in another --output",
        )


def _refuse_other_bundle(classifier: Classifier, expected: str) -> None:
    own = classifier.bundle.manifest["manifest_sha256"]
    if own != expected:
        raise BundleIntegrity(
            f"{_shown(classifier.bundle.path)}: bundle is {own[:12]}, and the run began with {expected[:12]}",
            hint="give the run's own bundle to all machines, or begin anew in another --output",
        )


def _shown(path: Path) -> str:
    return shown_name(path.name if path.is_absolute() else path)
