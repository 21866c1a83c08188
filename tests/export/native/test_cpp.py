"""The example in C++: Python's answers, from a library opened by its path, and no label where Python gives none."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from one_file_models import write_one_file
from PIL import Image

from edge_infer.bundle import Bundle
from edge_infer.classifier import Classifier
from edge_infer.contract import METADATA_KEY, RESEARCH_USE_ONLY
from edge_infer.errors import BrainError
from edge_infer.saturation import _PROBE
from train.phantoms import phantom

EXAMPLE = Path(__file__).parents[3] / "examples" / "cpp"
EXAMPLES = sorted((EXAMPLE.parent).glob("brisc_*.jpg"))
PROCESSORS = Path(__file__).parents[2] / "processors" / "processors.py"
ATOL = 1e-6  # the same pixels, the same release of onnxruntime
CONTROL = """
#include <dlfcn.h>
#include <onnxruntime/onnxruntime_c_api.h>
int main(int count, char** words) {
  void* library = dlopen(words[count - 1], RTLD_NOW);
  const OrtApiBase* (*entry)(void) = (const OrtApiBase* (*)(void))dlsym(library, "OrtGetApiBase");
  OrtEnv* environment = 0;
  return entry()->GetApi(21)->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "control", &environment) != 0;
}
"""
TOO_OLD = """
static const void* get_api(unsigned version) { return 0; }
static const char* get_version(void) { return "1.17.3"; }
static struct { const void* (*get_api)(unsigned); const char* (*get_version)(void); } base = {get_api, get_version};
const void* OrtGetApiBase(void) { return &base; }
"""

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(program: Path, library: Path, model: Path, tmp_path: Path) -> Run:
    """Run classify in an almost empty environment, so that only the program can switch telemetry off."""
    (tmp_path / "home").mkdir()

    def start(*files: Path, **changes: Path) -> subprocess.CompletedProcess[str]:
        options = {"runtime": library, "model": model, **changes}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return subprocess.run(
            [program, *words, *files],
            env={"HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return start


def lines(done: "subprocess.CompletedProcess[str]") -> list[dict[str, Any]]:
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def drawn(size: int = 128) -> Image.Image:
    return Image.fromarray(phantom("glioma", np.random.default_rng(1), size))


def coloured(size: tuple[int, int] = (131, 97)) -> Image.Image:
    tinted = np.asarray(drawn().resize(size))[:, :, None] * np.array([1, 0.8, 0.6])
    return Image.fromarray(tinted.astype(np.uint8))


def test_it_answers_as_python_does_on_the_four_examples(run: Run, shipped: Bundle) -> None:
    done = run(*EXAMPLES)
    assert done.returncode == 0
    classifier = Classifier(shipped, num_threads=1)
    for file, line in zip(EXAMPLES, lines(done), strict=True):
        expected = classifier.predict(file)
        assert (line["file"], line["label"]) == (str(file), expected.label)
        assert line["probabilities"] == pytest.approx(dict(expected.probabilities), abs=ATOL)
        assert line["research_use_only"] == RESEARCH_USE_ONLY


def test_every_kind_of_file_gives_python_s_answer(
    run: Run, shipped: Bundle, tmp_path: Path
) -> None:
    files = {}
    for number, (subsampling, progressive) in enumerate([(0, False), (1, True), (2, False)]):
        options = {"subsampling": subsampling, "progressive": progressive, "quality": 80}
        files[f"{number}.jpg"] = encoded(coloured(), "JPEG", **options)
    files["grey.jpg"] = encoded(drawn(), "JPEG")
    files["grey.png"], files["rgb.png"] = encoded(drawn(), "PNG"), encoded(coloured(), "PNG")
    files["palette.png"] = encoded(drawn().quantize(16), "PNG", bits=4)
    files["two.png"] = encoded(drawn().convert("1"), "PNG")
    files["opaque.png"] = encoded(coloured().convert("RGBA"), "PNG")
    files["grey.pgm"], files["rgb.ppm"] = encoded(drawn(), "PPM"), encoded(coloured(), "PPM")
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    answers = lines(run(*(tmp_path / name for name in files)))
    classifier = Classifier(shipped, num_threads=1)
    for name, answer in zip(files, answers, strict=True):
        with Image.open(tmp_path / name) as image:  # brain-infer itself reads no PPM
            expected = classifier.predict(image)
        assert "error" not in answer, name
        assert answer["probabilities"] == pytest.approx(dict(expected.probabilities), abs=ATOL)


def refused_files() -> Iterator[tuple[str, bytes, str]]:
    """Name, content and code; the codes are those of brain-infer."""
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = coloured().convert("RGBA")
    clear.putpixel((3, 3), (0, 0, 0, 10))
    scan = drawn()
    deep = Image.fromarray(np.asarray(scan).astype(np.uint16) * 16)
    yield "turned.jpg", encoded(scan, "JPEG", exif=turned), "unsupported"
    yield "turned.png", encoded(scan, "PNG", exif=turned), "unsupported"
    yield "clear.png", encoded(clear, "PNG"), "unsupported"
    yield "deep.png", encoded(deep, "PNG"), "unsupported"
    yield (
        "frames.png",
        encoded(scan, "PNG", save_all=True, append_images=[scan.rotate(9)]),
        "unsupported",
    )
    yield "cmyk.jpg", encoded(coloured().convert("CMYK"), "JPEG"), "unsupported"
    yield "blank.png", encoded(Image.new("L", (64, 64), 9), "PNG"), "unsupported"
    yield "tiny.png", encoded(scan.resize((15, 64)), "PNG"), "unsupported"
    yield "wide.png", encoded(Image.new("L", (8193, 16)), "PNG"), "over_limit"
    yield "large.pgm", b"P5 8000 8000 255\n", "over_limit"
    yield "deep.pgm", b"P5 64 64 4095\n" + bytes(8192), "unsupported"
    yield "cut.png", encoded(scan, "PNG")[:900], "corrupt"
    yield "cut.jpg", encoded(scan, "JPEG")[:-60], "corrupt"
    yield "cut.pgm", encoded(scan, "PPM")[:-1], "corrupt"
    yield "two.pgm", encoded(scan, "PPM") * 2, "corrupt"
    yield "number.pgm", b"P5 99999999999999999999 16 255\n", "corrupt"
    yield "text.png", b"not an image", "corrupt"
    yield "empty.png", b"", "corrupt"


def test_what_it_would_read_wrongly_gets_no_label(run: Run, tmp_path: Path) -> None:
    cases = list(refused_files())
    for name, content, _ in cases:
        (tmp_path / name).write_bytes(content)
    done = run(*(tmp_path / name for name, _, _ in cases), tmp_path / "absent.png", tmp_path)
    assert done.returncode == 100
    answers = lines(done)
    codes = {Path(answer["file"]).name: answer["code"] for answer in answers}
    assert codes == {
        **{name: code for name, _, code in cases},
        "absent.png": "unreadable",
        tmp_path.name: "unreadable",
    }
    assert all("label" not in answer and answer["research_use_only"] for answer in answers)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "PPM"])
def test_a_file_cut_anywhere_gets_no_label(run: Run, tmp_path: Path, kind: str) -> None:
    whole = encoded(drawn(64), kind)
    # The last bytes may be missing where they hold no pixels: JPEG's end mark.
    cuts = [whole[:end] for end in range(3, len(whole) - 2, max(1, len(whole) // 60))]
    files = [tmp_path / f"{number}" for number in range(len(cuts))]
    for file, cut in zip(files, cuts, strict=True):
        file.write_bytes(cut)
    assert [line["file"] for line in lines(run(*files)) if "label" in line] == []


def test_damaged_files_answered_by_it_hold_python_s_pixels(
    run: Run, shipped: Bundle, tmp_path: Path
) -> None:
    """A byte changed anywhere; what libjpeg-turbo decodes without a warning, Python may still refuse."""
    generator = np.random.default_rng(5)
    files = []
    for number in range(150):
        content = bytearray(encoded(drawn(64), ("JPEG", "PNG")[number % 2]))
        content[generator.integers(len(content))] ^= 1 << generator.integers(8)
        files.append(tmp_path / f"{number}")
        files[-1].write_bytes(content)
    answered, classifier = 0, Classifier(shipped, num_threads=1)
    for file, line in zip(files, lines(run(*files)), strict=True):
        try:
            expected = classifier.predict(file)
        except BrainError:
            assert "label" not in line or file.read_bytes()[:2] == b"\xff\xd8"
            continue
        if "label" in line:
            answered += 1
            assert line["probabilities"] == pytest.approx(dict(expected.probabilities), abs=ATOL)
    assert answered > 5


def test_labels_are_those_of_the_file(run: Run, shipped: Bundle, tmp_path: Path) -> None:
    labels = ("cyst", "größe", "脑", 'a "quoted" name')
    write_one_file(tmp_path / "own.onnx", shipped, labels)
    (line,) = lines(run(EXAMPLES[0], model=tmp_path / "own.onnx"))
    assert tuple(line["probabilities"]) == labels
    assert line["label"] == "cyst"


def test_a_name_that_looks_like_an_option_follows_two_hyphens(
    program: Path, library: Path, model: Path, tmp_path: Path
) -> None:
    for name in ("--x", "--"):
        (tmp_path / name).write_bytes(EXAMPLES[0].read_bytes())
    words = [program, "--runtime", library, "--model", model, "--", "--x", "--"]
    done = subprocess.run(
        words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert [(line["file"], line["label"]) for line in lines(done)] == [
        ("--x", "glioma"),
        ("--", "glioma"),
    ]


def test_a_name_that_is_no_text_is_no_trouble(run: Run, tmp_path: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b'/\xff"\n.jpg'))
    odd.write_bytes(EXAMPLES[0].read_bytes())
    (line,) = lines(run(odd))
    assert line["label"] == "glioma"


def test_a_model_that_is_none_is_an_error_of_the_whole(
    run: Run, model: Path, shipped: Bundle, tmp_path: Path
) -> None:
    graph = onnx.load(model)
    contract = next(entry for entry in graph.metadata_props if entry.key == METADATA_KEY)
    other = json.loads(contract.value)
    contract.value = json.dumps({**other, "labels": other["labels"][:3]})
    onnx.save(graph, tmp_path / "three.onnx")
    contract.value = "["
    onnx.save(graph, tmp_path / "broken.onnx")
    contract.value = "{}"
    onnx.save(graph, tmp_path / "empty.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    (tmp_path / "folder.onnx").mkdir()
    for name, status, message in (
        ("three.onnx", 32, "3 labels"),
        ("broken.onnx", 32, "cannot be read"),
        ("text.onnx", 32, "onnxruntime cannot open it"),
        ("absent.onnx", 20, "no such file"),
        ("folder.onnx", 20, "is a folder"),
        ("empty.onnx", 32, "cannot be read; expected a file that brain-export --end-to-end wrote"),
    ):
        done = run(EXAMPLES[0], model=tmp_path / name)
        assert (done.returncode, done.stdout) == (status, ""), name
        assert message in done.stderr
    done = run(EXAMPLES[0], model=shipped.path / "model.onnx")  # takes pixel_values, not an image
    assert (done.returncode, done.stdout) == (32, "")


def test_a_library_that_is_none_or_too_old_is_an_error_of_the_whole(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "old.c").write_text(TOO_OLD)
    (tmp_path / "other.c").write_text("int nothing;")
    for name in ("old", "other"):
        command = ["gcc", "-shared", "-fPIC", tmp_path / f"{name}.c", "-o", tmp_path / f"{name}.so"]
        subprocess.run(command, check=True)
    for name, message in (
        ("old.so", "onnxruntime is 1.17.3, expected 1.21 or newer"),
        ("other.so", "lacks OrtGetApiBase"),
        ("absent.so", "cannot load"),
    ):
        done = run(EXAMPLES[0], runtime=tmp_path / name)
        assert (done.returncode, done.stdout) == (87, "")
        assert message in done.stderr


def test_a_wrong_command_is_a_usage_error(program: Path) -> None:
    for words in (
        [],
        ["scan.png"],
        ["--runtime"],
        ["--runtime", "a", "--model", "b"],
        ["--other", "c"],
    ):
        done = subprocess.run([program, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert "usage" in done.stderr
        assert RESEARCH_USE_ONLY in done.stderr


def test_it_writes_nothing_to_the_home_folder(run: Run, tmp_path: Path) -> None:
    assert run(EXAMPLES[0]).returncode == 0
    assert list((tmp_path / "home").iterdir()) == []


def test_the_library_alone_writes_to_the_home_folder(
    headers: Path, library: Path, tmp_path: Path
) -> None:
    """Why the program switches telemetry off; shows that the empty home above is no accident."""
    (tmp_path / "control.c").write_text(CONTROL)
    control = ["gcc", "-I", headers, tmp_path / "control.c", "-o", tmp_path / "control", "-ldl"]
    subprocess.run(control, check=True)
    alone = ["unshare", "--user", "--map-root-user", "--net"]  # it may try to report
    if subprocess.run([*alone, "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("network namespaces are not allowed here")
    homes = tmp_path / "told", tmp_path / "untold"
    for home, switch in zip(homes, ({"ORT_DISABLE_TELEMETRY": "1"}, {}), strict=True):
        home.mkdir()
        environment = {"HOME": str(home), "PATH": os.environ["PATH"], **switch}
        subprocess.run([*alone, tmp_path / "control", library], check=True, env=environment)
    assert list(homes[0].iterdir()) == []
    if not list(homes[1].iterdir()):
        pytest.skip("this build of onnxruntime has no telemetry")


def test_8_bit_products_are_right_on_an_older_processor(
    program: Path, library: Path, model: Path, shipped: Bundle
) -> None:
    """Without the guard, the pituitary example is off by 0.015 there."""
    words = [program, "--runtime", library, "--model", model, *EXAMPLES]
    done = subprocess.run(
        [sys.executable, PROCESSORS, "x64-avx2", "--", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if "Unavailable" in done.stderr:
        pytest.skip("this machine cannot hide its newer instructions")
    classifier = Classifier(shipped, num_threads=1)
    for file, line in zip(EXAMPLES, lines(done), strict=True):
        expected = classifier.predict(file).probabilities
        assert line["probabilities"] == pytest.approx(dict(expected), abs=2e-3)


def test_it_asks_the_product_the_runtime_asks() -> None:
    text = (EXAMPLE / "saturation.cpp").read_text()
    assert bytes.fromhex("".join(re.findall(r"\b0x([0-9a-f]{2})\b", text))) == _PROBE
