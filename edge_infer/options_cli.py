"""Options that several commands share; ``--device`` is in ``edge_infer.devices.option_cli``."""

from pathlib import Path

import click

from edge_infer.console import NamedPath
from edge_infer.refusals import OVERRULABLE

__all__ = ["bundle_option", "despite_option", "scope_option"]

_REASONS = sorted(refusal.value for refusal in OVERRULABLE)

bundle_option = click.option(
    "--bundle",
    metavar="DIR",
    type=NamedPath(path_type=Path, readable=False),
    help="Folder of the model bundle; default: the bundle shipped in the package.",
)

scope_option = click.option(
    "--scope",
    type=click.Choice(["enforce", "report", "off"]),
    default="enforce",
    show_default=True,
    help="enforce abstains for every reason; report lists reasons and accepts; off leaves out the scope check.",
)

despite_option = click.option(
    "--despite",
    metavar="REASON",
    multiple=True,
    type=click.Choice(_REASONS),
    help="Read DICOM files that are refused for this reason, with a warning: "
    f"{', '.join(_REASONS)}. May be repeated.",
)
