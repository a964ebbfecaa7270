"""Two versions compared at thresholds of the reader's choice and on some images: the numbers are
those of Python, and lead to their items."""

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from pellucid.browse.query import ListQuery

pytestmark = pytest.mark.browser


@pytest.fixture
def view(workspace):
    """A view of tags with a column, and two versions, the later of which is better."""
    rng = np.random.default_rng(4)
    images = [f"{number:03}.png" for number in range(150)]
    truth = rng.choice(["cat", "dog"], 150)
    weather = ["rain" if number % 3 else "sun" for number in range(150)]
    annotations = {"image": images, "concept": truth.tolist(), "weather": weather}
    view, _ = workspace.add("v", annotations, kind="tagging")
    rows = [(number, concept) for number in range(150) for concept in ("cat", "dog")]
    for name, weight in (("old", 0.3), ("new", 0.6)):
        scores = [
            weight * (truth[number] == concept) + (1 - weight) * rng.random()
            for number, concept in rows
        ]
        view.start(name).add_predictions(
            {
                "image": [images[number] for number, _ in rows],
                "concept": [concept for _, concept in rows],
                "score": scores,
            }
        )
    return view


def compared(view, point, clauses=()):
    older, newer = (
        view.version(name).results().at_point(point).on_images(clauses) for name in ("old", "new")
    )
    return older.compare(newer).overall


def shows(page, overall):
    change = f"{overall.errors.a:,} → {overall.errors.b:,} errors"
    expect(page.locator(".compare .verdict")).to_contain_text(change)


def number_of(page, name):
    lead = page.locator(".lead small").get_by_text(name, exact=True)
    return page.locator(".changes article").filter(has=lead).locator(".lead b")


def test_thresholds_and_images_are_chosen(page: Page, view, served):
    address = served(view.workspace)
    page.goto(f"{address}?view=v&version=new&page=compare&against=old")
    shows(page, compared(view, "errors"))
    page.get_by_label("Thresholds", exact=True).select_option("f1")
    shows(page, compared(view, "f1"))
    page.get_by_label("Thresholds", exact=True).select_option("score")
    shows(page, compared(view, "score:0.5"))
    page.get_by_label("one score for both").fill("0.35")
    page.get_by_label("one score for both").press("Enter")
    overall = compared(view, "score:0.35")
    shows(page, overall)
    expect(page.locator(".compare header").first).to_contain_text("both at a score of 0.35")
    expect(number_of(page, "new false positives")).to_have_text(str(overall.false_alarms_new))

    page.get_by_text("Images +").click()
    page.get_by_label("Property").select_option("weather")
    page.get_by_label("sun").check()
    page.get_by_role("button", name="Only these").click()
    overall = compared(view, "score:0.35", ["where:weather=sun"])
    shows(page, overall)
    expect(page.get_by_text("50 images evaluated by both")).to_be_visible()

    page.reload()
    shows(page, overall)
    page.get_by_role("button", name="Show new false positives").click()
    expected = view.version("new").results().at_point("score:0.35")
    clauses = ("versus:old=alarm_new@score:0.35", "where:weather=sun")
    items = expected.gallery(ListQuery("missing", filters=clauses))
    assert len(items) == overall.false_alarms_new
    expect(page.locator(".chips b")).to_have_text(f"{len(items)}")
    page.go_back()
    page.get_by_role("button", name="Remove the filter weather sun").click()
    shows(page, compared(view, "score:0.35"))


def test_why_there_is_no_comparison_at_a_point(page: Page, view, served):
    address = served(view.workspace)
    page.goto(f"{address}?view=v&version=new&page=compare&against=old&point=f2")
    alert = page.get_by_role("alert").filter(has_text="unknown objective 'f2'")
    expect(alert).to_be_visible()
    expect(page.get_by_text("Comparing…")).to_have_count(0)
    page.get_by_label("Thresholds", exact=True).select_option("errors")
    shows(page, compared(view, "errors"))
    expect(alert).to_have_count(0)
