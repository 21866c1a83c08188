"""``brain-export``: a checkpoint in, a verified bundle out."""

import functools
import json
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import (
    Command,
    progress_bar,
    results_stream,
    say,
    typed_command,
)
from edge_infer.contract import POSSIBLE_BUNDLE_FILES, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, DataRefused, UnreadableInput
from edge_infer.names import shown_name, shown_names
from export.int8.processors import PROCESSORS
from train.commands.data_options import (
    CACHE_HELP,
    DATASET_HELP,
    FILE,
    FOLDER,
    MANIFEST_HELP,
    check_data,
    class_choice,
)
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

    from edge_infer.bundle import Bundle
    from edge_infer.classes import Classes
    from export.int8.calibration import ExportImages
    from export.trust.out_of_fold import OutOfFold
    from export.trust.volume_answers import VolumeAnswers
    from train.checkpoint import Checkpoint
    from train.data.samples import Sample

__all__ = ["main"]

_METRICS_HINT = "pass a metrics.json that brain-train wrote"


@click.command("brain-export", cls=Command, epilog=RESEARCH_USE_ONLY)
@click.option("--model", help=f"Model to export: {', '.join(MODEL_NAMES)}.")
@click.option(
    "--bundle",
    type=FOLDER,
    help="A bundle that exists: nothing is exported, --end-to-end, --triton and --web write its other forms, --sign "
    "signs it, and --drift gives it a baseline.",
)
@click.option(
    "--int8",
    "precision",
    flag_value="int8",
    help="Quantize to 8-bit integers. Only a model that passes the quality gate is written.",
)
@click.option("--fp16", "precision", flag_value="fp16", help="Write the weights in half precision.")
@click.option(
    "--fp32",
    "precision",
    flag_value="fp32",
    default="fp32",
    help="Write the weights as trained (the default).",
)
@click.option(
    "--target",
    type=click.Choice(list(PROCESSORS)),
    default="x64-vnni",
    show_default=True,
    help="Processors to write an INT8 model for; brain-doctor tells which this machine has. "
    + "; ".join(f"{name}: {family.meaning}" for name, family in PROCESSORS.items())
    + ".",
)
@click.option("--portable", is_flag=True, help="Short for --target portable: runs on all of them.")
@click.option(
    "--end-to-end",
    is_flag=True,
    help="Also write one ONNX graph from a uint8 image of any size to probabilities, for programs in other languages.",
)
@click.option(
    "--triton",
    type=FOLDER,
    help="Also write two models into this model repository of the Triton Inference Server: the bundle's own graph, and "
    "one that takes images of any size.",
)
@click.option(
    "--web",
    type=FOLDER,
    help="Also write this folder: a page that classifies images in the browser, for any static web server and offline.",
)
@click.option(
    "--onnxruntime-web",
    type=FOLDER,
    help="The npm package onnxruntime-web that --web copies, such as node_modules/onnxruntime-web; nothing is fetched.",
)
@click.option(
    "--sign",
    metavar="KEY",
    type=FILE,
    help="Sign the bundle with this private key, a PEM file of the elliptic curve P-256: its signature is written "
    "beside it, and --trust of the other commands verifies it (docs/security.md).",
)
@click.option(
    "--passphrase-file",
    type=FILE,
    help="File whose first line is the passphrase of the key; without it, the terminal is asked.",
)
@click.option(
    "--drift",
    type=FOLDER,
    help="With --bundle and --data: write the bundle to this folder with a baseline for brain-drift, of its answers to "
    "the validation part; all else stays. An export with --data writes one by itself.",
)
@click.option(
    "--checkpoint",
    type=FOLDER,
    help="Checkpoint to export; default: the newest run of the model in runs/, else the one shipped with the project.",
)
@click.option(
    "--output", type=FOLDER, help="The bundle's folder; default: bundles/MODEL-PRECISION."
)
@click.option(
    "--data",
    type=FOLDER,
    help="Data set for calibration and gate; default: the kit, a few hundred scans that come with the project. A model "
    "of other classes needs its own data set.",
)
@click.option("--manifest", type=FILE, help=MANIFEST_HELP)
@click.option("--dataset", default="", help=DATASET_HELP)
@click.option(
    "--classes",
    metavar="FOLDER[=LABEL],...",
    help="The model's classes in their order, where the folders of --data are named otherwise.",
)
@click.option(
    "--cache", type=FOLDER, default=Path("runs/cache"), show_default=True, help=CACHE_HELP
)
@click.option(
    "--metrics",
    type=FILE,
    multiple=True,
    help="metrics.json that brain-train wrote, for the model card; may be repeated.",
)
@click.option(
    "--out-of-fold",
    type=FILE,
    multiple=True,
    help="predictions.csv of brain-train evaluate, of a model trained on the other folds: temperature and prediction "
    "sets are fitted on it. May be repeated, once for each fold. Leave out what you will test on. Default: "
    "out_of_fold.csv beside the checkpoint; without one the validation part is used.",
)
@click.option(
    "--volume-answers",
    type=FILE,
    help="Answers to the slices of whole volumes, of models trained without their patients: the rule for series is "
    "fitted on it. Default: volumes_out_of_fold.csv beside the checkpoint; without one there is no rule.",
)
@click.option(
    "--scope-manifest",
    type=FILE,
    help="Manifest whose train part the scope check is to know, where the model learnt from more than --data. Default: "
    "the train part of --data.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Write the first INT8 model that passes the gate instead of the best of all, and judge it on fewer corrupted "
    "images.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed that chooses the calibration images.",
)
def main(
    model: str | None,
    bundle: Path | None,
    precision: str,
    target: str,
    portable: bool,
    end_to_end: bool,
    triton: Path | None,
    web: Path | None,
    onnxruntime_web: Path | None,
    sign: Path | None,
    passphrase_file: Path | None,
    drift: Path | None,
    checkpoint: Path | None,
    output: Path | None,
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    classes: str | None,
    cache: Path,
    metrics: tuple[Path, ...],
    out_of_fold: tuple[Path, ...],
    volume_answers: Path | None,
    scope_manifest: Path | None,
    quick: bool,
    seed: int,
) -> None:
    """Export a checkpoint to a bundle that brain-infer loads.

    The graph must give what PyTorch gives. With --int8 it is quantized and judged on validation images, class by
    class; if nothing passes, no bundle is written and the exit status is 86. Tables of everything that was tried are
    written to OUTPUT.gate.txt.

    \b
    Example:
      brain-export --model cvt13 --int8 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
      brain-export --bundle BUNDLE --web PAGE --onnxruntime-web node_modules/onnxruntime-web
      brain-export --bundle BUNDLE --sign KEY
    """
    others = _Others(end_to_end, triton, web, onnxruntime_web, sign, passphrase_file)
    if drift is not None:
        if bundle is None or model is not None or data is None or others.are_asked:
            raise click.UsageError("--drift needs --bundle and --data, and stands alone")
        _write_drift(bundle, drift, data, manifest, dataset, classes)
        return
    others.check(bundle is not None)
    if bundle is not None and model is None:
        _write_forms_of(bundle, others)
        return
    if model is None or bundle is not None:
        raise click.UsageError("give --model to export one, or --bundle for one that exists")
    check_data(data, manifest, dataset)
    if scope_manifest is not None and data is None:
        raise click.UsageError("--scope-manifest needs --data")
    if classes is not None and data is None:
        raise click.UsageError("--classes needs --data")
    with results_stream() as results:
        from edge_infer.atomic import refuse_other_content
        from export.bundling import export_bundle
        from export.checkpoint_search import find_checkpoint
        from export.int8.gate_log import GateLog
        from train.checkpoint import load_checkpoint

        target_folder = output or Path("bundles") / f"{model}-{precision}"
        refuse_other_content(
            target_folder, POSSIBLE_BUNDLE_FILES, what="a bundle"
        )  # before minutes of work
        others.refuse_targets(target_folder)
        folder, origin = find_checkpoint(model, checkpoint)
        say(f"checkpoint: {folder} ({origin})")
        loaded = load_checkpoint(folder)
        if loaded.name != model:
            raise BundleIncompatible(
                f"checkpoint {folder} is of {loaded.name}, expected {model}",
                hint=f"pass --model {loaded.name}, or another --checkpoint",
            )
        _say_classes(loaded.classes)
        answers = _out_of_fold(folder, out_of_fold, loaded.classes)
        volumes = _volumes(folder, volume_answers, loaded.classes)
        images = None
        if precision == "int8" or data is not None:
            images = _images(
                loaded, data, manifest, dataset, classes, scope_manifest, cache, seed, quick
            )
        with progress_bar("Judging") as progress, GateLog(target_folder, say) as log:
            report = export_bundle(
                loaded,
                target_folder,
                precision=precision,
                images=images,
                metrics=_metrics(folder, metrics),
                command=typed_command("brain-export"),
                target="portable" if portable else target,
                quick=quick,
                cache=cache,
                out_of_fold=answers,
                volumes=volumes,
                step=say,
                details=log.write,
                progress=progress,
            )
        size = len(report.bundle.model_bytes)
        results.write(f"bundle: {report.bundle.path} (model.onnx {size / 1e6:.1f} MB)\n")
        for line in others.write(report.bundle):
            results.write(line)
        results.write(
            f"try it: brain-infer --bundle {shlex.quote(str(report.bundle.path))} scan.jpg\n"
        )
        results.write(f"{RESEARCH_USE_ONLY}\n")


