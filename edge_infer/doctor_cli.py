"""``brain-doctor``: does this bundle give its known answers on this machine?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from edge_infer.audit.verify_cli import audit
from edge_infer.console import (
    Group,
    progress_bar,
    results_stream,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.devices.option_cli import device_option
from edge_infer.names import shown_name
from edge_infer.options_cli import bundle_option, json_option, trust_option

if TYPE_CHECKING:
    from edge_infer.doctor import Examination

__all__ = ["main"]

_HELP = f"""Check this machine, its onnxruntime and a bundle, and classify all golden images.

No scan and no network is needed, nothing is written, and the report holds nothing about patients.
audit checks audit logs instead.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-doctor
  brain-doctor --bundle bundles/cvt13-int8 --json
  brain-doctor --device openvino
  brain-doctor --bundle bundles/cvt13-int8 --trust keys/
  brain-doctor audit audit.jsonl

\b
Exit status:
  0 all is well, 2 usage, 30-33 bundle, 80 onnxruntime fails, 81 device,
  84 the bundle does not give its known answers here, 87 onnxruntime is not
  installed; docs/cli.md lists them all.
"""


@click.group(
    "brain-doctor",
    cls=Group,
    help=_HELP,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND] [ARGS]...",
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
@json_option
def main(
    bundle: Path | None,
    trust: tuple[Path, ...],
    device: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Examine machine and bundle."""
    context = click.get_current_context()
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return
    with results_stream(must_be_open=True) as results:
        from edge_infer.doctor import examine

        with progress_bar("Golden images") as progress:
            examination = examine(
                bundle, device=device, num_threads=threads, trust=trust or None, tick=progress
            )
        if as_json:
            results.write(json.dumps(examination.as_json(), indent=2, allow_nan=False) + "\n")
        else:
            results.write(_text(examination))
        results.flush()
        if examination.error is not None:
            raise examination.error


def _refuse_options(context: click.Context) -> None:
    """Refuse options before the name of a command, which would say nothing there."""
    for parameter in context.command.params:
        if not parameter.expose_value:  # --debug, which holds for every command
            continue
        given = parameter.name and context.get_parameter_source(parameter.name)
        if given not in (None, "", ParameterSource.DEFAULT):
            raise click.UsageError(
                f"{context.invoked_subcommand} goes without {parameter.get_error_hint(context)} before its name"
            )


def _text(examination: "Examination") -> str:
    machine = examination.machine
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    lines = [
        f"machine      {machine['cpu']}, {machine['usable_cores']} usable cores, {machine['system']}",
        f"             {' '.join(machine['cpu_flags']) or 'processor flags unknown'}",
        f"software     Python {machine['python']}, {versions}",
    ]
    for check in examination.checks:
        was_skipped = check.facts.get("pictures") == 0
        mark = "FAILED" if check.error is not None else "-" if was_skipped else "ok"
        lines.append(f"{check.name:<12} {mark:<7} {check.finding}")
        lines += [f"{'':<20} {line}" for line in (*check.facts.get("failures", []), *check.lines)]
    if examination.error is not None:
        lines.append("This bundle must not be used on this machine as it is.")
    elif examination.answers_were_checked:
        lines.append("All is well.")
    else:
        lines.append(
            "Nothing failed, but the answers could not be checked: export the bundle again."
        )
    # Names of packages, processors and classes come from outside.
    return "\n".join([*map(shown_name, lines), RESEARCH_USE_ONLY, ""])


main.add_command(audit)

if __name__ == "__main__":
    main()
