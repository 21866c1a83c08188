"""What a kit holds, as a software bill of materials in CycloneDX 1.6, checked against the published schema.

Hashes and licences come from the wheels themselves, dependencies from what they require; supplier, issues and risk are
those of ``soup.toml``. The same wheels give the same bytes. ``export/ml_bom.py`` describes the bundle.
"""

import json
import re
import uuid
import zipfile
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from distributions import digest
from wheels import facts

__all__ = ["rendered", "sbom_of_wheels"]

#: Names of licences that are no SPDX expression, as wheels state them.
_SPDX = {
    "MIT License": "MIT",
    "BSD License": "BSD-3-Clause",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD": "BSD-3-Clause",
    "UNKNOWN": "",
}


def sbom_of_wheels(
    own: Path, wheels: list[Path], soup: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """Return the SBOM of our wheel and of those it is installed with.

    Args:
        own: Our wheel.
        wheels: All wheels of the kit, ours too.
        soup: What is known of each package; see ``soup.toml``.
    """
    described = {_normal(facts(path)["name"]): path for path in wheels}
    name = facts(own)["name"]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, ''.join(sorted(map(digest, wheels))))}",
        "version": 1,
        "metadata": {"component": {**_component(own, {}), "type": "application"}},
        "components": [
            _component(path, soup.get(package, {}))
            for package, path in sorted(described.items())
            if package != _normal(name)
        ],
        "dependencies": [
            {
                "ref": _reference(path),
                "dependsOn": [_reference(described[each]) for each in _needs(path, described)],
            }
            for _, path in sorted(described.items())
        ],
    }


def rendered(document: dict[str, Any]) -> bytes:
    """Return the document as JSON.

    Raises:
        ValueError: It does not fit the schema of CycloneDX 1.6.
    """
    text = json.dumps(document, indent=1, sort_keys=True) + "\n"
    wrong = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if wrong is not None:
        raise ValueError(f"not CycloneDX 1.6: {wrong}")
    return text.encode()


def _component(path: Path, known: dict[str, str]) -> dict[str, Any]:
    stated = facts(path)
    licence = _SPDX.get(stated["licence"], stated["licence"])
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": _reference(path),
        "name": stated["name"],
        "version": stated["version"],
        "purl": f"pkg:pypi/{_normal(stated['name'])}@{stated['version']}",
        "hashes": [{"alg": "SHA-256", "content": digest(path)}],
        "properties": [{"name": "brain-edge:file", "value": path.name}],
    }
    if licence:
        component["licenses"] = [{"expression": licence}]
    if known:
        component["description"] = known["why"]
        component["externalReferences"] = [{"type": "issue-tracker", "url": known["anomalies"]}]
    return component


def _reference(path: Path) -> str:
    stated = facts(path)
    return f"{_normal(stated['name'])}@{stated['version']}"


def _needs(path: Path, among: dict[str, Path]) -> list[str]:
    """Return the packages that a wheel requires, extras included, if the kit has them."""
    with zipfile.ZipFile(path) as archive:
        (inside,) = [
            name
            for name in archive.namelist()
            if name.endswith(".dist-info/METADATA") and name.count("/") == 1
        ]
        required = (
            HeaderParser().parsestr(archive.read(inside).decode()).get_all("Requires-Dist", [])
        )
    itself = _normal(facts(path)["name"])
    found = {_normal(re.split(r"[\s;<>=!~\[(]", each, maxsplit=1)[0]) for each in required}
    return sorted(name for name in found if name in among and name != itself)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
