"""Each format, recognised by its content and read with its quirks."""

import json

import numpy as np
import pandas
import polars
import pyarrow
import pytest

import pellucid
import toys


def items(version, tab="all", **options):
    return [
        (item.image, item.concept, item.score, item.outcome)
        for item in version.gallery(tab, **options)
    ]


def test_coco_keeps_category_order_and_crowds(workspace, tmp_path):
    annotations = [
        {"id": 1, "image_id": 11, "category_id": 7, "bbox": [10, 10, 20, 20], "iscrowd": 1},
        {"id": 2, "image_id": 12, "category_id": 3, "bbox": [0, 0, 30, 30]},
    ]
    source = toys.coco(
        tmp_path,
        annotations=annotations,
        categories=[{"id": 7, "name": "rust"}, {"id": 3, "name": "dent"}],
    )
    view, _ = workspace.add("v", source, images=tmp_path / "images")
    rows = [
        {"image_id": 11, "category_id": 7, "bbox": [12, 12, 4, 4], "score": score}
        for score in (0.9, 0.8)
    ]
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, rows))
    assert list(version.thresholds) == ["rust", "dent"]
    assert [item.outcome for item in version.gallery("all", threshold=0.5)] == [
        "ignored",
        "ignored",
    ]
    assert len(version.gallery("extra", "rust")) == 0


@pytest.mark.parametrize("written", ["id", "stem", "integer of the stem", "path", "file_name"])
def test_images_of_results_are_resolved_by_id_stem_or_path(workspace, tmp_path, written):
    images = [
        {"id": 900 + row, "file_name": f"val/{row:06d}.jpg", "width": 64, "height": 48}
        for row in (3, 17, 40)
    ]
    annotations = [
        {"id": row, "image_id": image["id"], "category_id": 1, "bbox": [5, 5, 20, 20]}
        for row, image in enumerate(images)
    ]
    view, _ = workspace.add(
        "v", toys.coco(tmp_path, images=images, annotations=annotations, pictures=False)
    )
    rows = []
    for image in images:
        stem = image["file_name"][4:-4]
        name = {
            "id": image["id"],
            "stem": stem,
            "integer of the stem": int(stem),
            "path": image["file_name"],
            "file_name": 0,
        }[written]
        rows.append(
            {
                "image_id": name,
                "category_id": 1,
                "bbox": [5, 5, 20, 20],
                "score": 0.5 + len(rows) / 10,
            }
        )
        if written == "file_name":
            rows[-1]["file_name"] = f"{stem}.jpg"
    version = view.start("m")
    said = {
        "stem": "file stem",
        "integer of the stem": "file stem without leading zeros",
        "path": "path",
        "file_name": "file name",
    }.get(written)
    messages = [note.message for note in version.add_predictions(toys.results(tmp_path, rows))]
    assert messages == ([f"images matched by {said}"] if said else [])
    assert items(version, "matched") == [
        (f"val/{row:06d}.jpg", "dent", score, "matched")
        for row, score in ((40, 0.7), (17, 0.6), (3, 0.5))
    ]


@pytest.mark.parametrize("first", [0, 1])
def test_category_ids_of_ultralytics_start_at_0_or_1(workspace, tmp_path, first):
    """Annotations numbered from 1; the boxes say which reading is right when both would do."""
    images = [
        {"id": row, "file_name": f"{row}.jpg", "width": 640, "height": 480} for row in range(40)
    ]
    categories = [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}]
    annotations = [
        {"id": row, "image_id": row, "category_id": 2, "bbox": [50, 50, 90, 60]}
        for row in range(40)
    ]
    view, _ = workspace.add(
        "v",
        toys.coco(
            tmp_path, images=images, annotations=annotations, categories=categories, pictures=False
        ),
    )
    rows = [
        {"image_id": str(row), "category_id": 1 + first, "bbox": [52, 50, 90, 60], "score": 0.9}
        for row in range(40)
    ]
    version = view.start("m")
    notes = version.add_predictions(toys.results(tmp_path, rows))
    assert len(version.gallery("matched", "b")) == 40
    assert [note.kind for note in notes] == ([] if first else ["reading"])
    if not first:
        assert (
            "positions from 0: 100% of confident boxes agree with an annotation, 0% when read as "
            "ids" in notes[0].message
        )


