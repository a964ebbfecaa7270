"""Bad input is refused with status 3, one sentence a person can act on, and nothing changed."""

import json

import pytest

import toys


def run(*words, cwd=None):
    return toys.run_cli(*words, cwd=cwd)


def refused(done, *words):
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = [
        line for line in done.stderr.splitlines() if not line.startswith(("note: ", "warning: "))
    ]
    assert len(lines) == 1, done.stderr
    for word in words:
        assert word in lines[0], lines[0]


def annotation(**changes):
    return {
        "id": 1,
        "image_id": 11,
        "category_id": 1,
        "bbox": [10, 10, 20, 20],
        "iscrowd": 0,
    } | changes


BAD_ANNOTATIONS = {
    "truncated": ('{"images": [{"id": 1, "file_name": "a.jpg"', ["truncated after byte 42"]),
    "malformed": ('{"images": [}', ["invalid JSON", "byte 12"]),
    "not an object": ('{"images": {"id": 1}, "annotations": []}', ["$.images"]),
    "empty": ("", ["contains no data", "Export it again"]),
    "blank": ("  \n ", ["contains no data"]),
    "XML": ("<annotation></annotation>", ["not recognised as annotations", "XML"]),
    "plain text": ("hello there", ["not recognised as annotations", "hello there"]),
    "a list of something": ('[{"a": 1}]', ["not recognised as annotations"]),
    "deep": ('{"images": ' + "[" * 100_000, ["annotations.json"]),
}


@pytest.mark.parametrize("case", BAD_ANNOTATIONS)
def test_invalid_files_are_refused(tmp_path, case):
    text, words = BAD_ANNOTATIONS[case]
    path = toys.write(tmp_path / "annotations.json", text)
    refused(run("add", tmp_path / "w", "v", path), str(path), *words)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"bbox": [1, 2, -3, 4]},
            ["$.annotations[0]", "[1.0, 2.0, -3.0, 4.0]", "non-negative width and height"],
        ),
        ({"bbox": [1, 2, 3]}, ["$.annotations[0].bbox", "found 3", "[left, top, width, height]"]),
        ({"bbox": [1, 2, 3, "x"]}, ["$.annotations[0].bbox[3]"]),
        ({"image_id": 77}, ["$.annotations[0].image_id", "image 77"]),
        ({"category_id": 5}, ["$.annotations[0].category_id", "concept 5", "'1', '2'"]),
    ],
)
def test_bad_annotations(tmp_path, change, words):
    path = toys.coco(tmp_path, annotations=[annotation(**change), annotation(id=2)], pictures=False)
    refused(run("add", tmp_path / "w", "v", path), str(path), *words)
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    "name",
    [
        "../secret.jpg",
        "a/../../b.jpg",
        "/etc/passwd",
        "C:\\x.jpg",
        "http://there/x.jpg",
        "file:///etc/passwd",
        "",
    ],
)
def test_paths_outside_the_image_folder(tmp_path, name):
    images = [{"id": 11, "file_name": name, "width": 9, "height": 9}]
    path = toys.coco(tmp_path, images=images, annotations=[], pictures=False)
    refused(
        run("add", tmp_path / "w", "v", path),
        repr(name)[1:-1].replace("\\\\", "\\"),
        "is outside the image folder",
        "--images",
    )
    assert not (tmp_path / "w").exists()


BAD_RESULTS = {
    "truncated": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4], "sc',
        ["truncated after byte"],
    ),
    "NaN": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4], "score": NaN}]',
        ["record 0", "score is nan", "finite"],
    ),
    "infinite": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4], "score": Infinity}]',
        ["score", "inf"],
    ),
    "not a number": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4], "score": "high"}]',
        ["$[0].score"],
    ),
    "no score": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, 4]}]',
        ["$[0]", "score is absent"],
    ),
    "no category": (
        '[{"image_id": 11, "category_id": null, "bbox": [1, 2, 3, 4], "score": 1}]',
        ["$[0]", "missing category_id"],
    ),
    "negative box": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, -4], "score": 0.5}]',
        ["record 0", "-4.0"],
    ),
    "NaN box": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3, NaN], "score": 0.5}]',
        ["record 0", "nan"],
    ),
    "short box": (
        '[{"image_id": 11, "category_id": 1, "bbox": [1, 2, 3], "score": 0.5}]',
        ["$[0].bbox", "found 3"],
    ),
    "strangers": (
        '[{"image_id": 5, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]',
        ["none of its images", "'5'", "'a/one.png'"],
    ),
    "unknown concepts": (
        '[{"image_id": 11, "category_id": 9, "bbox": [1, 2, 3, 4], "score": 0.5}]',
        ["none of its concepts", "'9'", "'dent'"],
    ),
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_bad_results(tmp_path, case):
    text, words = BAD_RESULTS[case]
    assert run("add", tmp_path / "w", "v", toys.coco(tmp_path, pictures=False)).returncode == 0
    before = contents(tmp_path / "w")
    path = toys.write(tmp_path / "results.json", text)
    refused(run("predictions", tmp_path / "w", "v", "m", path), str(path), *words)
    assert contents(tmp_path / "w") == before


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


