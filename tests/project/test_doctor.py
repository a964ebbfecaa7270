"""Traps that other tools fall into silently, each made on a real detector's results: the right
reading is taken, or nothing is."""

import json
import re

import numpy as np
import pytest

import pellucid
import toys
from pellucid.project.doctor import examine

MODEL = "predictions/nanodet/coco_results.json"


@pytest.fixture(scope="module")
def results(shared):
    return json.loads((shared / "coco256" / MODEL).read_text())


@pytest.fixture(scope="module")
def annotations(shared):
    return json.loads((shared / "coco256/annotations/instances.json").read_text())


@pytest.fixture
def imported(shared, tmp_path):
    """A function from predictions (and options) to the version that holds them."""
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", shared / "coco256/annotations/instances.json", images=shared / "coco256/images"
    )

    def take(rows, **options):
        version = view.start(f"m{len(view.versions)}")
        version.add_predictions(toys.results(tmp_path, rows), **options)
        return version

    return take


def readings(version):
    return {read.question: read for read in version.manifest.prediction_sources[-1].readings}


def same_items(version, expected):
    """Outcomes and places, to a thousandth of a pixel."""
    ours, theirs = (one.gallery("all")[:300] for one in (version, expected))
    assert [(item.image, item.concept, item.outcome) for item in ours] == [
        (item.image, item.concept, item.outcome) for item in theirs
    ]
    np.testing.assert_allclose(
        [item.box for item in ours], [item.box for item in theirs], atol=1e-3
    )


def boxed(results, change, sizes):
    return [{**one, "bbox": change(one["bbox"], *sizes[one["image_id"]])} for one in results]


def letterbox(box, width, height, side=640):
    scale = side / max(width, height)
    x, y, w, h = (number * scale for number in box)
    return [x + (side - width * scale) / 2, y + (side - height * scale) / 2, w, h]


BOXES = {
    "xyxy-pixels": lambda box, w, h: [box[0], box[1], box[0] + box[2], box[1] + box[3]],
    "cxcywh-pixels": lambda box, w, h: [box[0] + box[2] / 2, box[1] + box[3] / 2, box[2], box[3]],
    "xywh-fractions": lambda box, w, h: [box[0] / w, box[1] / h, box[2] / w, box[3] / h],
    "cxcywh-fractions": lambda box, w, h: [
        (box[0] + box[2] / 2) / w,
        (box[1] + box[3] / 2) / h,
        box[2] / w,
        box[3] / h,
    ],
    "xyxy-percent": lambda box, w, h: [
        100 * box[0] / w,
        100 * box[1] / h,
        100 * (box[0] + box[2]) / w,
        100 * (box[1] + box[3]) / h,
    ],
    "yxyx-fractions": lambda box, w, h: [
        box[1] / h,
        box[0] / w,
        (box[1] + box[3]) / h,
        (box[0] + box[2]) / w,
    ],
    "xywh-416-stretched": lambda box, w, h: [
        box[0] * 416 / w,
        box[1] * 416 / h,
        box[2] * 416 / w,
        box[3] * 416 / h,
    ],
    "xywh-416-letterboxed": lambda box, w, h: letterbox(box, w, h, 416),
    "xyxy-640-padded": lambda box, w, h: [
        640 / max(w, h) * number for number in (box[0], box[1], box[0] + box[2], box[1] + box[3])
    ],
}


@pytest.mark.quick_cases(3)
@pytest.mark.shared
@pytest.mark.parametrize("form", BOXES)
def test_box_format_is_inferred(results, annotations, imported, form):
    sizes = {image["id"]: (image["width"], image["height"]) for image in annotations["images"]}
    expected, changed = imported(results), boxed(results, BOXES[form], sizes)
    version = imported(changed, **asked_for(imported, changed, form))
    assert readings(version)["boxes"].answer == form
    same_items(version, expected)


def asked_for(imported, rows, form):
    """Nothing, where the form is found; where two are close the import stops, shows both with
    their figures and the option that picks one."""
    try:
        imported(rows)
    except pellucid.PellucidError as error:
        stopped = str(error)
    else:
        return {}
    assert f"--boxes {form}" in stopped
    assert len(re.findall(r"\(\d+% of confident boxes agree\)", stopped)) == 2
    return {"boxes": form}


@pytest.mark.shared
def test_boxes_in_the_default_format_are_unchanged(results, imported):
    version = imported(results)
    assert readings(version)["boxes"].answer == "xywh-pixels"
    assert readings(version)["category ids"].answer == "ids"
    assert readings(version)["scores"].answer == "probabilities"
    assert version.gallery("all")[0].box == tuple(
        max(results, key=lambda one: one["score"])["bbox"]
    )


