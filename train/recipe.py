"""A recipe: every number of a training run, read from a TOML file. Unknown keys are errors."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_infer.errors import DataRefused, UnreadableInput
from train.recipe_sections import (
    Augmentation,
    Autoencoder,
    Counterfactuals,
    Distillation,
    MaskGuidance,
    Mixing,
)

__all__ = [
    "FORMER_NAMES",
    "Augmentation",
    "Autoencoder",
    "Counterfactuals",
    "Distillation",
    "MaskGuidance",
    "Mixing",
    "Recipe",
    "builtin_recipes",
    "read_recipe",
    "recipe_defaults",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One training run.

    Attributes:
        name: The file's stem.
        epochs: Passes over the training part.
        batch_size: Images per step.
        learning_rate: Peak of the schedule.
        weight_decay: Weight decay of AdamW, on matrices only.
        warmup_ratio: Share of the steps in which the learning rate rises.
        schedule: ``cosine`` or ``linear``.
        label_smoothing: Share spread over all classes.
        max_grad_norm: Gradients are clipped to this norm.
        image_size: Side of ``pixel_values`` in pixels.
        image_sizes: Smaller sides to begin with: pairs of side and share of the training, in order; the last side is
            ``image_size``, the shares add up to 1. Empty: ``image_size`` throughout.
        bf16: Autocast to bfloat16 on processors that compute in it; others would only emulate it.
        one_of_each_copy: Train on one image of each copy group only.
        sample_copies: Train on one image of each copy group per epoch, on another one each time.
        balance_classes: Draw each class equally often.
        keep_originals: Show each image twice per epoch, unchanged and augmented.
        ema_decay: Decay per step of the exponential moving average of the weights; the average is then validated and
            kept. 0: no average, the weights themselves are validated and kept.
        ema_every: Steps between two updates of that average.
        average_last: Number of last epochs whose mean weights are tried as well; 0 for none.
        seed: Random seed of weights, order and augmentation.
        augmentation: How images are varied.
        counterfactual: How often images are replaced by counterfactual ones.
        mixing: How images are mixed with one another.
        mask: How tumour masks guide the evidence, where they are known.
        distillation: How a teacher guides; used with ``--teacher`` only.
        autoencoder: How the layers are trained; used for ``sae`` only.
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
    image_sizes: tuple[tuple[int, float], ...] = ()
    bf16: bool = True
    one_of_each_copy: bool = False
    sample_copies: bool = False
    balance_classes: bool = False
    keep_originals: bool = False
    ema_decay: float = 0.0
    ema_every: int = 4
    average_last: int = 0
    seed: int = 42
    augmentation: Augmentation = field(default_factory=Augmentation)
    counterfactual: Counterfactuals = field(default_factory=Counterfactuals)
    mixing: Mixing = field(default_factory=Mixing)
    mask: MaskGuidance = field(default_factory=MaskGuidance)
    distillation: Distillation = field(default_factory=Distillation)
    autoencoder: Autoencoder = field(default_factory=Autoencoder)
    model: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "linear"):
            raise ValueError(f"schedule is {self.schedule!r}, expected cosine or linear")
        if min(self.epochs, self.batch_size) < 1 or self.learning_rate <= 0:
            raise ValueError("epochs, batch_size and learning_rate must be positive")
        if not 0 <= self.ema_decay < 1 or self.ema_every < 1 or self.average_last < 0:
            raise ValueError(
                "ema_decay must be 0..1, ema_every at least 1, average_last at least 0"
            )
        if self.one_of_each_copy and self.sample_copies:
            raise ValueError("one_of_each_copy and sample_copies exclude each other")
        if self.keep_originals and self.counterfactual.most:
            raise ValueError("keep_originals and [counterfactual] exclude each other")
        if self.image_sizes:
            _check_image_sizes(self.image_sizes, self.image_size)


_SECTIONS: dict[str, type] = {
    "augmentation": Augmentation,
    "autoencoder": Autoencoder,
    "counterfactual": Counterfactuals,
    "distillation": Distillation,
    "mask": MaskGuidance,
    "mixing": Mixing,
}

_TOP_LEVEL = {entry.name for entry in dataclasses.fields(Recipe)} - {"name"}  # the file's name
#: Names that recipes had until 0.1, and what they are called now.
FORMER_NAMES = {"seed": "sartaj-fine-tuning", "seed-from-scratch": "sartaj-from-scratch"}
_REQUIRED = {"epochs", "batch_size", "learning_rate", "weight_decay"}  # all that has no default
_CORRECT_VALUE = "correct the value; docs/training.md explains every key"


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
        UnreadableInput: There is no such recipe, or its file cannot be read.
        DataRefused: A key is unknown or a value is out of range.
    """
    path, fields = _parsed(name_or_path)
    fields.update({key: value for key, value in overrides.items() if value is not None})
    for name, kind in _SECTIONS.items():
        fields[name] = _section(path, name, kind, fields.get(name, {}))
    _refuse_unknown_keys(path, "", fields, _TOP_LEVEL)
    missing = sorted(_REQUIRED - set(fields))
    if missing:
        raise DataRefused(
            f"recipe {path.name}: {', '.join(missing)} missing", hint="add what is missing"
        )
    try:
        fields["image_sizes"] = _pairs(fields.get("image_sizes", ()))
        return Recipe(name=path.stem, **fields)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"recipe {path.name}: {error}", hint=_CORRECT_VALUE) from error


