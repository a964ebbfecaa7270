"""The page of a version without scores: no strip, no thresholds, no curves."""

import json

import pytest
from playwright.sync_api import Page, expect

import pellucid
import toys

pytestmark = pytest.mark.browser


def test_page_says_no_scores(page: Page, tmp_path, served):
    view, _ = pellucid.open(tmp_path / "w").add("v", toys.coco(tmp_path))
    found = toys.write(
        tmp_path / "found.json",
        json.dumps([{"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20]}]),
    )
    view.start("m").add_predictions(found, no_scores=True)
    said = []
    page.on("pageerror", lambda error: said.append(str(error)))
    address = served(view.workspace)
    page.goto(f"{address}?view=v&version=m&page=gallery&tab=all")
    expect(page.locator("[role=option] img").first).to_be_visible()
    expect(page.get_by_text("no scores", exact=True)).to_be_visible()
    expect(page.get_by_label("Scores")).to_have_count(0)
    expect(page.get_by_text("By file name")).to_have_count(1)
    page.goto(f"{address}?view=v&version=m&page=figures")
    expect(page.get_by_text("no scores: every prediction counts")).to_be_visible()
    expect(page.get_by_role("region", name="At the thresholds")).to_be_visible()
    expect(page.get_by_text("Metrics by threshold")).to_have_count(0)
    expect(page.get_by_text("Calibration")).to_have_count(0)
    assert said == []
