"""Tables with the labels of several people, and tables that are not well-formed."""

import pytest

import toys

LABELS = "image,label,{who}\na.jpg,cat,ann\na.jpg,{second},bob\nb.jpg,dog,ann\nb.jpg,dog,bob\n"


@pytest.mark.parametrize("who", ["annotator", "Annotator ID", "worker_id", "rater", "labeled by"])
def test_disagreeing_people_are_not_read_as_tags(tmp_path, who):
    source = toys.write(tmp_path / "a.csv", LABELS.format(who=who, second="dog"))
    done = toys.run_cli("add", tmp_path / "w", "v", source)
    assert done.returncode == 3
    assert "1 image with several labels, by different people" in done.stderr
    assert "--kind tagging" in done.stderr
    assert toys.run_cli("add", tmp_path / "w", "v", source, "--kind", "tagging").returncode == 0


def test_agreeing_people_and_several_tags_are_read(tmp_path):
    agreeing = toys.write(tmp_path / "a.csv", LABELS.format(who="annotator", second="cat"))
    done = toys.run_cli("add", tmp_path / "w", "same", agreeing)
    assert done.returncode == 0, done.stderr
    assert "same: classification view" in done.stdout + done.stderr
    tags = "image,label,annotator\na.jpg,cat,ann\na.jpg,dog,ann\nb.jpg,dog,bob\n"
    done = toys.run_cli("add", tmp_path / "w", "tags", toys.write(tmp_path / "t.csv", tags))
    assert done.returncode == 0, done.stderr
    assert "tags: tagging view" in done.stdout + done.stderr


@pytest.mark.parametrize(("column", "sources"), [("annotator", "people"), ("revision", "passes")])
def test_boxes_of_several_people_or_passes_are_reported(tmp_path, column, sources):
    rows = f"image,xmin,ymin,xmax,ymax,label,{column}\n"
    rows += "a.jpg,1,2,30,40,cat,1\na.jpg,1,2,31,40,cat,2\nb.jpg,1,2,31,40,cat,2\n"
    done = toys.run_cli("add", tmp_path / "w", "v", toys.write(tmp_path / "a.csv", rows))
    assert done.returncode == 0
    assert f"1 image with boxes of several {sources} (column '{column}')" in done.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label,score\na.jpg,cat,1\nb.jpg,dog\n", "line 3 has 2 values; expected 3"),
        ("image,label\na.jpg,cat\nb.jpg,dog,extra\n", "line 3 has 3 values; expected 2"),
        ('image,label\n"a.jpg,cat\nb.jpg,dog\n', "line 2 cannot be read: a quotation mark"),
    ],
)
def test_malformed_rows_are_named(tmp_path, text, message):
    done = toys.run_cli("add", tmp_path / "w", "v", toys.write(tmp_path / "a.csv", text))
    assert done.returncode == 3
    assert message in done.stderr
    assert "Possible fixes" not in done.stderr


def test_numbers_behind_an_apostrophe_are_numbers(tmp_path):
    text = "image,xmin,ymin,xmax,ymax,label\na.jpg,1,2,30,40,cat\nb.jpg,'-1,2,30,40,dog\n"
    done = toys.run_cli("add", tmp_path / "w", "v", toys.write(tmp_path / "a.csv", text))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("column", "kept", "left_out"),
    [
        ("exclude", "0", "1"),
        ("active", "1", "0"),
        ("is_valid_box", "yes", "no"),
        ("is_latest", "true", "false"),
        ("draft", "0", "1"),
        ("qa", "pass", "fail"),
        ("status", "valid", "invalid"),
        ("action", "keep", "drop"),
    ],
)
def test_rows_that_a_column_leaves_out_are_refused(tmp_path, column, kept, left_out):
    rows = f"image,x,y,width,height,label,{column}\n"
    rows += f"a.jpg,1,2,30,40,cat,{kept}\na.jpg,50,60,31,40,dog,{left_out}\n"
    done = toys.run_cli("add", tmp_path / "w", "v", toys.write(tmp_path / "a.csv", rows))
    assert done.returncode == 3
    assert f"line 3: {column} is '{left_out}'" in done.stderr
