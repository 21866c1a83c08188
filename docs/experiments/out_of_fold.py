"""Join the answers of five folds into the out_of_fold.csv that lies beside a shipped checkpoint.

    python docs/experiments/out_of_fold.py --manifest DATA/manifest.csv --dataset brisc2025 \
        --output export/checkpoints/efficientnet-lite/out_of_fold.csv runs/fold-*/brisc/predictions.csv

Rows of the test part of the manifest's own split are left out: the figures that this project publishes are measured on
it. What remains is group, label and logits; no name of an image.
"""

import csv
import io
from pathlib import Path

import click

from edge_infer.atomic import write_bytes_atomically
from edge_infer.contract import LABELS
from train.data.manifest_csv import read_manifest

_COLUMNS = ("group", "label", *(f"logit_{label}" for label in LABELS))


@click.command()
@click.option("--manifest", type=click.Path(path_type=Path), required=True)
@click.option("--dataset", required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True)
@click.argument("predictions", type=click.Path(path_type=Path), nargs=-1, required=True)
def main(manifest: Path, dataset: str, output: Path, predictions: tuple[Path, ...]) -> None:
    """Write the rows outside of the test part, sorted."""
    samples = {
        Path(sample.name).name: sample
        for sample in read_manifest(manifest)
        if sample.dataset == dataset
    }
    rows = []
    for path in predictions:
        for answer in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
            sample = samples[Path(answer["name"]).name]
            if sample.class_name != answer["label"] or sample.group != answer["group"]:
                raise click.ClickException(f"{sample.name}: another label or group than in {path}")
            if sample.split != "test":
                numbers = [f"{float(answer[column]):.6g}" for column in _COLUMNS[2:]]
                rows.append((sample.group, sample.class_name, *numbers))
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([_COLUMNS, *sorted(rows)])
    write_bytes_atomically(output, text.getvalue().encode())
    print(f"{len(rows)} rows to {output}")


if __name__ == "__main__":
    main()