def _write_forms_of(folder: Path, others: "_Others") -> None:
    with results_stream() as results:
        from edge_infer.bundle import load_bundle

        for line in others.write(load_bundle(folder)):
            results.write(line)
        results.write(f"{RESEARCH_USE_ONLY}\n")


def _write_drift(
    folder: Path, target: Path, data: Path, manifest: Path | None, dataset: str, named: str | None
) -> None:
    check_data(data, manifest, dataset)
    with results_stream() as results:
        from edge_infer.atomic import refuse_other_content
        from edge_infer.bundle import load_bundle
        from edge_infer.signature.verify import signature_path
        from export.drift_baseline import drift_of, with_drift
        from train.data.layouts import load_samples
        from train.splits.sample_rows import part_rows

        refuse_other_content(target, POSSIBLE_BUNDLE_FILES, what="a bundle")
        bundle = load_bundle(folder)
        choice = class_choice(named, model=bundle.classes)
        samples = load_samples(
            data, manifest=manifest, dataset=dataset, choice=choice, verify=False
        )
        rows = part_rows(samples, "val", one_of_each_copy=True)
        with progress_bar("Asking") as progress:
            drift = drift_of(
                bundle,
                [samples[row].source for row in rows],
                groups=[samples[row].group for row in rows],
                source=f"validation part of {shown_name(dataset or data.name)}, one of each copy",
                progress=progress,
            )
        if drift is None:
            raise DataRefused(
                f"{len(rows)} validation images, one of each copy, expected at least 100",
                hint="a baseline of fewer images would be chance",
            )
        written = with_drift(bundle, target, drift)
        if signature_path(target).exists():
            say(f"{shown_name(signature_path(target))} is of the bundle as it was: sign it again")
        fitted = drift["fitted_on"]
        results.write(
            f"bundle: {written.path} (baseline of {fitted['n']} images of {fitted['groups']} patients, "
            "each image of an unknown one counted as one)\n"
            f"{RESEARCH_USE_ONLY}\n"
        )


