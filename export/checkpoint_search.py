"""Which checkpoint to export: the named one, otherwise the newest run, otherwise the one shipped with the project."""

from pathlib import Path

from edge_infer.errors import BundleIncomplete
from train.models import check_model_name
from train.run_folder import newest_run

__all__ = ["find_checkpoint", "shipped_checkpoint"]


def find_checkpoint(
    model: str, given: Path | None, *, runs: Path = Path("runs")
) -> tuple[Path, str]:
    """Return the folder of a checkpoint, and in words where it comes from.

    Args:
        model: The model's name.
        given: The folder that the user named; None for none.
        runs: Folder of training runs.

    Raises:
        UnknownModel: There is no such model.
        BundleIncomplete: There is no checkpoint of it.
    """
    check_model_name(model)
    if given is not None:
        return given, "as named"
    trained = newest_run(runs, model)
    if trained is not None:
        return trained, "the newest run"
    shipped = shipped_checkpoint(model)
    if shipped.is_dir():
        return shipped, "shipped with the project"
    hint = f"train one with brain-train --model {model}, or pass --checkpoint"
    if not shipped.parent.is_dir():
        hint += (
            "; the project's own are not in the wheel: in a clone, pip install -e '.[cpu,export]'"
        )
    raise BundleIncomplete(
        f"there is no checkpoint of {model}: none named, no run in {runs}/, none shipped",
        hint=hint,
    )


def shipped_checkpoint(model: str) -> Path:
    """Return where a shipped checkpoint of this model would be."""
    return Path(__file__).parent / "checkpoints" / model
