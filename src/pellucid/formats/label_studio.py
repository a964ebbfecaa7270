"""Label Studio: JSON and JSON-MIN, boxes in percent, choices; predictions with their scores and `model_version`.

The outermost list holds tasks. In JSON a task has `data` and `annotations`; in JSON-MIN what was labelled lies beside `image`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from pellucid.columns import Annotations, Predictions
from pellucid.errors import NothingPredicted, RecordBad, SeveralModels, few
from pellucid.formats.gathering import Gathering
from pellucid.formats.look import AnnotationFormat, Asked, Look, PredictionFormat
from pellucid.formats.outgoing import Outgoing, file_for, sizes, write_json
from pellucid.formats.parsed import listed, number_of, parsed_json, record_in
from pellucid.formats.source import AnnotationSource, PredictionSource, checked, codes

NAME = "label-studio"
PREDICTIONS = "label-studio-predictions"
Task = dict[str, Any]
Value = dict[str, Any]
PICTURES = ("image", "img", "picture", "photo", "url")
"""What the picture is called in a task's data, the likeliest first."""


def is_it(look: Look) -> bool:
    head = look.head[:20_000]
    full = '"data"' in head and ('"annotations"' in head or '"completions"' in head or '"predictions"' in head)
    short = '"annotator"' in head or '"lead_time"' in head or '"annotation_id"' in head or ("labels" in head and '"original_width"' in head)
    return head.startswith("[") and (full or short) and '"image_id"' not in head


def is_predictions(look: Look) -> bool:
    return is_it(look) and '"predictions"' in look.head and '"data"' in look.head


def read(look: Look, asked: Asked) -> AnnotationSource:
    gathering = Gathering(str(look.path), NAME, asked.pictures)
    cancelled = turned = 0
    for row, task in enumerate(parsed_json(look.path, list[Task], "Label Studio")):
        place = f"$[{row}]"
        results, skipped = results_of(look, task, place)
        cancelled += skipped
        image = gathering.record(
            picture_of(look, task, place),
            identity=str(task.get("id", "")),
            annotated=bool(results) or not (skipped or task.get("annotations") == []),
        )
        for value, width, height in results:
            if width and height:
                gathering.image(picture_of(look, task, place), width, height)
            turned += read_value(gathering, look, image, value, width, height, place)
    gathering.note("polygons", turned, f"{turned:,} outlines and rotated boxes taken by their bounding box")
    gathering.note("cancelled", cancelled, f"{cancelled:,} skipped, cancelled or second annotations of a task left out")
    return gathering.source(asked.kind)


def results_of(look: Look, task: Task, place: str) -> tuple[list[tuple[Value, float, float]], int]:
    """What was labelled: the value and the size of the picture, if given; and how many annotations were cancelled."""
    done = task.get("annotations", task.get("completions"))
    if done is None:
        return list(short_results(look, task, place)), 0
    every = [record_in(one, look.path, place) for one in listed(done, look.path, place)]
    kept = [one for one in every if not one.get("was_cancelled") and not one.get("skipped")]
    return [found for one in kept[:1] for found in full_results(look, one, place)], len(every) - len(kept[:1])


def full_results(look: Look, annotation: Value, place: str) -> Iterator[tuple[Value, float, float]]:
    for one in listed(annotation.get("result"), look.path, place):
        result = record_in(one, look.path, place)
        if isinstance(result.get("value"), dict):
            yield result["value"], *extent(look, result, place)


def extent(look: Look, result: Value, place: str) -> tuple[float, float]:
    """The size of the picture, 0 where it is not given."""
    width, height = (number_of(result.get(f"original_{side}") or 0, look.path, place, side) for side in ("width", "height"))
    return width, height


def short_results(look: Look, task: Task, place: str) -> Iterator[tuple[Value, float, float]]:
    """JSON-MIN: regions are lists of objects, a choice is a text or {"choices": [...]}."""
    for key, value in task.items():
        if key in (*PICTURES, "id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time"):
            continue
        if isinstance(value, list):
            for one in value:
                if isinstance(one, dict):
                    yield one, *extent(look, one, place)
        elif isinstance(value, dict) and "choices" in value:
            yield value, 0, 0
        elif isinstance(value, str) and key in ("choice", "label", "class"):
            yield {"choices": [value]}, 0, 0


def picture_of(look: Look, task: Task, place: str) -> str:
    data = record_in(task.get("data", task), look.path, place)
    names = [data[key] for key in PICTURES if isinstance(data.get(key), str)]
    names += [value for value in data.values() if isinstance(value, str) and re.search(r"\.(jpe?g|png|bmp|tiff?|webp|gif)", value, re.I)]
    if not names:
        raise RecordBad(look.path, place, "its data names no picture", 'Give it an "image".')
    return picture_name(names[0])


