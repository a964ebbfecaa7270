"""Writing YOLO: `data.yaml`, lists of pictures, label files; and predictions as label files with a confidence."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from pellucid.columns import SPLITS, Annotations, Predictions
from pellucid.errors import ExportImpossible
from pellucid.formats.outgoing import SHORT, Outgoing, folder_for, sizes

NAME = "yolo"


def write(outgoing: Outgoing, path: Path) -> None:
    """Labels in `labels/`; pictures on this machine are linked into `images/`, where ultralytics looks for them."""
    if outgoing.kind != "detection":
        raise ExportImpossible(NAME, "label files hold boxes; write csv or parquet")
    folder = folder_for(path)
    table = outgoing.plain_annotations("YOLO")
    labels(outgoing, table, folder / "labels")
    for row, location in enumerate(outgoing.pictures):
        if location and "://" not in location:
            link = folder / "images" / str(outgoing.images.path[row])
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(location)
    lines = ["names:", *(f"  {row}: {quoted(name)}" for row, name in enumerate(outgoing.concepts))]
    for place, split in enumerate(SPLITS):
        names = outgoing.images.path[outgoing.images.split == place]
        if len(names):
            lines.append(f"{SHORT[split]}: {SHORT[split]}.txt")
            (folder / f"{SHORT[split]}.txt").write_text("".join(f"images/{name}\n" for name in names), encoding="utf-8")
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def write_predictions(outgoing: Outgoing, path: Path) -> None:
    if outgoing.predictions is None or outgoing.predictions.box is None:
        raise ExportImpossible(NAME, "label files hold boxes; write csv or parquet")
    labels(outgoing, outgoing.predictions, folder_for(path))


def labels(outgoing: Outgoing, table: Annotations | Predictions, folder: Path) -> None:
    """A file an image, also where there is nothing in it: it was looked at."""
    extents = sizes(outgoing, NAME)
    names = [Path(str(path)).with_suffix(".txt") for path in outgoing.images.path]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice or any(not str(path).isprintable() for path in outgoing.images.path):
        what = f"two pictures would share {twice[0]}" if twice else "a picture's name has a line break"
        raise ExportImpossible(NAME, what)
    for image, rows in outgoing.of_image(table):
        file = folder / Path(str(outgoing.images.path[image])).with_suffix(".txt")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(line(table, row, extents[image]) for row in rows), encoding="utf-8")


def line(table: Annotations | Predictions, row: int, extent: tuple[int, int]) -> str:
    assert table.box is not None
    left, top, width, height = table.box[row].tolist()
    numbers = [(left + width / 2) / extent[0], (top + height / 2) / extent[1], width / extent[0], height / extent[1]]
    if isinstance(table, Predictions):
        numbers.append(float(table.score[row]))
    return f"{int(table.concept[row])} {' '.join(repr(number) for number in numbers)}\n"
