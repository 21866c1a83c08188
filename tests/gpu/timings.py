"""Batches of noise through PyTorch and bundles, in turn, in one process: one line of JSON for each batch size.

    python tests/gpu/timings.py --device cuda --checkpoint CHECKPOINT --bundle fp32=BUNDLE --batch 1 --batch 64

From NumPy arrays to NumPy arrays, as a caller waits for it, including the copies to the GPU and back.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))  # the checkout need not be installed

from benchmarks.latency import ratio_of_medians, summarize  # noqa: E402 -- after the path

__all__ = ["driven", "figures"]

BASELINE = "torch fp32"
WARM_UP = 3
PAUSE_SECONDS = 0.05  # lets a thread pool that still spins come to rest
Engine = Callable[[Any], Any]


def driven(
    engines: Mapping[str, Engine], pixel_values: Any, *, rounds: int, queries: int, ends: float
) -> tuple[dict[str, list[list[float]]], dict[str, str]]:
    """Time engines in turn, reversing the order each round.

    Args:
        engines: By name.
        pixel_values: float32, (N, 3, H, W), the same for all.
        rounds: At most.
        queries: Timed queries in each turn, after an untimed one.
        ends: By time.monotonic(); after it no round but the first begins.

    Returns:
        Milliseconds of each query by engine and round; and why engines were left out.
    """
    times: dict[str, list[list[float]]] = {name: [] for name in engines}
    failures: dict[str, str] = {}
    for number in range(rounds):
        if number and time.monotonic() > ends:
            break
        names = [name for name in engines if name not in failures]
        for name in names if number % 2 == 0 else reversed(names):
            time.sleep(PAUSE_SECONDS)
            try:
                for _ in range(WARM_UP if number == 0 else 1):
                    engines[name](pixel_values)
                times[name].append([_timed(engines[name], pixel_values) for _ in range(queries)])
            except Exception as error:  # of any library; the others go on
                failures[name] = f"{type(error).__name__}: {error}"[:300]
    return times, failures


def figures(times: Mapping[str, list[list[float]]], failures: Mapping[str, str]) -> dict[str, Any]:
    """Summarise: n, median with interval and tails for each engine, and its speed against PyTorch."""
    found: dict[str, Any] = {}
    for name, rounds in times.items():
        if name in failures:
            found[name] = {"failure": failures[name]}
            continue
        found[name] = summarize(rounds)
        if BASELINE in times and BASELINE not in failures:
            found[name]["times_torch"] = ratio_of_medians(times[BASELINE], rounds)
    return found


def _timed(engine: Engine, pixel_values: Any) -> float:
    began = time.perf_counter()
    engine(pixel_values)
    return (time.perf_counter() - began) * 1000.0


def _torch_engine(checkpoint: Path, device: str, dtype_name: str) -> Engine:
    import torch

    from train.checkpoint import load_checkpoint

    dtype = getattr(torch, dtype_name)
    model: Any = load_checkpoint(checkpoint).model.to(device=device, dtype=dtype)

    def run(pixel_values: Any) -> Any:
        with torch.inference_mode():
            output = model(torch.from_numpy(pixel_values).to(device).to(dtype))
        return output.logits.float().cpu().numpy()  # waits for the GPU

    return run


def _bundle_engine(bundle: Path, device: str) -> Engine:
    from edge_infer.bundle import load_bundle
    from edge_infer.bundle_session import is_for_cuda, open_bundle_session

    verified = load_bundle(bundle)
    if device == "cuda" and not is_for_cuda(verified):
        # Refused as a device; by onnxruntime's own names it shows whether the refusal is right.
        names = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        return open_bundle_session(verified, providers=names).run
    return open_bundle_session(verified, device=device).run


def _loaded(given: argparse.Namespace) -> tuple[dict[str, Engine], dict[str, str]]:
    """Load the engines; return those that load, and why the others do not."""
    loaders: dict[str, Callable[[], Engine]] = {
        BASELINE: partial(_torch_engine, given.checkpoint, given.device, "float32"),
        "torch bf16": partial(_torch_engine, given.checkpoint, given.device, "bfloat16"),
    }
    for word in given.bundle:
        name, _, folder = word.partition("=")
        device = name.partition("@")[2] or given.device
        loaders[name] = partial(_bundle_engine, Path(folder), device)
    engines: dict[str, Engine] = {}
    failures: dict[str, str] = {}
    for name, load in loaders.items():
        try:
            engines[name] = load()
        except Exception as error:  # of any library; the others go on
            failures[name] = f"{type(error).__name__}: {error}"[:300]
    return engines, failures


def main(arguments: Sequence[str] | None = None) -> None:
    """Load everything, then time one batch size after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--bundle", action="append", default=[], help="NAME[@DEVICE]=FOLDER")
    parser.add_argument("--batch", type=int, action="append", required=True)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=70, help="shared by the batch sizes")
    given = parser.parse_args(arguments)
    engines, unloaded = _loaded(given)
    share = given.seconds / len(given.batch)
    for batch in given.batch:
        times, failures = driven(
            engines,
            _noise(given.checkpoint, batch),
            rounds=given.rounds,
            queries=8 if batch == 1 else 3,
            ends=time.monotonic() + share,
        )
        done = max((len(rounds) for rounds in times.values()), default=0)
        failed = {**unloaded, **failures}
        found = figures({**{name: [] for name in unloaded}, **times}, failed)
        sys.stdout.write(json.dumps({"batch": batch, "rounds": done, "engines": found}) + "\n")
        sys.stdout.flush()


def _noise(checkpoint: Path, batch: int) -> Any:
    """Return pixel_values of noise, (batch, 3, H, W): the arithmetic costs the same for all values."""
    from edge_infer.preprocessing import PreprocessorConfig, to_pixel_values

    text = (checkpoint / "preprocessor_config.json").read_text(encoding="utf-8")
    config = PreprocessorConfig.from_dict(json.loads(text))
    shape = (batch, config.height, config.width)
    grey = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return to_pixel_values(grey, config)


if __name__ == "__main__":
    main()
