"""A workspace in an object store is the same workspace: what is read, what is written, and what
others see of it."""

import functools
import http.server
import json
import logging
import os
import re
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pellucid
import toys
from pellucid.browse.selection import TABS
from pellucid.core.errors import (
    FileMissingError,
    PellucidError,
    SecretInUrlError,
    StoreUnavailableError,
)
from pellucid.review.errors import ReviewDatabaseRequiredError
from pellucid.storage import remote_columns as ranged
from pellucid.storage.column_file import ColumnFile, write_column_file
from pellucid.storage.errors import ConcurrentModificationError, NotAWorkspaceError
from pellucid.storage.files import write_lock
from pellucid.storage.remote_columns import (
    BlockCache,
    RemoteColumn,
    add_record_columns,
    remote_columns,
)
from references import masks as reference


@pytest.fixture(scope="module")
def s3():
    """A real S3 server of this machine; the bucket's URL."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "hidden",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    before = {name: os.environ.get(name) for name in keys}
    os.environ.update(keys)
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir("bucket")
    yield "s3://bucket"
    server.stop()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


pytestmark = [
    pytest.mark.xdist_group("s3"),
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning"),
]
number = iter(range(1_000))


@pytest.fixture
def url(s3):
    return f"{s3}/team/{next(number)}"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that goes to another machine, on which nothing is known of any store yet."""
    count = iter(range(100))

    def go():
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"cache-{next(count)}"))

    go()
    return go


def filled(workspace, folder):
    view, _ = workspace.add("v", toys.coco(folder, pictures=False))
    version = view.start("m")
    version.add_predictions(toys.results(folder))
    return version


def answers(version):
    galleries = {
        (tab, reverse): version.gallery(tab, reverse=reverse)[:]
        for tab in TABS
        for reverse in (False, True)
    }
    return galleries, dict(version.thresholds), version.metrics(), version.results().causes()


def test_remote_workspace_behaves_like_a_local_one(url, machine, tmp_path):
    there = filled(pellucid.open(url), tmp_path / "sources")
    here = filled(pellucid.open(tmp_path / "w"), tmp_path / "sources")
    assert answers(there) == answers(here)
    machine()
    workspace = pellucid.open(url)
    assert repr(workspace) == f"<workspace {url}>"
    assert workspace.views == ["v"]
    assert workspace.view("v").versions == ["m"]
    assert answers(workspace.view("v").version("m")) == answers(here)
    assert workspace.view("v").images_by_split == {"validation": 2}


@pytest.mark.shared
def test_real_detections_are_read_in_blocks(url, machine, shared, tmp_path, monkeypatch):
    monkeypatch.setattr(ranged, "SMALL", 0)
    versions = []
    for place in (url, tmp_path / "w"):
        view, _ = pellucid.open(place).add(
            "coco", shared / "coco256" / "annotations" / "instances.json"
        )
        version = view.start("m")
        version.add_predictions(shared / "coco256" / "predictions" / "yolov3-tiny")
        versions.append(version)
    machine()
    far, near = pellucid.open(url).view("coco").version("m"), versions[1]
    assert isinstance(far.evaluation.predictions.box, RemoteColumn)
    assert answers(far) == answers(near)
    low, high = far.evaluation.concepts[0], 0.25
    assert (
        far.gallery("extra", concept=low, threshold=high)[:]
        == near.gallery("extra", concept=low, threshold=high)[:]
    )
    assert far.results().figures() == near.results().figures()
    assert not list(far.folder.glob("predictions*")), "the tables stay where they are"


def test_remote_workspace_is_evaluated_by_processes(url, machine, tmp_path):
    _, here = (
        filled(pellucid.open(place), tmp_path / "sources") for place in (url, tmp_path / "w")
    )
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "evaluate",
        url,
        "v",
        "m",
        "--engine",
        "processes",
        "--rows",
        "2",
        "--workers",
        "2",
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    here.evaluate(rows=2)
    machine()
    again = pellucid.open(url).view("v").version("m")
    assert again.manifest.generation == 2
    assert answers(again) == answers(here)
    import s3fs

    assert not [
        name for name in s3fs.S3FileSystem().find(url.removeprefix("s3://")) if "evaluating" in name
    ]


