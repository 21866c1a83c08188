"""Whole bundles as bytes, and how they come to lie in a folder: what the campaigns on bundles spoil."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from own_bundle import ORGAN, own_body, own_files
from tiny_bundle import files_with_scope, manifest_body, tiny_trust

from edge_infer.bundle import shipped_bundle_path, write_bundle
from edge_infer.manifest import canonical_json
from edge_infer.model_file import describe_file

__all__ = ["MANIFEST", "Files", "Laid", "good_bundles", "vouched"]

MANIFEST = "manifest.json"

#: The files of a bundle by name.
Files = dict[str, bytes]


@cache
def good_bundles() -> tuple[Files, ...]:
    """Return the shipped bundle, a tiny one with a scope check, and a tiny one with classes of its own."""
    made: list[tuple[Files, dict[str, Any]]] = [
        (files_with_scope(), manifest_body(trust=tiny_trust())),
        (own_files(ORGAN), own_body(ORGAN)),
    ]
    bundles = [_read(shipped_bundle_path())]
    for files, body in made:
        with TemporaryDirectory() as folder:
            target = Path(folder) / "bundle"
            write_bundle(target, files, body)
            bundles.append(_read(target))
    return tuple(bundles)


def vouched(files: Mapping[str, bytes], fields: Mapping[str, Any] | None = None) -> Files:
    """Return the files with a manifest that vouches for them: what an attacker who knows the format would write.

    Args:
        files: All of them; the manifest's digests may be wrong.
        fields: The manifest's, if they are to be others than those in ``files``.
    """
    body = dict(json.loads(files[MANIFEST]) if fields is None else fields)
    body["files"] = {name: describe_file(data) for name, data in files.items() if name != MANIFEST}
    body["manifest_sha256"] = ""
    body["manifest_sha256"] = hashlib.sha256(canonical_json(body)).hexdigest()
    return {**files, MANIFEST: canonical_json(body)}


@dataclass(frozen=True, kw_only=True)
class Laid:
    """The good bundles on disk, so that a trial writes no more than what it changes.

    Attributes:
        folders: In the order of ``good_bundles``.
    """

    folders: tuple[Path, ...]

    @classmethod
    def inside(cls, folder: Path) -> "Laid":
        """Write the good bundles into a folder."""
        folders = []
        for number, files in enumerate(good_bundles()):
            target = folder / f"good{number}"
            target.mkdir()
            for name, data in files.items():
                (target / name).write_bytes(data)
            folders.append(target)
        return cls(folders=tuple(folders))

    def lay(
        self, base: int, target: Path, files: Mapping[str, bytes], *, linked: Iterable[str] = ()
    ) -> None:
        """Write files into a new folder; those that are the good ones become hard links to them.

        Args:
            base: Number of the good bundle.
            target: Does not exist yet.
            files: By name.
            linked: Of these, symbolic links.
        """
        target.mkdir()
        good = good_bundles()[base]
        for name, data in files.items():
            source = self.folders[base] / name
            if data != good.get(name):
                (target / name).write_bytes(data)
            elif name in linked:
                (target / name).symlink_to(source)
            else:
                (target / name).hardlink_to(source)


def _read(folder: Path) -> Files:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
