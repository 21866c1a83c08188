"""``brain-infer``: images and scans in, answers out."""

import contextlib
import functools
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from edge_infer.console import (
    Command,
    FiniteRange,
    NamedPath,
    report_error,
    results_stream,
    say,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.devices.option_cli import device_option
from edge_infer.errors import BrainError
from edge_infer.options_cli import (
    audit_option,
    bundle_option,
    despite_option,
    scope_option,
    trust_option,
)

if TYPE_CHECKING:
    from edge_infer.audit.log import AuditLog
    from edge_infer.classifier import Classifier, Outcome
    from edge_infer.heatmap_files import HeatmapFiles
    from edge_infer.report import Context
    from edge_infer.results import Results
    from edge_infer.series.sheet_files import SheetFiles
    from edge_infer.series.study import Study
    from edge_infer.standard_input import StandardInput
    from edge_infer.tally import Tally

__all__ = ["main"]

Form = Literal["text", "json", "csv"]

_STDIN = "-"

#: What a worker for a host program does not use: its requests say what to classify, and its answers are JSON.
_NOT_SERVED = ("inputs", "as_json", "as_csv", "heatmap", "dicom_out", "codes", "fail_on_abstain")

_HELP = f"""Classify images with a bundle; by default brain MRI: glioma, meningioma, no_tumor, pituitary.

INPUT is a JPEG, PNG, BMP or TIFF file, a folder of them, or - for one image from standard input
(for a file called -, write ./-). Results go to stdout, everything else to stderr.

It may also be a scan: a DICOM file, a NIfTI volume, a ZIP archive of a study, or a folder of them
(extras dicom and nifti). Slices are put in order and answered one by one, and each series gets a
result by a stated rule (docs/series.md).

An image that the model should not answer - no brain MRI, too close to call, damaged - gets the
decision to abstain, with reasons; its nearest answer is shown as not accepted.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-infer scan.jpg
  brain-infer scan.jpg --heatmap scan.heatmap.png
  brain-infer --json scans/ > results.jsonl
  brain-infer - < scan.jpg
  brain-infer study/ --heatmap sheets/ --dicom-out results/
  brain-infer --serve-stdio

\b
Exit status:
  0 done, 2 usage, 20-27 input, 30-34 bundle, 40-41 output, 80-87 run,
  100 some of several files failed, 101 not accepted (--fail-on-abstain);
  docs/cli.md lists them all.
"""


@click.command("brain-infer", cls=Command, help=_HELP, no_args_is_help=True)
@click.argument(  # a file that may not be read is an error of that image, not of usage
    "inputs", metavar="INPUT...", nargs=-1, type=NamedPath(readable=False)
)
@bundle_option
@trust_option
@device_option
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Number of threads for one image; default: the number of usable cores.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per image or slice (docs/result.schema.json) and per series "
    "(docs/series.schema.json), each on a line.",
)
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print a CSV table with a header, in UTF-8 without byte order mark.",
)
@click.option(
    "--heatmap",
    metavar="PATH",
    type=NamedPath(path_type=Path, readable=False),
    help="Draw the evidence for the answer over the scan; of a series, all slices on a contact sheet. PATH is a .png "
    "file for one image or series, a folder for several.",
)
@click.option(
    "--dicom-out",
    metavar="DIR",
    type=NamedPath(path_type=Path, file_okay=False, readable=False),
    help="Folder for a structured report and secondary captures of each DICOM series.",
)
@click.option(
    "--codes",
    type=click.Choice(["ncit", "sct"]),
    default="ncit",
    show_default=True,
    help="Codes of the tumours in DICOM objects: NCI Thesaurus, or SNOMED CT where you hold a licence.",
)
@despite_option
@scope_option
@audit_option
@click.option(
    "--fail-on-abstain",
    is_flag=True,
    help="End with exit status 101 if an answer is not accepted, or a series abstains, and no image failed.",
)
@click.option(
    "--self-test",
    type=click.Choice(["quick", "full", "off"]),
    default="quick",
    show_default=True,
    help="Classify golden images with known answers first: quick takes two, full all, off none.",
)
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=FiniteRange(0, min_open=True),
    help="Stop working on an image that takes longer, reading included; default: no limit.",
)
@click.option(
    "--serve-stdio",
    is_flag=True,
    help="Be a worker for a host program, without INPUT: requests on standard input, answers on standard output "
    "(docs/stdio.md).",
)
def main(
    inputs: tuple[str, ...],
    bundle: Path | None,
    trust: tuple[Path, ...],
    device: str,
    threads: int | None,
    as_json: bool,
    as_csv: bool,
    heatmap: Path | None,
    dicom_out: Path | None,
    codes: Literal["ncit", "sct"],
    despite: tuple[str, ...],
    scope: Literal["enforce", "report", "off"],
    audit: Path | None,
    fail_on_abstain: bool,
    self_test: Literal["quick", "full", "off"],
    timeout_s: float | None,
    serve_stdio: bool,
) -> None:
    """Classify images."""
    open_log = functools.cache(lambda: _open_log(audit))
    load = partial(
        _load,
        bundle,
        open_log,
        device=device,
        num_threads=threads,
        self_test=self_test,
        timeout_s=timeout_s,
        scope=scope,
        trust=trust or None,
    )
    if serve_stdio:
        _serve_stdio(load, despite, timeout_s, open_log)
        return
    form = _form(as_json=as_json, as_csv=as_csv)
    _check_inputs(inputs)
    log = open_log()
    warnings.filterwarnings("ignore", module="PIL")  # they say nothing a user can act on
    # A terminal needs the locale's encoding; a table that is kept is UTF-8 everywhere.
    encoding = "utf-8" if form == "csv" else None
    with results_stream(encoding=encoding, errors="backslashreplace", must_be_open=True) as results:
        from edge_infer.folder_walk import is_folder
        from edge_infer.heatmap_files import HeatmapFiles
        from edge_infer.inputs import expand_inputs
        from edge_infer.report import context_of, csv_header
        from edge_infer.standard_input import StandardInput
        from edge_infer.tally import Tally

        # Path("./-") is Path("-"): only the word as typed shows whether it is standard input.
        stdin = None if sys.stdin is None else getattr(sys.stdin.buffer, "raw", sys.stdin.buffer)
        given = [StandardInput(stdin) if word == _STDIN else Path(word) for word in inputs]
        is_batch = len(given) > 1 or (isinstance(given[0], Path) and is_folder(given[0]))
        with _failures_recorded(log):
            found = expand_inputs(given)
            images = found.images
            study = (
                _open_study(found.scans, despite, dicom_out, is_alone=not images)
                if found.scans
                else None
            )
        if dicom_out is not None and study is None:
            raise click.UsageError("--dicom-out is for DICOM series, and none was given")
        draws_images = heatmap and (images or study is None)
        drawings = (
            HeatmapFiles(
                heatmap, images, is_batch=is_batch or study is not None, timeout_s=timeout_s
            )
            if heatmap and draws_images
            else None
        )
        sheets = _sheets(heatmap, found.scans, study, is_alone=not images)
        classifier = load()
        if classifier.bundle.scope_model is None:
            other = "that is no brain MRI" if classifier.bundle.classes.is_brain else "of any kind"
            say(f"this bundle has no scope check: an image {other} gets a class, too")
        context = context_of(classifier)
        tally = Tally()
        log = None if log is None else log.of(classifier, despite=despite)
        if form == "csv":
            results.write(csv_header(classifier.bundle.labels))
        _classify(
            classifier, images, form, results, drawings, context, tally, log, is_batch=is_batch
        )
        if study is not None:
            from edge_infer.study_output import StudyOutput

            StudyOutput(
                classifier=classifier,
                form=form,
                results=results,
                context=context,
                tally=tally,
                is_batch=is_batch,
                sheets=sheets,
                dicom_out=dicom_out,
                codes=codes,
                timeout_s=timeout_s,
                log=log,
                bar=_bar(results),
                width=_width(),
            ).run(study)
        if form == "text":
            results.write(f"{RESEARCH_USE_ONLY}\n")
        left_out = "; ".join(filter(None, (found.left_out, study.left_out if study else "")))
        if is_batch or study is not None:
            say(tally.line)
        if left_out:
            say(f"left out: {left_out}")
    status = tally.exit_status(fail_on_abstain=fail_on_abstain)
    if status:
        raise SystemExit(status)


