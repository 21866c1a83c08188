"""Rewrites by somebody who mends the digests, too: a manifest that vouches for files that contradict each other.

What is left whole is what this attacker could also have rewritten. A bundle that was rewritten throughout, known
answers included, cannot be told from one that was made so: that takes a signature. Those rewrites are ``CONSISTENT``.
"""

import json
import random
from collections.abc import Callable

import numpy as np
import onnx
from onnx import numpy_helper
from reliability.bundles.good_bundles import MANIFEST, Files, vouched

from edge_infer.contract import METADATA_KEY

__all__ = ["CONSISTENT", "CONTRADICTING"]

_Rewrite = Callable[[Files, random.Random], Files]


def _other_order(labels: list[str], rng: random.Random) -> list[str]:
    while True:
        found = rng.sample(labels, len(labels))
        if found != labels:
            return found


def _manifest(files: Files) -> dict:
    return json.loads(files[MANIFEST])


def _config_with(files: Files, labels: list[str]) -> bytes:
    config = json.loads(files["config.json"])
    config["id2label"] = {str(number): label for number, label in enumerate(labels)}
    config["label2id"] = {label: number for number, label in enumerate(labels)}
    return json.dumps(config, indent=2).encode()


def _model_with(files: Files, change: Callable[[onnx.ModelProto], None]) -> bytes:
    model = onnx.load_from_string(files["model.onnx"])
    change(model)
    return model.SerializeToString()


def _graph_with(files: Files, **contract: object) -> bytes:
    def change(model: onnx.ModelProto) -> None:
        for entry in model.metadata_props:
            if entry.key == METADATA_KEY:
                entry.value = json.dumps({**json.loads(entry.value), **contract})

    return _model_with(files, change)


def _labels_of_config(files: Files, rng: random.Random) -> Files:
    labels = _other_order(_manifest(files)["labels"], rng)
    return vouched({**files, "config.json": _config_with(files, labels)})


def _labels_of_manifest(files: Files, rng: random.Random) -> Files:
    fields = _manifest(files)
    return vouched(files, {**fields, "labels": _other_order(fields["labels"], rng)})


def _labels_of_both(files: Files, rng: random.Random) -> Files:
    """All but the graph."""
    fields = _manifest(files)
    labels = _other_order(fields["labels"], rng)
    changed = {**files, "config.json": _config_with(files, labels)}
    return vouched(changed, {**fields, "labels": labels})


def _labels_of_graph(files: Files, rng: random.Random) -> Files:
    labels = _other_order(_manifest(files)["labels"], rng)
    return vouched({**files, "model.onnx": _graph_with(files, labels=labels)})


def _labels_everywhere(files: Files, rng: random.Random, *, golden: bool = False) -> Files:
    """Config, manifest and graph agree; the known answers do not, unless they are changed, too."""
    fields = _manifest(files)
    before = fields["labels"]
    labels = _other_order(before, rng)
    renamed = dict(zip(before, labels, strict=True))
    if golden:
        fields["golden"] = [
            {**answer, "label": renamed[answer["label"]]} for answer in fields["golden"]
        ]
    changed = {
        **files,
        "config.json": _config_with(files, labels),
        "model.onnx": _graph_with(files, labels=labels),
    }
    return vouched(changed, {**fields, "labels": labels})


def _golden_logits(files: Files, rng: random.Random) -> Files:
    """Known answers that the model does not give: each image has those of another."""
    fields = _manifest(files)
    cases = fields["golden"]
    step = rng.randrange(1, len(fields["labels"]))
    fields["golden"] = [*cases[step:], *cases[:step]]
    return vouched(files, fields)


def _negative(files: Files, rng: random.Random) -> Files:
    """Another class says that nothing is there; the graph still says which one it was made for."""
    labels = _manifest(files)["labels"]
    config = json.loads(files["config.json"])
    config["negative_label"] = rng.choice(
        [label for label in labels if label not in ("no_tumor", "clear")]
    )
    graph = _graph_with(files, negative_label="clear" if "clear" in labels else "no_tumor")
    return vouched({**files, "config.json": json.dumps(config).encode(), "model.onnx": graph})


