"""The page, in a real browser, on the demo."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import toys

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
CELLS = "?view=cells&version=v2"


@pytest.fixture(autouse=True)
def no_complaints(page: Page):
    """Nothing in the console is an error."""
    said = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield
    assert said == []


@pytest.fixture
def gallery(page: Page, demo_address):
    """Open an address of the page and wait until its items are there."""

    def go(search):
        page.goto(demo_address + search)
        expect(page.locator("[role=option] img").first).to_be_visible()
        return page

    return go


def expect_counts(page, expected):
    expect(page.locator("[role=tab] .count")).to_have_text([f"{one:,}" for one in expected])


def expected_counts(demo, concept=None, threshold=None, view="cells", split="validation"):
    version = demo.view(view).version("v2")
    return [
        len(version.gallery(tab, concept, split, threshold))
        for tab in ("all", "matched", "missing", "extra")
    ]


@pytest.mark.parametrize("view", ["cells", "findings", "smears"])
def test_tab_and_split_counts_equal_python(gallery, demo, view):
    page = gallery(f"?view={view}&version=v2")
    expect_counts(page, expected_counts(demo, view=view))
    page.get_by_role("radio", name="Training").click()
    expect_counts(page, expected_counts(demo, view=view, split="training"))


def test_selecting_a_concept_shows_its_items_and_metrics(gallery, demo):
    page = gallery(CELLS)
    page.get_by_role("button", name=re.compile("infected cell")).click()
    expect(page.get_by_role("heading", name="infected cell")).to_be_visible()
    threshold = demo.view("cells").version("v2").thresholds["infected cell"]
    expect(page.locator(".summary")).to_contain_text(toys.fraction(threshold.value))
    expect(page.locator(".summary .counts")).to_have_text(
        re.compile(rf"✓ {threshold.tp}\s+\+ {threshold.fp}\s+− {threshold.fn}")
    )
    expect_counts(page, expected_counts(demo, "infected cell"))
    expect(page).to_have_url(re.compile("concept=infected(\\+|%20)cell"))


def test_jump_goes_to_the_first_item_below_the_threshold(gallery, demo):
    page = gallery(f"{CELLS}&concept=platelet")
    page.keyboard.press("t")
    position = demo.view("cells").version("v2").gallery("all", "platelet").threshold_position
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id(f"item-{position}")
    expect(page.locator(f"#item-{position}")).to_be_in_viewport()
    expect(page.locator(f"#item-{position}")).to_contain_text("below its threshold")
    expect(page.locator(f"#item-{position - 1}")).not_to_contain_text("below its threshold")


def test_dragged_threshold_updates_the_page_and_can_be_reset(gallery, demo):
    page = gallery(f"{CELLS}&concept=red+cell")
    before = expected_counts(demo, "red cell")
    expect_counts(page, before)
    handle, track = page.get_by_role("slider", name="Threshold"), page.locator(".track")
    box, room = handle.bounding_box(), track.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    for step in range(1, 9):
        page.mouse.move(
            box["x"] + 20, box["y"] + (room["y"] + room["height"] * 0.9 - box["y"]) * step / 8
        )
    expect(page.locator(".summary")).to_contain_text("yours")
    threshold = float(handle.get_attribute("aria-valuenow"))
    gained = expected_counts(demo, "red cell", threshold)[2] - before[2]
    expect(page.locator(".changes")).to_contain_text(f"+{gained} FP")
    cut = demo.view("cells").version("v2").gallery("all", "red cell", threshold=threshold)
    expect(page.locator(f"#item-{cut.threshold_position}")).to_be_in_viewport()
    page.mouse.up()
    assert threshold == pytest.approx(0.1, abs=0.03)
    expected = expected_counts(demo, "red cell", threshold)
    expect_counts(page, expected)
    assert expected != before
    page.keyboard.press("3")
    expect(page.get_by_role("tab", name=re.compile("Missing"))).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page.locator(".scroller")).to_have_attribute(
        "aria-label", f"Items, {expected[2]} in all"
    )
    page.reload()
    expect(page.locator(".summary")).to_contain_text("yours")
    expect_counts(page, expected)
    page.keyboard.press("o")
    expect(page.locator(".summary")).to_contain_text("best")
    expect_counts(page, before)


@pytest.mark.parametrize("order", ["", "&reverse=1"])
def test_a_dragged_threshold_holds_the_missing_annotations_at_the_cut(gallery, demo, order):
    """The items that it takes in or leaves out are on the screen: at the end, or at the start."""
    page = gallery(f"{CELLS}&concept=red+cell&tab=missing{order}")
    handle, track = page.get_by_role("slider", name="Threshold"), page.locator(".track")
    box, room = handle.bounding_box(), track.bounding_box()
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    page.mouse.down()
    share = 0.2 if order else 0.85
    page.mouse.move(box["x"] + 20, room["y"] + room["height"] * share, steps=5)
    expect(page.locator(".summary")).to_contain_text("yours")
    threshold = float(handle.get_attribute("aria-valuenow"))
    missing = expected_counts(demo, "red cell", threshold)[2]
    expect(page.locator(".scroller")).to_have_attribute("aria-label", f"Items, {missing} in all")
    expect(page.locator(f"#item-{0 if order else missing - 1}")).to_be_in_viewport()
    page.mouse.up()


def test_a_threshold_moved_with_keys_holds_the_wall_at_the_cut(gallery, demo):
    page = gallery(f"{CELLS}&concept=red+cell&tab=all")
    handle = page.get_by_role("slider", name="Threshold")
    for key in (",", ",", "<"):
        page.keyboard.press(key)
    expect(page.locator(".summary")).to_contain_text("yours")
    threshold = float(handle.get_attribute("aria-valuenow"))
    _, matched, missing, _ = expected_counts(demo, "red cell", threshold)
    cut = page.locator(f"#item-{matched + missing}")
    expect(cut).to_be_in_viewport()
    page.locator(".scroller").hover()
    page.mouse.wheel(0, -100_000)  # the reader goes elsewhere, and stays there
    expect(page.locator("#item-0")).to_be_in_viewport()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#item-1")).to_be_in_viewport()


def test_a_threshold_is_typed(gallery, demo):
    page = gallery(f"{CELLS}&concept=red+cell&tab=missing")
    page.get_by_role("button", name="type another").click()
    field = page.get_by_role("textbox", name="Threshold")
    expect(field).to_be_focused()
    for text in ("", "r"):  # no number, and no shortcut
        field.fill(text)
        field.press("Enter")
        expect(field).to_have_attribute("aria-invalid", "true")
    field.press("Escape")
    expect(page.locator(".summary")).to_contain_text("best")
    page.keyboard.press("Enter")
    field.fill("0,4321")
    field.press("Enter")
    expect(page.locator(".summary")).to_contain_text("yours")
    expect(page).to_have_url(re.compile(r"at=red\+cell%3A0\.4321|at=red\+cell:0\.4321"))
    expect_counts(page, expected_counts(demo, "red cell", 0.4321))
    page.keyboard.press("o")
    expect(page.locator(".summary")).to_contain_text("best")


def test_browsers_are_independent(gallery, demo, browser, demo_address):
    page = gallery(f"{CELLS}&concept=red+cell")
    other = browser.new_page()
    other.goto(f"{demo_address}{CELLS}&concept=red+cell&at=red+cell:0.95")
    expect(other.locator(".summary")).to_contain_text("yours")
    expect_counts(other, expected_counts(demo, "red cell", 0.95))
    page.reload()
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect_counts(page, expected_counts(demo, "red cell"))
    other.close()


def test_keyboard_reaches_everything(gallery, demo):
    page = gallery(CELLS)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#item-2")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    total = expected_counts(demo)[0]
    expect(page.locator(f"#item-{total - 1}")).to_be_in_viewport()
    page.keyboard.press("Home")
    expect(page.locator("#item-0")).to_be_in_viewport()
    page.keyboard.press("]")
    expect(page.locator(".summary h1")).not_to_have_text("All concepts")
    page.keyboard.press("a")
    expect(page.locator(".summary h1")).to_have_text("All concepts")
    page.keyboard.press("s")
    expect(page.get_by_role("radio", name="Training")).to_be_checked()
    page.keyboard.press("4")
    expect(page.get_by_role("tab", name=re.compile("Extra"))).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("/")
    page.keyboard.type("plate")
    page.keyboard.press("Enter")
    expect(page.locator(".summary h1")).to_have_text("platelet")
    page.keyboard.press("[")  # the search is over: all concepts are walked again
    expect(page.locator(".summary h1")).not_to_have_text("platelet")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys and terms")).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("Missing annotation · FP")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog", name="Keys and terms")).to_be_hidden()


def test_viewer_follows_the_grid_order(gallery, demo):
    page = gallery(f"{CELLS}&tab=missing")
    missing = demo.view("cells").version("v2").gallery("missing")
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    for place in range(3):
        expect(viewer).to_contain_text(f"{place + 1} of {len(missing)}")
        expect(viewer).to_contain_text(missing[place].image)
        expect(viewer.locator("h2")).to_have_text(
            f"{missing[place].concept} {toys.fraction(missing[place].score)}"
        )
        expect(viewer.locator(".stage rect.line").first).to_be_visible()
        page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("item=3&open=1"))
    boxes = viewer.locator(".stage rect.line").count()
    viewer.get_by_label(re.compile("below")).check()
    assert viewer.locator(".stage rect.line").count() > boxes
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page.locator("#item-3")).to_have_attribute("aria-selected", "true")


def test_url_restores_the_position(gallery):
    page = gallery(f"{CELLS}&tab=extra&split=training&concept=platelet&reverse=1&item=30&sort=name")
    expect(page.locator("#item-30")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#item-30")).to_be_in_viewport()
    names = page.locator("nav li .name").all_inner_texts()
    assert names == sorted(names)
    page.keyboard.press("1")
    expect(page).not_to_have_url(re.compile("tab="))
    page.go_back()
    expect(page.get_by_role("tab", name=re.compile("Extra"))).to_have_attribute(
        "aria-selected", "true"
    )


def test_switching_version_keeps_the_concept(gallery, demo):
    page = gallery(f"{CELLS}&concept=platelet")
    page.get_by_role("combobox", name="Version").select_option("v1")
    expect(page).to_have_url(re.compile("version=v1"))
    expect(page.locator(".summary h1")).to_have_text("platelet")
    version = demo.view("cells").version("v1")
    expect(page.locator("[role=tab] .count").first).to_have_text(
        f"{len(version.gallery('all', 'platelet')):,}"
    )


def test_score_bar_scrolls_by_score(gallery):
    page = gallery(f"{CELLS}&concept=red+cell")
    expect(page.locator(".track rect.right").first).to_be_attached()  # the scores are there
    room = page.locator(".track").bounding_box()
    page.mouse.click(room["x"] + 5, room["y"] + room["height"] * 0.5)
    first = page.locator("[role=option]").nth(12)
    expect(first).to_contain_text(re.compile(r"score \.(4|5)"))


@pytest.mark.quick_cases(12)
@pytest.mark.parametrize(
    ("width", "height", "theme"),
    [
        (1440, 900, "light"),
        (390, 844, "dark"),
        pytest.param(1440, 900, "dark", marks=pytest.mark.slow),
        pytest.param(390, 844, "light", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "search",
    [
        CELLS,
        f"{CELLS}&tab=extra&concept=red+cell",
        f"{CELLS}&open=1",
        "?view=smears&version=v2&tab=missing",
        f"{CELLS}&whole=1",
    ],
)
def test_gallery_page_is_accessible(page, demo_address, theme, width, height, search):
    """axe finds no fault, and nothing is wider than the window."""
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": height})
    page.goto(demo_address + search)
    expect(page.locator("[role=option] img, .image img").first).to_be_attached()
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']})"
    )
    faults = [
        (one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found["violations"]
    ]
    assert faults == [], json.dumps(faults, indent=1)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_concept_list_is_a_drawer_on_a_narrow_screen(page, demo_address):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(demo_address + CELLS)
    page.get_by_role("button", name="Concepts").click()
    page.get_by_role("button", name=re.compile("^white cell")).click()
    expect(page.locator(".summary h1")).to_have_text("white cell")
    expect(page.get_by_role("searchbox")).to_be_hidden()


def test_theme_is_remembered(gallery):
    page = gallery(CELLS)
    before = page.locator("html").get_attribute("data-theme")
    page.keyboard.press("d")
    after = page.locator("html").get_attribute("data-theme")
    assert after != before
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", after)


def test_position_in_another_split_is_restored(gallery, demo):
    total = len(demo.view("cells").version("v2").gallery("all", split="training"))
    assert total > len(demo.view("cells").version("v2").gallery("all"))
    page = gallery(f"{CELLS}&split=training&item={total - 3}")
    expect(page.locator(f"#item-{total - 3}")).to_be_in_viewport()
    page.keyboard.press("s")
    expect(page.get_by_role("radio", name="Validation")).to_be_checked()
    page.go_back()
    expect(page.locator(f"#item-{total - 3}")).to_be_in_viewport()


def test_item_beyond_the_end_selects_the_last(gallery, demo):
    total = len(demo.view("cells").version("v2").gallery("missing"))
    page = gallery(f"{CELLS}&tab=missing&item=999999")
    expect(page.locator("footer")).to_contain_text(f"item {total:,} of {total:,}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text(f"{total} of {total}")


def test_changing_the_image_size_keeps_the_position(gallery):
    page = gallery(f"{CELLS}&item=500")
    expect(page.locator("#item-500")).to_be_in_viewport()
    for key in ("+", "+", "-", "-", "-"):
        page.keyboard.press(key)
        page.wait_for_timeout(150)
        seen = page.locator("[role=option]").evaluate_all(
            "cells => cells.map(cell => Number(cell.id.slice(5)))"
        )
        assert min(seen) - 60 <= 500 <= max(seen) + 60


def test_back_returns_from_another_view(gallery):
    page = gallery(f"{CELLS}&concept=platelet")
    page.get_by_role("combobox", name="View").select_option("smears")
    expect(page).to_have_url(re.compile("view=smears"))
    expect(page.locator(".summary h1")).to_have_text("All concepts")
    page.go_back()
    expect(page.locator(".summary h1")).to_have_text("platelet")
    expect(page).to_have_url(re.compile("view=cells"))


def test_view_without_versions_shows_no_items(page, tmp_path, served):
    import pellucid

    workspace = pellucid.open(tmp_path / "w")
    for name in ("full", "empty"):
        workspace.add(name, toys.coco(tmp_path), images=tmp_path / "images")
    workspace.view("full").start("m").add_predictions(toys.results(tmp_path))
    page.goto(f"{served(workspace)}?view=full&version=m")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.get_by_role("combobox", name="View").select_option("empty")
    expect(page.locator(".empty")).to_contain_text("This view has no version yet.")
    expect(page.locator("[role=option]")).to_have_count(0)
    expect(page).to_have_url(re.compile("view=empty"))


def test_fast_forward_with_all_concepts(gallery, demo):
    """In the order of margin to each concept's own threshold, to the first item below it."""
    from pellucid.browse.query import ListQuery

    results = demo.view("cells").version("v2").results()
    position = results.gallery(ListQuery("all", order="margin")).threshold_position
    page = gallery(CELLS)
    page.keyboard.press("t")
    expect(page).to_have_url(
        re.compile(f"item={position}(&|$).*order=margin|order=margin.*item={position}(&|$)")
    )
    expect(page.locator(".first-below")).to_have_count(1)
    page.reload()
    expect(page.locator(".first-below")).to_have_count(1)


