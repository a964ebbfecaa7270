"""From every kind of mark to the gallery behind it, and the counts are the same."""

import contextlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import Error, Page, expect

import toys
from pellucid.results.figures import tab_changes

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
def go(page: Page, demo_address):
    def opened(search):
        page.goto(demo_address + search)
        return page

    return opened


def expect_items(page, number):
    """The gallery is shown, narrowed down to so many."""
    expect(page.locator(".chips b")).to_have_text(f"{number:,}")
    expect(page.get_by_role("listbox")).to_have_attribute("aria-label", f"Items, {number} in all")


def back_to(page, name):
    page.go_back()
    expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute(
        "aria-current", "page"
    )


def number_in(locator):
    return int(re.sub(r"[^0-9]", "", locator.inner_text()))


def test_figures_open_their_items(go, demo):
    version = demo.view("cells").version("v2")
    page = go(f"{CELLS}&page=figures&concept=red cell")
    head = page.get_by_role("region", name="At the thresholds")
    head.locator("tr.current .link.missing").click()
    expect(page.get_by_role("tab", name=re.compile("Missing"))).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page.get_by_role("listbox")).to_have_attribute(
        "aria-label", f"Items, {len(version.gallery('missing', concept='red cell'))} in all"
    )
    back_to(page, "Figures")

    bar = page.locator(".bar.wrong").nth(3)
    said = bar.get_attribute("aria-label")
    bar.dispatch_event("click")
    expect_items(page, int(said.split(" ")[0].replace(",", "")))
    back_to(page, "Figures")

    point = (
        page.get_by_role("region", name="Calibration")
        .get_by_role("button", name=re.compile("predictions of about"))
        .nth(4)
    )
    said = point.get_attribute("aria-label")
    point.focus()
    page.keyboard.press("Enter")
    expect_items(page, int(said.split(" ")[0].replace(",", "")))


@pytest.mark.slow
def test_causes_open_their_items(go, demo):
    version = demo.view("cells").version("v2")
    page = go(f"{CELLS}&page=figures")
    for one in version.results().causes().causes:
        row = (
            page.get_by_role("region", name="Error types")
            .get_by_role("button", name=re.compile(f"{one.tab}: .* {one.number}$"))
            .first
        )
        row.click()
        expect_items(page, one.number)
        expect(page.get_by_role("tab", name=re.compile(one.tab, re.IGNORECASE))).to_have_attribute(
            "aria-selected", "true"
        )
        back_to(page, "Figures")


def test_dragging_the_threshold_on_the_curve_previews_the_change(go, demo):
    version = demo.view("cells").version("v2")
    page = go(f"{CELLS}&page=figures&concept=red cell")
    slider = page.get_by_role("region", name="Metrics by threshold").get_by_role(
        "slider", name="Threshold"
    )
    before = float(slider.get_attribute("aria-valuenow"))
    box = page.locator(".threshold .grip").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] - 120, box["y"] + 40, steps=4)
    page.mouse.up()
    after = float(slider.get_attribute("aria-valuenow"))
    assert after < before
    change = page.get_by_role("region", name="Preview of the change")
    place = version.results().concept_index("red cell")
    expected = {move.tab: move for move in tab_changes(version.evaluation, 1, place, before, after)}
    expect(change.locator("button.missing")).to_contain_text(f"{expected['missing'].change} enter")
    change.locator("button.missing").click()
    expect_items(page, expected["missing"].change)
    back_to(page, "Figures")
    page.keyboard.press("o")
    expect(change).to_have_count(0)
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert float(slider.get_attribute("aria-valuenow")) > before


def test_threshold_of_another_objective_can_be_used(go, demo):
    version = demo.view("cells").version("v2")
    page = go(f"{CELLS}&page=figures&concept=platelet")
    form = page.get_by_role("region", name="Objectives")
    form.get_by_label("Objective", exact=True).select_option("recall")
    form.get_by_label("At least", exact=True).fill("0.8")
    form.get_by_role("button", name="Find").click()
    row = form.get_by_role("row", name=re.compile("recall at least 0.8"))
    expect(row).to_be_visible()
    row.get_by_role("button", name="Use").click()
    wanted = version.results().threshold_for("recall:0.8", "platelet")
    slider = page.get_by_role("region", name="Metrics by threshold").get_by_role(
        "slider", name="Threshold"
    )
    expect(slider).to_have_attribute("aria-valuenow", str(wanted.threshold))
    expect(
        page.get_by_role("region", name="At the thresholds").locator("tr.current")
    ).to_contain_text(toys.fraction(wanted.recall))


