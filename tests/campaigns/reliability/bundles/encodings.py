"""Other encodings of a graph: what the check accepts, the onnx package must read in the same way."""

import random
from functools import cache

import onnx
from google.protobuf.message import DecodeError
from graph_verdicts import rich_model, verdict
from reliability.campaign import Broken, Seen
from wire_mutations import mutated

from edge_infer.bundle import shipped_bundle_path

__all__ = ["TRIES", "try_encodings"]

TRIES = 50


def try_encodings(rng: random.Random) -> Seen:
    """Change the encoding at random places, some of them several times.

    Raises:
        Broken: A graph was accepted that onnx reads differently, or that holds forbidden content.
    """
    for _ in range(TRIES):
        data = rng.choice(_graphs())
        names = []
        for _ in range(rng.choice([1, 1, 2, 3])):
            try:
                name, data = mutated(data, rng)
            except (ValueError, KeyError, IndexError):  # no longer canonical: cannot be split
                break
            names.append(name)
        try:
            verdict(data)
        except DecodeError:  # accepted here, but onnxruntime will not read it
            continue
        except AssertionError as difference:
            raise Broken(f"{', '.join(names)}: {difference}"[:200]) from difference
    return Seen(kind="encodings: refused, or read as onnx reads them", tries=TRIES)


@cache
def _graphs() -> tuple[bytes, bytes]:
    """A graph of all kinds of fields, and a part of the shipped one, with small weights: readers differ in the rest."""
    model = onnx.load(shipped_bundle_path() / "model.onnx")
    for tensor in model.graph.initializer:
        tensor.ClearField("dims")
        tensor.dims.append(0)
        tensor.raw_data = b""
    del model.graph.node[20:], model.graph.initializer[20:]
    return rich_model().SerializeToString(), model.SerializeToString()
