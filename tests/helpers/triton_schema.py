"""Read Triton's config.pbtxt by its schema: that of tritonclient where it is installed, else the part that we write.

tritonclient asks for older protobuf and ml_dtypes than onnx does, so it is not among the packages of the tests;
tests/campaigns/triton_schema.py fetches it and repeats the tests with it.
"""

import importlib.util
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

__all__ = ["is_whole_schema", "read_config"]

_PACKAGE = "inference"
# Field: number, kind; * repeated. Names and numbers of model_config.proto.
_MESSAGES = {
    "ModelInput": {"name": (1, "string"), "data_type": (2, "DataType"), "dims": (4, "int64*")},
    "ModelOutput": {
        "name": (1, "string"),
        "data_type": (2, "DataType"),
        "dims": (3, "int64*"),
        "label_filename": (4, "string"),
    },
    "Latest": {"num_versions": (1, "uint32")},
    "ModelVersionPolicy": {"latest": (1, "Latest")},
    "ModelInstanceGroup": {"count": (2, "int32"), "kind": (4, "Kind")},
    "ModelDynamicBatching": {"max_queue_delay_microseconds": (2, "uint64")},
    "ModelParameter": {"string_value": (1, "string")},
    "Parameter": {"key": (1, "string"), "value": (2, "ModelParameter")},
    "ModelConfig": {
        "name": (1, "string"),
        "version_policy": (3, "ModelVersionPolicy"),
        "max_batch_size": (4, "int32"),
        "input": (5, "ModelInput*"),
        "output": (6, "ModelOutput*"),
        "instance_group": (7, "ModelInstanceGroup*"),
        "dynamic_batching": (11, "ModelDynamicBatching"),
        "parameters": (14, "Parameter*"),
        "backend": (17, "string"),
    },
}
_ENUMS = {
    "DataType": {"TYPE_INVALID": 0, "TYPE_UINT8": 2, "TYPE_FP16": 10, "TYPE_FP32": 11},
    "Kind": {"KIND_AUTO": 0, "KIND_GPU": 1, "KIND_CPU": 2},
}


def read_config(text: str) -> dict[str, Any]:
    """Return the fields of a config.pbtxt; parameters as a dictionary.

    Raises:
        google.protobuf.text_format.ParseError: It is no text of the schema.
    """
    config = text_format.Parse(text, _message_class()())
    fields: dict[str, Any] = {field.name: value for field, value in config.ListFields()}
    for kind in ("input", "output"):
        fields[kind] = [
            {field.name: value for field, value in tensor.ListFields()} for tensor in fields[kind]
        ]
    given = fields.get("parameters", {})
    pairs = given.items() if hasattr(given, "items") else ((one.key, one.value) for one in given)
    fields["parameters"] = {key: value.string_value for key, value in pairs}
    fields["max_batch_size"] = config.max_batch_size  # ListFields leaves out 0
    return fields


def is_whole_schema() -> bool:
    """Whether tritonclient's schema is used."""
    return _tritonclient_schema() is not None


def _tritonclient_schema() -> Path | None:
    found = importlib.util.find_spec("tritonclient")  # importing it would ask for grpc
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations))) / "grpc" / "model_config_pb2.py"


def _message_class() -> Any:
    path = _tritonclient_schema()
    if path is not None:
        spec = importlib.util.spec_from_file_location("model_config_pb2", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.ModelConfig
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.ModelConfig"))


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="model_config_part.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for value, number in values.items():
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            message.field.add(name=field, number=number, **_typed(kind))
    return file


def _typed(kind: str) -> dict[str, Any]:
    field = descriptor_pb2.FieldDescriptorProto
    label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in _ENUMS or kind in _MESSAGES:
        reference = field.TYPE_ENUM if kind in _ENUMS else field.TYPE_MESSAGE
        return {"label": label, "type": reference, "type_name": f".{_PACKAGE}.{kind}"}
    return {"label": label, "type": getattr(field, f"TYPE_{kind.upper()}")}
