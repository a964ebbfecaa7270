"""Tables are read by what their columns mean, or refused: never by another column."""

import itertools

import numpy as np
import pandas
import pytest

import pellucid
import toys
from pellucid.core.errors import PellucidError

REFUSED = "refused"
BOX = [10.0, 20.0, 30.0, 40.0]


def annotations(workspace, path, **options):
    """(image, concept, box) of each annotation, or of each image without one."""
    view, _ = workspace.add("v", path, **options)
    images, table, _ = view.annotation_tables
    concepts = [concept.name for concept in view.manifest.concepts]
    rows = {
        (
            str(images.path[image]),
            concepts[concept] if positive else f"not {concepts[concept]}",
            None if table.box is None else tuple(table.box[row].tolist()),
        )
        for row, (image, concept, positive) in enumerate(
            zip(table.image, table.concept, table.positive, strict=True)
        )
    }
    named = {image for image, _, _ in rows}
    return rows | {(str(path), "", None) for path in images.path if path not in named}


def read_or_refuse(workspace, tmp_path, text, **options):
    try:
        return annotations(workspace, toys.write(tmp_path / "t.csv", text), **options)
    except PellucidError:
        return REFUSED


def labels(**concepts):
    return {(f"{image}.jpg", concept, None) for image, concept in concepts.items()}


BOX_A = {("a.jpg", "cat", tuple(BOX))}
BOX_HEADERS = [
    "xmin,ymin,xmax,ymax",
    "x_min,y_min,x_max,y_max",
    "xMin,yMin,xMax,yMax",
    "XMin,YMin,XMax,YMax",
    "x1,y1,x2,y2",
    "x0,y0,x1,y1",
    "left,top,right,bottom",
    "xtl,ytl,xbr,ybr",
    "top_left_x,top_left_y,bottom_right_x,bottom_right_y",
    "bbox_x1,bbox_y1,bbox_x2,bbox_y2",
    "bbox_xmin,bbox_ymin,bbox_xmax,bbox_ymax",
    "box_left,box_top,box_right,box_bottom",
    "minX,minY,maxX,maxY",
    "xmin_px,ymin_px,xmax_px,ymax_px",
    "X min (px),Y min (px),X max (px),Y max (px)",
    "obj_xmin,obj_ymin,obj_xmax,obj_ymax",
    "min_col,min_row,max_col,max_row",
    "x_from,y_from,x_to,y_to",
]
SIZE_HEADERS = [
    "x,y,width,height",
    "x,y,w,h",
    "left,top,width,height",
    "xmin,ymin,width,height",
    "bbox_x,bbox_y,bbox_w,bbox_h",
    "bbox_x,bbox_y,bbox_width,bbox_height",
    "bbox_left,bbox_top,bbox_width,bbox_height",
    "x1,y1,w,h",
    "topLeftX,topLeftY,width,height",
    "face_x,face_y,face_w,face_h",
    "gt_x,gt_y,gt_w,gt_h",
]
CENTER_HEADERS = ["x_center,y_center,width,height", "cx,cy,w,h", "xc,yc,w,h", "centerX,centerY,w,h"]


@pytest.mark.parametrize(
    ("header", "numbers"),
    [
        *((header, "10,20,40,60") for header in BOX_HEADERS),
        *((header, "10,20,30,40") for header in SIZE_HEADERS),
        *((header, "25,40,30,40") for header in CENTER_HEADERS),
    ],
)
def test_boxes_by_the_names_of_their_columns(workspace, tmp_path, header, numbers):
    text = f"image,label,{header}\na.jpg,cat,{numbers}\n"
    assert read_or_refuse(workspace, tmp_path, text) == BOX_A


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("x,y,radius", "10,20,5"),
        ("x1,y1,x2,y2,x3,y3,x4,y4", "10,20,40,20,40,60,10,60"),
        ("cx,cy,w,h,angle", "25,40,30,40,12"),
        ("x_top,x_bottom,y_west,y_east", "10,20,40,60"),
        ("position_x,position_y,size_a,size_b", "10,20,30,40"),
        ("face_x,face_y,face_w,face_h,eye_x,eye_y,eye_w,eye_h", "10,20,30,40,11,21,3,4"),
        ("bbox_0,bbox_1,bbox_2,bbox_3", "10,20,40,60"),
        ("shape", '"[10, 20, 40, 60]"'),
        ("bbox", '"[10, 20, 40, 60]"'),
        ("bbox", "7"),
        ("xmin,ymin,xmax,ymax,w,h", "10,20,40,60,99,98"),
    ],
)
def test_boxes_that_are_not_understood_are_refused(workspace, tmp_path, header, row):
    text = f"image,label,{header}\na.jpg,cat,{row}\n"
    found = read_or_refuse(workspace, tmp_path, text)
    assert found == REFUSED or (header.endswith("w,h") and found == BOX_A)


