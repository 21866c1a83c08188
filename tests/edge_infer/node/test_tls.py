"""Mutual TLS: who shows no certificate of the hospital's authority is refused, in both directions."""

import shutil
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
from node_runs import Destination, Node, study
from pynetdicom import AE
from pynetdicom.sop_class import Verification

# pynetdicom leaves sockets of associations that broke to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl"),
]


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    """An authority, and a certificate that it has signed for ``node``."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]
    ca, node = tmp_path / "ca", tmp_path / "node"
    openssl("req", "-x509", *key, "-keyout", f"{ca}.key", "-out", f"{ca}.crt", "-subj", "/CN=ca")
    signed = ["-CA", f"{ca}.crt", "-CAkey", f"{ca}.key"]
    openssl(
        "req",
        "-x509",
        *key,
        *signed,
        "-keyout",
        f"{node}.key",
        "-out",
        f"{node}.crt",
        "-subj",
        "/CN=node",
    )
    return tmp_path


def context(certificates: Path, kind: int, *, shows: bool = True) -> ssl.SSLContext:
    made = ssl.SSLContext(kind)
    made.check_hostname = False
    made.load_verify_locations(certificates / "ca.crt")
    made.verify_mode = ssl.CERT_REQUIRED
    if shows:
        made.load_cert_chain(certificates / "node.crt", certificates / "node.key")
    return made


def echo(node: Node, tls: ssl.SSLContext | None) -> bool:
    entity: Any = AE(ae_title="MODALITY")
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = 3
    entity.add_requested_context(Verification)
    arguments = None if tls is None else (tls, "localhost")
    association = entity.associate("127.0.0.1", node.port, ae_title="BRAIN", tls_args=arguments)
    if not association.is_established:
        return False
    answered = "Status" in association.send_c_echo()
    association.release()
    return answered


def test_both_sides_show_a_certificate(certificates: Path) -> None:
    files = {"certificate": "node.crt", "key": "node.key", "ca": "ca.crt"}
    node = Node(certificates, tls=files)
    server = context(certificates, ssl.PROTOCOL_TLS_SERVER)
    pacs = Destination(node.destination_port, tls=server)
    pacs.start()
    node.start()
    try:
        client = context(certificates, ssl.PROTOCOL_TLS_CLIENT)
        assert not echo(node, None)
        assert not echo(node, context(certificates, ssl.PROTOCOL_TLS_CLIENT, shows=False))
        assert echo(node, client)
        assert node.send(study("secret"), tls=client) == [0, 0, 0]
        node.wait_for_round("sent")
        assert pacs.came.total() == 1
    finally:
        node.end()
        pacs.stop()


def test_a_key_that_cannot_be_used_is_named(certificates: Path) -> None:
    files = {"certificate": "node.crt", "key": "ca.key", "ca": "ca.crt"}
    node = Node(certificates, tls=files, destination={"folder": "out"})
    finished = node.command("run")
    assert finished.returncode == 20
    assert "certificate, key or ca cannot be used" in finished.stderr
