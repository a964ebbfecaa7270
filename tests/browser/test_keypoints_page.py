"""Keypoints in the page: skeletons, the way from annotated to predicted points, OKS by its name."""

import re

import pytest
from playwright.sync_api import Page, expect

from references import keypoints as reference

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page: Page, tmp_path, served):
    posed = reference.random_set(2, images=8)
    posed.write(tmp_path, pictures=True)
    version, _ = posed.version(tmp_path)
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    address = served(version.view.workspace)
    page.goto(f"{address}?view=parts&version=m&page=gallery&tab=matched")
    expect(page.locator("[role=option] img").first).to_be_visible()
    yield page
    assert said == []


def test_skeletons_and_errors_are_drawn(opened):
    page = opened
    cell = page.locator("[role=option]").first
    expect(cell.locator("svg path.line")).to_have_count(2)
    path = cell.locator("svg path.line").last.get_attribute("d")
    assert len(re.findall(r"M[^M]*m", path)) >= 17, "a mark a point"
    assert "L" in path.split("m", maxsplit=1)[0], "lines of the skeleton first"
    page.keyboard.press("D")
    expect(cell.locator("path.errors")).to_have_count(1)
    expect(cell.locator("path.predicted")).to_have_count(0)
    page.keyboard.press("Enter")
    viewer = page.get_by_role("dialog", name="Picture")
    expect(viewer.locator("path.errors")).to_have_count(1)
    expect(viewer.get_by_text(re.compile(r"OKS \.\d{3} with its annotation"))).to_be_visible()
    page.keyboard.press("D")
    expect(viewer.locator("path.errors")).to_have_count(0)


def test_similarity_is_called_by_its_name(opened):
    page = opened
    page.get_by_role("button", name="Figures", exact=True).click()
    expect(page.locator("abbr", has_text="OKS")).to_be_visible()
