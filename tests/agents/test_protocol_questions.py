"""A hundred questions through the protocol's own client, whose answers are known from elsewhere:
the command line, or plain counting in the files."""

import base64
import io
import json
import sys
from collections import Counter

import pytest
from mcp import Client, StdioServerParameters
from PIL import Image

import pellucid
import toys
from pellucid.agents.protocol_server import create_protocol_server


def ask(server, *calls):
    """The results of tool calls, in order, through one client."""

    async def converse():
        async with Client(server) as client:
            return [await client.call_tool(name, arguments) for name, arguments in calls]

    return toys.run_async(converse())


def answer(server, name, **arguments):
    (result,) = ask(server, (name, arguments))
    assert not result.is_error, result.content
    return result.structured_content


def printed(*words):
    """What the command line prints as JSON."""
    done = toys.run_cli(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo_server(demo):
    return create_protocol_server(demo)


VERSIONS = [(view, version) for view in ("cells", "findings", "smears") for version in ("v1", "v2")]


def plain(document):
    """As JSON has it: tuples are lists."""
    return json.loads(json.dumps(document))


@pytest.mark.parametrize(("view", "version"), VERSIONS)
@pytest.mark.parametrize("split", ["training", "validation"])
def test_figures_equal_the_command_line(demo, demo_server, view, version, split):
    """48 questions: figures, images, causes and confusion of every version and split."""
    place = (demo.folder, view, version)
    assert answer(demo_server, "get_metrics", view=view, version=version, split=split) == printed(
        "metrics", *place, "--split", split
    )
    assert answer(
        demo_server, "list_images", view=view, version=version, split=split, limit=7
    ) == printed("images", *place, "--split", split, "--limit", 7)
    causes = answer(demo_server, "get_causes", view=view, version=version, split=split)
    expected = printed("causes", *place, "--split", split)
    assert causes == {key: expected[key] for key in causes}
    pairs = answer(demo_server, "get_confusion", view=view, version=version, split=split)["pairs"]
    cells = printed("confusion", *place, "--split", split)["cells"]
    wrong = Counter(
        {
            (cell["annotated"], cell["predicted"]): cell["number"]
            for cell in cells
            if cell["annotated"] != cell["predicted"]
        }
    )
    assert {(p["annotated"], p["predicted"]): p["number"] for p in pairs} == dict(wrong)


@pytest.mark.quick_cases(2)
@pytest.mark.parametrize(("view", "version"), VERSIONS)
def test_lists_equal_the_command_line(demo, demo_server, view, version):
    """36 questions: the four tabs, thresholds and findings of every version."""
    place = (demo.folder, view, version)
    for tab in ("all", "matched", "missing", "extra"):
        assert answer(
            demo_server, "list_items", view=view, version=version, tab=tab, limit=5, offset=3
        ) == printed("gallery", *place, "--tab", tab, "--limit", 5, "--offset", 3)
    thresholds = answer(demo_server, "get_thresholds", view=view, version=version)
    assert thresholds["thresholds"] == printed("thresholds", *place)
    findings = answer(demo_server, "list_findings", view=view, version=version)
    assert findings["findings"] == printed("findings", *place, "--pictures", 2_000)


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
def test_comparisons_equal_the_command_line(demo, demo_server, view):
    """12 questions: both directions on both splits."""
    for baseline, candidate in (("v1", "v2"), ("v2", "v1")):
        for split in ("training", "validation"):
            assert answer(
                demo_server,
                "compare_versions",
                view=view,
                baseline=baseline,
                candidate=candidate,
                split=split,
            ) == printed("compare", demo.folder, view, baseline, candidate, "--split", split)


def test_overview_history_and_pictures(demo, demo_server):
    """6 questions."""
    views = answer(demo_server, "list_views")
    assert views == {**printed("list", demo.folder), "total": 3}
    assert answer(demo_server, "list_history", view="cells")["total"] == len(
        printed("history", demo.folder, "cells")
    )
    slices = answer(demo_server, "list_slices", view="cells", version="v2")
    assert slices["slices"] == printed("slices", demo.folder, "cells", "v2", "--pictures", 2_000)
    for whole, size in ((False, 128), (True, 256), (True, 9_999)):
        (result,) = ask(
            demo_server,
            (
                "show_item",
                {
                    "view": "cells",
                    "version": "v2",
                    "position": 0,
                    "whole": whole,
                    "size": size,
                },
            ),
        )
        (content,) = result.content
        assert content.mime_type == "image/jpeg"
        picture = Image.open(io.BytesIO(base64.b64decode(content.data)))
        assert max(picture.size) <= min(size, 1024)


@pytest.mark.shared
def test_real_sets_are_counted_right(shared, tmp_path):
    """10 questions on real sets, answered from the files."""
    workspace = pellucid.open(tmp_path / "w")
    source = shared / "coco256/annotations/instances_val.json"
    if not source.exists():
        source = next((shared / "coco256").rglob("*val*.json"))
    document = json.loads(source.read_text())
    view, _ = workspace.add("coco", source)
    results = [
        path
        for path in sorted((shared / "coco256").rglob("*.json"))
        if isinstance(json.loads(path.read_text()), list)
    ]
    view.start("m").add_predictions(results[0], split="validation")
    server = create_protocol_server(workspace)
    views = answer(server, "list_views")["views"]
    assert views[0]["splits"]["validation"] == len(document["images"])
    assert views[0]["annotations"] == len(document["annotations"])
    names = {category["id"]: category["name"] for category in document["categories"]}
    counted = Counter(
        names[one["category_id"]] for one in document["annotations"] if not one.get("iscrowd")
    )
    for concept, expected in counted.most_common(8):
        found = sum(
            answer(server, "list_items", view="coco", version="m", tab=tab, concept=concept)[
                "total"
            ]
            for tab in ("matched", "extra")
        )
        assert found == expected, concept


def test_answers_are_bounded_and_name_no_folder(tmp_path):
    rows = [
        {"image_id": 11, "category_id": 1, "bbox": [x, y, 4, 4], "score": 0.9 - x / 1000}
        for x in range(0, 50, 5)
        for y in range(0, 40, 4)
    ]
    workspace = pellucid.open(tmp_path / "secret-folder")
    view, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path, rows))
    server = create_protocol_server(workspace)
    page = answer(server, "list_items", view="v", version="m", tab="all", limit=10_000)
    assert (len(page["items"]), page["total"]) == (50, 100)
    everything = ask(
        server,
        ("list_views", {}),
        ("list_items", {"view": "v", "version": "m", "tab": "all"}),
        ("get_metrics", {"view": "nothing", "version": "m"}),
        ("get_metrics", {"view": "v", "version": "nothing"}),
        ("list_items", {"view": "v", "version": "m", "concept": "dnet"}),
        ("show_item", {"view": "v", "version": "m", "position": 10_000}),
        ("list_items", {"view": "v", "version": "m", "tab": "sideways"}),
    )
    assert [result.is_error for result in everything] == [False] * 2 + [True] * 5
    for result in everything:
        text = "".join(content.text for content in result.content)
        assert str(tmp_path) not in text
    assert "Did you mean 'dent'" in everything[4].content[0].text
    assert "no item at position 10000" in everything[5].content[0].text


