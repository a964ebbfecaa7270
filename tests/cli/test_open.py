"""`pellucid open` and `pellucid serve`, as processes."""

import json
import re
import signal
import subprocess
import sys
import urllib.request

import toys


def start(*words):
    process = subprocess.Popen(
        [sys.executable, "-m", "pellucid", *map(str, words)], stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:
        if found := re.search(r"http://\S+", line):
            return process, found[0]
    raise AssertionError(f"no address; status {process.wait()}")


def stop(process):
    process.send_signal(signal.SIGINT)
    process.wait(60)
    process.stderr.close()


def read(address):
    with urllib.request.urlopen(address) as response:
        return response.read()


def test_open_shows_a_gallery_of_two_files(tmp_path):
    source, found = toys.coco(tmp_path), toys.results(tmp_path)
    process, address = start(
        "open", source, found, "--images", tmp_path / "images", "--no-browser", "--port", 0
    )
    try:
        workspace = json.loads(read(f"{address}api/v1/workspace"))
        assert [
            (view["name"], view["versions"][0]["name"], view["versions"][0]["predictions"])
            for view in workspace["views"]
        ] == [("annotations", "results", 4)]
        assert b"Pellucid" in read(address)
    finally:
        stop(process)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "annotations.json",
        "images",
        "results.json",
    ]


def test_open_accepts_the_options_that_errors_recommend(tmp_path):
    corners = [{"image_id": 11, "category_id": 0, "bbox": [10, 10, 30, 30], "score": 90}]
    source, found = toys.coco(tmp_path), toys.results(tmp_path, corners)
    forced = ["--boxes", "xyxy-pixels", "--category-ids", "positions-from-0", "--scores", "percent"]
    process, address = start(
        "open", source, found, "--images", tmp_path / "images", *forced, "--no-browser", "--port", 0
    )
    try:
        page = json.loads(
            read(
                f"{address}api/v1/views/annotations/versions/results/page?tab=all&split=validation"
            )
        )
        assert [(item["box"], item["score"], item["outcome"]) for item in page["items"]] == [
            ([10, 10, 20, 20], 0.9, "matched")
        ]
    finally:
        stop(process)


def test_port_in_use_is_reported(tmp_path):
    import pellucid

    pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path, pictures=False))
    process, address = start("serve", tmp_path / "w", "--no-browser", "--port", 0)
    try:
        port = address.rstrip("/").rsplit(":", maxsplit=1)[-1]
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "pellucid",
                "serve",
                str(tmp_path / "w"),
                "--no-browser",
                "--port",
                port,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    finally:
        stop(process)


def test_demo_is_served(demo):
    process, address = start("demo", "--workspace", demo.folder, "--no-browser", "--port", 0)
    try:
        assert json.loads(read(f"{address}api/v1/workspace"))["views"]
    finally:
        stop(process)


def test_workspace_constructed_directly_is_served(tmp_path):
    program = (
        "import sys, pellucid; from pellucid import Workspace; "
        "Workspace(sys.argv[1]).serve(port=0, browser=False)"
    )
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program, str(tmp_path / "w")],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert b"ok" in read(process.stdout.readline().strip() + "health")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        process.stdout.close()
