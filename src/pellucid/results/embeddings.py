"""User-provided embeddings: a vector per image or per box; one file per view."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pellucid.core.duckdb_cursor import open_cursor, query_errors
from pellucid.core.errors import FileMissingError
from pellucid.core.files import atomic_write
from pellucid.core.sql_quoting import escape_glob
from pellucid.core.tables import Float64Array, Int64Array, StringArray
from pellucid.results.errors import InvalidEmbeddingsError
from pellucid.storage.file_names import EMBEDDINGS_FILE, TEXT_MODEL_FILE
from pellucid.storage.files import write_lock

BOX_COLUMNS = ("x", "y", "width", "height")
BOX_TOLERANCE = 0.1
"""Tolerance in pixels when boxes are compared, as files round coordinates."""


@dataclass(frozen=True, eq=False)
class Embeddings:
    """Embeddings that the user gave, of images or of boxes in them.

    Attributes:
        image: text (n,)
        box: float64 (n, 4), NaN for a whole image
        vector: float32 (n, d)
    """

    image: StringArray
    box: Float64Array
    vector: np.ndarray

    @cached_property
    def _rows_by_image(self) -> dict[str, Int64Array]:
        """Row indexes by image path."""
        order = np.argsort(self.image.astype(str), kind="stable")
        image_paths, start = np.unique(self.image[order].astype(str), return_index=True)
        return dict(zip(image_paths.tolist(), np.split(order, start[1:]), strict=True))

    def picture_vectors(self, paths: Sequence[str] | StringArray) -> Float64Array:
        return self._take_vectors([self._find_row(path, None) for path in paths])

    def box_vectors(self, paths: Sequence[str] | StringArray, boxes: Float64Array) -> Float64Array:
        """The vector of each box, or else of its image."""
        return self._take_vectors(
            [self._find_row(path, box) for path, box in zip(paths, boxes, strict=True)]
        )

    def _find_row(self, path: str, box: Float64Array | None) -> int:
        image_rows = self._rows_by_image.get(path)
        if image_rows is None:
            return -1
        is_whole_picture = np.isnan(self.box[image_rows]).any(axis=1)
        if box is not None and not is_whole_picture.all():
            distance = np.where(
                is_whole_picture, np.inf, np.abs(self.box[image_rows] - box).max(axis=1)
            )
            if distance.min() <= BOX_TOLERANCE:
                return int(image_rows[np.argmin(distance)])
        return int(image_rows[is_whole_picture][-1]) if is_whole_picture.any() else -1

    def _take_vectors(self, vector_rows: list[int]) -> Float64Array:
        row_indexes = np.array(vector_rows, np.int64)
        vectors = np.full((len(row_indexes), self.vector.shape[1]), np.nan)
        vectors[row_indexes >= 0] = self.vector[row_indexes[row_indexes >= 0]]
        return vectors


def save_embeddings(folder: Path, workspace: Path, embeddings: Embeddings) -> None:
    (folder / TEXT_MODEL_FILE).unlink(missing_ok=True)  # of the embeddings of before
    with (
        write_lock(workspace),
        atomic_write(folder / EMBEDDINGS_FILE, locked=True) as temp_path,
        temp_path.open("wb") as stream,
    ):
        np.savez(
            stream,
            image=np.array(embeddings.image.tolist(), str),
            box=embeddings.box,
            vector=embeddings.vector,
        )


def load_embeddings(folder: Path) -> Embeddings | None:
    file = folder / EMBEDDINGS_FILE
    if not file.is_file():
        return None
    with np.load(file) as arrays:
        return Embeddings(arrays["image"].astype(object), arrays["box"], arrays["vector"])


def import_embeddings(
    source: str | Path, image_list: str | Path | None, paths: Sequence[str]
) -> Embeddings:
    """source: a table (CSV, Parquet) with `image`, `embedding` (a list or JSON array) and for
    boxes `x, y, width, height`; or a .npy of shape (n, d), with the image path of each row in the
    text file `image_list`. paths: of the view's images. Raises FileMissingError,
    InvalidEmbeddingsError."""
    path = Path(source)
    if not path.is_file():
        raise FileMissingError(path)
    embeddings = (
        load_vector_array(path, image_list, paths)
        if path.suffix.lower() == ".npy"
        else load_vector_table(path)
    )
    if (
        embeddings.vector.ndim != 2
        or not embeddings.vector.shape[1]
        or not np.isfinite(embeddings.vector).all()
    ):
        raise InvalidEmbeddingsError(
            path,
            f"vectors of shape {embeddings.vector.shape}, or not all finite",
            "finite vectors of one length",
        )
    view_paths = set(paths)
    unknown_images = [
        image for image in dict.fromkeys(embeddings.image.tolist()) if image not in view_paths
    ]
    if len(unknown_images) == len(set(embeddings.image.tolist())):
        raise InvalidEmbeddingsError(
            path,
            f"none of its images is in the view (the first is '{unknown_images[0]}')"
            if unknown_images
            else "the file has no rows",
            f"image paths of the view, such as '{paths[0]}'" if paths else "a view with images",
        )
    return embeddings


def load_vector_array(
    path: Path, image_list: str | Path | None, paths: Sequence[str]
) -> Embeddings:
    expected = "a float array of shape (images, dimensions)"
    try:
        vector = np.load(path, allow_pickle=False)
    except (ValueError, TypeError, EOFError, OSError) as error:
        raise InvalidEmbeddingsError(
            path, f"not a numeric .npy array ({error})", expected
        ) from error
    if vector.ndim != 2 or vector.dtype.kind not in "fiu":
        raise InvalidEmbeddingsError(
            path, f"array of type {vector.dtype} and shape {vector.shape}", expected
        )
    vector = np.asarray(vector, np.float32)
    if image_list is not None and not Path(image_list).is_file():
        raise FileMissingError(image_list)
    try:
        lines = (
            [] if image_list is None else Path(image_list).read_text(encoding="utf-8").splitlines()
        )
    except UnicodeDecodeError as error:
        raise InvalidEmbeddingsError(
            image_list, f"not valid UTF-8 ({error})", "a text file with one image path per line"
        ) from error
    image_paths = (
        list(paths) if image_list is None else [line.strip() for line in lines if line.strip()]
    )
    if len(image_paths) != len(vector):
        expected = "one row per image in --names, or per image of the view sorted by path"
        raise InvalidEmbeddingsError(
            path, f"{len(vector):,} rows for {len(image_paths):,} images", expected
        )
    if duplicates := [
        image_path for image_path, count in Counter(image_paths).items() if count > 1
    ]:
        raise InvalidEmbeddingsError(
            image_list or path,
            f"'{duplicates[0]}' is listed {image_paths.count(duplicates[0]):,} times",
            "each image once",
        )
    image_column = np.empty(len(image_paths), object)
    image_column[:] = image_paths
    return Embeddings(image_column, np.full((len(image_paths), 4), np.nan), vector)


def load_vector_table(path: Path) -> Embeddings:
    reader = "read_parquet" if path.suffix.lower() == ".parquet" else "read_csv"
    try:
        with open_cursor() as connection:
            schema = connection.execute(
                f"DESCRIBE SELECT * FROM {reader}(?, hive_partitioning = false)",
                [escape_glob(path)],
            ).fetchall()
            column_names = {str(column_name).lower(): column_name for column_name, *_ in schema}
            if "image" not in column_names or "embedding" not in column_names:
                raise InvalidEmbeddingsError(
                    path,
                    f"the columns are {', '.join(map(str, column_names.values()))}",
                    "columns `image` and `embedding`",
                )
            if 0 < sum(side in column_names for side in BOX_COLUMNS) < len(BOX_COLUMNS):
                raise InvalidEmbeddingsError(
                    path,
                    f"the columns are {', '.join(map(str, column_names.values()))}",
                    "all or none of x, y, width, height",
                )
            box_expressions = [
                f'"{column_names[side]}"::DOUBLE' if side in column_names else "NULL::DOUBLE"
                for side in BOX_COLUMNS
            ]
            image, embedding = column_names["image"], column_names["embedding"]
            expressions = [f'"{image}"::VARCHAR', f'"{embedding}"::FLOAT[]', *box_expressions]
            select_list = ", ".join(expressions)
            query = f"SELECT {select_list} FROM {reader}(?, hive_partitioning = false)"
            records = connection.execute(query, [escape_glob(path)]).fetchall()
    except query_errors() as error:
        raise InvalidEmbeddingsError(
            path,
            str(error).split("\n", maxsplit=1)[0],
            "a table with columns `image` and `embedding` (a list)",
        ) from error
    lengths = {len(record[1] or ()) for record in records}
    if len(lengths) != 1:
        raise InvalidEmbeddingsError(
            path,
            f"the vectors have {', '.join(map(str, sorted(lengths)[:4])) or 'no'} numbers",
            "vectors of one length",
        )
    image_column = np.empty(len(records), object)
    image_column[:] = [record[0] for record in records]
    return Embeddings(
        image_column,
        np.array([record[2:] for record in records], float),
        np.array([record[1] for record in records], np.float32),
    )
