"""Files in a folder are classified or reported as left out; forbidden ones are errors of their own."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tiny_bundle import scan

from edge_infer.cli import main
from edge_infer.errors import NoInputs, UnreadableInput
from edge_infer.inputs import expand_inputs

LONG = "a" * 300


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two scans in two folders, one of them linked, and other files."""
    folder = tmp_path / "scans"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    scan().save(folder / "sub" / "b.png")
    scan().save(tmp_path / "elsewhere" / "c.png")
    (folder / "linked").symlink_to("../elsewhere")
    (folder / "sub" / "up").symlink_to("..")
    (folder / "gone.png").symlink_to("nothing.png")
    for name in ("scan.dcm", "slide.webp", "b.heatmap.png", ".hidden", "._b.png"):
        (folder / name).write_bytes(b"")
    for name in ("@eaDir", "__MACOSX", "#recycle"):  # a network drive's thumbnails, macOS's, a bin
        (folder / name).mkdir()
        scan().save(folder / name / "b.png")
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_linked_folders_are_read_once_and_broken_links_are_images(folder: Path) -> None:
    found = expand_inputs([folder])
    names = [path.name for path in found.images if isinstance(path, Path)]
    assert names == ["gone.png", "c.png", "b.png"]
    assert [path.name for path in found.repeated] == ["up"]


def test_what_is_left_out_is_counted_and_named(folder: Path, bundle_path: Path) -> None:
    result = run("--json", "--bundle", bundle_path, folder)
    assert result.exit_code == 100
    assert len(result.stdout.splitlines()) == 3
    assert "2 of 3 classified, 1 failed: 2 accepted, 0 abstained\n" in result.stderr
    left_out = result.stderr.splitlines()[-1]
    assert left_out.startswith("left out: 1 named as heatmaps are")
    assert "2 without an image's ending (scan.dcm, slide.webp)" in left_out
    assert "1 linked to a folder that is read already (up)" in left_out
    assert "hidden" not in left_out


def test_of_many_left_out_the_first_are_named(tmp_path: Path) -> None:
    scan().save(tmp_path / "a.png")
    for number in range(9):
        (tmp_path / f"{number}.dcm").touch()
    assert "9 without an image's ending (0.dcm, 1.dcm, 2.dcm and 6 more)" in (
        expand_inputs([tmp_path]).left_out
    )


def test_a_folder_of_other_files_says_so(tmp_path: Path) -> None:
    (tmp_path / "scan\x1b.dcm").touch()
    with pytest.raises(NoInputs, match=r"no image; left out: 1 without.*scan\\x1b\.dcm"):
        expand_inputs([tmp_path])


def test_folders_deeper_than_pythons_stack_are_read(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"d" * 150)
    deep.mkdir(parents=True)
    scan().save(deep / "a.png")
    program = (
        "import sys; from pathlib import Path; from edge_infer.inputs import expand_inputs\n"
        "expand_inputs([Path(sys.argv[1])]); sys.setrecursionlimit(100)\n"
        "print(len(expand_inputs([Path(sys.argv[1])]).images))"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"1\n"


@pytest.mark.parametrize("name", [f"{LONG}.png", "loop.png", "a.png/b.png"])
def test_a_name_that_cannot_be_is_one_images_error(
    name: str, bundle_path: Path, scan_path: Path, tmp_path: Path
) -> None:
    (tmp_path / "loop.png").symlink_to("loop.png")
    scan().save(tmp_path / "a.png")
    alone = run("--bundle", bundle_path, tmp_path / name)
    assert alone.exit_code == 20
    both = run("--bundle", bundle_path, scan_path, tmp_path / name)
    assert both.exit_code == 100
    assert both.stdout.startswith(f"{scan_path}: ")
    with_maps = run(
        "--bundle", bundle_path, "--heatmap", tmp_path / "m", scan_path, tmp_path / name
    )
    assert with_maps.exit_code == 100
    assert (tmp_path / "m" / "scan.heatmap.png").is_file()


def test_names_of_heatmaps_fit_and_differ(bundle_path: Path, tmp_path: Path) -> None:
    folder, maps = tmp_path / "in", tmp_path / "maps"
    folder.mkdir()
    names = ["n" * 250 + "1", "n" * 250 + "2", "č" * 120, "脳" * 80]
    for name in names:
        scan().save(tmp_path / "scan.png")
        (tmp_path / "scan.png").rename(folder / f"{name}.png")
    result = run("--bundle", bundle_path, "--heatmap", maps, folder)
    assert result.exit_code == 0
    written = sorted(path.name for path in maps.iterdir())
    assert len(written) == 4
    assert all(name.endswith(".heatmap.png") for name in written)


def test_a_heatmap_that_cannot_be_written_is_a_failure_beside_its_answer(
    bundle_path: Path, tmp_path: Path
) -> None:
    images = [tmp_path / f"{name}.png" for name in "abc"]
    for image in images:
        scan().save(image)
    maps = tmp_path / "maps"
    (maps / "b.heatmap.png").mkdir(parents=True)
    result = run("--bundle", bundle_path, "--heatmap", maps, *images)
    assert result.exit_code == 100
    assert [f"{image}: " in result.stdout for image in images] == [True] * 3
    assert "3 of 3 classified, 0 failed, 1 without their heatmap" in result.stderr
    assert (maps / "c.heatmap.png").is_file()
    alone = run("--bundle", bundle_path, "--heatmap", tmp_path / "none" / "b.png", images[0])
    assert alone.exit_code == 40
    assert alone.stdout.startswith(f"{images[0]}: ")


@pytest.fixture
def as_ordinary_user(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run brain-infer without root's right to ignore permissions."""
    rights = "-dac_override,-dac_read_search"
    ordinary = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}"]
    prefix = ordinary if os.getuid() == 0 else []
    if prefix and not shutil.which("setpriv"):
        pytest.skip("run as root, and there is no setpriv to be less than root")

    def run_it(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-m", "edge_infer", *map(str, arguments)]
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environment},
        )

    closed = tmp_path / "closed"
    closed.mkdir()
    scan().save(closed / "x.png")
    scan().save(tmp_path / "unreadable.png")
    (tmp_path / "unreadable.png").chmod(0)
    closed.chmod(0)
    return run_it


def test_forbidden_folders_and_files_are_errors_of_their_own(
    bundle_path: Path,
    scan_path: Path,
    tmp_path: Path,
    as_ordinary_user: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    closed = tmp_path / "closed"
    try:
        for arguments, status in (
            ([closed / "x.png"], 20),
            ([scan_path, closed / "x.png", tmp_path / "unreadable.png"], 100),
            ([closed], 20),
            ([scan_path, "--heatmap", closed / "h.png"], 40),
            ([scan_path, scan_path, "--heatmap", closed / "h"], 40),
        ):
            result = as_ordinary_user("--bundle", bundle_path, *arguments)
            assert (result.returncode, "Traceback" in result.stderr) == (status, False)
        assert (
            as_ordinary_user(
                *("--bundle", bundle_path, scan_path), PYTHONPATH=f"{closed / 'lib'}"
            ).returncode
            == 0
        )
    finally:
        closed.chmod(0o700)


def test_a_forbidden_subfolder_is_not_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan().save(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    listed = os.listdir

    def list_folder(path: Path) -> list[str]:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "listdir", list_folder)
    with pytest.raises(UnreadableInput, match="closed: folder cannot be read"):
        expand_inputs([tmp_path])
