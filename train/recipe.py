"""A recipe: every number of a training run, read from a TOML file. Unknown keys are errors."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.errors import DataRefused, UnreadableInput

__all__ = [
    "Augmentation",
    "Autoencoder",
    "Distillation",
    "Recipe",
    "builtin_recipes",
    "read_recipe",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """How strongly training pictures are varied; 0 switches a part off.

    Attributes:
        rotation_degrees: Uniform in plus or minus this.
        scale: Smallest and largest side of the crop relative to the picture (over 1 zooms out, black around).
        aspect: Uniform stretch of width against height, plus or minus this share.
        shift: Uniform shift, plus or minus this share of the side.
        horizontal_flip: Probability.
        vertical_flip: Probability.
        brightness: Uniform factor 1 plus or minus this.
        contrast: Uniform factor around the picture's mean, 1 plus or minus this.
        gamma: The exponent's natural logarithm is uniform in plus or minus this.
        noise: Largest standard deviation of Gaussian noise, in grey levels of 0..1.
        blur: Probability of a 3 x 3 binomial blur.
        erase: Probability of one erased rectangle (random erasing, arXiv 1708.04896).
        strength_from: Share of full strength in the first epoch, rising linearly to 1 at half time.
    """

    rotation_degrees: float = 0.0
    scale: tuple[float, float] = (1.0, 1.0)
    aspect: float = 0.0
    shift: float = 0.0
    horizontal_flip: float = 0.0
    vertical_flip: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    erase: float = 0.0
    strength_from: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """How a teacher guides, where one is given (arXiv 1503.02531; features: arXiv 2207.10026).

    Attributes:
        temperature: Softens both distributions.
        logit_weight: Share of the teacher in the classification loss, 0..1.
        feature_weight: Weight of one minus the cosine between student and teacher features.
        feature_until: Share of the training after which the feature guidance has faded to nothing.
    """

    temperature: float = 3.0
    logit_weight: float = 0.5
    feature_weight: float = 1.0
    feature_until: float = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Autoencoder:
    """How the layers of the stacked autoencoder are trained, before its classifier and after.

    Attributes:
        epochs: Passes over the training part for each layer.
        learning_rate: Peak of each layer's schedule.
        finetune_epochs: Passes with encoders and classifier together at the end; 0 keeps the encoders frozen.
        finetune_learning_rate: Peak of that schedule.
    """

    epochs: int = 20
    learning_rate: float = 1e-3
    finetune_epochs: int = 0
    finetune_learning_rate: float = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run.

    Attributes:
        name: The file's stem.
        epochs: Passes over the training part.
        batch_size: Pictures per step.
        learning_rate: Peak of the schedule.
        weight_decay: AdamW's, on matrices only.
        warmup_ratio: Share of the steps with rising learning rate.
        schedule: ``cosine`` or ``linear``.
        label_smoothing: Share spread over all classes.
        max_grad_norm: Gradients are clipped to this norm.
        image_size: Side of ``pixel_values`` in pixels.
        bf16: Autocast to bfloat16.
        one_of_each_copy: Train on one picture of each copy group only.
        balance_classes: Draw each class equally often.
        keep_originals: Show each picture twice an epoch, as it is and varied, as the seed's doubled train set does.
        seed: Of weights, order and augmentation.
        augmentation: See there.
        distillation: Used with a teacher only.
        autoencoder: Used for ``sae`` only.
        model: Sizes of the model itself, such as ``dim`` and ``depth``; see ``train.models``.
    """

    name: str
    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_ratio: float = 0.0
    schedule: str = "linear"
    label_smoothing: float = 0.0
    max_grad_norm: float = 1.0
    image_size: int = 224
    bf16: bool = True
    one_of_each_copy: bool = False
    balance_classes: bool = False
    keep_originals: bool = False
    seed: int = 42
    augmentation: Augmentation = field(default_factory=Augmentation)
    distillation: Distillation = field(default_factory=Distillation)
    autoencoder: Autoencoder = field(default_factory=Autoencoder)
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "linear"):
            raise ValueError(f"schedule is {self.schedule!r}, expected cosine or linear")
        if min(self.epochs, self.batch_size) < 1 or self.learning_rate <= 0:
            raise ValueError("epochs, batch_size and learning_rate must be positive")


_SECTIONS: dict[str, type] = {
    "augmentation": Augmentation,
    "autoencoder": Autoencoder,
    "distillation": Distillation,
}


def builtin_recipes() -> dict[str, Path]:
    """Return the recipes shipped with the project, by name."""
    folder = Path(__file__).parent / "recipes"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def read_recipe(name_or_path: str, **overrides: Any) -> Recipe:
    """Read a shipped recipe by name, or any TOML file by path.

    Args:
        name_or_path: ``cvt13-cpu`` or ``my/recipe.toml``.
        overrides: Top-level fields that replace the file's, where not None.

    Raises:
        UnreadableInput: There is no such recipe.
        DataRefused: A key is unknown or a value is out of range.
    """
    shipped = builtin_recipes()
    path = shipped.get(name_or_path, Path(name_or_path))
    if not path.is_file():
        raise UnreadableInput(
            f"recipe {name_or_path!r} is neither a file nor one of {', '.join(shipped)}",
            hint="pass --recipe with a name from the list or a TOML file",
        )
    try:
        fields = tomllib.loads(path.read_text(encoding="utf-8"))
        fields.update({key: value for key, value in overrides.items() if value is not None})
        for name, kind in _SECTIONS.items():
            fields[name] = _section(kind, fields.pop(name, {}))
        return Recipe(name=path.stem, **fields)
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        known = ", ".join(sorted(entry.name for entry in dataclasses.fields(Recipe)))
        raise DataRefused(f"recipe {path.name}: {error}", hint=f"known keys: {known}") from error


def _section(kind: type, values: dict[str, Any]) -> Any:
    if "scale" in values:
        smallest, largest = values["scale"]
        values = {**values, "scale": (float(smallest), float(largest))}
    return kind(**values)