def test_concurrent_writers_do_not_overwrite_each_other(url, machine, tmp_path):
    mine = pellucid.open(url)
    filled(mine, tmp_path / "sources")
    machine()
    theirs = pellucid.open(url)
    theirs.view("v").start("second")
    with (
        pytest.raises(ConcurrentModificationError, match="modified by another process"),
        write_lock(mine.folder),
    ):
        theirs.view("v").add(
            toys.coco(
                tmp_path / "more",
                images=[{"id": 9, "file_name": "new.png", "width": 8, "height": 8}],
                annotations=[],
                pictures=False,
            )
        )
        manifest = mine.view("v").manifest
        mine.view("v")._save(manifest, *mine.view("v")._load_tables(manifest))
    assert mine.view("v").images_by_split == {"validation": 3}
    assert mine.view("v").versions == ["m", "second"]
    machine()
    assert pellucid.open(url).view("v").images_by_split == {"validation": 3}


def test_reader_keeps_its_snapshot_until_refresh(url, machine, tmp_path, monkeypatch):
    monkeypatch.setattr(ranged, "SMALL", 0)
    filled(pellucid.open(url), tmp_path / "sources")
    machine()
    reader = pellucid.open(url).view("v").version("m").results()
    machine()
    pellucid.open(url).view("v").version("m").evaluate()
    rows = np.arange(len(reader.evaluation.predictions))
    assert reader.evaluation.predictions.score[rows].tolist() == [0.9, 0.6, 0.4, 0.8]


def test_sources_in_an_object_store(url, machine, tmp_path):
    import s3fs

    store = s3fs.S3FileSystem()
    store.put_file(str(toys.coco(tmp_path, pictures=False)), f"{url}-sources/annotations.json")
    store.put_file(str(toys.results(tmp_path)), f"{url}-sources/results.json")
    (tmp_path / "bad.json").write_text(
        '{"images": [{"id": 1, "file_name": 7}], "annotations": [], "categories": []}'
    )
    store.put_file(str(tmp_path / "bad.json"), f"{url}-sources/bad.json")
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", f"{url}-sources/annotations.json")
    version = view.start("m")
    version.add_predictions(f"{url}-sources/results.json")
    assert view.manifest.sources[0].path == f"{url}-sources/annotations.json"
    assert version.manifest.prediction_sources[0].path == f"{url}-sources/results.json"
    assert answers(version) == answers(
        filled(pellucid.open(tmp_path / "here"), tmp_path / "sources")
    )
    with pytest.raises(FileMissingError, match=re.escape(f"{url}-sources/none.json")):
        workspace.add("w", f"{url}-sources/none.json")
    with pytest.raises(PellucidError, match=re.escape(f"{url}-sources/bad.json")) as told:
        workspace.add("w", f"{url}-sources/bad.json")
    assert "pellucid-" not in str(told.value)


@pytest.mark.parametrize(
    "address",
    ["s3://somebody:wonderful@bucket/w", "https://bucket.example/w?X-Amz-Signature=wonderful"],
)
def test_credentials_in_urls_are_refused_and_not_repeated(address, machine, tmp_path):
    for ask in (
        lambda: pellucid.open(address),
        lambda: pellucid.open(tmp_path / "w").add("v", address),
        lambda: pellucid.open(tmp_path / "w").add(
            "v", toys.coco(tmp_path, pictures=False), images=address
        ),
    ):
        with pytest.raises(SecretInUrlError) as told:
            ask()
        assert "wonderful" not in str(told.value)
    assert "wonderful" not in "".join(file.read_text() for file in tmp_path.rglob("*.json"))