def test_keys_work_after_closing_a_menu(gallery):
    page = gallery(CELLS)
    page.get_by_role("combobox", name="Version").focus()
    page.get_by_role("combobox", name="Version").select_option("v1")
    page.keyboard.press("3")
    expect(page.get_by_role("tab", name=re.compile("Missing"))).to_have_attribute(
        "aria-selected", "true"
    )
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("tab=all|order=margin"))
    page.keyboard.press(".")
    expect(page.get_by_role("status")).to_contain_text("Choose a concept first")


def test_pictures_come_first(gallery):
    """One bar of 44 px above the wall, seven pictures in a row, most of the screen is pictures."""
    page = gallery(f"{CELLS}&tab=extra")
    page.set_viewport_size({"width": 1440, "height": 900})
    assert page.locator(".summary").bounding_box()["height"] <= 44
    first = page.locator("#item-0").bounding_box()
    assert first["y"] < 110
    expect(page.locator("#item-6")).to_be_visible()
    tops = [page.locator(f"#item-{place}").bounding_box()["y"] for place in (6, 7)]
    assert tops[0] == first["y"] < tops[1]
    room = page.locator(".scroller").bounding_box()
    assert room["width"] * room["height"] > 0.6 * 1440 * 900


def test_size_of_the_pictures_is_remembered(gallery):
    page = gallery(CELLS)
    page.set_viewport_size({"width": 1600, "height": 900})  # on a smaller screen + and - do it
    slider = page.get_by_role("slider", name="Size of the pictures")
    expect(slider).to_have_attribute("aria-valuetext", "7 in a row")
    page.keyboard.press("+")
    expect(slider).to_have_attribute("aria-valuetext", "6 in a row")
    page.reload()
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(slider).to_have_attribute("aria-valuetext", "6 in a row")