def test_confusion_cells_open_their_items_by_mouse_and_key(go, demo):
    version = demo.view("cells").version("v2")
    matrix, names = version.results().confusion(), version.evaluation.concepts
    page = go(f"{CELLS}&page=figures&concept=red cell")
    place = names.index("red cell")
    none = len(names)
    missed = page.get_by_role("region", name="Confusion").get_by_role(
        "button", name=re.compile("^red cell not predicted")
    )
    missed.click()
    expect_items(page, matrix[place, none])
    back_to(page, "Figures")
    grid = page.get_by_role("application")
    grid.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    said = page.get_by_role("region", name="Confusion").locator("header [aria-live]")
    found = number_in(said.locator("b").last)
    page.keyboard.press("Enter")
    expect(page.get_by_role("listbox")).to_have_attribute("aria-label", f"Items, {found} in all")


@pytest.mark.slow
def test_slices_open_their_errors(go, demo):
    version = demo.view("cells").version("v1")
    page = go("?view=cells&version=v1&page=slices")
    found = version.results().slices()
    expect(page.locator(".reading")).to_have_count(0, timeout=60_000)
    rows = page.locator(".slices article")
    expect(rows).to_have_count(len(found))
    for one in (found[0], next(one for one in found if "blur" in one.sentence)):
        row = page.get_by_role("article", name=one.sentence, exact=True)
        row.scroll_into_view_if_needed()  # crops are read when they are seen
        expect(row).to_contain_text(f"{one.items:,} ")
        expect(row.locator(".crop")).to_have_count(min(one.errors, 14 if one is found[0] else 8))
        row.get_by_role("button", name=re.compile("Show the")).click()
        expect_items(page, one.errors)
        back_to(page, "Slices")
    page.get_by_role("radio", name=re.compile("False negatives")).click()
    expect(rows).to_have_count(sum(one.error == "extra" for one in found))


