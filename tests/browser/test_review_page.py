"""Reviewing in a real browser, with one hand on the keyboard."""

import re
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

import pellucid
import toys

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"
IMAGES, EACH = 40, 4


@pytest.fixture(autouse=True)
def no_complaints(page: Page):
    """Nothing in the console is an error."""
    said = []
    page.on(
        "console", lambda message: said.append(message.text) if message.type == "error" else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    yield
    assert [words for words in said if "ERR_FAILED" not in words] == []


@pytest.fixture
def view(tmp_path):
    """160 predictions, none of them annotated but one."""
    names = [
        {"id": number, "file_name": f"{number:03}.png", "width": 64, "height": 48}
        for number in range(IMAGES)
    ]
    source = toys.coco(
        tmp_path,
        images=names,
        annotations=[{"id": 1, "image_id": 0, "category_id": 1, "bbox": [50, 30, 10, 10]}],
    )
    for number in range(IMAGES):
        toys.picture(
            tmp_path / "images" / f"{number:03}.png", colour=(number * 6, 90, 255 - number * 6)
        )
    rows = [
        {
            "image_id": image,
            "category_id": 1 + box % 2,
            "bbox": [box * 12, 5, 10, 10],
            "score": 0.9 - image / 1000 - box / 10,
        }
        for image in range(IMAGES)
        for box in range(EACH)
    ]
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    view.start("m").add_predictions(
        toys.results(
            tmp_path,
            [*rows, {"image_id": 0, "category_id": 1, "bbox": [50, 30, 10, 10], "score": 0.99}],
        )
    )
    return view


LIST = "?view=v&version=m&tab=missing&concept=dent&at=dent:0.1"


@pytest.fixture
def go(page: Page, view, served):
    """Open the list of missing dents, as somebody who gave their name."""
    address = served(view.workspace)

    def open_as(who="Ann", search=LIST, other=None):
        where = other or page
        where.goto(address)
        where.evaluate("localStorage.setItem('pellucid-reviewing', '1')")
        if who:
            where.evaluate("who => localStorage.setItem('pellucid-name', who)", who)
        where.goto(address + search)
        expect(where.locator("[role=option] img").first).to_be_visible()
        return where

    return open_as


def missing(view, **options):
    return [
        (item.image, item.box)
        for item in view.version("m").gallery("missing", concept="dent", threshold=0.1, **options)
    ]


def left(page):
    return page.get_by_label("Filters")


def expect_left(page, number):
    expect(left(page)).to_contain_text(f"{number} to review")


def rows(view, number):
    """The history, once it has so many rows: the page goes on before they are kept."""
    for _ in range(100):
        if len(found := view.reviews.history()) >= number:
            break
        time.sleep(0.05)
    assert len(found) == number
    return found


def settled_place(locator):
    """Where an element is, once it does not move any more."""
    before = None
    while (place := locator.bounding_box()) is None or place != before:
        before = place
        locator.page.evaluate("new Promise(requestAnimationFrame)")
    return place


def decided(view, number):
    return [(row.action, row.image, row.box) for row in rows(view, number)]


def test_reviewer_name_is_asked_once_and_recorded(go, view):
    page = go(who=None)
    page.keyboard.press("w")
    expect(page.get_by_role("heading", name="Reviewer")).to_be_visible()
    page.keyboard.type("Ann")
    page.keyboard.press("Enter")
    expect_left(page, 79)
    page.keyboard.press("e")
    expect_left(page, 78)
    assert [row.who for row in rows(view, 2)] == ["Ann", "Ann"]
    rows(view, 2)
    page.reload()
    expect_left(page, 78)


def test_fast_typing_decides_the_item_that_was_shown(go, view):
    page = go()
    before = missing(view)
    keys = "weqwewweewqweweqwewweewqwewe"
    for key in keys:
        page.keyboard.press(key)
        page.wait_for_timeout(120)
    expect_left(page, len(before) - len(keys) + keys.count("q"))
    action = {"w": "add", "e": "confirm", "q": "unsure"}
    assert decided(view, len(keys)) == [
        (action[key], *item) for key, item in zip(keys, before, strict=False)
    ]
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id(f"item-{len(keys)}")


def test_decided_items_stay_in_place_until_they_are_hidden(go, view):
    page = go()
    before = missing(view)
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("w")
    page.keyboard.press("e")
    page.keyboard.press("q")
    expect(page.locator("#item-2 .stamp")).to_have_text("✓ Label added")
    expect(page.locator("#item-3 .stamp")).to_have_text("✕ Model is wrong")
    expect(page.locator("#item-4 .stamp")).to_have_text("? Unsure")
    rows(view, 3)
    view.reviews.decide(  # somebody else, meanwhile
        view.version("m"),
        [view.version("m").gallery("missing", concept="dent", threshold=0.1)[0]],
        "right",
        "Bo",
    )
    expect(page.locator("#item-0 .stamp")).to_have_text("✕ Model is wrong")
    expect_left(page, 77)
    for index in range(6):
        expect(page.locator(f"#item-{index}")).to_contain_text(before[index][0])
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-5")
    page.get_by_role("button", name="Hide 3 decided").click()
    expect(page.locator("#item-0")).to_contain_text(before[1][0])
    expect(page.locator("#item-1")).to_contain_text(before[5][0])
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-1")
    expect(page.locator(".stamp")).to_have_count(0)
    page.keyboard.press("w")
    page.locator("[role=tab]").first.click()
    page.locator("[role=tab]").nth(2).click()
    expect(page.locator("#item-1")).to_contain_text(before[6][0])
    expect_left(page, 76)


def test_decision_of_another_between_two_answers_is_shown(go, view, page):
    """The items are answered before it, the figures after it: the items are read again."""
    go()
    expect(page.locator("#item-0 img")).to_be_visible()
    held, decided = {"figures": [], "progress": []}, []

    def hold(route):
        name = re.search("/(figures|progress)[?]", route.request.url).group(1)
        if decided:
            route.continue_()
        else:
            held[name].append(route)

    page.route(re.compile("/(figures|progress)[?]"), hold)
    page.keyboard.press("ArrowRight")
    with page.expect_response("**/page?**"):
        page.keyboard.press("q")
    while not held["figures"]:
        page.wait_for_timeout(20)
    items = view.version("m").gallery("missing", concept="dent", threshold=0.1)
    decided.append(view.reviews.decide(view.version("m"), [items[0]], "right", "Bo"))
    with page.expect_response("**/figures?**"):
        held["figures"][-1].continue_()
    for route in held["progress"]:
        route.continue_()
    expect(page.locator("#item-0 .stamp")).to_have_text("✕ Model is wrong")


def test_verdict_waits_until_its_picture_is_shown(go, view, page):
    go()
    before = missing(view)
    page.route("**/pictures/**", lambda route: None)  # neither answered nor passed on
    page.keyboard.press("End")
    expect(page.locator("#item-79 img")).to_be_attached()
    page.keyboard.press("w")
    expect(page.locator(".early")).to_have_id("item-79")
    assert view.reviews.history() == []
    page.unroute("**/pictures/**")  # what waits goes on
    assert decided(view, 1) == [("add", *before[79])]


def test_undo_restores_the_item_under_the_cursor_and_redo_removes_it(go, view):
    page = go()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    name = page.locator("#item-2").inner_text()
    page.keyboard.press("w")
    expect(page.locator("#item-2 .stamp")).to_have_text("✓ Label added")
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-3")
    expect_left(page, 79)
    page.keyboard.press("z")
    expect_left(page, 80)
    expect(page.locator(".stamp")).to_have_count(0)
    expect(page.locator("#item-2")).to_contain_text(name.strip().split("\n")[0])
    expect(page.locator("[aria-selected=true][role=option]")).to_have_id("item-2")
    page.keyboard.press("Shift+Z")
    expect_left(page, 79)
    rows(view, 3)
    page.reload()
    expect_left(page, 79)
    page.keyboard.press("Control+z")
    expect_left(page, 80)


def test_selection_is_decided_in_one_action(go, view):
    page = go()
    before = missing(view)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.locator("#item-5").click(modifiers=["Control"])
    expect(page.get_by_text("4 items")).to_be_visible()
    page.keyboard.press("e")
    expect_left(page, 76)
    assert sorted(one[1:] for one in decided(view, 4)) == sorted([*before[:3], before[5]])
    assert len({row.batch for row in rows(view, 4)}) == 1
    page.keyboard.press("z")
    expect_left(page, 80)


def test_verdict_in_the_viewer_applies_to_the_shown_item(go, view):
    page = go()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("e")
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text("3 of 80")
    assert len(rows(view, 1)) == 1


def test_viewer_advances_after_a_decision(go, view):
    page = go()
    before = missing(view)
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Picture")
    expect(dialog).to_contain_text("1 of 80")
    expect(dialog).to_contain_text(before[0][0])
    page.keyboard.press("e")
    expect(dialog).to_contain_text("2 of 80")
    expect(dialog).to_contain_text(before[1][0])


def test_box_is_adjusted_by_keys_and_dragging(go, view):
    page = go()
    (_, box), (second_image, _) = missing(view)[:2]
    page.keyboard.press("Enter")
    expect(page.locator(".handle.se")).to_be_visible()
    page.keyboard.press("g")
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("w")
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text("2 of 80")
    kept = rows(view, 1)[0].after[0].box
    assert (kept[0], kept[1] > box[1], kept[2] > box[2], kept[3]) == (box[0], True, True, box[3])
    expect(page.locator(".stage img")).to_have_attribute("alt", second_image)
    place = settled_place(page.locator(".handle.se"))
    page.mouse.move(place["x"] + 7, place["y"] + 7)
    page.mouse.down()
    page.mouse.move(place["x"] + 60, place["y"] + 40, steps=4)
    page.mouse.up()
    expect(page.get_by_text("Adjusted")).to_be_visible()
    with page.expect_response("**/page?**"):  # the list is read anew, as others decide
        view.reviews.decide(
            view.version("m"),
            [view.version("m").gallery("missing", concept="dent", threshold=0.1)[70]],
            "right",
            "Bo",
        )
    expect_left(page, 78)
    expect(page.get_by_text("Adjusted")).to_be_visible()
    page.keyboard.press("w")
    expect(page.get_by_role("dialog", name="Picture")).to_contain_text("3 of 80")
    second = rows(view, 3)[2]
    assert second.after[0].box[2] > second.box[2]
    assert second.after[0].box[:2] == pytest.approx(second.box[:2])


def test_concept_is_chosen_by_typing(go, view):
    page = go()
    page.keyboard.press("n")
    expect(page.get_by_role("heading", name="It should be")).to_be_visible()
    page.keyboard.type("rus")
    page.keyboard.press("Enter")
    expect_left(page, 79)
    (row,) = rows(view, 1)
    assert (row.action, [mark.concept for mark in row.after]) == ("add", ["rust"])


def test_only_corrected_metrics_change(go, view):
    page = go()
    page.keyboard.press("Shift+End")
    page.keyboard.press("w")
    expect_left(page, 0)
    expect(page.locator(".effect")).to_contain_text("80 corrections")
    trained = page.locator("[role=tab] .count").all_inner_texts()
    page.get_by_role("button", name="Corrections: off").click()
    expect(page.locator("[role=tab] .count").nth(1)).to_have_text("81")
    expect(page.locator("[role=tab] .count").nth(2)).to_have_text("0")
    expect(page).to_have_url(re.compile("corrected=1"))
    page.reload()
    expect(page.locator("[role=tab] .count").nth(2)).to_have_text("0")
    page.get_by_role("button", name="Corrections: on").click()
    expect(page.locator("[role=tab] .count")).to_have_text(trained)
    page.locator(".effect").click()
    expect(page.get_by_role("dialog")).to_contain_text("Fixing 80 annotations")
    expect(page.get_by_role("row", name=re.compile("dent"))).to_contain_text("80")


def test_history_shows_all_rows_and_reverts_any(go, view):
    page = go()
    page.keyboard.press("w")
    page.keyboard.press("e")
    expect_left(page, 78)
    page.keyboard.press("Shift+H")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("listitem")).to_have_count(2)
    dialog.get_by_role("listitem").last.get_by_role("button", name="Revert").click()
    expect(dialog.get_by_role("listitem")).to_have_count(3)
    page.keyboard.press("Escape")
    expect_left(page, 79)
    assert [row.action for row in rows(view, 3)] == ["add", "confirm", "revert"]


