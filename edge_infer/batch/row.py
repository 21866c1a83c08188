"""A row of results: the fields that Parquet and JSON lines share, and nothing that differs from run to run.

No times: the same archive answered twice, in whatever pieces, gives the same bytes. Times are in the statistics of a
partition.
"""

from typing import Any, Literal, get_args

__all__ = ["FIELDS", "Row", "RowKind", "RowState"]

#: ``refused``: a file that was found beside the slices of a study and is not read.
RowKind = Literal["image", "slice", "series", "refused"]

#: ``not_asked``: a slice that shows too little head, so that the model was not asked.
RowState = Literal["answered", "not_asked", "failed"]

#: By name, see FIELDS; every row has all of them, None where there is no value.
Row = dict[str, Any]

#: Name, type ("string", "int64", "int32", "float64", "strings", "floats", "float32s") and meaning of each column.
FIELDS: tuple[tuple[str, str, str], ...] = (
    ("unit", "int64", "number of the unit in the plan, from 0"),
    ("row", "int32", "number of the row within its unit, from 0"),
    ("kind", "string", f"{', '.join(get_args(RowKind))}"),
    ("source", "string", "absolute path, or URL"),
    ("member", "string", "name within an archive, or of the file of a slice; null otherwise"),
    ("frame", "int32", "number of the frame in a file of several, from 1; null otherwise"),
    ("sha256", "string", "of the bytes that were read; null where unknown"),
    ("state", "string", f"{', '.join(get_args(RowState))}"),
    ("code", "string", "why it failed, a code of docs/cli.md; null otherwise"),
    ("message", "string", "the same in words, without content of the file; null otherwise"),
    ("decision", "string", "accept or abstain"),
    ("reasons", "strings", "why it abstains"),
    (
        "label",
        "string",
        "the most probable class; of a series, that of the run its score speaks of",
    ),
    ("score", "float64", "probability of label; of a series, its score"),
    ("probabilities", "floats", "by class, in the order of the metadata's labels"),
    ("prediction_set", "strings", "classes that calibration does not exclude"),
    ("scope_score", "float64", "distance from the training images"),
    ("finding", "string", "what the rule says of a series; null otherwise"),
    ("warnings", "strings", "what to know about it"),
    ("width", "int32", "pixels"),
    ("height", "int32", "pixels"),
    ("plane", "string", "axial, coronal, sagittal; null where unknown"),
    ("device", "string", "maker and model, in words of a fixed list; null where unknown"),
    ("series", "int32", "number of the series in its unit, from 1; null for images"),
    ("series_instance_uid", "string", "null where there is none"),
    (
        "image_facts",
        "floats",
        "statistics of the image as the model saw it, in the order of the metadata's facts",
    ),
    ("embedding", "float32s", "of the graph; null unless --embeddings"),
)
