"""The first screen of a version: what is wrong with it, walked and decided with the keyboard."""

import re

import pytest
from playwright.sync_api import Page, expect

import pellucid
import toys

pytestmark = pytest.mark.browser


@pytest.fixture
def view(workspace, tmp_path):
    """A detector that never finds rust, of which there is one on each of twelve images."""
    images = [
        {"id": number, "file_name": f"{number}.png", "width": 64, "height": 48}
        for number in range(40)
    ]
    annotations = []
    for number in range(40):
        annotations.append(annotation(number, 1, [4, 4, 20, 20], len(annotations)))
        if number < 12:
            annotations.append(annotation(number, 2, [40, 10, 12, 12], len(annotations)))
    source = toys.coco(tmp_path, images=images, annotations=annotations)
    rows = [
        {"image_id": number, "category_id": 1, "bbox": [4, 4, 20, 20], "score": 0.9 - number / 100}
        for number in range(40)
    ]
    view, _ = workspace.add("panels", source, images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path, rows))
    return view


def annotation(image, category, box, number):
    return {"id": number + 1, "image_id": image, "category_id": category, "bbox": box}


@pytest.fixture
def opened(page: Page, view, served):
    page.goto(served(view.workspace))
    expect(rows(page).first).to_be_visible()
    expect(page.get_by_text("Reading pictures")).to_have_count(0)
    return page


def rows(page):
    return page.get_by_role("article")


def sentences(view, name="m"):
    return [one.sentence for one in view.version(name).results().findings().findings]


def test_the_first_screen_says_what_is_wrong(opened, view):
    page = opened
    found = sentences(view)
    assert "'rust' is never found: 0 of 12 annotations" in found
    expect(rows(page)).to_have_count(len(found))
    for place, sentence in enumerate(found):
        expect(rows(page).nth(place)).to_have_attribute("aria-label", sentence)
    for text in view.version("m").results().findings().not_found:
        expect(page.get_by_text(text)).to_be_visible()
    overall = view.version("m").metrics().overall
    expect(page.locator(".figures")).to_contain_text(toys.fraction(overall.coco["AP"]))
    expect(page.locator(".figures")).to_contain_text(str(overall.errors))


def rust(page):
    return page.get_by_role("article", name=re.compile("'rust' is never found"))


def test_a_row_shows_its_items(opened):
    crops = rust(opened).locator(".crop")
    expect(rust(opened)).to_have_attribute("aria-current", "true")
    expect(crops).to_have_count(12)
    expect(crops.first).to_have_attribute("aria-label", re.compile("^rust, extra annotation"))
    expect(rust(opened).locator(".lead")).to_contain_text("−12")
    expect(rust(opened).locator(".lead")).to_contain_text("at most")


