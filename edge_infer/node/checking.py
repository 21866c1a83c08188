"""``brain-node check``: everything that must be right before a node is started."""

from collections.abc import Iterator

from edge_infer.audit.log import AuditLog
from edge_infer.errors import OutputLocked
from edge_infer.names import counted, shown_name
from edge_infer.node.config import ANY_CALLER, Audit, NodeConfig
from edge_infer.node.sending import require_destination
from edge_infer.node.spool import Spool
from edge_infer.node.tls import client_context, server_context

__all__ = ["checks"]


def checks(config: NodeConfig) -> Iterator[tuple[str, str]]:
    """Check one thing after the other.

    Yields:
        What was checked, and what was found.

    Raises:
        BrainError: The first check that fails, under the name of its thing.
    """
    yield "receive", _receive(config)
    yield "spool", _spool(config)
    if config.audit is not None:
        yield "audit", _audit(config.audit)
    yield "model", _model(config)
    if config.tls is not None:
        server_context(config.tls)
        client_context(config.tls)
        yield "tls", "certificate, key and ca can be used"
    yield "destination", require_destination(config)


def _receive(config: NodeConfig) -> str:
    receive = config.receive
    if ANY_CALLER in receive.callers or not receive.callers:
        who = "whoever calls" if not receive.is_loopback else "programs of this machine"
    else:
        who = ", ".join(receive.callers)
    text = f"{receive.ae_title} at {shown_name(receive.host)} port {receive.port}, open to {who}"
    has_tls = config.tls is not None and config.tls.receive
    if not receive.is_loopback and not has_tls:
        text += "; without TLS images cross the network unencrypted"
    return text


def _spool(config: NodeConfig) -> str:
    folder = config.receive.spool
    try:
        with Spool.opened(folder) as spool:
            free = spool.free_bytes() / 2**30
            waiting = spool.waiting()
    except OutputLocked:
        return f"{shown_name(folder)}, in use by a node that runs"
    return f"{shown_name(folder)}, {waiting} waiting, {free:.1f} GiB free"


def _audit(audit: Audit) -> str:
    log = AuditLog(audit.file, program="brain-node", max_bytes=audit.max_bytes)
    records = int(log.head.partition(":")[0])
    return f"{shown_name(audit.file)}, {counted(records, 'record')}"


def _model(config: NodeConfig) -> str:
    from edge_infer.node.answering import load_classifier

    model = config.model
    classifier = load_classifier(
        model.bundle, threads=model.threads or None, scope=model.scope, trust=model.trust
    )
    identity, signer = classifier.model, classifier.signed_by
    signed = "" if signer is None else f", signed with {shown_name(signer.key_file)}"
    return f"{identity.name} {identity.precision} {identity.manifest_sha256[:12]}{signed}, gives its known answers"
