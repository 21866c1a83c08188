from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from train.volumes.slices import read_slices


def test_the_table_of_healthy_heads_is_one_that_the_command_reads(
    load_experiment: Callable[[str], ModuleType], tmp_path: Path
) -> None:
    script = load_experiment("healthy_volumes")
    pixels = np.zeros((4, 4), dtype=np.uint8)
    cuts = [
        ("mni152", script.Cut("mni152_ax_40", "mni152_ax", 40, "axial", pixels)),
        ("other", script.Cut("other_x", "other", 0, "", pixels)),
    ]
    script.write_volumes_table(tmp_path / "volumes.csv", cuts)
    first, second = read_slices(tmp_path / "volumes.csv")
    assert (first.source, first.patient, first.volume, first.position) == (
        *("mni152 T1", "mni152", "mni152_ax"),
        40,
    )
    assert first.image == tmp_path / "no_tumor" / "mni152_ax_40.png"
    assert not first.shows_tumour
    assert second.volume == "other"