def test_the_keyboard_leads_to_an_item_and_back(opened, view):
    page = opened
    place = next(n for n, text in enumerate(sentences(view)) if "'rust'" in text)
    for _ in range(place):
        page.keyboard.press("ArrowDown")
    expect(rust(page)).to_have_attribute("aria-current", "true")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    expect(rust(page).locator(".crop").nth(1)).to_have_class(re.compile("current"))
    page.keyboard.press("Enter")
    expect(page.get_by_text("2 of 12", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("tab=extra.*item=1.*open=1"))
    page.go_back()
    expect(rust(page)).to_be_visible()
    expect(rust(page).locator(".crop").nth(1)).to_have_class(re.compile("current"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Picture")).to_be_visible()
    page.keyboard.press("Escape")
    expect(rust(page).locator(".crop").nth(1)).to_have_class(re.compile("current"))


def test_the_row_in_focus_is_open(opened, view):
    """It shows more, says what its items gain, and stays where it is when it opens."""
    page = opened
    errors = view.version("m").metrics().overall.errors
    expect(rust(page).locator(".effect")).to_contain_text(
        f"{errors} → at best {errors - 12} errors"
    )
    others = [row for row in rows(page).all() if row.get_attribute("aria-current") == "false"]
    for row in others:
        before = row.bounding_box()["y"]
        row.locator(".sentence").click()
        expect(row).to_have_attribute("aria-current", "true")
        expect(rust(page)).to_have_attribute("aria-current", "false")
        expect(rust(page).locator(".effect")).to_have_count(0)
        assert abs(row.bounding_box()["y"] - before) < 200


def test_dismissing_is_undone(opened):
    page = opened
    page.keyboard.press("x")
    expect(rust(page)).to_contain_text("Reopen")
    page.keyboard.press("z")
    expect(rust(page)).not_to_contain_text("Reopen")


def test_a_finding_is_reviewed_with_one_key(opened):
    page = opened
    expect(rust(page)).to_have_attribute("aria-current", "true")
    page.keyboard.press("r")
    expect(page.get_by_role("toolbar", name="Review")).to_be_visible()
    expect(page.get_by_role("listbox")).to_have_attribute("aria-label", "Items, 12 in all")


def test_all_items_of_a_finding(opened):
    rust(opened).get_by_role("button", name="Look at the false negatives 12").click()
    expect(opened.get_by_role("listbox")).to_have_attribute("aria-label", "Items, 12 in all")
    expect(opened.locator(".summary h1")).to_have_text("rust")


def test_dismissed_as_known_is_kept(opened, view):
    page = opened
    before = [one.get_attribute("aria-label") for one in rows(page).all()]
    rust(page).get_by_role("button", name="Known", exact=True).click()
    expect(rust(page)).to_contain_text("Reopen")
    expect(rust(page).locator(".crop")).to_have_count(0)
    assert [one.get_attribute("aria-label") for one in rows(page).all()] == before
    page.reload()
    expect(rust(page)).to_contain_text("Reopen")
    group = page.get_by_role("region", name="For the next training").get_by_role("article")
    expect(group.last).to_contain_text("'rust'")
    rust(page).get_by_role("button", name="Reopen").click()
    expect_crops(page, 12)
    page.reload()
    expect_crops(page, 12)


def expect_crops(page, number):
    """Crops are read when they are in view, and rows above them may still grow."""
    crops = rust(page).locator(".crop")
    for _ in range(1200):
        rust(page).scroll_into_view_if_needed()
        if crops.count() == number:
            return
        page.wait_for_timeout(100)
    expect(crops).to_have_count(number)


def test_one_concept_shows_its_findings(opened):
    address = f"{opened.url.split('?')[0]}?page=findings&view=panels&version=m"
    opened.goto(f"{address}&concept=rust")
    expect(rust(opened)).to_be_visible()
    opened.goto(f"{address}&concept=dent")
    expect(opened.get_by_role("region", name="Looked for and not found")).to_be_visible()
    expect(rust(opened)).to_have_count(0)
    expect(opened.locator(".figures")).to_have_count(0)


def test_a_correction_is_followed(opened, view):
    """Twelve false negatives less once their annotations are removed."""
    version = view.version("m")
    for item in list(version.gallery("extra", concept="rust")):
        view.reviews.decide(version, [item], "wrong", "Ann")
    opened.goto(f"{opened.url.split('?')[0]}?page=findings&view=panels&version=m&corrected=1")
    expect(opened.get_by_role("region", name="Looked for and not found")).to_be_visible()
    expect(rust(opened)).to_have_count(0)


def test_a_later_version_says_what_broke(page: Page, view, served, tmp_path):
    rows_of_new = [
        {"image_id": number, "category_id": 1, "bbox": [4, 4, 20, 20], "score": 0.8}
        for number in range(20)
    ]
    view.start("new").add_predictions(toys.results(tmp_path, rows_of_new, "new.json"))
    page.goto(f"{served(view.workspace)}?page=findings&view=panels&version=new")
    group = page.get_by_role("region", name="Since the baseline")
    expect(group).to_contain_text("Since the baseline: m")
    expect(group.get_by_role("article").first).to_contain_text("makes more errors than m")
    expect(page.locator(".figures")).to_contain_text("▲")


def test_nothing_wrong_is_said(page: Page, workspace, served, tmp_path):
    view, _ = workspace.add("panels", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("m").add_predictions(toys.results(tmp_path))
    page.goto(served(pellucid.open(workspace.folder)))
    expect(page.get_by_text("Nothing significant is wrong here.")).to_be_visible()


def test_pictures_are_decided_on_in_their_finding(opened, view):
    page = opened
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.reload()
    expect(rows(page).first).to_be_visible()
    expect(page.get_by_text("Reading pictures")).to_have_count(0)
    before = rows(page).evaluate_all("all => all.map(one => one.ariaLabel)")
    never = page.get_by_role("article", name=re.compile("'rust' is never found"))
    crops = never.locator(".crop")
    never.get_by_role("button", name=re.compile("Known")).focus()
    expect(never).to_have_attribute("aria-current", "true")
    expect(crops.first.locator("img")).to_be_visible()
    verdicts = never.get_by_role("group", name="Verdict on the picture")
    expect(verdicts.get_by_role("button")).to_have_text(
        [re.compile("Remove label"), re.compile("Label is right")]
    )
    page.keyboard.press("e")
    expect(crops.first).to_have_accessible_name(re.compile("Label is right"))
    expect(crops.nth(1)).to_have_class(re.compile("current"))
    expect(never.get_by_text("1 of 12 reviewed")).to_be_visible()
    verdicts.get_by_role("button", name=re.compile("Remove label")).click()
    expect(never.get_by_text("2 of 12 reviewed")).to_be_visible()
    assert rows(page).evaluate_all("all => all.map(one => one.ariaLabel)") == before
    page.keyboard.press("z")
    expect(never.get_by_text("1 of 12 reviewed")).to_be_visible()
    page.keyboard.press("z")
    expect(never.get_by_text("reviewed")).to_have_count(0)
    expect(crops.first).not_to_have_accessible_name(re.compile("Label is right"))
    page.keyboard.press("Z")
    expect(never.get_by_text("1 of 12 reviewed")).to_be_visible()


def test_a_split_without_annotations_is_not_called_faultless(
    page: Page, workspace, tmp_path, served
):
    images = [{"id": n, "file_name": f"{n}.png", "width": 64, "height": 48} for n in range(4)]
    view, _ = workspace.add("bare", toys.coco(tmp_path, images=images, annotations=[]))
    rows = [{"image_id": n, "category_id": 1, "bbox": [4, 4, 9, 9], "score": 0.5} for n in range(4)]
    view.start("m").add_predictions(toys.results(tmp_path, rows))
    page.goto(served(workspace))
    expect(page.get_by_text("There are no annotations on validation")).to_be_visible()
    expect(page.get_by_text("Nothing significant is wrong")).to_have_count(0)