def test_slices_are_walked_with_the_keyboard(go):
    """The viewer opens the crop in focus, and closing it leads back to it."""
    page = go("?view=cells&version=v1&page=slices")
    rows = page.locator(".slices article")
    expect(rows.first).to_be_visible(timeout=60_000)
    expect(page.locator(".reading")).to_have_count(0, timeout=60_000)
    page.keyboard.press("ArrowDown")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    expect(rows.nth(1).locator(".crop").nth(1)).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(rows.nth(1).locator(".crop").nth(1)).to_have_class(re.compile("current"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(rows.nth(1)).to_have_attribute("aria-current", "true")
    expect(rows.nth(1).locator(".crop").nth(1)).to_have_class(re.compile("current"))


@pytest.mark.slow
def test_map_and_groups_open_similar_items(go, demo):
    version = demo.view("cells").version("v2")
    page = go(f"{CELLS}&page=similar")
    expect(page.locator(".similar .drawing g").first).to_be_visible(timeout=60_000)
    group = version.results().groups()[0]
    card = page.get_by_role("region", name="Groups").locator("li").first
    expect(card).to_contain_text(f"Group {group.number}")
    card.get_by_role("button", name=re.compile("extra")).click()
    expect_items(page, group.extra)
    back_to(page, "Similar")
    page.locator(".similar .drawing g.missing").first.dispatch_event("click")
    expect_items(page, min(60, len(version.gallery("missing"))))


def test_items_on_the_map_are_selected_by_a_line(go, demo):
    """What is inside the line is shown, can be zoomed in on, and opens as a list."""
    page = go(f"{CELLS}&page=similar")
    marks = page.locator(".similar .drawing g")
    expect(marks.first).to_be_visible(timeout=60_000)
    assert page.locator(".similar .drawing image").count() > 20  # pictures where there is room
    box = page.locator(".similar .drawing svg").bounding_box()
    corners = [(0.2, 0.2), (0.8, 0.2), (0.8, 0.8), (0.2, 0.8)]
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*spots[0])
    page.mouse.down()
    for spot in spots[1:]:
        page.mouse.move(*spot, steps=4)
    page.mouse.up()
    selection = page.get_by_role("region", name="Selection")
    expect(selection).to_be_visible()
    pressed = page.locator(".similar .drawing g[aria-pressed=true]")
    number = pressed.count()
    assert 0 < number < marks.count()
    expect(selection).to_contain_text(f"{number:,} selected")
    expect(selection.locator(".crop")).to_have_count(min(number, 40))
    missing = page.locator(".similar .drawing g.missing[aria-pressed=true]").count()
    selection.get_by_role("button", name=re.compile("missing$")).first.click()
    expect_items(page, missing)
    expect(page.locator(".chip")).to_contain_text(f"{missing} selected on the map")
    back_to(page, "Similar")
    marks.first.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Space")
    expect(selection).to_contain_text("2 selected")
    selection.get_by_role("button", name="Zoom in").click()
    expect(selection).to_have_count(0)
    expect(page.get_by_role("button", name="Whole map")).to_be_visible()
    page.get_by_role("button", name="Show signs").click()
    expect(page.locator(".similar .drawing image")).to_have_count(0)
    page.evaluate("localStorage.removeItem('pellucid.map')")


def change_row(page, name):
    lead = page.locator(".lead small").get_by_text(name, exact=True)
    return page.locator(".changes article").filter(has=lead)


def test_fixed_items_show_predictions_of_both_versions(go, demo):
    first, second = demo.view("cells").version("v1"), demo.view("cells").version("v2")
    found = first.compare(second).overall
    numbers = {
        "fixed": found.fixed,
        "broken": found.broken,
        "still wrong": found.still_wrong,
        "both right": found.both_right,
        "false positives gone": found.false_alarms_gone,
        "new false positives": found.false_alarms_new,
    }
    page = go(f"{CELLS}&page=compare")
    expect(change_row(page, "fixed")).to_be_visible()
    for name, number in numbers.items():
        if not number:
            expect(change_row(page, name)).to_have_count(0)
            continue
        expect(change_row(page, name).locator(".lead b")).to_have_text(f"{number:,}")
        change_row(page, name).scroll_into_view_if_needed()
        expect(change_row(page, name).locator(".crop").first).to_be_visible()
        change_row(page, name).get_by_role("button", name=f"Show {name}").click()
        expect_items(page, number)
        back_to(page, "Compare")
    change_row(page, "fixed").get_by_role("button", name="Show fixed").click()
    expect(page.locator("[role=option] .other").first).to_be_attached()
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("dialog", name="Picture").locator(".theirs rect.line").first
    ).to_be_attached()
    page.keyboard.press("Escape")
    page.keyboard.press(
        "C"
    )  # though the gallery is of the older version now, the comparison is not turned round
    lead = change_row(page, "fixed").locator(".lead b")
    expect(lead).to_have_text(f"{found.fixed:,}")
    expect(page.get_by_label("candidate")).to_have_value("v2")
    page.get_by_role("button", name="Exchange").click()
    expect(lead).to_have_text(f"{found.broken:,}")
    page.get_by_label("Version").select_option("v2")
    expect(page.get_by_label("Version")).to_have_value("v2")
    page.get_by_label("Version").select_option("v1")
    expect(page.get_by_label("candidate")).to_have_value("v1")
    expect(lead).to_have_text(f"{found.broken:,}")


