"""The phases of a run: one for most models, one for each layer of the stacked autoencoder."""

from dataclasses import dataclass

from torch import nn

from train.models.sae import StackedAutoencoder
from train.recipe import Recipe

__all__ = ["Phase", "phases_of", "train_only"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One training with its own optimizer and schedule.

    Attributes:
        name: Names its folder inside the run and its entries in the history; empty if it is the only one.
        epochs: Passes over the training part.
        learning_rate: Peak of the schedule.
        modules: Names of the modules that learn; empty for all of the model.
        layer: Of the autoencoder, whose reconstruction is the loss; None if classes are learned.
    """

    name: str
    epochs: int
    learning_rate: float
    modules: tuple[str, ...] = ()
    layer: int | None = None


def phases_of(model: nn.Module, recipe: Recipe) -> list[Phase]:
    """Return a model's phases: layer by layer, then the classifier, then all of it if the recipe says so."""
    if not isinstance(model, StackedAutoencoder):
        return [Phase(name="", epochs=recipe.epochs, learning_rate=recipe.learning_rate)]
    settings = recipe.autoencoder
    phases = [
        Phase(
            name=f"layer-{layer + 1}",
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            modules=(f"encoders.{layer}", f"decoders.{layer}"),
            layer=layer,
        )
        for layer in range(len(model.encoders))
    ]
    phases.append(
        Phase(
            name="classifier",
            epochs=recipe.epochs,
            learning_rate=recipe.learning_rate,
            modules=("classifier",),
        )
    )
    if settings.finetune_epochs:
        phases.append(
            Phase(
                name="finetune",
                epochs=settings.finetune_epochs,
                learning_rate=settings.finetune_learning_rate,
                modules=("encoders", "classifier"),
            )
        )
    return phases


def train_only(model: nn.Module, phase: Phase) -> None:
    """Freeze what the phase does not train."""
    model.requires_grad_(not phase.modules)
    for name in phase.modules:
        model.get_submodule(name).requires_grad_(True)
