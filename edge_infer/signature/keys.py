"""The keys that a site trusts: those of its policy and those that were asked for, but for what is revoked."""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_infer.errors import BundleUntrusted
from edge_infer.names import shown_name, shown_names
from edge_infer.signature.public_key import PUBLIC_KEY_HINT, TrustedKey, read_public_key
from edge_infer.signature.revocation import REVOKED_FILE, read_revoked

__all__ = ["POLICY", "TrustSource", "TrustedKeys", "trusted_keys"]

#: One or several public keys as PEM files, or folders of them.
TrustSource = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]

#: Environment variable with keys that every bundle must be signed with, whatever else is asked for.
POLICY = "BRAIN_EDGE_TRUST"

_ENDING = ".pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKeys:
    """Which signatures count.

    Attributes:
        sources: Files and folders, absolute: those of the policy, those that were asked for. A key must be in each.
        keys: By id.
        revoked: SHA-256 of manifests and keys.
    """

    sources: tuple[tuple[str, ...], ...]
    keys: Mapping[str, TrustedKey]
    revoked: frozenset[str]

    @classmethod
    def read(cls, sources: Iterable[Sequence[str]]) -> "TrustedKeys":
        """Read them again, as another process does.

        Raises:
            BundleUntrusted: A file is missing or no public key on P-256, or no key is left.
            MissingDependency: ``cryptography`` is not installed.
        """
        absolute = tuple(tuple(os.path.abspath(one) for one in given) for given in sources)  # noqa: PTH100
        rings = [_ring(given) for given in absolute]
        revoked = frozenset().union(*(ring[1] for ring in rings))
        common = set.intersection(*(set(ring[0]) for ring in rings)) - revoked
        if not common:
            raise BundleUntrusted(
                f"no key is trusted: {_shown(absolute)} hold none {'in common ' if len(rings) > 1 else ''}that is not "
                "revoked",
                hint=f"a key must be in {POLICY}, where that is set, and in what else is given (docs/security.md)",
            )
        keys = {identity: rings[-1][0][identity] for identity in sorted(common)}
        return cls(sources=absolute, keys=keys, revoked=revoked)

    @property
    def names(self) -> str:
        """The files of the keys, for messages."""
        return shown_names([f"{key.file} ({key.id[:12]})" for key in self.keys.values()])

    def refuse_revoked(self, manifest_sha256: str, shown: str) -> None:
        """Refuse a bundle that was signed once and is not to be used any more.

        Args:
            manifest_sha256: Of its manifest.
            shown: Its name.

        Raises:
            BundleUntrusted: It is listed in a ``revoked.txt``.
        """
        if manifest_sha256 in self.revoked:
            raise BundleUntrusted(
                f"{shown}: bundle is revoked: {REVOKED_FILE} lists its manifest {manifest_sha256[:12]}",
                hint="install the bundle that replaces it",
            )


def trusted_keys(trust: TrustSource | None) -> TrustedKeys | None:
    """Return the keys that a bundle must be signed with; None if nobody asks for a signature.

    Args:
        trust: Files and folders. ``BRAIN_EDGE_TRUST``, if it is set, asks for more: a key must be in both.

    Raises:
        BundleUntrusted: A file is missing or no public key on P-256, or no key is left.
        MissingDependency: ``cryptography`` is not installed.
    """
    asked = []
    policy = os.environ.get(POLICY)
    if policy is not None:
        asked.append(policy.split(os.pathsep))
    if trust is not None:
        given = [trust] if isinstance(trust, str | os.PathLike) else trust
        asked.append([os.fspath(one) for one in given])
    if not asked:
        return None
    for sources in asked:
        if not sources or not all(sources):
            raise BundleUntrusted(
                f"keys to trust are named by an empty name ({POLICY} or trust)",
                hint="name a public key or a folder of them (is a variable not set?)",
            )
    return TrustedKeys.read(asked)


def _ring(sources: Sequence[str]) -> tuple[dict[str, TrustedKey], frozenset[str]]:
    """Return the keys by id, and what is revoked."""
    keys: dict[str, TrustedKey] = {}
    revoked: set[str] = set()
    for source in map(Path, sources):
        files = [source]
        if source.is_dir():
            files = _key_files(source)
            revoked |= read_revoked(source)
        for file in files:
            key = read_public_key(file)
            keys.setdefault(key.id, key)
    return keys, frozenset(revoked)


def _key_files(folder: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 -- only names are needed
    except OSError as error:
        raise BundleUntrusted(
            f"{shown_name(folder)}: folder of keys cannot be read ({error.strerror})"
        ) from error
    found = [folder / name for name in names if name.endswith(_ENDING)]
    if not found:
        raise BundleUntrusted(
            f"{shown_name(folder)}: holds no public key (*{_ENDING})", hint=PUBLIC_KEY_HINT
        )
    return found


def _shown(sources: Iterable[Sequence[str]]) -> str:
    return " and ".join(shown_names(given) for given in sources)
