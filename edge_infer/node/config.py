"""The configuration of a node: a TOML file, every key of it checked."""

import ipaddress
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from edge_infer.errors import DataRefused, UnreadableInput
from edge_infer.image_file import read_file
from edge_infer.names import shown_name
from edge_infer.node.fields import PATH, choice, flag, number, read_table, text, texts
from edge_infer.refusals import OVERRULABLE

__all__ = [
    "ANY_CALLER",
    "Audit",
    "Complete",
    "Destination",
    "Keep",
    "Limits",
    "Model",
    "NodeConfig",
    "Receive",
    "Tls",
    "read_config",
]

#: In ``callers``: whoever calls, by the name of any AE title.
ANY_CALLER = "*"

_MAX_BYTES = 2**20
_AE_TITLE = "an AE title: 1 to 16 letters of ASCII without backslash, not only spaces"
_CORRECT = "examples/hospital/node.toml shows every key"
_OVERRULABLE = ", ".join(sorted(OVERRULABLE))


def _is_ae_title(value: str) -> bool:
    """PS3.5 6.2, VR AE; spaces at either end mean nothing, so a title here has none."""
    return bool(re.fullmatch(r"[ -\[\]-~]{1,16}", value)) and value == value.strip() != ""


def _is_host(value: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9.:_-]{1,255}", value))