@pytest.mark.parametrize("missing", ["NA,NA,NA,NA", ",,,", "-,-,-,-", "-1,-1,-1,-1", "0,0,0,0"])
def test_rows_without_a_box_state_an_empty_image(workspace, tmp_path, missing):
    text = f"image,label,xmin,ymin,xmax,ymax\na.jpg,cat,10,20,40,60\nb.jpg,none,{missing}\n"
    assert read_or_refuse(workspace, tmp_path, text) == BOX_A | {("b.jpg", "", None)}


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["[10, 20, 30, 40]", "[50, 60, 20, 10]"], BOX),  # smaller than its corner: a size
        (["10 20 30 40", "50 60 20 10"], BOX),
    ],
)
def test_box_lists_by_evidence(workspace, tmp_path, cells, expected):
    rows = "".join(f'{name}.jpg,cat,"{cell}"\n' for name, cell in zip("ab", cells, strict=True))
    found = read_or_refuse(workspace, tmp_path, f"image,label,bbox\n{rows}")
    assert ("a.jpg", "cat", tuple(expected)) in found


def test_image_size_beside_boxes(workspace, tmp_path):
    text = (
        "image,label,width,height,bbox_x,bbox_y,bbox_width,bbox_height\n"
        "a.jpg,cat,640,480,10,20,30,40\n"
    )
    assert read_or_refuse(workspace, tmp_path, text) == BOX_A
    assert workspace.view("v").annotation_tables[0].width.tolist() == [640]


