"""Small things that readers meet all day: the way back, keys behind the viewer, small windows."""

import json
import re
import shutil

import pytest
from playwright.sync_api import Page, expect

import pellucid
import toys
from formats import truth

pytestmark = pytest.mark.browser


@pytest.fixture
def own_demo(demo, tmp_path, served):
    """The address of a copy of the demo's workspace, in which things may be decided."""
    folder = shutil.copytree(demo.folder, tmp_path / "copy.pellucid")
    return served(pellucid.open(folder))


def finding(page: Page, text: str):
    return page.get_by_role("article", name=re.compile(text))


@pytest.mark.slow
def test_a_finding_tells_how_far_its_review_is(page: Page, own_demo):
    page.goto(own_demo)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{own_demo}?view=cells&version=v2&page=findings")
    missing = finding(page, "labels of 'red cell' are likely missing")
    expect(missing.locator("img").first).to_be_visible()
    expect(missing.get_by_text("reviewed")).to_have_count(0)
    missing.get_by_role("button", name=re.compile("^Review labels")).click()
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("r")
    bar = page.get_by_role("toolbar", name="Review")
    for _ in range(2):
        page.keyboard.press("e")
        expect(page.get_by_role("status")).to_contain_text("z takes it back")
    expect(bar.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("P")
    expect(missing.get_by_text(re.compile(r"^[12] of \d+ reviewed$"))).to_be_visible()


def test_the_way_back_leads_to_the_finding(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=findings")
    current = page.locator("article[aria-current=true]")
    expect(current.locator("img").first).to_be_visible()
    second = page.get_by_role("article").nth(1)
    name = second.get_attribute("aria-label")
    second.locator("button.main").click()
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.go_back()
    expect(current).to_have_accessible_name(name)


def test_help_over_the_viewer(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer).to_be_visible()
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys and terms")
    expect(keys).to_be_visible()
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    expect(viewer).to_be_visible()


def test_tab_reaches_one_concept_and_arrows_the_others(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&concept=platelet")
    concepts = page.get_by_role("navigation", name="Concepts").get_by_role("listitem")
    expect(concepts.get_by_role("button", name=re.compile("^platelet"))).to_have_attribute(
        "tabindex", "0"
    )
    expect(concepts.locator("[tabindex='0']")).to_have_count(1)
    concepts.locator("[tabindex='0']").focus()
    page.keyboard.press("Home")
    expect(concepts.first.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="All concepts")).to_be_visible()


@pytest.mark.parametrize("size", [(720, 450), (390, 844)])
def test_pictures_stay_in_sight_in_small_windows(page: Page, own_demo, size):
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    page.goto(own_demo)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{own_demo}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("r")
    bar = page.get_by_role("toolbar", name="Review")
    expect(bar).to_be_visible()
    wall = page.get_by_role("tabpanel", name="Items").bounding_box()
    assert wall["height"] > height / 3
    page.get_by_role("button", name="Filter +").click()
    menu = page.locator("form.menu").bounding_box()
    assert menu["y"] + menu["height"] <= height
    assert menu["x"] >= 0
    assert menu["x"] + menu["width"] <= width


def test_versions_are_cards_on_phones(page: Page, demo_address):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{demo_address}?view=cells&page=versions")
    row = page.get_by_role("row").filter(has_text="v2")
    for text in ("AP50", "Errors"):
        expect(row.locator(f"[data-label='{text}']")).to_be_visible()
    for cell in row.get_by_role("cell").all():
        box = cell.bounding_box()
        if box:
            assert box["x"] + box["width"] <= 390


def test_every_count_follows_a_filter(page: Page, demo, demo_address):
    version = demo.view("cells").version("v2")
    only = ["score:0.8.."]
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing&only={only[0]}")
    expect(page.locator("[role=option] img").first).to_be_visible()
    for tab, name in (("matched", "Matched"), ("missing", "Missing"), ("extra", "Extra")):
        number = len(version.gallery(tab, only=only))
        whole = len(version.gallery(tab))
        button = page.get_by_role("tab", name=re.compile(f"^{name}"))
        expect(button).to_have_accessible_name(re.compile(f"{number:,} of {whole:,} items$"))
    concepts = page.get_by_role("navigation", name="Concepts")
    errors = sum(len(version.gallery(t, "platelet", only=only)) for t in ("missing", "extra"))
    whole = sum(len(version.gallery(t, "platelet")) for t in ("missing", "extra"))
    expect(concepts.get_by_role("button", name=re.compile("^platelet"))).to_contain_text(
        re.compile(rf"{errors}\s*of {whole}")
    )
    expect(page.locator(".strip rect.whole").first).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.get_by_role("tab", name=re.compile("^Missing"))).to_have_accessible_name(
        re.compile(r"FP, \d+ items$")
    )
    expect(page.locator(".strip rect.whole")).to_have_count(0)


def test_absent_pictures_are_told_once(page: Page, tmp_path, served):
    view = truth.view(tmp_path)
    view.start("m").add_predictions(toys.write(tmp_path / "p.json", json.dumps(truth.coco_rows())))
    address = served(view.workspace)
    page.goto(f"{address}?view=v&version=m&page=gallery&tab=matched")
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(page.get_by_text("Pictures not found")).to_have_count(0)
    shutil.rmtree(tmp_path / "images")
    page.reload()
    banner = page.get_by_role("status").filter(has_text="Pictures not found: 12 of 12")
    expect(banner).to_contain_text(str(tmp_path / "images"))
    expect(page.locator("[role=option]").first).to_be_visible()
    banner.get_by_role("button", name="Close").click()
    expect(banner).to_have_count(0)


IN_SIGHT = """() => {
    const cell = document.querySelector('[role=option][aria-selected=true] img');
    const wall = document.getElementById('wall').getBoundingClientRect();
    const box = cell?.getBoundingClientRect();
    return !!box && box.top >= wall.top - 2 && box.bottom <= wall.bottom + 2;
}"""
"""Whether the cell under the cursor lies in the wall."""


@pytest.mark.slow
def test_the_cursor_of_a_review_stays_in_sight(page: Page, own_demo):
    page.goto(own_demo)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{own_demo}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("r")
    filters = page.get_by_role("toolbar", name="Review").get_by_label("Filters")
    for left in range(65, 30, -1):
        page.keyboard.press("e")
        expect(filters).to_contain_text(f"{left} to review")
    page.wait_for_function(IN_SIGHT)
    page.mouse.move(700, 400)
    page.mouse.wheel(0, -4000)
    page.keyboard.press("z")
    expect(filters).to_contain_text("32 to review")
    page.wait_for_function(IN_SIGHT)


def test_undo_after_redo_returns_to_its_item(page: Page, own_demo):
    page.goto(own_demo)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{own_demo}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("r")
    filters = page.get_by_role("toolbar", name="Review").get_by_label("Filters")
    for key, left, item in (
        ("e", 65, 2),
        ("e", 64, 3),
        ("z", 65, 2),
        ("Z", 64, 3),
        ("z", 65, 2),
        ("z", 66, 1),
    ):
        page.keyboard.press(key)
        expect(filters).to_contain_text(f"{left} to review")
        expect(page.get_by_text(f"item {item} of 66")).to_be_visible()


def test_versions_has_no_keys_of_other_pages(page: Page, demo_address):
    page.set_viewport_size({"width": 720, "height": 450})
    page.goto(f"{demo_address}?view=cells&page=versions")
    expect(page.get_by_role("heading", name="Versions of cells")).to_be_visible()
    for key in ("]", ".", "/"):
        page.keyboard.press(key)
    page.keyboard.press("F")
    expect(page.get_by_role("heading", name="All concepts")).to_be_visible()
    assert "concept=" not in page.url
    assert "at=" not in page.url


def test_a_comparison_is_the_same_after_a_reload(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=compare&against=v1")
    fixed = page.get_by_role("button", name=re.compile("^Show fixed"))
    expect(fixed.first).to_be_visible()
    fixed.first.click()
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("C")
    verdict = page.get_by_text(re.compile("786 → 158")).first
    expect(verdict).to_be_visible()
    page.reload()
    expect(verdict).to_be_visible()


def test_the_focus_returns_from_the_filter(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    button = page.get_by_role("button", name=re.compile("^Filter"))
    button.click()
    page.get_by_label("File name contains").fill("smear-2")
    page.keyboard.press("Enter")
    expect(page.locator("form.menu")).to_have_count(0)
    expect(button).to_be_focused()
    button.press("Enter")
    expect(page.locator("form.menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()


def test_boxes_return_to_their_tab(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("b")
    expect(page.locator(".images .image").first).to_be_visible()
    page.keyboard.press("b")
    expect(page.get_by_role("tab", name=re.compile("^Missing"))).to_have_attribute(
        "aria-selected", "true"
    )


def test_more_like_this_says_its_order(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    expect(page.locator("[role=option] img").first).to_be_visible()
    order = page.locator(".sort select")
    page.keyboard.press("i")
    expect(order).to_have_text("Most similar first")
    expect(order).to_be_disabled()
    page.keyboard.press("Escape")
    expect(order).to_have_value("score")


def test_a_page_is_opened_by_two_keys(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery")
    expect(page.locator("[role=option]").first).to_be_visible()
    for key, name in (("i", "Figures"), ("f", "Findings"), ("c", "Compare"), ("g", "Gallery")):
        page.keyboard.press("G")
        page.keyboard.press(key)
        expect(page.get_by_role("button", name=name, exact=True)).to_have_attribute(
            "aria-current", "page"
        )
    page.keyboard.press("F")
    expect(page.locator(".figures")).to_be_visible()
    page.keyboard.press("G")
    expect(page.locator("[role=option]").first).to_be_visible()


def test_letters_are_switched_off(page: Page, demo_address):
    """For readers who speak their input: keys without letters go on working."""
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery")
    expect(page.locator("[role=option]").first).to_be_visible()
    page.keyboard.press("f")
    expect(page.get_by_role("form", name="Filter")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Shortcuts of a single letter, digit or sign").uncheck()
    page.get_by_role("button", name="Close").click()
    page.reload()
    expect(page.locator("[role=option]").first).to_be_visible()
    for key in ("F", "f", "2", "x", "?"):
        page.keyboard.press(key)
    expect(page.locator("[role=option].selected")).to_have_count(0)
    expect(page.get_by_role("form", name="Filter")).to_have_count(0)
    expect(page.get_by_role("dialog", name="Keys and terms")).to_be_hidden()
    page.get_by_label("Find a concept").press_sequentially("plate")  # typing is no shortcut
    expect(page.get_by_label("Find a concept")).to_have_value("plate")
    page.keyboard.press("Escape")
    page.locator("[role=listbox]").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    expect(page).to_have_url(re.compile("item=1"))


SHIFTS = """
window.shifts = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts += entry.value;
}).observe({ type: 'layout-shift', buffered: true });
"""


@pytest.mark.quick_cases(3)
@pytest.mark.parametrize("name", ["gallery", "findings", "figures", "slices", "versions"])
def test_nothing_moves_while_a_page_arrives(page: Page, demo_address, name):
    page.set_viewport_size({"width": 1440, "height": 900})
    page.add_init_script(SHIFTS)
    page.goto(f"{demo_address}?view=cells&version=v2&page={name}")
    pictures = {"gallery": "[role=option] img", "findings": ".crop img"}
    if name in pictures:
        expect(page.locator(pictures[name]).first).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.shifts") < 0.05


def test_the_concepts_fold_into_a_menu_on_narrow_windows(page: Page, demo_address):
    page.set_viewport_size({"width": 1100, "height": 800})
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=extra")
    expect(page.locator("[role=option] img").first).to_be_visible()
    concepts = page.get_by_role("navigation", name="Concepts")
    expect(concepts).to_be_hidden()
    page.get_by_role("button", name="Concepts", exact=True).click()
    expect(concepts).to_be_visible()
    concepts.get_by_role("listitem").nth(1).click()
    expect(concepts).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).not_to_have_text("All concepts")
    page.keyboard.press("/")
    expect(concepts.get_by_role("searchbox")).to_be_focused()
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 1300, "height": 800})
    expect(concepts).to_be_visible()