def test_reviewers_in_the_queue_get_different_items(go, view, browser):
    page = go("Ann")
    context = browser.new_context()
    other = go("Bo", other=context.new_page())
    handed = []
    for one in (page, other):
        one.keyboard.press("Shift+Q")
        expect(one.get_by_role("dialog", name="Picture")).to_be_visible()
    for _ in range(3):
        for one in (page, other):
            before = one.locator("aside .path").inner_text()
            handed.append(before.split(" ")[0] + one.locator("aside h2").inner_text())
            one.keyboard.press("e")
            expect(one.locator("aside .path")).not_to_have_text(before)
    assert len(set(handed)) == 6
    page.keyboard.press("Escape")
    expect(page.locator(".queue")).to_contain_text("74 left")
    expect(page.locator(".queue")).to_contain_text("with others", timeout=10_000)
    other.wait_for_load_state(
        "networkidle"
    )  # what it asked for last is its own until it says that it goes
    context.close()
    expect(page.locator(".queue")).not_to_contain_text("with others", timeout=10_000)


def test_conflicting_decision_is_reported_to_the_first_reviewer(go, view, browser):
    page = go("Ann")
    context = browser.new_context()
    other = go("Bo", other=context.new_page())
    with page.expect_response("**/decisions"):  # each waits for its picture: Ann is the first
        page.keyboard.press("w")
    other.keyboard.press("e")
    expect(other.get_by_role("status")).to_contain_text("Ann decided on it just before you")
    expect(page.get_by_role("status")).to_contain_text("Bo decided after you on")
    context.close()


