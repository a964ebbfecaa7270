"""Outlines and keypoints are adjusted in the viewer, with the pointer and with keys."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from pellucid.core.outlines import parse_keypoints
from references import keypoints as posed_reference
from references import masks as masked_reference

pytestmark = pytest.mark.browser


@pytest.fixture
def opened(page: Page, served):
    """Opens the first extra annotation of a version in the viewer."""

    def open_viewer(version):
        page.set_viewport_size({"width": 1440, "height": 900})
        page.add_init_script("localStorage.setItem('pellucid-name', 'Ann')")
        address = served(version.view.workspace)
        page.goto(f"{address}?view=parts&version=m&page=gallery&tab=extra&open=1")
        viewer = page.get_by_role("dialog", name="Picture")
        expect(viewer.locator("img")).to_be_visible()
        return viewer

    return open_viewer


def square_set(tmp_path):
    """One annotated square of 40 by 20 pixels that nothing matches."""
    made = masked_reference.MaskedSet(
        {
            "images": [{"id": 1, "file_name": "1.png", "width": 120, "height": 90}],
            "categories": [{"id": 11, "name": "c11"}],
            "annotations": [],
        }
    )
    part = np.zeros((90, 120), np.uint8)
    part[10:30, 10:50] = 1
    made.document["annotations"].append(
        {
            "id": 1,
            "image_id": 1,
            "category_id": 11,
            "segmentation": masked_reference.encode(part),
            "bbox": [10, 10, 40, 20],
            "area": 800,
            "iscrowd": 0,
        }
    )
    part[:] = 0
    part[60:80, 60:90] = 1
    made.results.append(
        {
            "image_id": 1,
            "category_id": 11,
            "segmentation": masked_reference.encode(part),
            "score": 0.9,
        }
    )
    made.write(tmp_path, pictures=True)
    return made.version(tmp_path)[0]


def saved(page, version):
    """The annotation of the only decision, once the server has it."""
    while not version.view.reviews.history():
        page.wait_for_timeout(50)
    (decision,) = version.view.reviews.history()
    return decision.after[0]


def test_an_outline_is_pulled_at_a_vertex(opened, page, tmp_path):
    version = square_set(tmp_path)
    viewer = opened(version)
    expect(viewer.locator(".handle")).to_have_count(0)  # of the box
    page.keyboard.press("g")
    vertices = viewer.locator(".vertex:not(.middle)")
    expect(vertices).to_have_count(4)
    expect(viewer.locator(".vertex.middle")).to_have_count(4)
    box = vertices.nth(0).bounding_box()
    start = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    scale = viewer.locator("img").bounding_box()["width"] / 120
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(start[0] + 10 * scale, start[1] + 5 * scale, steps=4)
    page.mouse.up()
    expect(viewer.get_by_role("button", name="reset")).to_be_visible()
    page.keyboard.press("e")  # what was adjusted is not right as it was
    assert not version.view.reviews.history()
    page.keyboard.press("w")
    label = saved(page, version)
    mask = version.results(corrected=True).evaluation.annotations.mask
    assert 500 < int(version.results(corrected=True).evaluation.annotations.area[0]) < 780
    assert '"counts"' in label.outline
    assert mask.height[0] == 90


def test_vertices_are_added_removed_and_moved_with_keys(opened, page, tmp_path):
    version = square_set(tmp_path)
    viewer = opened(version)
    viewer.get_by_role("button", name=re.compile("Adjust the outline")).click()
    vertices = viewer.locator(".vertex:not(.middle)")
    expect(vertices).to_have_count(4)
    page.keyboard.press("Insert")
    expect(vertices).to_have_count(5)
    page.keyboard.press("Delete")
    expect(vertices).to_have_count(4)
    page.keyboard.press("]")
    expect(viewer.locator(".vertex.current")).to_have_count(1)
    page.keyboard.press("Shift+ArrowDown")
    expect(viewer.get_by_role("button", name="reset")).to_be_visible()
    page.keyboard.press("Escape")
    expect(vertices).to_have_count(0)
    expect(viewer).to_be_visible()  # Escape discards first, and closes then
    assert not version.view.reviews.history()
    page.keyboard.press("Escape")
    expect(viewer).to_have_count(0)


def test_keypoints_are_moved_and_left_out(opened, page, tmp_path):
    posed = posed_reference.random_set(2, images=8)
    posed.write(tmp_path, pictures=True)
    version, _ = posed.version(tmp_path)
    viewer = opened(version)
    viewer.get_by_role("button", name=re.compile("Adjust the keypoints")).click()
    points = viewer.locator(".vertex")
    labelled = points.count()
    assert labelled > 1
    expect(viewer.locator(".vertex.middle")).to_have_count(0)
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("]")
    page.keyboard.press("Delete")
    page.keyboard.press("w")
    stated = parse_keypoints(saved(page, version).outline)
    assert len(stated.keypoints) == 51
    assert stated.keypoints[5] == 0  # the second point is not labelled any more
