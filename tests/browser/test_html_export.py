"""What is shared: pages that open from disk with the network off, and galleries in notebooks."""

import json
import re

import pytest
from playwright.sync_api import expect

import pellucid
import toys
from pellucid.formats.errors import ExportError

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def exported(demo, tmp_path_factory):
    """One file, and a folder."""
    folder = tmp_path_factory.mktemp("shared")
    version = demo.view("cells").version("v2")
    pellucid.export_html(version, folder / "cells.html", items=30, megabytes=6, against="v1")
    pellucid.export_html(
        demo.view("smears").version("v2"), folder / "smears", items=10, megabytes=2
    )
    return folder


@pytest.fixture
def opened(browser, exported):
    """A page of the export, in a browser without a network; nothing fails and nothing is asked
    for."""
    context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
    said = []

    def go(name):
        page = context.new_page()
        page.on(
            "console",
            lambda message: said.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request",
            lambda request: said.append(request.url) if request.url.startswith("http") else None,
        )
        page.goto(f"file://{exported / name}")
        expect(page.get_by_role("region", name="Looked for and not found")).to_be_visible()
        page.keyboard.press("G")
        expect(page.locator("[role=option] img").first).to_be_visible()
        return page

    yield go
    context.close()
    assert said == []


@pytest.mark.slow
def test_the_exported_version_is_opened_also_if_it_is_older(demo, opened, exported):
    version = demo.view("cells").version("v1")
    pellucid.export_html(version, exported / "older.html", items=6, megabytes=3, against="v2")
    page = opened("older.html")
    expect(page.get_by_label("Version")).to_have_value("v1")


def wait_for_crops(page, least):
    """Wait until at least this many crops are decoded: a file opens before its images do."""
    page.wait_for_function(
        """least => [...document.querySelectorAll("[role=option] img")]
            .filter((image) => image.naturalWidth > 8).length >= least""",
        arg=least,
    )


@pytest.mark.slow
def test_single_file_shows_galleries_and_all_pages(opened, demo):
    version = demo.view("cells").version("v2")
    page = opened("cells.html")
    wait_for_crops(page, 12)
    page.keyboard.press("4")
    extra = len(version.gallery("extra"))
    expect(page.get_by_role("tab", name=re.compile("Extra"))).to_contain_text(f"{extra}")
    expect(page.locator(".exported")).to_contain_text(f"the first 30 of {extra} items")
    page.keyboard.press("F")
    expect(page.get_by_role("region", name="Metrics by threshold")).to_be_visible()
    page.keyboard.press("S")
    expect(page.locator(".slices article .crop img").first).to_be_visible()
    page.keyboard.press("A")
    assert page.locator(".similar .drawing g").count() > 100
    page.keyboard.press("C")
    page.get_by_role("button", name="Show fixed").first.click()
    expect(page.locator(".exported")).to_contain_text("found by v2")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("w")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.keyboard.press("Escape")
    page.go_back()
    expect(page.locator(".changes .crop img").first).to_be_visible()
    page.get_by_role("button", name="Show fixed").first.click()
    expect(page.locator(".exported")).to_contain_text("found by v2")
    page.keyboard.press("C")
    expect(page.locator(".changes .crop img").first).to_be_visible()


def test_export_opens_with_the_findings(opened, demo):
    results = demo.view("cells").version("v2").results()
    page = opened("cells.html")
    page.keyboard.press("P")
    for finding in results.findings(baseline="v1").findings:
        row = page.get_by_role("article", name=finding.sentence)
        expect(row).to_be_visible()
        if finding.query is not None:
            row.scroll_into_view_if_needed()
            expect(row.locator("img").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("^1 of"))).to_be_visible()


def test_export_heads_with_figures_and_offers_no_keys_that_do_nothing(opened, demo):
    page = opened("cells.html")
    page.keyboard.press("P")
    overall = demo.view("cells").version("v2").metrics("validation").overall
    findings = page.locator(".findings")
    expect(findings).to_contain_text(toys.fraction(overall.coco["AP"]))
    expect(findings).to_contain_text(toys.fraction(overall.coco["AP50"]))
    expect(findings).to_contain_text(f"{overall.errors} → ")
    keys = page.locator("footer .keys")
    expect(keys).to_contain_text("all items g")
    for key in ("decide", "review", "known"):
        expect(keys).not_to_contain_text(key)


