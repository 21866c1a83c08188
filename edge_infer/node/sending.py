"""Results to where they are wanted: a DICOM node by C-STORE, or a folder."""

import contextlib
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from edge_infer.atomic import replace_folder_atomically
from edge_infer.errors import BrainError, CannotWrite
from edge_infer.names import shown_name
from edge_infer.node.config import Destination, NodeConfig
from edge_infer.node.contexts import EXPLICIT, IMPLICIT, VERIFICATION
from edge_infer.node.socket_guard import send_at_once
from edge_infer.node.tls import client_context

__all__ = [
    "DamagedResult",
    "RefusedByDestination",
    "Unreachable",
    "echo",
    "require_destination",
    "send",
]

_CONNECT_TIMEOUT_S, _ANSWER_TIMEOUT_S = 10.0, 120.0


class Unreachable(Exception):
    """The destination cannot take anything now; the message is made of fixed words."""


class RefusedByDestination(Exception):
    """The destination does not want this object; the message is made of fixed words and numbers."""


class DamagedResult(Exception):
    """A result is not what was written, so nothing is sent; the message is made of fixed words and numbers."""


def send(config: NodeConfig, files: Sequence[Path], name: str) -> None:
    """Deliver results; may be done again, since UIDs and names are the same each time.

    Args:
        config: Says where.
        files: DICOM Part 10.
        name: Of the folder that is written, where the destination is a folder.

    Raises:
        Unreachable: Try again later.
        RefusedByDestination: Trying again helps little.
        DamagedResult: A file is no DICOM object any more.
        OSError: A file cannot be read.
    """
    folder = config.destination.folder
    if folder is not None:
        _write(folder / name, {path.name: path.read_bytes() for path in files})
        return
    objects = [_read(path) for path in files]  # all first: a damaged one cuts no association
    contexts = {_context_of(one) for one in objects}
    with _associated(config, sorted(contexts)) as association:
        for number, one in enumerate(objects, start=1):
            _send_one(association, one, number)


def echo(config: NodeConfig) -> None:
    """Ask a DICOM destination whether it is there (C-ECHO).

    Raises:
        Unreachable: It is not, or rejects this node.
    """
    with _associated(config, [(VERIFICATION, IMPLICIT)]) as association:
        status = association.send_c_echo()
        if "Status" not in status or status.Status != 0:
            raise Unreachable("the destination does not answer C-ECHO with success")


def _write(target: Path, files: Mapping[str, bytes]) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replace_folder_atomically(_free_name(target, files)) as folder:
            for name, content in files.items():
                (folder / name).write_bytes(content)
    except OSError as error:
        raise Unreachable(f"the folder cannot be written: {error.strerror}") from None
    except BrainError as error:
        raise Unreachable(f"the folder cannot be written: {error.code}") from None


def _free_name(target: Path, files: Collection[str]) -> Path:
    """Return a folder that is not there, or holds just these files, whose names hold their UIDs.

    The spool forgets a study in time, and then begins to count its rounds anew.
    """
    wanted = set(files)
    for number in count(2):
        if not target.exists() or {path.name for path in target.iterdir()} == wanted:
            break
        target = target.with_name(f"{target.name.partition('-')[0]}-{number}")
    return target


def _read(path: Path) -> Any:
    """Read a result, with all that is needed to send it."""
    import pydicom

    found = None
    try:
        found = pydicom.dcmread(path)
        is_whole = all((*_context_of(found), found.SOPClassUID, found.SOPInstanceUID))
    except (OSError, MemoryError):  # says nothing about the content
        raise
    except Exception:  # whatever a damaged file brings about
        is_whole = False
    if not is_whole:
        raise DamagedResult("a result in the spool is damaged")
    return found


def _context_of(found: Any) -> tuple[str, str]:
    """Return SOP class and transfer syntax of an object."""
    meta = found.file_meta
    return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)


@contextlib.contextmanager
def _associated(config: NodeConfig, contexts: Sequence[tuple[str, str]]) -> Iterator[Any]:
    from pynetdicom import AE, evt

    destination = config.destination
    entity = AE(ae_title=config.receive.ae_title)
    entity.connection_timeout = entity.acse_timeout = _CONNECT_TIMEOUT_S
    entity.dimse_timeout = entity.network_timeout = _ANSWER_TIMEOUT_S
    for sop_class, syntax in contexts:
        # Uncompressed objects may go in either encoding: implicit is the one that every node has to take (PS3.5 10.1).
        entity.add_requested_context(
            sop_class, [EXPLICIT, IMPLICIT] if syntax == EXPLICIT else [syntax]
        )
    tls = config.tls
    try:
        arguments = (client_context(tls), destination.host) if tls and tls.send else None
    except BrainError as error:  # a key that is gone: no results are at fault
        raise Unreachable(f"TLS cannot be used: {error.code}") from None
    association = entity.associate(
        _address(destination),
        destination.port,
        ae_title=destination.ae_title,
        tls_args=arguments,
        evt_handlers=[(evt.EVT_CONN_OPEN, lambda event: send_at_once(event.assoc))],
    )
    if not association.is_established:
        raise Unreachable(_why_not(association))
    try:
        yield association
        association.release()
    finally:
        if association.is_established:
            association.abort()


def _address(destination: Destination) -> str:
    try:
        found = socket.getaddrinfo(destination.host, destination.port, type=socket.SOCK_STREAM)
    except OSError:
        raise Unreachable("the destination's host name is not known") from None
    return str(found[0][4][0])


def _why_not(association: Any) -> str:
    if association.is_rejected:
        return "the destination rejects the association (are both AE titles configured there?)"
    if association.is_aborted:
        return "the destination broke the association off, or cannot be reached"
    return "the destination cannot be reached"


def _send_one(association: Any, dataset: Any, number: int) -> None:
    try:
        status = association.send_c_store(dataset, msg_id=1 + number % 65535)
    except RuntimeError:
        raise Unreachable("the destination broke the association off") from None
    except (ValueError, AttributeError):  # pynetdicom: no accepted presentation context
        raise RefusedByDestination("it takes no objects of this kind") from None
    if "Status" not in status:
        raise Unreachable("the destination gave no answer")
    code = int(status.Status)
    if (
        code == 0 or code & 0xF000 == 0xB000 or code in (0x0001, 0x0107, 0x0116)
    ):  # success, warnings
        return
    if code & 0xFF00 == 0xA700:
        raise Unreachable(f"the destination is out of resources ({code:04X}H)")
    raise RefusedByDestination(f"it answers {code:04X}H")


def require_destination(config: NodeConfig) -> str:
    """Check the destination and say what it is.

    Raises:
        CannotWrite: It cannot be reached or written.
    """
    destination = config.destination
    if destination.folder is not None:
        shown = shown_name(destination.folder)
        try:
            _write(destination.folder / ".brain-node-check", {})
            (destination.folder / ".brain-node-check").rmdir()
        except (Unreachable, OSError):
            raise CannotWrite(
                f"{shown}: the destination cannot be written", hint="check its permissions"
            ) from None
        return f"folder {shown}, can be written"
    shown = f"{destination.ae_title} at {destination.host} port {destination.port}"
    try:
        echo(config)
    except Unreachable as error:
        raise CannotWrite(
            f"{shown}: {error}", hint="check host, port, AE titles and firewall on both sides"
        ) from None
    return f"{shown}, answers C-ECHO"
