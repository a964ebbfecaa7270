"""One small known set as folders of many formats, in many layouts: read as meant, or refused.

A reading that is accepted and differs from the truth fails, whatever it prints. The default
profile runs a sample, the long profile all variants."""

import itertools
import json
import random
import shutil

import numpy as np
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.core.tables import SPLITS

WIDTH, HEIGHT = 200, 100
CONCEPTS = ["dent", "rust"]
OBJECTS = {
    "a": [("dent", (20, 10, 60, 50)), ("rust", (110, 30, 30, 20))],
    "b": [("rust", (150, 60, 40, 30)), ("dent", (5, 70, 15, 20))],
    "c": [("dent", (100, 50, 20, 10))],
    "d": [],
}
"""Boxes by image: left, top, width, height. Nothing is on d."""
SPLIT_FOLDERS = {"a": "train", "b": "valid", "c": "test", "d": "train"}
SPLIT_NAMES = {"train": "training", "valid": "validation", "val": "validation", "test": "test"}


class Layout:
    """Where a set's files lie and what they are called."""

    def __init__(self, folder, layout, extension, stated_name, junk, has_sizes):
        self.root, self.layout, self.extension = folder, layout, extension
        self.stated_name, self.junk, self.has_sizes = stated_name, junk, has_sizes
        if layout == "nested":
            self.root = folder / "dataset-v2"
        self.root.mkdir(parents=True, exist_ok=True)

    def image_path(self, stem):
        """Below the root."""
        name = f"{stem}{self.extension}"
        return {
            "flat": name,
            "nested": name,
            "siblings": f"images/{name}",
            "splits": f"{SPLIT_FOLDERS[stem]}/{name}",
            "split siblings": f"images/{SPLIT_FOLDERS[stem]}/{name}",
            "split folders": f"{SPLIT_FOLDERS[stem]}/images/{name}",
        }[self.layout]

    def label_path(self, stem, ending):
        name = f"{stem}{ending}"
        return {
            "flat": name,
            "nested": name,
            "siblings": f"{self.label_folder}/{name}",
            "splits": f"{SPLIT_FOLDERS[stem]}/{name}",
            "split siblings": f"{self.label_folder}/{SPLIT_FOLDERS[stem]}/{name}",
            "split folders": f"{SPLIT_FOLDERS[stem]}/{self.label_folder}/{name}",
        }[self.layout]

    label_folder = "labels"

    @property
    def has_splits(self):
        return "split" in self.layout

    def name_in_file(self, stem):
        """The image's name as the annotation file states it."""
        name = f"{stem}{self.extension}"
        return {
            "name": name,
            "stale": f"/home/someone/project/{name}",
            "windows": f"C:\\data\\{name}",
            "relative": self.image_path(stem),
        }[self.stated_name]

    def write_label(self, stem, ending, text):
        toys.write(self.root / self.label_path(stem, ending), text)

    def write_images(self):
        for stem in OBJECTS:
            toys.picture(self.root / self.image_path(stem), WIDTH, HEIGHT)

    def write_junk(self):
        files = {
            "none": {},
            "macos": {"__MACOSX/._a.xml": "\0\5\26", ".DS_Store": "x", "__MACOSX/._b.json": "\0"},
            "readme": {"README.txt": "exported from somewhere\n", "README.dataset.txt": "x\n"},
            "notes": {"notes.json": '{"info": {"year": 2024}}'},
        }[self.junk]
        for name, text in files.items():
            toys.write(self.root / name, text)

    def stem_groups(self):
        """Image stems by the folder that holds them, for formats with one file a folder."""
        if not self.has_splits:
            return {"": list(OBJECTS)}
        groups = {}
        for stem in OBJECTS:
            groups.setdefault(SPLIT_FOLDERS[stem], []).append(stem)
        return groups


def size_xml(layout, tag="size"):
    if not layout.has_sizes:
        return ""
    return f"<{tag}><width>{WIDTH}</width><height>{HEIGHT}</height><depth>3</depth></{tag}>"


