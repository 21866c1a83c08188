"""From wishes to a plan: the bundle is checked, the inputs are listed once."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_infer.batch.inputs_there import require_inputs, require_outside
from edge_infer.batch.listing import list_units
from edge_infer.batch.loading import package_versions
from edge_infer.batch.locations import is_url, located
from edge_infer.batch.plan import BundleFacts, prepare_run
from edge_infer.batch.quiet_engine import require_engine
from edge_infer.batch.remote import entry_of_url
from edge_infer.batch.run_file import Request, RunFile, read_run
from edge_infer.batch.units import Unit
from edge_infer.batch.wishes import Shown, Wishes
from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.signature.keys import trusted_keys

__all__ = ["prepared"]


def prepared(wishes: Wishes, shown: Shown) -> RunFile:
    """Return the run in the output, planned now or before.

    Raises:
        MissingDependency: The engine, or what writes a format, is not installed.
        BundleError: The bundle is refused.
        UnreadableInput: An input is not there, or cannot be listed.
        DataRefused: A URL is refused.
        NoInputs: There is nothing to classify.
        CannotWrite: The output cannot be written, or holds another run or something else.
    """
    _require_packages(wishes)
    inputs = tuple(map(located, wishes.inputs))
    before = read_run(wishes.output)
    if before is None:
        _require_new(inputs, wishes.output)
    source = wishes.source
    bundle = load_bundle(
        source.bundle or shipped_bundle_path(), trusted=trusted_keys(source.trust or None)
    )
    request = Request(
        inputs=inputs,
        lists=tuple(map(located, wishes.lists)),
        manifest_sha256=bundle.manifest["manifest_sha256"],
        versions=package_versions(),
        scope=wishes.scope,
        despite=tuple(sorted(set(wishes.despite))),
        timeout_s=wishes.timeout_s,
        formats=tuple(sorted(set(wishes.formats))),
        embeddings=wishes.embeddings,
        partition_size=wishes.partition_size,
    )
    if before is not None:  # another request first: its inputs were never this run's
        before.refuse_other(request, wishes.output)
        require_inputs(inputs)
    listing = list_units(inputs, lists=wishes.lists)

    def units() -> Iterator[Unit]:
        for number, unit in enumerate(listing, start=1):
            yield unit
            shown.listed(number)

    run = prepare_run(
        wishes.output,
        request,
        BundleFacts(
            model=bundle.manifest["model"],
            precision=bundle.manifest["precision"],
            labels=bundle.labels,
        ),
        units,
        left_out=lambda: listing.left_out,
        waits=lambda: shown.say("another process is listing the inputs; waiting for it"),
    )
    if run.left_out:
        shown.say(f"left out: {'; '.join(run.left_out)}")
    return run


def _require_new(inputs: Sequence[str], output: Path) -> None:
    """Check what a new run is to list, before anything is written."""
    require_inputs(inputs, were_there=False)
    require_outside(output, inputs)
    for url in filter(
        is_url, inputs
    ):  # a mistyped one would be a plan of one unit that fails for good
        entry_of_url(url)


def _require_packages(wishes: Wishes) -> None:
    if "parquet" in wishes.formats:
        from edge_infer.batch.parquet import need_pyarrow

        need_pyarrow()
    if wishes.needs_engine:
        require_engine()
