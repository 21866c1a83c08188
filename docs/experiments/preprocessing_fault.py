"""What it costs to feed originals from 0 to 255 beside augmented copies from 0 to 1: a measured before and after.

    OMP_NUM_THREADS=1 python docs/experiments/preprocessing_fault.py --data sartaj

The same small ViT of transformers is trained several times from the same first weights, in the same order, on the
same images; only the range of the originals differs. Runs are kept in preprocessing_fault.json beside this file, so
a stopped experiment goes on; the tables of docs/preprocessing-fault.md are printed. The product does not import this.
"""

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from numpy.typing import NDArray
from scipy.stats import t as student
from torch import Tensor
from transformers import ViTConfig, ViTForImageClassification

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.preprocessing import PreprocessorConfig
from train.augmentation import augment
from train.checkpoint import load_checkpoint
from train.data.layouts import load_samples
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample
from train.metrics.baselines import nearest_neighbour
from train.metrics.figures import wilson_interval
from train.models import create_model
from train.models.output import standardize
from train.recipe import Augmentation
from train.splits.sample_rows import rows_without_copies
from train.splits.stratified_split import split_by_image

__all__ = ["RESULT", "accuracy_table", "difference_table", "main", "standardization_table"]

RESULT = Path(__file__).with_suffix(".json")

#: What an arm is called, where its originals end, and whether the model standardizes each image first.
_ARMS = {
    "fault": ("originals 0..255, copies 0..1", 255.0, False),
    "correct": ("all 0..1", 1.0, False),
    "fault_standardized": ("originals 0..255, copies 0..1; standardized in the model", 255.0, True),
    "correct_standardized": ("all 0..1; standardized in the model", 1.0, True),
}
_SIDE = 64
_BATCH = 64
_LEARNING_RATE = 5e-4
_COPY = Augmentation(rotation_degrees=15, horizontal_flip=0.5, scale=(0.9, 1.1), brightness=0.2)


def main() -> None:
    """Run what is not yet in the result file, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="sartaj, as distributed")
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--checkpoint", type=Path, default=Path("export/checkpoints/cvt13"))
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=RESULT)
    given = parser.parse_args()

    samples = load_samples(given.data)
    labels = np.array([sample.label for sample in samples])
    pixels = _pixels(samples, _SIDE, given.cache)
    parts = _parts(samples, given.cache)
    result: dict[str, Any] = {
        "research_use_only": RESEARCH_USE_ONLY,
        "command": f"python docs/experiments/{Path(__file__).name} --data sartaj "
        f"--epochs {given.epochs} --seeds {given.seeds}",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "n": {part: len(rows) for part, rows in parts.items()},
        "nearest_neighbour": _nearest_neighbour(pixels, labels, parts),
        "runs": [],
    }
    if given.output.is_file():
        earlier = json.loads(given.output.read_text(encoding="utf-8"))["runs"]
        result["runs"] = [run for run in earlier if run["epochs"] == given.epochs]
    for seed in range(given.seeds):
        for arm in _ARMS:
            if not any((run["arm"], run["seed"]) == (arm, seed) for run in result["runs"]):
                result["runs"].append(_run(arm, seed, given.epochs, pixels, labels, parts))
                _write(result, given.output)
    result["standardized_in_graph"] = _standardized_in_graph(samples, parts["Testing"], given)
    _write(result, given.output)
    print(
        accuracy_table(result),
        difference_table(result),
        standardization_table(result),
        sep="\n\n",
    )


def accuracy_table(result: dict[str, Any]) -> str:
    """Render accuracies as Markdown: one row for each arm and part."""
    lines = [
        "| Images given as | Part | n | Accuracy | 95 % interval | Each seed, % |",
        "|---|---|---|---|---|---|",
    ]
    for arm, (name, _, _) in _ARMS.items():
        runs = [run["accuracy"] for run in result["runs"] if run["arm"] == arm]
        for part in runs[0]:
            values = [run[part]["value"] for run in runs]
            each = ", ".join(f"{100 * value:.1f}" for value in values)
            mean = sum(values) / len(values)
            lines.append(f"| {name} | {part} | {_figure(mean, runs[0][part]['n'])} | {each} |")
    for part, figure in result["nearest_neighbour"].items():
        row = _figure(figure["value"], figure["n"])
        lines.append(f"| baseline nearest neighbour | {part} | {row} | |")
    return "\n".join(lines)


def difference_table(result: dict[str, Any]) -> str:
    """Render as Markdown what the fault changes: accuracy with it minus accuracy without, seed by seed.

    The interval is Student's over the seeds. It holds the chance of a training, not that of the images.
    """
    lines = [
        "| Part | Model | Fault minus correct | 95 % interval over the seeds | Each seed |",
        "|---|---|---|---|---|",
    ]
    runs = {(run["arm"], run["seed"]): run["accuracy"] for run in result["runs"]}
    seeds = sorted({seed for _, seed in runs})
    for part in (name for name in result["n"] if name != "train"):
        for model, suffix in (("as in transformers", ""), ("standardizes", "_standardized")):
            points = [
                100 * (with_fault[part]["value"] - without[part]["value"])
                for with_fault, without in (
                    (runs[f"fault{suffix}", seed], runs[f"correct{suffix}", seed]) for seed in seeds
                )
            ]
            each = ", ".join(f"{value:+.1f}" for value in points)
            mean = float(np.mean(points))
            interval = "-"
            if len(points) > 1:
                spread = float(np.std(points, ddof=1)) / math.sqrt(len(points))
                reach = float(student.ppf(0.975, len(points) - 1)) * spread
                interval = f"{mean - reach:+.1f}..{mean + reach:+.1f}"
            lines.append(f"| {part} | {model} | {mean:+.1f} points | {interval} | {each} |")
    return "\n".join(lines)


def standardization_table(result: dict[str, Any]) -> str:
    """Render as Markdown how far the product's models differ between both ranges."""
    lines = [
        "| Model | n | Largest difference of a logit | Answers that differ |",
        "|---|---|---|---|",
    ]
    for name, row in result["standardized_in_graph"].items():
        difference = f"{row['largest_difference']:.1e}"
        lines.append(f"| {name} | {row['n']} | {difference} | {row['answers_differ']} |")
    return "\n".join(lines)