def test_image_ids_contradicted_by_boxes_keep_the_box_format_note(workspace, tmp_path):
    """Image ids that name other images by file stem; the boxes agree only with the stems."""
    images = [
        {"id": row, "file_name": f"{(row + 1) % 40}.jpg", "width": 640, "height": 480}
        for row in range(40)
    ]
    annotations = [
        {"id": row, "image_id": row, "category_id": 1, "bbox": [12 * row, 50, 10, 60]}
        for row in range(40)
    ]
    view, _ = workspace.add(
        "v", toys.coco(tmp_path, images=images, annotations=annotations, pictures=False)
    )
    rows = [
        {
            "image_id": (row + 1) % 40,
            "category_id": 1,
            "bbox": [12 * row, 50, 12 * row + 10, 110],
            "score": 0.9,
        }
        for row in range(40)
    ]
    version = view.start("m")
    notes = version.add_predictions(toys.results(tmp_path, rows), boxes="xyxy-pixels")
    assert len(version.gallery("matched")) == 40
    messages = [note.message for note in notes]
    assert messages == [
        "image ids read as path without ending: 100% of confident boxes agree with an "
        "annotation, 0% when read as id",
        "boxes read as xyxy-pixels (--boxes)",
    ]


def test_unknown_category_0_means_positions_from_0(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    rows = [
        {"image_id": 11, "category_id": 0, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 11, "category_id": 1, "bbox": [40, 5, 10, 10], "score": 0.8},
    ]
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, rows))
    assert {(item.concept, item.outcome) for item in version.gallery("matched")} == {
        ("dent", "matched"),
        ("rust", "matched"),
    }