LABELS = "a.jpg,{},{}\nb.jpg,{},{}\nc.jpg,{},{}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,label,prediction\na.jpg,cat,dog\nb.jpg,dog,dog\n", labels(a="cat", b="dog")),
        ("image,pred_label,true_label\na.jpg,cat,dog\nb.jpg,dog,dog\n", labels(a="dog", b="dog")),
        ("image,prediction,ground_truth\na.jpg,cat,dog\n", labels(a="dog")),
        ("image,class,name\na.jpg,0,cat\nb.jpg,1,dog\n", labels(a="cat", b="dog")),
        ("image,class_id,class_name\na.jpg,0,cat\nb.jpg,1,dog\n", labels(a="cat", b="dog")),
        ("image,class,actual_breed\na.jpg,cat,dog\nb.jpg,dog,cat\n", REFUSED),
        ("image,label,second_label\na.jpg,cat,dog\nb.jpg,dog,dog\n", REFUSED),
        ("image,class,category\na.jpg,cat,red\nb.jpg,cat,blue\n", REFUSED),
        ("image,label,is_night\na.jpg,cat,1\nb.jpg,dog,0\n", labels(a="cat", b="dog")),
        ("image,cat,is_night\na.jpg,1,1\nb.jpg,0,0\n", REFUSED),
        ("image,name,cat,dog\na.jpg,Bob,1,0\nb.jpg,Ann,0,1\n", REFUSED),
        ("image,xmin,ymin,xmax,ymax,cat,dog\na.jpg,1,2,3,4,1,0\n", REFUSED),
        ("image,breed\na.jpg,cat\n", REFUSED),
        ("folder,filename,label\nx,1.jpg,cat\ny,1.jpg,dog\n", REFUSED),
        ("image_id,filename,label\n1,1.jpg,cat\n2,1.jpg,dog\n", REFUSED),
        ("path,filename,label\ndata,a.jpg,cat\ndata,b.jpg,dog\n", labels(a="cat", b="dog")),
        ("photo_file,label\na.jpg,cat\nb.jpg,dog\n", labels(a="cat", b="dog")),
        ("Bild,label\na.jpg,cat\nb.jpg,dog\n", labels(a="cat", b="dog")),
        ("image,label\na.jpg,nan\nb.jpg,dog\n", {("a.jpg", "", None)} | labels(b="dog")),
        ("image,label\nimage,label\nb.jpg,dog\n", REFUSED),
        ("image,label,label\na.jpg,cat,dog\n", REFUSED),
        ("Image,image,label\na.jpg,b.jpg,cat\n", REFUSED),
        ("a.jpg,cat\nb.jpg,dog\n", REFUSED),
        ("sep=;\nimage;label\na.jpg;cat\nb.jpg;dog\n", labels(a="cat", b="dog")),
        ("image\tlabel\na.jpg\tcat\n", labels(a="cat")),
        ("Image Name,Class Name\na.jpg,cat\n", labels(a="cat")),
        (",image,label\n0,a.jpg,cat\n1,b.jpg,dog\n", labels(a="cat", b="dog")),
        ("index,image,label\n0,a.jpg,cat\n1,b.jpg,dog\n", labels(a="cat", b="dog")),
    ],
)
def test_labels_of_images(workspace, tmp_path, text, expected):
    assert read_or_refuse(workspace, tmp_path, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("image,cat,dog\na.jpg,1,0\nb.jpg,0,1\n", labels(a="cat", b="dog")),
        (
            "image,cat,dog\na.jpg,1,-1\nb.jpg,0,1\n",
            labels(a="cat", b="dog") | {("b.jpg", "not cat", None)},
        ),
        (
            "image,cat,dog\na.jpg,1,\nb.jpg,0,1\n",
            labels(a="cat", b="dog") | {("b.jpg", "not cat", None)},
        ),
        ("image,cat,dog\na.jpg,1,-1\nb.jpg,-1,1\n", labels(a="cat", b="dog")),
        ("image,cat,dog\na.jpg,1,0\nb.jpg,0,7\n", REFUSED),
        ("image,cat,dog\na.jpg,1,0.5\nb.jpg,0,1\n", REFUSED),
        ("image,cat,dog\na.jpg,0.9,0.1\nb.jpg,0.2,0.8\n", REFUSED),
        ("image,cat,kfold\na.jpg,1,0\nb.jpg,0,1\n", REFUSED),
        ("image,tags\na.jpg,cat dog\nb.jpg,cat\nc.jpg,dog cat\n", "tags"),
        ('image,tags\na.jpg,"cat, dog"\nb.jpg,cat\nc.jpg,dog\n', "tags"),
        ("image,tags\na.jpg,cat;dog\nb.jpg,cat\nc.jpg,dog\n", "tags"),
        ("image,label\na.jpg,cat|dog\nb.jpg,cat\nc.jpg,dog\n", "tags"),
        ("image,labels\na.jpg,\"['cat', 'dog']\"\nb.jpg,['cat']\nc.jpg,['dog']\n", "tags"),
        ("image,labels\na.jpg,\"{'cat', 'dog'}\"\nb.jpg,{'cat'}\nc.jpg,{'dog'}\n", "tags"),
        ("image,labels\na.jpg,['cat' 'dog']\nb.jpg,['cat']\nc.jpg,['dog']\n", "tags"),
        ("image,labels\na.jpg,\"['cat', 'dog']\"\nb.jpg,cat\n", REFUSED),
        ('image,labels\na.jpg,"[1, 0, 1]"\nb.jpg,"[0, 1, 1]"\n', REFUSED),
        (
            "image,label,present\na.jpg,cat,1\na.jpg,dog,0\n",
            labels(a="cat") | {("a.jpg", "not dog", None)},
        ),
    ],
)
def test_cells_with_several_tags_are_split_or_refused(workspace, tmp_path, text, expected):
    if expected == "tags":
        pairs = [("a", "cat"), ("a", "dog"), ("b", "cat"), ("c", "dog")]
        expected = {(f"{image}.jpg", concept, None) for image, concept in pairs}
        if "dog cat" in text:
            expected |= {("c.jpg", "cat", None)}
    assert read_or_refuse(workspace, tmp_path, text) == expected


