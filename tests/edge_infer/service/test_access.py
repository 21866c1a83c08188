"""Who may connect, and who may ask."""

import socket
import ssl
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from service_contents import png
from service_runs import Service

from edge_infer.errors import CannotWrite, OutputLocked, UnreadableInput
from edge_infer.serve_cli import main
from edge_infer.service.access import Access
from edge_infer.service.listening import Address, listening
from edge_infer.service.private_files import read_token, tls_context
from edge_infer.service.refusal import Refused

Start = Callable[..., Service]
EVERYWHERE = "0.0.0.0"  # noqa: S104 -- of this test
TOKEN = "correct-horse-battery-staple"  # noqa: S105 -- of this test


def test_it_listens_on_loopback_only(service: Service) -> None:
    listening_at = Path("/proc/net/tcp").read_text().splitlines()
    own = [
        line.split()[1] for line in listening_at if line.split()[1].endswith(f":{service.port:04X}")
    ]
    assert {place.partition(":")[0] for place in own} == {"0100007F"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("localhost", 403),
        ("localhost:80", 403),
        ("127.0.0.2:{port}", 403),
        ("evil.example:{port}", 403),
        ("localhost.evil.example:{port}", 403),
        ("", 400),
    ],
)
def test_only_the_host_that_is_meant_is_answered(service: Service, host: str, status: int) -> None:
    """A name that somebody else controls may lead to this machine (DNS rebinding)."""
    for path in ("/livez", "/v1/model", "/"):
        response = service.ask("GET", path, host=host.format(port=service.port))
        assert response.status == status, path


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"sec_fetch_site": "same-origin", "x_brain_edge": "1"}, 200),
        ({"sec_fetch_site": "same-origin", "origin": "http://{host}", "x_brain_edge": "1"}, 200),
        ({"sec_fetch_site": "none", "x_brain_edge": "1"}, 200),
        ({"sec_fetch_site": "same-origin"}, 403),
        ({"origin": "http://{host}"}, 403),
        ({"sec_fetch_site": "same-site", "x_brain_edge": "1"}, 403),
        ({"sec_fetch_site": "cross-site", "x_brain_edge": "1"}, 403),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "x_brain_edge": "1"}, 403),
        ({"origin": "http://localhost:1", "x_brain_edge": "1"}, 403),
        ({"origin": "null", "x_brain_edge": "1"}, 403),
        ({"origin": "http://[", "x_brain_edge": "1"}, 403),
        ({"origin": "http://[::1", "x_brain_edge": "1"}, 403),
        ({"origin": "http://]", "x_brain_edge": "1"}, 403),
        ({"host": "[", "origin": "http://[", "x_brain_edge": "1"}, 403),
        ({"origin": "http://{host}@evil.example", "x_brain_edge": "1"}, 403),
    ],
)
def test_pages_of_elsewhere_get_no_answers(
    service: Service, headers: dict[str, str], status: int
) -> None:
    named = {name: value.format(host=service.host) for name, value in headers.items()}
    response = service.classify(png(), **named)
    assert response.status == status
    assert not any(name.startswith("access-control") for name in response.headers)


def test_a_link_of_elsewhere_leads_to_the_page_and_to_nothing_else(service: Service) -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert service.ask("GET", "/", **followed).status == 200
    assert service.ask("GET", "/v1/model", **followed).status == 403
    assert service.ask("GET", "/main.js", sec_fetch_site="cross-site").status == 403


def test_a_preflight_is_refused(service: Service) -> None:
    asked = {"origin": "http://evil.example", "access_control_request_headers": "x-brain-edge"}
    assert service.ask("OPTIONS", "/v1/classify", **asked).status == 403


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    path.chmod(0o600)
    return path


