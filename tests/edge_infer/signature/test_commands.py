"""``--trust`` of the commands, and what is said of a signature."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from edge_infer import cli, doctor_cli, serve_cli
from edge_infer.classifier import Classifier
from edge_infer.errors import BundleUntrusted
from edge_infer.node.answering import load_classifier
from edge_infer.node.config import Model
from edge_infer.node.fields import read_table
from edge_infer.node.worker_process import WorkerProcess
from edge_infer.service import serving
from edge_infer.signature.public_key import key_id_of
from edge_infer.signature.verify import signature_path

SCHEMA = Path(__file__).parents[3] / "docs" / "result.schema.json"


def run(command: Any, *arguments: object) -> Any:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_results_say_whose_signature_was_verified(
    signed: Path, keys: Path, scan_path: Path, site_key: Any
) -> None:
    given = (scan_path, "--json", "--bundle", signed)
    line, unasked = (
        json.loads(run(cli.main, *given, *trust).stdout) for trust in (("--trust", keys), ())
    )
    assert line["model"]["signed_by"] == key_id_of(site_key.public_key())
    assert "signed_by" not in unasked["model"]
    for one in (line, unasked):
        jsonschema.validate(one, json.loads(SCHEMA.read_text()))


@pytest.mark.parametrize("command", [cli.main, doctor_cli.main])
def test_a_bundle_that_is_not_signed_ends_the_command(
    command: Any, signed: Path, keys: Path, scan_path: Path
) -> None:
    signature_path(signed).unlink()
    inputs = [scan_path] if command is cli.main else []
    ended = run(command, *inputs, "--bundle", signed, "--trust", keys)
    assert ended.exit_code == 31
    assert "bundle is not signed" in ended.stderr


def test_the_doctor_names_the_key(signed: Path, keys: Path, site_key: Any) -> None:
    identity = key_id_of(site_key.public_key())
    report = run(doctor_cli.main, "--bundle", signed, "--trust", keys, "--json")
    bundle = next(one for one in json.loads(report.stdout)["checks"] if one["name"] == "bundle")
    assert bundle["signed_by"] == identity
    assert bundle["finding"].endswith(f"signed with site.pem ({identity[:12]})")


@pytest.mark.parametrize("command", [(cli.main, "--serve-stdio"), (serve_cli.main, "--port", 0)])
def test_a_worker_and_a_service_ask_for_a_signature(
    command: tuple[Any, ...], signed: Path, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They load as brain-infer does: here it is only that the option goes through."""
    asked: dict[str, Any] = {}

    def load(_cls: object, bundle: Path | None, **options: Any) -> None:
        asked.update(options, bundle=bundle)
        raise BundleUntrusted("enough")

    monkeypatch.setattr(Classifier, "load", classmethod(load))
    monkeypatch.setattr(serve_cli, "_with_private_streams", lambda run_with: run_with(None))
    monkeypatch.setattr(serving, "serve", lambda _settings, load, _say_ready: load())
    run(*command, "--bundle", signed, "--trust", keys, "--trust", keys)
    assert (asked["bundle"], asked["trust"]) == (signed, (keys, keys))


def test_a_node_asks_as_its_configuration_says(signed: Path, keys: Path) -> None:
    table = {"bundle": str(signed), "trust": keys.name, "threads": 1}
    model = read_table(Model, table, file=keys.parent / "node.toml", name="model")
    classifier = load_classifier(model.bundle, threads=1, scope=model.scope, trust=model.trust)
    assert classifier.signed_by is not None
    signature_path(signed).unlink()
    with pytest.raises(BundleUntrusted, match="is not signed"):
        WorkerProcess(model, "edge_infer.node.answering", lambda: False)