@dataclass(frozen=True)
class _Others:
    """Which other forms of a bundle are asked for."""

    end_to_end: bool
    triton: Path | None
    web: Path | None
    package: Path | None
    sign: Path | None
    passphrase_file: Path | None

    def check(self, is_bundle: bool) -> None:
        if (self.web is None) != (self.package is None):
            raise click.UsageError("--web and --onnxruntime-web belong together")
        if self.passphrase_file is not None and self.sign is None:
            raise click.UsageError("--passphrase-file needs --sign")
        if is_bundle and not self.are_asked:
            raise click.UsageError(
                "--bundle needs --end-to-end, --triton, --web or --sign; or --drift, alone"
            )

    @property
    def are_asked(self) -> bool:
        """Whether any is asked for."""
        return bool(self.end_to_end or self.triton or self.web or self.sign)

    def refuse_targets(self, bundle: Path) -> None:
        """Refuse what cannot be written, before minutes of work."""
        if self.triton is not None:
            from export.triton.repository import model_folders

            model_folders(bundle, self.triton)
        if self.web is not None and self.package is not None:
            from export.web.runtime_files import read_runtime_files
            from export.web.write import refuse_other_folder

            refuse_other_folder(self.web)
            read_runtime_files(self.package)
        if self.sign is not None:
            from export.signing.sign import refuse_other_file

            refuse_other_file(bundle)
            _ = self.key

    @functools.cached_property  # the passphrase is asked for once
    def key(self) -> "EllipticCurvePrivateKey":
        """Return the key that signs; ask for its passphrase if it has one."""
        from export.signing.private_key import read_passphrase, read_private_key

        if self.sign is None:
            raise ValueError("there is nothing to sign with")
        given = self.passphrase_file
        return read_private_key(
            self.sign, _asked_passphrase if given is None else lambda: read_passphrase(given)
        )

    def write(self, bundle: "Bundle") -> "Iterator[str]":
        """Write them; yield what to say of each."""
        if self.end_to_end:
            yield _write_end_to_end(bundle)
        if self.triton is not None:
            yield _write_triton(bundle, self.triton)
        if self.web is not None and self.package is not None:
            yield _write_web(bundle, self.web, self.package)
        if self.sign is not None:
            from export.signing.sign import sign_bundle

            signed = sign_bundle(bundle, self.key)
            yield f"signature: {signed.path} (key {signed.key_id})\n"


