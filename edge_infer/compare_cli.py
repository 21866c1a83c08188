"""``brain-compare``: what would change if one bundle took the place of another?"""

import json
from pathlib import Path

import click

from edge_infer.console import Command, NamedPath, progress_bar, results_stream, say, typed_command
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.devices.option_cli import device_option
from edge_infer.errors import EXIT_ABSTAINED, QualityGateFailed
from edge_infer.options_cli import (
    despite_option,
    json_option,
    limits_option,
    report_option,
    require_folder,
)

__all__ = ["main"]

_HELP = f"""Compare two bundles on a site's own images before an update: OLD in use, NEW to take its place.

OLD and NEW are folders of bundles; the word shipped is the bundle in this package (for a folder of this
name, write ./shipped). Both are asked about every image and series below --data. Where classes are
known, by folders named as classes or by --labels, accuracy and calibration are compared, too.

The changes are held against limits (docs/compare.md). A limit is held only if there are enough images to
be sure of it: the 95 % interval must end below most + margin.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-compare old-bundle shipped --data scans/
  brain-compare old-bundle new-bundle --data scans/ --labels labels.csv \\
      --limits limits.toml --report change.html --json > change.json
  brain-compare old-bundle new-bundle --data scans/ --limit flips=0.01+0.02

\b
Exit status:
  0 all limits held, 86 a limit is exceeded, 101 none is, but there are too
  few images to say of at least one, 2 usage, 20-26 input, 30-34 bundle,
  40-41 output, 80-87 run; docs/cli.md lists them all.
"""


@click.command("brain-compare", cls=Command, help=_HELP, no_args_is_help=True)
@click.argument("old", metavar="OLD", type=NamedPath(readable=False))
@click.argument("new", metavar="NEW", type=NamedPath(readable=False))
@click.option(
    "--data",
    metavar="DIR",
    required=True,
    type=NamedPath(path_type=Path, readable=False),
    help="Folder of images, DICOM or NIfTI files, as brain-infer takes.",
)
@click.option(
    "--labels",
    "table",
    metavar="FILE",
    type=NamedPath(path_type=Path, dir_okay=False, readable=False),
    help="CSV with the columns path (below --data), label, and perhaps group (such as a patient's number).",
)
@click.option(
    "--limit",
    "limit",
    metavar="NAME=MOST[+MARGIN]",
    multiple=True,
    help="State a limit, or NAME=off. May be repeated.",
)
@limits_option
@json_option
@report_option
@click.option(
    "--thumbnails",
    is_flag=True,
    help="Show small copies of changed images on the page: they may be patient data.",
)
@click.option(
    "--rounds",
    metavar="N",
    type=click.IntRange(0, 10_000),
    default=30,
    show_default=True,
    help="Turns of each bundle for time and memory; 0 measures neither.",
)
@device_option
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Number of threads for one image; default: the number of usable cores.",
)
@despite_option
def main(
    old: str,
    new: str,
    data: Path,
    table: Path | None,
    limit: tuple[str, ...],
    limits_file: Path | None,
    as_json: bool,
    report: Path | None,
    thumbnails: bool,
    rounds: int,
    device: str,
    threads: int | None,
    despite: tuple[str, ...],
) -> None:
    """Compare two bundles."""
    if thumbnails and report is None:
        raise click.UsageError("--thumbnails is for the page: give --report FILE, too")
    require_folder(report)
    with results_stream(must_be_open=True) as results:
        from edge_infer.comparison.comparing import Wishes, compare
        from edge_infer.comparison.limits import limits_with
        from edge_infer.comparison.text import text_of

        try:
            limits = limits_with(limit, limits_file)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        wishes = Wishes(
            old=old,
            new=new,
            data=data,
            limits=limits,
            table=table,
            device=device,
            threads=threads,
            despite=despite,
            rounds=rounds,
            thumbnails=thumbnails,
            command=typed_command("brain-compare"),
        )
        with progress_bar("Images") as asked, progress_bar("Time and memory") as measured:
            comparison = compare(wishes, asked=asked, measured=measured)
        result = comparison.result
        if report is not None:
            from edge_infer.atomic import write_bytes_atomically
            from edge_infer.comparison.page import page_of

            write_bytes_atomically(report, page_of(comparison).encode())
        results.write(
            json.dumps(result, indent=2, allow_nan=False) + "\n" if as_json else text_of(result)
        )
        results.flush()
    _end(
        result["verdict"],
        [one["name"] for one in result["limits"] if one["verdict"] == result["verdict"]],
    )


def _end(verdict: str, named: list[str]) -> None:
    """End with the status of the verdict."""
    if verdict == "exceeded":
        raise QualityGateFailed(
            f"the change exceeds {', '.join(named)}",
            hint="look at the changed images before the update, or state other limits, with a reason",
        )
    if verdict == "too few":
        say(f"too few images to say: {', '.join(named) or 'no limit was judged'}")
        say(
            "  hint: add images, or state a wider margin with --limit NAME=MOST+MARGIN, or NAME=off"
        )
        raise SystemExit(EXIT_ABSTAINED)


if __name__ == "__main__":
    main()
