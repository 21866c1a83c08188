"""Damage to a bundle by somebody who does not mend the manifest: to single files, and to the folder."""

import json
import os
import random
import socket
from collections.abc import Callable
from pathlib import Path

from reliability.bundles.good_bundles import MANIFEST, Files

__all__ = ["IN_FILES", "IN_FOLDER"]

_JSON = ("config.json", MANIFEST, "preprocessor_config.json")


def _bit(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    data = bytearray(files[name])
    place = rng.randrange(8 * len(data))
    data[place // 8] ^= 1 << place % 8
    return {**files, name: bytes(data)}


def _byte(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    data = bytearray(files[name])
    place = rng.randrange(len(data))
    data[place] = (data[place] + rng.randint(1, 255)) % 256
    return {**files, name: bytes(data)}


def _block(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    """A block of a disk that was lost: zeros, or what lay there before."""
    data = files[name]
    size = rng.choice([16, 512, 4096])
    start = rng.randrange(len(data)) // size * size
    lost = bytes(size) if rng.random() < 0.5 else rng.randbytes(size)
    return {**files, name: data[:start] + lost[: len(data) - start] + data[start + size :]}


def _truncated(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    size = rng.choice([0, 1, len(files[name]) - 1, rng.randrange(len(files[name]))])
    return {**files, name: files[name][:size]}


def _appended(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    data = files[name]
    more = rng.choice([b"\n", b"\0", b" ", b"\0" * 512, data, rng.randbytes(rng.randint(1, 99))])
    return {**files, name: more + data if rng.random() < 0.2 else data + more}


def _moved(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    """Bytes taken out or put in between."""
    data = files[name]
    place = rng.randrange(len(data))
    if rng.random() < 0.5:
        return {**files, name: data[:place] + data[place + rng.choice([1, 2, 64]) :]}
    return {**files, name: data[:place] + rng.randbytes(rng.choice([1, 2, 64])) + data[place:]}


def _swapped(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    other = rng.choice([found for found in files if found != name])
    return {**files, name: files[other], other: files[name]}


def _of_another_bundle(files: Files, name: str, rng: random.Random, other: Files) -> Files:
    """A mixed copy: one file, or a few, of another bundle."""
    names = {name, *rng.sample(sorted(files), rng.randint(0, 2))}
    return {**files, **{found: other[found] for found in names if found in other}}


def _edited(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    """An edit of the JSON: labels, preprocessing, thresholds, huge numbers, repeated keys."""
    name = name if name in _JSON else rng.choice(_JSON)
    fields = json.loads(files[name])
    holder, key = _place(fields, rng)
    kind = rng.choice(["permute", "number", "drop", "twice", "text"])
    if kind == "permute" and name == "config.json":
        labels = list(fields["id2label"].values())
        rng.shuffle(labels)
        fields["id2label"] = dict(zip(fields["id2label"], labels, strict=True))
    elif kind == "number":
        holder[key] = rng.choice([0, -1, 10**400, 1e308, 0.5, True, None])
    elif kind == "drop":
        del holder[key]
    elif kind == "text":
        holder[key] = rng.choice(["", "x", "\ud7ff", "no_tumor", []])
    text = json.dumps(fields, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if kind == "twice":
        first = next(iter(fields))
        text = text.replace("{", f'{{"{first}": {json.dumps(fields[first])},', 1)
    return {**files, name: text.encode(errors="surrogatepass")}


def _encoded(files: Files, name: str, rng: random.Random, _other: Files) -> Files:
    """The same JSON in another encoding or form, which many readers would take for the same."""
    name = name if name in _JSON else rng.choice(_JSON)
    text = files[name].decode()
    forms = [
        lambda: text.encode("utf-8-sig"),
        lambda: text.encode("utf-16"),
        lambda: text.encode("utf-32"),
        lambda: text.replace("\n", "\r\n").encode(),
        lambda: json.dumps(json.loads(text)).encode(),
        lambda: text.rstrip("\n").encode(),
        lambda: (text + " ").encode(),
        lambda: text.replace("0", "0.0", 1).encode(),
    ]
    return {**files, name: rng.choice(forms)()}


def _place(fields: dict, rng: random.Random) -> tuple[dict, str]:
    """Return an object somewhere in it and one of its keys."""
    holder, key = fields, rng.choice(sorted(fields))
    while isinstance(holder[key], dict) and holder[key] and rng.random() < 0.8:
        holder, key = holder[key], rng.choice(sorted(holder[key]))
    return holder, key


#: ``damage(files, name of one of them, rng, files of another bundle)`` returns other files.
IN_FILES: dict[str, Callable[[Files, str, random.Random, Files], Files]] = {
    "bit": _bit,
    "byte": _byte,
    "block": _block,
    "truncated": _truncated,
    "appended": _appended,
    "moved": _moved,
    "swapped": _swapped,
    "of another bundle": _of_another_bundle,
    "edited": _edited,
    "encoded": _encoded,
}

_STRANGERS = (
    "model.onnx.data", "model.onnx.bak", "weights.bin", "Model.onnx", "manifest.json~", ".DS_Store", ".hidden",
    "config.json ", "README", "pickle.pkl", "scope2.bin", "manifest.sig.", "\u202ejson", "a\nb", "é.onnx", "Thumbs.db",
)  # fmt: skip


def _added(folder: Path, _name: str, rng: random.Random) -> None:
    stranger = folder / rng.choice(_STRANGERS)
    if rng.random() < 0.2:
        stranger.mkdir()
    else:
        stranger.write_bytes(rng.randbytes(rng.choice([0, 1, 99])))


def _deleted(folder: Path, name: str, _rng: random.Random) -> None:
    (folder / name).unlink()


def _renamed(folder: Path, name: str, rng: random.Random) -> None:
    forms = [name.upper() + "_", name + " ", name + ".", "." + name, name.replace(".", "_")]
    (folder / name).rename(folder / rng.choice(forms))


def _exchanged(folder: Path, name: str, rng: random.Random) -> None:
    """Something that is no file in place of one."""
    path = folder / name
    path.unlink()
    kind = rng.choice(
        ["folder", "pipe", "socket", "to nothing", "to itself", "to a folder", "zeros"]
    )
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
    else:
        targets = {
            "to nothing": "nothing",
            "to itself": name,
            "to a folder": ".",
            "zeros": "/dev/zero",
        }
        path.symlink_to(targets[kind])


def _to_another(folder: Path, name: str, rng: random.Random) -> None:
    """A hard link or a symbolic link to another file of the bundle."""
    (folder / name).unlink()
    other = folder / rng.choice([path.name for path in sorted(folder.iterdir())])
    if rng.random() < 0.5:
        (folder / name).hardlink_to(other)
    else:
        (folder / name).symlink_to(other.name)


#: ``damage(folder, name of one file, rng)`` changes the folder.
IN_FOLDER: dict[str, Callable[[Path, str, random.Random], None]] = {
    "added": _added,
    "deleted": _deleted,
    "renamed": _renamed,
    "exchanged": _exchanged,
    "linked to another": _to_another,
}