CATEGORIES = {
    "positions from 0": lambda ids, names: {identity: place for place, identity in enumerate(ids)},
    "positions from 1": lambda ids, names: {
        identity: place + 1 for place, identity in enumerate(ids)
    },
    "positions in alphabetical order": lambda ids, names: {
        ids[place]: rank
        for rank, place in enumerate(sorted(range(len(ids)), key=names.__getitem__))
    },
}


@pytest.mark.shared
@pytest.mark.parametrize("reading", CATEGORIES)
def test_category_id_numbering_is_inferred(results, annotations, imported, reading):
    ids, names = ([one[key] for one in annotations["categories"]] for key in ("id", "name"))
    number = CATEGORIES[reading](ids, names)
    version = imported([{**one, "category_id": number[one["category_id"]]} for one in results])
    assert readings(version)["category ids"].answer == reading
    assert re.search(r"\d+% of confident boxes agree", readings(version)["category ids"].evidence)
    same_items(version, imported(results))


@pytest.mark.shared
def test_box_format_and_category_ids_are_inferred_together(results, annotations, imported):
    ids = [one["id"] for one in annotations["categories"]]
    rows = [
        {
            **one,
            "category_id": ids.index(one["category_id"]),
            "bbox": BOXES["xyxy-pixels"](one["bbox"], 0, 0),
        }
        for one in results
    ]
    version = imported(rows)
    assert (readings(version)["boxes"].answer, readings(version)["category ids"].answer) == (
        "xyxy-pixels",
        "positions from 0",
    )
    same_items(version, imported(results))


@pytest.mark.shared
def test_shuffled_concepts_are_reported(results, annotations, imported):
    ids = [one["id"] for one in annotations["categories"]]
    shuffled = dict(zip(ids, np.random.default_rng(3).permutation(ids).tolist(), strict=True))
    version = imported([{**one, "category_id": shuffled[one["category_id"]]} for one in results])
    assert "concepts_disagree" in {
        note.kind for note in version.manifest.prediction_sources[-1].notes
    }


@pytest.mark.shared
@pytest.mark.parametrize(
    ("change", "answer"),
    [(lambda p: 100 * p, "percent"), (lambda p: float(np.log(p / (1 - p))), "logits")],
)
def test_scores_beyond_probabilities_are_kept_or_converted_on_request(
    results, imported, change, answer
):
    rows = [{**one, "score": change(one["score"])} for one in results]
    version = imported(rows)
    assert readings(version)["scores"].answer == answer
    assert version.gallery("all")[0].score == pytest.approx(max(one["score"] for one in rows))
    forced = imported(rows, scores=answer)
    assert readings(forced)["scores"].forced
    assert forced.gallery("all")[0].score == pytest.approx(max(one["score"] for one in results))


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["abs_xywh", "abs_xyx2y2", "rel_xywh"])
def test_label_files_with_the_confidence_second(shared, tmp_path, folder):
    root = shared / "golden/voc100_formats"
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", root / "gts/coco_format_v1/instances_default.json", images=root / "images"
    )
    version = view.start("m")
    version.add_predictions(root / "dets" / folder)
    assert readings(version)["category ids"].answer == "positions in alphabetical order"
    figures = version.metrics().overall.coco
    assert figures["AP50"] == pytest.approx(
        0.61, abs=0.002
    )  # published for these detections: 0.6100
    assert figures["AP"] == pytest.approx(0.347, abs=0.003)


@pytest.mark.quick_cases(1)
@pytest.mark.shared
@pytest.mark.parametrize("form", ["xywh-fractions", "cxcywh-fractions"])
@pytest.mark.parametrize("how", ["label files", "table"])
def test_fractions_are_inferred_in_every_format(
    results, annotations, imported, tmp_path, how, form
):
    """Label files have the middle by right, tables left and top: each may hold the other."""
    images = {image["id"]: image for image in annotations["images"]}
    order = [one["id"] for one in annotations["categories"]]
    names = {one["id"]: one["name"] for one in annotations["categories"]}
    expected = imported(results)
    rows = [
        (images[one["image_id"]], one["category_id"], one["score"], one["bbox"]) for one in results
    ]
    changed = [
        (image["file_name"], concept, score, BOXES[form](box, image["width"], image["height"]))
        for image, concept, score, box in rows
    ]
    if how == "table":
        lines = [
            f"{path},{names[concept]},{score!r},{','.join(map(repr, box))}"
            for path, concept, score, box in changed
        ]
        source = toys.write(
            tmp_path / "p.csv", "\n".join(["image,concept,score,x,y,width,height", *lines])
        )
    else:
        source = tmp_path / "labels"
        for path, concept, score, box in changed:
            file = source / path.replace(".jpg", ".txt")
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as label:
                label.write(f"{order.index(concept)} {' '.join(map(repr, box))} {score!r}\n")
    version = expected.view.start("other")
    version.add_predictions(source)
    assert readings(version)["boxes"].answer == form
    same_items(version, expected)