def _open_log(audit: Path | None) -> "AuditLog | None":
    if audit is None:
        return None
    from edge_infer.audit.log import AuditLog

    return AuditLog(audit, program="brain-infer")


def _failures_recorded(log: "AuditLog | None") -> contextlib.AbstractContextManager[None]:
    if log is None:
        return contextlib.nullcontext()
    from edge_infer.audit.log import failures_recorded

    return failures_recorded(log)


def _load(
    bundle: Path | None, open_log: Callable[[], "AuditLog | None"], **options: Any
) -> "Classifier":
    from edge_infer.classifier import Classifier

    with _failures_recorded(open_log()):
        classifier = Classifier.load(bundle, **options)
    if classifier.device_choice:
        say(classifier.device_choice)
    return classifier


def _form(*, as_json: bool, as_csv: bool) -> Form:
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    return "json" if as_json else "csv" if as_csv else "text"


def _serve_stdio(
    load: Callable[[], "Classifier"],
    despite: tuple[str, ...],
    timeout_s: float | None,
    open_log: Callable[[], "AuditLog | None"],
) -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        given = parameter.name and context.get_parameter_source(parameter.name)
        if parameter.name in _NOT_SERVED and given is not click.core.ParameterSource.DEFAULT:
            raise click.UsageError(
                f"--serve-stdio goes without {parameter.get_error_hint(context)}"
            )
    from edge_infer.stdio.serving import serve

    serve(load, despite=despite, timeout_s=timeout_s, open_log=open_log)


