"""Attacks on signed bundles: on the signature file, on its envelope and statement, on ECDSA and its DER, on the keys.

An attack gets the place of a bundle that is signed as it should be, and changes it there. It returns whether the bundle
is still the one that was signed, by a key that is trusted: then it must load, and else it must be refused.
"""

import base64
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA224, SHA256, SHA384, SHA512
from reliability.bundles.damage import IN_FILES
from reliability.bundles.good_bundles import MANIFEST, Files, good_bundles
from reliability.bundles.rewriting import CONSISTENT
from signed_bundle import fields_of, payload_of, resigned, signed_file, write_public

from edge_infer.model_file import describe_file
from edge_infer.signature.envelope import signed_bytes
from edge_infer.signature.public_key import key_id_of
from edge_infer.signature.statement import render_statement

__all__ = ["ATTACKS", "Place", "Site", "sign_files"]

#: Order of the group of P-256 (FIPS 186-5; SEC 2, 2.4.2).
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True, kw_only=True)
class Site:
    """Who signs, whom the site trusts, and who attacks. The keys are the same on every machine.

    Attributes:
        key: Trusted.
        second: Trusted, too.
        attacker: Not trusted.
        others: Of other kinds, and never trusted.
    """

    key: Any
    second: Any
    attacker: Any
    others: dict[str, Any]

    @classmethod
    def made(cls) -> "Site":
        """Make the keys."""
        curve = ec.SECP256R1()
        key, second, attacker = (ec.derive_private_key(0xB2A1 + n, curve) for n in range(3))
        others = {
            "P-384": ec.derive_private_key(0xB2A1, ec.SECP384R1()),
            "secp256k1": ec.derive_private_key(0xB2A1, ec.SECP256K1()),
            "RSA": rsa.generate_private_key(65537, 2048),
            "Ed25519": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
        }
        return cls(key=key, second=second, attacker=attacker, others=others)


@dataclass(frozen=True, kw_only=True)
class Place:
    """A signed bundle and the keys that are trusted.

    Attributes:
        bundle: Its folder.
        files: What lies there, by name.
        signature: Its signature.
        keys: Folder of public keys.
        base: Number of the good bundle.
    """

    bundle: Path
    files: Files
    signature: Path
    keys: Path
    base: int

    def put(self, fields: object) -> bool:
        """Write a signature; return that it is none that counts."""
        self.signature.write_text(json.dumps(fields))
        return False

    def replace(self, files: Files) -> None:
        """Write other files; they may be links to those of other trials."""
        for path in self.bundle.iterdir():
            path.unlink()
        for name, data in files.items():
            (self.bundle / name).write_bytes(data)


_Attack = Callable[[Place, Site, random.Random], bool]


def sign_files(files: Files, key: Any) -> dict[str, Any]:
    """Return the JSON of the signature of a bundle's files."""
    digests = {name: str(describe_file(data)["sha256"]) for name, data in files.items()}
    return resigned(render_statement("bundle", digests), key)


def _as_it_is(place: Place, site: Site, rng: random.Random) -> bool:
    """Signed by either key, in another rendering of the same JSON, with a file that neither tool reads."""
    fields = sign_files(place.files, rng.choice([site.key, site.second]))
    place.signature.write_text(
        json.dumps(fields, indent=rng.choice([None, 1, 4]), sort_keys=rng.random() < 0.5)
    )
    if rng.random() < 0.3:
        (place.bundle / ".gitattributes").write_text("*.onnx filter=lfs\n")
    return True


def _twin(place: Place, _site: Site, _rng: random.Random) -> bool:
    """(r, n - s) is a signature of the same by the same key: nothing else gets signed by it."""
    _ecdsa(place, lambda r, s: encode_dss_signature(r, _ORDER - s))
    return True


def _no_signature(place: Place, _site: Site, _rng: random.Random) -> bool:
    place.signature.unlink()
    return False


def _bytes_of_file(place: Place, _site: Site, rng: random.Random) -> bool:
    before = place.signature.read_bytes()
    kinds = [
        kind
        for kind in IN_FILES
        if kind in ("bit", "byte", "block", "truncated", "appended", "moved")
    ]
    kind = IN_FILES[rng.choice(kinds)]
    while True:
        after = kind({"signature": before}, "signature", rng, {})["signature"]
        if after != before:
            break
    place.signature.write_bytes(after)
    try:  # another blank, or a line end behind the last brace, changes nothing that was said
        return bool(json.loads(after.decode()) == json.loads(before)) and not after.startswith(
            b"\xef"
        )
    except ValueError:
        return False


