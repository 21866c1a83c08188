"""Ranges of the activations of a float graph over calibration pictures, by onnxruntime's own calibrators."""

from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization.calibrate import CalibrationMethod, create_calibrator

from edge_infer.preprocessing import PreprocessorConfig
from export.calibration import PixelReader
from export.graphs.int8_layers import Ranges
from export.quiet import quiet_folder

__all__ = ["METHODS", "Method", "activation_ranges"]

Method = Literal["min-max", "percentile", "entropy"]

#: In the order in which they are tried.
METHODS: tuple[Method, ...] = ("min-max", "percentile", "entropy")

_CALIBRATORS = {
    "min-max": (CalibrationMethod.MinMax, {}),
    "percentile": (CalibrationMethod.Percentile, {"num_bins": 2048, "percentile": 99.99}),
    "entropy": (CalibrationMethod.Entropy, {"num_bins": 256, "num_quantized_bins": 128}),
}


def activation_ranges(
    graph: onnx.ModelProto,
    calibration: NDArray[np.uint8],
    config: PreprocessorConfig,
    *,
    method: Method = "min-max",
) -> Ranges:
    """Run the pictures through the graph and note what values occur.

    Args:
        graph: Of ``FloatLayers``.
        calibration: uint8, (N, H, W), training pictures.
        config: How they become pixel values.
        method: Which part of the values the range covers.
    """
    kind, options = _CALIBRATORS[method]
    with quiet_folder() as folder:
        path = folder / "graph.onnx"
        onnx.save(graph, path)
        calibrator = create_calibrator(
            path,
            op_types_to_calibrate=["Conv", "Gemm"],
            augmented_model_path=str(folder / "augmented.onnx"),
            calibrate_method=kind,
            extra_options=options,
        )
        for start in range(0, len(calibration), 4):  # all values of a call are held in memory
            calibrator.collect_data(PixelReader(calibration[start : start + 4], config))
        found = calibrator.compute_data()
    return {
        name: (float(np.min(entry.lowest)), float(np.max(entry.highest)))
        for name, entry in found.data.items()
    }