def test_unresolved_references_are_counted_and_ignored(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    rows = [
        {"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 99, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 98, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 11, "category_id": 44, "bbox": [10, 10, 20, 20], "score": 0.9},
    ]
    notes = view.start("m").add_predictions(toys.results(tmp_path, rows), ignore_concepts=["44"])
    assert [(note.kind, note.count, note.message) for note in notes] == [
        ("image_unknown", 2, "2 predictions of 2 images not in the version, ignored: '98', '99'"),
        (
            "concept_unknown",
            1,
            "1 prediction of 1 concept not in the annotations, ignored: '44'",
        ),
    ]
    outcomes = {(item.concept, item.outcome) for item in view.version("m").gallery("all")}
    assert outcomes == {("dent", "matched"), ("44", "ignored")}


def test_ambiguous_stems_are_refused(workspace, tmp_path):
    images = [
        {"id": 1, "file_name": "left/1.jpg", "width": 9, "height": 9},
        {"id": 2, "file_name": "right/1.jpg", "width": 9, "height": 9},
    ]
    view, _ = workspace.add("v", toys.coco(tmp_path, images=images, annotations=[], pictures=False))
    labels = toys.write(tmp_path / "labels" / "1.txt", "0 0.5 0.5 0.5 0.5 0.9\n").parent
    with pytest.raises(
        pellucid.PellucidError,
        match=r"ambiguous image '1': matches 'left/1.jpg', 'right/1.jpg'. Refer to images by their path",
    ):
        view.start("m").add_predictions(labels)


@pytest.mark.parametrize("names", ["{0: dent, 1: rust}", "[dent, rust]", "\n  - dent\n  - rust"])
@pytest.mark.parametrize("train", ["images/train", "[images/train]", "train.txt", "./images/train"])
def test_yolo_dataset_variants(workspace, tmp_path, names, train):
    for name in ("train/1.png", "train/2.png", "val/3.png"):
        toys.picture(tmp_path / "images" / name, 100, 50, colour=(int(name[-5]), 0, 0))
    toys.write(tmp_path / "labels/train/1.txt", "0 0.5 0.5 0.2 0.4\n\n1 0.1 0.1 0.2 0.2\n")
    toys.write(tmp_path / "labels/val/3.txt", "1 0.1 0.1 0.3 0.1 0.3 0.5 0.1 0.5\n")
    toys.write(tmp_path / "train.txt", "images/train/1.png\n./images/train/2.png\n")
    source = toys.write(
        tmp_path / "data.yaml", f"train: {train}\nval: images/val\nnames: {names}\nnc: 2\n"
    )
    view, notes = workspace.add("v", source)
    version = view.start("m")
    version.add_predictions(
        {
            "image": ["images/val/3.png"],
            "concept": ["dent"],
            "score": [0.1],
            "x": [0.0],
            "y": [0.0],
            "width": [1.0],
            "height": [1.0],
        }
    )
    version.manifest.counts["images"] = 3
    assert {note.kind: note.count for note in notes} == {"no_label_file": 1, "polygons": 1}
    extra = version.gallery("extra", split="validation")[0]
    assert (extra.image, extra.concept) == ("images/val/3.png", "rust")
    assert extra.box == pytest.approx((10, 5, 20, 20))
    annotations = version.evaluation.annotations
    assert annotations.box[:2] == pytest.approx(np.array([[40, 15, 20, 20], [0, 0, 20, 10]]))


def test_yolo_fractions_refer_to_the_displayed_image(workspace, tmp_path):
    exif = toys.Image.Exif()
    exif[0x0112] = 6
    toys.picture(tmp_path / "images/val/turned.jpg", 100, 50, exif=exif)
    toys.write(tmp_path / "labels/val/turned.txt", "0 0.5 0.5 1 1\n")
    view, _ = workspace.add(
        "v", toys.write(tmp_path / "data.yaml", "val: images/val\nnames: [a]\n")
    )
    assert view.start("m").evaluation.annotations.box.tolist() == [[0, 0, 50, 100]]


def test_yolo_datasets_behind_links(workspace, tmp_path):
    toys.picture(tmp_path / "store/1.png", 100, 50)
    toys.write(tmp_path / "set/labels/val/1.txt", "0 0.5 0.5 0.2 0.4\n")
    toys.write(tmp_path / "set/data.yaml", "val: ../set/images/val\nnames: [a]\n")
    (tmp_path / "set/images/val").mkdir(parents=True)
    (tmp_path / "set/images/val/1.png").symlink_to(tmp_path / "store/1.png")
    (tmp_path / "link").symlink_to(tmp_path / "set")
    view, notes = workspace.add("v", tmp_path / "link", images=tmp_path / "link/images")
    assert [note.kind for note in notes] == ["picture_link"]
    assert view.start("m").evaluation.images.path.tolist() == ["val/1.png"]
    assert view.version("m").evaluation.annotations.box.tolist() == [
        pytest.approx([40, 15, 20, 20])
    ]


def test_ids_are_positions_only_with_evidence(workspace, tmp_path):
    categories = [
        {"id": 18, "name": "dog"},
        {"id": 44, "name": "bottle"},
        {"id": 62, "name": "chair"},
    ]
    annotations = [{"id": 1, "image_id": 11, "category_id": 18, "bbox": [10, 10, 20, 20]}]
    view, _ = workspace.add(
        "v", toys.coco(tmp_path, annotations=annotations, categories=categories, pictures=False)
    )
    rows = [
        {"image_id": 11, "category_id": number, "bbox": [10, 10, 20, 20], "score": 0.5}
        for number in (1, 2, 3, 18)
    ]
    version = view.start("m")
    notes = version.add_predictions(toys.results(tmp_path, rows), ignore_concepts=["*"])
    assert [(note.kind, note.count) for note in notes] == [("concept_unknown", 3)]
    assert ("a/one.png", "dog", 0.5, "matched") in items(version)
    assert [concept.concept for concept in version.metrics().concepts] == ["dog", "bottle", "chair"]


def test_conflicting_ids_of_two_files_are_refused(workspace, tmp_path):
    for split, name, categories in (
        ("training", "11.jpg", ("cat", "dog")),
        ("validation", "1.jpg", ("dog", "cat")),
    ):
        source = toys.coco(
            tmp_path,
            f"{split}.json",
            images=[{"id": 1, "file_name": name, "width": 9, "height": 9}],
            annotations=[],
            categories=[{"id": place + 1, "name": one} for place, one in enumerate(categories)],
            pictures=False,
        )
        view, _ = workspace.add("v", source, split=split)
    rows = toys.results(
        tmp_path, [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.9}]
    )
    with pytest.raises(
        pellucid.PellucidError, match=r"ambiguous image '1': matches '1\.jpg', '11\.jpg'"
    ):
        view.start("m").add_predictions(rows)
    with pytest.raises(pellucid.PellucidError, match="ambiguous concept '1': matches 'cat', 'dog'"):
        view.version("m").add_predictions(rows, split="training")


def test_predictions_of_another_split_are_ignored(workspace, tmp_path):
    text = "image,split,concept,x,y,width,height\ntrain/1.jpg,training,dent,50,50,10,10\nval/1.jpg,validation,dent,0,0,10,10\n"
    view, _ = workspace.add("v", toys.write(tmp_path / "s.csv", text))
    found = toys.write(
        tmp_path / "p.csv",
        "image,concept,score,x,y,width,height\nval/1.jpg,dent,0.7,0,0,10,10\ntrain/1.jpg,dent,0.9,50,50,10,10\n",
    )
    version = view.start("m")
    notes = version.add_predictions(found, split="validation")
    assert [(note.kind, note.count) for note in notes] == [("columns", 1), ("other_split", 1)]
    assert items(version) == [("val/1.jpg", "dent", 0.7, "matched")]


def test_two_names_of_one_image_are_refused(workspace, tmp_path):
    view, _ = workspace.add(
        "v",
        toys.coco(
            tmp_path,
            images=[{"id": 9, "file_name": "1.jpg", "width": 9, "height": 9}],
            annotations=[],
            pictures=False,
        ),
    )
    for split in ("train", "val"):
        toys.write(tmp_path / "labels" / split / "1.txt", "0 0.5 0.5 0.5 0.5 0.9\n")
    with pytest.raises(pellucid.PellucidError, match="none of its images match the version"):
        view.start("m").add_predictions(tmp_path / "labels")


@pytest.mark.parametrize("name", ["p[1].csv", "s*.csv", "q?.csv"])
def test_file_names_are_not_glob_patterns(tmp_path, name):
    folder = tmp_path / "w[1]"
    toys.write(tmp_path / "p1.csv", "image,label\nother.jpg,cat\n")
    toys.write(tmp_path / "s2.csv", "image,label\nother.jpg,cat\n")
    pellucid.open(tmp_path / "w1").add("v", tmp_path / "p1.csv")
    view, _ = pellucid.open(folder).add(
        "v*", toys.write(tmp_path / name, "image,label\nreal.jpg,cat\n")
    )
    pellucid.open(folder).add("v2", tmp_path / "p1.csv")
    assert view.start("m").evaluation.images.path.tolist() == ["real.jpg"]


def test_image_in_train_and_val_is_refused(workspace, tmp_path):
    toys.picture(tmp_path / "images/a.png")
    toys.write(tmp_path / "labels/a.txt", "0 0.5 0.5 0.2 0.2\n")
    with pytest.raises(
        pellucid.PellucidError,
        match=r"image 'images/a.png' is already in training and cannot also be in validation. "
        "'images' is the folder of both splits: remove one of the two lines",
    ):
        workspace.add(
            "v", toys.write(tmp_path / "data.yaml", "train: images\nval: images\nnames: [a]\n")
        )


def test_same_file_name_in_two_folders_is_refused(workspace, tmp_path):
    for folder in ("A", "B"):
        toys.coco(tmp_path / folder, annotations=[])
    workspace.add("v", tmp_path / "A/annotations.json", images=tmp_path / "A/images")
    with pytest.raises(
        pellucid.PellucidError,
        match=r"image 'a/one.png' is already in the view from a different folder",
    ):
        workspace.add("v", tmp_path / "B/annotations.json", images=tmp_path / "B/images")


def test_repeated_tags_are_merged_and_contradictions_refused(workspace, tmp_path):
    view, _ = workspace.add(
        "v", toys.write(tmp_path / "t.csv", "image,tags\na.jpg,cat|cat\nb.jpg,dog\n")
    )
    assert len(view.start("m").evaluation.annotations) == 2
    with pytest.raises(
        pellucid.PellucidError, match=r"'a\.jpg' is marked both with and without 'cat'"
    ):
        workspace.add(
            "u",
            toys.write(
                tmp_path / "u.csv", "image,concept,value\na.jpg,cat,positive\na.jpg,cat,negative\n"
            ),
        )


def test_boxes_with_a_labels_column_are_boxes(workspace, tmp_path):
    view, _ = workspace.add(
        "v",
        toys.write(
            tmp_path / "t.csv", "image,labels,x,y,width,height,value\na.jpg,cat,1,2,3,4,17\n"
        ),
    )
    assert view.kind == "detection"
    assert json.loads(view.start("m").evaluation.images.metadata[0]) == {"value": "17"}


def test_index_and_empty_columns_are_not_concepts(workspace, tmp_path):
    view, _ = workspace.add(
        "v", toys.write(tmp_path / "t.csv", ",image,wet,hot,notes\n0,a.jpg,1,0,\n1,b.jpg,0,1,\n")
    )
    assert [concept.name for concept in view.manifest.concepts] == ["wet", "hot"]


def test_image_folder_with_and_without_splits(workspace, tmp_path):
    for name in ("train/rose/1.png", "val/rose/2.png", "val/tulip/3.png"):
        toys.picture(tmp_path / "with" / name)
        toys.picture(tmp_path / "without" / name.split("/", 1)[1])
    view, _ = workspace.add("with", tmp_path / "with")
    assert view.start("m").results().splits == ["training", "validation"]
    view, _ = workspace.add("without", tmp_path / "without")
    assert view.start("m").results().splits == ["validation"]
    assert view.kind == "classification"
    assert view.version("m").evaluation.images.path.tolist() == [
        "rose/1.png",
        "rose/2.png",
        "tulip/3.png",
    ]


LONG = "image,split,concept,x,y,width,height,ignore,camera\na.jpg,val,dent,1,2,3,4,0,left\na.jpg,val,rust,5,6,7,8,1,left\nb.jpg,train,,,,,,,right\n"


@pytest.mark.parametrize(
    "kind", ["csv", "semicolons", "parquet", "pandas", "polars", "arrow", "dict"]
)
def test_long_tables_of_boxes(workspace, tmp_path, kind):
    path = toys.write(tmp_path / "t.csv", LONG)
    frame = pandas.read_csv(path, dtype={"concept": str})
    if kind == "semicolons":
        path = toys.write(tmp_path / "t.csv", LONG.replace(",", ";"))
    if kind == "parquet":
        path = tmp_path / "t.parquet"
        frame.to_parquet(path)
    columns = {name: list(frame[name].where(frame[name].notna(), None)) for name in frame}
    source = (
        {
            "pandas": frame,
            "polars": polars.read_csv(path, separator=","),
            "arrow": pyarrow.Table.from_pandas(frame),
        }.get(kind, path)
        if kind != "semicolons"
        else path
    )
    if kind == "dict":
        source = {
            name: np.array([cell if cell is not None else np.nan for cell in column])
            if name in ("x", "y", "width", "height", "ignore")
            else column
            for name, column in columns.items()
        }
        source["ignore"] = [0, 1, 0]
        source["concept"] = ["dent", "rust", ""]
    view, _ = workspace.add("v", source)
    evaluation = view.start("m").evaluation
    assert view.kind == "detection"
    assert evaluation.images.path.tolist() == ["a.jpg", "b.jpg"]
    assert evaluation.images.split.tolist() == [1, 0]
    assert evaluation.annotations.box.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert evaluation.annotations.ignore.tolist() == [False, True]
    assert [json.loads(one) for one in evaluation.images.metadata] == [
        {"camera": "left"},
        {"camera": "right"},
    ]


def test_unlisted_tags_are_unknown_with_explicit_negatives(workspace, tmp_path):
    source = toys.write(
        tmp_path / "t.csv",
        "image,concept,value\na.jpg,wet,positive\na.jpg,hot,negative\nb.jpg,wet,negative\nb.jpg,old,positive\n",
    )
    view, _ = workspace.add("v", source)
    assert view.kind == "tagging"
    version = view.start("m")
    rows = [(image, concept) for image in ("a.jpg", "b.jpg") for concept in ("wet", "hot", "old")]
    version.add_predictions(
        {
            "image": [one for one, _ in rows],
            "concept": [other for _, other in rows],
            "score": np.full(6, 0.9),
        }
    )
    outcomes = {
        (item.image, item.concept): item.outcome for item in version.gallery("all", threshold=0.5)
    }
    assert outcomes == {
        ("a.jpg", "wet"): "matched",
        ("a.jpg", "hot"): "missing",
        ("a.jpg", "old"): "ignored",
        ("b.jpg", "wet"): "missing",
        ("b.jpg", "hot"): "ignored",
        ("b.jpg", "old"): "matched",
    }


@pytest.mark.parametrize(
    "text",
    [
        "image,wet,hot\na.jpg,1,0\nb.jpg,0,1\n",
        "image,tags\na.jpg,wet\nb.jpg,hot\n",
        "image,label\na.jpg,wet|hot\nb.jpg,hot\n",
    ],
)
def test_tags_as_columns_or_lists(workspace, tmp_path, text):
    view, _ = workspace.add("v", toys.write(tmp_path / "t.csv", text))
    assert view.kind == "tagging"
    assert {concept.name for concept in view.manifest.concepts} == {"wet", "hot"}
    assert view.manifest.concepts_listed == ("wet,hot" in text)


@pytest.mark.parametrize("prefix", ["", "p_", "prob_", "score."])
def test_wide_probabilities_with_any_prefix(workspace, tmp_path, prefix):
    view, _ = workspace.add(
        "v",
        toys.write(
            tmp_path / "t.csv", "image,label,split\na.jpg,cat,val\nb.jpg,dog,val\nc.jpg,,val\n"
        ),
    )
    assert view.kind == "classification"
    heading = f"image,label,{prefix}cat,{prefix}dog,remark"
    version = view.start("m")
    notes = version.add_predictions(
        toys.write(
            tmp_path / "p.csv",
            f"{heading}\na.jpg,cat,.9,.1,x\nb.jpg,dog,.6,.4,y\nc.jpg,cat,.7,.3,z\n",
        )
    )
    assert [note.kind for note in notes] == ["columns", "unannotated_images"]
    assert notes[0].message.endswith("not read: 'remark'")
    assert "2 predictions on 1 image that nobody annotated: ignored (" in notes[1].message
    assert items(version, "all", threshold=0.5) == [
        ("a.jpg", "cat", 0.9, "matched"),
        ("c.jpg", "cat", 0.7, "ignored"),
        ("b.jpg", "cat", 0.6, "missing"),
    ]


def test_concept_known_only_to_the_classifier_is_added_and_reported(workspace, tmp_path):
    view, _ = workspace.add(
        "v", toys.write(tmp_path / "t.csv", "image,label\na.jpg,cat\nb.jpg,dog\n")
    )
    version = view.start("m")
    notes = version.add_predictions(
        toys.write(tmp_path / "p.csv", "image,p_cat,p_dog,p_fox\na.jpg,.2,.1,.7\nb.jpg,.1,.8,.1\n")
    )
    assert [(note.kind, note.message) for note in notes[1:]] == [
        ("concept_added", "1 concept without annotations added: fox")
    ]
    assert items(version, "missing", threshold=0.5) == [("a.jpg", "fox", 0.7, "missing")]


def test_corners_become_left_top_width_height(workspace, tmp_path):
    source = toys.write(
        tmp_path / "t.csv", "filename,class,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,11,22\n"
    )
    view, _ = workspace.add("v", source)
    assert view.start("m").evaluation.annotations.box.tolist() == [[1, 2, 10, 20]]


def test_boxes_can_be_read_as_tags(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False), kind="tagging")
    evaluation = view.start("m").evaluation
    assert view.kind == "tagging"
    assert sorted(
        zip(
            evaluation.annotations.image.tolist(),
            evaluation.annotations.concept.tolist(),
            strict=True,
        )
    ) == [
        (0, 0),
        (0, 1),
        (1, 0),
    ]


