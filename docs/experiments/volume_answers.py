"""Write the volumes_out_of_fold.csv that lies beside a shipped checkpoint: each volume by the fold that left it out.

    python docs/experiments/volume_answers.py --manifest DATA/external/manifest.csv --dataset tcia_btp \
        --output export/checkpoints/efficientnet-lite/volumes_out_of_fold.csv \
        --fold runs/fold-1/checkpoint=btp04,btp11 --fold runs/fold-2/checkpoint=btp09,btp10 ...

What remains is patient, volume, plane, number of the slice, label and logits.
"""

import csv
import io
from pathlib import Path
from typing import get_args

import click
import numpy as np

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS
from edge_infer.image_file import read_image
from edge_infer.preprocessing import resize_grey
from edge_infer.scan_slice import Plane
from export.trust.logit_cells import LOGIT_COLUMNS
from train.evaluation.predictors import predictor
from train.volumes.slices import Filters, chosen_slices, read_slices


@click.command()
@click.option("--manifest", type=click.Path(path_type=Path), required=True)
@click.option("--dataset", required=True)
@click.option("--fold", "folds", metavar="CHECKPOINT=PATIENT,...", multiple=True, required=True)
@click.option("--plane", type=click.Choice(get_args(Plane)), default="axial", show_default=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
def main(manifest: Path, dataset: str, folds: tuple[str, ...], plane: str, output: Path) -> None:
    """Ask each fold's model about the volumes of the patients that it was trained without."""
    slices = read_slices(manifest)
    rows: list[list[str]] = []
    for fold in folds:
        checkpoint, _, patients = fold.rpartition("=")
        model = predictor(Path(checkpoint))
        filters = Filters(datasets=(dataset,), patients=tuple(patients.split(",")))
        for one in chosen_slices(slices, filters):
            seen = np.asarray(resize_grey(read_image(one.image), model.preprocessor))
            logits = [f"{value:.4f}" for value in model(seen[None]).ravel()]
            rows.append(
                [one.patient, one.volume, plane, str(one.position), LABELS[one.label], *logits]
            )
    twice = len(rows) - len({tuple(row[1:4]) for row in rows})
    if twice:
        raise click.ClickException(f"{twice} slices were left out by more than one fold")
    rows.sort(key=lambda row: (row[0], row[1], int(row[3])))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("group", "volume", "plane", "slice", "label", *LOGIT_COLUMNS))
    writer.writerows(rows)
    write_bytes_atomically(output, text.getvalue().encode())
    print(f"{len(rows)} slices to {output}")


if __name__ == "__main__":
    main()
