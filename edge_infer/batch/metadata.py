"""What all rows of a run share: which bundle answered, and how its numbers are to be read."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.plain_json import parse_object

__all__ = ["ROWS_SCHEMA_VERSION", "Metadata"]

#: Version of the columns (FIELDS) and of the metadata beside them.
ROWS_SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """What a Parquet file's metadata and ``_metadata.json`` hold.

    Attributes:
        manifest_sha256: Digest of the bundle's manifest.
        model: Such as ``cvt13``.
        precision: Of the bundle.
        labels: The order of ``probabilities``.
        facts: The order of ``image_facts``.
        run_id: Of the run that wrote the rows; the same again for the same inputs, bundle and options.
        schema_version: Of the rows.
        research_use_only: The notice.
    """

    manifest_sha256: str
    model: str
    precision: str
    labels: tuple[str, ...]
    facts: tuple[str, ...]
    run_id: str
    schema_version: int = ROWS_SCHEMA_VERSION
    research_use_only: str = RESEARCH_USE_ONLY

    def as_json(self) -> dict[str, Any]:
        """Return what ``from_json`` reads."""
        return asdict(self) | {"labels": list(self.labels), "facts": list(self.facts)}

    def rendered(self) -> bytes:
        """Return it as JSON, the same bytes each time."""
        return json.dumps(self.as_json(), sort_keys=True).encode()

    @classmethod
    def parsed(cls, data: bytes) -> Self:
        """Read what ``rendered`` gave.

        Raises:
            ValueError: It is something else, or of another schema version.
        """
        fields = parse_object(data)
        version = fields.get("schema_version")
        if version != ROWS_SCHEMA_VERSION or isinstance(version, bool):
            raise ValueError(f"has schema version {version!r}, not {ROWS_SCHEMA_VERSION}")
        if set(fields) != set(cls.__dataclass_fields__):
            raise ValueError("has other fields than the metadata of rows")
        lists = ("labels", "facts")
        for name, value in fields.items():
            of_words = isinstance(value, list) and all(isinstance(word, str) for word in value)
            if name != "schema_version" and not (
                of_words if name in lists else isinstance(value, str)
            ):
                raise ValueError(f"{name} is of another type")
        return cls(**(fields | {name: tuple(fields[name]) for name in lists}))
