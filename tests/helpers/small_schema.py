"""The part of JSON Schema that docs/result.schema.json uses; an unknown keyword is an error."""

import re
from typing import Any

TYPES = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float)}
TEXT = {"$schema", "$defs", "title", "description"}
KNOWN = TEXT | {
    "$ref", "additionalProperties", "anyOf", "const", "else", "enum", "if", "items", "maximum",
    "minLength", "minProperties", "minimum", "not", "pattern", "properties", "required", "then",
    "type",
}  # fmt: skip


def faults(value: Any, schema: dict[str, Any], root: dict[str, Any], at: str = "$") -> list[str]:
    """List what is wrong with the value; an empty list means it is valid."""
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    found: list[str] = []
    if "$ref" in schema:
        found += faults(value, root["$defs"][schema["$ref"].rpartition("/")[2]], root, at)
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if "type" in schema and (
        not isinstance(value, TYPES[schema["type"]]) or isinstance(value, bool)
    ):
        return [*found, f"{at}: {value!r} is not of type {schema['type']}"]
    found += _faults_of_scalar(value, schema, at)
    if isinstance(value, list):
        for number, item in enumerate(value):
            found += faults(item, schema.get("items", {}), root, f"{at}[{number}]")
    if isinstance(value, dict):
        found += _faults_of_object(value, schema, root, at)
    return found + _faults_of_logic(value, schema, root, at)


def _faults_of_scalar(value: Any, schema: dict[str, Any], at: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, str):
        found += [f"{at}: {value!r}"] * (not re.search(schema.get("pattern", ""), value))
        found += [f"{at}: too short"] * (len(value) < schema.get("minLength", 0))
    if isinstance(value, int | float):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        found += [f"{at}: {value} outside {low}..{high}"] * (not low <= value <= high)
    return found


def _faults_of_logic(
    value: Any, schema: dict[str, Any], root: dict[str, Any], at: str
) -> list[str]:
    found: list[str] = []
    if "if" in schema:
        branch = "else" if faults(value, schema["if"], root, at) else "then"
        found += faults(value, schema[branch], root, at)
    if "anyOf" in schema and all(faults(value, each, root, at) for each in schema["anyOf"]):
        found.append(f"{at}: none of anyOf")
    if "not" in schema and not faults(value, schema["not"], root, at):
        found.append(f"{at}: is what it must not be")
    return found


def _faults_of_object(
    value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str
) -> list[str]:
    found = [f"{at}: lacks {name}" for name in schema.get("required", []) if name not in value]
    found += [f"{at}: too few"] * (len(value) < schema.get("minProperties", 0))
    for name, item in value.items():
        inner = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
        if inner is False:
            found.append(f"{at}: {name} is unknown")
        elif isinstance(inner, dict):
            found += faults(item, inner, root, f"{at}.{name}")
    return found
