"""``brain-node``: a node on a hospital's network, and one study from folder to folder."""

import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge_infer.console import Group, NamedPath, results_stream, say
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.names import counted, shown_name
from edge_infer.options_cli import audit_option, json_option

if TYPE_CHECKING:
    from edge_infer.node.config import NodeConfig

__all__ = ["main"]

_HELP = f"""Receive MR studies over DICOM, classify them, send the results on.

run is the node itself, check says whether it can be started, status what it is doing. retry takes
studies that failed up again. task classifies the study in one folder and writes into another, as
mercure, MONAI and Kaapana call modules.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-node check --config node.toml
  brain-node run --config node.toml
  brain-node status --config node.toml
  brain-node task --input study --output results

docs/hospital.md tells the rest.
"""


@click.group("brain-node", cls=Group, help=_HELP)
def main() -> None:
    """Run a node."""


def _config_option(command: Any) -> Any:
    return click.option(
        "--config",
        "config_path",
        metavar="FILE",
        required=True,
        type=NamedPath(path_type=Path, readable=False),
        help="TOML file; examples/hospital/node.toml shows every key.",
    )(command)


def _read(config_path: Path) -> "NodeConfig":
    from edge_infer.node.config import read_config

    return read_config(config_path)


@main.command("run")
@_config_option
def run(config_path: Path) -> None:
    """Serve until SIGTERM or Ctrl-C; the log goes to stderr.

    \b
    Example:
      brain-node run --config /etc/brain-node/node.toml

    \b
    Exit status:
      0 stopped, 2 usage, 20 or 26 the configuration, 30-34 and 80-84 the bundle,
      40 the spool or the address, 41 another node or program uses them,
      87 the extra "node" is not installed
    """
    from edge_infer.node.log import log_to_stderr
    from edge_infer.node.requirements import require

    config = _read(config_path)
    require("pydicom", "pynetdicom")
    log_to_stderr()
    from edge_infer.node.service import NodeService

    service = NodeService(config)
    # A node is stopped by a signal, so that is no failure: it ends in order, with 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: service.stop())
    service.run()


@main.command("check")
@_config_option
def check(config_path: Path) -> None:
    """Check configuration, spool, bundle and destination; the first thing that fails ends it.

    \b
    Example:
      brain-node check --config /etc/brain-node/node.toml
    """
    from edge_infer.node.quiet import silence_dicom
    from edge_infer.node.requirements import require

    config = _read(config_path)
    require("pydicom", "pynetdicom")
    silence_dicom()
    from edge_infer.node.checking import checks

    with results_stream(must_be_open=True) as results:
        for name, found in checks(config):
            results.write(f"{name:<12} ok  {found}\n")
            results.flush()
        results.write(f"All is well.\n{RESEARCH_USE_ONLY}\n")


@main.command("status")
@_config_option
@click.option("--study", metavar="UID", help="Say where a study is, by its Study Instance UID.")
@json_option
def status(config_path: Path, study: str | None, as_json: bool) -> None:
    """Print what the node is doing; ends with 20 if none runs.

    \b
    Example:
      brain-node status --config /etc/brain-node/node.toml
      brain-node status --config node.toml --study 1.2.840.113619.2.1 --json
    """
    from edge_infer.node.spool import Spool
    from edge_infer.node.status import read_status, rounds_with

    config = _read(config_path)
    folder = config.receive.spool
    with results_stream(must_be_open=True) as results:
        if study is not None:
            found = rounds_with(Spool(folder), study)
            shown = [{"round": one.name, "stage": one.stage, **note} for one, note in found]
            results.write(json.dumps(shown, indent=1) + "\n" if as_json else _study_text(shown))
            return
        read = read_status(folder)
        results.write(json.dumps(read, indent=1) + "\n" if as_json else _status_text(read))


def _study_text(rounds: list[dict[str, Any]]) -> str:
    lines = [
        f"{one['round']}  {one['stage']}  {counted(one.get('images', 0), 'image')}"
        f"  {one.get('code', '')}  {one.get('message', one.get('problem', ''))}".rstrip()
        for one in rounds
    ]
    return "\n".join(map(shown_name, lines or ["not in the spool as a complete study"])) + "\n"


def _status_text(read: dict[str, Any]) -> str:
    studies = ", ".join(f"{count} {stage}" for stage, count in read["studies"].items())
    failed = ", ".join(f"{count} {code}" for code, count in read["failed_by_code"].items())
    destination = read["destination"]
    problem = destination["problem"]
    lines = [
        f"node         {read['state']}, {read['ae_title']} at port {read['port']}, pid {read['pid']}",
        f"model        {read['model'].get('name')} {read['model'].get('manifest_sha256', '')[:12]}",
        f"studies      {studies}",
        f"failed       {failed or 'none'}",
        f"destination  {problem or 'no problem'}"
        + (f"; next try in {destination['retry_in_s']:.0f} s" if problem else ""),
        f"spool        {read['spool_bytes'] / 2**20:.0f} MiB, {read['free_bytes'] / 2**30:.1f} GiB free",
        RESEARCH_USE_ONLY,
    ]
    return "\n".join(map(shown_name, lines)) + "\n"


@main.command("retry")
@_config_option
@click.argument("names", metavar="ROUND...", nargs=-1)
@click.option(
    "--all",
    "take_all",
    is_flag=True,
    help="Take up everything that failed and that no later round replaced.",
)
def retry(config_path: Path, names: tuple[str, ...], take_all: bool) -> None:
    """Take failed studies up again, named as the log and the status name them (KEY or KEY.1).

    The node may be running. What was answered is only sent again. A study that failed as incomplete is classified as
    it is, and its result says that it may be incomplete.

    \b
    Example:
      brain-node retry --config node.toml 0123456789abcdef.1
      brain-node retry --config node.toml --all
    """
    if bool(names) == take_all:
        raise click.UsageError("name rounds, or give --all")
    from edge_infer.node.retrying import retry_failed

    for name in retry_failed(_read(config_path).receive.spool, None if take_all else names):
        say(f"taken up again: {shown_name(name)}")


@main.command("task")
@click.option(
    "--input",
    "source",
    metavar="DIR",
    type=NamedPath(path_type=Path, readable=False),
    help="Folder of the study; default: MERCURE_IN_DIR, HOLOSCAN_INPUT_PATH or MONAI_INPUTPATH.",
)
@click.option(
    "--output",
    "target",
    metavar="DIR",
    type=NamedPath(path_type=Path, readable=False),
    help="Folder for the results; default: MERCURE_OUT_DIR, HOLOSCAN_OUTPUT_PATH or MONAI_OUTPUTPATH.",
)
@audit_option
def task(source: Path | None, target: Path | None, audit: Path | None) -> None:
    """Classify the study in a folder; write *.dcm and result.json into another.

    Settings are read from process.settings of task.json in the input folder: bundle, threads, scope, despite.

    \b
    Example:
      brain-node task --input study --output results
    """
    from edge_infer.node.quiet import silence_dicom
    from edge_infer.node.requirements import require
    from edge_infer.node.task import folder_of, run_task

    source = folder_of(source, os.environ, is_input=True)
    target = folder_of(target, os.environ, is_input=False)
    require("pydicom")
    silence_dicom()
    from edge_infer.audit.log import AuditLog

    log = None if audit is None else AuditLog(audit, program="brain-node")
    with results_stream():
        answer = run_task(source, target, log=log)
    say(
        f"{len(answer.series)} series answered, {counted(len(answer.files), 'object')} written; "
        f"{RESEARCH_USE_ONLY}"
    )


if __name__ == "__main__":
    main()
