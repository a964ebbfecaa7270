"""Duplicates are shown in pairs on the page, and left out or moved from there."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

import pellucid
import toys

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page: Page, tmp_path, served):
    """Four pictures for training, two of them copied to validation."""
    chance = np.random.default_rng(1)
    root = tmp_path / "images"
    for folder in ("train", "val"):
        (root / folder).mkdir(parents=True)
    for number in range(4):
        pixels = chance.integers(0, 255, (9, 12, 3), np.uint8)
        Image.fromarray(pixels).resize((96, 72)).save(root / f"train/{number}.png")
    for number in range(2):
        shutil.copy(root / f"train/{number}.png", root / f"val/{number}.png")
    names = [*(f"train/{n}.png" for n in range(4)), *(f"val/{n}.png" for n in range(2))]
    rows = "".join(f"{name},cat,{name.split('/')[0]}\n" for name in names)
    source = toys.write(tmp_path / "labels.csv", f"image,label,split\n{rows}")
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", source, images=root)
    scores = {"image": names, "label": ["cat"] * 6, "score": [0.9] * 6}
    view.start("m").add_predictions(scores)
    page.goto(f"{served(workspace)}?view=v&version=m&page=similar")
    page.get_by_role("button", name="Look for duplicates").click()
    return page, view


def test_pairs_are_left_out_and_moved_in_their_place(opened):
    page, view = opened
    region = page.get_by_role("region", name="Duplicates")
    expect(region).to_contain_text("2 pairs of images that look alike in all splits, 2 of them")
    pairs = region.get_by_role("listitem")
    expect(pairs).to_have_count(2)
    expect(pairs.first).to_contain_text(re.compile("training and validation.*identical files"))
    pairs.first.get_by_role("button", name="Leave out").nth(1).click()
    expect(region.get_by_role("status")).to_contain_text("val/0.png: left out")
    expect(pairs.first.get_by_role("button", name="Take in again")).to_be_visible()
    pairs.nth(1).get_by_role("button", name="Move to training").click()
    expect(pairs.nth(1)).to_contain_text("training (was validation)")
    assert view.images_by_split == {"training": 5}
    pairs.first.get_by_role("button", name="Take in again").click()
    expect(pairs.first.get_by_role("button", name="Leave out")).to_have_count(2)
    assert view.images_by_split == {"training": 5, "validation": 1}
    expect(pairs.first).to_contain_text("val/0.png")  # nothing has moved