def _figure(value: float, n: int) -> str:
    interval = wilson_interval(round(value * n), n)
    if interval.low is None or interval.high is None:
        return f"{n} | - | -"
    return f"{n} | {100 * value:.1f} % | {100 * interval.low:.1f}..{100 * interval.high:.1f} %"


def _write(result: dict[str, Any], path: Path) -> None:
    write_bytes_atomically(path, (json.dumps(result, indent=1, allow_nan=False) + "\n").encode())


def _pixels(samples: list[Sample], side: int, cache: Path) -> NDArray[np.uint8]:
    return PixelCache.build(samples, PreprocessorConfig(height=side, width=side), cache).pixels


def _parts(samples: list[Sample], cache: Path) -> dict[str, list[int]]:
    """Return the rows of each part: the official Testing, and Training divided 80 to 20 by image."""
    official = [row for row, sample in enumerate(samples) if sample.split == "train"]
    divided = split_by_image([samples[row] for row in official], fractions=(0.8, 0.2, 0.0), seed=42)
    parts: dict[str, list[int]] = {"train": [], "val": []}
    for row, sample in zip(official, divided, strict=True):
        parts[sample.split].append(row)
    test = [row for row, sample in enumerate(samples) if sample.split == "test"]
    parts["Testing"] = test
    for name, only in (("without byte copies", True), ("without copies", False)):
        rows = rows_without_copies(samples, test, cache, byte_copies_only=only)
        parts[f"Testing {name}"] = rows
    return parts


def _nearest_neighbour(
    pixels: NDArray[np.uint8], labels: NDArray[np.int64], parts: dict[str, list[int]]
) -> dict[str, Any]:
    train = parts["train"]
    return {
        part: _share(nearest_neighbour(pixels[train], labels[train], pixels[rows]), labels[rows])
        for part, rows in parts.items()
        if part != "train"
    }


def _share(answers: NDArray[np.int64], labels: NDArray[np.int64]) -> dict[str, Any]:
    return asdict(wilson_interval(int((answers == labels).sum()), len(labels)))


