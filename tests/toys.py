"""Tiny data sets, written as people write them."""

import asyncio
import io
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from PIL import Image

import pellucid
from pellucid.browse.query import ListQuery
from pellucid.cli.main import main


def picture(path, width=64, height=48, mode="RGB", colour=None, **options):
    """A picture on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height), colour if colour is not None else 0).save(path, **options)
    return path


def coco(
    folder, name="annotations.json", images=None, annotations=None, categories=None, pictures=True
):
    """Two pictures, three boxes, two concepts; any part can be replaced. Returns the file."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "images": images
        or [
            {"id": 11, "file_name": "a/one.png", "width": 64, "height": 48},
            {"id": 12, "file_name": "a/two.png", "width": 64, "height": 48},
        ],
        "categories": categories or [{"id": 1, "name": "dent"}, {"id": 2, "name": "rust"}],
        "annotations": annotations
        if annotations is not None
        else [
            {
                "id": 1,
                "image_id": 11,
                "category_id": 1,
                "bbox": [10, 10, 20, 20],
                "area": 400,
                "iscrowd": 0,
            },
            {
                "id": 2,
                "image_id": 11,
                "category_id": 2,
                "bbox": [40, 5, 10, 10],
                "area": 100,
                "iscrowd": 0,
            },
            {
                "id": 3,
                "image_id": 12,
                "category_id": 1,
                "bbox": [0, 0, 30, 30],
                "area": 900,
                "iscrowd": 0,
            },
        ],
    }
    if pictures:
        for image in document["images"]:
            picture(folder / "images" / image["file_name"])
    path = folder / name
    path.write_text(json.dumps(document))
    return path


def results(folder, rows=None, name="results.json"):
    """Four predictions for `coco`: two right, one wrong, one right but unsure."""
    path = Path(folder) / name
    path.write_text(
        json.dumps(
            rows
            if rows is not None
            else [
                {"image_id": 11, "category_id": 1, "bbox": [11, 10, 20, 20], "score": 0.9},
                {"image_id": 11, "category_id": 1, "bbox": [40, 30, 10, 10], "score": 0.6},
                {"image_id": 11, "category_id": 2, "bbox": [40, 5, 10, 11], "score": 0.8},
                {"image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 25], "score": 0.4},
            ]
        )
    )
    return path


COLOURS = {"red.png": (250, 20, 20), "green.png": (20, 250, 20), "blue.png": (20, 20, 250)}


def coloured_view(folder, predicted_at):
    """An annotated and a predicted box on each of three images of one colour, COLOURS.

    predicted_at: the left edge of the predicted boxes, in pixels; the annotated ones start at 5.
    """
    for name, colour in COLOURS.items():
        picture(folder / "pictures" / name, colour=colour)
    table = {
        "image": list(COLOURS),
        "concept": ["dent"] * 3,
        "x": [5.0] * 3,
        "y": [5.0] * 3,
        "width": [20.0] * 3,
        "height": [10.0] * 3,
    }
    view, _ = pellucid.open(folder / "w").add("v", table, images=folder / "pictures")
    version = view.start("m")
    version.add_predictions(table | {"x": [predicted_at] * 3, "score": [0.9, 0.8, 0.7]})
    return view


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def gallery(version, tab, corrected=False, threshold=None, concept=None, **query):
    """A list of a version, as trained or with corrections."""
    thresholds = threshold if concept is None or threshold is None else {concept: threshold}
    return version.results(corrected, thresholds).gallery(ListQuery(tab, concept=concept, **query))


def run_cli(*arguments, cwd=None):
    """The command line in this process: as `python -m pellucid`, without its start."""
    stdout = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    stderr = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    argv, folder, status = sys.argv, Path.cwd(), 0
    sys.argv = ["pellucid", *map(str, arguments)]
    try:
        os.chdir(cwd or folder)
        with redirect_stdout(stdout), redirect_stderr(stderr):
            main()
    except SystemExit as ended:
        status = ended.code or 0
    finally:
        sys.argv = argv
        os.chdir(folder)
    texts = (stream.buffer.getvalue().decode() for stream in (stdout, stderr))
    return subprocess.CompletedProcess(sys.argv, status, *texts)


def run_async(coroutine):
    """Run a coroutine in a thread of its own: the browser's loop may occupy this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def fraction(value):
    """A figure between 0 and 1 as the page shows it: `.123`."""
    return f"{value:.3f}".removeprefix("0")
