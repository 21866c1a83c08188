"""The commands of ``brain-node`` around a node: check, status, and what they say when something is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from dicom_files import uid_of
from node_runs import Destination, Node, study

from edge_infer.node_cli import main

# pynetdicom leaves sockets of associations that broke to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_check_says_what_it_found_and_names_the_first_thing_that_fails(
    node: Node, pacs: Destination
) -> None:
    finished = node.command("check")
    assert finished.returncode == 40
    assert [line.split()[0] for line in finished.stdout.splitlines()] == [
        "receive",
        "spool",
        "model",
    ]
    assert f"PACS at 127.0.0.1 port {node.destination_port}: the destination" in finished.stderr
    pacs.start()
    finished = node.command("check")
    assert finished.returncode == 0
    assert "gives its known answers" in finished.stdout
    assert "answers C-ECHO" in finished.stdout
    assert "Research use only" in finished.stdout


def test_check_of_a_folder_leaves_nothing_there(tmp_path: Path) -> None:
    node = Node(tmp_path, destination={"folder": "out"})
    finished = node.command("check")
    assert finished.returncode == 0, finished.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_status_of_a_node_that_runs_and_of_one_that_does_not(node: Node, pacs: Destination) -> None:
    def asked(*words: str) -> Result:
        return CliRunner().invoke(main, ["status", "--config", str(node.config), *words])

    finished = asked()
    assert finished.exit_code == 20
    assert "no node has run here" in finished.stderr
    pacs.start()
    node.start()
    node.send(study("asked for"))
    node.wait_for_round("sent")
    finished = asked()
    assert finished.exit_code == 0
    assert "node         running, BRAIN" in finished.stdout
    assert json.loads(asked("--json").stdout)["state"] == "running"
    found = asked("--study", uid_of("asked for")).stdout
    assert found.split()[1:] == ["sent", "3", "images"]
    assert asked("--study", "1.2.3").stdout.startswith("not in the spool")
    assert node.command("run").returncode == 41  # the spool has one node
    assert node.stop() == 0
    assert asked().exit_code == 20


def test_a_port_that_is_taken_is_named(node: Node) -> None:
    taken = Destination(node.port)
    taken.start()
    try:
        finished = node.command("run")
    finally:
        taken.stop()
    assert finished.returncode == 41
    assert f"port {node.port}: another program listens there" in finished.stderr


def test_a_damaged_bundle_ends_run_with_the_code_of_the_bundle(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    node = Node(tmp_path, model={"bundle": "bundle"})
    finished = node.command("run")
    assert finished.returncode == 30
    assert "hint:" in finished.stderr


def test_help_needs_no_package_of_the_extra() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from edge_infer.node_cli import main\n"
        "assert CliRunner().invoke(main, ['run', '--help']).exit_code == 0\n"
        "print(*sys.modules)"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert set(finished.stdout.split()) & {"pydicom", "pynetdicom", "highdicom", "numpy"} == set()


def test_a_missing_package_names_its_extra(node: Node) -> None:
    program = (
        "import sys\n"
        "sys.modules['pynetdicom'] = None\n"
        "sys.argv = ['brain-node', 'run', '--config', sys.argv[1]]\n"
        "from edge_infer.node_cli import main\n"
        "main()"
    )
    finished = subprocess.run(
        [sys.executable, "-c", program, str(node.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 87
    assert "brain-edge[node]" in finished.stderr
