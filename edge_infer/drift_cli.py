"""``brain-drift``: do results still look like those that the bundle was made for?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import Command, NamedPath, results_stream, say, typed_command
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import (
    EXIT_ABSTAINED,
    BundleIncompatible,
    DataRefused,
    QualityGateFailed,
)
from edge_infer.names import shown_name
from edge_infer.options_cli import json_option, limits_option, report_option, require_folder

if TYPE_CHECKING:
    from edge_infer.baseline.parts import Baseline
    from edge_infer.drift_results import Results

__all__ = ["main"]

_HELP = f"""Compare a window of results with the bundle's baseline, or with older results.

RESULTS are outputs of brain-batch, or files of brain-infer --json, all of one bundle. Of each series one
image is drawn, since slices of a patient repeat each other. Scores, image statistics, shares of answers and,
where brain-batch kept them (--embeddings), embeddings are tested, with one correction over all tests.
brain-infer keeps neither statistics nor embeddings.

Drift is what is more than chance and beyond its limit (docs/drift.md). It says that images or answers are
other than they were, not that answers are worse.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-drift archive-2026/ --report drift.html
  brain-drift archive-2026/ --against archive-2025/ --by device --json
  brain-drift july.jsonl --limit ks=0.2 --limit two_sample=off

\b
Exit status:
  0 no sign of drift beyond the limits, 86 drift beyond a limit, 101 too few
  images to say, 2 usage, 20-28 input, 30-34 bundle, 40-41 output, 80-87 run;
  docs/cli.md lists them all.
