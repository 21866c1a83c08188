"""``brain-train pack``: a checkpoint in half precision, for shipping."""

from pathlib import Path

import click

from edge_infer.console import Command, NamedPath
from edge_infer.contract import RESEARCH_USE_ONLY
from train.commands.data_options import FOLDER

__all__ = ["pack"]


@click.command(cls=Command, epilog=RESEARCH_USE_ONLY)
@click.argument("checkpoint", type=FOLDER)
@click.option("--output", type=FOLDER, required=True, help="The folder to write.")
@click.option(
    "--metrics",
    type=NamedPath(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="metrics.json of an evaluation, written beside the weights for model cards; may be repeated.",
)
def pack(checkpoint: Path, output: Path, metrics: tuple[Path, ...]) -> None:
    """Write a checkpoint in half precision, for shipping.

    Evaluations named by --metrics are written beside the weights.

    \b
    Example:
      brain-train pack runs/cvt13-cvt13-cpu/checkpoint --output export/checkpoints/cvt13 \\
          --metrics runs/cvt13-cvt13-cpu/evaluation/test/metrics.json
    """
    beside = {f"{path.parent.name}.metrics.json": path for path in metrics}
    if len(beside) < len(metrics):
        raise click.UsageError(
            "--metrics: two files lie in folders of the same name, which names them here"
        )
    import torch

    from edge_infer.atomic import refuse_other_content
    from train.checkpoint import CHECKPOINT_FILES, load_checkpoint, save_checkpoint

    known = {*CHECKPOINT_FILES, *(path.name for path in output.glob("*.metrics.json"))}
    refuse_other_content(output, known, what="a checkpoint")
    loaded = load_checkpoint(checkpoint)
    save_checkpoint(
        output,
        name=loaded.name,
        model=loaded.model,
        classes=loaded.classes,
        preprocessor=loaded.preprocessor,
        training=loaded.training,
        sizes=loaded.config.get("brain_edge_sizes"),
        dtype=torch.float16,
        more_files={name: path.read_bytes() for name, path in beside.items()},
    )
    click.echo(f"checkpoint: {output}")
