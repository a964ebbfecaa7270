"""What a file unpacks to, where a link leads, how deep a document goes: all of it is bounded,
and the bound is told."""

import json
import os
import resource
import subprocess
import sys
import urllib.error
import urllib.request

import duckdb
import pytest

import pellucid
import toys
from pellucid.core.errors import FileTooLargeError, MalformedFileError, PellucidError
from pellucid.formats import limits as bounds
from pellucid.formats.annotation_sources import parse_annotations
from pellucid.formats.prediction_sources import read_predictions
from pellucid.formats.probe import ReadOptions


@pytest.fixture
def linked(tmp_path):
    """A set of two pictures, one of which is a link to a file elsewhere."""
    annotations = toys.coco(tmp_path / "set")
    secret = toys.picture(tmp_path / "elsewhere" / "secret.png", colour=(200, 0, 0))
    one = tmp_path / "set" / "images" / "a" / "one.png"
    one.unlink()
    one.symlink_to(secret)
    return annotations, tmp_path / "set" / "images"


def ask(address, body=None):
    """Status, type and text of an answer."""
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers["content-type"], answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["content-type"], error.read()
    except urllib.error.URLError:  # hung up on while still sending
        return 413, "", b""


def picture_of(address, image):
    """What the server shows of an image: its type, and what it is made of."""
    page = json.loads(ask(f"{address}api/v1/views/v/versions/m/images/{image}")[2])
    return ask(f"{address}{page['picture']}")[1:]


def test_links_out_of_the_folder_are_not_followed(linked, tmp_path, served):
    annotations, images = linked
    view, notes = pellucid.open(tmp_path / "w").add("v", annotations, images=images)
    view.start("m").add_predictions(toys.results(tmp_path))
    (note,) = [note for note in notes if note.kind == "picture_link"]
    assert "1 image is a link" in note.message
    assert "PELLUCID_FOLLOW_LINKS=1" in note.message
    address = served(view.workspace)
    kind, text = picture_of(address, 0)
    assert kind == "image/svg+xml"
    assert b"outside its folder" in text
    assert picture_of(address, 1)[0] == "image/jpeg"


def test_allowed_links_and_links_within_the_folder(linked, tmp_path, served, monkeypatch):
    annotations, images = linked
    (images / "a" / "two.png").rename(images / "real.png")
    (images / "a" / "two.png").symlink_to(images / "real.png")
    (tmp_path / "by-another-name").symlink_to(images)
    view, notes = pellucid.open(tmp_path / "w").add(
        "v", annotations, images=tmp_path / "by-another-name"
    )
    assert len([note for note in notes if note.kind == "picture_link"]) == 1
    view.start("m").add_predictions(toys.results(tmp_path))
    address = served(view.workspace)
    assert picture_of(address, 1)[0] == "image/jpeg"
    assert picture_of(address, 0)[0] == "image/svg+xml"
    monkeypatch.setenv("PELLUCID_FOLLOW_LINKS", "1")
    assert picture_of(address, 0)[0] == "image/jpeg"


@pytest.mark.slow
def test_table_that_decompresses_beyond_the_limit(tmp_path):
    path = tmp_path / "bomb.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'a.jpg' AS image, 'x' AS concept, 0.5 AS score FROM range(400000000)) "
            f"TO '{path}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 10000000)"
        )
    assert path.stat().st_size < 3_000_000
    for read in (
        lambda: read_predictions(path, None, ReadOptions("tagging", concepts=("x",))),
        lambda: parse_annotations(path),
    ):
        with pytest.raises(
            FileTooLargeError,
            match=r"decompresses from [\d,]+ to 4,800,000,000 bytes; above [\d,]+ bytes, the limit is 2,000 times",
        ):
            read()


def test_highly_compressible_table_is_read(tmp_path):
    path = tmp_path / "plain.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT i::VARCHAR || '.jpg' AS image, 'x' AS concept, 0.5 AS score FROM "
            f"range(200000) t(i)) TO '{path}' (FORMAT parquet)"
        )
    assert (
        len(read_predictions(path, None, ReadOptions("tagging", concepts=("x",))).score) == 200_000
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("deep.json", "[" * 2_000_000),
        ("deep.json", '{"images":' * 500_000),
        ("deep.xml", "<a>" * 2_000_000),
    ],
)
def test_nesting_depth_is_bounded(name, text, tmp_path):
    path = toys.write(tmp_path / name, text)
    with pytest.raises(PellucidError, match=r"deep\."):
        parse_annotations(path)