def write_voc(layout):
    """Corners numbered from 1, as the format has it."""
    for stem, objects in OBJECTS.items():
        rows = "".join(
            f"<object><name>{concept}</name><bndbox><xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
            f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
            for concept, (x, y, w, h) in objects
        )
        text = f"<filename>{layout.name_in_file(stem)}</filename>{size_xml(layout)}{rows}"
        layout.write_label(stem, ".xml", f"<annotation>{text}</annotation>")
    return layout.root, {}


def write_yolo(layout):
    for stem, objects in OBJECTS.items():
        lines = [
            f"{CONCEPTS.index(concept)} {(x + w / 2) / WIDTH} {(y + h / 2) / HEIGHT} "
            f"{w / WIDTH} {h / HEIGHT}\n"
            for concept, (x, y, w, h) in objects
        ]
        layout.write_label(stem, ".txt", "".join(lines))
    toys.write(layout.root / "data.yaml", "names: [dent, rust]\nnc: 2\n" + yolo_splits(layout))
    return layout.root, {}


def yolo_splits(layout):
    if not layout.has_splits:
        return ""
    folder = {"splits": "{}", "split siblings": "images/{}", "split folders": "{}/images"}
    template = folder[layout.layout]
    return "".join(
        f"{key}: {template.format(name)}\n"
        for key, name in (("train", "train"), ("val", "valid"), ("test", "test"))
    )


def write_kitti(layout):
    for stem, objects in OBJECTS.items():
        lines = [
            f"{concept} 0.00 0 0.00 {x}.00 {y}.00 {x + w}.00 {y + h}.00 1 1 1 0 0 0 0\n"
            for concept, (x, y, w, h) in objects
        ]
        layout.write_label(stem, ".txt", "".join(lines))
    return layout.root, {}


def write_labelme(layout):
    for stem, objects in OBJECTS.items():
        shapes = [
            {
                "label": concept,
                "points": [[x, y], [x + w, y + h]],
                "group_id": None,
                "shape_type": "rectangle",
                "flags": {},
            }
            for concept, (x, y, w, h) in objects
        ]
        document = {
            "version": "5.0.1",
            "flags": {},
            "shapes": shapes,
            "imagePath": layout.name_in_file(stem),
            "imageData": None,
        }
        if layout.has_sizes:
            document |= {"imageHeight": HEIGHT, "imageWidth": WIDTH}
        layout.write_label(stem, ".json", json.dumps(document))
    return layout.root, {}


def group_file(layout, folder, name):
    """The path of a folder's only annotation file, beside its images where they are in folders."""
    if not folder:
        return layout.root / name
    if layout.layout == "split siblings":
        return layout.root / layout.label_folder / folder / name
    return layout.root / folder / name


def write_createml(layout):
    for folder, stems in layout.stem_groups().items():
        records = [
            {
                "image": layout.name_in_file(stem),
                "annotations": [
                    {
                        "label": concept,
                        "coordinates": {
                            "x": x + w / 2,
                            "y": y + h / 2,
                            "width": w,
                            "height": h,
                        },
                    }
                    for concept, (x, y, w, h) in OBJECTS[stem]
                ],
            }
            for stem in stems
        ]
        path = group_file(layout, folder, "_annotations.createml.json")
        toys.write(path, json.dumps(records))
    return layout.root, {}


def write_coco(layout):
    for folder, stems in layout.stem_groups().items():
        images = [
            {"id": index + 1, "file_name": layout.name_in_file(stem)}
            | ({"width": WIDTH, "height": HEIGHT} if layout.has_sizes else {})
            for index, stem in enumerate(stems)
        ]
        rows = [
            (stems.index(stem) + 1, concept, box)
            for stem in stems
            for concept, box in OBJECTS[stem]
        ]
        document = {
            "images": images,
            "categories": [
                {"id": 1, "name": "dent", "supercategory": "none"},
                {"id": 2, "name": "rust", "supercategory": "none"},
            ],
            "annotations": [
                {
                    "id": index + 1,
                    "image_id": image,
                    "category_id": CONCEPTS.index(concept) + 1,
                    "bbox": list(box),
                    "area": box[2] * box[3],
                    "iscrowd": 0,
                }
                for index, (image, concept, box) in enumerate(rows)
            ],
        }
        toys.write(group_file(layout, folder, "_annotations.coco.json"), json.dumps(document))
    return layout.root, {}