def test_remote_decisions_need_a_database(url, machine, tmp_path):
    version = filled(pellucid.open(url), tmp_path)
    reviews = version.view.reviews
    assert reviews.log.head == 0
    with pytest.raises(ReviewDatabaseRequiredError, match="PELLUCID_REVIEWS"):
        reviews.reset("ann")


def test_missing_or_foreign_bucket_is_reported(url, machine, tmp_path):
    import s3fs

    with pytest.raises(StoreUnavailableError, match="cannot access the store"):
        filled(pellucid.open("s3://nobody-has-this/w"), tmp_path)
    s3fs.S3FileSystem().pipe_file(f"{url}/notes.txt", b"mine")
    with pytest.raises(NotAWorkspaceError, match="other files"):
        pellucid.open(url)


class Patient(http.server.ThreadingHTTPServer):
    request_queue_size = 256


class Ranges(http.server.SimpleHTTPRequestHandler):
    """With ranges, as any web server but Python's has them."""

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            return super().do_GET()
        text = path.read_bytes()
        part = text[int(asked[1]) : int(asked[2] or len(text)) + 1]
        self.send_response(206)
        self.send_header(
            "Content-Range", f"bytes {asked[1]}-{int(asked[1]) + len(part) - 1}/{len(text)}"
        )
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return self.wfile.write(part)

    def log_message(self, *words):
        pass


