"""Small inputs that were once read wrongly: each is read as it is meant, or refused."""

import pytest

from pellucid.core.errors import PellucidError

pytestmark = pytest.mark.shared

REFUSED = None


@pytest.fixture
def cases(shared):
    folder = shared.parent / "cases"
    if not folder.is_dir():
        pytest.skip("the folder of cases is not here")
    return folder


def read(workspace, path, **options):
    """The number of annotations, and the concepts with annotations."""
    try:
        view, _ = workspace.add("v", path, **options)
    except PellucidError as error:
        return REFUSED, str(error)
    _, table, _ = view.annotation_tables
    names = [concept.name for concept in view.manifest.concepts]
    return len(table), sorted({names[concept] for concept in table.concept})


ANNOTATIONS = {
    "yolo-labels-not-found/A": (8, ["bolt", "nut"]),
    "yolo-labels-not-found/B": (8, ["bolt", "nut"]),
    "yolo-labels-not-found/C": (REFUSED, "Text files are in 'annot'"),
    "tags-in-one-cell/space.csv": (12, ["clear", "cloudy", "haze", "road", "water"]),
    "tags-in-one-cell/comma.csv": (12, ["clear", "cloudy", "haze", "road", "water"]),
    "tags-in-one-cell/commasp.csv": (12, ["clear", "cloudy", "haze", "road", "water"]),
    "tags-in-one-cell/semi.csv": (12, ["clear", "cloudy", "haze", "road", "water"]),
    "tags-in-one-cell/pylist.csv": (12, ["clear", "cloudy", "haze", "road", "water"]),
    "tags-in-one-cell/label_space.csv": (REFUSED, "--separator"),
    "coco-without-bbox/cct.json": (2, ["deer", "fox"]),
    "coco-without-bbox/emptybbox.json": (1, ["x"]),
    "coco-without-bbox/rle.json": (1, ["x"]),
    "excel/ann_utf-16.csv": (6, ["Fuchs", "Löwe"]),
    "excel/ann_sep.csv": (6, ["Fuchs", "Löwe"]),
    "excel/ann_utf-8-sig.csv": (6, ["Fuchs", "Löwe"]),
    "excel/ann_cp1252.csv": (REFUSED, "Save the file as UTF-8"),
    "csv-without-header/retinanet.csv": (REFUSED, "image,xmin,ymin,xmax,ymax,concept"),
    "csv-without-header/cls_nohdr.csv": (REFUSED, "image,concept"),
    "normalised-coco/norm.json": (30, ["part"]),
    "normalised-coco/xyxy.json": (30, ["part"]),
    "macosx-beside-splits/mac": (12, ["NORMAL", "PNEUMONIA"]),
    "macosx-beside-splits/thumbs": (12, ["NORMAL", "PNEUMONIA"]),
    "macosx-beside-splits/labels": (12, ["NORMAL", "PNEUMONIA"]),
    "macosx-beside-splits/deep": (12, ["NORMAL", "PNEUMONIA"]),
    "macosx-beside-splits/upper": (12, ["NORMAL", "PNEUMONIA"]),
    "kaggle-headers/camel.csv": (1, ["cat"]),
    "kaggle-headers/camel2.csv": (1, ["cat"]),
    "kaggle-headers/tl.csv": (1, ["Tree"]),
    "kaggle-headers/deepforest.csv": (1, ["Tree"]),
    "kaggle-headers/vin.csv": (2, ["Effusion", "Nodule"]),
    "kaggle-headers/nih.csv": (3, ["Cardiomegaly", "Emphysema", "No Finding"]),
    "kaggle-headers/isic.csv": (3, ["BCC", "MEL", "NV"]),
    "kaggle-headers/dog.csv": (REFUSED, "--columns concept=COLUMN"),
    "kaggle-headers/wheat.csv": (REFUSED, "'source'"),
    "kaggle-headers/ps.csv": (REFUSED, "'PredictionString'"),
    "classes-txt-among-labels/u16.json": (1, ["hull"]),
    "classes-txt-among-labels/gbk.json": (REFUSED, "save the file as UTF-8"),
    "wide-predictions/gt.json": (REFUSED, "'traffic light' is listed twice"),
}