def _image_size(files: Files, rng: random.Random) -> Files:
    fields = json.loads(files["preprocessor_config.json"])
    fields["size"][rng.choice(["height", "width"])] += rng.choice([-1, 1, 16])
    return vouched({**files, "preprocessor_config.json": json.dumps(fields).encode()})


def _scale(files: Files, rng: random.Random) -> Files:
    """Grey values that the model was not trained on: only the known answers show it."""
    fields = json.loads(files["preprocessor_config.json"])
    fields["rescale_factor"] *= rng.choice([255, 1 / 255, 0.1, 0.3, 4])
    return vouched({**files, "preprocessor_config.json": json.dumps(fields).encode()})


def _opset(files: Files, rng: random.Random) -> Files:
    fields = _manifest(files)
    return vouched(files, {**fields, "opset": fields["opset"] + rng.choice([-1, 1])})


def _outputs(files: Files, rng: random.Random) -> Files:
    def change(model: onnx.ModelProto) -> None:
        outputs = list(model.graph.output)
        first, second = rng.sample(range(len(outputs)), 2)
        outputs[first], outputs[second] = outputs[second], outputs[first]
        del model.graph.output[:]
        model.graph.output.extend(outputs)

    return vouched({**files, "model.onnx": _model_with(files, change)})


def _classifier(files: Files, rng: random.Random) -> Files:
    """The weights of the classes change places: a sound model that calls them otherwise."""
    classes = len(_manifest(files)["labels"])
    order = _other_order([str(number) for number in range(classes)], rng)

    def change(model: onnx.ModelProto) -> None:
        for tensor in model.graph.initializer:
            if tensor.dims and tensor.dims[0] == classes and tensor.raw_data:
                array = numpy_helper.to_array(tensor)[[int(number) for number in order]]
                tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(array), tensor.name))

    return vouched({**files, "model.onnx": _model_with(files, change)})


def _arrays(files: Files, rng: random.Random) -> Files:
    """A scope.bin of another length, or of NaN; a bundle without one gets one."""
    data = files.get("scope.bin", b"")
    spoilt = [data + bytes(4), data[:-2], b"\xff" * len(data), b""]
    return vouched({**files, "scope.bin": rng.choice(spoilt)})


def _thresholds(files: Files, rng: random.Random) -> Files:
    """When an answer is accepted: everything is."""
    fields = _manifest(files)
    fields["trust"] = {**fields["trust"], "least_score": 0.0}
    fields["calibration"] = {**fields["calibration"], "temperature": rng.choice([0.01, 50.0])}
    return vouched(files, fields)


def _labels_and_golden(files: Files, rng: random.Random) -> Files:
    return _labels_everywhere(files, rng, golden=True)


def _resample(files: Files, rng: random.Random) -> Files:
    """Known answers are of the model's size already, so they do not show how an image is resized."""
    fields = json.loads(files["preprocessor_config.json"])
    fields["resample"] = rng.choice([number for number in range(6) if number != fields["resample"]])
    return vouched({**files, "preprocessor_config.json": json.dumps(fields).encode()})


#: What the bundle itself contradicts: to be refused.
CONTRADICTING: dict[str, _Rewrite] = {
    "labels of config.json": _labels_of_config,
    "labels of manifest.json": _labels_of_manifest,
    "labels of both": _labels_of_both,
    "labels of the graph": _labels_of_graph,
    "labels of all three": _labels_everywhere,
    "known answers": _golden_logits,
    "negative class": _negative,
    "image size": _image_size,
    "scale of grey values": _scale,
    "opset": _opset,
    "order of outputs": _outputs,
    "classifier": _classifier,
    "scope.bin": _arrays,
}

#: What no check without a signature can tell from a bundle that was made so.
CONSISTENT: dict[str, _Rewrite] = {
    "labels and known answers": _labels_and_golden,
    "thresholds": _thresholds,
    "resampling": _resample,
}