@pytest.mark.parametrize(
    ("form", "box", "score"),
    [
        (None, (32, 18, 32, 12), 0.5),
        ("cxcywh-fractions", (32, 18, 32, 12), 0.5),
        ("cxcywh-fractions-confidence-second", (24, 12, 16, 24), 0.75),
        ("xywh-fractions-confidence-second", (32, 24, 16, 24), 0.75),
    ],
)
def test_confidence_second_can_be_forced(tmp_path, workspace, form, box, score):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    labels = toys.write(tmp_path / "labels/a/one.txt", "0 0.75 0.5 0.5 0.25 0.5\n").parents[1]
    version = view.start("m")
    version.add_predictions(labels, boxes=form)
    first = version.gallery("all")[0]
    assert (first.box, first.score) == (box, score)
    assert readings(version)["boxes"].forced == (form is not None)


def test_few_boxes_override_the_format_with_a_warning(tmp_path, workspace):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    notes = version.add_predictions(
        toys.results(
            tmp_path, [{"image_id": 11, "category_id": 1, "bbox": [10, 10, 30, 30], "score": 0.9}]
        )
    )
    assert version.gallery("all")[0].box == (10, 10, 20, 20)
    warning = next(note for note in notes if note.kind == "boxes_unsure")
    assert "only 1 box" in warning.message
    assert "xyxy-pixels" in warning.message


def test_interpretations_can_be_forced_and_unknown_values_are_refused(tmp_path, workspace):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    rows = [{"image_id": 11, "category_id": 0, "bbox": [10, 10, 30, 30], "score": 0.9}]
    version = view.start("m")
    version.add_predictions(
        toys.results(tmp_path, rows), boxes="xyxy-pixels", category_ids="positions-from-0"
    )
    first = version.gallery("all")[0]
    assert (first.concept, first.box, first.outcome) == ("dent", (10, 10, 20, 20), "matched")
    assert {
        read.question for read in version.manifest.prediction_sources[0].readings if read.forced
    } == {"boxes", "category ids"}
    for options, words in [
        ({"boxes": "xxyy"}, "xyxy-pixels"),
        ({"boxes": "xywh-pixels-confidence-second"}, "xyxy-pixels"),
        ({"category_ids": "guess"}, "positions-from-0"),
        ({"image_ids": "x"}, "path"),
    ]:
        with pytest.raises(pellucid.PellucidError, match=words):
            view.start(f"n{len(view.versions)}").add_predictions(
                toys.results(tmp_path, rows), **options
            )


def test_doctor_reports_data_problems(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    from PIL import Image

    for name in ("train/1.png", "val/2.png"):
        toys.picture(tmp_path / "pictures" / name)
        Image.fromarray(noise).save(tmp_path / "pictures" / name)
    other = np.asarray(
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (6, 8, 3), np.uint8)).resize(
            (64, 48)
        )
    )
    Image.fromarray(other).save(tmp_path / "pictures/train/other.png")
    Image.fromarray(other).save(tmp_path / "pictures/val/near.jpg", quality=70)
    (tmp_path / "pictures/val/broken.jpg").write_bytes(b"no picture")
    lines = [
        "image,split,concept,x,y,width,height",
        "train/1.png,training,dent,1,1,9,9",
        "train/other.png,training,dent,1,1,9,9",
    ]
    lines += [f"val/{name},validation,dent,1,1,9,9" for name in ("2.png", "near.jpg", "broken.jpg")]
    source = toys.write(tmp_path / "a.csv", "\n".join(lines))
    rows = ["image,concept,score,x,y,width,height"] + [
        f"val/2.png,dent,{0.9 - place / 1000},1,{1 + place / 100},9,9" for place in range(120)
    ]
    found = examine(
        [str(source), str(toys.write(tmp_path / "p.csv", "\n".join(rows)))],
        {"images": str(tmp_path / "pictures")},
    )
    kinds = {finding.kind for finding in found.findings}
    assert {"twins", "near_twins", "picture_unreadable", "repeated_boxes", "score_floor"} <= kinds
    assert not found.has_errors
    assert {"format", "boxes", "category ids", "image ids", "scores"} <= {
        one.question for one in found.readings
    }


