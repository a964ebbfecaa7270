"""Items are found by a text on the page, where the view has a text model."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import pellucid
import toys
from references.colour_model import colour_model
from references.word_model import word_model

pytestmark = pytest.mark.browser

COLOURS = {"red": (250, 20, 20), "green": (20, 250, 20), "blue": (20, 20, 250)}
VECTORS = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}


@pytest.fixture
def opened(page: Page, tmp_path, served):
    """Nine pictures of three colours, each with an annotation that no prediction matches."""
    images = [f"{number}-{name}.png" for number in range(3) for name in COLOURS]
    shades = np.random.default_rng(0).integers(0, 20, (len(images), 3))
    for image, shade in zip(images, shades.tolist(), strict=True):
        colour = COLOURS[image[2:-4]]
        fill = tuple(abs(part - less) for part, less in zip(colour, shade, strict=True))
        toys.picture(tmp_path / "pictures" / image, colour=fill)
    table = {"image": images, "concept": ["dent"] * 9}
    boxes = {"x": [5.0] * 9, "y": [5.0] * 9, "width": [20.0] * 9, "height": [10.0] * 9}
    workspace = pellucid.open(tmp_path / "w")
    view, _ = workspace.add("v", table | boxes, images=tmp_path / "pictures")
    view.start("m").add_predictions(table | boxes | {"x": [40.0] * 9, "score": [0.9] * 9})
    text_model, tokenizer = word_model(tmp_path, VECTORS)
    view.embed(
        colour_model(tmp_path / "colours.onnx"),
        cache=tmp_path / "cache.sqlite",
        text_model=text_model,
        tokenizer=tokenizer,
    )
    page.goto(f"{served(workspace)}?view=v&version=m&page=similar&tab=extra")
    return page


def test_a_text_leads_to_what_looks_like_it(opened):
    page = opened
    page.get_by_role("searchbox", name="Find what looks like").fill("blue")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text("most like “blue”")
    expect(page.locator("#item-2 img")).to_be_visible()
    for place in range(3):
        page.locator(f"#item-{place}").click()
        expect(page.get_by_text(re.compile(r"\d-blue\.png")).first).to_be_visible()
        page.keyboard.press("Escape")
    page.get_by_role("button", name=re.compile("^Filter")).click()
    field = page.get_by_label("Looks like")
    expect(field).to_have_value("blue")
    field.fill("green")
    page.keyboard.press("Enter")
    expect(page.locator(".chip")).to_contain_text("most like “green”")