def test_click_opens_and_back_closes(gallery):
    page = gallery(f"{CELLS}&tab=missing")
    page.locator("#item-3").click()
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(viewer).to_contain_text("5 of")
    page.go_back()
    expect(viewer).to_be_hidden()
    expect(page.locator("#item-4")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile(r"tab=missing&item=4&row=p\d+$"))
    page.keyboard.press("Enter")
    expect(viewer).to_be_visible()
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page).not_to_have_url(re.compile("open=1"))
    expect(page.get_by_role("tab", name=re.compile("Missing"))).to_have_attribute(
        "aria-selected", "true"
    )


def test_checkbox_selects_without_opening(gallery):
    page = gallery(f"{CELLS}&tab=missing")
    page.locator("#item-2").hover()
    page.locator("#item-2 .check").click()
    page.locator("#item-4").hover()
    page.locator("#item-4 .check").click()
    expect(page.locator(".cell.selected")).to_have_count(2)
    expect(page.get_by_role("dialog", name="Picture")).to_be_hidden()


def test_filters_are_in_the_address_and_can_be_removed(gallery, demo):
    page = gallery(f"{CELLS}&tab=extra")
    version = demo.view("cells").version("v2")
    page.get_by_role("button", name="Filter +").click()
    misplaced = len(version.gallery("extra", only=["cause:badly_placed"]))
    label = page.locator("label").filter(has=page.get_by_role("radio", name="badly placed"))
    expect(label.locator("small")).to_have_text(f"{misplaced:,}")
    page.get_by_role("radio", name="nothing was predicted there").check()
    expected = len(version.gallery("extra", only=["cause:nothing_there"]))
    expect(page.locator(".chips")).to_contain_text(f"{expected:,} of")
    page.get_by_role("textbox", name="File name contains").fill("SMEAR-00")
    page.get_by_role("button", name="Apply").click()
    narrowed = len(version.gallery("extra", only=["cause:nothing_there", "file:smear-00"]))
    assert narrowed < expected
    expect(page.locator(".chips")).to_contain_text(f"{narrowed:,} of")
    page.reload()
    expect(page.locator(".chips")).to_contain_text(f"{narrowed:,} of")
    page.get_by_role("button", name=re.compile("Remove filter file name")).click()
    expect(page.locator(".chips")).to_contain_text(f"{expected:,} of")