def test_changes_of_the_chosen_concept(go, demo):
    """Crops of the other version are named by its concepts; the title names the concept."""
    first, second = demo.view("cells").version("v1"), demo.view("cells").version("v2")
    changes = {change.concept: change for change in first.compare(second).concepts}
    page = go(f"{CELLS}&page=compare&concept=red cell")
    one = changes["red cell"]
    expect(page.locator(".compare .verdict")).to_contain_text(f"red cell: {one.verdict}")
    expect(change_row(page, "fixed").locator(".lead b")).to_have_text(f"{one.fixed:,}")
    crop = change_row(page, "fixed").locator(".crop").first
    expect(crop).to_have_attribute("aria-label", re.compile("red cell, extra annotation"))
    crop.click()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    expect(page.get_by_label("Version")).to_have_value("v1")
    page.keyboard.press("Escape")
    expect(change_row(page, "fixed").locator(".lead b")).to_have_text(f"{one.fixed:,}")


def test_crops_of_another_concept_are_never_shown(go):
    """While the next list is on its way, its rows have no pictures of the one before."""
    page = go(f"{CELLS}&page=compare&concept=red cell")
    row = change_row(page, "both right")
    row.locator(".lead").click()  # a crop, once there, would open the viewer
    for _ in range(9):
        page.keyboard.press("ArrowRight")
    expect(row.locator(".crop.current")).to_have_count(1)
    held = []

    def hold(route):
        held.append(route)

    page.route("**/page?**", hold)
    page.keyboard.press("]")
    expect(page.locator(".compare .verdict")).not_to_contain_text("red cell")
    expect(page.locator(".changes .crop")).to_have_count(0)
    page.unroute("**/page?**")
    for route in held:
        with contextlib.suppress(Error):  # a list that is not wanted any more
            route.continue_()
    expect(page.locator(".changes .crop img").first).to_be_visible()
    expect(page.locator(".changes .crop.current")).to_have_count(1)  # the first one


def test_more_like_this(go, demo):
    page = go(f"{CELLS}&tab=extra&item=2")
    expect(page.locator("#item-2 img")).to_be_visible()
    name = page.locator("#item-2 .sr").inner_text().split(", ")[-1]
    page.keyboard.press("i")
    expect_items(page, min(60, len(demo.view("cells").version("v2").gallery("extra"))))
    expect(page.locator("#item-0 .sr")).to_contain_text(name)
    page.keyboard.press("Escape")
    expect(page.locator(".chips")).to_have_count(0)


def test_plots_have_tables_and_can_be_saved(go):
    page = go(f"{CELLS}&page=figures&concept=red cell")
    plot = page.get_by_role("region", name="Precision and recall")
    with page.expect_download() as taken:
        plot.get_by_role("button", name="SVG").click()
    drawing = taken.value.path().read_text()
    assert drawing.startswith("<svg")
    assert "stroke" in drawing
    with page.expect_download() as taken:
        plot.get_by_role("button", name="CSV").click()
    rows = taken.value.path().read_text().splitlines()
    assert rows[0] == "threshold,recall,precision"
    plot.get_by_role("button", name="Table").click()
    expect(plot.get_by_role("row")).to_have_count(len(rows))


@pytest.mark.quick_cases(8)
@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", ["findings", "figures", "slices", "similar", "compare", "versions"]
)
def test_every_page_is_accessible_without_overflow(go, page, name, scheme):
    page.emulate_media(color_scheme=scheme)
    go(f"{CELLS}&page={name}&concept=red cell")
    wanted = {
        "findings": ".findings article img",
        "figures": ".both",
        "slices": ".slices header",
        "similar": ".similar section",
        "compare": ".changes",
        "versions": ".versions table",
    }[name]
    expect(page.locator(wanted).first).to_be_visible(timeout=60_000)
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "async () => (await axe.run()).violations.map((one) => `${one.id}: ${one.nodes[0].html}`)"
    )
    assert found == []
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    inner = page.locator(f".{name}")
    assert inner.evaluate("(one) => one.scrollWidth <= one.clientWidth + 1")


def test_slices_of_a_comparison_have_pictures(go):
    page = go(f"{CELLS}&page=compare")
    slices = page.get_by_role("region", name="By slice").locator("article")
    expect(slices.first).to_be_visible()
    slices.first.scroll_into_view_if_needed()
    expect(slices.first.locator(".crop").first).to_be_visible()
    number = number_in(slices.first.locator(".lead b"))
    button = slices.first.get_by_role("button", name="Show").first
    assert number_in(button) == number
    button.click()
    expect_items(page, number)