def write_cvat(layout):
    for folder, stems in layout.stem_groups().items():
        size = f' width="{WIDTH}" height="{HEIGHT}"' if layout.has_sizes else ""
        images = "".join(
            f'<image id="{index}" name="{layout.name_in_file(stem)}"{size}>'
            + "".join(
                f'<box label="{concept}" occluded="0" xtl="{x}.00" ytl="{y}.00" '
                f'xbr="{x + w}.00" ybr="{y + h}.00" z_order="0"></box>'
                for concept, (x, y, w, h) in OBJECTS[stem]
            )
            + "</image>"
            for index, stem in enumerate(stems)
        )
        labels = "".join(f"<label><name>{name}</name></label>" for name in CONCEPTS)
        text = (
            '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
            f"<meta><task><labels>{labels}</labels></task></meta>{images}</annotations>"
        )
        toys.write(group_file(layout, folder, "annotations.xml"), text)
    return layout.root, {}


def write_label_studio(layout):
    for folder, stems in layout.stem_groups().items():
        tasks = []
        for index, stem in enumerate(stems):
            regions = [
                {
                    "type": "rectanglelabels",
                    "original_width": WIDTH,
                    "original_height": HEIGHT,
                    "value": {
                        "x": 100 * x / WIDTH,
                        "y": 100 * y / HEIGHT,
                        "width": 100 * w / WIDTH,
                        "height": 100 * h / HEIGHT,
                        "rotation": 0,
                        "rectanglelabels": [concept],
                    },
                }
                for concept, (x, y, w, h) in OBJECTS[stem]
            ]
            tasks.append(
                {
                    "id": index + 1,
                    "data": {"image": f"/data/upload/3/0a1b2c3d-{layout.name_in_file(stem)}"},
                    "annotations": [{"id": index, "was_cancelled": False, "result": regions}],
                }
            )
        toys.write(group_file(layout, folder, "export.json"), json.dumps(tasks))
    return layout.root, {}


def write_table(layout):
    for folder, stems in layout.stem_groups().items():
        lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
        for stem in stems:
            for concept, (x, y, w, h) in OBJECTS[stem]:
                name = layout.name_in_file(stem)
                lines.append(f"{name},{WIDTH},{HEIGHT},{concept},{x},{y},{x + w},{y + h}")
        path = group_file(layout, folder, "_annotations.csv")
        toys.write(path, "\n".join(lines) + "\n")
    return layout.root, {}


def write_datumaro(layout):
    for folder, stems in layout.stem_groups().items():
        items = [
            {
                "id": stem,
                "annotations": [
                    {"id": 0, "type": "bbox", "label_id": CONCEPTS.index(concept), "bbox": box}
                    for concept, box in OBJECTS[stem]
                ],
                "image": {"path": layout.name_in_file(stem)}
                | ({"size": [HEIGHT, WIDTH]} if layout.has_sizes else {}),
            }
            for stem in stems
        ]
        document = {
            "info": {},
            "categories": {"label": {"labels": [{"name": name} for name in CONCEPTS]}},
            "items": items,
        }
        name = f"{folder or 'default'}.json"
        toys.write(layout.root / "annotations" / name, json.dumps(document))
    return layout.root, {}


