"""Files as programs and people write them, each of which was once read as something else: they are
read as they are meant, or refused with what is in the way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError
from pellucid.project import View

HEADER = 'image,concept,x,y,width,height,"comment\n(free)",split,ignore'
ROWS = ["a.jpg,dog,10,10,50,40,ok,train,1", "b.jpg,cat,20,10,50,40,ok,val,0"]


def add(folder: Path, source: Path, **options: Any) -> tuple[View, list[pellucid.Note]]:
    return pellucid.open(folder / "w").add("v", source, **options)


def add_json(folder: Path, document: object, **options: Any) -> tuple[View, list[pellucid.Note]]:
    return add(folder, toys.write(folder / "a.json", json.dumps(document)), **options)


def concepts(view: View) -> list[str]:
    return [concept.name for concept in view.manifest.concepts]


def tags(view: View) -> dict[str, set[str]]:
    images, rows, _ = view.annotation_tables
    names = concepts(view)
    found: dict[str, set[str]] = {str(path): set() for path in images.path}
    for image, concept in zip(rows.image.tolist(), rows.concept.tolist(), strict=True):
        found[str(images.path[image])].add(names[concept])
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_header_with_a_line_break(newline: str, tmp_path: Path) -> None:
    """As Excel writes it, whose rows end otherwise than the lines within a cell."""
    path = tmp_path / "a.csv"
    path.write_bytes(newline.join([HEADER, *ROWS, ""]).encode())
    view, _ = add(tmp_path, path)
    images, annotations, _ = view.annotation_tables
    assert view.kind == "detection"
    assert view.images_by_split == {"training": 1, "validation": 1}
    assert annotations.ignore.tolist() == [True, False]
    assert "comment (free)" in str(images.metadata[0])


def test_row_of_too_many_cells_beside_mixed_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'image,label\r\na.jpg,"cat\n1"\r\nb.jpg,dog,0.9\r\n')
    with pytest.raises(PellucidError, match="line 4 has 3 values; expected 2"):
        add(tmp_path, path)


def region(**fields: Any) -> dict[str, Any]:
    value = {"x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0}
    size = {"original_width": 640, "original_height": 480, "to_name": "image"}
    return {**size, **fields, "value": {**value, **fields["value"]}}


def task(image: str, *results: Mapping[str, Any]) -> dict[str, Any]:
    return {"data": {"image": f"/data/upload/{image}"}, "annotations": [{"result": [*results]}]}


def choice(control: str, name: str) -> dict[str, Any]:
    value = {"choices": [name]}
    return {"id": control, "type": "choices", "from_name": control, "to_name": "i", "value": value}


def test_choices_of_regions_are_their_concepts(tmp_path: Path) -> None:
    results = [
        region(id="r1", type="rectangle", from_name="bbox", value={}),
        region(id="r1", type="choices", from_name="species", value={"choices": ["dog"]}),
    ]
    view, _ = add_json(tmp_path, [task("a.jpg", *results)])
    _, annotations, _ = view.annotation_tables
    assert (view.kind, concepts(view)) == ("detection", ["dog"])
    assert annotations.box is not None
    assert annotations.box.tolist() == [[64, 48, 128, 96]]


def test_choices_of_labelled_regions_are_no_concepts(tmp_path: Path) -> None:
    labels = {"rectanglelabels": ["dog"]}
    results = [
        region(id="r1", type="rectanglelabels", from_name="label", value=labels),
        region(id="r1", type="choices", from_name="state", value={"choices": ["wet"]}),
    ]
    view, notes = add_json(tmp_path, [task("a.jpg", *results)])
    assert (concepts(view), len(view.annotation_tables[1])) == (["dog"], 1)
    assert any("choices of regions" in note.message for note in notes)


def test_several_controls_of_choices_are_asked_for(tmp_path: Path) -> None:
    tasks = [
        task(f"{n}.jpg", choice("species", name), choice("quality", "good"))
        for n, name in enumerate(("dog", "cat", "dog"))
    ]
    with pytest.raises(PellucidError, match="several columns could be the concept: 'species'"):
        add_json(tmp_path / "asked", tasks)
    view, notes = add_json(tmp_path / "one", tasks, columns={"concept": "species"})
    assert tags(view) == {"0.jpg": {"dog"}, "1.jpg": {"cat"}, "2.jpg": {"dog"}}
    assert any("choices of quality (3)" in note.message for note in notes)
    both, _ = add_json(tmp_path / "both", tasks, columns={"concept": ["species", "quality"]})
    assert tags(both)["1.jpg"] == {"cat", "good"}


def via(images: Mapping[str, str], **attributes: str) -> dict[str, Any]:
    return {
        key: {"filename": name, "size": 1, "regions": [], "file_attributes": attributes}
        for key, name in images.items()
    }


def test_file_attributes_of_via_are_tags(tmp_path: Path) -> None:
    document = {**via({"a.jpg1": "a.jpg"}, label="dog"), **via({"b.jpg1": "b.jpg"}, label="cat")}
    view, notes = add_json(tmp_path, document)
    assert tags(view) == {"a.jpg": {"dog"}, "b.jpg": {"cat"}}
    assert any("file attribute label" in note.message for note in notes)


CVAT = """<annotations><version>1.1</version>
<image id="0" name="f" width="640" height="480">
<box label="dog" xtl="1" ytl="1" xbr="9" ybr="9"/></image>
<image id="0" name="f" width="320" height="240">
<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/></image>
</annotations>"""


def vott(number: str) -> dict[str, Any]:
    asset = {"id": number, "name": "img.jpg", "size": {"width": 640, "height": 480}}
    box = {"left": 1, "top": 1, "width": 20, "height": 20}
    return {"asset": asset, "regions": [{"tags": ["dog"], "boundingBox": box}]}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", CVAT),
        ("a.json", json.dumps(via({"img.jpg5": "img.jpg", "img.jpg7": "img.jpg"}, label="dog"))),
        ("a.json", json.dumps({"assets": {"1": vott("1"), "2": vott("2")}})),
    ],
    ids=["cvat", "via", "vott"],
)
def test_two_images_of_one_name_are_not_one(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match="duplicate image"):
        add(tmp_path, toys.write(tmp_path / name, text))


def coco(image: Mapping[str, Any], annotation: Mapping[str, Any]) -> dict[str, Any]:
    size = {"width": 640, "height": 480}
    box = {"image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 40]}
    return {
        "images": [{"id": 1, "file_name": "1.jpg", **size, **image}],
        "annotations": [{"id": 1, **box, **annotation}],
        "categories": [{"id": 1, "name": "dog"}],
    }


@pytest.mark.parametrize("field", ["split", "subset"])
def test_splits_of_images_in_coco(field: str, tmp_path: Path) -> None:
    view, _ = add_json(tmp_path, coco({field: "train"}, {}))
    assert view.images_by_split == {"training": 1}


@pytest.mark.parametrize(
    ("image", "annotation", "message"),
    [
        ({}, {"angle": 30}, "rotated by 30"),
        ({}, {"deleted": True}, "deleted: it is set in 1 record"),
        ({"deleted": True}, {}, "deleted: it is set in 1 record"),
    ],
)
def test_fields_that_change_the_meaning_of_coco(
    image: dict[str, Any], annotation: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(PellucidError, match=message):
        add_json(tmp_path, coco(image, annotation))


def voc(inside: str) -> str:
    box = "<bndbox><xmin>10</xmin><ymin>0</ymin><xmax>60</xmax><ymax>50</ymax></bndbox>"
    size = "<size><width>640</width><height>480</height><depth>3</depth></size>"
    named = f"<name>dog</name>{box}{inside.replace('BOX', box)}"
    return f"<annotation><filename>a.jpg</filename>{size}<object>{named}</object></annotation>"


@pytest.mark.parametrize(
    ("inside", "message"),
    [("<deleted>1</deleted>", "marked as deleted"), ("BOX", "has several bndbox")],
)
def test_objects_of_voc_that_do_not_count(inside: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match=message):
        add(tmp_path, toys.write(tmp_path / "voc/a.xml", voc(inside)).parent)


def test_scores_behind_the_class_of_dota(tmp_path: Path) -> None:
    source = toys.write(tmp_path / "labelTxt/P1.txt", "10 10 60 10 60 50 10 50 plane 0.97\n")
    with pytest.raises(PellucidError, match=r"found 0\.97 behind the concept"):
        add(tmp_path, source.parent)


def test_masks_beside_the_images_of_a_class(tmp_path: Path) -> None:
    for concept in ("benign", "normal"):
        for name in (f"{concept} (1)", f"{concept} (1)_mask", "gas_mask"):
            toys.picture(tmp_path / f"d/{concept}/{name}.png", 8, 8)
    view, notes = add(tmp_path, tmp_path / "d")
    assert sorted(tags(view)) == [
        "benign/benign (1).png",
        "benign/gas_mask.png",
        "normal/gas_mask.png",
        "normal/normal (1).png",
    ]
    assert any("called as the masks of others" in note.message for note in notes)


BOXES = {
    "edges and sizes": "image,label,left,bottom,width,height\na.jpg,dog,10,10,60,50\n",
    "german": "image,label,links,oben,breite,hoehe\na.jpg,dog,10,10,60,50\n",
    "directions": "image,label,west,north,east,south\na.jpg,dog,10,10,60,50\n",
    "run lengths": 'image,label,segmentation\na.jpg,dog,"{""size"":[4,6],""counts"":""ab""}"\n',
    "mask files": "image,mask_file,label\na.jpg,m/1.png,dog\na.jpg,m/2.png,cat\n",
    "mapping": 'image,label,shape\na.jpg,dog,"{""x"":1,""y"":2,""wide"":5,""high"":4}"\n',
}


@pytest.mark.parametrize("form", BOXES)
def test_boxes_that_are_not_understood_are_not_dropped(form: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match="look like boxes, but their layout is not known"):
        add(tmp_path, toys.write(tmp_path / "a.csv", BOXES[form]))


def test_points_beside_the_size_of_their_image(tmp_path: Path) -> None:
    """As makesense.ai writes points."""
    rows = ["dog,100,50,a.jpg,640,480", "cat,300,200,a.jpg,640,480", "dog,20,30,b.jpg,640,480"]
    source = toys.write(tmp_path / "a.csv", "\n".join(["label,x,y,image,width,height", *rows]))
    with pytest.raises(PellucidError, match="may be the size of the images, and the rows points"):
        add(tmp_path, source)
    named = {"x": "x", "y": "y", "width": "width", "height": "height"}
    assert add(tmp_path / "named", source, columns=named)[0].kind == "detection"


NUMBERS = "300.0, 20.0, 50.0, 40.0"


@pytest.mark.parametrize(
    "cell",
    [
        f"[{', '.join(f'np.float64({number})' for number in NUMBERS.split(', '))}]",
        f"array([{NUMBERS}], dtype=float32)",
        f"tensor([{NUMBERS}], device='cuda:0')",
        f"tensor([{NUMBERS}])",
    ],
)
def test_numbers_as_numpy_and_pytorch_print_them_in_lists(tmp_path: Path, cell: str) -> None:
    source = toys.write(tmp_path / "a.csv", f'image,label,bbox\na.jpg,dog,"{cell}"\n')
    _, annotations, _ = add(tmp_path, source)[0].annotation_tables
    assert annotations.box is not None
    assert annotations.box.tolist() == [[300, 20, 50, 40]]


def test_outlines_in_records_are_refused(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "label": "dog", "polygon": [[1, 2], [30, 2], [30, 40]]}]
    with pytest.raises(PellucidError, match="Convert them to COCO, with a segmentation"):
        add_json(tmp_path, rows)


def test_numbers_that_are_no_coordinates_in_lists(tmp_path: Path) -> None:
    rows = [{"image": "a.jpg", "label": "dog", "bbox": [10, 10, 4.5e307, 40]}]
    with pytest.raises(PellucidError, match=r"4\.5e\+307"):
        add_json(tmp_path, rows)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("filename,timestamp,label\nv.mp4,0.0,dog\nv.mp4,0.5,cat\n", "it is a video"),
        ("filename,tile,label\ns.tif,0,dog\ns.tif,1,cat\n", "several columns could be the image"),
        ("image,tags\na.jpg,dog:1;cat:0\nb.jpg,dog:0;cat:1\n", "says whether a concept is there"),
        ("image,tags\na.jpg,dog=yes;cat=no\n", "says whether a concept is there"),
        ("image,label\na.jpg,dog|!cat\nb.jpg,!dog|cat\n", "'!cat' says whether"),
        ("image,labels\na.jpg,1010\nb.jpg,0110\n", "is a list of 0 and 1"),
        ("image,tags\na.jpg,\"array(['cat'], dtype=object)\"\n", "as NumPy prints it"),
    ],
)
def test_rows_that_say_something_else_are_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match=message):
        add(tmp_path, toys.write(tmp_path / "a.csv", text))


def test_flags_of_concepts_in_json(tmp_path: Path) -> None:
    rows = [
        {"image": "a.jpg", "labels": {"dog": True, "cat": False}},
        {"image": "b.jpg", "labels": {"dog": False, "cat": True}},
    ]
    assert concepts(add_json(tmp_path, rows)[0]) == ["dog", "cat"]


def predict(folder: Path, annotations: str, name: str, text: str) -> list[pellucid.Note]:
    view, _ = add(folder, toys.write(folder / "a.csv", annotations))
    return view.start("m").add_predictions(toys.write(folder / name, text))


TAGS = "image,dog,cat\na.jpg,1,0\nb.jpg,0,1\n"
CLASSES = "image,label\na.jpg,defect\nb.jpg,ok\nc.jpg,defect\nd.jpg,ok\n"


@pytest.mark.parametrize(
    ("column", "yes", "no"),
    [
        ("prediction", "yes", "no"),
        ("pred_label", "positive", "negative"),
        ("state", "present", "absent"),
        ("response", "Yes", "No"),
        ("label", "1", "0"),
    ],
)
def test_confidence_of_an_answer_is_no_score(
    column: str, yes: str, no: str, tmp_path: Path
) -> None:
    rows = [f"a.jpg,dog,{yes},0.9", f"b.jpg,dog,{no},0.95", f"a.jpg,cat,{no},0.95"]
    text = "\n".join([f"image,concept,{column},confidence", *rows, f"b.jpg,cat,{yes},0.9"])
    with pytest.raises(PellucidError, match="may be the confidence of that answer"):
        predict(tmp_path, TAGS, "p.csv", text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "p.csv",
            "image,dog,dog_confidence,cat,cat_confidence\n"
            "a.jpg,yes,0.9,no,0.95\nb.jpg,no,0.95,yes,0.9\n",
        ),
        (
            "p.json",
            json.dumps(
                {
                    image: {
                        name: {"label": (name == "dog") == (image == "a.jpg"), "confidence": 0.9}
                        for name in ("dog", "cat")
                    }
                    for image in ("a.jpg", "b.jpg")
                }
            ),
        ),
    ],
    ids=["wide", "nested"],
)
def test_confidence_of_an_answer_beside_its_concept(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(PellucidError, match="may be the confidence of that answer"):
        predict(tmp_path, TAGS, name, text)


def test_decisions_beside_probabilities_are_no_answers(tmp_path: Path) -> None:
    text = "image,dog,dog_prob,cat,cat_prob\na.jpg,1,0.9,0,0.1\nb.jpg,0,0.2,1,0.9\n"
    notes = predict(tmp_path, TAGS, "p.csv", text)
    assert any("scores from 'dog_prob', 'cat_prob'" in note.message for note in notes)


@pytest.mark.parametrize("word", ["None", "?", "TODO", "-"])
def test_placeholders_are_warned_about(word: str, tmp_path: Path) -> None:
    text = f"image,label\na.jpg,dog\nb.jpg,{word}\nc.jpg,cat\n"
    _, notes = add(tmp_path, toys.write(tmp_path / "a.csv", text))
    (note,) = [note for note in notes if note.severity == "warning"]
    assert f"whatever their name says: '{word}'" in note.message


@pytest.mark.parametrize("column", ["no_defect", "defect_free", "1-defect", "defect_uncertainty"])
def test_columns_of_absence_are_no_scores(column: str, tmp_path: Path) -> None:
    text = f"image,{column}\na.jpg,0.1\nb.jpg,0.9\nc.jpg,0.2\nd.jpg,0.8\n"
    with pytest.raises(PellucidError, match="score of the absence of a concept"):
        predict(tmp_path, CLASSES, "p.csv", text)


def test_logits_of_one_of_two_classes_are_noticed(tmp_path: Path) -> None:
    text = "image,defect\na.jpg,2.1\nb.jpg,-1.9\nc.jpg,1.4\nd.jpg,-0.7\n"
    notes = predict(tmp_path, CLASSES, "p.csv", text)
    assert any("'ok' has no scores" in n.message for n in notes if n.severity == "warning")


def test_images_that_failed_beside_empty_lists(tmp_path: Path) -> None:
    boxes = "image,concept,x,y,width,height\na.jpg,dog,10,10,50,40\nb.jpg,dog,10,10,50,40\n"
    found = [{"label": "dog", "score": 0.9, "bbox": [10, 10, 50, 40]}]
    rows = [
        {"image": "a.jpg", "predictions": found, "error": None},
        {"image": "b.jpg", "predictions": [], "error": "CUDA out of memory"},
    ]
    notes = predict(tmp_path / "json", boxes, "p.json", json.dumps(rows))
    assert any("1 image without a result" in note.message for note in notes)
    table = "image,concept,score,x,y,width,height,status\na.jpg,dog,0.9,10,10,50,40,ok\n"
    with pytest.raises(PellucidError, match="may not have been run on the image"):
        predict(tmp_path / "table", boxes, "p.csv", f"{table}b.jpg,,,,,,,failed\n")
