"""Notes and refusals of imports at the numbers where they begin."""

import json

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.core.tables import Predictions
from pellucid.evaluation import greedy_numpy, mask_runs
from pellucid.evaluation.counts import bin_edges
from pellucid.evaluation.geometry import box_masks
from pellucid.evaluation.mask_runs import masks_of_polygons, measure_masks, text_of_polygons
from pellucid.evaluation.thresholds import ScoredPredictions, min_error_threshold
from pellucid.formats.dataset import create_images
from pellucid.ingest.box_formats import RESIZE_SIDES
from pellucid.ingest.checks import duplicate_box_notes
from pellucid.ingest.map_file import load_map_file
from pellucid.ingest.prediction_notes import export_limit_notes, outside_image_notes


def predictions_of(image, boxes, scores=None):
    count = len(boxes)
    return Predictions(
        np.asarray(image, np.int32),
        np.zeros(count, np.int32),
        np.linspace(0.9, 0.1, count) if scores is None else scores,
        np.asarray(boxes, float),
        np.arange(count, dtype=np.int32),
    )


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize(("over", "noted"), [(0, False), (1, False), (1.01, True), (-1, False)])
def test_boxes_may_reach_a_pixel_beyond_the_image(side, over, noted):
    images = create_images(["a"], width=[100], height=[80])
    box = np.array([0.0, 0.0, 100.0, 80.0])
    if side < 2:
        box[side] -= over
        box[side + 2] += over
    else:
        box[side] += over
    notes = outside_image_notes(box[None], images, np.zeros(1, np.int32))
    assert bool(notes) == noted


@pytest.mark.parametrize(("boxes", "noted"), [(9, False), (10, True)])
def test_cap_of_boxes_begins_at_ten(boxes, noted):
    image = np.repeat(np.arange(40), boxes)
    notes = export_limit_notes(predictions_of(image, np.ones((len(image), 4))))
    assert any(note.kind == "box_cap" for note in notes) == noted


@pytest.mark.parametrize(("count", "noted"), [(49, False), (50, True)])
def test_near_duplicates_are_looked_for_from_fifty_boxes_on(count, noted):
    boxes = np.tile([10.0, 10, 30, 30], (count, 1))
    notes = duplicate_box_notes(predictions_of(np.zeros(count), boxes), 1)
    assert bool(notes) == noted


@pytest.mark.parametrize("side", RESIZE_SIDES)
def test_boxes_of_every_common_input_size_are_recognised(tmp_path, side):
    chance = np.random.default_rng(side)
    pixels = [
        np.concatenate([chance.uniform(0, 500, 2), chance.uniform(60, 300, 2)]) for _ in range(30)
    ]
    document = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}
    for number in range(10):
        document["images"].append(
            {"id": number, "file_name": f"{number}.png", "width": 1000, "height": 800}
        )
    for n, box in enumerate(pixels):
        document["annotations"].append(
            {"id": n + 1, "image_id": n % 10, "category_id": 1, "bbox": box.tolist(), "iscrowd": 0}
        )
    view, _ = pellucid.open(tmp_path / "w").add("v", document, split="validation")
    scale = np.array([side / 1000, side / 800] * 2)
    results = [
        {"image_id": n % 10, "category_id": 1, "score": 0.9, "bbox": (box * scale).tolist()}
        for n, box in enumerate(pixels)
    ]
    version = view.start("m")
    version.add_predictions(results)
    (answer,) = [
        reading.answer
        for reading in version.manifest.prediction_sources[0].readings
        if reading.question == "boxes"
    ]
    assert answer == f"xywh-{side}-stretched"


def test_boxes_as_masks_reach_the_edge_of_the_image():
    masks = box_masks(np.array([[0.0, 0, 10, 10]]), np.array([10]), np.array([10]))
    assert measure_masks(masks).area.tolist() == [100]


def test_histogram_without_scores_is_from_zero_to_one():
    assert bin_edges(np.zeros(0), 2).tolist() == [0, 0.5, 1]


