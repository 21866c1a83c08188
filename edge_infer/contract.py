"""The contract every storey shares: class order, tensor names, schema versions, the research-use notice.

The runtime defines it; training, export and benchmarks import it from here, so that they cannot diverge.
"""

__all__ = [
    "BUNDLE_FILES",
    "BUNDLE_SCHEMA_VERSION",
    "GOLDEN_FILE",
    "INPUT_NAME",
    "LABELS",
    "LARGEST_INT8",
    "MAX_SCOPE_BYTES",
    "METADATA_KEY",
    "OUTPUT_NAMES",
    "POSSIBLE_BUNDLE_FILES",
    "RESEARCH_USE_ONLY",
    "RESULT_SCHEMA_VERSION",
    "SCOPE_FILE",
]

#: Canonical class order; the index of a name is its class id. The two student reports that the project began with have
#: the same order.
LABELS = ("glioma", "meningioma", "no_tumor", "pituitary")

#: Graph input: float32 (batch, 3, H, W), grey image repeated over the channels, range 0..1.
INPUT_NAME = "pixel_values"

#: Graph outputs: logits (batch, classes), embeddings (batch, dim), evidence (batch, classes, h, w).
#: The mean of ``evidence`` over h and w is ``logits``: what each place of the image adds to a class.
OUTPUT_NAMES = ("logits", "embeddings", "evidence")

#: Assumed largest magnitude of 8-bit weights if nothing is known about them.
LARGEST_INT8 = 128

#: Version of manifest.json; a runtime refuses a bundle whose version it does not know.
#: 1 had no golden images, 2 no ``trust``; both are still read.
BUNDLE_SCHEMA_VERSION = 3

#: Version of the JSON that ``brain-infer --json`` prints (docs/result.schema.json).
RESULT_SCHEMA_VERSION = 2

#: The key of ``metadata_props`` in model.onnx that holds the same contract as JSON.
METADATA_KEY = "brain_edge.contract"

#: The images whose expected answers are in the bundle (edge_infer/golden.py).
GOLDEN_FILE = "golden.png"

#: The arrays of the scope check (edge_infer/scope.py), in a bundle that has one.
SCOPE_FILE = "scope.bin"
MAX_SCOPE_BYTES = 2**20

#: The files of a bundle folder: exactly these, and ``SCOPE_FILE`` where the manifest describes a scope check.
BUNDLE_FILES = (
    "README.md",
    "config.json",
    GOLDEN_FILE,
    "manifest.json",
    "model.onnx",
    "preprocessor_config.json",
)

#: All files that may be in a bundle folder.
POSSIBLE_BUNDLE_FILES = (*BUNDLE_FILES, SCOPE_FILE)

RESEARCH_USE_ONLY = "Research use only. Not a medical device. Not for diagnosis."
