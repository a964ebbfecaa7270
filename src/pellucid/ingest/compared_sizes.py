"""The sizes of images that a comparison of boxes needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pellucid.core.tables import Images
from pellucid.formats.dataset import ParsedPredictions
from pellucid.ingest.box_agreement import most_confident_rows
from pellucid.ingest.box_scaling import parse_image_sizes
from pellucid.ingest.references import Interpretation

MAX_SIZES_READ = 300
"""Of images whose size is not known, to tell in which unit their boxes are."""


def with_compared_sizes(
    source: ParsedPredictions, image_refs: Interpretation, images: Images, folders: Sequence[str]
) -> Images:
    """The images with the sizes that the comparison of boxes needs: of all images of the source
    if its boxes are fractions, else of some images of the most confident boxes."""
    if source.box is None or not len(source.score) or not folders:
        return images
    rows = most_confident_rows(source.score, len(source.score))
    image_rows = image_refs.positions[
        source.image if source.unit == "fractions" else source.image[rows]
    ]
    image_rows = image_rows[image_rows >= 0]
    _, first_places = np.unique(image_rows, return_index=True)
    distinct_rows = image_rows[np.sort(first_places)].astype(np.int64)
    if source.unit != "fractions":
        distinct_rows = distinct_rows[:MAX_SIZES_READ]
    return parse_image_sizes(images, distinct_rows, folders)
