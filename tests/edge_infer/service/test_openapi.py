"""The document at /openapi.json says what the routes do."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from service_contents import STUDY, png
from service_runs import Response, Service
from small_schema import faults

from edge_infer.service.refusal import Refused
from edge_infer.service.routes import OPENAPI, PATHS

DOCUMENT: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
SCHEMAS = {"$defs": DOCUMENT["components"]["schemas"]}


def told_of(path: str, method: str, response: Response) -> None:
    """Check a response against the document."""
    operation = DOCUMENT["paths"][path][method.lower()]
    content = operation["responses"][str(response.status)]["content"]
    media_type = response.headers["content-type"].partition(";")[0]
    schema = content[media_type]["schema"]
    if media_type == "application/json":
        assert faults(response.json, schema, SCHEMAS) == []


def test_it_is_served_as_it_is_and_names_all_paths(service: Service) -> None:
    assert service.ask("GET", "/openapi.json").json == DOCUMENT
    assert set(DOCUMENT["paths"]) == set(PATHS)


def test_each_path_has_its_methods_and_no_other(service: Service) -> None:
    for path, operations in DOCUMENT["paths"].items():
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
            response = service.ask(method, path, b"" if method != "GET" else None)
            assert (response.status != 405) == (method.lower() in operations), (method, path)
            if response.status != 405:
                told_of(path, method, response)


@pytest.mark.parametrize(
    ("body", "changes", "status"),
    [
        (png(), {}, 200),
        (png(), {"query": "?view=1"}, 200),
        (STUDY, {}, 200),
        (png()[:99], {}, 422),
        (b"x", {"query": "?name=1"}, 400),
        (b"x", {"host": "evil.example"}, 403),
        (b"x", {"content_length": str(2**40)}, 413),
        (b"x", {"content_type": "multipart/form-data"}, 415),
        (None, {}, 411),
    ],
)
def test_what_is_answered_is_in_the_document(
    service: Service, body: bytes | None, changes: dict[str, str], status: int
) -> None:
    query = changes.pop("query", "")
    response = service.ask("POST", f"/v1/classify{query}", body, **changes)
    assert response.status == status
    told_of("/v1/classify", "POST", response)


def test_busy_and_late_answers_are_in_the_document(start: Callable[..., Service]) -> None:
    service = start("--queue", 0, "--timeout", 0.3, slow=True)
    with service.connect() as connection:
        from service_runs import request_bytes

        body = b'{"seconds": 5}'
        connection.send(request_bytes("POST", "/v1/classify", body, host=service.host))
        while service.metric("running") == 0:
            pass
        told_of("/v1/classify", "POST", service.classify(b"{}"))
        late = connection.receive()
    assert late.status == 504
    told_of("/v1/classify", "POST", late)


def test_every_code_of_a_refusal_is_in_the_document() -> None:
    """Found in the source: each is a word, or a class of ``edge_infer.errors``."""
    from pathlib import Path

    import edge_infer.service
    from edge_infer import errors

    listed = set(SCHEMAS["$defs"]["Error"]["properties"]["error"]["properties"]["code"]["enum"])
    used = set()
    for path in Path(edge_infer.service.__path__[0]).glob("*.py"):
        for code in re.findall(r"Refused\(\s*\d+,\s*([\w\"]+)", path.read_text(encoding="utf-8")):
            if code != "type":  # of an error, which is one of those of the audit log
                used.add(code.strip('"') if '"' in code else getattr(errors, code).code)
    used |= {errors.CannotWrite.code, errors.OutputLocked.code}
    assert used == listed
    assert Refused(503, "busy", "words").exit_code is None
