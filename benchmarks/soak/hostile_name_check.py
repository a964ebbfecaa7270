"""File names and concepts that mean something to a spreadsheet, a page, a report or a file
system: what is exported is read back with the same names."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from random import Random

from PIL import Image

import pellucid
from benchmarks.soak.outcomes import Outcomes
from benchmarks.soak.sample import Sample, run_pellucid
from pellucid.core.errors import PellucidError

PARTS = [
    "=1+1",
    "+a",
    "-b",
    "@sum",
    "\ta",
    "<script>alert(1)</script>",
    "a|b",
    "a\nb",
    "a\rb",
    "..",
    "a/b",
    "%2e%2e",
    "\u202eabc",
    "e\u0301",
    "\u00e9",
    "a,b",
    'a"b',
    "'",
    "a;b",
    "\\",
    "nul",
    "con",
    "a b ",
    "#x",
    "\u2028",
    "&amp;",
    "]]>",
    "*",
    "?",
    "x" * 120,
    "\U0001f642",
    "true",
    "1",
    "1.0",
    "NaN",
    "null",
]
FORMATS = ("coco", "csv", "jsonl", "parquet", "voc", "yolo", "cvat", "labelme", "label-studio")
IMAGES = 6
ADDED_FOLDERS = re.compile("^(images/)?(val/)?")


def check(sample: Sample, folder: Path, random: Random, outcomes: Outcomes) -> None:
    concepts = sorted({make_name(random).strip() or "x" for _ in range(3)})
    document = {
        "images": [
            {
                "id": number,
                "file_name": f"i{make_name(random)}{number}.png",
                "width": 60,
                "height": 40,
            }
            for number in range(IMAGES)
        ],
        "categories": [{"id": number + 1, "name": name} for number, name in enumerate(concepts)],
        "annotations": [
            {
                "id": number + 1,
                "image_id": number,
                "category_id": number % len(concepts) + 1,
                "bbox": [number, 2, 20, 30],
            }
            for number in range(IMAGES)
        ],
    }
    for image in document["images"]:
        path = folder / "pictures" / image["file_name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (60, 40)).save(path)
    source = folder / "truth.json"
    source.write_text(json.dumps(document))
    try:
        view, _ = pellucid.open(folder / "w").add("v", source, images=folder / "pictures")
    except PellucidError:
        outcomes.count("sets refused")
        return
    expected = facts(view)
    form = random.choice(FORMATS)
    target = folder / f"export{'.csv' if form == 'csv' else ''}"
    arguments: list[str | Path] = [
        "export",
        folder / "w",
        "v",
        "--what",
        "annotations",
        "--format",
        form,
    ]
    result = run_pellucid(*arguments, "--output", target)
    if result.returncode:
        outcomes.expect("bug" not in result.stderr, f"{form}: {concepts}: {result.stderr}")
        outcomes.count("exports refused")
        return
    if form == "csv":
        check_cells(target, outcomes)
    try:
        again, _ = pellucid.open(folder / "w2").add("v", target)
    except PellucidError as error:
        outcomes.fail(f"{form}: {document}: not read back: {error}")
        return
    outcomes.expect(facts(again) == expected, f"{form}: {document}: {facts(again)}")
    outcomes.count("sets read back equal")


def make_name(random: Random) -> str:
    return "".join(random.choice(PARTS) for _ in range(random.randint(1, 2)))


def facts(view: pellucid.View) -> list[tuple[str, str]]:
    """(image, concept) of each annotation, without the folders that a format adds."""
    images, annotations, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    return sorted(
        (ADDED_FOLDERS.sub("", str(images.path[image])), names[concept].replace("\r", " "))
        for image, concept in zip(annotations.image, annotations.concept, strict=True)
    )


def check_cells(path: Path, outcomes: Outcomes) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.reader(file):
            for cell in row:
                outcomes.expect(
                    not cell.startswith(("=", "+", "@", "\t")), f"{cell!r} is a formula"
                )
