"""``brain-doctor``: can this bundle be trusted on this machine?"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from edge_infer.console import (
    Command,
    NamedPath,
    progress_bar,
    report_error,
    results_stream,
    shown_to_user,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import shown_name
from edge_infer.version import __version__

if TYPE_CHECKING:
    from edge_infer.doctor import Examination

__all__ = ["main"]

_HELP = f"""Look at this machine, its onnxruntime and a bundle, and replay all golden images.

It needs no scan and no network, writes nothing, and says nothing about patients.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-doctor
  brain-doctor --bundle bundles/cvt13-int8 --json

\b
Exit status:
  0 all is well, 2 usage, 30-33 bundle, 80 onnxruntime, 81 device,
  84 the bundle does not give its known answers here; docs/cli.md lists them all.
"""


@click.command(cls=Command, help=_HELP)
@click.option(
    "--bundle",
    metavar="DIR",
    type=NamedPath(path_type=Path, readable=False),
    help="Model bundle; default: the shipped one.",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "cuda", "auto"]),
    default="cpu",
    show_default=True,
    help="Where to run; auto takes CUDA if it works.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Threads within one image; default: the usable cores.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="brain-doctor")
def main(
    bundle: Path | None,
    device: Literal["cpu", "cuda", "auto"],
    threads: int | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Examine machine and bundle."""
    with shown_to_user(debug=debug), results_stream(must_be_open=True) as results:
        from edge_infer.doctor import examine

        with progress_bar("Golden images") as progress:
            examination = examine(bundle, device=device, num_threads=threads, tick=progress)
        if as_json:
            results.write(json.dumps(examination.as_json(), indent=2, allow_nan=False) + "\n")
        else:
            results.write(_text(examination))
        results.flush()
        if examination.error is not None:
            if debug:
                raise examination.error
            report_error(examination.error)
            raise SystemExit(examination.error.exit_code)


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
        lines += [f"{'':<20} {failure}" for failure in check.facts.get("failures", [])]
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


if __name__ == "__main__":
    main()