def test_row_with_an_empty_concept_is_an_image_without_annotations(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path, pictures=False))
    version = view.start("m")
    version.add_predictions(
        toys.write(tmp_path / "p.csv", "image,concept,score,x,y,width,height\na/one.png,,,,,,\n"),
        covered="listed",
    )
    assert version.metrics().covered == 1
    assert [item.image for item in version.gallery("extra")] == ["a/one.png", "a/one.png"]


def test_names_of_images_that_differ_by_unicode_form_or_case(workspace, tmp_path):
    """Zip files of macOS hold decomposed names; Windows does not mind the case."""
    composed, decomposed = "Müller.png", "Mu\u0308ller.png"
    for name in (decomposed, "B.PNG"):
        toys.picture(tmp_path / "images" / name)
    rows = f"{composed},dent,1,1,9,9\nb.png,dent,1,1,9,9\n"
    source = toys.write(tmp_path / "a.csv", f"image,concept,x,y,width,height\n{rows}")
    view, notes = workspace.add("v", source, images=tmp_path / "images")
    assert sorted(view.annotation_tables[0].path) == sorted([decomposed, "B.PNG"])
    (note,) = [note for note in notes if note.kind == "names_on_disk"]
    assert note.count == 2
    assert "'Müller.png' in Unicode NFC is NFD on disk" in note.message
    assert not [note for note in notes if note.kind == "picture_absent"]
    version = view.start("m")
    found = f"{composed},dent,0.9,1,1,9,9\nb.png,dent,0.8,1,1,9,9\n"
    table = toys.write(tmp_path / "p.csv", f"image,concept,score,x,y,width,height\n{found}")
    version.add_predictions(table)
    assert len(version.gallery("matched")) == 2