def test_doctor_reports_import_errors_and_saves_nothing(tmp_path):
    source = toys.coco(tmp_path, pictures=False)
    found = examine(
        [
            str(source),
            str(
                toys.results(
                    tmp_path,
                    [{"image_id": 99, "category_id": 1, "bbox": [1, 1, 2, 2], "score": 0.5}],
                )
            ),
        ]
    )
    assert found.has_errors
    assert "'99'" in next(
        finding.message for finding in found.findings if finding.severity == "error"
    )


def test_doctor_reports_how_a_workspace_was_imported(tmp_path):
    workspace = pellucid.open(tmp_path / "w.pellucid")
    view, _ = workspace.add("v", toys.coco(tmp_path))
    view.start("m").add_predictions(toys.results(tmp_path))
    found = examine([str(tmp_path / "w.pellucid")])
    assert [one.answer for one in found.readings if one.question == "format"] == [
        "coco",
        "coco-results",
    ]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("declared", ["as stored", "as displayed"])
@pytest.mark.parametrize("predicted", ["as stored", "as displayed"])
def test_images_rotated_by_exif(tmp_path, orientation, declared, predicted):
    """A bright rectangle is drawn; where it is in the picture as displayed is asked of Pillow,
    not of ourselves."""
    from PIL import Image, ImageOps

    images, annotations, rows = [], [], []
    for number in range(6):
        stored_box = (10 + number, 20, 30, 12)
        pixels = np.zeros((60, 100), np.uint8)
        pixels[20:32, 10 + number : 40 + number] = 255
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"p/{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(path, exif=exif)
        with Image.open(path) as picture:
            shown = np.asarray(ImageOps.exif_transpose(picture)) > 0
        ys, xs = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        displayed_box = (int(xs[0]), int(ys[0]), len(xs), len(ys))
        width, height = (100, 60) if declared == "as stored" else (60, 100)
        images.append({"id": number, "file_name": path.name, "width": width, "height": height})
        annotations.append(
            {
                "id": number,
                "image_id": number,
                "category_id": 1,
                "bbox": stored_box if declared == "as stored" else displayed_box,
            }
        )
        rows.append(
            {
                "image_id": number,
                "category_id": 1,
                "bbox": stored_box if predicted == "as stored" else displayed_box,
                "score": 0.9,
            }
        )
    source = toys.coco(tmp_path, images=images, annotations=annotations, pictures=False)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "p")
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, rows))
    last = version.gallery("all")[5]
    assert last.outcome == "matched"
    assert last.box == displayed_box
    assert readings(version)["orientation of predictions"].answer == predicted
    assert view.manifest.sources[0].readings[-1].answer == declared
    assert (view.images_and_folders[0].width[0], view.images_and_folders[0].height[0]) == (60, 100)


def two_splits(tmp_path):
    """Annotations of two splits, each with a folder of images."""
    for name, size in (("train", 64), ("val", 32)):
        folder = tmp_path / name
        folder.mkdir()
        toys.picture(folder / f"{name}.png", size, size)
        document = {
            "images": [{"id": size, "file_name": f"{name}.png"}],
            "categories": [{"id": 1, "name": "dent"}],
            "annotations": [{"id": 1, "image_id": size, "category_id": 1, "bbox": [1, 1, 20, 20]}],
        }
        toys.write(tmp_path / f"{name}.json", json.dumps(document))


