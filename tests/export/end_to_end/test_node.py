"""The one-file model in another language: onnxruntime-node gives the labels and probabilities of Python."""

import io
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from one_file_models import write_one_file
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import LABELS, RESEARCH_USE_ONLY
from edge_infer.saturation import _PROBE
from export.end_to_end.write import write_end_to_end
from train.phantoms import phantom

EXAMPLE = Path(__file__).parents[3] / "examples" / "node"
LOCK = json.loads((EXAMPLE / "package-lock.json").read_text())

node = pytest.mark.node
needs_node = [
    node,
    pytest.mark.skipif(shutil.which("node") is None, reason="no node on the PATH"),
    pytest.mark.skipif(
        not (EXAMPLE / "node_modules" / "onnxruntime-node").is_dir(),
        reason="no node_modules: npm ci in examples/node",
    ),
]


def with_node(test: Any) -> Any:
    for mark in needs_node:
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def model(bundles: dict[str, Bundle], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("one-file") / "int8.onnx"
    write_end_to_end(bundles["int8"], path)
    return path


def classify(model: Path, *files: Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        ["node", EXAMPLE / "classify.mjs", model, *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@with_node
def test_node_answers_as_python_does_on_phantoms_of_many_sizes(
    bundles: dict[str, Bundle], model: Path, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    files = []
    for number, size in enumerate(
        [(64, 64), (200, 300), (300, 200), (90, 400), (400, 90), (40, 50), (333, 333), (150, 151)]
    ):
        drawn = Image.fromarray(phantom(LABELS[number % 4], generator)).resize(size)
        tint = np.asarray(drawn)[:, :, None] * generator.uniform(0.5, 1, 3)
        files += [tmp_path / f"{number}.grey.png", tmp_path / f"{number}.rgb.png"]
        drawn.save(files[-2])
        Image.fromarray(tint.astype(np.uint8)).save(files[-1])
    code, answers = classify(model, *files)
    assert (code, len(answers)) == (0, len(files))
    classifier = Classifier(bundles["int8"])
    for file, answer in zip(files, answers, strict=True):
        expected = classifier.predict(file)
        assert (answer["file"], answer["label"]) == (str(file), expected.label)
        assert answer["research_use_only"] == RESEARCH_USE_ONLY
        # One release of onnxruntime against another, on the same bits.
        assert answer["probabilities"] == pytest.approx(dict(expected.probabilities), abs=1e-3)


@with_node
def test_node_reads_a_grey_jpeg(bundles: dict[str, Bundle], model: Path, tmp_path: Path) -> None:
    path = tmp_path / "scan.jpg"
    Image.fromarray(phantom("glioma", np.random.default_rng(1))).save(path, quality=95)
    code, [answer] = classify(model, path)
    expected = Classifier(bundles["int8"]).predict(path)
    assert (code, answer["label"]) == (0, expected.label)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def refused_files() -> dict[str, tuple[bytes, str, str]]:
    """Content, code and a part of the message; the codes are those of brain-infer."""
    scan = Image.fromarray(phantom("glioma", np.random.default_rng(2), 64))
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = scan.convert("RGBA")
    clear.putpixel((3, 3), (0, 0, 0, 10))
    deep = Image.fromarray(np.asarray(scan).astype(np.uint16) * 16)
    return {
        "turned.jpg": (saved(scan, "JPEG", exif=turned), "unsupported", "EXIF orientation is 6"),
        "turned.png": (saved(scan, "PNG", exif=turned), "unsupported", "EXIF orientation is 6"),
        "cmyk.jpg": (saved(scan.convert("CMYK"), "JPEG"), "unsupported", "4 channels"),
        "filled.jpg": (
            b"\xff\xd8\xff" + saved(scan.convert("CMYK"), "JPEG")[2:],
            "unsupported",
            "4",
        ),
        "frames.png": (
            saved(scan, "PNG", save_all=True, append_images=[scan.rotate(9)]),
            "unsupported",
            "2 frames",
        ),
        "clear.png": (saved(clear, "PNG"), "unsupported", "transparent"),
        "deep.png": (saved(deep, "PNG"), "unsupported", "16-bit"),
        "blank.png": (saved(Image.new("L", (64, 64), 9), "PNG"), "unsupported", "blank"),
        "tiny.png": (saved(scan.resize((15, 64)), "PNG"), "unsupported", "15 x 64 pixels"),
        "wide.png": (saved(Image.new("L", (8193, 16)), "PNG"), "over_limit", "8193 x 16 pixels"),
        "cut.png": (saved(scan, "PNG")[:900], "corrupt", "PNG is damaged or cut short"),
        "cut.jpg": (saved(scan, "JPEG")[:900], "corrupt", "JPEG is damaged or cut short"),
        "start.jpg": (b"\xff\xd8\xff", "corrupt", "JPEG is damaged or cut short"),
        "text.png": (b"not an image", "corrupt", "neither PNG nor JPEG"),
        "empty.png": (b"", "corrupt", "file is empty"),
    }


@with_node
def test_node_gives_no_label_to_what_python_refuses_or_reads_otherwise(
    model: Path, tmp_path: Path
) -> None:
    files = refused_files()
    for name, (data, _, _) in files.items():
        (tmp_path / name).write_bytes(data)
    reasons = {name: (code, reason) for name, (_, code, reason) in files.items()}
    reasons["absent.png"] = ("unreadable", "cannot be read (no such file)")
    reasons["."] = ("unreadable", "is a folder")
    status, answers = classify(model, *(tmp_path / name for name in reasons))
    assert status == 100
    for (name, (code, reason)), answer in zip(reasons.items(), answers, strict=True):
        assert "label" not in answer, name
        assert answer["code"] == code, name
        assert reason in answer["error"], name


@with_node
def test_node_names_the_labels_of_the_file(bundles: dict[str, Bundle], tmp_path: Path) -> None:
    labels = ("cyst", "größe", "脑", 'a "quoted" name')
    write_one_file(tmp_path / "own.onnx", bundles["int8"], labels)
    scan = Image.fromarray(phantom("glioma", np.random.default_rng(1)))
    scan.save(tmp_path / "scan.png")
    code, [answer] = classify(tmp_path / "own.onnx", tmp_path / "scan.png")
    expected = Classifier(bundles["int8"]).predict(scan)
    assert (code, tuple(answer["probabilities"])) == (0, labels)
    assert answer["label"] == labels[bundles["int8"].labels.index(expected.label)]


@with_node
def test_node_refuses_a_file_that_does_not_name_its_labels(
    bundles: dict[str, Bundle], model: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.onnx").mkdir()
    hint = "expected a file that brain-export --end-to-end wrote"
    for name, content, status, reason in (
        ("bundle.onnx", bundles["int8"].model_bytes, 32, hint),
        ("cut.onnx", model.read_bytes()[:-9], 32, "onnxruntime cannot open it"),
        ("text.onnx", b"no model", 32, hint),
        ("absent.onnx", None, 20, "no such file"),
        ("folder.onnx", None, 20, "is a folder"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        done = subprocess.run(
            ["node", EXAMPLE / "classify.mjs", tmp_path / name, "scan.png"],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert (done.returncode, done.stdout) == (status, ""), name
        assert f"{name}: cannot be used" in done.stderr
        assert reason in done.stderr


def test_every_package_of_the_example_is_pinned_by_its_digest() -> None:
    wanted = json.loads((EXAMPLE / "package.json").read_text())["dependencies"]
    assert wanted == LOCK["packages"][""]["dependencies"]
    assert all(version[0].isdigit() for version in wanted.values())
    packages = {name: entry for name, entry in LOCK["packages"].items() if name}
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []


def test_the_example_asks_the_product_the_runtime_asks() -> None:
    text = (EXAMPLE / "saturation.mjs").read_text()
    assert "".join(re.findall(r'"([0-9a-f]{4,})"', text)) == _PROBE.hex()
