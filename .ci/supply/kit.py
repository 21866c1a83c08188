"""Make a kit: a folder from which a workstation without a network installs, with every byte accounted for.

    python .ci/supply/kit.py --output dist/kit
    python .ci/supply/kit.py --output dist/kit-windows --platform windows --extras cpu,dicom
    python .ci/supply/kit.py --output dist/kit --bundle bundles/efficientnet-lite-int8

It holds the wheels of the lock, ours built here, ``requirements.txt`` with a hash for each, ``install.py``, the SBOM,
the ML-BOM of the bundle, the list of foreign software (SOUP), and ``SHA256SUMS``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from distributions import built, copied, digest
from lock import EXTRAS, LOCK, compiled
from sbom import rendered, sbom_of_wheels
from tqdm import tqdm
from wheels import facts, faults

from edge_infer.bundle import load_bundle, shipped_bundle_path
from edge_infer.signature.verify import signature_path
from export.ml_bom import ml_bom

_TOP = Path(__file__).resolve().parents[2]

#: The oldest systems that all wheels of the lock are made for: what uv calls them, and what their wheels may be tagged.
PLATFORMS = {
    "linux": (
        "x86_64-manylinux_2_28",
        (
            "manylinux_2_28_x86_64",
            "manylinux_2_27_x86_64",
            "manylinux_2_17_x86_64",
            "manylinux2014_x86_64",
        ),
    ),
    "windows": ("x86_64-pc-windows-msvc", ("win_amd64",)),
    "macos": (
        "aarch64-apple-darwin",
        ("macosx_14_0_arm64", "macosx_13_0_arm64", "macosx_12_0_arm64", "macosx_11_0_arm64"),
    ),
}
os.environ.setdefault("MACOSX_DEPLOYMENT_TARGET", "14.0")  # uv asks for this one there


def main() -> None:
    """Make the kit that the options ask for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, default=Path("dist/kit"))
    parser.add_argument("--extras", default="cpu,dicom,nifti,node,serve,trust")
    parser.add_argument("--platform", choices=PLATFORMS, default="linux")
    parser.add_argument("--python", default="3.11", help="version of Python on the workstations")
    parser.add_argument("--bundle", type=Path, help="a bundle beside the one in the package")
    options = parser.parse_args()
    if options.bundle is not None and options.bundle.name in ("", ".."):
        parser.error(f"--bundle is {options.bundle}: name the folder itself, such as bundles/NAME")
    extras = tuple(options.extras.split(","))
    if set(extras) - set(EXTRAS) or "cpu" not in extras:
        parser.error(
            f"--extras is {options.extras}, expected cpu and others of {', '.join(EXTRAS)}"
        )
    if options.output.exists():
        parser.error(f"{options.output} exists: name a new folder, or remove it")
    with tempfile.TemporaryDirectory(dir=_made(options.output.parent)) as folder:
        kit = Path(folder) / "kit"
        _fill(kit, extras, options)
        kit.rename(options.output)
    size = sum(path.stat().st_size for path in options.output.rglob("*") if path.is_file())
    print(
        f"{options.output}: {len(list((options.output / 'wheels').iterdir()))} wheels, {size / 1e6:.0f} MB"
    )
    print(f"SHA-256 of SHA256SUMS: {digest(options.output / 'SHA256SUMS')}")


def _fill(kit: Path, extras: tuple[str, ...], options: argparse.Namespace) -> None:
    wheels = _made(kit / "wheels")
    with tqdm(total=4, unit="step", desc="our wheel") as bar:

        def next_is(step: str) -> None:
            bar.update()
            bar.set_description(step)

        with tempfile.TemporaryDirectory() as copy:
            (own,) = built(copied(Path(copy) / "copy"), wheels, only_wheel=True)
        next_is("the others")
        _others(kit, own, extras, options)
        next_is("what runs by itself")
        found = [fault for path in sorted(wheels.iterdir()) for fault in faults(path)]
        if found:
            raise SystemExit("\n".join(found))
        next_is("documents")
        _documents(kit, own, options.bundle)
        _sums(kit)
        next_is("done")


def _others(kit: Path, own: Path, extras: tuple[str, ...], options: argparse.Namespace) -> None:
    """Fetch the wheels of the lock that these extras need, and write the requirements, ours among them."""
    system, tags = PLATFORMS[options.platform]
    chosen = compiled(
        extras,
        f"--python-platform={system}",
        f"--constraint={LOCK}",
        python=options.python,
    )
    foreign = kit / "foreign.txt"
    foreign.write_text(chosen, "utf-8")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    command += [
        "--require-hashes",
        "--only-binary=:all:",
        f"--dest={kit / 'wheels'}",
        f"--requirement={foreign}",
    ]
    command += [f"--platform={name}" for name in tags]
    command += [f"--python-version={options.python}", "--implementation=cp"]
    subprocess.run(command, check=True)
    foreign.unlink()
    kept = {f"--hash=sha256:{digest(path)}" for path in (kit / "wheels").iterdir()}
    lines = [f"brain-edge=={facts(own)['version']} --hash=sha256:{digest(own)}"]
    for entry in chosen.replace("\\\n", " ").splitlines():
        words = entry.split()
        mine = [
            word for word in words if word in kept
        ]  # of the hashes of all systems, that of the wheel in the kit
        if mine:
            lines.append(" ".join([word for word in words if not word.startswith("--hash")] + mine))
    (kit / "requirements.txt").write_text("\n".join(sorted(lines)) + "\n", "utf-8")


def _documents(kit: Path, own: Path, bundle: Path | None) -> None:
    here = Path(__file__).resolve().parent
    soup = tomllib.loads((here / "soup.toml").read_text("utf-8"))
    wheels = sorted((kit / "wheels").iterdir())
    (kit / "sbom.cdx.json").write_bytes(rendered(sbom_of_wheels(own, wheels, soup)))
    bundles = {"shipped": shipped_bundle_path()} | ({bundle.name: bundle} if bundle else {})
    for name, folder in bundles.items():
        (kit / f"ml-bom-{name}.cdx.json").write_bytes(rendered(ml_bom(load_bundle(folder))))
    if bundle:
        _pack_bundle(bundle, kit / "bundles")
    shutil.copy(here / "install.py", kit)
    for page in ("docs/soup.md", "LICENSE"):
        shutil.copy(_TOP / page, kit)


def _pack_bundle(bundle: Path, into: Path) -> None:
    """Copy a bundle, and the signature that lies beside it where it was signed."""
    packed = _made(into) / bundle.name
    shutil.copytree(bundle, packed)
    signature = signature_path(bundle)
    if signature.exists():
        shutil.copy(signature, signature_path(packed))


def _sums(kit: Path) -> None:
    files = sorted(path for path in kit.rglob("*") if path.is_file())
    lines = [f"{digest(path)}  {path.relative_to(kit).as_posix()}" for path in files]
    (kit / "SHA256SUMS").write_text("\n".join(lines) + "\n", "utf-8")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


if __name__ == "__main__":
    main()
