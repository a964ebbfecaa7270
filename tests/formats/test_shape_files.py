"""Ellipses, masks and skeletons as annotation tools write them: the pixels and points are those
that were drawn."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks

import pellucid
import toys
from pellucid import PellucidError
from pellucid.core.outlines import parse_keypoints, parse_outline

WIDTH, HEIGHT = 120, 90
CENTER, RADII, DEGREES = (60.0, 45.0), (40.0, 15.0), 30.0


def drawn_ellipse(degrees=DEGREES, radii=RADII):
    """The pixels whose centers lie in the ellipse."""
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    turn = math.radians(degrees)
    dx, dy = x - CENTER[0], y - CENTER[1]
    along = dx * math.cos(turn) + dy * math.sin(turn)
    across = dy * math.cos(turn) - dx * math.sin(turn)
    return (along / radii[0]) ** 2 + (across / radii[1]) ** 2 <= 1


def annotations(tmp_path, source, **options):
    view, notes = pellucid.open(tmp_path / "w").add("v", source, **options)
    return view, view.annotation_tables[1], notes


def pixels(outline):
    """The pixels of an outline, by pycocotools."""
    shape = parse_outline(outline)
    if isinstance(shape, dict):
        return coco_masks.decode({**shape, "counts": shape["counts"].encode()}).astype(bool)
    encoded = coco_masks.merge(coco_masks.frPyObjects(shape, HEIGHT, WIDTH))
    return coco_masks.decode(encoded).astype(bool)


def overlap(first, second):
    return (first & second).sum() / (first | second).sum()


def cvat(tmp_path, shapes, meta=""):
    image = f'<image id="0" name="a.png" width="{WIDTH}" height="{HEIGHT}">{shapes}</image>'
    text = f"<annotations><version>1.1</version><meta>{meta}</meta>{image}</annotations>"
    return toys.write(tmp_path / "a.xml", text)


def label_studio(tmp_path):
    value = {
        "x": 100 * CENTER[0] / WIDTH,
        "y": 100 * CENTER[1] / HEIGHT,
        "radiusX": 100 * RADII[0] / WIDTH,
        "radiusY": 100 * RADII[1] / HEIGHT,
        "rotation": DEGREES,
        "ellipselabels": ["dent"],
    }
    result = {"value": value, "original_width": WIDTH, "original_height": HEIGHT}
    task = {"id": 1, "data": {"image": "a.png"}, "annotations": [{"result": [result]}]}
    return toys.write(tmp_path / "tasks.json", json.dumps([task]))


def via_document(*regions):
    record = {"filename": "a.png", "size": 7, "regions": list(regions), "file_attributes": {}}
    return {"a.png7": record}


def via_region(label, **shape):
    return {"shape_attributes": shape, "region_attributes": {"label": label}}


def via_ellipse(tmp_path):
    (x, y), (rx, ry) = CENTER, RADII
    shape = {"cx": x, "cy": y, "rx": rx, "ry": ry, "theta": math.radians(DEGREES)}
    region = via_region("dent", name="ellipse", **shape)
    return toys.write(tmp_path / "via.json", json.dumps(via_document(region)))


def cvat_ellipse(tmp_path):
    (x, y), (rx, ry) = CENTER, RADII
    return cvat(
        tmp_path,
        f'<ellipse label="dent" cx="{x}" cy="{y}" rx="{rx}" ry="{ry}" rotation="{DEGREES}"/>',
    )


@pytest.mark.parametrize("write", [cvat_ellipse, label_studio, via_ellipse])
def test_turned_ellipse_covers_its_pixels(write, tmp_path):
    toys.picture(tmp_path / "a.png", WIDTH, HEIGHT)
    _, table, _ = annotations(tmp_path, write(tmp_path), images=tmp_path)
    [outline] = table.outline
    assert overlap(pixels(outline), drawn_ellipse()) > 0.98
    half = [
        math.hypot(RADII[0] * math.cos(math.radians(a)), RADII[1] * math.sin(math.radians(a)))
        for a in (DEGREES, DEGREES - 90)
    ]
    box = [CENTER[0] - half[0], CENTER[1] - half[1], 2 * half[0], 2 * half[1]]
    np.testing.assert_allclose(table.box[0], box, atol=0.1)


def labelme(tmp_path, shape):
    toys.picture(tmp_path / "a.png", WIDTH, HEIGHT)
    document = {
        "version": "5.5.0",
        "imagePath": "a.png",
        "imageWidth": WIDTH,
        "imageHeight": HEIGHT,
        "shapes": [{"label": "dent", **shape}],
    }
    return toys.write(tmp_path / "a.json", json.dumps(document))


def test_labelme_circle_covers_its_pixels(tmp_path):
    points = [list(CENTER), [CENTER[0] + 12, CENTER[1] + 16]]
    source = labelme(tmp_path, {"shape_type": "circle", "points": points})
    _, table, _ = annotations(tmp_path, source)
    assert overlap(pixels(table.outline[0]), drawn_ellipse(0, (20, 20))) > 0.98


def png(patch):
    content = io.BytesIO()
    Image.fromarray(patch.astype(np.uint8) * 255).save(content, "png")
    return base64.b64encode(content.getvalue()).decode()


def test_labelme_mask_is_its_pixels(tmp_path):
    patch = np.random.default_rng(1).random((12, 20)) < 0.5
    patch[0, 0] = patch[-1, -1] = True
    source = labelme(
        tmp_path, {"shape_type": "mask", "points": [[30, 40], [49, 51]], "mask": png(patch)}
    )
    _, table, _ = annotations(tmp_path, source)
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[40:52, 30:50] = patch
    np.testing.assert_array_equal(pixels(table.outline[0]), expected)
    assert table.box[0].tolist() == [30, 40, 20, 12]


@pytest.mark.parametrize(
    ("points", "mask"),
    [
        ([[30, 40], [49, 51]], "no picture"),
        ([[110, 40], [129, 51]], None),
        ([[-5, 0], [9, 9]], None),
    ],
)
def test_labelme_mask_that_cannot_be_read_is_counted(points, mask, tmp_path):
    text = mask or png(np.ones((12, 20), bool))
    source = labelme(tmp_path, {"shape_type": "mask", "points": points, "mask": text})
    with pytest.raises(PellucidError, match=r"mask \(1\)"):
        annotations(tmp_path, source)


SKELETON = (
    "<label><name>person</name><type>skeleton</type><svg>"
    "&lt;line x1='1' data-type='edge' data-node-from='1' data-node-to='3'/&gt;"
    "&lt;circle data-node-id='1' data-label-name='nose'/&gt;"
    "&lt;circle data-node-id='2' data-label-name='left ear'/&gt;"
    "&lt;circle data-node-id='3' data-label-name='right ear'/&gt;</svg></label>"
    "<label><name>nose</name><type>points</type><parent>person</parent></label>"
    "<label><name>left ear</name><type>points</type><parent>person</parent></label>"
    "<label><name>right ear</name><type>points</type><parent>person</parent></label>"
).replace("'", "&quot;")


def test_cvat_skeleton_is_keypoints_in_the_order_of_its_labels(tmp_path):
    points = (
        '<points label="right ear" outside="0" occluded="1" points="70.5,20.25"/>'
        '<points label="nose" outside="0" occluded="0" points="50.00,30.00"/>'
        '<points label="left ear" outside="1" occluded="0" points="0.00,0.00"/>'
    )
    source = cvat(tmp_path, f'<skeleton label="person">{points}</skeleton>', SKELETON)
    view, table, _ = annotations(tmp_path, source)
    stated = parse_keypoints(table.outline[0])
    assert stated.keypoints == [50, 30, 2, 0, 0, 0, 70.5, 20.25, 1]
    assert stated.skeleton == [(0, 2)]
    assert table.box[0].tolist() == [50, 20.25, 20.5, 9.75]
    assert [concept.name for concept in view.manifest.concepts] == [
        "person"
    ]  # the points are no concepts


def test_cvat_skeleton_is_compared_by_keypoints(tmp_path):
    points = "".join(
        f'<points label="{name}" outside="0" occluded="0" points="{x},{y}"/>'
        for name, x, y in (("nose", 50, 30), ("left ear", 40, 20), ("right ear", 60, 20))
    )
    source = cvat(tmp_path, f'<skeleton label="person">{points}</skeleton>', SKELETON)
    view, _, _ = annotations(tmp_path, source)
    rows = [
        {
            "image_id": "a.png",
            "file_name": "a.png",
            "category_id": "person",
            "keypoints": [50, 30, 1, 40, 20, 1, 60, 20, 1],
            "score": 0.9,
        }
    ]
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path, rows))
    assert version.results().evaluation.geometry == "keypoints"
    assert [item.outcome for item in version.gallery("all")[:9]] == ["matched"]


def voc(tmp_path, values, boxes):
    for folder in ("Annotations", "SegmentationObject", "JPEGImages"):
        (tmp_path / "voc" / folder).mkdir(parents=True)
    toys.picture(tmp_path / "voc/JPEGImages/a.jpg", WIDTH, HEIGHT)
    palette = Image.fromarray(values.astype(np.uint8), "P")
    palette.putpalette([value for number in range(256) for value in (number, 0, 255 - number)])
    palette.save(tmp_path / "voc/SegmentationObject/a.png")
    objects = "".join(
        f"<object><name>dent</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{right}</xmax>"
        f"<ymax>{bottom}</ymax></bndbox></object>"
        for x, y, right, bottom in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    text = f"<annotation><filename>a.jpg</filename>{size}{objects}</annotation>"
    toys.write(tmp_path / "voc/Annotations/a.xml", text)
    return tmp_path / "voc"


def instances():
    """Two objects with a border of 255 around them, and their boxes, from pixel 1 as in VOC."""
    values = np.zeros((HEIGHT, WIDTH), int)
    values[9:41, 9:31], values[10:40, 10:30] = 255, 1
    values[49:81, 59:101], values[50:80, 60:100] = 255, 2
    values[60:65, 60:80] = 0  # a notch
    return values, [(11, 11, 30, 40), (61, 51, 100, 80)]


VOC_COLORS = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 255: (224, 224, 192)}


@pytest.mark.parametrize("has_colors", [False, True])
def test_voc_objects_have_the_masks_of_their_numbers(tmp_path, has_colors):
    values, boxes = instances()
    source = voc(tmp_path, values, boxes)
    if has_colors:
        colors = np.zeros((*values.shape, 3), np.uint8)
        for number, color in VOC_COLORS.items():
            colors[values == number] = color
        Image.fromarray(colors).save(source / "SegmentationObject/a.png")
    _, table, notes = annotations(tmp_path, source)
    for row, outline in enumerate(table.outline):
        np.testing.assert_array_equal(pixels(outline), values == row + 1)
    assert table.box.tolist() == [[10, 10, 20, 30], [60, 50, 40, 30]]
    assert table.area.tolist() == [600, 1100]
    assert "masks of 1 image read" in [note.message for note in notes]


def test_voc_masks_of_other_objects_are_not_read(tmp_path):
    values, boxes = instances()
    _, table, notes = annotations(tmp_path, voc(tmp_path, values, boxes[::-1]))
    assert table.outline is None or not any(table.outline)
    assert any("masks of 1 image not read" in note.message for note in notes)


def test_cityscapes_instances(tmp_path):
    values = np.full((HEIGHT, WIDTH), 7)  # road
    values[10:20, 10:20], values[30:50, 30:60] = 26000, 26001
    values[60:70, 60:70], values[80:85, 80:85] = 24, 29000  # a group of people, a caravan
    folder = tmp_path / "city/gtFine/val/lindau"
    folder.mkdir(parents=True)
    name = "lindau_000000_000019_gtFine_instanceIds.png"
    Image.fromarray(values.astype(np.uint16)).save(folder / name)
    picture = tmp_path / "city/leftImg8bit/val/lindau/lindau_000000_000019_leftImg8bit.png"
    picture.parent.mkdir(parents=True)
    toys.picture(picture, WIDTH, HEIGHT)
    view, table, notes = annotations(tmp_path, tmp_path / "city")
    concepts = [view.manifest.concepts[row].name for row in table.concept]
    assert list(zip(concepts, table.ignore.tolist(), strict=True)) == [
        ("person", True),
        ("car", False),
        ("car", False),
    ]
    for outline, value in zip(table.outline, (24, 26000, 26001), strict=True):
        np.testing.assert_array_equal(pixels(outline), values == value)
    assert view.images_by_split == {"validation": 1}
    assert any("1 instances of caravan and trailer not read" in note.message for note in notes)
    images, folders = view.images_and_folders
    assert (picture.parent / images.path[0].rsplit("/", 1)[1]).is_file()
    assert folders == [str(tmp_path / "city")]


def test_datumaro_masks_and_points(tmp_path):
    patch = drawn_ellipse()
    encoded = coco_masks.encode(np.asfortranarray(patch, np.uint8))
    mask = {"counts": encoded["counts"].decode(), "size": list(encoded["size"])}
    points = [10, 10, 30, 40, 0, 0]
    document = {
        "categories": {
            "label": {"labels": [{"name": "dent"}, {"name": "person"}]},
            "points": {"items": [{"label_id": 1, "labels": ["a", "b", "c"], "joints": [[1, 2]]}]},
        },
        "items": [
            {
                "id": "a",
                "image": {"path": "a.png", "size": [HEIGHT, WIDTH]},
                "annotations": [
                    {"type": "mask", "label_id": 0, "rle": mask},
                    {"type": "points", "label_id": 1, "points": points, "visibility": [2, 1, 0]},
                ],
            }
        ],
    }
    source = toys.write(tmp_path / "d.json", json.dumps(document))
    _, table, _ = annotations(tmp_path, source)
    np.testing.assert_array_equal(pixels(table.outline[0]), patch)
    stated = parse_keypoints(table.outline[1])
    assert (stated.keypoints, stated.skeleton) == ([10, 10, 2, 30, 40, 1, 0, 0, 0], [(0, 1)])
    assert table.box[1].tolist() == [10, 10, 20, 30]


def test_via_regions_of_every_shape(tmp_path):
    regions = [
        via_region("dent", name="rect", x=10, y=20, width=30, height=40),
        via_region("rust", name="polygon", all_points_x=[50, 90, 90], all_points_y=[10, 10, 60]),
        via_region("dent", name="circle", cx=60, cy=45, r=20),
    ]
    project = {
        "_via_settings": {"ui": {}},
        "_via_img_metadata": via_document(*regions),
        "_via_attributes": {"region": {"label": {"type": "text"}}},
    }
    toys.picture(tmp_path / "a.png", WIDTH, HEIGHT)
    source = toys.write(tmp_path / "via_project.json", json.dumps(project))
    view, table, notes = annotations(tmp_path, source, images=tmp_path)
    concepts = [view.manifest.concepts[row].name for row in table.concept]
    assert concepts == ["dent", "rust", "dent"]
    assert table.box.tolist() == [[10, 20, 30, 40], [50, 10, 40, 50], [40, 25, 40, 40]]
    assert table.outline[0] == ""
    assert pixels(table.outline[1]).sum() == pytest.approx(1000, abs=40)
    assert overlap(pixels(table.outline[2]), drawn_ellipse(0, (20, 20))) > 0.98
    assert "concept from the region attribute label" in [note.message for note in notes]


def test_via_table_is_read_like_its_json(tmp_path):
    header = (
        "#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes"
    )
    rows = (
        'a.png,7,"{}",2,0,"{""name"":""rect"",""x"":10,""y"":20,""width"":30,""height"":40}",'
        '"{""kind"":{""dent"":true,""rust"":false},""note"":""dark""}"',
        'a.png,7,"{}",2,1,"{""name"":""point"",""cx"":10,""cy"":20}","{""kind"":{""rust"":true}}"',
        'b.png,7,"{}",0,0,"{}","{}"',
        'c.png,7,"{}",1,0,"{""name"":""rect"",""x"":1,""y"":2,""width"":3,""height"":4}",'
        '"{""kind"":{""rust"":true}}"',
    )
    source = toys.write(tmp_path / "via.csv", "\n".join([header, *rows]))
    with pytest.raises(PellucidError, match="concept=kind or concept=note"):
        annotations(tmp_path, source)
    view, table, notes = annotations(tmp_path, source, columns={"concept": "kind"})
    # One region of a.png cannot be read, so that it counts as not annotated.
    assert table.box.tolist() == [[1, 2, 3, 4]]
    assert view.images_by_split == {"validation": 3}
    assert any("1 point" in note.message for note in notes)
    assert any("note (1)" in note.message for note in notes)


def test_via_first_version_numbers_its_regions(tmp_path):
    document = via_document()
    document["a.png7"]["regions"] = {
        "0": via_region("dent", name="rect", x=10, y=20, width=30, height=40)
    }
    source = toys.write(tmp_path / "via.json", json.dumps(document))
    _, table, _ = annotations(tmp_path, source)
    assert table.box.tolist() == [[10, 20, 30, 40]]


def test_via_files_of_two_splits_are_one_set(tmp_path):
    for split in ("train", "val"):
        (tmp_path / "set" / split).mkdir(parents=True)
        toys.picture(tmp_path / "set" / split / "a.png", WIDTH, HEIGHT)
        region = via_region("dent", name="rect", x=10, y=20, width=30, height=40)
        text = json.dumps(via_document(region))
        toys.write(tmp_path / "set" / split / "via_region_data.json", text)
    view, table, _ = annotations(tmp_path, tmp_path / "set")
    assert view.images_by_split == {"training": 1, "validation": 1}
    assert len(table) == 2


def test_rotated_boxes_of_rolabelimg(tmp_path):
    """robndbox: center, size and angle in radians, clockwise on the screen. Held against the same
    boxes as corners, turned here with complex numbers."""
    boxes = [(40.5, 30.25, 20, 10, 0.5), (90, 60, 30, 12, 2.5), (30, 70, 12, 8, 0.0)]
    objects = "".join(
        f"<object><type>robndbox</type><name>dent</name><robndbox><cx>{cx}</cx><cy>{cy}</cy>"
        f"<w>{w}</w><h>{h}</h><angle>{angle}</angle></robndbox></object>"
        for cx, cy, w, h, angle in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    text = f"<annotation><filename>a</filename>{size}{objects}</annotation>"
    view, _ = pellucid.open(tmp_path / "w").add(
        "v", toys.write(tmp_path / "set/a.xml", text).parent
    )
    corners = [
        [
            complex(cx, cy) + complex(dx * w / 2, dy * h / 2) * np.exp(1j * angle)
            for dx, dy in ((-1, -1), (1, -1), (1, 1), (-1, 1))
        ]
        for cx, cy, w, h, angle in boxes
    ]
    lines = [" ".join(f"{p.real} {p.imag}" for p in points) for points in corners]
    results = tmp_path / "results/Task1_dent.txt"
    toys.write(results, "".join(f"a 0.{9 - row} {line}\n" for row, line in enumerate(lines)))
    version = view.start("m")
    version.add_predictions(results.parent)
    assert version.evaluation.geometry == "oriented_box"
    np.testing.assert_allclose(version.evaluation.iou, 1, atol=1e-6)
    box = view.annotation_tables[1].box
    for row, points in enumerate(corners):
        xs, ys = [p.real for p in points], [p.imag for p in points]
        expected = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        np.testing.assert_allclose(box[row], expected, atol=1e-6)
