"""``brain-batch``: classify an archive, on all cores or on a cluster; killed anywhere, the same command goes on."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from edge_infer.console import Command, FiniteRange, NamedPath, results_stream, say
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.errors import EXIT_BATCH_WITH_FAILURES
from edge_infer.names import counted
from edge_infer.options_cli import bundle_option, despite_option, scope_option, trust_option
from edge_infer.returned_memory import return_freed_memory

if TYPE_CHECKING:
    from edge_infer.batch.joined_cluster import ClusterAddress
    from edge_infer.batch.run import Shard
    from edge_infer.batch.summary import Summary

__all__ = ["main"]

_HELP = f"""Classify an archive with a bundle: up to billions of images and scans, on all cores or on a cluster.

INPUT is an image, a scan, a folder of them, a ZIP archive, or a URL such as s3://archive/2025. They are
listed once, in partitions; each partition becomes a file of rows in DIR/parts (docs/batch.md). At the
end DIR holds summary.json and report.html.

Ended anywhere, by whatever, the same command goes on; no row is lost and none comes twice. What was
listed at first is what is answered. Another bundle, other options or other inputs are refused.

Workers are processes of Dask (extra scale); --workers 1 and --shard need none.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-batch archive/ --output answers/
  brain-batch --list studies.txt --output answers/ --workers 16 --embeddings
  brain-batch archive/ --output answers/ --shard 3/100
  brain-batch s3://archive/2025 --output answers/ --cluster tls://10.0.0.2:8786 \\
      --tls-ca ca.pem --tls-cert cert.pem --tls-key key.pem

\b
Exit status:
  0 done, 2 usage, 20-28 input, 30-34 bundle, 40-41 output, 80-87 run,
  100 some images failed; docs/cli.md lists them all.
