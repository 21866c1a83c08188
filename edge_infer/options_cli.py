"""Options that several commands share; ``--device`` is in ``edge_infer.devices.option_cli``."""

from pathlib import Path

import click

from edge_infer.console import NamedPath
from edge_infer.refusals import OVERRULABLE

__all__ = ["audit_option", "bundle_option", "despite_option", "scope_option", "trust_option"]

_REASONS = sorted(refusal.value for refusal in OVERRULABLE)

audit_option = click.option(
    "--audit",
    metavar="FILE",
    type=NamedPath(path_type=Path, readable=False),
    help="Add a record of each answer, refusal and failure to this audit log, before it is given out (docs/audit.md).",
)

bundle_option = click.option(
    "--bundle",
    metavar="DIR",
    type=NamedPath(path_type=Path, readable=False),
    help="Folder of the model bundle; default: the bundle shipped in the package.",
)

trust_option = click.option(
    "--trust",
    metavar="KEYS",
    multiple=True,
    type=NamedPath(path_type=Path, readable=False),
    help="Take only a bundle that one of these keys has signed: a public key as a PEM file, or a folder of them. May "
    "be repeated. The signature lies beside the bundle; BRAIN_EDGE_TRUST asks for more (docs/security.md).",
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