def write_fiftyone(layout):
    samples = [
        {
            "filepath": layout.name_in_file(stem),
            "tags": [SPLIT_NAMES[SPLIT_FOLDERS[stem]]] if layout.has_splits else [],
            "ground_truth": {
                "_cls": "Detections",
                "detections": [
                    {
                        "_cls": "Detection",
                        "label": concept,
                        "bounding_box": [x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT],
                    }
                    for concept, (x, y, w, h) in OBJECTS[stem]
                ],
            },
        }
        | (
            {"metadata": {"_cls": "ImageMetadata", "width": WIDTH, "height": HEIGHT}}
            if layout.has_sizes
            else {}
        )
        for stem in OBJECTS
    ]
    toys.write(layout.root / "samples.json", json.dumps({"samples": samples}))
    return layout.root, {}


WRITERS = {
    "voc": write_voc,
    "yolo": write_yolo,
    "kitti": write_kitti,
    "labelme": write_labelme,
    "createml": write_createml,
    "coco": write_coco,
    "cvat": write_cvat,
    "label-studio": write_label_studio,
    "table": write_table,
    "datumaro": write_datumaro,
    "fiftyone": write_fiftyone,
}
LAYOUTS = ["flat", "nested", "siblings", "splits", "split siblings", "split folders"]
LABEL_FOLDERS = {"voc": "Annotations", "kitti": "label_2"}


def variants():
    return list(
        itertools.product(
            WRITERS,
            LAYOUTS,
            [".png", ".PNG"],
            ["name", "stale", "windows", "relative"],
            ["none", "macos", "readme", "notes"],
            [True, False],
            ["none", "beside", "given"],
        )
    )


def truth(layout):
    """(split, boxes) by image stem."""
    return {
        stem: (
            SPLIT_NAMES[SPLIT_FOLDERS[stem]] if layout.has_splits else "validation",
            sorted((concept, tuple(map(float, box))) for concept, box in objects),
        )
        for stem, objects in OBJECTS.items()
    }


def read(folder, source, options):
    """(split, boxes) by image stem, or the refusal's text."""
    try:
        view, _ = pellucid.open(folder / "w").add("v", source, split="validation", **options)
    except PellucidError as error:
        return str(error)
    images, table, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    if table.box is None:
        return {"kind": view.manifest.kind}
    boxes = np.round(table.box, 2)
    if boxes.size and table.box.max() <= 1:
        boxes = np.round(table.box * [WIDTH, HEIGHT, WIDTH, HEIGHT], 2)
    found = {}
    for row, path in enumerate(images.path):
        stem = str(path).replace("\\", "/").rsplit("/", 1)[-1].rsplit(".", 1)[0]
        assert stem not in found, f"{stem} twice"
        rows = np.flatnonzero(table.image == row)
        found[stem] = (
            SPLITS[images.split[row]],
            sorted((names[table.concept[one]], tuple(boxes[one].tolist())) for one in rows),
        )
    return found


def check(folder, variant):
    form, layout_name, extension, stated_name, junk, has_sizes, pictures = variant
    layout = Layout(folder / "set", layout_name, extension, stated_name, junk, has_sizes)
    layout.label_folder = LABEL_FOLDERS.get(form, "labels")
    source, options = WRITERS[form](layout)
    layout.write_junk()
    if pictures != "none":
        layout.write_images()
    if pictures == "given":
        options |= {"images": layout.root}
    found = read(folder, source, options)
    if isinstance(found, str):
        return f"refused: {found}"
    expected = truth(layout)
    if form == "table" or (found.keys() < expected.keys() and form in ("yolo",)):
        expected.pop("d")
        found.pop("d", None)
    assert found == expected, (variant, found)
    return "read"


def run(folder, count):
    """Each format is read in a fair share of its variants, so that refusing all is no way out."""
    outcomes = {form: [] for form in WRITERS}
    for number, variant in enumerate(random.Random(1).sample(variants(), count)):
        place = folder / str(number)
        outcomes[variant[0]].append(check(place, variant))
        shutil.rmtree(place)
    for form, found in outcomes.items():
        assert found.count("read") >= 0.2 * len(found), (form, found)


def test_sample_of_folders(tmp_path):
    run(tmp_path, 60)


