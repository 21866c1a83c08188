"""Train a model on cached images as a recipe says, and write its best checkpoint."""

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers

from edge_infer.classes import Classes
from edge_infer.errors import BundleIncompatible, DataRefused
from edge_infer.names import without_folders
from edge_infer.preprocessing import PreprocessorConfig
from train.checkpoint import load_checkpoint, save_checkpoint
from train.counterfactuals.cache import TwinCache, TwinSource
from train.counterfactuals.progress import reported
from train.data.manifest_csv import manifest_hash
from train.data.pixel_cache import PixelCache
from train.data.samples import Sample, classes_of
from train.data.tumour_masks import MaskCache
from train.loop.bfloat16 import as_fast_here, as_safe_here
from train.loop.distillation import Teachers
from train.loop.grey_batches import GreyImages
from train.loop.image_sizes import check_image_sizes
from train.loop.phase_run import PhaseSetting, run_phase
from train.loop.phases import phases_of
from train.metrics.missed import needs_negative
from train.models import create_model
from train.pretrained import load_pretrained
from train.processes import all_agree, first_process_first, is_first, process_count
from train.recipe import FORMER_NAMES, Recipe, recipe_defaults
from train.run_folder import CHECKPOINT, Claim, claim_run_folder
from train.splits.sample_rows import copy_groups, part_rows
from train.threads import keep_threads_within_quota

__all__ = ["train_model"]

logger = logging.getLogger(__name__)