def test_workspace_is_read_over_http(machine, tmp_path):
    here = filled(pellucid.open((tmp_path / "files" / "w").as_uri()), tmp_path / "sources")
    machine()
    server = Patient(("127.0.0.1", 0), functools.partial(Ranges, directory=tmp_path / "files"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        workspace = pellucid.open(f"http://127.0.0.1:{server.server_port}/w")
        assert answers(workspace.view("v").version("m")) == answers(here)
        with pytest.raises(PellucidError):
            workspace.view("v").start("second")
    finally:
        server.shutdown()
        server.server_close()


def test_web_server_without_range_requests_is_reported(machine, tmp_path):
    filled(pellucid.open((tmp_path / "files" / "w").as_uri()), tmp_path / "sources")
    machine()
    whole = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "files")
    server = Patient(("127.0.0.1", 0), whole)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(StoreUnavailableError, match="must support Range requests"):
            pellucid.open(f"http://127.0.0.1:{server.server_port}/w").view("v").version(
                "m"
            ).gallery("all")
    finally:
        server.shutdown()
        server.server_close()


def columns_of(rows):
    draw = np.random.default_rng(rows)
    columns = {
        f"predictions.{name}": draw.integers(0, 99, rows).astype(np.int32)
        for name in ("image", "concept", "order")
    }
    columns |= {
        "predictions.score": draw.random(rows),
        "predictions.box": draw.random((rows, 4)),
        "evaluation.state": draw.integers(0, 3, rows).astype(np.int8),
    }
    columns |= {
        "evaluation.partner": draw.integers(-1, 9, rows).astype(np.int32),
        "evaluation.iou": draw.random(rows),
    }
    columns |= {
        "annotations.image": draw.integers(0, 9, 5).astype(np.int32),
        "derived.prediction_of_image": draw.permutation(rows).astype(np.int32),
    }
    return columns | {"derived.index": draw.random(4), "empty": np.zeros(0)}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranged")
    columns = columns_of(20_000)
    write_column_file((folder / "columns").as_uri(), add_record_columns(columns))
    return folder, columns


@given(data=st.data())
def test_remote_column_behaves_like_an_array(kept, data):
    folder, columns = kept
    before, ranged.SMALL = ranged.SMALL, 0
    try:
        room = BlockCache(folder / "room", max_size=6 * ranged.BLOCK_SIZE)
        far = remote_columns(ColumnFile((folder / "columns").as_uri()), room)
    finally:
        ranged.SMALL = before
    for _ in range(6):
        name = data.draw(st.sampled_from(sorted(name for name in columns if len(columns[name]))))
        near, row = columns[name], st.integers(-len(columns[name]), len(columns[name]) - 1)
        key = data.draw(
            st.one_of(
                row,
                st.lists(row, max_size=30).map(lambda rows: np.array(rows, np.int64)),
                st.builds(slice, st.none() | row, st.none() | row, st.sampled_from([None, 2, -1])),
                st.integers(0, 50).map(
                    lambda seed: np.random.default_rng(seed).random(len(near)) < 0.01
                ),
            )
        )
        assert np.array_equal(np.asarray(far[name][key]), near[key])
        assert np.asarray(far[name][key]).dtype == near.dtype
        held = (
            sum(
                age.is_present.sum()
                for file in room._files
                for age in (file._current, file._previous)
                if age is not None
            )
            * ranged.BLOCK_SIZE
        )
        assert (
            held <= room.max_size + 2 * near.nbytes + 60 * ranged.BLOCK_SIZE
        )  # what one question needs is always there
    assert np.array_equal(far["predictions.score"] + 1, columns["predictions.score"] + 1)
    assert np.array_equal(
        np.argsort(far["predictions.order"]), np.argsort(columns["predictions.order"])
    )
    assert far["predictions.score"].max() == columns["predictions.score"].max()
    assert np.array_equal(far["predictions.box"][:, 2], columns["predictions.box"][:, 2])
    order = columns["derived.prediction_of_image"]
    assert np.array_equal(
        np.asarray(far["by_image"].box[np.arange(5, 900)]), columns["predictions.box"][order[5:900]]
    )


def test_failed_write_leaves_the_store_unchanged(machine, tmp_path, monkeypatch):
    from pellucid.storage import remote_workspace as mirror

    bucket = (tmp_path / "bucket" / "w").as_uri()
    version = filled(pellucid.open(bucket), tmp_path / "sources")
    expected, sent = answers(version), []
    real = mirror.send

    def breaks(file, location):
        if len(sent) == 3:
            raise OSError("the line is cut")
        sent.append(location)
        real(file, location)

    monkeypatch.setattr(mirror, "send", breaks)
    with pytest.raises(StoreUnavailableError, match="the line is cut"):
        version.evaluate()
    assert answers(pellucid.open(bucket).view("v").version("m")) == expected
    monkeypatch.setattr(mirror, "send", real)
    more = toys.results(
        tmp_path / "sources",
        [{"image_id": 11, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.3}],
        "more.json",
    )
    with pytest.raises(PellucidError):
        version.add_predictions(
            more
        )  # of images that were predicted already: what it wrote is not left either
    version.evaluate()
    machine()
    assert answers(pellucid.open(bucket).view("v").version("m")) == expected


def test_workspace_recreated_at_the_same_url(tmp_path, machine):
    import shutil

    bucket = tmp_path / "bucket"
    first = filled(pellucid.open((bucket / "w").as_uri()), tmp_path / "sources")
    assert len(first.gallery("all")) == 4
    del first
    shutil.rmtree(bucket)
    images = [{"id": 5, "file_name": "other.png", "width": 64, "height": 48}]
    twin = pellucid.open(tmp_path / "twin")
    view, _ = twin.add(
        "v", toys.coco(tmp_path / "other", images=images, annotations=[], pictures=False)
    )
    view.start("m").add_predictions(
        toys.results(
            tmp_path / "other",
            [{"image_id": 5, "category_id": 2, "bbox": [0, 0, 9, 9], "score": 0.5}],
        )
    )
    shutil.copytree(tmp_path / "twin", bucket / "w")
    again = pellucid.open((bucket / "w").as_uri()).view("v").version("m")
    assert [(item.image, item.concept) for item in again.gallery("all")] == [("other.png", "rust")]
    assert again.view.images_by_split == {"validation": 1}


def test_two_handles_in_one_process(tmp_path, machine):
    bucket = (tmp_path / "bucket" / "w").as_uri()
    one = pellucid.open(bucket)
    filled(one, tmp_path / "sources")
    pellucid.open(bucket).view("v").start("second")
    one.view("v").start("third")
    machine()
    assert pellucid.open(bucket).view("v").versions == ["m", "second", "third"]


STRANGE = ["a[1]", "a*b", "a?b", "evaluating", "50% =x", "it's #1"]


@pytest.mark.parametrize("kind", ["file", "s3"])
def test_names_are_not_glob_patterns_or_internal_folders(kind, tmp_path, machine, request):
    """Each name beside one that its pattern would fit; every view and version keeps to itself,
    is evaluated, and is there for others."""
    place = (
        (tmp_path / "bucket" / "w").as_uri() if kind == "file" else request.getfixturevalue("url")
    )
    workspace, expected = pellucid.open(place), {}
    for number, name in enumerate([*STRANGE, "aXb", "a1"]):
        images = [
            {"id": 10 + row, "file_name": f"{row}.png", "width": 64, "height": 48}
            for row in range(number + 1)
        ]
        view, _ = workspace.add(
            name, toys.coco(tmp_path / str(number), images=images, annotations=[], pictures=False)
        )
        rows = [
            {
                "image_id": 10 + row,
                "category_id": 1,
                "bbox": [1, 1, 5, 5],
                "score": (number + 1) / 10,
            }
            for row in range(number + 1)
        ]
        version = view.start(name)
        version.add_predictions(toys.results(tmp_path / str(number), rows))
        expected[name] = answers(version)
    for name in expected:
        workspace.view(name).version(name).evaluate(rows=2)
    machine()
    again = pellucid.open(place)
    assert again.views == sorted(expected)
    assert {name: answers(again.view(name).version(name)) for name in expected} == expected


def test_polygons_are_fetched(tmp_path, machine):
    annotations = [
        {
            "id": 1,
            "image_id": 11,
            "category_id": 1,
            "bbox": [1, 1, 9, 9],
            "segmentation": [[1, 1, 9, 1, 9, 9]],
        }
    ]
    bucket = (tmp_path / "bucket" / "w").as_uri()
    view, _ = pellucid.open(bucket).add(
        "v", toys.coco(tmp_path, annotations=annotations, pictures=False)
    )
    view.start("m").add_predictions(toys.results(tmp_path))
    machine()
    version = pellucid.open(bucket).view("v").version("m")
    assert version.outlines(version.results(), [0]) == [[[1, 1, 9, 1, 9, 9]]]


def test_review_queries_need_no_database(tmp_path, machine, served):
    workspace = pellucid.open((tmp_path / "bucket" / "w").as_uri())
    filled(workspace, tmp_path)
    with urllib.request.urlopen(
        f"{served(workspace)}api/v1/views/v/progress?session=abcdefghij"
    ) as answer:
        assert json.loads(answer.read())["leased"] == 0


@pytest.mark.parametrize("is_read_in_blocks", [False, True])
def test_masks_are_fetched(is_read_in_blocks, tmp_path, machine, monkeypatch, served):
    if is_read_in_blocks:
        monkeypatch.setattr(ranged, "SMALL", 0)
    masked = reference.random_set(3, images=12)
    here, _ = masked.version(tmp_path / "here")
    bucket = (tmp_path / "bucket" / "w").as_uri()
    view, _ = pellucid.open(bucket).add("parts", tmp_path / "here/gt.json", split="validation")
    view.start("m").add_predictions(tmp_path / "here/dt.json")
    machine()
    workspace = pellucid.open(bucket)
    there = workspace.view("parts").version("m")
    assert there.results().evaluation.geometry == "mask"
    assert answers(there) == answers(here)
    at_another = there.results(iou=0.75).metrics("validation")
    assert at_another == here.results(iou=0.75).metrics("validation")
    path = "api/v1/views/parts/versions/m/page?tab=all&split=validation&limit=50"
    pages = [
        json.loads(urllib.request.urlopen(f"{served(one)}{path}").read())["items"]
        for one in (workspace, here.view.workspace)
    ]
    assert [item["mask"] for item in pages[0]] == [item["mask"] for item in pages[1]]