def test_length_is_bounded_and_reported(tmp_path, monkeypatch):
    monkeypatch.setattr("pellucid.formats.parsing.MAX_TEXT_BYTES", 100)
    monkeypatch.setattr("pellucid.formats.parsing.MAX_XML_BYTES", 100)
    xml = toys.write(
        tmp_path / "x.xml",
        f"<annotation><filename>{'a' * 200}</filename><object><name>x</name><bndbox><xmin>1</xmin></bndbox></object></annotation>",
    )
    for path in (toys.coco(tmp_path, pictures=False), xml):
        with pytest.raises(FileTooLargeError, match=r"bytes; the limit is 100"):
            parse_annotations(path)
    assert bounds.MAX_XML_BYTES < bounds.MAX_TEXT_BYTES


def test_xml_entity_expansion(tmp_path):
    lines = "".join(f'<!ENTITY b{place} "{f"&b{place - 1};" * 10}">' for place in range(1, 12))
    path = toys.write(
        tmp_path / "laughs.xml",
        "<!DOCTYPE a [<!ENTITY b0 "
        f'"ha">{lines}]><annotation><filename>&b11;</filename><object><bndbox></bndbox></object></annotation>',
    )
    with pytest.raises(MalformedFileError, match="unsafe XML"):
        parse_annotations(path)


def test_yaml_alias_expansion_takes_no_memory(tmp_path):
    lines = [
        "a0: &a0 [x, x]",
        *(f"a{place}: &a{place} [{', '.join([f'*a{place - 1}'] * 10)}]" for place in range(1, 30)),
    ]
    toys.write(tmp_path / "set" / "data.yaml", "\n".join([*lines, "names: *a29", "train: ."]))
    (tmp_path / "set" / "labels").mkdir()
    program = (
        "import sys, pellucid\nfrom pellucid.formats.annotation_sources import parse_annotations\n"
        "try:\n    parse_annotations(sys.argv[1])\nexcept "
        "pellucid.core.errors.PellucidError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "set")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )
    assert done.returncode == 0, done.stderr
    assert "aliases" in done.stdout


def test_json_in_a_request_is_bounded(served, tmp_path):
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path))
    view.start("m").add_predictions(toys.results(tmp_path))
    address = served(view.workspace)
    for body in ("[" * 100_000, json.dumps({"items": []}), '{"a":' * 50_000):
        assert ask(f"{address}api/v1/views/v/versions/m/decisions", body.encode())[0] in (400, 422)
    assert ask(f"{address}api/v1/views/v/undo", b" " * (5 << 20))[0] == 413


NEEDS_NAMED_PIPES = pytest.mark.skipif(
    not hasattr(os, "mkfifo"), reason="Windows has no named pipes in folders"
)


@pytest.fixture
def set_with_pipe(tmp_path):
    """A COCO set one of whose pictures is a named pipe that nobody writes to."""
    source = toys.coco(tmp_path)
    picture = tmp_path / "images" / json.loads(source.read_text())["images"][0]["file_name"]
    picture.unlink()
    os.mkfifo(picture)
    return source


@NEEDS_NAMED_PIPES
def test_named_pipe_among_the_pictures_stops_nothing(tmp_path, set_with_pipe, served):
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", set_with_pipe, images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    view.version("m").results().slices()
    item = view.version("m").gallery("all")[0]
    row = view.version("m").evaluation.images.path.tolist().index(item.image)
    address = f"{served(workspace)}pictures/v/m/0/{row}"
    with urllib.request.urlopen(address, timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("image/")


@NEEDS_NAMED_PIPES
@pytest.mark.parametrize("command", ["add", "predictions", "open", "doctor"])
def test_named_pipe_as_source_is_refused(tmp_path, command):
    os.mkfifo(tmp_path / "pipe.json")
    pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path), images=tmp_path / "images")
    arguments = {
        "add": (tmp_path / "w", "v", tmp_path / "pipe.json"),
        "predictions": (tmp_path / "w", "v", "m", tmp_path / "pipe.json"),
        "open": (tmp_path / "pipe.json", tmp_path / "pipe.json"),
        "doctor": (tmp_path / "pipe.json",),
    }[command]
    done = toys.run_cli(command, *arguments)
    text = done.stdout + done.stderr
    assert "is a named pipe" in text, text
    assert done.returncode == 3


@NEEDS_NAMED_PIPES
def test_special_files_in_a_folder_are_counted(tmp_path):
    for name in ("cat/a.png", "dog/b.png"):
        toys.picture(tmp_path / "set" / name)
    os.mkfifo(tmp_path / "set/cat/pipe.png")
    view, notes = pellucid.open(tmp_path / "w").add("v", tmp_path / "set")
    assert len(view.annotation_tables[0]) == 2
    assert any("1 hidden, system or special file" in note.message for note in notes)


@pytest.mark.parametrize("settings", ["names: " + "[" * 200_000, "names: " + "{a: " * 3_000])
def test_deep_settings_are_refused_at_once(tmp_path, settings):
    toys.write(tmp_path / "data.yaml", settings)
    with pytest.raises(MalformedFileError, match="more than 50 nested brackets"):
        parse_annotations(tmp_path)
