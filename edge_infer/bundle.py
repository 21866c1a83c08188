"""A bundle on disk: loaded only if every byte is as it was written; written as a whole or not at all."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.baseline.parts import Baseline
from edge_infer.baseline.reading import read_drift
from edge_infer.bundle_files import read_bundle_files, while_it_stays
from edge_infer.classes import NEGATIVE_FIELD, Classes
from edge_infer.contract import (
    BUNDLE_FILES,
    BUNDLE_SCHEMA_VERSION,
    GOLDEN_FILE,
    LARGEST_INT8,
    POSSIBLE_BUNDLE_FILES,
    RESEARCH_USE_ONLY,
    SCOPE_FILE,
)
from edge_infer.contract_check import (
    check_contract,
    check_embeddings,
    classes_of_config,
    labels_of_config,
)
from edge_infer.errors import (
    BundleIncompatible,
    BundleIncomplete,
    BundleIntegrity,
    CannotWrite,
)
from edge_infer.golden import GoldenCase, check_golden, read_golden
from edge_infer.graph_facts import graph_facts
from edge_infer.manifest import parse_manifest, render_manifest
from edge_infer.model_file import ModelFile, describe_file
from edge_infer.names import shown_name
from edge_infer.plain_json import parse_object, why
from edge_infer.preprocessing import PreprocessorConfig
from edge_infer.scope import ScopeModel
from edge_infer.series_rule import SeriesRule, read_series_rule
from edge_infer.signature.keys import TrustedKeys
from edge_infer.signature.verify import SignedBy, verify_signature
from edge_infer.trust import Trust, read_trust

__all__ = ["Bundle", "load_bundle", "shipped_bundle_path", "write_bundle"]

_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle.

    Attributes:
        path: The folder it was loaded from.
        model: model.onnx, already checked.
        config: config.json.
        preprocessor: preprocessor_config.json.
        manifest: manifest.json.
        classes: What it tells apart, and which class says that nothing is there.
        golden_png: golden.png; None in a bundle of schema 1. ``golden_cases`` reads it.
        trust: When an answer is accepted; None where the bundle does not say, as before schema 3.
        scope_model: The scope check; None where the bundle has none.
        scope_bin: scope.bin, which the scope check was read from.
        signed_by: Whose signature was verified; None where none was asked for.
    """

    path: Path
    model: ModelFile = field(repr=False)
    config: dict[str, Any] = field(repr=False)
    preprocessor: PreprocessorConfig
    manifest: dict[str, Any] = field(repr=False)
    classes: Classes
    golden_png: bytes | None = field(default=None, repr=False)
    trust: Trust | None = None
    scope_model: ScopeModel | None = None
    scope_bin: bytes | None = field(default=None, repr=False)
    signed_by: SignedBy | None = None

    @property
    def model_bytes(self) -> bytes:
        """model.onnx, read from disk again and checked again.

        Raises:
            BundleIntegrity: The file has changed since the bundle was loaded.
        """
        return self.model.read()

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the logits."""
        return self.classes.names

    @property
    def id2label(self) -> dict[int, str]:
        """Label of each class id."""
        return dict(enumerate(self.classes.names))

    @property
    def series_rule(self) -> SeriesRule | None:
        """The rule for series; None where the bundle has none."""
        return read_series_rule(self.manifest.get("series"))

    @property
    def baseline(self) -> Baseline | None:
        """What results looked like when the bundle was made; None where the bundle does not say."""
        return read_drift(self.manifest.get("drift"), self.labels)

    @property
    def temperature(self) -> float:
        """What logits are divided by before the softmax."""
        return float(self.manifest["calibration"]["temperature"])

    @property
    def largest_weight(self) -> int:
        """Largest absolute 8-bit weight: 0 without any; the largest possible where the manifest does not say."""
        if self.manifest["precision"] != "int8":
            return 0
        return int(self.manifest["quantization"].get("largest_weight", LARGEST_INT8))

    def golden_cases(self) -> list[GoldenCase]:
        """Return the images whose answers are known; none in a bundle of schema 1.

        Raises:
            BundleIntegrity: golden.png is not a grey PNG of the expected size.
        """
        if self.golden_png is None:
            return []
        return read_golden(
            self.golden_png,
            self.manifest["golden"],
            height=self.preprocessor.height,
            width=self.preprocessor.width,
        )


def load_bundle(path: str | os.PathLike[str], *, trusted: TrustedKeys | None = None) -> Bundle:
    """Load and verify a bundle, without onnxruntime.

    Args:
        path: The bundle's folder.
        trusted: Keys of ``edge_infer.signature.keys``, one of which must have signed it; None asks for no signature.

    Raises:
        BundleUntrusted: None of the keys has signed the bundle as it is, or it is revoked.
        BundleIncomplete: A file or field is missing.
        BundleIntegrity: A file is not the one that was written, is not a regular file, or does not belong there.
        BundleIncompatible: Made for a newer package, or for a preprocessing that this package does not do.
        ContentRefused: More than 512 MiB, or than 1 MiB of scope.bin; a graph with external data, loops or custom
            operators; or a graph in a form that two readers could read differently.
    """
    folder = Path(path)
    return while_it_stays(folder, lambda place: _load_once(place, trusted))


def _load_once(folder: Path, trusted: TrustedKeys | None) -> Bundle:
    contents = read_bundle_files(folder)
    described = {name: describe_file(data) for name, data in contents.items()}
    signed_by = None
    if trusted is not None:  # before anything in it is believed
        digests = {name: str(file["sha256"]) for name, file in described.items()}
        signed_by = verify_signature(folder, digests, trusted)
    manifest = parse_manifest(contents[_MANIFEST])
    if trusted is not None:
        trusted.refuse_revoked(manifest["manifest_sha256"], shown_name(folder))
    _check_names(contents, manifest)
    _check_digests(described, manifest["files"])
    config = _parse_json(contents["config.json"], "config.json")
    preprocessor = PreprocessorConfig.from_dict(
        _parse_json(contents["preprocessor_config.json"], "preprocessor_config.json")
    )
    facts = graph_facts(contents["model.onnx"])
    check_contract(manifest, config, preprocessor, facts)
    classes = classes_of_config(config)
    _check_series(manifest, classes)
    if GOLDEN_FILE in contents:
        check_golden(manifest)
    trust = manifest.get("trust")
    scope_model = _scope_model(manifest, contents)
    if scope_model is not None:
        check_embeddings(scope_model.dim, facts)
    return Bundle(
        path=folder,
        model=ModelFile(folder.absolute() / "model.onnx", manifest["files"]["model.onnx"]),
        config=config,
        preprocessor=preprocessor,
        manifest=manifest,
        classes=classes,
        golden_png=contents.get(GOLDEN_FILE),
        trust=None if trust is None else read_trust(trust, manifest["labels"]),
        scope_model=scope_model,
        scope_bin=contents.get(SCOPE_FILE),
        signed_by=signed_by,
    )


def write_bundle(
    target: Path, files: Mapping[str, bytes], manifest_body: Mapping[str, Any]
) -> Bundle:
    """Write a bundle, verify it by loading it back, and only then put it in its place.

    Args:
        target: Folder of the bundle; an existing one is replaced as a whole.
        files: The five files other than manifest.json, by name, and scope.bin if ``trust`` describes a scope check.
        manifest_body: The manifest's fields, except those that follow from the files and are filled in here:
            ``files``, ``image_size``, ``labels``, ``opset``, ``schema_version``,
            ``research_use_only`` and ``manifest_sha256``. ``trust`` may be left out: then it is null.

    Returns:
        The bundle as loaded back.

    Raises:
        BundleError: The files are not a valid bundle; nothing is written.
        CannotWrite: The target cannot be written; what was there before is unchanged.
        OutputLocked: Another process is writing the same target.
        ValueError: ``files`` has other names.
    """
    # Imported here, because classifying does not need it: it brings 1 MB and 10 ms to the start of a program.
    from edge_infer.atomic import refuse_other_content, replace_folder_atomically

    expected = set(BUNDLE_FILES) - {_MANIFEST}
    if set(files) - {SCOPE_FILE} != expected:
        raise ValueError(
            f"files are {sorted(files)}, expected {sorted(expected)} and perhaps {SCOPE_FILE}"
        )
    preprocessor = PreprocessorConfig.from_dict(
        _parse_json(files["preprocessor_config.json"], "preprocessor_config.json")
    )
    body = {
        "trust": None,
        **manifest_body,
        "files": {name: describe_file(data) for name, data in files.items()},
        "image_size": {"height": preprocessor.height, "width": preprocessor.width},
        "labels": labels_of_config(_parse_json(files["config.json"], "config.json")),
        "opset": graph_facts(files["model.onnx"]).opset,
        "research_use_only": RESEARCH_USE_ONLY,
        "schema_version": BUNDLE_SCHEMA_VERSION,
    }
    manifest = render_manifest(body)
    refuse_other_content(Path(target), POSSIBLE_BUNDLE_FILES, what="a bundle")
    with replace_folder_atomically(target) as temporary:
        for name, data in {**files, _MANIFEST: manifest}.items():
            (temporary / name).write_bytes(data)
        _read_back(temporary, target).golden_cases()
    return _read_back(Path(target), target)


def shipped_bundle_path() -> Path:
    """Return the folder of the bundle that comes with this package.

    Raises:
        BundleIncomplete: This installation came without one.
    """
    path = Path(__file__).with_name("shipped")
    if not path.is_dir():
        raise BundleIncomplete(
            "this installation of brain-edge holds no bundle",
            hint="name one with --bundle DIR, or in Python Classifier.load(DIR)",
        )
    return path


def _read_back(written: Path, target: Path) -> Bundle:
    """Load what was just written; the disk that does not give it back is that of the output."""
    try:
        return load_bundle(written)
    except BundleIncomplete as error:
        if not isinstance(error.__cause__, OSError):
            raise
        reason = error.__cause__.strerror or error.__cause__
        raise CannotWrite(
            f"{shown_name(target)}: what was written cannot be read back ({reason})",
            hint="check the disk, and export again",
        ) from error


def _check_series(manifest: Mapping[str, Any], classes: Classes) -> None:
    if manifest.get("series") is not None and classes.negative is None:
        raise BundleIncompatible(
            f"manifest.json: series is a rule, but config.json states no {NEGATIVE_FIELD}",
            hint="export the bundle again: a score of a series is that of any class but the negative one",
        )


def _check_names(contents: Mapping[str, bytes], manifest: Mapping[str, Any]) -> None:
    """Bundles of schema 1 have no golden images; scope.bin is there exactly if the manifest describes it."""
    schema_version = manifest["schema_version"]
    if schema_version > 1 and GOLDEN_FILE not in contents:
        raise BundleIncomplete(f"bundle lacks {GOLDEN_FILE}", hint="copy the whole folder")
    if schema_version == 1 and GOLDEN_FILE in contents:
        raise BundleIntegrity(
            f"bundle holds {GOLDEN_FILE}, which does not belong to one of schema 1",
            hint="remove it, or copy the bundle again",
        )
    is_described = _scope_of(manifest) is not None
    if is_described and SCOPE_FILE not in contents:
        raise BundleIncomplete(f"bundle lacks {SCOPE_FILE}", hint="copy the whole folder")
    if not is_described and SCOPE_FILE in contents:
        raise BundleIntegrity(
            f"bundle holds {SCOPE_FILE}, but its manifest describes no scope check",
            hint="remove it, or copy the bundle again",
        )


def _scope_of(manifest: Mapping[str, Any]) -> Mapping[str, Any] | None:
    trust = manifest.get("trust")  # bundles of schema 1 and 2 have none
    return None if trust is None else trust["scope"]


def _scope_model(manifest: Mapping[str, Any], contents: Mapping[str, bytes]) -> ScopeModel | None:
    description = _scope_of(manifest)
    if description is None:
        return None
    return ScopeModel.from_bundle(description, contents[SCOPE_FILE], len(manifest["labels"]))


def _check_digests(found: Mapping[str, Any], described: Mapping[str, Any]) -> None:
    expected = set(found) - {_MANIFEST}
    if set(described) != expected:
        raise BundleIncomplete(f"manifest.json: files lists {sorted(described)}")
    for name in sorted(expected):
        if described[name] != found[name]:
            raise BundleIntegrity(
                f"{name}: is not the file the manifest describes (size or SHA-256 differs)",
                hint="copy the bundle again, or export it again",
            )


def _parse_json(data: bytes, name: str) -> dict[str, Any]:
    try:
        return parse_object(data)
    except ValueError as error:
        raise BundleIncompatible(f"{name}: cannot be read as JSON ({why(error)})") from error