def _check_inputs(inputs: tuple[str, ...]) -> None:
    if not inputs:
        raise click.UsageError("Missing argument 'INPUT...'.")
    if inputs.count(_STDIN) > 1:
        raise click.UsageError("- is one image from standard input, so it can be given once")
    if _STDIN in inputs and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError(
            "standard input is a terminal: pipe an image into it, as in brain-infer - < scan.png"
        )


def _open_study(
    scans: "list[Path]", despite: tuple[str, ...], dicom_out: Path | None, *, is_alone: bool
) -> "Study":
    # Here, as all that is for scans: who classifies an image does not wait for it.
    from edge_infer.series.study import open_study
    from edge_infer.study_run import refuse_without_identity

    study = open_study(scans, despite=despite)
    # Beside others it is answered, and what cannot be written is an error at the end.
    if dicom_out is not None and is_alone and len(study.series) == 1 and not study.refused:
        refuse_without_identity(study)
    return study


def _sheets(
    target: Path | None, scans: "list[Path]", study: "Study | None", *, is_alone: bool
) -> "SheetFiles | None":
    if target is None or study is None or not study.series:
        return None
    from edge_infer.series.sheet_files import SheetFiles

    return SheetFiles(target, scans, series=len(study.series), is_alone=is_alone)


def _classify(
    classifier: "Classifier",
    images: "list[Path | StandardInput]",
    form: Form,
    results: "Results",
    drawings: "HeatmapFiles | None",
    context: "Context",
    tally: "Tally",
    log: "AuditLog | None",
    *,
    is_batch: bool,
) -> None:
    """Print one result per image and count what became of them. For a single image a failure is raised."""
    labels = classifier.bundle.labels
    with _shown_progress(images, is_batch=is_batch) as progress:
        for image, outcome in zip(images, classifier.predict_each(progress), strict=True):
            if log is not None:  # before the answer is seen: what cannot be recorded is not given
                log.add(outcome)
            _write(outcome, form, results, labels, context)
            tally.add(outcome)
            error = outcome.error or _draw(drawings, image, outcome)
            if error is None:
                continue
            if not is_batch:
                raise error
            report_error(error)
            tally.undrawn += outcome.error is None


@contextlib.contextmanager
def _shown_progress(
    images: "list[Path | StandardInput]", *, is_batch: bool
) -> "Iterator[Iterator[Path | StandardInput]]":
    """Show a progress bar if stderr is a terminal and the results do not go there, too."""
    if not (is_batch and sys.stderr.isatty() and not sys.stdout.isatty()):
        yield iter(images)
        return
    with click.progressbar(images, file=sys.stderr) as progress:
        yield iter(progress)


def _draw(
    drawings: "HeatmapFiles | None", image: "Path | StandardInput", outcome: "Outcome"
) -> BrainError | None:
    if drawings is None or outcome.prediction is None:
        return None
    try:
        drawings.draw(image, outcome.prediction)
    except BrainError as error:
        return error
    return None


def _write(
    outcome: "Outcome",
    form: Form,
    results: "Results",
    labels: tuple[str, ...],
    context: "Context",
) -> None:
    from edge_infer.report import csv_row, json_line, text_block

    if form == "json":
        results.write(json_line(outcome, context) + "\n")
    elif form == "csv":
        results.write(csv_row(outcome, labels, context))
    elif outcome.prediction is not None:
        results.write(text_block(outcome.prediction, bar=_bar(results)) + "\n\n")
    results.flush()  # a program that reads the pipe gets each answer at once


def _width() -> int:
    """Return how wide text may be: as the terminal is, or the usual width where there is none."""
    from edge_infer.series.wrapping import USUAL_WIDTH

    if sys.stdout is None or not sys.stdout.isatty():
        return USUAL_WIDTH
    return shutil.get_terminal_size((USUAL_WIDTH, 24)).columns


def _bar(results: "Results") -> str:
    can_draw = (results.encoding or "").lower().replace("-", "") == "utf8"
    return "█" if can_draw else "#"