"""


def _shard_of(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """Read ``3/100``."""
    if value is None:
        return None
    number, _, count = value.partition("/")
    are_numbers = all(word.isascii() and word.isdecimal() for word in (number, count))
    if not (are_numbers and 1 <= int(number) <= int(count)):
        raise click.BadParameter(
            f"{value!r} is not I/N with 1 <= I <= N, such as 3/100.", context, parameter
        )
    return int(number), int(count)


@click.command("brain-batch", cls=Command, help=_HELP, no_args_is_help=True)
@click.argument("inputs", metavar="[INPUT]...", nargs=-1, type=NamedPath(readable=False))
@click.option(
    "--output",
    metavar="DIR",
    required=True,
    type=NamedPath(path_type=Path, file_okay=False, readable=False),
    help="Folder of the results; one run's only.",
)
@click.option(
    "--list",
    "lists",
    metavar="FILE",
    multiple=True,
    type=NamedPath(dir_okay=False, readable=False),
    help="Text file of one path or URL a line, or a CSV file with a column path. May be repeated.",
)
@bundle_option
@trust_option
@scope_option
@despite_option
@click.option(
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    type=FiniteRange(0, min_open=True),
    help="Stop working on an image that takes longer, reading included; default: no limit.",
)
@click.option(
    "--format",
    "formats",
    multiple=True,
    default=["parquet"],
    show_default=True,
    type=click.Choice(["parquet", "jsonl"]),
    help="Of the rows. May be repeated.",
)
@click.option(
    "--embeddings",
    is_flag=True,
    help="Keep what the graph says of each image in numbers, for brain-drift.",
)
@click.option(
    "--partition-size",
    metavar="N",
    type=click.IntRange(1, 10_000_000),
    default=1000,
    show_default=True,
    help="Images or files of scans a partition; docs/scale.md says how to choose.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Processes on this machine, of one thread each; default: the number of usable cores.",
)
@click.option(
    "--shard",
    metavar="I/N",
    callback=_shard_of,
    help="Answer every N-th partition from the I-th on, in this process, such as a task of SLURM; the last one to end "
    "sums up.",
)
@click.option(
    "--cluster",
    metavar="ADDRESS",
    help="Dask scheduler to join instead, such as tls://10.0.0.2:8786. Its workers need the same packages, inputs and "
    "output.",
)
@click.option(
    "--tls-ca",
    metavar="FILE",
    type=NamedPath(path_type=Path),
    help="PEM file of who signs the cluster's certificates.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    type=NamedPath(path_type=Path),
    help="PEM file of our certificate.",
)
@click.option(
    "--tls-key", metavar="FILE", type=NamedPath(path_type=Path), help="PEM file of its key."
)
def main(
    inputs: tuple[str, ...],
    output: Path,
    lists: tuple[str, ...],
    bundle: Path | None,
    trust: tuple[Path, ...],
    scope: Literal["enforce", "report", "off"],
    despite: tuple[str, ...],
    timeout_s: float | None,
    formats: tuple[Literal["parquet", "jsonl"], ...],
    embeddings: bool,
    partition_size: int,
    workers: int | None,
    shard: tuple[int, int] | None,
    cluster: str | None,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
) -> None:
    """Classify an archive."""
    if not inputs and not lists:
        raise click.UsageError("Missing argument 'INPUT', or --list FILE.")
    given = {"--workers": workers, "--shard": shard, "--cluster": cluster}
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise click.UsageError(f"{' and '.join(named)} exclude each other")
    joined = _cluster(cluster, tls_ca, tls_cert, tls_key)
    warnings.filterwarnings("ignore", module="PIL")  # they say nothing a user can act on
    return_freed_memory()
    with results_stream() as results:
        from edge_infer.batch.loading import BundleSource
        from edge_infer.batch.progress_cli import listing_progress, progress
        from edge_infer.batch.run import Shown, Wishes, run_batch

        wishes = Wishes(
            inputs=inputs,
            lists=lists,
            output=output.absolute(),
            source=BundleSource(
                bundle=None if bundle is None else str(bundle.absolute()),
                trust=tuple(str(one.absolute()) for one in trust),
            ),
            scope=scope,
            despite=despite,
            timeout_s=timeout_s,
            partition_size=partition_size,
            workers=workers,
            cluster=joined,
            shard=_shard(shard),
            formats=formats,
            embeddings=embeddings,
        )
        with progress("Units") as show:
            shown = Shown(say=say, progress=show, listed=listing_progress())
            summary = run_batch(wishes, shown)
        if summary is None:
            results.write("this shard is done; others are not\n")
        else:
            results.write(_text(summary, output))
        results.write(f"{RESEARCH_USE_ONLY}\n")
        results.flush()
    if summary is not None and summary.has_failures:
        raise SystemExit(EXIT_BATCH_WITH_FAILURES)


def _cluster(
    address: str | None, ca: Path | None, certificate: Path | None, key: Path | None
) -> "ClusterAddress | None":
    files = (ca, certificate, key)
    if address is None:
        if any(files):
            raise click.UsageError("--tls-ca, --tls-cert and --tls-key are for --cluster")
        return None
    from edge_infer.batch.joined_cluster import ClusterAddress

    joined = ClusterAddress(address=address, ca=ca, certificate=certificate, key=key)
    if any(files) and not all(files):
        raise click.UsageError("--tls-ca, --tls-cert and --tls-key belong together")
    if not any(files) and not joined.is_local:
        raise click.UsageError(
            "a cluster elsewhere needs --tls-ca, --tls-cert and --tls-key: whoever reaches an open scheduler runs "
            "code there"
        )
    return joined


def _shard(shard: tuple[int, int] | None) -> "Shard | None":
    if shard is None:
        return None
    from edge_infer.batch.run import Shard

    return Shard(number=shard[0], count=shard[1])


def _text(summary: "Summary", output: Path) -> str:
    refused = f", {counted(summary.refused, 'file')} refused" if summary.refused else ""
    answered = (
        "1 image or slice" if summary.answered == 1 else f"{summary.answered} images and slices"
    )
    return (
        f"{answered} answered: {summary.accepted} accepted, {summary.abstained} abstained; "
        f"{summary.failed} failed{refused}\n"
        f"rows: {output / 'parts'}\nreport: {output / 'report.html'}\n"
    )


if __name__ == "__main__":
    main()