VOC_TEXT = (
    "<annotation><filename>{name}.png</filename><size><width>64</width><height>64</height></size>"
    "<object><name>dent</name><bndbox><xmin>5</xmin><ymin>5</ymin><xmax>20</xmax><ymax>20</ymax>"
    "</bndbox></object></annotation>"
)
LABELME_TEXT = (
    '{{"imagePath": "{name}.png", "imageWidth": 64, "imageHeight": 64, "shapes": '
    '[{{"label": "dent", "shape_type": "rectangle", "points": [[5, 5], [20, 20]]}}]}}'
)
CVAT_TEXT = (
    "<annotations><version>1.1</version><image id='0' name='{name}.png' width='64' height='64'>"
    "<box label='dent' xtl='5' ytl='5' xbr='20' ybr='20'/></image></annotations>"
)
COCO_TEXT = (
    '{{"images": [{{"id": 1, "file_name": "{name}.png", "width": 64, "height": 64}}], '
    '"categories": [{{"id": 1, "name": "dent"}}], "annotations": '
    '[{{"image_id": 1, "category_id": 1, "bbox": [5, 5, 15, 15]}}]}}'
)


@pytest.mark.parametrize(
    ("text", "file_name"),
    [
        (VOC_TEXT, "{name}.xml"),
        (LABELME_TEXT, "{name}.json"),
        (CVAT_TEXT, "annotations.xml"),
        (COCO_TEXT, "_annotations.coco.json"),
    ],
)
def test_folders_named_like_splits_set_the_split(workspace, tmp_path, text, file_name):
    for folder in ("train", "valid", "test"):
        name = f"{folder}_1"
        toys.picture(tmp_path / "set" / folder / f"{name}.png")
        path = tmp_path / "set" / folder / file_name.format(name=name)
        toys.write(path, text.format(name=name))
    view, _ = workspace.add("v", tmp_path / "set")
    assert view.images_by_split == {"training": 1, "validation": 1, "test": 1}
    assert len(view.annotation_tables[1]) == 3


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_tables_of_more_rows_than_are_read_to_recognise_them(workspace, tmp_path, ending):
    names = [f"{index:05d}.jpg" for index in range(5_000)]
    sides = {side: np.full(5_000, 10.0) for side in ("x", "y", "width", "height")}
    truth = pandas.DataFrame({"image": names, "concept": "dent", **sides})
    found = truth.assign(score=np.linspace(0.1, 0.9, 5_000))
    for table, name in ((truth, "a"), (found, "p")):
        path = tmp_path / f"{name}.{ending}"
        table.to_csv(path, index=False) if ending == "csv" else table.to_parquet(path)
    view, _ = workspace.add("v", tmp_path / f"a.{ending}")
    version = view.start("m")
    version.add_predictions(tmp_path / f"p.{ending}")
    assert len(version.gallery("matched")) == 5_000