def test_doctor_takes_images_and_split_for_each_file(tmp_path):
    two_splits(tmp_path)
    options = [
        "--images",
        "train",
        "--images",
        "val",
        "--split",
        "training",
        "--split",
        "validation",
    ]
    done = toys.run_cli("doctor", "train.json", "val.json", *options, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["commands"] == [
        "pellucid add WORKSPACE VIEW train.json --images train --split training",
        "pellucid add WORKSPACE VIEW val.json --images val --split validation",
    ]


def test_doctor_refuses_a_third_folder_of_images_for_two_files(tmp_path):
    two_splits(tmp_path)
    options = ["--images", "train", "--images", "val", "--images", "test"]
    done = toys.run_cli("doctor", "train.json", "val.json", *options, cwd=tmp_path)
    assert done.returncode == 2
    assert "--images is given 3 times for 2 annotation files" in done.stderr


def test_annotation_boxes_are_settled_in_doctor_and_open(tmp_path):
    """Whole numbers of at most 1 may be fractions of an image or pixels."""
    box = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1]}
    document = {
        "images": [{"id": 1, "file_name": "a.png", "width": 40, "height": 30}],
        "categories": [{"id": 1, "name": "dent"}],
        "annotations": [{"id": 1, **box}],
    }
    toys.write(tmp_path / "gt.json", json.dumps(document))
    toys.results(tmp_path, [{**box, "score": 0.9}], "p.json")
    files = ("gt.json", "p.json")
    for command in ("doctor", "open"):
        stopped = toys.run_cli(command, *files, cwd=tmp_path)
        assert stopped.returncode == 3
        assert "--annotation-boxes" in stopped.stdout + stopped.stderr
    chosen = ("--annotation-boxes", "xywh-pixels", "--boxes", "xywh-pixels")
    settled = toys.run_cli("doctor", *files, *chosen, cwd=tmp_path)
    assert settled.returncode == 0, settled.stdout + settled.stderr
    assert "gt.json --boxes xywh-pixels" in settled.stdout


def test_training_images_in_test_alone_are_told(tmp_path):
    """There is no validation, but the leak into test is one all the same."""
    for folder in ("train", "test"):
        toys.picture(tmp_path / f"set/{folder}/cat/{folder}.png", colour=(9, 9, 200))
    _, notes = pellucid.open(tmp_path / "w").add("v", tmp_path / "set")
    (note,) = (note for note in notes if note.kind == "twins")
    assert "duplicated in test" in note.message


def test_missing_pictures_stay_noted_while_some_are_missing(tmp_path):
    rows = {name: f"image,label\n{name}.png,cat\n" for name in ("a", "b", "c")}
    workspace = pellucid.open(tmp_path / "w")
    workspace.add("v", toys.write(tmp_path / "a.csv", rows["a"]))
    for name in ("b", "c"):
        toys.picture(tmp_path / f"{name}/{name}.png")
        workspace.add("v", toys.write(tmp_path / f"{name}.csv", rows[name]), images=tmp_path / name)
    kinds = {note.kind for source in workspace.view("v").manifest.sources for note in source.notes}
    assert "no_pictures" in kinds


def test_the_place_of_a_missing_picture_is_told(tmp_path):
    image = {"id": 1, "file_name": "x1.png", "width": 40, "height": 30}
    source = toys.coco(tmp_path, images=[image], annotations=[], pictures=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        pellucid.PellucidError, match=r"none of the 1 images is in it .*empty/.*x1\.png"
    ):
        pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "empty", kind="detection")


def test_boxes_beside_no_annotations_are_not_judged(tmp_path):
    source = toys.coco(tmp_path, annotations=[])
    view, _ = pellucid.open(tmp_path / "w").add("v", source, kind="detection")
    notes = view.start("m").add_predictions(toys.results(tmp_path))
    assert not any(note.kind == "boxes_disagree" for note in notes)


def wide_table(folder, scale):
    rows = [
        f"{n}.jpg,{round(scale * n / 9)},{round(scale * (1 - n / 9))}"
        if scale > 1
        else f"{n}.jpg,{n / 9:.3f},{1 - n / 9:.3f}"
        for n in range(9)
    ]
    return toys.write(folder / "scores.csv", "\n".join(["name,cat,dog", *rows]) + "\n")


@pytest.mark.parametrize("scale", [1, 255])
def test_what_can_only_be_predictions_is_examined_as_such(tmp_path, scale):
    truth = "".join(f"{n}.jpg,{('cat', 'dog')[n % 2]}\n" for n in range(9))
    source = toys.write(tmp_path / "truth.csv", "name,label\n" + truth)
    diagnosis = examine([str(source), str(wide_table(tmp_path, scale))])
    assert not diagnosis.has_errors
    assert [command.split()[1] for command in diagnosis.commands] == ["add", "predictions"]


def test_a_second_file_about_the_same_images_may_be_predictions(tmp_path):
    rows = "".join(f"{n}.jpg,cat,{n},5,40,30\n" for n in range(9))
    header = "image,label,x,y,width,height\n"
    sources = [toys.write(tmp_path / name, header + rows) for name in ("a.csv", "b.csv")]
    diagnosis = examine([str(source) for source in sources])
    assert "annotated_again" in [finding.kind for finding in diagnosis.findings]