def test_a_space_in_labels_is_a_list_only_where_words_recur(workspace, tmp_path):
    text = "image,label\na.jpg,hot dog\nb.jpg,dog\nc.jpg,traffic light\n"
    assert read_or_refuse(workspace, tmp_path, text) == labels(
        a="hot dog", b="dog", c="traffic light"
    )
    text = "image,label\na.jpg,clear road\nb.jpg,clear road water\nc.jpg,haze\n"
    path = toys.write(tmp_path / "u.csv", text)
    with pytest.raises(PellucidError, match="--separator ' '"):
        workspace.add("w", path)
    view, _ = workspace.add("w", path, separator=" ")
    assert {concept.name for concept in view.manifest.concepts} == {
        "clear",
        "road",
        "water",
        "haze",
    }
    view, _ = workspace.add("u", path, separator="none")
    assert view.kind == "classification"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_text_in_another_encoding_is_read_or_refused(workspace, tmp_path, encoding):
    path = tmp_path / "t.csv"
    path.write_bytes("image;label\na.jpg;Löwe\n".encode(encoding))
    if encoding == "cp1252":
        with pytest.raises(PellucidError, match=r"line 2 is not UTF-8.*Löwe"):
            workspace.add("v", path)
    else:
        assert annotations(workspace, path) == labels(a="Löwe")


def predictions(workspace, tmp_path, text, truth=None, **options):
    """The best concept of each image and its score, or REFUSED."""
    truth = truth or "image,label\na.jpg,cat\nb.jpg,dog\nc.jpg,cat\n"
    view, _ = workspace.add("v", toys.write(tmp_path / "truth.csv", truth))
    version = view.version_or_draft("m")
    try:
        version.add_predictions(toys.write(tmp_path / "p.csv", text), **options)
    except PellucidError:
        return REFUSED
    evaluation = version.evaluation
    table, names = evaluation.predictions, evaluation.concepts
    best = {}
    for image, concept, score in zip(table.image, table.concept, table.score, strict=True):
        path = str(evaluation.images.path[image])[0]
        best[path] = max(best.get(path, (0.0, "")), (round(float(score), 4), str(names[concept])))
    return best


RIGHT = {"a": (0.9, "dog"), "b": (0.8, "dog"), "c": (0.7, "cat")}
ROWS = (
    ("a.jpg", "cat", "dog", "0.9"),
    ("b.jpg", "dog", "dog", "0.8"),
    ("c.jpg", "cat", "cat", "0.7"),
)


def long_table(header, order="tps"):
    """Rows of image, then true label, predicted label and score in the given order."""
    column = {"t": 1, "p": 2, "s": 3, "n": None}
    numbers = {"dog": "1", "cat": "0"}
    lines = [
        ",".join([row[0], *(numbers[row[2]] if c == "n" else row[column[c]] for c in order)])
        for row in ROWS
    ]
    return "\n".join([header, *lines, ""])


@pytest.mark.parametrize("score", ["score", "pred_score"])
@pytest.mark.parametrize(
    ("names", "order"),
    [
        ("{},prediction,{}", "tps"),
        ("{},pred_label,{}", "tps"),
        ("{},predicted_class,{}", "tps"),
        ("{},y_pred,{}", "tps"),
        ("{},predictedLabel,{}", "tps"),
    ],
)
@pytest.mark.parametrize("truth", ["label", "class", "true_label", "gt", "target", "ground_truth"])
def test_predicted_and_not_true_labels_are_read(workspace, tmp_path, names, order, truth, score):
    header = "image," + names.format(truth, score)
    assert predictions(workspace, tmp_path, long_table(header, order)) == RIGHT