BAD_TABLES = {
    "a word for a score": ("image,concept,score\na.jpg,cat,high\n", ["line 2", "score is 'high'"]),
    "NaN": ("image,concept,score\na.jpg,cat,0.5\nb.jpg,dog,nan\n", ["line 3", "nan"]),
    "infinite": ("image,concept,score\na.jpg,cat,inf\n", ["line 2", "inf"]),
    "an empty score": ("image,concept,score\na.jpg,cat,\n", ["line 2", "nan"]),
    "two scores": (
        "image,concept,score\na.jpg,cat,0.5\na.jpg,cat,0.6\n",
        ["'a.jpg' has two scores for 'cat'"],
    ),
    "header alone": ("image,concept,score\n", ["contains no data"]),
    "strangers": (
        "image,concept,score\nz.jpg,cat,0.5\n",
        ["none of its images", "'z.jpg'", "'a.jpg'"],
    ),
    "no numbers": ("image,remark\na.jpg,x\n", ["no column is recognised as a score", "remark"]),
    "a bad cell in a wide table": (
        "image,p_cat,p_dog\na.jpg,.9,.1\nb.jpg,N/A,.7\n",
        ["line 3", "p_cat is 'N/A'"],
    ),
    "NaN in a wide table": ("image,cat,dog\na.jpg,.9,.1\nb.jpg,nan,.7\n", ["line 3, cat", "nan"]),
    "a line too short": (
        "image,concept,score\na.jpg,cat,0.5\nb.jpg,dog\n",
        ["line 3 has", "expected"],
    ),
    "an enormous score": ("image,concept,score\na.jpg,cat,1e300\n", ["line 2", "1e+300"]),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_prediction_tables(tmp_path, case):
    text, words = BAD_TABLES[case]
    source = toys.write(tmp_path / "labels.csv", "image,label\na.jpg,cat\nb.jpg,dog\n")
    assert run("add", tmp_path / "w", "v", source).returncode == 0
    before = contents(tmp_path / "w")
    path = toys.write(tmp_path / "p.csv", text)
    refused(run("predictions", tmp_path / "w", "v", "m", path), str(path), *words)
    assert contents(tmp_path / "w") == before


def test_two_concepts_on_one_classification_image(tmp_path):
    source = toys.write(tmp_path / "labels.csv", "image,label\na.jpg,cat\na.jpg,dog\n")
    refused(
        run("add", tmp_path / "w", "v", source, "--kind", "classification"),
        "'a.jpg' has two concepts ('cat' and 'dog')",
        "--kind tagging",
    )


def test_repeated_annotation_on_a_classification_image(tmp_path):
    source = toys.write(tmp_path / "labels.csv", "image,label\na.jpg,cat\nb.jpg,dog\na.jpg,cat\n")
    done = run("add", tmp_path / "w", "v", source)
    assert done.returncode == 0, done.stderr
    assert "1 row repeats an earlier row: not read" in done.stderr


def test_two_concepts_of_a_classification_image(tmp_path):
    source = toys.write(tmp_path / "labels.csv", "image,label\na.jpg,cat\nb.jpg,dog\na.jpg,dog\n")
    refused(
        run("add", tmp_path / "w", "v", source, "--kind", "classification"),
        "'a.jpg' has two concepts ('cat' and 'dog')",
    )


@pytest.mark.parametrize(
    "text",
    ["image,label\n", '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}]}'],
)
def test_file_without_images(tmp_path, text):
    refused(
        run("add", tmp_path / "w", "v", toys.write(tmp_path / "f", text)),
        "contains no data; expected at least one image",
    )


@pytest.mark.parametrize(
    "line",
    [
        "nan 0.5 0.5 0.1 0.1",
        "inf 0.5 0.5 0.1 0.1",
        "1.5 0.5 0.5 0.1 0.1",
        "0 0.5 0.5 0.1",
        "0 0.5 0.5 0.1 x",
    ],
)
def test_bad_yolo_lines(tmp_path, line):
    toys.picture(tmp_path / "images/a.png")
    toys.write(tmp_path / "labels/a.txt", line)
    source = toys.write(tmp_path / "data.yaml", "val: images\nnames: [a, b]\n")
    refused(run("add", tmp_path / "w", "v", source), "a.txt: line 1")


def test_missing_workspace(tmp_path):
    refused(run("metrics", tmp_path / "w", "v", "m"), "no workspace found")


def test_unknown_split(tmp_path):
    source = toys.write(tmp_path / "labels.csv", "image,label,split\na.jpg,cat,holdout\n")
    refused(
        run("add", tmp_path / "w", "v", source),
        "line 2",
        "'holdout'",
        "training, validation, test",
    )


def test_image_in_two_splits(tmp_path):
    one = toys.write(tmp_path / "one.csv", "image,label,split\na.jpg,cat,train\n")
    other = toys.write(tmp_path / "other.csv", "image,label,split\na.jpg,cat,val\n")
    assert run("add", tmp_path / "w", "v", one).returncode == 0
    refused(run("add", tmp_path / "w", "v", other), "'a.jpg' is already in training")


def test_missing_file(tmp_path):
    refused(
        run("add", tmp_path / "w", "v", tmp_path / "no.json"),
        "no.json",
        "no such file or directory",
    )


def test_file_without_permission(tmp_path):
    path = toys.coco(tmp_path, pictures=False)
    path.chmod(0)
    try:
        path.read_bytes()
        pytest.skip("this user may read everything")
    except PermissionError:
        refused(run("add", tmp_path / "w", "v", path), "cannot be read", "permission")


def test_foreign_folder_is_not_a_workspace(tmp_path):
    toys.write(tmp_path / "w" / "letter.txt", "dear")
    refused(
        run("add", tmp_path / "w", "v", toys.coco(tmp_path, pictures=False)),
        "not a Pellucid workspace",
        "other files",
    )


def test_workspace_of_a_newer_pellucid(tmp_path):
    toys.write(tmp_path / "w" / "workspace.json", json.dumps({"format": 99, "made_by": "9"}))
    refused(run("thresholds", tmp_path / "w", "v", "m"), "workspace format 99", "Upgrade")


def test_unknown_names_list_the_existing_ones(tmp_path):
    assert run("add", tmp_path / "w", "v", toys.coco(tmp_path, pictures=False)).returncode == 0
    assert run("start", tmp_path / "w", "v", "m").returncode == 0
    refused(run("start", tmp_path / "w", "u", "m"), "view 'u' not found", "'v'")
    refused(run("thresholds", tmp_path / "w", "v", "n"), "version 'n' not found", "'m'")
    refused(run("start", tmp_path / "w", "v", "m"), "version 'm' already exists")
    refused(
        run("gallery", tmp_path / "w", "v", "m", "--tab", "all", "--concept", "mould"),
        "unknown concept 'mould'",
        "'dent', 'rust'",
    )
    refused(
        run("metrics", tmp_path / "w", "v", "m", "--split", "test"),
        "no images in test",
        "validation",
    )


@pytest.mark.parametrize(
    "words",
    [
        ["add"],
        ["gallery", "w", "v", "m"],
        ["gallery", "w", "v", "m", "--tab", "some"],
        ["start", "w", "v", "m", "--iou", "0"],
        ["add", "w", "../v", "x"],
        ["nonsense"],
        ["add", "w", "v", "x", "--split", "holdout"],
    ],
)
def test_usage_errors_have_status_2(tmp_path, words):
    toys.coco(tmp_path, name="x", pictures=False)
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_empty_or_outside_boxes_are_kept_and_reported(tmp_path):
    annotations = [
        annotation(bbox=[5, 5, 0, 8]),
        annotation(id=2, bbox=[60, 40, 30, 30]),
        annotation(id=3),
    ]
    path = toys.coco(tmp_path, annotations=annotations, pictures=False)
    done = run("add", tmp_path / "w", "v", path)
    assert done.returncode == 0
    assert "warning: 1 box with zero width or height: kept" in done.stderr
    assert "warning: 1 box extends outside the image: not clipped" in done.stderr
    run("start", tmp_path / "w", "v", "m")
    rows = toys.results(
        tmp_path, [{"image_id": 11, "category_id": 1, "bbox": [5, 5, 0, 8], "score": 0.9}]
    )
    run("predictions", tmp_path / "w", "v", "m", rows)
    shown = json.loads(run("gallery", tmp_path / "w", "v", "m", "--tab", "extra", "--json").stdout)
    assert shown["total"] == 3


@pytest.mark.parametrize("command", ["add", "figures", "evaluate"])
def test_debug_shows_the_traceback(tmp_path, command):
    words = [tmp_path / "w", "v", tmp_path / "no.json"]
    done = run(command, *words, "--debug")
    assert done.returncode == 3
    assert "Traceback" in done.stderr
