"""The vocabulary of column names: which role a name suggests, and whether it marks a predicted or
an annotated value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Marker = Literal["predicted", "true", ""]
Purpose = Literal["annotations", "predictions"]

IMAGE_NAMES = (
    (
        "image",
        "imagepath",
        "imagefile",
        "imagefilename",
        "imagefilepath",
        "imagename",
        "img",
        "imgpath",
        "imgfile",
        "imgname",
        "picture",
        "picturepath",
        "photo",
        "path",
        "filename",
        "file",
        "filepath",
        "fname",
        "imageurl",
    ),
    ("imageid", "imgid", "imageindex", "imageidx", "imagekey", "pictureid"),
    ("id",),
)
"""Compact names of image columns, in tiers: paths, ids of images, other ids."""
CONCEPT_LIST_NAMES = ("tags", "labels", "concepts", "classes", "categories", "findinglabels")
"""Compact names that announce several concepts per cell."""
CONCEPT_ID_NAMES = (
    *("classid", "categoryid", "labelid", "conceptid", "clsid"),
    *("classindex", "classidx", "labelindex", "labelidx", "categoryindex", "categoryidx"),
)
"""Compact names of columns that number concepts."""
CONCEPT_NAMES = (
    (
        "concept",
        "label",
        "class",
        "category",
        "classname",
        "categoryname",
        "labelname",
        "labeltext",
        "classtext",
        "conceptname",
        "classlabel",
        "objectclass",
        "objectcategory",
        "objectlabel",
        "cls",
        *("tag", "tagname", "bboxlabel"),
        *CONCEPT_LIST_NAMES,
    ),
    ("name", "objectname", "species"),
    (*CONCEPT_ID_NAMES, "index"),
)
"""Compact names of concept columns, in tiers: names, weaker names, ids."""
MARKED_CONCEPT_NAMES = ("", "y", "idx", "index")
"""What may remain of a concept column's name beside its marker: `prediction`, `y_true`."""
SCORE_NAMES = (
    *("proba", "probas", "yprob", "yproba", "yscore", "maxprob"),
    "score",
    "scores",
    "confidence",
    "conf",
    "probability",
    "prob",
    "probs",
    "confidencescore",
    "classscore",
    "detectionscore",
    "probabilities",
    "likelihood",
    "yscore",
    *("certainty", "objectness", "percentageprobability", "detectionconfidence"),
    *("classconfidence", "classprobability", "predictionscore"),
)
SPLIT_NAMES = (
    *("split", "subset", "partition", "set", "datasetsplit", "usage", "stage", "phase", "fold"),
    *("datasetpart", "datasetpartition", "datasetsubset", "part"),
)
SPLIT_FLAGS = {
    "isvalid": ("validation", "training"),
    "isval": ("validation", "training"),
    "isvalidation": ("validation", "training"),
    "istrain": ("training", "validation"),
    "istraining": ("training", "validation"),
    "istest": ("test", "training"),
    "inval": ("validation", "training"),
    "invalidation": ("validation", "training"),
    "intrain": ("training", "validation"),
    "intraining": ("training", "validation"),
    "intest": ("test", "training"),
}
"""Compact names of columns of 0 and 1 about splits: the split of 1 and that of 0."""
IGNORE_NAMES = (
    *("ignore", "iscrowd", "difficult", "crowd", "ignored", "isignored", "ignoreflag", "dontcare"),
    *("isgroupof", "groupof", "isdifficult", "isignore"),
)
BOX_LIST_NAMES = (
    "bbox",
    "box",
    "boundingbox",
    "bndbox",
    "rect",
    "boxes",
    "bboxes",
    "bboxxyxy",
    "bboxxywh",
    "boxxyxy",
    "boxxywh",
    "xyxy",
    "xywh",
    "cxcywh",
    "detectionbox",
    "detectionboxes",
)
PREDICTED_TOKENS = {
    "pred",
    "preds",
    "predict",
    "predicted",
    "prediction",
    "predictions",
    "yhat",
} | ({"ypred", "det", "detected", "inferred", "output", "outputs", "argmax"})
TRUE_TOKENS = {"true", "gt", "actual", "target", "truth", "groundtruth", "expected", "ytrue"} | (
    {"annotated", "gold"}
)
BOX_TOKENS = {"bbox", "box", "bounding", "bndbox", "rect", "roi", "bb", "coord", "coords"}
INDEX_COLUMN_PATTERN = re.compile(r"(unnamed|column)_?\d*|index_level_0|")
"""Normalised names of an exported data frame index."""
METADATA_TOKENS = {
    *("is", "has", "flag", "fold", "kfold", "flipped", "augmented", "verified", "reviewed"),
    *("checked", "occluded", "occlusion", "truncated", "difficult", "iscrowd", "annotator"),
    *("rater", "patient", "site", "scanner", "sex", "gender", "pose", "row", "level", "num"),
    *("count", "id"),
}
"""Words of columns of 0 and 1 that usually describe the image or the object."""
VALUE_NAMES = ("value", "answer", "present", "ispresent", "positive", "ispositive", "exists")
"""Compact names of columns that state whether the concept of a row is there."""
COLLECTIONS = (
    *("folder", "dir", "directory", "subfolder", "subdir", "bucket", "archive", "album", "drive"),
    *("camera", "cam", "video", "clip", "movie", "film", "scene", "sequence", "session", "series"),
    *("patient", "subject", "study", "slide", "flight", "mission", "trip", "recording", "page"),
)
FOLDER_NAMES = (
    *("frame", "imageid", "imgid", "frameid", "frameindex", "frameidx", "framenumber", "frameno"),
    *("framenum", "slice", "tile", "tileid", *COLLECTIONS),
    *(f"{collection}{suffix}" for collection in COLLECTIONS for suffix in ("id", "name", "uid")),
    *(f"{collection}{suffix}" for collection in COLLECTIONS for suffix in ("no", "number", "path")),
)
"""Compact names of columns that may belong to the name of an image."""
GROUP_NAMES = (
    *("batch", "user", "date", "day", "dataset", "parent", "group", "run", "site", "job", "task"),
    *("location", "station", "project", "document", "doc", "case", "volume", "plate", "well"),
)
"""Those that may as well describe an object: they belong to the name where the rows of each value
follow one another."""