@pytest.mark.parametrize(
    "name", ["pred_idx", "pred_text", "model_prediction", "output", "result", "argmax", "top1"]
)
def test_a_label_beside_a_possible_prediction_is_refused(workspace, tmp_path, name):
    header = f"image,label,{name},score"
    assert predictions(workspace, tmp_path, long_table(header)) in (REFUSED, RIGHT)


def test_columns_option_settles_it(workspace, tmp_path):
    text = long_table("image,label,output,score")
    assert predictions(workspace, tmp_path, text, columns={"concept": "output"}) == RIGHT


@pytest.mark.parametrize(
    ("header", "order"),
    [
        ("image,class,name,confidence", "nps"),
        ("image,label,score", "ps"),
        ("file_name,predicted,conf", "ps"),
        ("Image Name,Prediction,Confidence", "ps"),
    ],
)
def test_predictions_by_usual_names(workspace, tmp_path, header, order):
    assert predictions(workspace, tmp_path, long_table(header, order)) == RIGHT


@pytest.mark.parametrize(
    "header",
    [
        "image,cat,dog",
        "image,p_cat,p_dog",
        "image,prob_cat,prob_dog",
        "image,cat_pred,dog_pred",
        "image,pred_cat,pred_dog",
        "image,label,p_cat,p_dog",
        "image,label,confidence,cat,dog",
        "image,true_cat,true_dog,pred_cat,pred_dog",
        "image,cat_true,dog_true,cat_pred,dog_pred",
        "image,cat,dog,p_cat,p_dog",
        "image,label,prediction,cat,dog",
    ],
)
def test_columns_beside_wide_scores_are_no_concepts(workspace, tmp_path, header):
    scores = {"a": (0.1, 0.9), "b": (0.2, 0.8), "c": (0.7, 0.3)}
    truth = {"a": "cat", "b": "dog", "c": "cat"}
    lines = [header]
    for image, (cat, dog) in scores.items():
        flags = [str(int(truth[image] == concept)) for concept in ("cat", "dog")]
        count = header.count(",")
        extra = {2: [], 3: [truth[image]], 4: flags}[count]
        if "confidence" in header:
            extra = [truth[image], "0.99"]
        if "prediction" in header:
            extra = [truth[image], truth[image]]
        lines.append(",".join([f"{image}.jpg", *extra, str(cat), str(dog)]))
    assert predictions(workspace, tmp_path, "\n".join(lines) + "\n") == RIGHT


def test_concept_names_within_concept_names(workspace, tmp_path):
    truth = "image,label\na.jpg,cat\nb.jpg,black cat\n"
    text = "image,cat,black cat\na.jpg,0.9,0.1\nb.jpg,0.2,0.8\n"
    assert predictions(workspace, tmp_path, text, truth) == {
        "a": (0.9, "cat"),
        "b": (0.8, "black cat"),
    }


@pytest.mark.parametrize(
    "header",
    [
        "filename,index_0,index_1,prob_0,prob_1",
        "filename,label_1,label_2,score_1,score_2",
        "filename,top1_label,top2_label,top1_score,top2_score",
        "filename,top1,top2,top1_score,top2_score",
    ],
)
def test_best_concepts_in_numbered_columns(workspace, tmp_path, header):
    text = f"{header}\na.jpg,dog,cat,0.9,0.1\nb.jpg,dog,cat,0.8,0.2\nc.jpg,cat,dog,0.7,0.3\n"
    assert predictions(workspace, tmp_path, text) == RIGHT


def test_true_flags_beside_scores_are_not_ranks(workspace, tmp_path):
    text = "image,true_0,true_1,prob_0,prob_1\na.jpg,0,1,0.7,0.3\nb.jpg,1,0,0.2,0.8\n"
    truth = "image,label\na.jpg,0\nb.jpg,1\n"
    assert predictions(workspace, tmp_path, text, truth) in (
        REFUSED,
        {"a": (0.7, "0"), "b": (0.8, "1")},
    )


