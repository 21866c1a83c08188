"""What a refitted bundle's answers to the site's images look like."""

from edge_infer.bundle import Bundle
from export.drift_baseline import drift_of, with_drift
from export.refit.answers import SiteAnswers
from train.data.samples import Progress

__all__ = ["add_baseline"]


def add_baseline(
    bundle: Bundle,
    site: SiteAnswers,
    *,
    source: str,
    with_points: bool,
    progress: Progress = lambda _done, _total: None,
) -> Bundle:
    """Return the bundle, written again with a baseline; as it is where there are fewer than 100 images.

    Images on which the image checks abstain count too: later results will hold such images.

    Args:
        bundle: The refitted one.
        site: Its images.
        source: What they are, in words.
        with_points: See ``drift_of``.
        progress: Called with (done, total) after each image.
    """
    images = [*site.paths, *(path for path, _ in site.doubtful)]
    groups = [*site.groups, *[""] * len(site.doubtful)]
    drift = drift_of(
        bundle,
        images,
        groups=groups,
        source=source,
        with_points=with_points,
        progress=progress,
    )
    return bundle if drift is None else with_drift(bundle, bundle.path, drift)
