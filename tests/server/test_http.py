"""The server, over real HTTP."""

import json
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

import pellucid
import toys


def get(address, path, **headers):
    request = urllib.request.Request(address + path, headers=headers)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def document(address, path):
    status, _, body = get(address, path)
    assert status == 200, body
    return json.loads(body)


CELLS = "api/v1/views/cells/versions/v2"


@pytest.mark.parametrize(
    ("path", "name", "suggested"),
    [
        ("page?tab=missing&threshold=0.5", "threshold", ""),
        ("page?tabs=missing", "tabs", "Did you mean 'tab'?"),
        ("figures?objective=f1", "objective", ""),
        ("curves?concept=0&ats=0:0.5", "ats", ""),
    ],
)
def test_unknown_parameters_are_refused(demo_address, path, name, suggested):
    """The answer would be at default values, as if nothing had been asked for."""
    status, _, body = get(demo_address, f"{CELLS}/{path}")
    assert status == 422
    detail = json.loads(body)["detail"]
    assert f"unknown query parameter '{name}'. Expected one of: " in detail
    assert detail.endswith(suggested)


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
@pytest.mark.parametrize("tab", ["all", "matched", "missing", "extra"])
@pytest.mark.parametrize("reverse", ["false", "true"])
def test_http_pages_equal_the_python_gallery(demo, demo_address, view, tab, reverse):
    version = demo.view(view).version("v2")
    for concept in [None, *range(len(version.evaluation.concepts))]:
        name = None if concept is None else version.evaluation.concepts[concept]
        gallery = version.gallery(tab, name, reverse=reverse == "true")
        chosen = "" if concept is None else f"&concept={concept}"
        page = document(
            demo_address,
            f"api/v1/views/{view}/versions/v2/page?tab={tab}&offset=3&limit=40&reverse={reverse}{chosen}",
        )
        expected = [
            (one.position, one.image, one.score, one.box and list(one.box), one.outcome, one.cause)
            for one in gallery[3:43]
        ]
        shown = [
            (one["position"], one["path"], one["score"], one["box"], one["outcome"], one["cause"])
            for one in page["items"]
        ]
        assert shown == expected
        assert (page["total"], page["threshold_position"]) == (
            len(gallery),
            gallery.threshold_position,
        )


def test_http_figures_equal_metrics_and_follow_the_threshold(demo, demo_address):
    version = demo.view("cells").version("v2")
    for split in ("training", "validation"):
        figures = document(demo_address, f"{CELLS}/figures?split={split}")["concepts"]
        expected = [
            (one.threshold, one.tp, one.fp, one.fn) for one in version.metrics(split).concepts
        ]
        assert [(one["threshold"], one["tp"], one["fp"], one["fn"]) for one in figures] == expected
    own = document(demo_address, f"{CELLS}/figures?at=0:0.9")["concepts"]
    expected = version.results(thresholds={"red cell": 0.9}).threshold_table()["red cell"]
    assert (own[0]["threshold"], own[0]["tp"], own[0]["fp"], own[0]["fn"], own[0]["source"]) == (
        0.9,
        expected.tp,
        expected.fp,
        expected.fn,
        "user",
    )
    assert own[1]["source"] == "validation"
    assert own[0]["optimal"] == version.thresholds["red cell"].value


def test_readers_are_independent(demo_address):
    """Thresholds are part of the question, so many readers at many thresholds each get their
    own answer."""

    def read(number):
        page = document(
            demo_address, f"{CELLS}/page?tab=missing&concept=0&at=0:{number / 40}&limit=1000"
        )
        return number, [item["score"] for item in page["items"]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(read, list(range(40)) * 3))
    for number, scores in answers:
        assert all(score >= number / 40 for score in scores)
    assert len({len(scores) for _, scores in answers}) > 10


def test_image_urls_are_immutable_and_change_with_the_file(workspace, tmp_path, served):
    view, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    address = served(workspace)
    item = document(address, "api/v1/views/v/versions/m/page")["items"][0]
    frame = ",".join(map(str, item["frame"]))
    status, headers, body = get(address, f"{item['picture']}?size=320&frame={frame}")
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
        200,
        "image/jpeg",
        "public, max-age=31536000, immutable",
    )
    assert body[:2] == b"\xff\xd8"
    toys.picture(tmp_path / "images" / item["path"], 70, 48, colour=(9, 9, 9))
    changed = document(address, "api/v1/views/v/versions/m/page")["items"][0]
    assert changed["picture"] != item["picture"]
    _, headers, _ = get(address, item["picture"])
    assert headers["Cache-Control"] == "no-store"


def test_images_are_read_from_any_fsspec_url(workspace, tmp_path, served):
    view, _ = workspace.add("v", toys.coco(tmp_path), images=f"file://{tmp_path}/images")
    view.start("m").add_predictions(toys.results(tmp_path))
    address = served(workspace)
    item = document(address, "api/v1/views/v/versions/m/page")["items"][0]
    assert item["frame"] is not None
    status, headers, body = get(address, item["picture"])
    assert (status, headers["Content-Type"], body[:2]) == (200, "image/jpeg", b"\xff\xd8")