def _is_class(value: str) -> bool:
    return bool(re.fullmatch(r"[0-9.]{3,64}", value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Receive:
    """``[receive]``: how the node is called, and who may call.

    Attributes:
        ae_title: Its own; a call for another one is rejected.
        host: Address to listen at.
        port: To listen at; 0 takes a free one, for tests.
        callers: AE titles that may call; empty on the loopback device allows all.
        spool: Folder of everything that is received and not yet sent; on one file system.
        discard: SOP classes that are accepted and thrown away, so that senders of whole studies do not fail.
        max_associations: At once; more are rejected.
        idle_s: Seconds without a word after which an association is broken off.
    """

    ae_title: str = text(_is_ae_title, _AE_TITLE)
    host: str = text(_is_host, "an address or a host name", "127.0.0.1")
    port: int = number(0, 65535, 11112, whole=True)
    callers: tuple[str, ...] = texts(
        lambda value: value == ANY_CALLER or _is_ae_title(value), f'"{ANY_CALLER}" or {_AE_TITLE}'
    )
    spool: Path = field(metadata=PATH)
    discard: tuple[str, ...] = texts(_is_class, "the UID of a SOP class")
    max_associations: int = number(1, 100, 10, whole=True)
    idle_s: float = number(1, 86400, 300)

    def __post_init__(self) -> None:
        if not self.callers and not self.is_loopback:
            raise ValueError(
                f"host is {self.host}, which others can reach, so callers must list who may call"
                f' (["{ANY_CALLER}"] for everybody)'
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can call."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Complete:
    """``[complete]``: when a study counts as complete.

    Attributes:
        quiet_s: Seconds without a new image, with no association open that sent into the study.
        after_abort_s: Seconds to wait for the rest if an association broke off and no later one ended well; then the
            study fails as incomplete.
    """

    quiet_s: float = number(0.1, 86400, 60)
    after_abort_s: float = number(0.1, 604800, 900)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """``[limits]``: what is refused for now (status A700H), and what is given up.

    Attributes:
        max_waiting: Studies that wait for an answer or for the destination; over it, new studies are refused.
        max_spool_mb: All files of the spool, in MiB; over it, everything is refused.
        min_free_mb: Likewise, free space of the file system below it.
        max_object_mb: A single object above it breaks its association.
        max_study_files: Of one study; more are refused.
        study_timeout_s: Seconds a study may take to be classified.
    """

    max_waiting: int = number(1, 1_000_000, 500, whole=True)
    max_spool_mb: float = number(1, 1e9, 50_000)
    min_free_mb: float = number(0, 1e9, 1_000)
    max_object_mb: float = number(0.01, 4_000, 1_000)
    max_study_files: int = number(1, 1_000_000, 20_000, whole=True)
    study_timeout_s: float = number(1, 86400, 1800)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """``[keep]``: hours that files stay in the spool.

    Attributes:
        images_h: Received images, after the results were sent. Late slices within this time are read with them.
        results_h: Results, after they were sent.
        failed_h: Studies that failed, images included.
    """

    images_h: float = number(0, 87600, 24)
    results_h: float = number(0, 87600, 168)
    failed_h: float = number(0, 87600, 168)


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """``[destination]``: where results go; either a DICOM node or a folder.

    Attributes:
        ae_title: Of the DICOM node; empty for a folder.
        host: Of the DICOM node.
        port: Of the DICOM node.
        folder: Each result becomes a folder in it; None for a DICOM node.
        retry_first_s: Seconds until the first retry; doubled with each.
        retry_most_s: The longest wait.
        give_up_h: Hours until results that cannot be delivered fail.
    """

    ae_title: str = text(_is_ae_title, _AE_TITLE, "")
    host: str = text(_is_host, "an address or a host name", "")
    port: int = number(1, 65535, 0, whole=True)
    folder: Path | None = field(default=None, metadata=PATH)
    retry_first_s: float = number(0.1, 3600, 5)
    retry_most_s: float = number(0.1, 86400, 300)
    give_up_h: float = number(0.0001, 8760, 72)

    def __post_init__(self) -> None:
        node = (self.ae_title, self.host, self.port)
        if self.folder is not None and any(node):
            raise ValueError("folder excludes ae_title, host and port")
        if self.folder is None and not all(node):
            raise ValueError("give ae_title, host and port, or a folder")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """``[tls]``: both sides show a certificate, for receiving and sending alike.

    Attributes:
        certificate: Of the node, PEM.
        key: Its key, PEM, without a password.
        ca: Certificates that those of the others are signed by, PEM.
        receive: Whether to ask it of callers.
        send: Whether to use it towards the destination.
    """

    certificate: Path = field(metadata=PATH)
    key: Path = field(metadata=PATH)
    ca: Path = field(metadata=PATH)
    receive: bool = flag(default=True)
    send: bool = flag(default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """``[model]``: what classifies.

    Attributes:
        bundle: Folder of a bundle; None takes the one shipped in the package.
        trust: A public key as a PEM file, or a folder of them, one of which must have signed the bundle.
        threads: For one image; 0 takes the usable cores.
        scope: As ``--scope`` of ``brain-infer``.
        despite: Refusals of the reader that are overruled.
    """

    bundle: Path | None = field(default=None, metadata=PATH)
    trust: Path | None = field(default=None, metadata=PATH)
    threads: int = number(0, 1024, 0, whole=True)
    scope: Literal["enforce", "report", "off"] = choice(
        "enforce", "report", "off", default="enforce"
    )
    despite: tuple[str, ...] = texts(
        lambda value: value in OVERRULABLE, f"a refusal that can be overruled ({_OVERRULABLE})"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """``[audit]``: a record of each answer, before it leaves (docs/audit.md).

    Attributes:
        file: Of the audit log; its folder must be there.
        max_mb: The file is rotated before it grows beyond this, in MiB.
    """

    file: Path = field(metadata=PATH)
    max_mb: float = number(0.01, 100_000, 64)

    @property
    def max_bytes(self) -> int:
        """The limit in bytes."""
        return round(self.max_mb * 2**20)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """All tables; each is described by its class."""

    receive: Receive
    destination: Destination
    complete: Complete = field(default_factory=Complete)
    limits: Limits = field(default_factory=Limits)
    keep: Keep = field(default_factory=Keep)
    model: Model = field(default_factory=Model)
    tls: Tls | None = None
    audit: Audit | None = None

    def __post_init__(self) -> None:
        folder, spool = self.destination.folder, self.receive.spool
        if folder is not None and (folder == spool or spool in folder.parents):
            raise ValueError("[destination] folder lies in the spool")


_TABLES: dict[str, type[Any]] = {
    "receive": Receive,
    "destination": Destination,
    "complete": Complete,
    "limits": Limits,
    "keep": Keep,
    "model": Model,
    "tls": Tls,
    "audit": Audit,
}


def read_config(file: Path) -> NodeConfig:
    """Read the configuration of a node.

    Raises:
        UnreadableInput: The file is missing or cannot be read.
        DataRefused: It is no TOML, or a key or value is wrong.
    """
    file = file.absolute()
    try:
        tables = tomllib.loads(read_file(file, limit=_MAX_BYTES).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataRefused(f"{shown_name(file)}: is no TOML file: {error}", hint=_CORRECT) from None
    except UnreadableInput as error:
        raise UnreadableInput(error.message, hint="check the name and the permissions") from None
    if unknown := sorted(set(tables) - set(_TABLES)):
        raise DataRefused(
            f"{shown_name(file)}: unknown table [{shown_name(unknown[0])}]",
            hint=f"known: {', '.join(_TABLES)}",
        )
    for name in ("receive", "destination"):
        if name not in tables:
            raise DataRefused(f"{shown_name(file)}: [{name}] is missing", hint=_CORRECT)
    read = {
        name: read_table(_TABLES[name], table, file=file, name=name)
        for name, table in tables.items()
    }
    try:
        return NodeConfig(**read)
    except ValueError as error:
        raise DataRefused(f"{shown_name(file)}: {error}", hint=_CORRECT) from None