def _asked_passphrase() -> bytes:
    """Ask the terminal; a passphrase that is piped into the command may stand in a script that others read."""
    if sys.stdin is None or not sys.stdin.isatty():
        raise click.UsageError("the key is encrypted: give --passphrase-file, or use a terminal")
    return str(click.prompt("Passphrase of the key", hide_input=True, err=True)).encode()


def _write_web(bundle: "Bundle", target: Path, package: Path) -> str:
    from export.web.write import write_web

    written = write_web(bundle, target, package)
    return (
        f"page without a server: {target} ({written.size_bytes / 1e6:.1f} MB, {written.gzip_bytes / 1e6:.1f} MB "
        f"compressed; probabilities within {written.max_probability_difference:.1e} of the bundle's)\n"
        f"try it: python -m http.server --bind 127.0.0.1 --directory {shlex.quote(str(target))} 8000\n"
    )


def _write_end_to_end(bundle: "Bundle") -> str:
    from export.end_to_end.write import write_end_to_end

    path = bundle.path.with_name(f"{bundle.path.name}.end-to-end.onnx")
    figures = write_end_to_end(bundle, path)
    return (
        f"end to end: {path} ({figures['size_bytes'] / 1e6:.1f} MB; as the bundle on {figures['pictures']} images of "
        f"many sizes, probabilities within {figures['max_probability_difference']:.1e})\n"
    )


def _say_classes(classes: "Classes") -> None:
    if classes.is_brain:
        return
    negative = "none" if classes.negative is None else shown_name(classes.negative)
    say(f"{len(classes)} classes: {shown_names(classes.names)}; negative class: {negative}")


def _write_triton(bundle: "Bundle", repository: Path) -> str:
    from export.triton.repository import write_triton_repository

    models = write_triton_repository(bundle, repository)
    return "".join(
        f"Triton: {model.folder} (max_batch_size {model.max_batch_size})\n" for model in models
    )