def test_largest_first_is_an_order_beside_the_default(gallery, demo):
    from pellucid.browse.query import ListQuery

    page = gallery(f"{CELLS}&tab=extra&concept=red+cell")
    page.locator(".sort select").select_option("size")
    items = (
        demo.view("cells")
        .version("v2")
        .results()
        .gallery(ListQuery("extra", concept="red cell", order="size"))
    )
    areas = [item.box[2] * item.box[3] for item in items]
    assert areas == sorted(areas, reverse=True)
    width, height = (round(side) for side in items[0].box[2:])
    expect(page.locator("#item-0")).to_contain_text(f"{width} × {height} px")


def test_whole_images_come_with_most_errors_first(gallery, demo):
    version = demo.view("cells").version("v2")
    page = gallery(f"{CELLS}&tab=extra")
    page.get_by_role("radio", name="Images").click()
    images = page.locator(".image")
    expect(images.first.locator("img")).to_be_visible()
    for place, ranked in enumerate(version.results().images().page(0, 5)):
        expect(images.nth(place)).to_have_accessible_name(
            f"{ranked.image} ✓ {ranked.tp} + {ranked.fp} − {ranked.fn}"
        )
        expect(images.nth(place).locator("rect.line")).to_have_count(
            ranked.tp + ranked.fp + ranked.fn
        )
    expect(page).to_have_url(re.compile("whole=1"))
    page.get_by_role("button", name=re.compile("^platelet")).click()
    first = version.results().images(concept="platelet").page(0, 1)[0]
    expect(images.first).to_have_accessible_name(re.compile(f"^{first.image} ✓ {first.tp} "))
    page.keyboard.press("a")
    first = version.results().images().page(0, 1)[0]
    expect(images.first).to_have_accessible_name(re.compile(f"^{first.image} ✓ {first.tp} "))
    images.first.click()
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer).to_contain_text(first.image)
    page.keyboard.press("Escape")
    expect(images.first.locator("img")).to_be_visible()
    page.keyboard.press("b")
    expect(page.locator("[role=option] img").first).to_be_visible()