def train_model(
    name: str,
    samples: Sequence[Sample],
    recipe: Recipe,
    run: Path,
    *,
    cache_folder: Path,
    weights: str | None = None,
    teachers: Sequence[Path] = (),
    report_to: str = "tensorboard",
    resume: bool = False,
) -> Path:
    """Train one model.

    The best epoch by validation accuracy is kept. A run that was killed at any moment and resumed ends with the same
    weights as an uninterrupted one (same machine, same number of threads). Processes that have joined
    (``train.processes``) all call this and train one model together; the first of them writes.

    Args:
        name: In ``train.models.MODELS``.
        samples: With the splits ``train`` and ``val``; their classes are the model's.
        recipe: Every number of the run.
        run: Folder for checkpoints, logs and the result.
        cache_folder: Where decoded images are kept.
        weights: ``imagenet``, Hub id or local folder of pretrained weights, or None to start from scratch.
        teachers: Checkpoint folders of teachers; several teach by the mean of their logits.
        report_to: As for transformers: ``tensorboard``, ``wandb`` or ``none``.
        resume: Continue a run that was stopped.

    Returns:
        The checkpoint folder inside the run.

    Raises:
        UnknownModel: There is no such model, or it cannot have these sizes, or needs a negative class.
        DataRefused: The train or val part is empty or lacks a class, or the recipe uses masks and there are none, or
            counterfactual images and there is no negative class, or the processes cannot share the batch size evenly.
        BundleIncompatible: A teacher has other classes.
        CannotWrite: The folder holds another run.
        ProcessLost: Another process of the run has ended.
    """
    with first_process_first():
        check_image_sizes(name, recipe)
        _check_batch_size(recipe)
        classes = classes_of(samples)
        preprocessor = PreprocessorConfig(height=recipe.image_size, width=recipe.image_size)
        request = {
            "model": name,
            "recipe": dataclasses.asdict(recipe),
            "data_sha256": manifest_hash(samples),
            "weights": weights and without_folders(weights),
            "teacher": ", ".join(_run_of(teacher) for teacher in teachers) or None,
        }
        if teachers:
            # Before the folder is claimed, so that a wrong one leaves nothing; loaded again below, where it always was,
            # for loading draws random numbers.
            _teachers(teachers, classes)
        claim = Claim()
        if is_first():
            claim = claim_run_folder(
                run,
                request,
                resume=resume,
                defaults={"recipe": recipe_defaults()},
                former_names=FORMER_NAMES,
            )
    with claim.released_if_refused(), first_process_first():
        keep_threads_within_quota()
        # After claiming the folder: run.json states what was asked for, so another machine can resume the run.
        recipe = as_safe_here(as_fast_here(recipe), name, cache_folder, classes=len(classes))
        train_rows = part_rows(samples, "train", one_of_each_copy=recipe.one_of_each_copy)
        val_rows = part_rows(samples, "val")
        cache = PixelCache.build(samples, preprocessor, cache_folder)

        transformers.set_seed(recipe.seed)
        model = create_model(
            name,
            len(classes),
            image_size=recipe.image_size,
            sizes=recipe.model,
            negative_id=classes.negative_id,
        )
        if weights is not None:
            load_pretrained(model, weights)
        elif hasattr(model, "pretrained_class"):
            logger.warning(
                "%s starts from scratch, with %d images for %.0f M weights: expect hours and a poor result; "
                "it is made for pretrained weights (--weights)",
                name,
                len(train_rows),
                sum(parameter.numel() for parameter in model.parameters()) / 1e6,
            )
        setting = PhaseSetting(
            name=name,
            classes=classes,
            recipe=recipe,
            run=run,
            preprocessor=preprocessor,
            teacher=_teachers(teachers, classes) if teachers else None,
            datasets=(
                _train_images(samples, train_rows, cache, preprocessor, recipe, cache_folder),
                GreyImages(cache.pixels, val_rows, _labels(samples, val_rows)),
            ),
            report_to=report_to,
            resume=resume,
        )
    recipe = dataclasses.replace(recipe, bf16=all_agree(recipe.bf16))
    setting = dataclasses.replace(setting, recipe=recipe)
    results = [run_phase(model, phase, setting) for phase in phases_of(model, recipe)]
    best = max(results, key=lambda result: result.best_val_accuracy)
    model.load_state_dict(best.weights)
    training = {
        **request,
        "data": ", ".join(sorted({sample.dataset or "unnamed" for sample in samples})),
        "best_val_accuracy": best.best_val_accuracy,
        "late_average": best.late_average,
        "history": [entry for result in results for entry in result.history],
        "autocast": "bfloat16" if recipe.bf16 else None,
        "n_train": len(train_rows),
        "n_val": len(val_rows),
        "processes": process_count(),
        "seconds": round(sum(entry.get("seconds", 0) for r in results for entry in r.history), 1),
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    if is_first():
        save_checkpoint(
            run / CHECKPOINT,
            name=name,
            model=model,
            classes=classes,
            sizes=recipe.model,
            preprocessor=preprocessor,
            training=training,
        )
    return run / CHECKPOINT


def _check_batch_size(recipe: Recipe) -> None:
    if recipe.batch_size % process_count():
        raise DataRefused(
            f"{process_count()} processes cannot share a batch_size of {recipe.batch_size} evenly",
            hint="start a number of processes that divides it, or pass another --batch-size",
        )


def _train_images(
    samples: Sequence[Sample],
    rows: list[int],
    cache: PixelCache,
    preprocessor: PreprocessorConfig,
    recipe: Recipe,
    cache_folder: Path,
) -> GreyImages:
    labels = _labels(samples, rows)
    wanted = recipe.mask.weight or recipe.counterfactual.most
    masks = _masks(samples, rows, preprocessor, cache_folder) if wanted else None
    twins = None
    if recipe.counterfactual.most and masks is not None:
        source = TwinSource(
            key=f"{cache.key} {masks.folder.name}",
            pixels=cache.pixels,
            masks=masks.masks,
            known=masks.known,
            rows=rows,
            labels=labels,
            negative_id=needs_negative(classes_of(samples), "the recipe's [counterfactual]"),
        )
        with reported("counterfactual images") as progress:
            twins = TwinCache.build(source, cache_folder, seed=recipe.seed, progress=progress)
    return GreyImages(
        cache.pixels,
        rows,
        labels,
        with_originals=recipe.keep_originals,
        copies=copy_groups(samples, rows, cache_folder) if recipe.sample_copies else None,
        masks=None if masks is None else (masks.masks, masks.known),
        twins=None if twins is None else (twins, recipe.counterfactual),
    )


def _labels(samples: Sequence[Sample], rows: list[int]) -> list[int]:
    return [samples[row].label for row in rows]


def _masks(
    samples: Sequence[Sample], rows: list[int], preprocessor: PreprocessorConfig, cache_folder: Path
) -> MaskCache:
    cache = MaskCache.build(samples, preprocessor, cache_folder)
    known = int(cache.known[rows].sum())
    if not known:
        raise DataRefused(
            "the recipe's [mask] or [counterfactual] needs tumour masks, but no image of the train part has one",
            hint="set the weight and the shares to 0, or use a data set with masks, such as BRISC 2025",
        )
    logger.info("tumour masks: %d of %d training images have one", known, len(rows))
    return cache


def _teachers(paths: Sequence[Path], classes: Classes) -> Teachers:
    checkpoints = [load_checkpoint(path) for path in paths]
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        if checkpoint.classes.names != classes.names:
            raise BundleIncompatible(
                f"teacher {_run_of(path)}: tells apart {', '.join(checkpoint.classes.names)}, the data set "
                f"{', '.join(classes.names)}",
                hint="teach with a model of the same classes in the same order",
            )
    return Teachers(
        [checkpoint.model for checkpoint in checkpoints],
        [checkpoint.preprocessor.height for checkpoint in checkpoints],
    )


def _run_of(checkpoint: Path) -> str:
    """Return the name of the run that a checkpoint folder belongs to: RUN/checkpoint, or RUN itself."""
    folder = checkpoint.resolve()
    return folder.parent.name if folder.name == CHECKPOINT else folder.name
