"""``brain-bench``: this runtime beside its peers, in one interleaved run."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_infer.classes import BRAIN
from edge_infer.console import (
    Group,
    NamedPath,
    progress_bar,
    results_stream,
    say,
    typed_command,
)
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import class_choice, data_options, given_samples
from train.model_names import MODEL_NAMES

if TYPE_CHECKING:
    from edge_infer.bundle import Bundle

__all__ = ["main"]

_Folder = NamedPath(path_type=Path, file_okay=False)
_File = NamedPath(path_type=Path, dir_okay=False)


@click.group("brain-bench", cls=Group, epilog=RESEARCH_USE_ONLY)
def main() -> None:
    """Measure latency, throughput, memory, sizes and accuracy beside other engines.

    \b
    Example:
      brain-bench peers install
      brain-bench run --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025
    """


@main.command(epilog=RESEARCH_USE_ONLY)
@click.option("--model", required=True, help=f"Model to measure: {', '.join(MODEL_NAMES)}.")
@click.option(
    "--checkpoint",
    type=_Folder,
    help="Checkpoint to measure; default: the newest run of the model in runs/, else the one shipped with the project.",
)
@click.option(
    "--bundle",
    "bundles",
    type=_Folder,
    multiple=True,
    help="Bundle of the model to measure; may be repeated. Default: bundles/MODEL-fp32 and bundles/MODEL-int8.",
)
@click.option(
    "--engines",
    default="",
    help="Engines to measure, separated by commas; default: all of ours, torch, compile, bf16, ort, ort-qdq, optimum, "
    "openvino, nncf, detect-tumor.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    multiple=True,
    help="Number of threads; may be repeated, each is measured. Default: 1 and all usable cores.",
)
@click.option(
    "--image-size",
    type=click.IntRange(16),
    help="Side of the model's input in pixels; default: as trained.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Number of turns of each engine.",
)
@click.option(
    "--cold-rounds",
    type=click.IntRange(0),
    default=5,
    show_default=True,
    help="Number of new processes of each engine, for the time of a cold start; 0 leaves that out.",
)
@click.option(
    "--prepare-only",
    is_flag=True,
    help="Only make graphs and the answers on the test part, and keep them in --kept; measure nothing.",
)
@click.option("--no-accuracy", is_flag=True, help="Leave out the accuracy on the test part.")
@click.option(
    "--output",
    type=_File,
    help="JSON file to write; plot and page are written beside it. Default: runs/bench/MODEL.json.",
)
@click.option(
    "--peers",
    type=_Folder,
    default=Path("runs/peers"),
    show_default=True,
    help="Folder of the peers' environments.",
)
@click.option(
    "--kept",
    type=_Folder,
    default=Path("runs/bench/kept"),
    show_default=True,
    help="Folder of graphs and answers that are kept between runs.",
)
@partial(data_options, required=False)
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
    classes: str | None,
    cache: Path,
) -> None:
    """Measure a model beside other engines.

    Writes JSON, a plot and an HTML page, and prints a table. All engines are loaded, and take turns; ratios are of
    their medians in this run. A run on a busy machine is marked as not clean. Without --data no accuracy is
    measured, and drawn phantoms are classified. Graphs and answers are kept: --prepare-only makes them beforehand,
    also on a busy machine, so that the run itself is short.

    \b
    Example:
      brain-bench run --model cvt13 --data DATA --manifest DATA/manifest.csv --dataset brisc2025 \\
          --bundle bundles/cvt13-fp32 --bundle bundles/cvt13-int8 --threads 1 --threads 2
    """
    with results_stream() as results:
        from datetime import date

        from benchmarks.engines import engines_of
        from benchmarks.environment import load_average
        from benchmarks.preparation import prepare
        from benchmarks.run import measure
        from benchmarks.study import open_study
        from benchmarks.text_table import text_table
        from benchmarks.write import write_report, write_result
        from edge_infer.machine import usable_cores

        load_before = load_average()
        families = _families(engines)
        counts = threads or tuple(sorted({1, usable_cores()}))
        choice = class_choice(classes, model=BRAIN)
        samples = None if data is None else given_samples(data, manifest, dataset, choice)
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
            say=say,
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


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument("results", type=_File, nargs=-1, required=True, metavar="JSON...")
@click.option(
    "--output", type=_Folder, help="Folder for pages and plots; default: that of each JSON file."
)
def report(results: tuple[Path, ...], output: Path | None) -> None:
    """Print and write table, plot and page of results again.

    \b
    Example:
      brain-bench report runs/bench/cvt13.json --output runs/bench/pages
    """
    from benchmarks.text_table import text_table
    from benchmarks.write import read_result, write_report

    for path in results:
        result = read_result(path)
        page = write_report(result, output or path.parent, path.stem)
        click.echo(f"{text_table(result)}\npage:   {page}\n")


@main.command(epilog=RESEARCH_USE_ONLY)
@click.argument(
    "graphs",
    type=NamedPath(path_type=Path, exists=True),
    nargs=-1,
    required=True,
    metavar="GRAPH...",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of threads of each graph.",
)
@click.option(
    "--runs",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Number of images each graph is run on.",
)
@click.option("--json", "json_file", type=_File, help="File to write the figures to, as JSON.")
def profile(graphs: tuple[Path, ...], threads: int, runs: int, json_file: Path | None) -> None:
    """Show how long each operator of a graph takes.

    Several graphs are shown side by side. A GRAPH is an ONNX file or a bundle; several take turns. Operators are
    those that onnxruntime makes of a graph when it loads it. Time between operators is not counted. Only bundles
    are guarded against saturation.

    \b
    Example:
      brain-bench profile runs/bench/kept/cvt13-224-0123456789ab/plain/model.onnx bundles/cvt13-int8
    """
    with results_stream() as results:
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


@main.group(epilog=RESEARCH_USE_ONLY)
def peers() -> None:
    """Install peers, each in an environment of its own.

    They need other versions of packages than this project.

    \b
    Example:
      brain-bench peers install
    """


@peers.command("install", epilog=RESEARCH_USE_ONLY)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--peers",
    "folder",
    type=_Folder,
    default=Path("runs/peers"),
    show_default=True,
    help="Folder to build the environments in.",
)
def install(names: tuple[str, ...], folder: Path) -> None:
    """Build the environments of peers with pip.

    Those of the named peers, from their lock files; without a name, of all peers.

    \b
    Example:
      brain-bench peers install
      brain-bench peers install optimum --peers runs/peers
    """
    from benchmarks.peer_environments import PEERS, install_peer

    unknown = sorted(set(names) - set(PEERS))
    if unknown:
        raise click.UsageError(f"no such peer: {', '.join(unknown)}; known: {', '.join(PEERS)}")
    for name in names or PEERS:
        say(f"installing {name}")
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
    say(f"checkpoint: {folder} ({origin})")
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


if __name__ == "__main__":
    main()
