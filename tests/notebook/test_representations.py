"""What results look like in a notebook, and serving where an event loop runs already."""

from __future__ import annotations

import asyncio
import urllib.request
from html.parser import HTMLParser

import numpy as np
import pytest

import pellucid
import toys


class Cells(HTMLParser):
    """The texts of a table's cells, and whether all tags are closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("img", "br", "rect", "path", "circle", "line"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        self.texts.append(data)


def read(displayed):
    cells = Cells()
    cells.feed(displayed._repr_html_())
    assert cells.open == []
    return cells.texts


@pytest.fixture
def version(workspace, tmp_path):
    view, _ = workspace.add("v", toys.coco(tmp_path))
    version = view.start("m")
    version.add_predictions(toys.results(tmp_path))
    return version


def test_results_are_tables_with_names(version):
    results = version.results()
    texts = read(results.metrics())
    assert {"dent", "rust", "precision", "ap"} <= set(texts)
    assert any("AP50" in text for text in texts)
    comparison = read(version.compare(version))
    assert "all" in comparison
    assert any("no difference: 1 → 1 errors" in text for text in comparison)
    assert {"false positive", "background"} <= set(read(results.causes()))
    confusion = results.confusion()
    assert {"dent", "rust", "none"} <= set(read(confusion))
    assert confusion.names == ("dent", "rust", "none")
    assert (confusion[:1]._repr_html_(), np.asarray(confusion).sum()) == (None, 4)
    [figures] = results.figures()
    assert any(text.startswith("validation:") for text in read(figures))
    assert read(results.figures()) == read(figures)
    assert read(results.slices(pictures=0)) == ["none"]


def test_long_lists_say_what_is_left_out():
    from pellucid.notebook.tables import html_table

    text = html_table("<b>", ["n"], [[i] for i in range(130)])
    assert "and 30 more" in text
    assert "&lt;b&gt;" in text


def test_serving_inside_an_event_loop(version):
    async def notebook():
        server = version.view.workspace.serve(port=0, browser=False, ready=lambda url, role: None)
        try:
            assert server.is_running
            assert server.url in server._repr_html_()
            answer = await asyncio.to_thread(urllib.request.urlopen, server.url + "health")
            assert answer.status == 200
        finally:
            await asyncio.to_thread(server.stop)
        return server

    server = toys.run_async(notebook())
    assert not server.is_running
    assert repr(server).endswith("stopped>")


def test_showing_inside_an_event_loop_keeps_its_files_until_it_stops(tmp_path):
    annotations, predictions = toys.coco(tmp_path), toys.results(tmp_path)

    async def notebook():
        server = pellucid.show(
            annotations, predictions, images=tmp_path / "images", port=0, browser=False
        )
        url = f"{server.url}api/v1/workspace"
        try:
            answer = await asyncio.to_thread(urllib.request.urlopen, url)
            assert answer.status == 200
        finally:
            server.stop()

    toys.run_async(notebook())


def test_the_widget_has_a_static_page(version):
    pytest.importorskip("anywidget")
    widget = pellucid.widget(version, "all")
    bundle = widget._repr_mimebundle_()
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "<b>all</b>: 4 items" in widget.static_html()