"""

_PATHS = NamedPath(path_type=Path, exists=True, readable=False)


def _one_at_most(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> str | None:
    """Refuse a second value, which would silently stand in for the first."""
    if len(given) > 1:
        raise click.BadParameter(
            f"given {len(given)} times; give it once, and the command once for each",
            ctx=context,
            param=parameter,
        )
    return given[0] if given else None


@click.command("brain-drift", cls=Command, help=_HELP, no_args_is_help=True)
@click.argument("results", metavar="RESULTS...", nargs=-1, required=True, type=_PATHS)
@click.option(
    "--bundle",
    metavar="DIR",
    type=NamedPath(path_type=Path, file_okay=False, readable=False),
    help="The bundle that answered; default: the bundle shipped in the package.",
)
@click.option(
    "--against",
    metavar="RESULTS",
    multiple=True,
    type=_PATHS,
    help="Compare with these results of the same bundle, instead of its baseline. May be repeated.",
)
@click.option(
    "--by",
    multiple=True,
    callback=_one_at_most,
    type=click.Choice(["label", "plane", "device"]),
    help="Also test each class, plane or device by itself, where it has 200 images and 100 to compare with. Only "
    "once.",
)
@click.option(
    "--limit",
    "limit",
    metavar="NAME=VALUE",
    multiple=True,
    help="State a limit, or NAME=off. May be repeated.",
)
@limits_option
@json_option
@report_option
def main(
    results: tuple[Path, ...],
    bundle: Path | None,
    against: tuple[Path, ...],
    by: str | None,
    limit: tuple[str, ...],
    limits_file: Path | None,
    as_json: bool,
    report: Path | None,
) -> None:
    """Compare results."""
    if bundle is not None and against:
        raise click.UsageError("--bundle and --against exclude each other")
    require_folder(report)
    with results_stream(must_be_open=True) as stream:
        from edge_infer.drift.limits import limits_with

        try:
            limits = limits_with(limit, limits_file)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        result = _compared(results, bundle, against, by, limits)
        if result["verdict"] == "nothing to test":
            raise DataRefused(
                f"{result['window']['n']} images, and nothing to test: {'; '.join(result['not_tested'])}",
                hint="switch on another test with --limit, or give results that hold what is tested",
            )
        if report is not None:
            from edge_infer.atomic import write_bytes_atomically
            from edge_infer.drift.page import page_of

            write_bytes_atomically(report, page_of(result).encode())
        if as_json:
            stream.write(json.dumps(result, indent=2, allow_nan=False) + "\n")
        else:
            from edge_infer.drift.text import text_of

            stream.write(text_of(result))
        stream.flush()
    _end(result)


def _compared(
    paths: tuple[Path, ...],
    bundle: Path | None,
    against: tuple[Path, ...],
    by: str | None,
    limits: dict[str, float],
) -> dict[str, Any]:
    from edge_infer.drift.comparing import compare
    from edge_infer.drift_results import read_results, refuse_shared

    refuse_shared(paths, against)
    window = read_results(paths)
    former = read_results(against) if against else None
    if former is not None:
        digest, model = former.manifest_sha256, former.model
        _same_bundle(window, digest, "the results of --against")
        baseline = _baseline_of(former, by)
    else:
        baseline, digest, model = _baseline_in(bundle)
        _same_bundle(window, digest, "the bundle")
    seen = None if former is None else former.seen
    return {
        "schema_version": 1,
        **compare(baseline, window.seen, limits, by=by, former=seen),
        "reference": {
            "kind": "bundle" if seen is None else "results",
            "source": baseline.source,
            "n": baseline.n,
            "groups": baseline.groups,
            "of_series": None if seen is None else seen.of_series,
            "model": model,
            "manifest_sha256": digest,
        },
        "window": {
            "files": len(paths),
            "kind": window.kind,
            "n": len(window.seen),
            "answered": window.seen.answered,
            "of_series": window.seen.of_series,
            "failed": window.failed,
        },
        "command": typed_command("brain-drift"),
        "research_use_only": RESEARCH_USE_ONLY,
    }


def _baseline_in(folder: Path | None) -> "tuple[Baseline, str, str]":
    from edge_infer.bundle import load_bundle, shipped_bundle_path

    loaded = load_bundle(folder or shipped_bundle_path())
    if loaded.baseline is None:
        raise BundleIncompatible(
            "the bundle has no baseline to compare with",
            hint="give older results with --against, or a bundle with one "
            "(brain-export --drift, brain-refit), which is another bundle: these results are of the one without",
        )
    manifest = loaded.manifest
    return loaded.baseline, str(manifest["manifest_sha256"]), str(manifest["model"])


def _baseline_of(former: "Results", by: str | None) -> "Baseline":
    from edge_infer.baseline.reading import read_baseline
    from edge_infer.drift.fitting import LEAST_REFERENCE, fit_baseline

    if len(former.seen) < LEAST_REFERENCE:
        raise DataRefused(
            f"--against holds {len(former.seen)} images, one of each series, expected at least {LEAST_REFERENCE}",
            hint="give more of the older results",
        )
    fields = fit_baseline(
        former.seen,
        labels=former.labels,
        source="the results of --against",
        by=(by,) if by else (),
    )
    return read_baseline(fields, former.labels)


def _same_bundle(window: "Results", digest: str, what: str) -> None:
    # Results without an answer are of no bundle; that they are too few is said where they are counted.
    if window.manifest_sha256 and digest and window.manifest_sha256 != digest:
        raise DataRefused(
            f"RESULTS are of bundle {shown_name(window.manifest_sha256[:12])}, and {what} of "
            f"{shown_name(digest[:12])}",
            hint="name the bundle that answered with --bundle, or give older results of it with --against; a bundle "
            "that was given a baseline has another digest than before",
        )


def _end(result: dict[str, Any]) -> None:
    """End with the status of the verdict."""
    if result["verdict"] == "drift":
        named = dict.fromkeys(one["measure"] for one in result["drifted"])
        raise QualityGateFailed(
            f"drift beyond the limits: {', '.join(named)}",
            hint="look at what changed (scanner, sequence, patients, files) before relying on the answers",
        )
    if result["verdict"] == "too few":
        say(
            f"too few images to say: {result['window']['n']}, expected at least {result['least_n']}"
        )
        raise SystemExit(EXIT_ABSTAINED)


if __name__ == "__main__":
    main()