def _images(
    checkpoint: "Checkpoint",
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    named: str | None,
    scope_manifest: Path | None,
    cache: Path,
    seed: int,
    quick: bool,
) -> "ExportImages":
    from export.int8.calibration import from_data_set, from_kit

    preprocessor, classes = checkpoint.preprocessor, checkpoint.classes
    if data is None and not classes.is_brain:
        raise DataRefused(
            f"--int8 without --data: the kit that stands in for a data set holds brain scans, and the model has the "
            f"classes {shown_names(classes.names)}",
            hint="give the data set that it was trained on with --data (and --manifest), or export it as --fp32",
        )
    if data is None:
        with progress_bar("Reading") as progress:
            images = from_kit(preprocessor, cache, seed=seed, quick=quick, progress=progress)
        say(
            f"no --data: calibrating on {len(images.calibration)} and judging on {len(images.gate)} scans of "
            f"{images.source} (export/kit)"
        )
        return images
    from train.data.layouts import load_samples

    choice = class_choice(named, model=classes)
    with progress_bar("Reading") as progress:
        samples = load_samples(
            data, manifest=manifest, dataset=dataset, choice=choice, verify=False
        )
        learnt = None
        if scope_manifest is not None:
            learnt = load_samples(data, manifest=scope_manifest, choice=choice, verify=False)
        return from_data_set(
            samples,
            preprocessor,
            cache,
            source=shown_name(dataset or data.name),
            seed=seed,
            quick=quick,
            progress=progress,
            learnt=learnt,
            learnt_source=_names_of(learnt),
        )


def _names_of(samples: "Sequence[Sample] | None") -> str:
    names = {sample.dataset or "unnamed" for sample in samples or ()}
    return shown_name(" and ".join(sorted(names)))


def _out_of_fold(
    checkpoint: Path, given: tuple[Path, ...], classes: "Classes"
) -> "OutOfFold | None":
    from export.trust.out_of_fold import OUT_OF_FOLD_FILE, read_out_of_fold

    beside = checkpoint / OUT_OF_FOLD_FILE
    paths = given or ((beside,) if beside.is_file() else ())
    if not paths:
        say(
            "no out-of-fold answers: prediction sets come from the validation part, if there is one"
        )
        return None
    found = read_out_of_fold(paths, classes)
    say(f"out-of-fold answers: {found.source}, n {len(found.labels)}")
    return found


def _volumes(checkpoint: Path, given: Path | None, classes: "Classes") -> "VolumeAnswers | None":
    from export.trust.volume_answers import VOLUME_ANSWERS_FILE, read_volume_answers

    beside = checkpoint / VOLUME_ANSWERS_FILE
    path = given or (beside if beside.is_file() else None)
    if path is None:
        say("no answers to volumes: the bundle gets no rule for series")
        return None
    if classes.negative is None:
        raise DataRefused(
            f"{shown_name(path.name)}: a rule for series needs a class that says that nothing is there, and none of "
            f"{shown_names(classes.names)} is named as such",
            hint="train with --negative LABEL, or leave out --volume-answers",
        )
    found = read_volume_answers(path, classes)
    say(f"answers to volumes: {path.name}, {len(found.volumes)} volumes, n {found.slices}")
    return found


def _metrics(checkpoint: Path, given: tuple[Path, ...]) -> dict[str, Any]:
    """Collect the evaluations beside the checkpoint's weights and those given by --metrics."""
    paths = [*sorted(checkpoint.glob("*.metrics.json")), *given]
    return {
        f"{number}-{path.parent.name if path.name == 'metrics.json' else path.name.partition('.')[0]}": _evaluation(
            path
        )
        for number, path in enumerate(paths, start=1)
    }


def _evaluation(path: Path) -> dict[str, Any]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableInput(
            f"{path}: cannot be read ({error.strerror})", hint="check the name and the permissions"
        ) from error
    except ValueError as error:
        raise UnreadableInput(f"{path}: is not JSON ({error})", hint=_METRICS_HINT) from error
    given = fields if isinstance(fields, dict) else {}
    missing = {"title", "model", "baselines", "provenance"} - set(given)
    if missing:
        raise UnreadableInput(
            f"{path}: lacks {', '.join(sorted(missing))}",
            hint=_METRICS_HINT,
        )
    return given


if __name__ == "__main__":
    main()
