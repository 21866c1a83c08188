"""Answers of content in memory are those of brain-infer --json, and carry what a page draws."""

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from dicom_files import file_bytes, mr_series, write_files
from PIL import Image
from scan_slices import GLIOMA, HEALTHY, SPECK
from small_schema import faults
from tiny_bundle import GOLDEN, files_with_scope, manifest_body, tiny_series, tiny_trust

from edge_infer.answer_lines import AnswerLines, Cancelled, bundle_facts
from edge_infer.bundle import write_bundle
from edge_infer.classifier import Classifier
from edge_infer.cli import main

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = {
    kind: json.loads((DOCS / f"{kind}.schema.json").read_text()) for kind in ("result", "series")
}
AS_STORED = {"WindowCenter": "128", "WindowWidth": "256"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundles") / "ruled-fp32"
    write_bundle(path, files_with_scope(), manifest_body(trust=tiny_trust(), series=tiny_series()))
    return path


@pytest.fixture(scope="module")
def lines(bundle: Path) -> AnswerLines:
    return AnswerLines(Classifier.load(bundle, num_threads=1))


def png(pixels: np.ndarray = GOLDEN[0]) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


def slices() -> list[Any]:
    stack = np.stack([SPECK, HEALTHY, GLIOMA, GLIOMA, HEALTHY]).astype(np.uint16)
    return mr_series(stack, **AS_STORED)


def archive(members: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for name, content in members.items():
            target.writestr(name, content)
    return packed.getvalue()


def printed(bundle: Path, *inputs: Path) -> list[dict[str, Any]]:
    words = ["--json", "--threads", "1", "--bundle", str(bundle), *map(str, inputs)]
    output = CliRunner().invoke(main, words).stdout
    return [without_times(json.loads(line)) for line in output.splitlines()]


def without_times(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "timings_ms"}


def test_lines_of_an_image_a_series_and_a_damaged_file_are_those_of_the_command(
    bundle: Path, lines: AnswerLines, tmp_path: Path
) -> None:
    image, damaged, scans = tmp_path / "a.png", tmp_path / "cut.png", tmp_path / "scans"
    image.write_bytes(png())
    damaged.write_bytes(png()[:200])
    write_files(scans, slices())

    expected = printed(bundle, image, damaged, scans)

    by_content = [
        line
        for path in (image, damaged)
        for line in lines.of_content(path.read_bytes(), name=str(path))
    ]
    by_path = lines.of_paths([image, damaged, scans])
    assert [without_times(line) for line in by_path] == expected
    assert [without_times(line) for line in by_content] == expected[:2]
    assert [line.get("kind") for line in expected] == [None] * 7 + ["series"]


def test_an_archive_in_memory_gives_the_answers_of_its_folder_and_of_its_images(
    bundle: Path, lines: AnswerLines, tmp_path: Path
) -> None:
    write_files(tmp_path / "scans", slices())
    expected = printed(bundle, tmp_path / "scans")
    members = {path.name: path.read_bytes() for path in (tmp_path / "scans").iterdir()}
    content = archive({**members, "b.png": png(), "notes.txt": b"words"})

    found = list(lines.of_content(content, name="study.zip"))

    assert found[0]["source"] == "study.zip!b.png"
    assert found[0]["status"] == "ok"
    assert found[-1]["error"]["code"] == "unsupported"
    assert "notes.txt" in found[-1]["error"]["message"]
    named = [{**without_times(line), "source": ""} for line in found[1:-1]]
    assert named == [{**line, "source": ""} for line in expected]


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "corrupt"),
        (b"words", "corrupt"),
        (archive({}), "no_inputs"),
        (archive({"a.txt": b"words"}), "no_inputs"),
        (b"PK\x03\x04 and no more", "corrupt"),
        (file_bytes(slices()[0])[:300], "corrupt"),
        (b"GIF89a", "unsupported"),
    ],
)
def test_content_without_an_answer_is_one_line_with_a_code(
    lines: AnswerLines, content: bytes, code: str
) -> None:
    (line,) = lines.of_content(content)

    assert line["error"]["code"] == code
    assert not faults(line, SCHEMAS["result"], SCHEMAS["result"])


def test_a_view_holds_the_image_and_the_evidence_of_each_place(lines: AnswerLines) -> None:
    (line,) = lines.of_content(png(), view=True)

    view = line.pop("view")
    seen = Image.open(io.BytesIO(base64.b64decode(view["image"])))
    evidence = np.frombuffer(base64.b64decode(view["evidence"]["data"]), "<f4")
    evidence = evidence.reshape(view["evidence"]["shape"])
    assert np.array_equal(np.asarray(seen), GOLDEN[0])
    assert np.allclose(evidence.mean(axis=(1, 2)), list(line["logits"].values()), atol=1e-5)
    assert not faults(line, SCHEMAS["result"], SCHEMAS["result"])


def test_a_large_image_is_shown_smaller(lines: AnswerLines) -> None:
    wide = np.asarray(Image.fromarray(GOLDEN[0]).resize((2000, 500)))

    (line,) = lines.of_content(png(wide), view=True)

    assert (line["view"]["width"], line["view"]["height"]) == (512, 128)


def test_slices_of_a_series_have_views_and_those_not_asked_no_evidence(lines: AnswerLines) -> None:
    members = {f"{number}.dcm": file_bytes(one) for number, one in enumerate(slices())}

    *answers, series = lines.of_content(archive(members), view=True)

    assert "view" not in series
    assert [line["view"]["evidence"] is None for line in answers] == [
        line["status"] == "skipped" for line in answers
    ]
    assert {line["status"] for line in answers} == {"ok", "skipped"}


def test_work_ends_between_slices_when_nobody_waits_for_it(lines: AnswerLines) -> None:
    members = {f"{number}.dcm": file_bytes(one) for number, one in enumerate(slices())}
    steps: list[int] = []

    with pytest.raises(Cancelled):
        list(
            lines.of_content(
                archive(members),
                progress=lambda done, _: steps.append(done),
                is_cancelled=lambda: len(steps) >= 3,
            )
        )
    assert steps == [1, 2, 3]


def test_facts_name_the_classes_and_the_model(lines: AnswerLines, bundle: Path) -> None:
    facts = bundle_facts(Classifier.load(bundle))

    assert facts["negative"] in facts["labels"]
    (line,) = lines.of_content(png())
    assert facts["model"] == line["model"]
    assert list(line["probabilities"]) == facts["labels"]
    assert json.loads(json.dumps(facts)) == facts
