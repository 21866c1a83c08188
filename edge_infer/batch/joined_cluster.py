"""A Dask cluster that is there, joined by its address, with certificates on both sides unless it is on this machine."""

import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from edge_infer.batch.quiet_engine import first_line, quiet_logs
from edge_infer.errors import InferenceFailed, UnreadableInput
from edge_infer.names import shown_name

__all__ = ["ClusterAddress", "joined_cluster"]

_CONNECT_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """A cluster that is there.

    Attributes:
        address: Of its scheduler, such as ``tls://10.0.0.2:8786``.
        ca: PEM file of who signs its certificates; with it all three are given.
        certificate: PEM file of ours.
        key: Of it.
    """

    address: str
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine."""
        address = self.address if "://" in self.address else f"tcp://{self.address}"
        try:
            host = urlsplit(address).hostname
            return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
        except ValueError:
            return False


@contextmanager
def joined_cluster(cluster: ClusterAddress) -> Iterator[Any]:
    """Yield a client of a cluster that is there; it stays when the block is left.

    Raises:
        InferenceFailed: It does not answer.
        UnreadableInput: A certificate or the key cannot be used.
    """
    from distributed import Client
    from distributed.security import Security

    security = None
    if cluster.ca is not None:
        for file in (cluster.ca, cluster.certificate, cluster.key):
            if file is not None and not os.access(file, os.R_OK):
                raise UnreadableInput(
                    f"{shown_name(file)}: cannot be read", hint="check the name and the permissions"
                )
        security = Security(
            require_encryption=True,
            tls_ca_file=str(cluster.ca),
            tls_client_cert=str(cluster.certificate),
            tls_client_key=str(cluster.key),
        )
    with quiet_logs():
        try:
            client = Client(
                cluster.address, security=security, timeout=_CONNECT_S, set_as_default=False
            )
        except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as error:
            raise InferenceFailed(
                f"{shown_name(cluster.address)}: the cluster does not answer ({first_line(error)})",
                hint="check address, certificates and that a scheduler of the same Dask runs there",
            ) from error
        with client:
            yield client