def _run(
    arm: str,
    seed: int,
    epochs: int,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    parts: dict[str, list[int]],
) -> dict[str, Any]:
    """Train one model and measure its last epoch; nothing is chosen, so no part is favoured."""
    _, originals_end_at, standardized = _ARMS[arm]
    started = time.monotonic()
    torch.manual_seed(seed)
    model = _small_vit()

    def logits(images: Tensor) -> Tensor:
        pixel_values = (images.expand(-1, 3, -1, -1) - 0.5) / 0.5
        answer: Tensor = model(standardize(pixel_values) if standardized else pixel_values).logits
        return answer

    grey = _grey(pixels, parts["train"])
    copies = augment(grey, _COPY, torch.Generator().manual_seed(seed))
    doubled = torch.cat([grey * originals_end_at, copies])
    known = torch.from_numpy(labels[parts["train"]]).repeat(2)
    loss = _fit(model, logits, doubled, known, epochs=epochs, seed=seed)
    model.eval()  # type: ignore[no-untyped-call, unused-ignore] # typed in some versions only
    accuracy = {}
    for part, rows in parts.items():
        if part == "train":
            continue
        given = _grey(pixels, rows) * originals_end_at
        with torch.inference_mode():
            answers = torch.cat([logits(batch).argmax(dim=1) for batch in torch.split(given, 256)])
        accuracy[part] = _share(answers.numpy(), labels[rows])
    shown = {part: round(figure["value"], 3) for part, figure in accuracy.items()}
    print(arm, seed, f"{time.monotonic() - started:.0f} s", f"loss {loss:.3f}", shown, flush=True)
    return {
        "arm": arm,
        "seed": seed,
        "epochs": epochs,
        "train_loss": round(loss, 4),
        "accuracy": accuracy,
    }


def _grey(pixels: NDArray[np.uint8], rows: list[int]) -> Tensor:
    """Return images as float32, (N, 1, H, W), range 0..1."""
    return torch.from_numpy(pixels[rows]).unsqueeze(1) / 255


def _small_vit() -> ViTForImageClassification:
    return ViTForImageClassification(
        ViTConfig(
            image_size=_SIDE,
            patch_size=16,
            hidden_size=128,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=512,
            id2label=dict(enumerate(LABELS)),
        )
    )


def _fit(
    model: ViTForImageClassification,
    logits: Callable[[Tensor], Tensor],
    images: Tensor,
    known: Tensor,
    *,
    epochs: int,
    seed: int,
) -> float:
    """Train with AdamW, warm-up and cosine; return the mean loss of the last epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=0.05)
    steps = epochs * math.ceil(len(images) / _BATCH)
    schedule = transformers.get_cosine_schedule_with_warmup(optimizer, steps // 20, steps)
    order = torch.Generator().manual_seed(seed)
    model.train()
    losses: list[float] = []
    for _ in range(epochs):
        shuffled = torch.randperm(len(images), generator=order)
        losses = []
        for rows in torch.split(shuffled, _BATCH):
            loss = F.cross_entropy(logits(images[rows]), known[rows])
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call, unused-ignore] # typed in some versions only
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
    return sum(losses) / len(losses)


def _standardized_in_graph(
    samples: list[Sample], rows: list[int], given: argparse.Namespace
) -> dict[str, Any]:
    """Compare what the project's own models answer to the same images in both ranges."""
    shipped = load_checkpoint(given.checkpoint)
    side = shipped.preprocessor.height
    grey = _grey(_pixels(samples, side, given.cache), rows).expand(-1, 3, -1, -1)
    torch.manual_seed(0)
    models = {
        f"{name}, first weights": create_model(name, len(LABELS), image_size=side)
        for name in ("resnet18", "sae", "vit")
    }
    compared = {}
    for name, model in {**models, "cvt13, shipped weights": shipped.model}.items():
        model.eval()
        with torch.inference_mode():
            small, large = (
                torch.cat([model((x * end - 0.5) / 0.5).logits for x in torch.split(grey, 64)])
                for end in (1.0, 255.0)
            )
        compared[name] = {
            "n": len(rows),
            "largest_difference": float((small - large).abs().max()),
            "answers_differ": int((small.argmax(dim=1) != large.argmax(dim=1)).sum()),
        }
    return compared


if __name__ == "__main__":
    main()