def _field_of_file(place: Place, _site: Site, rng: random.Random) -> bool:
    fields = fields_of(place.bundle)
    envelope, material = fields["dsseEnvelope"], fields["verificationMaterial"]
    first = envelope["signatures"][0]
    changes: list[Callable[[], Any]] = [
        lambda: fields.update(mediaType=fields["mediaType"].replace("0.3", rng.choice("12"))),
        lambda: fields.update({rng.choice(["more", "messageSignature"]): {}}),
        lambda: material.update(certificate={"rawBytes": ""}),
        lambda: material.update(tlogEntries=[{}]),
        lambda: material["publicKey"].update(hint=rng.choice(["", "0" * 64, None, 7, []])),
        lambda: envelope.update(payloadType=rng.choice(["", "application/json", None])),
        lambda: envelope.update(payload=envelope["payload"] + rng.choice(["\n", "=", "A", " "])),
        lambda: envelope.update(payload=rng.choice(["", "e30=", None, 0, []])),
        lambda: envelope.update(signatures=rng.choice([[], {}, None, [first, first], [first] * 9])),
        lambda: first.update(keyid=rng.choice(["x", None, 0])),
        lambda: first.update(
            sig=rng.choice(["", "AA==", None, 0, first["sig"][:-4], first["sig"] + "AAAA"])
        ),
    ]
    rng.choice(changes)()
    return place.put(fields)


def _statement(place: Place, site: Site, rng: random.Random) -> bool:
    """Another statement: signed with a key that is not trusted, or not signed anew."""
    fields = fields_of(place.bundle)
    statement = payload_of(fields)
    resources = statement["predicate"]["resources"]
    changes: list[Callable[[], Any]] = [
        lambda: rng.choice(resources).update(digest=rng.randbytes(32).hex()),
        lambda: resources.pop(rng.randrange(len(resources))),
        lambda: resources.append({**resources[0], "name": "more.bin"}),
        lambda: rng.shuffle(resources),
        lambda: statement["subject"].append(statement["subject"][0]),
        lambda: statement["subject"][0].update(name="another"),
        lambda: None,  # re-encoded: other blanks, the same words
    ]
    rng.choice(changes)()
    payload = json.dumps(statement, indent=rng.choice([None, 1])).encode()
    if rng.random() < 0.5:  # the hint is not signed, so an attacker writes the one that is trusted
        forged = resigned(payload, site.attacker)
        forged["verificationMaterial"] = fields["verificationMaterial"]
        return place.put(forged)
    fields["dsseEnvelope"]["payload"] = base64.b64encode(payload).decode()
    return place.put(fields)


def _signed_nonsense(place: Place, site: Site, rng: random.Random) -> bool:
    """A trusted key signed something else than these files, in a form that is no statement about a bundle."""
    statement = payload_of(fields_of(place.bundle))
    resources = statement["predicate"]["resources"]
    changes: list[Callable[[], Any]] = [
        lambda: statement.update(_type="https://in-toto.io/Statement/v0.1"),
        lambda: statement.update(predicateType="https://slsa.dev/provenance/v1"),
        lambda: statement["subject"].append(statement["subject"][0]),
        lambda: statement["subject"][0]["digest"].update(sha256=rng.randbytes(32).hex()),
        lambda: statement["predicate"]["serialization"].update(method="shards", shard_size=10),
        lambda: statement["predicate"]["serialization"].update(hash_type="blake3"),
        lambda: resources.append(dict(rng.choice(resources))),
        lambda: rng.choice(resources).update(algorithm="blake2b"),
        lambda: rng.choice(resources).update(digest=rng.choice(["", "00", None, 0])),
        lambda: statement.update(predicate=rng.choice([None, [], {}])),
    ]
    rng.choice(changes)()
    payload: Any = statement
    if rng.random() < 0.2:
        payload = rng.choice(
            [b"", b"{}", b"null", b"[]", b"\xff\xfe", b'{"_type":"a","_type":"a"}', b"[" * 9000]
        )
    return place.put(resigned(payload, site.key))