def test_whole_images_are_filtered_and_ordered(gallery, demo):
    from pellucid.browse.query import ListQuery

    results = demo.view("cells").version("v2").results()
    page = gallery(f"{CELLS}&tab=missing&only=cause:badly_placed")
    page.keyboard.press("b")
    images = page.locator(".image")
    expect(images.first.locator("img")).to_be_visible()
    order = page.locator(".sort select")
    order.select_option("fp")
    expect(page).to_have_url(re.compile("imageOrder=fp"))
    counts = {}
    for tab in ("missing", "extra"):
        for item in results.gallery(ListQuery(tab, filters=("cause:badly_placed",))):
            counts.setdefault(item.image, {"missing": 0, "extra": 0})[tab] += 1
    ranked = sorted(
        counts,
        key=lambda name: (-counts[name]["missing"], -sum(counts[name].values())),
    )
    expect(page.locator(".chips")).to_contain_text(f"{len(ranked)} of 90 images")
    expect(images).to_have_count(len(ranked))
    fp, fn = counts[ranked[0]]["missing"], counts[ranked[0]]["extra"]
    expect(images.first).to_have_accessible_name(re.compile(rf" ✓ 0 \+ {fp} − {fn}$"))
    expect(images.first.locator("rect.line")).to_have_count(fp + fn)
    page.get_by_role("button", name=re.compile("^Filter")).click()
    page.get_by_label("nothing was predicted there").check()
    expect(page.locator(".chips")).to_contain_text("nothing was predicted there")
    page.reload()
    expect(order).to_have_value("fp")