def picture_name(address: str) -> str:
    """The picture's own name: what follows `?d=` of local files, else the last part, without the mark an upload puts before it."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0].lstrip("/")
    if not parts.scheme and not address.startswith("/"):
        return address
    return re.sub(r"^[0-9a-f]{8}-", "", unquote(parts.path).rsplit("/", maxsplit=1)[-1])


def concepts_of(value: Value) -> list[str]:
    """Of a region or a choice: `rectanglelabels`, `polygonlabels`, `labels`, ... or `choices`."""
    found: Any = next((value[key] for key in value if key.endswith("labels") or key == "choices"), [])
    return [str(name) for name in (found if isinstance(found, list) else [found])]


def read_value(gathering: Gathering, look: Look, image: int, value: Value, width: float, height: float, place: str) -> int:
    """Returns 1 where a bounding box stands for an outline."""
    names = concepts_of(value)
    if "choices" in value:
        for name in names:
            gathering.tag(image, name)
        return 0
    outline = outline_of(look, value, width, height, place)
    for name in names if outline else ():
        gathering.around(image, name, outline, place, drawn="points" in value or bool(value.get("rotation")))
    return int(bool(outline) and (len(outline) != 4 or bool(value.get("rotation"))))


def outline_of(look: Look, value: Value, width: float, height: float, place: str) -> list[tuple[float, float]]:
    """In pixels; none where the value is no region."""
    if "points" not in value and not {"x", "y", "width", "height"} <= value.keys():
        return []
    if not width or not height:
        raise RecordBad(look.path, place, "a region has no original_width and original_height", "Export it with them: boxes are percent.")

    def pixels(x: Any, y: Any) -> tuple[float, float]:
        return number_of(x, look.path, place, "x") * width / 100, number_of(y, look.path, place, "y") * height / 100

    if "points" in value:
        points = [listed(point, look.path, place) for point in listed(value["points"], look.path, place)]
        return [pixels(point[0], point[1]) for point in points if len(point) >= 2]
    left, top = pixels(value["x"], value["y"])
    across, down = pixels(value["width"], value["height"])
    angle = math.radians(number_of(value.get("rotation") or 0, look.path, place, "rotation"))  # about the upper left corner
    return [
        (left + dx * math.cos(angle) - dy * math.sin(angle), top + dx * math.sin(angle) + dy * math.cos(angle))
        for dx, dy in ((0, 0), (across, 0), (across, down), (0, down))
    ]


def read_predictions(look: Look, asked: Asked) -> PredictionSource:
    """The predictions of one model; a region's own score, else its prediction's."""
    tasks = parsed_json(look.path, list[Task], "Label Studio")
    every = [
        (row, task, record_in(one, look.path, f"$[{row}].predictions"))
        for row, task in enumerate(tasks)
        for one in listed(task.get("predictions"), look.path, f"$[{row}].predictions")
    ]  # fmt: skip
    models = dict.fromkeys(str(one.get("model_version") or "") for _, _, one in every)
    if len(models) > 1:
        raise SeveralModels(look.path, few(models))
    rows: list[tuple[str, str, float, list[float], int]] = []
    for row, task, prediction in every:
        place, name = f"$[{row}].predictions", picture_of(look, task, f"$[{row}]")
        for one in listed(prediction.get("result"), look.path, place):
            result = record_in(one, look.path, place)
            value = record_in(result.get("value"), look.path, place)
            score = number_of(result.get("score", prediction.get("score", value.get("score"))), look.path, place, "score")
            outline = outline_of(look, value, *extent(look, result, place), place)
            for concept in concepts_of(value) if outline or asked.kind != "detection" else ():
                xs, ys = zip(*outline, strict=True) if outline else ((0.0,), (0.0,))
                rows.append((name, concept, score, [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)], row))
    if not every:
        raise NothingPredicted(look.path, 'no task has "predictions"')
    boxes = asked.kind == "detection"
    keys = list(dict.fromkeys(picture_of(look, task, f"$[{row}]") for row, task, _ in every))
    number = {key: place for place, key in enumerate(keys)}
    concept_keys, concepts = codes([one[1] for one in rows])
    box = np.array([one[3] for one in rows], float).reshape(-1, 4) if boxes else None
    source = PredictionSource(
        str(look.path), PREDICTIONS, keys, np.array([number[one[0]] for one in rows], np.int32), concept_keys, concepts, "name",
        np.array([one[2] for one in rows], float), box, "pixels", np.array([one[4] for one in rows], np.int64), "task",
    )  # fmt: skip
    return checked(source)


def write(outgoing: Outgoing, path: Path) -> None:
    """Tasks, with annotations, and with predictions as pre-annotations, to be imported into a project."""
    outgoing.one_split("Label Studio")
    detection = outgoing.kind == "detection"
    tasks: list[Task] = [{"id": row + 1, "data": {"image": str(name)}} for row, name in enumerate(outgoing.images.path)]
    extents = sizes(outgoing, NAME) if detection else [(0, 0)] * len(tasks)
    if outgoing.annotations is not None:
        table = outgoing.plain_annotations("Label Studio")
        for image, rows in outgoing.of_image(table):
            tasks[image]["annotations"] = [{"result": [region(outgoing, table, row, extents[image]) for row in rows]}]
    if outgoing.predictions is not None:
        guesses = outgoing.predictions
        for image, rows in outgoing.of_image(guesses):
            result = [{**region(outgoing, guesses, row, extents[image]), "score": float(guesses.score[row])} for row in rows]
            tasks[image]["predictions"] = [{"model_version": outgoing.model, "result": result}]
    write_json(file_for(path), tasks)


def region(outgoing: Outgoing, table: Annotations | Predictions, row: int, extent: tuple[int, int]) -> Value:
    concept = outgoing.concepts[table.concept[row]]
    if table.box is None:
        return {"from_name": "concept", "to_name": "image", "type": "choices", "value": {"choices": [concept]}}
    left, top, width, height = table.box[row].tolist()
    value = {
        "x": left * 100 / extent[0], "y": top * 100 / extent[1], "width": width * 100 / extent[0], "height": height * 100 / extent[1],
        "rotation": 0, "rectanglelabels": [concept],
    }  # fmt: skip
    return {
        "from_name": "concept", "to_name": "image", "type": "rectanglelabels", "original_width": extent[0], "original_height": extent[1],
        "value": value,
    }  # fmt: skip


FORMAT = AnnotationFormat(NAME, is_it, read)
PREDICTION_FORMAT = PredictionFormat(PREDICTIONS, is_predictions, read_predictions)
