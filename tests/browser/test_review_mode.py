"""What review keys may do, and where: nothing is decided unseen or by mistake."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

import pellucid
import toys

pytestmark = pytest.mark.browser


@pytest.fixture
def view(tmp_path):
    """Ten images with one prediction each, none annotated."""
    names = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(10)
    ]
    source = toys.coco(tmp_path, images=names, annotations=[])
    for number in range(10):
        toys.picture(tmp_path / "images" / f"{number}.png", colour=(number * 20, 90, 90))
    rows = [
        {"image_id": image, "category_id": 1, "bbox": [5, 5, 20, 20], "score": 0.9 - image / 100}
        for image in range(10)
    ]
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path, rows))
    return view


@pytest.fixture
def go(page: Page, view, served):
    address = served(view.workspace)

    def open_at(search="&tab=missing&concept=dent&at=dent:0.1"):
        page.goto(address)
        page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
        page.goto(f"{address}?view=v&version=m&page=gallery{search}")
        expect(page.locator("[role=option] img, .images img").first).to_be_visible()
        return page

    return open_at


def test_verdicts_wait_for_the_review_mode(go):
    page = go()
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("w")
    expect(page.get_by_role("status")).to_contain_text("r turns the review on")
    page.keyboard.press("r")
    bar = page.get_by_role("toolbar", name="Review")
    expect(bar.get_by_label("Filters")).to_contain_text("10 to review")
    page.keyboard.press("w")
    expect(bar.get_by_label("Filters")).to_contain_text("9 to review")
    page.keyboard.press("Escape")
    expect(bar).to_have_count(0)


def test_hidden_reviewed_items_are_named(go):
    page = go()
    page.keyboard.press("r")
    page.keyboard.press("w")
    bar = page.get_by_role("toolbar", name="Review")
    expect(bar.get_by_label("Filters")).to_contain_text("9 to review")
    page.keyboard.press("r")
    hidden = page.get_by_role("button", name="1 hidden")
    expect(page.locator(".stamp")).to_have_count(1)
    expect(hidden).to_have_count(0)  # it is still in its place
    page.reload()
    hidden.click()
    expect(hidden).to_have_count(0)


def test_nothing_is_decided_among_whole_images(go):
    page = go("&tab=all&concept=dent&at=dent:0.1")
    page.keyboard.press("r")
    page.keyboard.press("b")
    expect(page.locator(".images img").first).to_be_visible()
    page.keyboard.press("w")
    page.keyboard.press("b")
    bar = page.get_by_role("toolbar", name="Review")
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(bar.get_by_label("Filters")).to_contain_text("all 10")
    expect(bar.get_by_role("button", name="Undo")).to_be_disabled()


def test_undo_returns_to_its_item_after_the_decided_ones_were_hidden(go):
    page = go()
    page.keyboard.press("r")
    bar = page.get_by_role("toolbar", name="Review")
    for left in (9, 8, 7):
        page.keyboard.press("e")
        expect(bar.get_by_label("Filters")).to_contain_text(f"{left} to review")
    bar.get_by_role("button", name=re.compile("Hide 3")).click()
    expect(page.get_by_text("item 1 of 7")).to_be_visible()
    path = page.locator("footer .path")
    for name in ("2.png", "1.png", "0.png"):
        page.keyboard.press("z")
        expect(path).to_contain_text(name)
        expect(page.locator("[role=option] img").first).to_be_visible()
    expect(page.get_by_text("item 1 of 10")).to_be_visible()


def test_several_items_are_never_replaced_by_default(go):
    page = go()
    page.keyboard.press("r")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog", name="It should be")
    expect(dialog.get_by_text("in place of the annotation")).to_have_count(0)
    dialog.get_by_role("button", name="Cancel").click()
    expect(dialog).to_have_count(0)


def test_closing_a_picture_of_the_images_leads_back_to_them(go):
    page = go("&whole=1")
    page.locator(".images .image").nth(3).click()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".images .image").first).to_be_visible()


def test_a_rectangle_selects_what_it_touches(page: Page, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    cells = page.locator("[role=option]")
    expect(cells.first.locator("img")).to_be_visible()
    columns = sum(
        cell.bounding_box()["y"] == cells.nth(0).bounding_box()["y"] for cell in cells.all()
    )
    expected = [0, 1, columns, columns + 1]
    first, last = cells.nth(0).bounding_box(), cells.nth(columns + 1).bounding_box()
    page.mouse.move(first["x"] - 4, first["y"] - 4)  # the gap beside the first picture
    page.mouse.down()
    page.mouse.move(last["x"] + 20, last["y"] + 20, steps=5)
    page.mouse.up()
    selected = page.locator("[role=option].selected")
    expect(selected).to_have_count(len(expected))
    assert [int(one.get_attribute("id").split("-")[1]) for one in selected.all()] == expected
    expect(page.get_by_role("dialog", name="Picture")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(selected).to_have_count(0)
    cells.nth(1).click()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()


def test_a_long_press_selects_and_taps_add(browser: Browser, demo_address):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{demo_address}?view=cells&version=v2&page=gallery&tab=missing")
    cells = page.locator("[role=option]")
    expect(cells.nth(2).locator("img")).to_be_visible()
    box = cells.nth(1).bounding_box()
    touch = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session = context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [touch]})
    expect(cells.nth(1)).to_have_class(re.compile("selected"))
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    cells.nth(2).tap()
    expect(page.locator("[role=option].selected")).to_have_count(2)
    expect(page.get_by_role("dialog", name="Picture")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("[role=option].selected")).to_have_count(0)
    cells.nth(2).tap()
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    context.close()


def test_the_queue_gives_its_place_back(go):
    page = go("&tab=missing&concept=dent&at=dent:0.1&review=all")
    page.keyboard.press("r")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-6")
    page.keyboard.press("q")  # unsure: nothing that the queue would leave out
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-7")
    page.keyboard.press("Q")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Q")
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-7")


def test_undo_shows_at_once_while_the_server_is_away(page: Page, go):
    page.route("**/decisions", lambda route: route.abort())  # before any request is on its way
    go()
    page.keyboard.press("r")
    page.keyboard.press("e")
    page.keyboard.press("e")
    expect(page.locator("#item-1 .stamp")).to_have_text("✕ Model is wrong")
    notice = page.get_by_role("alert").filter(has_text="2 decisions wait")
    expect(notice).to_be_visible()
    verdict = page.get_by_role("toolbar", name="Review").get_by_role("button").first.bounding_box()
    below = notice.bounding_box()
    assert below["y"] + below["height"] <= verdict["y"]  # it covers no button
    page.keyboard.press("z")
    expect(page.locator("#item-1 .stamp")).to_have_count(0)
    expect(page.locator("#item-0 .stamp")).to_have_count(1)
    page.keyboard.press("z")
    expect(page.locator("#item-0 .stamp")).to_have_count(0)
    page.unroute("**/decisions")  # it retries by itself
    expect(page.get_by_role("toolbar", name="Review").get_by_label("Filters")).to_contain_text(
        "10 to review"
    )
    expect(page.locator(".stamp")).to_have_count(0)


def test_history_uses_the_words_of_the_buttons(go):
    page = go()
    page.keyboard.press("r")
    bar = page.get_by_role("toolbar", name="Review")
    page.keyboard.press("e")
    expect(bar.get_by_label("Filters")).to_contain_text("9 to review")
    page.keyboard.press("w")
    expect(bar.get_by_label("Filters")).to_contain_text("8 to review")
    page.keyboard.press("z")
    expect(bar.get_by_label("Filters")).to_contain_text("9 to review")
    page.keyboard.press("H")
    acts = page.get_by_role("dialog").locator(".what")
    expect(acts.nth(0)).to_have_text("undone: label added: dent → nothing")
    expect(acts.nth(2)).to_have_text("model is wrong: dent")


def test_the_filter_is_used_by_keyboard(go):
    page = go()
    page.keyboard.press("f")
    expect(page.get_by_role("textbox", name="File name contains")).to_be_focused()
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.locator(".chips")).to_contain_text("1 of 10")
    page.keyboard.press("f")
    page.keyboard.press("Escape")
    expect(page.get_by_role("form", name="Filter")).to_have_count(0)
    expect(page.locator(".chips")).to_contain_text("1 of 10")


def test_filters_hold_from_concept_to_concept(go):
    page = go("&tab=missing&concept=dent&at=dent:0.1&only=file:3&only=cause:background")
    chips = page.locator(".chip")
    expect(chips).to_have_count(2)
    page.keyboard.press("[")
    expect(page.get_by_role("heading", name="All concepts")).to_be_visible()
    expect(chips).to_have_count(2)
    page.keyboard.press("1")  # items of other tabs have no such cause
    expect(chips).to_have_text(re.compile("3"))
    page.keyboard.press("F")
    expect(page.get_by_role("heading", name="All concepts")).to_be_visible()
    everything = page.get_by_role("navigation", name="Concepts").get_by_role("listitem").first
    expect(everything).not_to_contain_text(" of ")