def test_writing_is_offered_on_request_only(tmp_path):
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    verdict = {
        "view": "v",
        "version": "m",
        "positions": [0],
        "verdict": "wrong",
        "who": "an agent",
        "concept": "dent",
    }

    async def tool_names(server):
        async with Client(server) as client:
            return {
                tool.name: tool.annotations.read_only_hint
                for tool in (await client.list_tools()).tools
            }

    reading = toys.run_async(tool_names(create_protocol_server(workspace)))
    assert all(reading.values())
    assert "decide" not in reading
    server = create_protocol_server(workspace, may_write=True)
    assert toys.run_async(tool_names(server))["decide"] is False
    (before,) = ask(server, ("decide", {**verdict, "positions": [99]}))
    assert before.is_error
    (decided,) = ask(server, ("decide", verdict))
    assert not decided.is_error, decided.content
    (row,) = view.reviews.history()
    assert (row.who, row.action) == ("an agent", "add")


def test_command_speaks_the_protocol(tmp_path):
    workspace = pellucid.open(tmp_path / "w")
    workspace.add("v", toys.coco(tmp_path), images=tmp_path / "images")
    command = StdioServerParameters(
        command=sys.executable, args=["-m", "pellucid", "mcp", str(tmp_path / "w")]
    )

    async def converse():
        from mcp.client.stdio import stdio_client

        async with Client(stdio_client(command)) as client:
            return await client.call_tool("list_views", {})

    result = toys.run_async(converse())
    assert result.structured_content["views"][0]["view"] == "v"