def test_decisions_wait_in_the_browser_until_the_server_answers(go, view, page):
    go()
    before = missing(view)
    page.route("**/decisions", lambda route: route.abort())
    with page.expect_request("**/decisions"):
        page.keyboard.press("w")
    notice = page.locator(".notices")
    expect(notice).to_contain_text("Reconnecting")
    expect(notice).to_contain_text("1 decision waits in this browser")
    page.keyboard.press("e")
    expect(notice).to_contain_text("2 decisions wait in this browser")
    expect(page.locator("#item-1 .stamp")).to_have_text("✕ Model is wrong")
    assert view.reviews.history() == []
    page.reload()
    expect(notice).to_contain_text("2 decisions wait in this browser")
    with page.expect_request("**/decisions"):
        notice.get_by_role("button", name="Retry now").click()
    page.unroute("**/decisions")
    expect(notice.get_by_text("Reconnecting")).to_have_count(0)
    expect_left(page, 78)
    assert decided(view, 2) == [("add", *before[0]), ("confirm", *before[1])]


def test_page_recovers_by_itself_when_the_server_returns(go, view, page):
    go()
    page.route("**/api/**", lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("Reconnecting")
    page.keyboard.press("w")
    expect(page.locator(".notices")).to_contain_text("1 decision waits")
    page.unroute("**/api/**")
    expect(page.locator(".notices .failure")).to_have_count(0)
    expect_left(page, 79)
    assert len(rows(view, 1)) == 1


def test_narrow_window_has_no_overflow_with_corrections(go, view):
    page = go()
    page.set_viewport_size({"width": 390, "height": 844})
    page.keyboard.press("w")
    expect(page.locator(".effect")).to_contain_text("1 correction")
    wide = (
        "[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right "
        "> 391).map(one => one.outerHTML.slice(0, 90))"
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, page.evaluate(wide)
    expect(page.get_by_role("button", name="Undo")).to_be_in_viewport()


def test_undo_in_an_emptied_queue_restores_the_item(go, view):
    page = go()
    page.keyboard.press("Shift+End")
    page.keyboard.press("Home")
    page.locator("#item-0").click(modifiers=["Control"])
    page.keyboard.press("e")
    rows(view, 79)
    expect_left(page, 1)
    page.keyboard.press("Shift+Q")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("e")
    expect(page.locator(".empty")).to_contain_text("Nothing is free")
    page.keyboard.press("z")
    expect(page.locator("[role=option]")).to_have_count(1)


@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.slow)])
def test_review_page_is_accessible(go, page, theme):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make check installs it")
    page.emulate_media(color_scheme=theme)
    go()
    page.keyboard.press("q")
    page.keyboard.press("w")
    expect(page.locator(".effect")).to_be_visible()
    page.evaluate(AXE.read_text())
    dialog = page.locator("dialog")  # one is removed by its close event, after it is hidden
    for opened in (None, "Shift+H", "n", ".effect", "Enter"):
        if opened == ".effect":
            page.locator(opened).click()
        elif opened:
            page.keyboard.press(opened)
        if opened:
            expect(dialog).to_be_visible()
        found = page.evaluate("() => axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] })")
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found["violations"]] == []
        if opened:
            page.keyboard.press("Escape")
            expect(dialog).to_have_count(0)