def _unsigned_file(place: Place, site: Site, rng: random.Random) -> bool:
    """A file is left out of the statement, and its path is to be ignored."""
    name = rng.choice(sorted(place.files))
    digests = {n: str(describe_file(d)["sha256"]) for n, d in place.files.items() if n != name}
    statement = json.loads(render_statement("bundle", digests))
    statement["predicate"]["serialization"]["ignore_paths"] = [name, f"bundle/{name}", "*"]
    return place.put(resigned(statement, site.key))


def _of_another(place: Place, site: Site, rng: random.Random) -> bool:
    bundles = good_bundles()
    other = rng.choice([number for number in range(len(bundles)) if number != place.base])
    return place.put(sign_files(bundles[other], site.key))


def _rewritten(place: Place, site: Site, rng: random.Random) -> bool:
    """The whole bundle vouches for itself again; what becomes of the signature differs."""
    kinds = sorted(CONSISTENT)
    files = CONSISTENT[rng.choice(kinds)](place.files, rng)
    old = fields_of(place.bundle)
    place.replace(files)
    forged = sign_files(files, site.attacker)
    kind = rng.choice(["kept", "gone", "own", "hint", "payload"])
    if kind == "gone":
        place.signature.unlink()
    elif kind == "own":
        place.put(forged)
    elif kind == "hint":
        place.put({**forged, "verificationMaterial": old["verificationMaterial"]})
    elif kind == "payload":
        old["dsseEnvelope"]["payload"] = forged["dsseEnvelope"]["payload"]
        place.put(old)
    return False


def _damaged(place: Place, _site: Site, rng: random.Random) -> bool:
    other = good_bundles()[place.base - 1]
    while True:
        name, kind = rng.choice(sorted(place.files)), rng.choice(sorted(IN_FILES))
        files = IN_FILES[kind](place.files, name, rng, other)
        if files != place.files:
            break
    place.replace(files)
    return False


def _mixed_up(place: Place, site: Site, rng: random.Random) -> bool:
    """A card or a manifest of the other edition, both of them signed: the parts do not go together."""
    files = CONSISTENT["thresholds"](place.files, rng)
    place.put(sign_files(files, site.key))
    if rng.random() < 0.5:
        files = {**place.files, "README.md": b"# Another\n"}
        place.replace({**files, MANIFEST: place.files[MANIFEST]})
    return False


def _numbers(place: Place, _site: Site, rng: random.Random) -> bool:
    """Numbers that are no signature, and DER that other verifiers were too kind to (Wycheproof's list)."""
    fields = fields_of(place.bundle)
    old = base64.b64decode(fields["dsseEnvelope"]["signatures"][0]["sig"])
    r, s = decode_dss_signature(old)
    forms: list[Callable[[], bytes]] = [
        lambda: bytes.fromhex("3006020100020100"),
        lambda: encode_dss_signature(0, s),
        lambda: encode_dss_signature(r, 0),
        lambda: encode_dss_signature(_ORDER, _ORDER),
        lambda: encode_dss_signature(r, s + _ORDER),
        lambda: encode_dss_signature(r + _ORDER, s),
        lambda: encode_dss_signature(s, r),
        lambda: encode_dss_signature(1, 1),
        lambda: encode_dss_signature(r, s ^ 1 << rng.randrange(256)),
        lambda: encode_dss_signature(r ^ 1 << rng.randrange(256), s),
        lambda: r.to_bytes(32) + s.to_bytes(32),  # IEEE P1363, as web browsers write it
        lambda: b"\x30\x81" + old[1:],  # the length in its long form
        lambda: b"\x30\x80" + old[2:] + b"\0\0",  # of indefinite length
        lambda: b"\x30" + bytes([old[1] + 1]) + b"\x02" + bytes([old[3] + 1]) + b"\0" + old[4:],
        lambda: old + rng.choice([b"\0", b"\0\0", old]),
        lambda: b"\x31" + old[1:],
        lambda: old[:-1],
        lambda: b"",
        lambda: rng.randbytes(rng.choice([8, 64, 70, 72, 5000])),
    ]
    fields["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(rng.choice(forms)()).decode()
    return place.put(fields)


def _another_hash(place: Place, site: Site, rng: random.Random) -> bool:
    """The right key over the right statement, with another hash or without DSSE's encoding."""
    payload = base64.b64decode(fields_of(place.bundle)["dsseEnvelope"]["payload"])
    identity = key_id_of(site.key.public_key())
    if rng.random() < 0.4:
        kind = rng.choice(["application/json", "", "application/vnd.in-toto"])
        signed = rng.choice(
            [payload, b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)]
        )
        return place.put(signed_file(payload, site.key.sign(signed, ec.ECDSA(SHA256())), identity))
    algorithm = rng.choice([SHA224(), SHA384(), SHA512()])
    signature = site.key.sign(signed_bytes(payload), ec.ECDSA(algorithm))
    return place.put(signed_file(payload, signature, identity))


