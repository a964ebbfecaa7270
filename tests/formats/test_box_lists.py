"""Tables whose cells list all boxes of an image, and boxes in the coordinates of tiles."""

import numpy as np
import pytest

import pellucid
import toys
from pellucid.formats.errors import InvalidRecordError

ROWS = [
    ("a.jpg", ["cat", "dog"], [[10, 20, 30, 90], [100, 60, 40, 45]], [0.9, 0.8]),
    ("b.jpg", ["dog"], [[300, 200, 50, 60]], [0.7]),
    ("c.jpg", [], [], []),
]
MEANT = {
    ("a.jpg", "cat", (10, 20, 30, 90)),
    ("a.jpg", "dog", (100, 60, 40, 45)),
    ("b.jpg", "dog", (300, 200, 50, 60)),
}


def numpy_text(items):
    return str(np.array(items)).replace("\n", " ") if items else "[]"


def as_csv(folder, text_of, with_scores=False):
    lines = [
        f'{image},"{text_of(labels)}","{text_of(boxes)}"'
        + (f',"{text_of(scores)}"' if with_scores else "")
        for image, labels, boxes, scores in ROWS
    ]
    header = "image,labels,bboxes" + (",scores" if with_scores else "")
    name = "predictions.csv" if with_scores else "truth.csv"
    return toys.write(folder / name, "\n".join([header, *lines]) + "\n")


def as_columns(with_scores=False):
    images, labels, boxes, scores = (list(column) for column in zip(*ROWS, strict=True))
    columns = {"image": images, "labels": labels, "bboxes": boxes, "scores": scores}
    if not with_scores:
        del columns["scores"]
    return columns


def as_parquet(folder, with_scores=False):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = folder / f"{with_scores}.parquet"
    parquet.write_table(arrow.table(as_columns(with_scores)), path)
    return path


SOURCES = {
    "Python lists": lambda folder, scored: as_csv(folder, str, scored),
    "NumPy arrays": lambda folder, scored: as_csv(folder, numpy_text, scored),
    "Parquet": as_parquet,
}


@pytest.mark.parametrize("way", SOURCES)
def test_a_row_with_several_boxes_is_read_as_several_rows(tmp_path, way):
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", SOURCES[way](tmp_path, False), boxes="xywh-pixels"
    )
    images, annotations, _ = view.annotation_tables
    assert images.path.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    read = {
        (images.path[image], ("cat", "dog")[concept], tuple(box))
        for image, concept, box in zip(
            annotations.image, annotations.concept, annotations.box.tolist(), strict=True
        )
    }
    assert read == MEANT
    version = view.start("m")
    version.add_predictions(SOURCES[way](tmp_path, True))
    items = [(i.image, i.concept, tuple(i.box)) for i in version.gallery("matched")]
    assert {*items} == MEANT
    assert [item.score for item in version.gallery("matched")] == [0.9, 0.8, 0.7]


@pytest.mark.parametrize(("column", "cell"), [("labels", "['cat']"), ("scores", "[0.9]")])
def test_lists_of_another_length_are_refused(tmp_path, column, cell):
    table = as_csv(tmp_path, str, True)
    text = table.read_text().replace("['cat', 'dog']" if column == "labels" else "[0.9, 0.8]", cell)
    view, _ = pellucid.open(tmp_path / "w").add("v", as_csv(tmp_path, str), boxes="xywh-pixels")
    version = view.start("m")
    with pytest.raises(InvalidRecordError, match=f"line 2: 2 boxes, and 1 value in '{column}'"):
        version.add_predictions(toys.write(tmp_path / "other.csv", text))


def tile_rows(in_tile):
    """Boxes of tiles of 320 pixels, in the coordinates of the tile or of the image."""
    random = np.random.default_rng(4)
    rows = []
    for image in range(12):
        for x, y in ((0, 0), (320, 0), (0, 240), (320, 240)):
            left, top = random.integers(0, 250), random.integers(0, 180)
            if not in_tile:
                left, top = left + x, top + y
            rows.append((f"{image}.jpg", left, top, x, y))
    return rows


@pytest.mark.parametrize(
    "names", [("tile_x", "tile_y"), ("x_offset", "y_offset"), ("TileCol", "TileRow")]
)
@pytest.mark.parametrize("in_tile", [True, False])
def test_boxes_in_the_coordinates_of_tiles_are_refused(tmp_path, names, in_tile):
    step = 320 if names[0] == "TileCol" else 1
    lines = [
        f"{image},dog,{left},{top},{40 + left % 7},{30 + top % 7},{x // step},{y // (240 if step > 1 else 1)}"
        for image, left, top, x, y in tile_rows(in_tile)
    ]
    header = f"image,label,x,y,width,height,{names[0]},{names[1]}"
    source = toys.write(tmp_path / "t.csv", "\n".join([header, *lines]) + "\n")
    if in_tile:
        with pytest.raises(InvalidRecordError, match="in the coordinates of their tile"):
            pellucid.open(tmp_path / "w").add("v", source)
    else:
        view, _ = pellucid.open(tmp_path / "w").add("v", source)
        assert len(view.annotation_tables[1]) == len(lines)


def test_an_image_of_one_tile_is_the_tile(tmp_path):
    lines = [f"t{n}.jpg,dog,{n},5,40,30,{320 * n},{240 * n}" for n in range(9)]
    header = "image,label,x,y,width,height,tile_x,tile_y"
    source = toys.write(tmp_path / "t.csv", "\n".join([header, *lines]) + "\n")
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert len(view.annotation_tables[1]) == 9