def test_lists_in_cells(workspace, tmp_path):
    text = (
        "filename,label,prob\n"
        "a.jpg,\"['dog', 'cat']\",\"[0.9, 0.1]\"\n"
        "b.jpg,\"['dog', 'cat']\",\"[0.8, 0.2]\"\n"
        "c.jpg,\"['cat', 'dog']\",\"[0.7, 0.3]\"\n"
    )
    assert predictions(workspace, tmp_path, text) == RIGHT


def test_two_scores_are_refused(workspace, tmp_path):
    text = "image,label,score,confidence\na.jpg,dog,0.9,0.1\nb.jpg,dog,0.8,0.2\n"
    assert predictions(workspace, tmp_path, text) == REFUSED
    found = predictions(pellucid.open(tmp_path / "w2"), tmp_path, text, columns={"score": "score"})
    assert found == {"a": (0.9, "dog"), "b": (0.8, "dog")}


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_commas(workspace, tmp_path, delimiter):
    text = delimiter.join(["image", "label", "score"]) + "\n"
    rows = [("a.jpg", "dog", "0,9"), ("b.jpg", "dog", "0,8"), ("c.jpg", "cat", "0,7")]
    text += "".join(delimiter.join(row) + "\n" for row in rows)
    assert predictions(workspace, tmp_path, text) == RIGHT


def test_predicted_box_lists_are_read_by_their_overlap(workspace, tmp_path):
    """Large objects: corners read as sizes would still overlap, so IoU 0.5 does not decide."""
    rng = np.random.default_rng(1)
    lines, rows = ["image,label,x,y,width,height"], ["image,label,score,bbox"]
    for index in range(40):
        x, y, width, height = (*rng.integers(5, 60, 2), *rng.integers(200, 400, 2))
        lines.append(f"{index}.jpg,cat,{x},{y},{width},{height}")
        rows.append(f'{index}.jpg,cat,0.9,"[{x}, {y}, {width}, {height}]"')
    view, _ = workspace.add("v", toys.write(tmp_path / "a.csv", "\n".join(lines)))
    version = view.start("m")
    version.add_predictions(toys.write(tmp_path / "p.csv", "\n".join(rows)))
    assert version.metrics("validation").overall.coco["AP75"] == 1


def test_data_frames_with_duplicate_or_nested_columns_are_refused(workspace):
    frame = pandas.DataFrame({"image": ["a.jpg"], "label": ["cat"], "Label": ["dog"]})
    with pytest.raises(PellucidError, match="duplicate column 'label'"):
        workspace.add("v", frame)
    with pytest.raises(PellucidError):
        workspace.add("v", {"image": ["a", "b"], "labels": [["x"], ["y", "z"]], "t": [1]})


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"label": "x"}, "--columns"),
        ({"concept": "absent"}, "absent"),
    ],
)
def test_unknown_columns_are_refused(workspace, tmp_path, columns, words):
    path = toys.write(tmp_path / "t.csv", "image,x\na.jpg,cat\n")
    with pytest.raises(PellucidError, match=words):
        workspace.add("v", path, columns=columns)
    view, _ = workspace.add("v", path, columns={"concept": "x"})
    assert [concept.name for concept in view.manifest.concepts] == ["cat"]


def test_every_order_of_columns_gives_the_same_boxes(workspace, tmp_path):
    columns = {
        "image": "a.jpg",
        "label": "cat",
        "xmin": "10",
        "xmax": "40",
        "ymin": "20",
        "ymax": "60",
    }
    orders = list(itertools.permutations(columns))
    for number in range(0, len(orders), 97):
        order = orders[number]
        text = ",".join(order) + "\n" + ",".join(columns[name] for name in order) + "\n"
        path = toys.write(tmp_path / f"{number}.csv", text)
        view, _ = workspace.add(f"v{number}", path)
        assert view.annotation_tables[1].box.tolist() == [BOX], order
