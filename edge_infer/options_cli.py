"""Options that several commands share; ``--device`` is in ``edge_infer.devices.option_cli``."""

from pathlib import Path

import click

from edge_infer.console import NamedPath
from edge_infer.errors import CannotWrite
from edge_infer.names import shown_name
from edge_infer.refusals import OVERRULABLE

__all__ = [
    "audit_option",
    "bundle_option",
    "despite_option",
    "json_option",
    "limits_option",
    "report_option",
    "require_folder",
    "scope_option",
    "trust_option",
]

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

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")

limits_option = click.option(
    "--limits",
    "limits_file",
    metavar="FILE",
    type=NamedPath(path_type=Path, dir_okay=False, readable=False),
    help="TOML file of limits; --limit comes after it.",
)

report_option = click.option(
    "--report",
    metavar="FILE",
    type=NamedPath(path_type=Path, dir_okay=False, readable=False),
    help="Write one HTML page, which needs nothing else.",
)


def require_folder(report: Path | None) -> None:
    """Check that there is a folder for the page, before the work begins.

    Raises:
        CannotWrite: It is not there.
    """
    if report is not None and not report.parent.is_dir():
        raise CannotWrite(
            f"{shown_name(report)}: its folder is not there",
            hint="make the folder, or name another file",
        )
