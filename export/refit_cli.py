"""``brain-refit``: a bundle and a site's own images in, a new bundle out. Needs no torch."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_infer.console import (
    Command,
    NamedPath,
    progress_bar,
    results_stream,
    say,
)
from edge_infer.contract import POSSIBLE_BUNDLE_FILES, RESEARCH_USE_ONLY

if TYPE_CHECKING:
    from edge_infer.classes import Classes
    from export.refit.site_images import SiteImage

__all__ = ["main"]

# What may not be read is an error of its own, not one of usage: click does not look.
_FOLDER = NamedPath(path_type=Path, file_okay=False, readable=False)
_FILE = NamedPath(path_type=Path, dir_okay=False, readable=False)


@click.command("brain-refit", cls=Command, epilog=RESEARCH_USE_ONLY)
@click.option(
    "--bundle",
    type=_FOLDER,
    help="Bundle to refit; it stays as it is. Default: the bundle shipped in the package.",
)
@click.option(
    "--on",
    "folder",
    type=_FOLDER,
    required=True,
    help="Folder of images of this site, such as it will send: at least 50, of many patients.",
)
@click.option(
    "--by-folder",
    is_flag=True,
    help="The images are labelled: subfolders are named as the bundle's classes (of the shipped one: glioma, "
    "meningioma, no_tumor, pituitary).",
)
@click.option(
    "--manifest",
    type=_FILE,
    help="The images are labelled: a CSV file with the columns path (from its own folder), label and, so that a "
    "patient counts once, group or patient_id.",
)
@click.option(
    "--drift-points",
    is_flag=True,
    help="Also keep 25 numbers of the embedding of each of up to 256 images in the bundle, so that brain-drift tests "
    "embeddings against it.",
)
@click.option("--output", type=_FOLDER, required=True, help="Folder of the new bundle.")
def main(
    bundle: Path | None,
    folder: Path,
    by_folder: bool,
    manifest: Path | None,
    drift_points: bool,
    output: Path,
) -> None:
    """Fit when a bundle abstains to a site's own images.

    Writes a new bundle with the same model. Without labels only the threshold of the scope check is fitted. With labels
    temperature and prediction sets are fitted too; each class needs at least 9 patients. From 100 images on, the new
    bundle also says what its answers to them look like, for brain-drift. Of the images, only counts, thresholds,
    quantiles and the name of their folder enter the bundle, unless --drift-points asks for more.

    \b
    Example:
      brain-refit --on scans/ --output our-bundle
      brain-refit --on scans/ --manifest labels.csv --output our-bundle
    """
    if by_folder and manifest:
        raise click.UsageError("--by-folder and --manifest exclude each other")
    with results_stream() as results:
        from edge_infer.atomic import refuse_other_content
        from edge_infer.bundle import load_bundle, shipped_bundle_path
        from edge_infer.bundle_session import open_bundle_session
        from edge_infer.contract import SCOPE_FILE
        from edge_infer.self_test import require_golden_answers
        from export.refit.answers import ask_site
        from export.refit.baseline import add_baseline
        from export.refit.cautions import cautions_after, cautions_before
        from export.refit.new_bundle import bundle_contents, refuse_mixed_folders, write_refit
        from export.refit.recorded import recorded_command, recorded_source
        from export.refit.refitting import check_bundle, refit
        from export.refit.text import refit_text

        old_path = bundle or shipped_bundle_path()
        source = recorded_source(folder)
        refuse_mixed_folders(old_path, folder, output)
        refuse_other_content(output, POSSIBLE_BUNDLE_FILES, what="a bundle")
        old = load_bundle(old_path)
        images = _images(folder, manifest, old.classes, by_folder=by_folder)
        labelled = by_folder or manifest is not None
        check_bundle(old, labelled=labelled)
        contents = bundle_contents(old)
        session = open_bundle_session(old)
        require_golden_answers(old, session, "quick")
        with progress_bar("Asking") as progress:
            site = ask_site(old, session, images, progress, skip_doubtful=not labelled)
        say(f"{len(site.logits)} images, {'labelled' if labelled else 'without labels'}")
        for line in cautions_before(site, folder):
            say(line)
        fitted = refit(
            old,
            contents.get(SCOPE_FILE),
            site,
            source=source,
            command=recorded_command(
                bundle=bundle,
                folder=folder,
                by_folder=by_folder,
                manifest=manifest,
                output=output,
            ),
        )
        for line in cautions_after(old, site, fitted, folder):
            say(line)
        new = write_refit(output, old, contents, fitted)
        with progress_bar("Asking the new bundle") as progress:
            new = add_baseline(
                new, site, source=source, with_points=drift_points, progress=progress
            )
        if new.baseline is None:
            say("fewer than 100 images: the bundle has no baseline for brain-drift")
        results.write(refit_text(old, new) + "\n")
        results.write(f"{RESEARCH_USE_ONLY}\n")


def _images(
    folder: Path, manifest: Path | None, classes: "Classes", *, by_folder: bool
) -> "list[SiteImage]":
    from export.refit.site_images import (
        folder_images,
        has_class_folders,
        labelled_images,
        listed_images,
    )

    if manifest is not None:
        return listed_images(folder, manifest, classes)
    if by_folder:
        return labelled_images(folder, classes)
    images = folder_images(folder)
    if has_class_folders(images, folder, classes):
        say("subfolders are named as classes; to use them as labels, add --by-folder")
    return images


if __name__ == "__main__":
    main()
