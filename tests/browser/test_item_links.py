"""What is opened, shared, selected or taken back is the item that the reader means."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

import pellucid
import toys

pytestmark = pytest.mark.browser
Served = Callable[[pellucid.Workspace], str]


@pytest.fixture
def own_demo(demo: pellucid.Workspace, tmp_path: Path) -> pellucid.Workspace:
    """A copy of the demo's workspace, in which things may be decided."""
    return pellucid.open(shutil.copytree(demo.folder, tmp_path / "copy.pellucid"))


@pytest.fixture
def own_address(own_demo: pellucid.Workspace, served: Served) -> str:
    return served(own_demo)


def pictures_of(rows: Locator) -> Any:
    return rows.locator(".crop img").evaluate_all("all => all.map(one => one.src)")


def test_the_cursor_returns_to_the_crop_that_was_opened(page: Page, own_address: str) -> None:
    """Also where the crops of a row are not the first items of their list."""
    page.goto(f"{own_address}?view=cells&version=v1&page=findings")
    expect(page.get_by_text("Reading pictures")).to_have_count(0)
    current = page.locator("article[aria-current=true]")
    skipping = False
    for _ in range(8):
        expect(current.locator(".crop img").first).to_be_visible()
        addresses = pictures_of(current)
        place = min(4, len(addresses) - 1)
        for _ in range(place):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
        opened = int(re.search(r"item=(\d+)|$", page.url)[1] or 0)
        skipping |= opened != place
        page.keyboard.press("Escape")
        expect(current.locator(".crop").nth(place)).to_have_class(re.compile("current"))
        assert pictures_of(current)[place] == addresses[place]
        if skipping:
            return
        page.keyboard.press("ArrowDown")
    pytest.fail("no row of the demo leaves items out, so nothing was tested")


def test_findings_take_back_nothing_that_was_done_elsewhere(page: Page, own_address: str) -> None:
    page.goto(own_address)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{own_address}?view=cells&version=v1&tab=extra")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.press("e")
    expect(page.get_by_role("status")).to_contain_text("z takes it back")
    page.goto(f"{own_address}?view=cells&version=v1&page=findings")
    expect(page.locator("article[aria-current=true]")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text("Nothing to undo on this page")).to_be_visible()


def opened_item(page: Page) -> str:
    picture = page.get_by_role("dialog", name="Picture")
    expect(picture.locator("img").first).to_be_visible()
    return re.search(r"row=([ap]\d+)", page.url)[1]


def open_red_cell(page: Page, address: str, item: int) -> tuple[str, str]:
    """The address of an open false negative, once it names the item, and that name."""
    page.goto(f"{address}?view=cells&version=v1&tab=extra&concept=red%20cell&item={item}&open=1")
    expect(page).to_have_url(re.compile(r"row=a\d+"))
    return page.url, opened_item(page)


def decide_on(view: pellucid.View, items: slice) -> None:
    """Another reviewer decides on false negatives of v1."""
    version = view.version("v1")
    for item in list(version.gallery("extra", concept="red cell"))[items]:
        view.reviews.decide(version, [item], "right", "Ben")


def test_an_address_leads_to_its_item_after_others_decided(
    page: Page, own_demo: pellucid.Workspace, own_address: str
) -> None:
    """The list of what is new is shorter then, and its items have moved."""
    address, item = open_red_cell(page, own_address, 20)
    decide_on(own_demo.view("cells"), slice(5))
    page.goto(address)
    expect(page).to_have_url(re.compile(r"item=15&.*row="))
    assert opened_item(page) == item


def test_an_item_that_left_the_list_is_shown_alone(
    page: Page, own_demo: pellucid.Workspace, own_address: str
) -> None:
    address, item = open_red_cell(page, own_address, 3)
    decide_on(own_demo.view("cells"), slice(3, 4))
    page.goto(address)
    expect(page.get_by_role("group", name="Filters in use")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"only=items%3A{item}.*row={item}"))
    assert opened_item(page) == item