def _another_algorithm(place: Place, site: Site, rng: random.Random) -> bool:
    """Signed with a key of another kind, whose public half the attacker got into the folder of keys."""
    payload = base64.b64decode(fields_of(place.bundle)["dsseEnvelope"]["payload"])
    name = rng.choice(sorted(site.others))
    key, message = site.others[name], signed_bytes(payload)
    if name == "RSA":
        signature = key.sign(message, padding.PKCS1v15(), SHA256())
    elif name == "Ed25519":
        signature = key.sign(message)
    else:
        signature = key.sign(message, ec.ECDSA(SHA256()))
    write_public(key, place.keys / rng.choice(["another.pem", "site.pem"]))
    identity = rng.choice([key_id_of(key.public_key()), key_id_of(site.key.public_key())])
    return place.put(signed_file(payload, signature, identity))


def _other_keys(place: Place, site: Site, rng: random.Random) -> bool:
    """The signature is right, and the key is not trusted: swapped, gone, spoilt or revoked."""
    kind = rng.choice(
        ["attacker's", "gone", "second alone", "spoilt", "private", "twice", "revoked", "list"]
    )
    path = place.keys / "site.pem"
    if kind == "attacker's":
        write_public(site.attacker, path)
    elif kind == "gone":
        shutil.rmtree(place.keys)
    elif kind == "second alone":
        path.unlink()
    elif kind == "spoilt":
        path.write_bytes(path.read_bytes()[: rng.randrange(100)])
    elif kind == "private":
        path.write_text("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n")
    elif kind == "twice":
        path.write_bytes(
            path.read_bytes() + write_public(site.attacker, place.keys / "a").read_bytes()
        )
    elif kind == "revoked":
        digest = json.loads(place.files[MANIFEST])["manifest_sha256"]
        listed = rng.choice([digest, digest.upper(), key_id_of(site.key.public_key())])
        (place.keys / "revoked.txt").write_text(f"# replaced\n{listed} old\n")
    else:
        (place.keys / "revoked.txt").write_bytes(rng.choice([b"x", b"\xff", b"0" * 63]))
    return False


#: By name, with how often each is drawn.
ATTACKS: dict[str, tuple[_Attack, int]] = {
    "as it was signed": (_as_it_is, 3),
    "twin of the signature": (_twin, 1),
    "no signature": (_no_signature, 1),
    "bytes of the signature file": (_bytes_of_file, 5),
    "fields of the signature file": (_field_of_file, 3),
    "statement": (_statement, 3),
    "signed nonsense": (_signed_nonsense, 3),
    "file left unsigned": (_unsigned_file, 1),
    "signature of another bundle": (_of_another, 1),
    "bundle rewritten throughout": (_rewritten, 3),
    "bundle damaged": (_damaged, 2),
    "bundle and signature of two editions": (_mixed_up, 1),
    "numbers and DER": (_numbers, 4),
    "another hash": (_another_hash, 1),
    "another algorithm": (_another_algorithm, 2),
    "keys": (_other_keys, 2),
}


def _ecdsa(place: Place, change: Callable[[int, int], bytes]) -> None:
    fields = fields_of(place.bundle)
    signature = fields["dsseEnvelope"]["signatures"][0]
    numbers = decode_dss_signature(base64.b64decode(signature["sig"]))
    signature["sig"] = base64.b64encode(change(*numbers)).decode()
    place.put(fields)
