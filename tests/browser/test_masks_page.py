"""Masks in the page: outlines in the list and in the viewer, and where two of them differ."""

import pytest
from playwright.sync_api import Page, expect

from pellucid.evaluation.mask_outlines import mask_path
from references import masks as reference

pytestmark = pytest.mark.browser


@pytest.fixture
def version(tmp_path):
    masked = reference.random_set(2, images=8)
    masked.write(tmp_path, pictures=True)
    return masked.version(tmp_path)[0]


@pytest.fixture
def opened(page: Page, version, served):
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{served(version.view.workspace)}?view=parts&version=m&page=gallery&tab=matched")
    expect(page.locator("[role=option] img").first).to_be_visible()
    yield page
    assert said == []


def outline(page):
    return page.locator("[role=option]").first.locator("svg path.line")


def test_both_outlines_are_drawn_and_their_difference_on_demand(opened):
    page = opened
    cell = page.locator("[role=option]").first
    expect(outline(page)).to_have_count(2)
    expect(cell.locator("svg rect")).to_have_count(0)
    expect(cell.locator("path.line.filled")).to_have_count(1)
    expect(cell.locator("path.line.dashed")).to_have_count(1)
    page.keyboard.press("D")
    expect(cell.locator("path.predicted")).to_have_count(1)
    expect(cell.locator("path.annotated")).to_have_count(1)
    expect(cell.locator("path.line.filled")).to_have_count(0)
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.locator("path.annotated")).to_have_count(1)
    page.keyboard.press("D")
    expect(viewer.locator("path.annotated")).to_have_count(0)
    expect(viewer.locator("g.own path.mask.filled")).to_have_count(1)


def test_paths_are_those_of_the_masks(opened, version):
    evaluation = version.results().evaluation
    item = version.gallery("matched")[0]
    row = next(
        row
        for row, box in enumerate(evaluation.predictions.box.tolist())
        if tuple(box) == item.box and evaluation.predictions.score[row] == item.score
    )
    path = outline(opened).last.get_attribute("d")
    assert path == mask_path(evaluation.predictions.mask, row)