def test_cause_opens_its_items_and_omitted_content_is_reported(opened, demo):
    version = demo.view("cells").version("v2")
    page = opened("cells.html")
    page.keyboard.press("F")
    first = version.results().causes().causes[0]
    page.get_by_role("button", name=re.compile(f"{first.tab}: .* {first.number}$")).first.click()
    expect(page.locator(".exported")).to_contain_text(str(min(30, first.number)))
    page.keyboard.press("1")
    page.keyboard.press("]")
    page.keyboard.press("r")
    expect(page.locator(".exported")).to_be_visible()


def test_folder_export_contains_the_images(opened, exported):
    page = opened("smears/index.html")
    wait_for_crops(page, 8)
    assert len(list((exported / "smears/pictures").iterdir())) > 10


@pytest.mark.slow
def test_export_respects_the_size_and_overwrites_nothing(demo, tmp_path):
    version = demo.view("cells").version("v1")
    pellucid.export_html(version, tmp_path / "small.html", megabytes=1)
    assert (tmp_path / "small.html").stat().st_size < 2.2 * (1 << 20)
    with pytest.raises(ExportError, match="already exists"):
        pellucid.export_html(version, tmp_path / "small.html")


def test_exported_data_is_escaped(tmp_path):
    import toys

    name = "</script><script>alert(1)</script>"
    source = toys.coco(tmp_path, categories=[{"id": 1, "name": name}, {"id": 2, "name": "rust"}])
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    pellucid.export_html(view.version("m"), tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert "<script>alert" not in page
    data = re.search(r'<script id="kept" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert name in json.dumps(json.loads(data[1])["answers"])


def test_versions_galleries_and_figures_render_in_notebooks(demo, page):
    version = demo.view("cells").version("v2")
    page.set_content(
        version._repr_html_()
        + version.gallery("missing")._repr_html_()
        + version.results().figures("red cell")[1]._repr_html_()
    )
    assert page.locator("figure").count() == min(24, len(version.gallery("missing")))
    assert page.evaluate("[...document.images].every((one) => one.naturalWidth > 8)")
    expect(page.locator("table")).to_contain_text(f"{len(version.gallery('extra')):,}")
    assert page.locator("path").count() == 4
    assert version.results().figures("red cell")[1].svg.startswith("<svg xmlns=")


def test_notebook_widget_responds_to_its_controls(demo, page):
    """The program of the widget in a browser; what it sends reaches the widget's Python, whose
    state it then shows."""
    widget = pellucid.widget(demo.view("cells").version("v2"), "missing")
    state = ["title", "concepts", "tabs", "tab", "concept", "offset", "total", "page", "items"]

    def told(content):
        widget.handle_message(widget, content, [])
        return {name: getattr(widget, name) for name in state}

    page.expose_function("toPython", told)
    page.set_content("<div id=cell></div>")
    page.evaluate(
        """async ([program, state]) => {
            const { default: widget } = await import(URL.createObjectURL(new Blob([program], { type: 'text/javascript' })));
            const heard = {};
            const model = {
                get: (name) => state[name], on: (event, call) => (heard[event] = call), off: () => {},
                send: async (content) => { state = await toPython(content); heard['change:items'](); },
            };
            widget.render({ model, el: document.getElementById('cell') });
        }""",
        [
            widget._esm if isinstance(widget._esm, str) else str(widget._esm),
            {name: getattr(widget, name) for name in state},
        ],
    )
    version = demo.view("cells").version("v2")
    expect(page.locator("figure")).to_have_count(min(30, len(version.gallery("missing"))))
    page.get_by_role("tab", name="extra").click()
    expect(page.locator("body")).to_contain_text(f"of {len(version.gallery('extra'))}")
    page.get_by_label("Concept").select_option("red cell")
    expect(page.locator("body")).to_contain_text(
        f"of {len(version.gallery('extra', concept='red cell'))}"
    )
    page.get_by_label("Next page").click()
    expect(page.locator("body")).to_contain_text("31 to")
    assert widget.offset == 30