def test_filter_by_a_property_over_its_histogram(gallery, demo):
    page = gallery(f"{CELLS}&tab=missing")
    page.get_by_role("button", name="Filter +").click()
    page.get_by_label("Property").select_option("size")
    histogram = page.get_by_role("img", name="How many items have which size")
    expect(histogram.locator("rect")).to_have_count(24)
    expect(histogram.locator("rect.outside")).to_have_count(0)
    page.get_by_label("size from").fill("60")
    expect(histogram.locator("rect.outside")).not_to_have_count(0)
    page.get_by_role("button", name="Only these").click()
    number = len(demo.view("cells").version("v2").gallery("missing", only=["where:size=60.."]))
    assert number
    expect(page.locator(".chips")).to_contain_text(f"{number:,} of")


def test_each_tab_is_explained_until_dismissed(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    note = page.get_by_role("note")
    expect(note).to_contain_text("False positives: predicted, and no annotation matches.")
    note.get_by_role("button", name="Dismiss the explanation").click()
    expect(note).to_have_count(0)
    page.keyboard.press("4")
    expect(note).to_contain_text("False negatives")
    page.keyboard.press("3")
    expect(page.get_by_role("tab", selected=True)).to_have_attribute(
        "title", re.compile("^False positives")
    )
    expect(note).to_have_count(0)
    page.reload()
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(note).to_have_count(0)


def test_whole_images_are_walked_with_the_keys(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("b")
    images = page.locator(".images .image")
    expect(images.first).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    expect(page.locator(".images .image[tabindex='0']")).to_have_count(1)
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    expect(images.nth(1)).to_be_focused()
    name = images.nth(1).get_attribute("title")
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer).to_be_visible()
    expect(page).to_have_url(re.compile(re.escape(name)))
    page.keyboard.press("Escape")
    expect(images.nth(1)).to_be_focused()