def test_verdicts_say_what_they_do_to_the_item(page, tmp_path, served):
    """A badly placed box moves the label of its own concept, whatever else it touches."""
    source = toys.coco(
        tmp_path,
        annotations=[
            {"id": 1, "image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20]},
            {"id": 2, "image_id": 11, "category_id": 2, "bbox": [22, 10, 20, 20]},
            {"id": 3, "image_id": 12, "category_id": 1, "bbox": [0, 0, 20, 20]},
            {"id": 4, "image_id": 12, "category_id": 1, "bbox": [1, 30, 15, 15]},
            {"id": 5, "image_id": 12, "category_id": 2, "bbox": [21, 28, 18, 18]},
        ],
    )
    predictions = [
        {"image_id": 12, "category_id": 1, "bbox": [1, 30, 15, 15], "score": 0.95},
        {"image_id": 12, "category_id": 2, "bbox": [21, 28, 18, 18], "score": 0.95},
        {"image_id": 11, "category_id": 1, "bbox": [20, 10, 20, 20], "score": 0.9},
        {"image_id": 12, "category_id": 2, "bbox": [0, 0, 20, 21], "score": 0.8},
        {"image_id": 12, "category_id": 1, "bbox": [40, 28, 20, 20], "score": 0.7},
    ]
    view, _ = pellucid.open(tmp_path / "w").add("v", source, images=tmp_path / "images")
    view.start("m", iou=0.85).add_predictions(toys.results(tmp_path, predictions))
    address = served(view.workspace)
    page.goto(address)
    page.evaluate(
        "localStorage.setItem('pellucid-name', 'Ann');"
        "localStorage.setItem('pellucid-reviewing', '1')"
    )
    page.goto(f"{address}?view=v&version=m&tab=missing&at=dent:0.5&at=rust:0.5")
    bar = page.get_by_role("toolbar", name="Review")
    expect(page.locator("#item-0")).to_contain_text("IoU .33")
    expect(bar.get_by_role("button").first).to_have_text("Move label here w")
    page.keyboard.press("w")
    expect(page.locator("#item-0 .stamp")).to_have_text("✓ Label changed")
    expect(page.locator("#item-1")).to_contain_text("on dent")
    expect(bar.get_by_role("button").first).to_have_text("Relabel as rust w")
    expect(bar.get_by_role("button").nth(1)).to_have_text("Keep dent e")
    page.keyboard.press("w")
    expect(bar.get_by_role("button").first).to_have_text("Add label w")
    changes = {
        row.image: [
            [(label.concept, label.box) for label in side] for side in (row.before, row.after)
        ]
        for row in rows(view, 2)
    }
    assert changes == {
        "a/one.png": [[("dent", (10, 10, 20, 20))], [("dent", (20, 10, 20, 20))]],
        "a/two.png": [[("dent", (0, 0, 20, 20))], [("rust", (0, 0, 20, 20))]],
    }


def test_a_comment_stays_with_its_item_and_waits_for_a_name(go):
    page = go(who=None)
    page.keyboard.press("Enter")
    field = page.get_by_label("Comment", exact=True)
    field.fill("plate hidden")
    field.press("Enter")
    dialog = page.get_by_role("dialog", name="Reviewer")
    dialog.press("Escape")
    expect(field).to_have_value("plate hidden")
    field.press("Enter")
    dialog.get_by_role("textbox").fill("Ann")
    dialog.get_by_role("textbox").press("Enter")
    expect(page.locator("aside .comment")).to_have_text("❝ plate hidden · Ann")
    expect(field).to_have_value("")
