"""What is answered is what brain-infer --json prints, bit for bit, with a status that fits."""

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scan_slices import GLIOMA, HEALTHY
from service_contents import STUDY, archive, png, slices
from service_runs import Service, request_bytes
from tiny_bundle import GOLDEN

from edge_infer.cli import main

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.jpg"))


def volume(folder: Path) -> bytes:
    stack = np.stack([HEALTHY, GLIOMA, GLIOMA, HEALTHY]).transpose(2, 1, 0).astype(np.uint8)
    nib.save(nib.Nifti1Image(stack, np.diag([-1.0, -1.0, 4.0, 1.0])), folder / "v.nii")
    return (folder / "v.nii").read_bytes()


def compared(line: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name not in ("timings_ms", "source")}


def printed(path: Path, *words: object) -> list[dict[str, Any]]:
    """What the command prints; the service knows no name."""
    arguments = ["--json", "--threads", 1, *words, path]
    output = CliRunner().invoke(main, list(map(str, arguments))).stdout
    return [json.loads(line.replace(str(path), "<bytes>")) for line in output.splitlines()]


def contents(folder: Path) -> dict[str, bytes]:
    image = EXAMPLES[0].read_bytes()
    return {
        "golden.png": png(),
        "cut.png": png()[:200],
        "cut.jpg": image[: len(image) // 2],
        "noise.bin": b"\x93words\0" * 50,
        "empty.jpg": b"",
        "one.gif": b"GIF89a",
        "slice.dcm": slices()[2],
        "cut.dcm": slices()[2][:300],
        "study.zip": STUDY,
        "cut.zip": STUDY[:-40],
        "none.zip": archive({"a.txt": b"words"}),
        "volume.nii": volume(folder),
    }


def test_answers_are_those_of_the_command(service: Service, bundle: Path, tmp_path: Path) -> None:
    for name, content in contents(tmp_path).items():
        path = tmp_path / name
        path.write_bytes(content)
        expected = printed(path, "--bundle", bundle)
        response = service.classify(content)
        if not expected:  # the command ends with what is wrong, where there is no image to name
            assert response.status == 422, name
            continue
        texts = [json.dumps(compared(line)) for line in response.lines]
        assert texts == [json.dumps(compared(line)) for line in expected], name


def test_the_four_examples_get_the_shipped_models_answers_bit_for_bit(tmp_path: Path) -> None:
    with Service("--workers", 1, "--threads", 1, log=tmp_path / "log") as shipped:
        for path in EXAMPLES:
            response = shipped.classify(path.read_bytes())
            assert response.status == 200
            assert compared(response.json) == compared(printed(path)[0])
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize(
    ("content", "status", "media_type", "code"),
    [
        (png(), 200, "application/json", None),
        (png()[:200], 422, "application/json", "corrupt"),
        (b"GIF89a", 422, "application/json", "unsupported"),
        (b"", 422, "application/json", "corrupt"),
        (png(np.zeros((2, 9000), np.uint8)), 413, "application/json", "over_limit"),
        (slices()[0][:300], 422, "application/jsonl", "corrupt"),
        (archive({"a.txt": b"words"}), 422, "application/jsonl", "no_inputs"),
        (STUDY, 200, "application/jsonl", None),
    ],
)
def test_the_status_tells_what_a_single_line_says(
    service: Service, content: bytes, status: int, media_type: str, code: str | None
) -> None:
    response = service.classify(content)
    assert (response.status, response.headers["content-type"]) == (status, media_type)
    assert response.lines[0].get("error", {}).get("code") == code
    assert response.is_whole


def test_a_study_with_a_damaged_file_is_answered_with_all_its_lines(service: Service) -> None:
    files = {f"{number}.dcm": one for number, one in enumerate(slices())}
    response = service.classify(archive({**files, "9.dcm": slices()[0][:300]}))
    assert response.status == 200
    assert response.lines[0]["error"]["code"] == "corrupt"
    assert response.lines[-1]["kind"] == "series"


def test_progress_is_told_before_the_lines_only_if_it_is_wanted(service: Service) -> None:
    lines = service.classify(STUDY, query="?progress=1").lines
    told = [line for line in lines if line.get("kind") == "progress"]
    assert [line["done"] for line in told] == list(range(1, 11))
    assert {line["total"] for line in told} == {10}
    assert lines[: len(told)] == told
    assert list(map(compared, lines[len(told) :])) == list(
        map(compared, service.classify(STUDY).lines)
    )


def test_a_view_is_added_if_it_is_wanted(service: Service) -> None:
    line = service.classify(png(), query="?view=1").json
    with Image.open(io.BytesIO(base64.b64decode(line.pop("view")["image"]))) as seen:
        assert np.array_equal(np.asarray(seen), GOLDEN[0])
    assert compared(line) == compared(service.classify(png(), query="?view=0").json)


def test_lines_arrive_while_the_work_goes_on(start: Callable[..., Service]) -> None:
    slow = start(slow=True)
    body = json.dumps({"lines": 4, "seconds": 0.3}).encode()
    with slow.connect() as connection:
        connection.send(request_bytes("POST", "/v1/classify", body, host=slow.host))
        head = connection._until(b"\r\n\r\n")
        connection._rest = head.partition(b"\r\n\r\n")[2]
        seen = [(slow.metric("running"), chunk.count(b"\n")) for chunk in connection.chunks()]
    assert head.startswith(b"HTTP/1.1 200 ")
    assert seen[0] == (1, 2), "the first lines were sent before the last was ready"
    assert sum(count for _, count in seen) == 4


def test_a_body_in_chunks_and_many_requests_on_one_connection(service: Service) -> None:
    content = png()
    chunks = b"".join(
        b"%x\r\n%s\r\n" % (len(part), part) for part in (content[:100], content[100:])
    )
    with service.connect() as connection:
        for _ in range(3):
            head = request_bytes(
                "POST", "/v1/classify", host=service.host, transfer_encoding="chunked"
            )
            connection.send(head + chunks + b"0\r\n\r\n")
            assert compared(connection.receive().json) == compared(service.classify(content).json)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"query": "?vew=1"}, 400),
        ({"query": "?view=yes"}, 400),
        ({"content_type": "multipart/form-data; boundary=x"}, 415),
        ({"content_encoding": "gzip"}, 415),
        ({"content_length": str(2**40)}, 413),
        ({"content_length": "-1"}, 400),
        ({"content_length": "1e3"}, 400),
    ],
)
def test_a_request_that_is_not_understood_is_refused_before_its_body(
    service: Service, changes: dict[str, str], status: int
) -> None:
    response = service.classify(b"", **changes)
    assert response.status == status
    assert set(response.json) == {"error", "request_id", "research_use_only"}
    assert set(response.json["error"]) == {"code", "exit_code", "message", "hint"}


