"""Ask a graph about images one by one, as brain-infer does, on all cores at once.

A batch could give other answers: a dynamic INT8 graph takes its activation ranges over the whole batch.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_infer.machine import usable_cores
from export.model_inputs import ModelInputs

__all__ = ["Answering", "answers_one_by_one", "logits_one_by_one"]


class Answering(Protocol):
    """What can be asked, such as a ``Session``; several threads may call ``run`` at once."""

    def run(self, pixel_values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return logits, embeddings and evidence of pixel_values (1, 3, H, W)."""


def answers_one_by_one(
    session: Answering,
    inputs: ModelInputs,
    tick: Callable[[], None] = lambda: None,
) -> list[tuple[NDArray[np.float32], ...]]:
    """Return logits, embeddings and evidence of each image, in the order of the images.

    Args:
        session: Best opened with one thread: the images keep all cores busy, and one image does that badly.
        inputs: The images.
        tick: Called after each image.
    """

    def ask(row: int) -> tuple[NDArray[np.float32], ...]:
        return session.run(inputs[row : row + 1].pixel_values())

    answers = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        # After an error or Ctrl-C, it starts no further images.
        for outputs in pool.map(ask, range(len(inputs))):
            answers.append(outputs)
            tick()
    return answers


def logits_one_by_one(
    session: Answering,
    inputs: ModelInputs,
    tick: Callable[[], None] = lambda: None,
) -> NDArray[np.float32]:
    """Return the logits of each image: float32, (N, classes); arguments are those of ``answers_one_by_one``."""
    answers = answers_one_by_one(session, inputs, tick)
    return np.concatenate([outputs[0] for outputs in answers])