@pytest.mark.parametrize("path", ANNOTATIONS)
def test_annotations(workspace, cases, path):
    expected, detail = ANNOTATIONS[path]
    found, found_detail = read(workspace, cases / path)
    assert found == expected, found_detail
    assert found_detail == detail or (expected is REFUSED and detail in found_detail)


PREDICTIONS = {
    ("class-and-name/ann.csv", "class-and-name/hub.csv"): 0,
    ("class-and-name/coco.json", "class-and-name/hub.csv"): 0,
    ("class-and-name/cls_ann.csv", "class-and-name/cls_pred.csv"): 0,
    ("class-and-name/cls_ann.csv", "class-and-name/cls_pred2.csv"): 0,
    ("class-and-name/cls_ann.csv", "class-and-name/cls_pred3.csv"): 0,
    ("class-and-name/cls_ann.csv", "class-and-name/cls_pred5.csv"): 12,
    ("classes-txt-among-labels/set", "classes-txt-among-labels/pred"): 0,
    ("yolo-labels-not-found/A", "yolo-labels-not-found/pred"): 0,
    ("coco-without-bbox/cct.json", "coco-without-bbox/res.json"): 0,
    ("excel/ann_utf-8.csv", "excel/long_comma.csv"): 0,
    ("excel/ann_utf-8.csv", "excel/wide_comma.csv"): 0,
    ("excel/det_ann.csv", "excel/det_comma.csv"): 0,
    ("normalised-coco/norm.json", "normalised-coco/res.json"): 0,
    ("normalised-coco/norm.json", "normalised-coco/res_norm.json"): 0,
    ("normalised-coco/xyxy.json", "normalised-coco/res_xyxy.json"): 0,
    ("tags-in-one-cell/space.csv", "tags-in-one-cell/pred.csv"): 0,
    ("timm-top-k/ann.csv", "timm-top-k/timm_sep.csv"): 0,
    ("timm-top-k/ann.csv", "timm-top-k/timm_list.csv"): 0,
    ("timm-top-k/ann.csv", "timm-top-k/timm_long.csv"): 0,
    ("timm-top-k/ann.csv", "timm-top-k/timm_top1.csv"): 0,
    ("timm-top-k/ann5.csv", "timm-top-k/timm_sep5.csv"): 0,
    ("timm-top-k/ann2.csv", "timm-top-k/both.csv"): 10,
    ("timm-top-k/ann2.csv", "timm-top-k/both2.csv"): 10,
    ("timm-top-k/ann2.csv", "timm-top-k/both3.csv"): 10,
    ("wide-predictions/ann.csv", "wide-predictions/pred.csv"): 0,
    ("unicode-names/gt.json", "unicode-names/pred_ok.csv"): 0,
    ("unicode-names/gt.json", "unicode-names/pred.csv"): 0,
}


@pytest.mark.parametrize(("annotations", "predictions"), PREDICTIONS)
def test_errors_of_predictions(workspace, cases, annotations, predictions):
    """Errors at the optimal thresholds; 0 where the predictions repeat the annotations."""
    view, _ = workspace.add("v", cases / annotations)
    version = view.version_or_draft("m")
    version.add_predictions(cases / predictions)
    expected = PREDICTIONS[annotations, predictions]
    assert version.metrics("validation").overall.errors == expected


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize("truth", ["gt_disp", "gt_disp_storedsize", "gt_nosize", "gt_stored"])
@pytest.mark.parametrize("results", ["res_disp", "res_stored"])
def test_rotated_images(workspace, cases, truth, results):
    folder = cases / "exif"
    view, _ = workspace.add("v", folder / f"{truth}.json", images=folder / "pics")
    version = view.start("m")
    notes = version.add_predictions(folder / f"{results}.json")
    assert version.metrics("validation").overall.coco["AP"] == pytest.approx(1)
    assert "boxes_disagree" not in {note.kind for note in notes}
