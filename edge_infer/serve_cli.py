"""``brain-serve``: answers over HTTP, with a page."""

import io
import ipaddress
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

from edge_infer.console import Command, FiniteRange, NamedPath, say
from edge_infer.contract import RESEARCH_USE_ONLY
from edge_infer.devices.option_cli import device_option
from edge_infer.options_cli import (
    audit_option,
    bundle_option,
    despite_option,
    scope_option,
    trust_option,
)

if TYPE_CHECKING:
    from edge_infer.classifier import Classifier
    from edge_infer.service.serving import Settings

__all__ = ["main"]

_HELP = f"""Answer images and studies over HTTP on this machine, with a page for people.

POST /v1/classify takes the bytes of one image, DICOM or NIfTI file, or ZIP archive, and answers with
the lines of brain-infer --json. Whatever listens is told on stdout in one line of JSON as soon as
requests are taken; the log goes to stderr. SIGTERM and Ctrl-C end it after what was accepted is
answered.

Only this machine can connect, unless --host names another address, which needs --token-file and
TLS. docs/service.md tells the rest.

{RESEARCH_USE_ONLY}

\b
Example:
  brain-serve
  brain-serve --unix-socket /run/brain-serve/socket
  brain-serve --host 10.1.2.3 --token-file token --tls-cert cert.pem --tls-key key.pem
  curl --data-binary @scan.jpg http://127.0.0.1:8765/v1/classify
"""

_SECONDS = FiniteRange(0, 86_400, min_open=True)
_BYTES = click.IntRange(1024, 2**36)