def test_a_token_is_asked_for_by_all_but_the_probes_and_the_page(
    start: Start, token_file: Path
) -> None:
    service = start("--token-file", token_file)
    right = {"authorization": f"Bearer {TOKEN}"}
    for wrong in ("", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer " + "é" * 20):
        response = service.classify(png(), authorization=wrong)
        assert (response.status, response.headers["www-authenticate"]) == (401, "Bearer"), wrong
    assert service.classify(png(), **right).status == 200
    for path in ("/v1/model", "/metrics", "/openapi.json"):
        assert service.ask("GET", path).status == 401
        assert service.ask("GET", path, **right).status == 200
    for path in ("/livez", "/readyz", "/"):
        assert service.ask("GET", path).status == 200
    assert TOKEN not in service.log.read_text()


def test_a_token_that_others_may_read_or_guess_is_refused(token_file: Path) -> None:
    assert read_token(token_file) == TOKEN
    token_file.chmod(0o640)
    with pytest.raises(UnreadableInput, match="others may read it"):
        read_token(token_file)
    token_file.chmod(0o600)
    for text in ("", "short", "two words that are long", "ünterschied-in-der-länge"):
        token_file.write_text(text)
        with pytest.raises(UnreadableInput, match="is no token"):
            read_token(token_file)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--host", EVERYWHERE], "give --token-file"),
        (["--host", "::"], "give --token-file"),
        (["--host", "10.0.0.1", "--token-file", "t"], "give --tls-cert and --tls-key"),
        (["--host", "example.org"], "expected an address in numbers"),
        (["--tls-cert", "c"], "need each other"),
        (["--group-may-connect"], "is for --unix-socket"),
        (["--unix-socket", "s", "--port", "8765"], "in place of --port"),
        (["--unix-socket", "s", "--host", "127.0.0.1"], "in place of --host"),
        (["--timeout", "nan"], "not a finite number"),
    ],
)
def test_what_would_be_open_to_others_is_wrong_usage(words: list[str], message: str) -> None:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", *curve, *files, *subject]
    subprocess.run(command, check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


def test_tls_beyond_loopback(
    start: Start, certificate: tuple[Path, Path], token_file: Path
) -> None:
    cert, key = certificate
    service = start(
        *("--host", EVERYWHERE, "--token-file", token_file),
        *("--tls-cert", cert, "--tls-key", key, "--allow-host", "scans.example"),
    )
    assert service.ready["url"] == f"https://0.0.0.0:{service.port}"
    client = ssl.create_default_context(cafile=str(cert))
    right = {"authorization": f"Bearer {TOKEN}"}
    content = png()
    response = service.ask("POST", "/v1/classify", content, tls=client, **right)
    assert response.status == 200
    for host, status in (("scans.example", 200), ("10.1.2.3:8765", 200), ("evil.example", 403)):
        assert service.ask("GET", "/livez", tls=client, host=host).status == status
    assert service.ask("POST", "/v1/classify", content, tls=client).status == 401
    with pytest.raises(ConnectionError):
        service.ask("GET", "/livez")  # without TLS
    assert service.ask("GET", "/livez", tls=client).status == 200
    assert service.stop() == 0


def test_without_tls_is_said_loudly(start: Start, token_file: Path) -> None:
    service = start("--host", EVERYWHERE, "--token-file", token_file, "--without-tls")
    assert "WITHOUT TLS AT 0.0.0.0" in service.log.read_text()


def test_files_of_tls_that_do_not_fit_are_named(
    certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    cert, key = certificate
    with pytest.raises(UnreadableInput, match=r"cert\.pem and .*absent"):
        tls_context(cert, tmp_path / "absent")
    (tmp_path / "words").write_text("words")
    with pytest.raises(UnreadableInput, match="cannot be used for TLS"):
        tls_context(tmp_path / "words", key)
    key.chmod(0o644)
    try:
        with pytest.raises(UnreadableInput, match="others may read it"):
            tls_context(cert, key)
    finally:
        key.chmod(0o600)


def test_a_unix_socket_is_for_its_user_and_goes_with_the_service(
    start: Start, tmp_path: Path
) -> None:
    path = tmp_path / "socket"
    service = start(unix_socket=path)
    lock = path.with_name(".socket.lock")
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, lock)] == [0o600, 0o600]
    assert service.classify(png()).status == 200
    in_use = "socket: another program listens there"
    with pytest.raises(OutputLocked, match=in_use), listening(Address(unix_socket=path)):
        pass
    assert service.stop() == 0
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["log-0.jsonl"]


def test_a_socket_that_a_killed_service_left_is_taken_over(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    start(unix_socket=path).end()
    assert path.is_socket()
    service = start("--group-may-connect", unix_socket=path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert service.ask("GET", "/readyz").status == 200


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(CannotWrite, match="no socket"), listening(Address(unix_socket=path)):
        pass
    assert path.read_text() == "precious"


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--port", "0", "--bundle", "absent"], 30, "absent"),
        (["--port", "0", "--token-file", "absent", "--bundle", "{bundle}"], 20, "absent"),
        (["--port", "{taken}", "--bundle", "{bundle}"], 41, "another program listens there"),
        (["--unix-socket", "no/folder/socket", "--bundle", "{bundle}"], 40, "name a path of at"),
        (["--unix-socket", "x" * 120, "--bundle", "{bundle}"], 40, "name a path of at"),
        (["--unix-socket", "/", "--bundle", "{bundle}"], 40, "name a path of at"),
    ],
)
def test_what_keeps_it_from_starting_is_named(
    words: list[str], status: int, message: str, bundle: Path, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        named = [word.format(bundle=bundle, taken=other.getsockname()[1]) for word in words]
        finished = subprocess.run(
            [sys.executable, "-m", "edge_infer.serve_cli", *named],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).parents[3])},
        )
    assert finished.returncode == status, finished.stderr
    assert message in finished.stderr
    assert finished.stdout == ""
    assert "Traceback" not in finished.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "starlette.py").write_text("raise ModuleNotFoundError('no', name='starlette')")
    finished = subprocess.run(
        [sys.executable, "-m", "edge_infer.serve_cli"],
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[3]}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 87
    assert "brain-edge[serve]" in finished.stderr


def test_host_rules_of_a_usual_port_and_of_names() -> None:
    access = Access(hosts={"scans.example"}, any_address=True)
    for host in ("scans.example", "10.0.0.1", "10.0.0.1:443", "[fe80::1]:8765"):
        access.check_host({"host": host})
    for host in (
        "evil.example",
        "scans.example.evil",
        "10.0.0.1.evil.example",
        "[::1",
        "a@10.0.0.1x",
    ):
        with pytest.raises(Refused):
            access.check_host({"host": host})
