"""What is answered at once: an image, or the scans of a study, which must be seen together."""

from dataclasses import dataclass
from typing import Any, Literal, Self

__all__ = ["Unit", "UnitKind"]

UnitKind = Literal["image", "study"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One image, or files that are opened as one study.

    Attributes:
        kind: What it is.
        source: A path, or a URL of fsspec such as ``s3://archive/2025``: of the image, of the ZIP archive that
            holds it, or of the study's folder, archive or file.
        members: Of an image in an archive: its name there, one. Of a study: the files that belong to it, as paths or
            URLs; none stands for ``source`` itself.
    """

    kind: UnitKind
    source: str
    members: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return what a line of a plan holds."""
        return {"kind": self.kind, "source": self.source, "members": list(self.members)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """Read what ``as_json`` gave."""
        return cls(kind=fields["kind"], source=fields["source"], members=tuple(fields["members"]))
