"""``brain-export``: a checkpoint in, a verified bundle out."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import (
    Command,
    NamedPath,
    progress_bar,
    results_stream,
    say,
    shown_to_user,
    typed_command,
)
from edge_infer.contract import BUNDLE_FILES, RESEARCH_USE_ONLY
from edge_infer.errors import BundleIncompatible, UnreadableInput
from edge_infer.names import shown_name
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from edge_infer.bundle import Bundle
    from edge_infer.preprocessing import PreprocessorConfig
    from export.int8.calibration import ExportImages

__all__ = ["main"]

_Folder = NamedPath(path_type=Path, file_okay=False, readable=False)
_File = NamedPath(path_type=Path, dir_okay=False, readable=False)


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.option("--model", required=True, help=f"Which model: {', '.join(MODEL_NAMES)}.")
@click.option(
    "--int8", "precision", flag_value="int8", help="Quantize, and write only what passes the gate."
)
@click.option("--fp16", "precision", flag_value="fp16", help="Half-precision weights.")
@click.option(
    "--fp32", "precision", flag_value="fp32", default="fp32", help="As trained (the default)."
)
@click.option(
    "--target",
    type=click.Choice(["x64-vnni", "x64-avx2", "arm64", "portable"]),
    default="x64-vnni",
    show_default=True,
    help="Processors an INT8 model is written for; x64-avx2 is for Intel and AMD without VNNI (brain-doctor says so).",
)
@click.option("--portable", is_flag=True, help="Short for --target portable.")
@click.option(
    "--end-to-end",
    is_flag=True,
    help="Also write one graph that takes a uint8 image of any size, for other languages.",
)
@click.option(
    "--checkpoint", type=_Folder, help="Default: the newest run of the model, else the shipped one."
)
@click.option(
    "--output", type=_Folder, help="The bundle's folder; default: bundles/MODEL-PRECISION."
)
@click.option(
    "--data",
    type=_Folder,
    help="Data set for calibration and gate; default: the kit, a few hundred scans that come with the project.",
)
@click.option("--manifest", type=_File, help="manifest.csv with splits, groups and labels.")
@click.option("--dataset", default="", help="Only the manifest's rows of this data set.")
@click.option(
    "--cache", type=_Folder, default=Path("runs/cache"), show_default=True, help="Decoded images."
)
@click.option(
    "--metrics", type=_File, multiple=True, help="metrics.json of brain-train, for the model card."
)
@click.option(
    "--quick",
    is_flag=True,
    help="Take the first INT8 form that passes instead of the best of all, and judge fewer corrupted images.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Of the calibration images.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def main(
    model: str,
    precision: str,
    target: str,
    portable: bool,
    end_to_end: bool,
    checkpoint: Path | None,
    output: Path | None,
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    metrics: tuple[Path, ...],
    quick: bool,
    seed: int,
    debug: bool,
) -> None:
    """Export a checkpoint to a bundle that brain-infer loads.

    The graph is compared with PyTorch. With --int8 it is quantized and judged on validation images, class by class;
    what does not pass is not written (exit status 86). The tables of all that was tried go to OUTPUT.gate.txt.

    \b
    Example:
      brain-export --model cvt13 --int8 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
    """
    with shown_to_user(debug=debug), results_stream() as results:
        if dataset and manifest is None:
            raise click.UsageError("--dataset chooses rows of a manifest: give --manifest too")
        from edge_infer.atomic import refuse_other_content
        from export.bundling import export_bundle
        from export.checkpoint_search import find_checkpoint
        from export.int8.gate_log import GateLog
        from train.checkpoint import load_checkpoint

        target_folder = output or Path("bundles") / f"{model}-{precision}"
        refuse_other_content(target_folder, BUNDLE_FILES, what="a bundle")  # before minutes of work
        folder, origin = find_checkpoint(model, checkpoint)
        say(f"checkpoint: {folder} ({origin})")
        loaded = load_checkpoint(folder)
        if loaded.name != model:
            raise BundleIncompatible(
                f"checkpoint {folder} is of {loaded.name}, expected {model}",
                hint=f"pass --model {loaded.name}, or another --checkpoint",
            )
        images = None
        if precision == "int8" or data is not None:
            images = _images(loaded.preprocessor, data, manifest, dataset, cache, seed, quick)
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
                step=say,
                details=log.write,
                progress=progress,
            )
        size = len(report.bundle.model_bytes)
        results.write(f"bundle: {report.bundle.path} (model.onnx {size / 1e6:.1f} MB)\n")
        if end_to_end:
            results.write(_write_end_to_end(report.bundle))
        results.write(
            f"try it: brain-infer --bundle {shlex.quote(str(report.bundle.path))} scan.jpg\n"
        )
        results.write(f"{RESEARCH_USE_ONLY}\n")


def _write_end_to_end(bundle: "Bundle") -> str:
    from export.end_to_end.write import write_end_to_end

    path = bundle.path.with_name(f"{bundle.path.name}.end-to-end.onnx")
    figures = write_end_to_end(bundle, path)
    return (
        f"end to end: {path} ({figures['size_bytes'] / 1e6:.1f} MB; as the bundle on {figures['pictures']} images of "
        f"many sizes, probabilities within {figures['max_probability_difference']:.1e})\n"
    )


def _images(
    preprocessor: "PreprocessorConfig",
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    seed: int,
    quick: bool,
) -> "ExportImages":
    from export.int8.calibration import from_data_set, from_kit

    if data is None:
        with progress_bar("Reading") as progress:
            images = from_kit(preprocessor, cache, seed=seed, quick=quick, progress=progress)
        say(
            f"no --data: calibrating on {len(images.calibration)} and judging on {len(images.gate)} scans of "
            f"{images.source} (export/kit)"
        )
        return images
    from train.data.layouts import load_samples

    with progress_bar("Reading") as progress:
        samples = load_samples(data, manifest=manifest, dataset=dataset, verify=False)
        return from_data_set(
            samples,
            preprocessor,
            cache,
            source=shown_name(dataset or data.name),
            seed=seed,
            quick=quick,
            progress=progress,
        )


def _metrics(checkpoint: Path, given: tuple[Path, ...]) -> dict[str, Any]:
    """Collect evaluations: those named, and those that lie beside the checkpoint's weights."""
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
        raise UnreadableInput(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise UnreadableInput(f"{path}: is not JSON ({error})") from error
    given = fields if isinstance(fields, dict) else {}
    missing = {"title", "model", "baselines", "provenance"} - set(given)
    if missing:
        raise UnreadableInput(
            f"{path}: lacks {', '.join(sorted(missing))}",
            hint="pass a metrics.json that brain-train wrote",
        )
    return given


if __name__ == "__main__":
    main()