def test_equally_good_range_reaches_the_top_where_nothing_is_gained():
    predictions = ScoredPredictions(np.array([0.9, 0.9]), np.array([True, False]), 1)
    assert min_error_threshold(predictions).equally_good == (0.0, 1.0)


def test_one_prediction_with_more_pairs_than_a_batch(monkeypatch, tmp_path):
    chance = np.random.default_rng(5)
    images, boxes = np.repeat(np.arange(4), 6), chance.uniform(5, 40, (24, 4))
    predictions = predictions_of(images, boxes)
    from pellucid.core.tables import Annotations

    annotations = Annotations(
        images.astype(np.int32),
        np.zeros(24, np.int32),
        boxes + 1,
        np.zeros(24, bool),
        np.ones(24, bool),
        np.ones(24),
    )

    def pairs():
        found = greedy_numpy.overlapping_pairs(annotations, predictions, 1)
        return np.concatenate([np.stack(batch, axis=1) for batch in found]).tolist()

    expected = pairs()
    for size in (1, 2, 5):
        monkeypatch.setattr(greedy_numpy, "MAX_PAIRS_PER_BATCH", size)
        assert pairs() == expected


@pytest.mark.skipif(
    __import__("pellucid._native")._native.library is None, reason="the kernel was not built"
)
def test_room_for_run_lengths_grows_until_they_fit():
    """Combs have a run for every tooth: over a megabyte of text for two thousand of them."""
    teeth = [
        coordinate
        for tooth in range(300)
        for coordinate in (2 * tooth, 0, 2 * tooth, 40, 2 * tooth + 1, 40, 2 * tooth + 1, 0)
    ]
    comb = [float(number) for number in teeth]
    count = 1990
    masks = masks_of_polygons([[comb]] * count, np.full(count, 41), np.full(count, 602))
    assert len(masks.text) > 1 << 20
    assert set(masks.texts()) == {text_of_polygons([comb], 41, 602)}
    assert count <= mask_runs.OBJECTS_PER_CALL


def test_map_files_name_the_wrong_value(tmp_path):
    path = toys.write(tmp_path / "map.json", json.dumps({"a": "b", "c": 1}))
    with pytest.raises(PellucidError, match="an object of strings"):
        load_map_file(path)


def small_view(tmp_path):
    table = {"image": ["1.png", "2.png"], "concept": ["cat", "dog"], "x": [1.0, 1.0]}
    table |= {"y": [1.0, 1.0], "width": [9.0, 9.0], "height": [9.0, 9.0]}
    return pellucid.open(tmp_path / "w").add("v", table)[0], table


@pytest.mark.parametrize(("option", "is_forced"), [(None, False), ("box", True)])
def test_chosen_geometry_is_recorded_as_chosen(tmp_path, option, is_forced):
    from references import masks as reference

    masked = reference.random_set(3)
    version, _ = masked.version(tmp_path, **({"geometry": option} if option else {}))
    readings = version.manifest.prediction_sources[0].readings
    assert [r.forced for r in readings if r.question == "geometry"] == (
        [False] if not option else []
    )
    assert (version.evaluation.geometry == "box") == is_forced


def test_names_without_a_match_are_no_positions(tmp_path):
    view, table = small_view(tmp_path)
    found = table | {"concept": ["wolf", "fox"], "score": [0.9, 0.8]}
    with pytest.raises(PellucidError) as raised:
        view.start("m").add_predictions(found)
    assert "positions" not in str(raised.value)


def test_concepts_of_other_images_alone_are_not_named(tmp_path):
    view, table = small_view(tmp_path)
    names = ["cat", "dog", "zebra"]
    found = {key: [*values, values[0]] for key, values in table.items()}
    found |= {"image": ["1.png", "2.png", "elsewhere.png"], "concept": names}
    found |= {"score": [0.9, 0.8, 0.7]}
    notes = view.start("m").add_predictions(found)
    assert "zebra" not in " ".join(note.message for note in notes if note.kind == "concept_unknown")