@pytest.mark.slow
def test_many_folders(tmp_path):
    run(tmp_path, 800)


def test_absolute_paths_of_another_machine(tmp_path):
    """They are read where the last parts of each name a file in the given folder."""
    layout = Layout(tmp_path / "set", "siblings", ".png", "stale", "none", True)
    source, _ = write_coco(layout)
    layout.write_images()
    with pytest.raises(PellucidError, match="give the folder where the images are now"):
        pellucid.open(tmp_path / "w").add("v", source)
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=source / "images")
    assert sorted(view.annotation_tables[0].path) == ["a.png", "b.png", "c.png", "d.png"]


@pytest.mark.parametrize("folder", ["/data/imgs", "D:/imgs"])
def test_the_common_folder_of_absolute_paths_is_named(tmp_path, folder):
    """Taking the named beginning away, as the message says, makes the table readable."""
    source = tmp_path / "a.csv"
    lines = [f"{folder}/val/a.jpg,cat", f"{folder}/train/b.jpg,dog", f"{folder}/train/c.jpg,dog"]
    source.write_text("\n".join(["image,concept", *lines]) + "\n")
    with pytest.raises(PellucidError, match=f"All image paths begin with '{folder}/'"):
        pellucid.open(tmp_path / "w").add("v", source)
    source.write_text(source.read_text().replace(f"{folder}/", ""))
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    assert sorted(view.annotation_tables[0].path) == ["train/b.jpg", "train/c.jpg", "val/a.jpg"]


@pytest.mark.parametrize("form", ["labelme", "createml"])
def test_files_of_another_format_are_named(tmp_path, form):
    layout = Layout(tmp_path / "set", "flat", ".png", "name", "notes", True)
    source, _ = WRITERS[form](layout)
    layout.write_junk()
    _, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert any("not read: 'notes.json'" in note.message for note in notes), notes


def test_one_table_per_split(tmp_path):
    layout = Layout(tmp_path / "set", "splits", ".png", "name", "none", True)
    source, _ = write_table(layout)
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    images = view.annotation_tables[0]
    assert sorted(zip(images.path, (SPLITS[split] for split in images.split), strict=True)) == [
        ("test/c.png", "test"),
        ("train/a.png", "training"),
        ("valid/b.png", "validation"),
    ]


def test_two_tables_in_a_split_are_refused(tmp_path):
    layout = Layout(tmp_path / "set", "splits", ".png", "name", "none", True)
    source, _ = write_table(layout)
    shutil.copy(source / "train/_annotations.csv", source / "train/old.csv")
    with pytest.raises(PellucidError, match="several annotation files"):
        pellucid.open(tmp_path / "w").add("v", source)


@pytest.mark.parametrize("form", ["kitti", "yolo"])
def test_labels_named_like_documents_are_read(tmp_path, form):
    """Licence plates are common; `README.txt` is none."""
    layout = Layout(tmp_path / "set", "flat", ".png", "name", "readme", True)
    source, _ = WRITERS[form](layout)
    layout.write_junk()
    layout.write_images()
    for ending in (".txt", ".png"):
        (source / f"a{ending}").rename(source / f"license_plate_1{ending}")
        (source / f"b{ending}").rename(source / f"readme7{ending}")
    view, _ = pellucid.open(tmp_path / "w").add("v", source)
    images, annotations, _ = view.annotation_tables
    assert len(images) == 4
    assert len(annotations) == 5


def test_tables_of_splits_may_name_images_from_the_root(tmp_path):
    layout = Layout(tmp_path / "set", "splits", ".png", "relative", "none", True)
    source, _ = write_table(layout)
    layout.write_images()
    toys.write(source / "extra/_annotations.csv", "image,concept\n")
    view, notes = pellucid.open(tmp_path / "w").add("v", source)
    assert sorted(view.annotation_tables[0].path) == ["test/c.png", "train/a.png", "valid/b.png"]
    assert any("extra/_annotations.csv" in note.message for note in notes)
