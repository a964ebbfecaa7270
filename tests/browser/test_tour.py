"""The tour of the gallery: from the footer once, from the help at any time."""

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


@pytest.fixture
def gallery(page: Page, demo, served):
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served(demo)}?view=cells&version=v2&page=gallery&tab=all")
    expect(page.locator("[role=option] img").first).to_be_visible()
    yield page
    assert said == []


def tour(page: Page):
    return page.get_by_role("dialog", name="Tour")


def card(page: Page, title: str):
    return tour(page).get_by_role("heading", name=title)


def offer(page: Page):
    return page.get_by_role("button", name="tour", exact=True)


def test_tour_goes_through_four_steps_and_is_offered_once(gallery: Page):
    offer(gallery).click()
    for title in ("Four lists", "Pictures first", "The exact threshold"):
        expect(card(gallery, title)).to_be_visible()
        tour(gallery).get_by_role("button", name="Next").click()
    expect(card(gallery, "Correct as you look")).to_be_visible()
    expect(tour(gallery).get_by_role("button", name="Done")).to_be_focused()
    gallery.keyboard.press("ArrowLeft")
    expect(card(gallery, "The exact threshold")).to_be_visible()
    gallery.keyboard.press("ArrowRight")
    gallery.keyboard.press("ArrowRight")
    expect(tour(gallery)).to_have_count(0)
    gallery.reload()
    expect(gallery.locator("[role=option] img").first).to_be_visible()
    expect(offer(gallery)).to_have_count(0)


def test_help_offers_the_tour_again_and_escape_ends_it(gallery: Page):
    gallery.keyboard.press("?")
    gallery.get_by_role("button", name="Take the tour").click()
    expect(card(gallery, "Four lists")).to_be_visible()
    gallery.keyboard.press("e")  # a key of the gallery does nothing beneath
    gallery.keyboard.press("Escape")
    expect(tour(gallery)).to_have_count(0)
    expect(gallery.locator("[role=option] img").first).to_be_visible()