def is_index_name(column_name: str) -> bool:
    """Whether a name is that of the unnamed index of an exported data frame. One of signs alone,
    such as an emoji, is a name."""
    normalized = normalize_column_name(column_name)
    is_name = not normalized and bool(column_name.strip(" _"))
    return INDEX_COLUMN_PATTERN.fullmatch(normalized) is not None and not is_name


def normalize_column_name(column_name: str) -> str:
    """The column name in lower case with `_` between words: `Image Path`, `imagePath` and
    `ImagePath` become `image_path`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", column_name.strip())
    return re.sub(r"[\W_]+", "_", spaced.casefold()).strip("_")


@dataclass(frozen=True)
class ColumnName:
    """A column name taken apart.

    Attributes:
        column: as in the file
        marker: whether it names a predicted or a true value
        rest: the other words, without separators
        tokens: all words
    """

    column: str
    marker: Marker
    rest: str
    tokens: tuple[str, ...]

    @property
    def box_part(self) -> str:
        """The rest without words such as `bbox` in front."""
        tokens = [t for t in self.tokens if t not in PREDICTED_TOKENS | TRUE_TOKENS]
        while len(tokens) > 1 and tokens[0] in BOX_TOKENS:
            tokens = tokens[1:]
        return "".join(tokens)


def parse_column_name(column_name: str) -> ColumnName:
    normalized = normalize_column_name(column_name)
    normalized = normalized.replace("ground_truth", "groundtruth").replace("y_hat", "yhat")
    tokens = tuple(normalized.split("_"))
    is_predicted = any(token in PREDICTED_TOKENS for token in tokens)
    is_true = any(token in TRUE_TOKENS for token in tokens)
    marker: Marker = "predicted" if is_predicted else "true" if is_true else ""
    rest = [token for token in tokens if token not in PREDICTED_TOKENS | TRUE_TOKENS]
    return ColumnName(column_name, marker, "".join(rest), tokens)


def name_tier(rest: str, tiers: tuple[tuple[str, ...], ...]) -> int | None:
    """The index of the first tier that has the name; None if there is none."""
    return next((tier for tier, names in enumerate(tiers) if rest in names), None)


def looks_like_metadata(column_name: str) -> bool:
    return any(token in METADATA_TOKENS for token in normalize_column_name(column_name).split("_"))