def test_unreadable_image_gives_a_tile_with_the_reason(workspace, tmp_path, served):
    view, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    (tmp_path / "images/a/one.png").unlink()
    (tmp_path / "images/a/two.png").write_text("no picture")
    address = served(workspace)
    for image, said in ((0, "not found"), (1, "unsupported image format")):
        status, headers, body = get(address, f"pictures/v/m/{image}/0")
        assert (status, headers["Content-Type"], headers["Cache-Control"]) == (
            200,
            "image/svg+xml",
            "no-store",
        )
        assert said in body.decode()
    assert document(address, "api/v1/views/v/versions/m/page")["total"] == 4


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("api/v1/views/nowhere/versions/v2", 404, "view 'nowhere' not found"),
        ("api/v1/views/cells/versions/v9", 404, "version 'v9' not found"),
        ("api/v1/views/..%2f..%2fetc/versions/v2", 404, ""),
        (f"{CELLS}/page?concept=99", 404, "Expected 0 to 3"),
        (f"{CELLS}/page?at=0:high", 422, "Expected concept:value"),
        (f"{CELLS}/page?at=9:0.5", 422, "a concept from 0 to 3"),
        (f"{CELLS}/page?at=0:nan", 422, "a finite value"),
        (f"{CELLS}/page?tab=some", 422, ""),
        (f"{CELLS}/page?limit=100000", 422, ""),
        (f"{CELLS}/images/99999", 404, "260 images"),
        ("pictures/cells/v2/99999/0", 404, "260 images"),
        ("pictures/cells/v2/0/0?frame=1,2,3", 422, ""),
        ("pictures/cells/v2/0/0?size=100000", 422, ""),
    ],
)
def test_missing_resources_are_named(demo_address, path, status, said):
    found, _, body = get(demo_address, path)
    assert found == status
    assert said in body.decode()


def test_requests_for_other_host_names_are_rejected(demo_address):
    assert get(demo_address, "api/v1/workspace", Host="evil.example")[0] == 400
    assert get(demo_address, "api/v1/workspace", Host="localhost:1234")[0] == 200


def test_page_has_a_strict_content_security_policy(demo_address):
    status, headers, body = get(demo_address, "")
    assert status == 200
    assert b"<title>Pellucid</title>" in body
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "script-src 'self';" in headers["Content-Security-Policy"]


def test_viewer_returns_all_objects_of_an_image(demo, demo_address):
    version = demo.view("cells").version("v2")
    evaluation = version.evaluation
    for image in (0, 100, 259):
        shown = document(demo_address, f"{CELLS}/images/{image}")
        assert len(shown["predictions"]) == (evaluation.predictions.image == image).sum()
        assert len(shown["annotations"]) == (evaluation.annotations.image == image).sum()
        assert (shown["width"], shown["height"]) == (480, 360)


def test_view_without_predictions_is_served(workspace, tmp_path, served):
    view, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m")
    address = served(workspace)
    assert document(address, "api/v1/workspace")["views"][0]["versions"][0]["predictions"] == 0
    assert document(address, "api/v1/views/v/versions/m/page?tab=extra")["total"] == 0
    assert pellucid.open(workspace.folder).view("v").versions == ["m"]


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
def test_boxes_of_another_version_are_its_own_answer(demo, demo_address, view):
    """On every third image: the other version's counted predictions, at its own thresholds."""
    version, other = demo.view(view).version("v2"), demo.view(view).version("v1")
    expected = {}
    for split in ("training", "validation"):
        for tab in ("matched", "missing"):
            for item in other.gallery(tab, split=split):
                entry = (item.concept, item.score, item.box and list(item.box))
                expected.setdefault(item.image, []).append(entry)
    paths = version.evaluation.images.path.tolist()
    for image, path in list(enumerate(paths))[::3]:
        shown = document(demo_address, f"api/v1/views/{view}/versions/v2/images/{image}?versus=v1")
        found = [(one["concept"], one["score"], one["box"]) for one in shown["others"]]
        assert sorted(found, key=str) == sorted(expected.get(path, []), key=str), path


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
@pytest.mark.parametrize("order", ["errors", "fp", "fn", "score"])
def test_images_equal_the_python_ranking(demo, demo_address, view, order):
    results = demo.view(view).version("v2").results()
    ranking = results.images("validation", order)
    page = document(
        demo_address, f"api/v1/views/{view}/versions/v2/images?order={order}&offset=2&limit=7"
    )
    assert page["total"] == len(ranking)
    for image, expected in zip(page["images"], ranking.page(2, 7), strict=True):
        assert (image["path"], image["tp"], image["fp"], image["fn"]) == (
            expected.image,
            expected.tp,
            expected.fp,
            expected.fn,
        )
        drawn = [drawn["outcome"] for drawn in image["objects"]]
        assert [drawn.count(name) for name in ("matched", "missing", "extra")] == [
            expected.tp,
            expected.fp,
            expected.fn,
        ]