def test_a_post_without_a_length_is_refused(service: Service) -> None:
    response = service.ask("POST", "/v1/classify")
    assert response.status == 411


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/classify", 405),
        ("PUT", "/livez", 405),
        ("OPTIONS", "/v1/classify", 405),
        ("GET", "/v1/models/other", 404),
        ("GET", "/../../etc/passwd", 404),
        ("GET", "/%2e%2e/__init__.py", 404),
        ("GET", "/__init__.py", 404),
        ("POST", "/", 405),
        ("GET", "//v1/model", 404),
        ("GET", "/v1/model/", 404),
        ("HEAD", "/livez", 200),
    ],
)
def test_there_are_no_other_routes(service: Service, method: str, path: str, status: int) -> None:
    assert service.ask(method, path).status == status


def test_the_page_and_its_policy_are_served(
    service: Service, start: Callable[..., Service]
) -> None:
    response = service.ask("GET", "/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self';" in response.headers["content-security-policy"]
    assert service.ask("GET", "/engine.js").status == 200
    assert start("--no-page").ask("GET", "/").status == 404


def test_the_model_is_named_with_its_limits(service: Service) -> None:
    facts = service.ask("GET", "/v1/model").json
    assert facts["labels"] == list(service.classify(png()).json["probabilities"])
    assert facts["limits"]["body_bytes"] == 512 * 2**20
    assert "Research use only" in facts["research_use_only"]
