"""Embeddings that the user brings: a vector a picture, or a box; one file a view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.columns import Floats, Longs, Texts
from pellucid.errors import InvalidEmbeddingsError, FileMissingError
from pellucid.formats.cells import escape_glob
from pellucid.workspace.storage import writing

FILE = "embeddings.npz"
BOX = ("x", "y", "width", "height")
SAME_BOX = 0.1
"""Pixels by which the sides of a box may differ: files round them."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """image: text (n,) · box: float64 (n, 4), NaN for a whole picture's · vector: float32 (n, d)."""

    image: Texts
    box: Floats
    vector: np.ndarray

    @cached_property
    def _of_image(self) -> dict[str, Longs]:
        """The rows of each image."""
        order = np.argsort(self.image.astype(str), kind="stable")
        names, start = np.unique(self.image[order].astype(str), return_index=True)
        return dict(zip(names.tolist(), np.split(order, start[1:]), strict=True))

    def of_pictures(self, paths: Sequence[str] | Texts) -> Floats:
        return self._at([self._row(path, None) for path in paths])

    def of_boxes(self, paths: Sequence[str] | Texts, boxes: Floats) -> Floats:
        """The box's own, else that of its picture."""
        return self._at([self._row(path, box) for path, box in zip(paths, boxes, strict=True)])

    def _row(self, path: str, box: Floats | None) -> int:
        rows = self._of_image.get(path)
        if rows is None:
            return -1
        whole = np.isnan(self.box[rows]).any(axis=1)
        if box is not None and not whole.all():
            apart = np.where(whole, np.inf, np.abs(self.box[rows] - box).max(axis=1))
            if apart.min() <= SAME_BOX:
                return int(rows[np.argmin(apart)])
        return int(rows[whole][-1]) if whole.any() else -1

    def _at(self, several: list[int]) -> Floats:
        rows = np.array(several, np.int64)
        found = np.full((len(rows), self.vector.shape[1]), np.nan)
        found[rows >= 0] = self.vector[rows[rows >= 0]]
        return found


def keep_embeddings(folder: Path, workspace: Path, found: Embeddings) -> None:
    with writing(workspace):
        begun = folder / f".{FILE}.part"
        with begun.open("wb") as to:
            np.savez(to, image=np.array(found.image.tolist(), str), box=found.box, vector=found.vector)
        begun.replace(folder / FILE)


def kept_embeddings(folder: Path) -> Embeddings | None:
    file = folder / FILE
    if not file.is_file():
        return None
    with np.load(file) as kept:
        return Embeddings(kept["image"].astype(object), kept["box"], kept["vector"])


def read_embeddings(source: str | Path, names: str | Path | None, paths: Sequence[str]) -> Embeddings:
    """source: a table (CSV, Parquet) with `image`, `embedding` (a list, or a JSON text) and for boxes `x, y, width, height`; or a .npy
    of shape (n, d), whose rows are the pictures that `names` (a text file) lists, a line each. paths: of the view's images.
    Raises FileMissing, EmbeddingsBad."""
    path = Path(source)
    if not path.is_file():
        raise FileMissingError(path)
    found = from_array(path, names, paths) if path.suffix.lower() == ".npy" else from_table(path)
    if found.vector.ndim != 2 or not found.vector.shape[1] or not np.isfinite(found.vector).all():
        raise InvalidEmbeddingsError(path, f"the vectors are of shape {found.vector.shape}, or not all finite", "finite numbers, as many for each")
    known = set(paths)
    absent = [image for image in dict.fromkeys(found.image.tolist()) if image not in known]
    if len(absent) == len(set(found.image.tolist())):
        raise InvalidEmbeddingsError(path, f"none of its images is in the view (its first is '{absent[0]}')" if absent else "it is empty",
                            f"image paths as the view has them, such as '{paths[0]}'" if paths else "a view with images")  # fmt: skip
    return found


def from_array(path: Path, names: str | Path | None, paths: Sequence[str]) -> Embeddings:
    expected = "a float array of shape (images, dimensions)"
    try:
        vector = np.load(path, allow_pickle=False)
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise InvalidEmbeddingsError(path, f"it is no array of numbers ({error})", expected) from error
    if vector.ndim != 2 or vector.dtype.kind not in "fiu":
        raise InvalidEmbeddingsError(path, f"it holds {vector.dtype} of shape {vector.shape}", expected)
    vector = np.asarray(vector, np.float32)
    if names is not None and not Path(names).is_file():
        raise FileMissingError(names)
    try:
        lines = [] if names is None else Path(names).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidEmbeddingsError(names, f"it is not UTF-8 ({error})", "a text file with an image path a line") from error
    listed = list(paths) if names is None else [line.strip() for line in lines if line.strip()]
    if len(listed) != len(vector):
        expected = "a row for each image of --names, or of the view sorted by path"
        raise InvalidEmbeddingsError(path, f"it has {len(vector):,} rows for {len(listed):,} images", expected)
    if twice := [name for name, number in Counter(listed).items() if number > 1]:
        raise InvalidEmbeddingsError(names or path, f"'{twice[0]}' is named {listed.count(twice[0]):,} times", "each image once")
    image = np.empty(len(listed), object)
    image[:] = listed
    return Embeddings(image, np.full((len(listed), 4), np.nan), vector)


def from_table(path: Path) -> Embeddings:
    import duckdb

    reader = "read_parquet" if path.suffix.lower() == ".parquet" else "read_csv"
    try:
        with duckdb.connect() as connection:
            told = connection.execute(f"DESCRIBE SELECT * FROM {reader}(?, hive_partitioning = false)", [escape_glob(path)]).fetchall()
            columns = {str(name).lower(): name for name, *_ in told}
            if "image" not in columns or "embedding" not in columns:
                raise InvalidEmbeddingsError(path, f"its columns are {', '.join(map(str, columns.values()))}", "columns `image` and `embedding`")
            if 0 < sum(side in columns for side in BOX) < len(BOX):
                raise InvalidEmbeddingsError(path, f"its columns are {', '.join(map(str, columns.values()))}", "all of x, y, width, height, or none")
            sides = [f'"{columns[side]}"::DOUBLE' if side in columns else "NULL::DOUBLE" for side in BOX]
            names = f'"{columns["image"]}"::VARCHAR, "{columns["embedding"]}"::FLOAT[], {", ".join(sides)}'
            asked = f"SELECT {names} FROM {reader}(?, hive_partitioning = false)"
            rows = connection.execute(asked, [escape_glob(path)]).fetchall()
    except duckdb.Error as error:
        raise InvalidEmbeddingsError(path, str(error).split("\n", maxsplit=1)[0], "a table with columns `image` and `embedding` (a list)") from error
    lengths = {len(row[1] or ()) for row in rows}
    if len(lengths) != 1:
        raise InvalidEmbeddingsError(path, f"its vectors have {', '.join(map(str, sorted(lengths)[:4])) or 'no'} numbers", "as many for each image")
    image = np.empty(len(rows), object)
    image[:] = [row[0] for row in rows]
    return Embeddings(image, np.array([row[2:] for row in rows], float), np.array([row[1] for row in rows], np.float32))