def recipe_defaults() -> dict[str, Any]:
    """Return every number that has a default, as a run's folder notes them."""
    recipe = Recipe(name="", epochs=1, batch_size=1, learning_rate=1.0, weight_decay=0.0)
    given = {"name", *_REQUIRED}
    return {key: value for key, value in dataclasses.asdict(recipe).items() if key not in given}


def _parsed(name_or_path: str) -> tuple[Path, dict[str, Any]]:
    """Return the file of a recipe and its fields."""
    shipped = builtin_recipes()
    path = shipped.get(FORMER_NAMES.get(name_or_path, name_or_path), Path(name_or_path))
    try:
        if not path.is_file():
            raise UnreadableInput(
                f"recipe {name_or_path!r} is neither a file nor one of {', '.join(shipped)}",
                hint="pass --recipe with a name from the list or a TOML file",
            )
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableInput(
            f"recipe {name_or_path!r}: cannot be read ({error.strerror})",
            hint="check the name and the permissions",
        ) from error
    except ValueError as error:
        raise DataRefused(
            f"recipe {path.name}: is not TOML in UTF-8 ({error})", hint="correct the file"
        ) from error


def _section(path: Path, name: str, kind: type, values: Any) -> Any:
    if not isinstance(values, dict):
        raise DataRefused(
            f"recipe {path.name}: {name} is {values!r}, expected a section",
            hint=f"write [{name}] on a line of its own, and its keys below",
        )
    _refuse_unknown_keys(path, name, values, {entry.name for entry in dataclasses.fields(kind)})
    try:
        if "scale" in values:
            smallest, largest = values["scale"]
            values = {**values, "scale": (float(smallest), float(largest))}
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise DataRefused(f"recipe {path.name}: [{name}]: {error}", hint=_CORRECT_VALUE) from error


def _refuse_unknown_keys(path: Path, section: str, given: dict[str, Any], known: set[str]) -> None:
    unknown = ", ".join(sorted(set(given) - known))
    if unknown:
        where = f" in [{section}]" if section else ""
        raise DataRefused(
            f"recipe {path.name}: unknown key{where}: {unknown}",
            hint=f"known keys{where}: {', '.join(sorted(known))}",
        )


def _pairs(sizes: Any) -> tuple[tuple[int, float], ...]:
    return tuple((int(size), float(share)) for size, share in sizes)


def _check_image_sizes(sizes: tuple[tuple[int, float], ...], last: int) -> None:
    if sizes[-1][0] != last:
        raise ValueError(f"image_sizes end with {sizes[-1][0]}, but image_size is {last}")
    shares = [share for _, share in sizes]
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise ValueError(
            f"image_sizes have the shares {shares}, expected positive ones that add up to 1"
        )
    if min(size for size, _ in sizes) < 1:
        raise ValueError("image_sizes must be positive")