def test_a_new_selection_begins_at_the_cursor(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}?view=cells&version=v1&tab=extra")
    expect(page.locator("[role=option] img").first).to_be_visible()
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".cell.selected")).to_have_count(4)
    page.keyboard.press("Escape")
    expect(page.locator(".cell.selected")).to_have_count(0)
    for _ in range(2):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator(".cell.selected")).to_have_count(3)


def test_the_viewer_walks_all_errors_of_an_image(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}?view=cells&version=v1&whole=1")
    image = page.locator("button.image").first
    badges = image.locator(".badge b")
    fp, fn = (int(re.search(r"\d+", badges.nth(place).inner_text())[0]) for place in (1, 2))
    assert fp > 0
    assert fn > 0
    image.click()
    expect(page.get_by_text(f"1 of {fp}", exact=True)).to_be_visible()
    for _ in range(fp):
        page.keyboard.press("ArrowRight")
    expect(page.get_by_text(f"1 of {fn}", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("tab=extra"))
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(f"{fp} of {fp}", exact=True)).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("button.image").first).to_be_visible()


def test_steps_in_the_viewer_wait_for_the_other_tabs(page: Page, own_address: str) -> None:
    """The counts of the tabs come last on a slow line; no key is lost until then."""
    page.goto(f"{own_address}?view=cells&version=v1&whole=1")
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/filtered?**", hold, times=1)
    page.locator("button.image").first.click()
    count = page.get_by_text(re.compile(r"^1 of \d+$"))
    expect(count).to_be_visible()
    for _ in range(int(count.inner_text().split()[-1]) + 1):
        page.keyboard.press("ArrowRight")
    held[0].continue_()
    expect(page).to_have_url(re.compile("tab=extra"))
    expect(page.get_by_text(re.compile(r"^2 of \d+$"))).to_be_visible()


def test_images_are_seen_before_any_prediction(
    page: Page, workspace: pellucid.Workspace, served: Served, tmp_path: Path
) -> None:
    view, _ = workspace.add("panels", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m")
    page.goto(f"{served(workspace)}?view=panels&version=m&page=gallery")
    expect(page.get_by_text("b shows them with their annotations")).to_be_visible()
    page.keyboard.press("b")
    images, annotations, _ = view.annotation_tables
    expect(page.locator("button.image")).to_have_count(len(images))
    counts = page.locator(".badge").all_inner_texts()
    assert sum(int(text.split()[0]) for text in counts) == len(annotations)


def test_items_like_another_narrow_no_other_tab(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}?view=cells&version=v1&tab=extra")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("i")
    expect(page).to_have_url(re.compile("only=like"))
    expect(page.get_by_role("group", name="Filters in use")).to_contain_text("of")
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(page.get_by_role("tab").first).not_to_contain_text("of")


def test_all_is_shown_without_the_annotations(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}?view=cells&version=v1")
    first = page.locator("#item-0")
    expect(first.locator("img")).to_be_visible()
    expect(first.locator(".mark")).to_have_count(1)
    expect(first).to_have_accessible_name(re.compile("matched|missing|below|ignored"))
    hint = page.get_by_role("note").filter(has_text="All predictions by score")
    expect(hint).to_contain_text("✓ matches an annotation")
    page.keyboard.press("u")
    expect(hint).to_contain_text("without the annotations")
    expect(page.locator("[role=option] .mark")).to_have_count(0)
    expect(first).not_to_have_accessible_name(re.compile("matched|missing|below|ignored"))
    page.keyboard.press("3")
    expect(page.locator("#item-0 .mark")).to_have_count(1)
    page.keyboard.press("1")
    expect(page.locator("[role=option] .mark")).to_have_count(0)
    page.keyboard.press("u")
    expect(page.locator("#item-0 .mark")).to_have_count(1)


def test_a_filter_that_is_not_of_the_page_is_said(page: Page, own_address: str) -> None:
    page.goto(f"{own_address}?view=cells&version=v1&page=figures&only=file:smear-1")
    expect(page.get_by_text("the filter is of the gallery, not of this page")).to_be_visible()
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page).not_to_have_url(re.compile("only="))
