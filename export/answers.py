"""Ask a graph about images one by one, as brain-infer does, on all cores at once.

A batch would be another question: a dynamic INT8 graph takes its ranges over all of it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge_infer.machine import usable_cores
from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values

__all__ = ["Answering", "answers_one_by_one", "logits_one_by_one"]


class Answering(Protocol):
    """What can be asked: a ``Session``. Its ``run`` may be called by several threads at once."""

    def run(self, pixel_values: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
        """Return logits, embeddings and evidence of pixel_values (1, 3, H, W)."""


def answers_one_by_one(
    session: Answering,
    grey: NDArray[np.uint8],
    config: PreprocessorConfig,
    tick: Callable[[], None] = lambda: None,
) -> list[tuple[NDArray[np.float32], ...]]:
    """Return what the graph says of each image, in their order.

    Args:
        session: Best opened with one thread: images keep the cores busy, and a graph splits badly.
        grey: uint8, (N, H, W).
        config: How they become pixel values.
        tick: Called after each image.
    """

    def ask(image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
        return session.run(to_pixel_values(image[None], config))

    answers = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for outputs in pool.map(ask, grey):  # an error or Ctrl-C takes those not begun off the list
            answers.append(outputs)
            tick()
    return answers


def logits_one_by_one(
    session: Answering,
    grey: NDArray[np.uint8],
    config: PreprocessorConfig,
    tick: Callable[[], None] = lambda: None,
) -> NDArray[np.float32]:
    """Return the logits alone: float32, (N, classes)."""
    answers = answers_one_by_one(session, grey, config, tick)
    return np.concatenate([outputs[0] for outputs in answers])