@click.command("brain-serve", cls=Command, help=_HELP)
@bundle_option
@trust_option
@device_option
@click.option(
    "--host",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at, in numbers; any but loopback needs --token-file and TLS.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8765,
    show_default=True,
    help="Port to listen at; 0 takes a free one, which stdout names.",
)
@click.option(
    "--unix-socket",
    metavar="PATH",
    type=NamedPath(path_type=Path, readable=False),
    help="Listen at a unix socket instead, which only its own user can open.",
)
@click.option(
    "--group-may-connect",
    is_flag=True,
    help="Let the group of the unix socket connect, too, such as that of a proxy.",
)
@click.option(
    "--token-file",
    metavar="FILE",
    type=NamedPath(path_type=Path, readable=False),
    help="File of mode 0600 with the token that requests have to send as bearer.",
)
@click.option(
    "--tls-cert",
    metavar="FILE",
    type=NamedPath(path_type=Path, readable=False),
    help="Certificate chain for TLS as a PEM file; needs --tls-key.",
)
@click.option(
    "--tls-key",
    metavar="FILE",
    type=NamedPath(path_type=Path, readable=False),
    help="Key of the certificate as a PEM file of mode 0600.",
)
@click.option(
    "--without-tls",
    is_flag=True,
    help="Listen beyond loopback without TLS: whoever sees the network reads token and images.",
)
@click.option(
    "--allow-host",
    "hosts",
    metavar="NAME[:PORT]",
    multiple=True,
    help="Name by which clients or a proxy call the service. May be repeated.",
)
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(1, 256),
    help="Number of images classified at once; default: the number of usable cores.",
)
@click.option(
    "--threads",
    metavar="N",
    type=click.IntRange(1, 1024),
    help="Number of threads for one image; default: the usable cores divided by --workers.",
)
@click.option(
    "--queue",
    metavar="N",
    type=click.IntRange(0, 10_000),
    default=32,
    show_default=True,
    help="Number of requests that may wait for a worker; more are answered with 503.",
)
@click.option(
    "--max-bytes",
    metavar="N",
    type=_BYTES,
    default=512 * 2**20,
    show_default=True,
    help="Bytes that one request may have; an image may have 64 MiB.",
)
@click.option(
    "--max-total-bytes",
    metavar="N",
    type=_BYTES,
    default=1024 * 2**20,
    show_default=True,
    help="Bytes of requests, unpacked files and unsent answers that may be in memory together.",
)
@click.option(
    "--max-connections",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=256,
    show_default=True,
    help="Number of connections that may be open at once.",
)
@click.option(
    "--body-timeout",
    metavar="SECONDS",
    type=_SECONDS,
    default=30,
    show_default=True,
    help="Time in which the body of a request has to arrive.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=_SECONDS,
    default=120,
    show_default=True,
    help="Time in which a request that has arrived has to be answered, waiting included.",
)
@click.option(
    "--stop-timeout",
    metavar="SECONDS",
    type=_SECONDS,
    default=30,
    show_default=True,
    help="Time after a signal in which requests that were accepted are still answered.",
)
@scope_option
@despite_option
@click.option(
    "--self-test",
    type=click.Choice(["quick", "full"]),
    default="quick",
    show_default=True,
    help="Classify golden images with known answers first: quick takes two, full all.",
)
@click.option("--no-page", is_flag=True, help="Serve no page for people at /.")
@audit_option
@click.option("--access-log", is_flag=True, help="Log each request: id, route, status, seconds.")
def main(
    bundle: Path | None,
    trust: tuple[Path, ...],
    device: str,
    tls_cert: Path | None,
    tls_key: Path | None,
    threads: int | None,
    scope: Literal["enforce", "report", "off"],
    self_test: Literal["quick", "full"],
    **options: Any,
) -> None:
    """Serve."""
    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key need each other")
    tls_files = None if tls_cert is None or tls_key is None else (tls_cert, tls_key)
    _check_address(tls_files is not None, **options)
    from edge_infer.service.serving import require_packages, serve

    require_packages()
    from edge_infer.machine import usable_cores

    cores = usable_cores()
    workers = options.pop("workers") or cores

    def load() -> "Classifier":
        from edge_infer.classifier import Classifier

        return Classifier.load(
            bundle,
            device=device,
            num_threads=threads or max(1, cores // workers),
            self_test=self_test,
            scope=scope,
            trust=trust or None,
        )

    settings = _settings(workers, tls_files, **options)
    is_done = _with_private_streams(lambda say_ready: serve(settings, load, say_ready))
    if not is_done:  # a thread works on, and Python would wait for it
        os._exit(0)


def _check_address(
    has_tls: bool,
    *,
    host: str,
    unix_socket: Path | None,
    group_may_connect: bool,
    token_file: Path | None,
    without_tls: bool,
    **_others: Any,
) -> None:
    if unix_socket is not None:
        _refuse_others_than_the_socket()
        import socket

        if not hasattr(socket, "AF_UNIX"):
            raise click.UsageError("this system has no unix sockets for Python: use --port")
        return
    if group_may_connect:
        raise click.UsageError("--group-may-connect is for --unix-socket")
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        raise click.UsageError(
            f"--host is {host!r}, expected an address in numbers, such as 127.0.0.1"
        ) from None
    if is_local:
        return
    if token_file is None:
        raise click.UsageError(f"--host {host} lets others connect: give --token-file, too")
    if not has_tls and not without_tls:
        raise click.UsageError(
            f"--host {host} lets others listen in: give --tls-cert and --tls-key, "
            "or --without-tls if the network is trusted"
        )
    if not has_tls:
        say(f"WITHOUT TLS AT {host}: whoever sees the network reads the token and all images")


def _refuse_others_than_the_socket() -> None:
    context = click.get_current_context()
    given = [
        f"--{name}"
        for name in ("host", "port")
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(f"--unix-socket listens in place of {' and '.join(given)}: give one")


def _settings(workers: int, tls_files: tuple[Path, Path] | None, **options: Any) -> "Settings":
    from edge_infer.service.limits import Limits
    from edge_infer.service.listening import Address
    from edge_infer.service.serving import Settings

    return Settings(
        address=Address(
            host=options["host"],
            port=options["port"],
            unix_socket=options["unix_socket"],
            for_group=options["group_may_connect"],
        ),
        limits=Limits(
            workers=workers,
            queue=options["queue"],
            body_bytes=options["max_bytes"],
            total_bytes=max(options["max_total_bytes"], options["max_bytes"]),
            connections=options["max_connections"],
            body_s=options["body_timeout"],
            answer_s=options["timeout"],
            stop_s=options["stop_timeout"],
        ),
        token_file=options["token_file"],
        tls_files=tls_files,
        hosts=options["hosts"],
        despite=options["despite"],
        with_page=not options["no_page"],
        logs_requests=options["access_log"],
        audit=options["audit"],
    )


def _with_private_streams(run: Any) -> bool:
    """Run with a log and one line of results, while nothing else reaches standard output or error.

    Decoders in native code print values of headers there, which may be patient data.
    """
    from edge_infer.errors import CannotWrite
    from edge_infer.private_streams import private_streams
    from edge_infer.service.log import log_to

    with (
        # Without a buffer, in which lines that cannot be written would stay.
        io.TextIOWrapper(
            io.FileIO(os.dup(sys.stderr.fileno()), "w"), encoding="utf-8", write_through=True
        ) as log,
        private_streams() as (_, results),
    ):
        log_lines = log_to(log)

        def say_ready(facts: dict[str, Any]) -> None:
            line = (json.dumps(facts) + "\n").encode("ascii")
            try:
                os.write(results, line)
            except OSError as error:
                raise CannotWrite(
                    f"standard output: cannot be written ({error.strerror})",
                    hint="let it lead to something that takes lines, such as /dev/null",
                ) from None
            log_lines.is_starting = False

        return bool(run(say_ready))


if __name__ == "__main__":
    main()
