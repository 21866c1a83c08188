"""What the page reads of a file and doubts of it is what the runtime reads and doubts; in Node, without a browser."""

import random
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from doubtful import made_doubtful
from page_reading import MODULES, compared, damaged, in_page, kinds, mended, packed, png, scans
from PIL import Image


def test_doubts_about_scans_made_doubtful_are_those_of_the_runtime(tmp_path: Path) -> None:
    chosen = scans(2)
    rng = np.random.default_rng(0)
    files = {"far from the shape of a head": packed(chosen[-1].resize((400, 170)))}
    for number, scan in enumerate(chosen[1:3]):  # a drawn one and a real one
        others = [chosen[(number + step) % len(chosen)] for step in (1, 2, 3)]
        for kind, image in made_doubtful(scan, others, rng):
            files[f"{number} {kind}"] = packed(image)
    reasons = set()
    for name, expected, found in compared(files, tmp_path):
        assert found == expected, name
        reasons |= {doubt["reason"] for doubt in expected["doubts"]}
    assert len(files) > 130
    assert len(reasons) == 9  # each rule has found what it is for


def test_every_kind_of_file_is_read_or_refused_as_the_runtime_does(tmp_path: Path) -> None:
    files = dict(kinds())
    answered = 0
    for name, expected, found in compared(files, tmp_path):
        assert found == expected, name
        answered += "error" not in expected
    assert answered > 50


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "CMYK JPEG", "16-bit colour"])
def test_what_the_page_does_not_read_is_refused_by_name(kind: str, tmp_path: Path) -> None:
    scan = scans(1)[0]
    content = {
        "BMP": lambda: packed(scan, "BMP"),
        "TIFF": lambda: packed(scan, "TIFF"),
        "CMYK JPEG": lambda: packed(scan.convert("CMYK"), "JPEG"),
        "16-bit colour": lambda: _deep_colour(),
    }[kind]()
    [found] = in_page({kind: content}, tmp_path)
    assert found["error"]["code"] == "unsupported"
    assert found["error"]["hint"]
    assert {"CMYK JPEG": "CMYK", "16-bit colour": "16 bits"}.get(kind, kind) in found["error"][
        "message"
    ]


def _deep_colour() -> bytes:
    return png(struct.pack(">II5B", 16, 16, 16, 2, 0, 0, 0), bytes(16 * (1 + 16 * 6)))


def interlaced(grey: np.ndarray, depth: int) -> bytes:
    """An Adam7 PNG of grey levels of a depth, which Pillow does not write."""
    rows = b""
    for x, y, across, down in (
        (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
    ):  # fmt: skip
        for row in grey[y::down, x::across]:
            bits = "".join(format(int(value), f"0{depth}b") for value in row)
            octets = bits.ljust(-(-len(bits) // 8) * 8, "0")
            if row.size:
                rows += b"\0" + int(octets, 2).to_bytes(len(octets) // 8, "big")
    height, width = grey.shape
    return png(struct.pack(">II5B", width, height, depth, 0, 0, 0, 1), rows)


def test_interlaced_images_are_read_as_the_runtime_reads_them(tmp_path: Path) -> None:
    grey = np.asarray(scans(1)[0].resize((45, 37)))
    files = {
        str(depth): interlaced(grey.astype(int) >> (8 - depth), depth) for depth in (1, 2, 4, 8)
    }
    files["16"] = interlaced(grey.astype(int) * 9, 16)
    for name, expected, found in compared(files, tmp_path):
        assert "error" not in expected
        assert found == expected, name


@pytest.mark.parametrize(
    "kind", ["PNG", "mended PNG", "JPEG", "progressive JPEG", "JPEG with restarts"]
)
def test_damage_is_refused_where_the_runtime_refuses_it(kind: str, tmp_path: Path) -> None:
    scan = scans(1)[0].resize((90, 110))
    rgb = Image.merge("RGB", (scan, scan.rotate(4), scan))
    make: dict[str, Callable[[], bytes]] = {
        "PNG": lambda: packed(scan),
        "mended PNG": lambda: packed(rgb),
        "JPEG": lambda: packed(scan, "JPEG"),
        "progressive JPEG": lambda: packed(rgb, "JPEG", progressive=True),
        "JPEG with restarts": lambda: packed(rgb, "JPEG", restart_marker_rows=1),
    }
    content = make[kind]()
    chance = random.Random(0)  # noqa: S311 -- no secret
    files = {str(number): damaged(content, chance) for number in range(80)}
    if kind == "mended PNG":
        files = {name: mended(content) for name, content in files.items()}
    refused = 0
    for name, expected, found in compared(files, tmp_path):
        # A JPEG that passes the check and that libjpeg cannot decode: refused by the browser's decoder, absent here.
        if found != {"error": "inference_failed"}:
            assert found.get("error") == expected.get("error"), name
        refused += "error" in expected
    assert refused > 20


def test_a_digest_without_the_browsers_help_is_the_same() -> None:
    code = f"""
        import {{ sha256, sha256InJs }} from "{(MODULES / "sha256.js").as_uri()}";
        for (const size of [0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100003]) {{
            const bytes = Uint8Array.from({{ length: size }}, (_, i) => (i * 7 + size) & 255);
            const own = Array.from(sha256InJs(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
            if (own !== (await sha256(bytes))) throw new Error(`differs for ${{size}} bytes`);
        }}"""
    subprocess.run(["node", "--input-type=module", "-e", code], check=True, timeout=60)
