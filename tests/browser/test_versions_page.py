"""The overview of a view's versions: the first screen, comparing two, renaming and removing."""

import re

import pytest
from playwright.sync_api import Page, expect

import toys
from pellucid.browse.query import ListQuery

pytestmark = pytest.mark.browser


@pytest.fixture
def view(workspace, tmp_path):
    """Two versions with predictions, the newer one with an error fewer, and one that waits."""
    view, _ = workspace.add("panels", toys.coco(tmp_path), images=tmp_path / "images")
    rows = [
        {"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 11, "category_id": 2, "bbox": [40, 5, 10, 10], "score": 0.8},
    ]
    view.start("first").add_predictions(toys.results(tmp_path, rows[:1], "first.json"))
    view.start("second").add_predictions(toys.results(tmp_path, rows, "second.json"))
    view.start("waiting")
    return view


@pytest.fixture
def opened(page: Page, view, served):
    page.goto(served(view.workspace))
    expect(page.get_by_role("heading", name="Versions of panels")).to_be_visible()
    return page


def row(page, version):
    return page.get_by_role("row").filter(has=page.get_by_role("button", name=version, exact=True))


def test_several_versions_are_the_first_screen(opened, view):
    page = opened
    names = page.locator(".versions .name")
    expect(names).to_have_text(["waiting", "second", "first"])
    for name in ("first", "second"):
        overall = view.version(name).metrics().overall
        expect(row(page, name)).to_contain_text(toys.fraction(overall.coco["AP"]))
        expect(row(page, name).locator(".number b").nth(2)).to_have_text(str(overall.errors))
    expect(row(page, "second")).to_contain_text("▼ 1")
    expect(row(page, "waiting")).to_contain_text("pellucid predictions new.pellucid panels waiting")
    expect(page.get_by_role("img", name="Errors (FP + FN): first 2, second 1")).to_be_visible()
    page.get_by_role("button", name="first", exact=True).click()
    expect(page.get_by_role("region", name="Looked for and not found")).to_be_visible()
    expect(page.get_by_label("Version")).to_have_value("first")
    page.keyboard.press("V")
    expect(page.get_by_role("heading", name="Versions of panels")).to_be_visible()


def test_changes_are_counted_from_the_chosen_baseline(opened, view, tmp_path):
    page = opened
    expect(row(page, "second")).to_contain_text("▼ 1")
    page.get_by_label("Changes from").select_option("second")
    expect(row(page, "second")).not_to_contain_text(re.compile("▼|▲"))
    expect(row(page, "first")).to_contain_text("▲ 1")
    page.get_by_label("Changes from").select_option("the version before")
    expect(row(page, "second")).to_contain_text("▼ 1")


def test_two_ticked_versions_are_compared(opened, view):
    page = opened
    expect(page.get_by_label("Compare waiting")).to_be_disabled()
    page.get_by_label("Compare second").check()
    page.get_by_label("Compare first").check()
    expect(page.locator(".pair")).to_contain_text("first → second")
    expect(page.locator(".pair")).to_contain_text("1 fixed, 0 broken, 1 errors fewer")
    page.get_by_role("button", name="Compare", exact=True).last.click()
    expect(page.locator(".compare .verdict")).to_contain_text("second: no difference: 2 → 1 errors")
    expect(page.get_by_label("candidate")).to_have_value("second")


def test_concepts_whose_ap_changed_most(page: Page, demo, demo_address):
    page.goto(f"{demo_address}?view=cells&version=v2&page=versions")
    rose = page.get_by_role("region", name="AP rose most")
    earlier, later = (
        {one.concept: one.ap for one in demo.view("cells").version(name).metrics().concepts}
        for name in ("v1", "v2")
    )
    changes = sorted(later, key=lambda name: earlier[name] - later[name])
    expect(rose.get_by_role("button")).to_have_count(len(changes))
    for row, name in zip(rose.get_by_role("button").all(), changes, strict=True):
        expect(row).to_contain_text(name)
        expect(row).to_contain_text(
            f"{toys.fraction(earlier[name])} → {toys.fraction(later[name])}"
        )
    rose.get_by_role("button").first.click()
    expect(page.locator(".summary h1")).to_have_text(changes[0])


def test_versions_are_renamed_and_removed(opened, view):
    page = opened
    page.get_by_role("button", name="Rename first").click()
    page.get_by_label("New name").fill("second")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("alert")).to_contain_text("already exists")
    page.get_by_label("New name").fill("baseline")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.locator(".versions .name")).to_have_text(["waiting", "second", "baseline"])
    page.get_by_role("button", name="Remove waiting").click()
    page.get_by_role("button", name="Cancel").click()
    assert "waiting" in view.versions
    page.get_by_role("button", name="Remove waiting").click()
    page.get_by_role("button", name="Remove the version").click()
    expect(page.locator(".versions .name")).to_have_text(["second", "baseline"])
    assert sorted(view.versions) == ["baseline", "second"]


def test_versions_are_ticked_with_keys_and_stay_so(opened):
    page = opened
    expect(page.locator(".versions .name")).to_have_count(3)
    for key in ("ArrowDown", "ArrowDown", "x", "ArrowDown", "x"):
        page.keyboard.press(key)
    pair = page.locator(".pair b")
    expect(pair).to_have_text("first → second")
    expect(page).to_have_url(re.compile("ticked=first"))
    page.reload()
    expect(pair).to_have_text("first → second")
    page.get_by_label("Compare first").uncheck()
    expect(pair).to_have_count(0)
    page.get_by_label("Compare first").check()
    page.keyboard.press("F")
    expect(page.locator(".figures")).to_be_visible()
    page.go_back()
    expect(pair).to_have_text("first → second")


def test_the_view_is_renamed_and_removed(opened, view):
    page, workspace = opened, view.workspace
    page.get_by_role("button", name="Rename the view").click()
    page.get_by_label("New name").fill("boards")
    page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="Versions of boards")).to_be_visible()
    assert workspace.views == ["boards"]
    page.get_by_role("button", name="Remove the view").click()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Remove the view").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove the view").click()
    expect(page.get_by_text("This workspace has no view yet.")).to_be_visible()
    assert workspace.views == []


def test_one_version_opens_with_its_findings(page: Page, workspace, tmp_path, served):
    view, _ = workspace.add("panels", toys.coco(tmp_path), images=tmp_path / "images")
    view.start("only").add_predictions(toys.results(tmp_path))
    page.goto(served(workspace))
    expect(page.get_by_role("region", name="Looked for and not found")).to_be_visible()
    page.keyboard.press("G")
    expect(page.locator("[role=option] img").first).to_be_visible()
    page.keyboard.press("V")
    expect(page.locator(".versions .name")).to_have_text(["only"])


def test_another_iou_is_matched_again(page: Page, view, served):
    version = view.version("second")
    page.goto(f"{served(view.workspace)}?view=panels&version=second&tab=extra")
    page.get_by_role("button", name="Filter +").click()
    control = page.get_by_label("IoU", exact=True)
    expect(control).to_have_value("0.5")
    for iou in ("0.95", "0.5"):
        control.select_option(iou)
        results = version.results(iou=float(iou))
        for mark, tab in (("−", "extra"), ("+", "missing")):
            number = len(results.gallery(ListQuery(tab)))
            expect(page.locator(f".counts .{tab}")).to_have_text(f"{mark} {number}")
    control.select_option("0.95")
    expect(page.get_by_text("matched again at IoU 0.95")).to_be_visible()
    expect(page.get_by_role("button", name="Review")).to_have_count(0)
    expect(page).to_have_url(re.compile("iou=0.95"))
    page.reload()
    page.get_by_role("button", name="Back to 0.5").click()
    page.get_by_role("button", name="Filter +").click()
    expect(control).to_have_value("0.5")


def test_a_missing_box_is_drawn_in_the_viewer(page: Page, view, served):
    address = served(view.workspace)
    page.goto(address)
    page.evaluate("localStorage.setItem('pellucid-name', 'Ann')")
    page.goto(f"{address}?view=panels&version=second&tab=all&open=1")
    stage = page.get_by_role("dialog", name="Picture").locator(".stage")
    expect(stage.locator("img")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("Draw a box around the object")).to_be_visible()
    frame = stage.locator("img").bounding_box()
    scale = frame["width"] / 64
    page.mouse.move(frame["x"] + 2 * scale, frame["y"] + 30 * scale)
    page.mouse.down()
    page.mouse.move(frame["x"] + 12 * scale, frame["y"] + 45 * scale, steps=4)
    page.mouse.up()
    expect(page.get_by_text("10 × 15 px")).to_be_visible()
    page.get_by_label("Concept of the new box").select_option("rust")
    page.get_by_role("button", name="Add label").click()
    expect(page.get_by_text("takes it back").first).to_be_visible()
    [decision] = view.reviews.log.decisions.values()
    assert (decision.action, decision.after[0].concept) == ("add", "rust")
    assert decision.after[0].box == pytest.approx((2, 30, 10, 15), abs=0.6)
    corrected = view.version("second").results(corrected=True)
    assert len(corrected.evaluation.annotations) == 4
    expect(stage.locator("g.drawn")).to_have_text(re.compile(r"rust\s+· added"))
    page.keyboard.press("z")
    expect(stage.locator("g.drawn")).to_have_count(0)
    expect(page.get_by_text("Z brings it back").first).to_be_visible()
    assert len(view.version("second").results(corrected=True).evaluation.annotations) == 3


def test_a_concept_without_annotations_has_no_figures(page: Page, workspace, tmp_path, served):
    view, _ = workspace.add(
        "panels", toys.coco(tmp_path), images=tmp_path / "images", ignore_concepts=["rust"]
    )
    view.start("only").add_predictions(toys.results(tmp_path))
    page.goto(f"{served(workspace)}?view=panels&version=only&concept=rust")
    summary = page.locator(".summary")
    expect(summary).to_contain_text("not annotated: ignored, counts in no figure")
    expect(summary.locator(".counts")).to_have_count(0)
    rust = page.get_by_role("navigation", name="Concepts").get_by_role("button", name="rust")
    expect(rust).to_contain_text("not annotated: ignored")
    page.get_by_role("navigation", name="Concepts").get_by_role("button", name="dent").click()
    expect(summary).to_contain_text("errors")


def test_concepts_that_the_annotations_lack_are_mapped(page: Page, workspace, served, tmp_path):
    view, _ = workspace.add("panels", toys.coco(tmp_path), images=tmp_path / "images")
    names = [concept.name for concept in view.manifest.concepts]
    image = str(view.annotation_tables[0].path[0])
    written = [names[0], f"{names[0]}s", "unicorn"]
    predictions = {"image": [image] * 3, "concept": written, "score": [0.9, 0.8, 0.7]}
    predictions |= {side: [10.0, 60.0, 120.0] for side in ("x", "y")}
    predictions |= {side: [20.0] * 3 for side in ("width", "height")}
    view.start("m").add_predictions(predictions, ignore_concepts=["*"])
    page.goto(f"{served(workspace)}?view=panels&version=m&page=gallery")
    page.get_by_role("button", name=re.compile("notes?$")).click()
    page.get_by_role("button", name="Map concepts that the annotations lack").click()
    dialog = page.get_by_role("dialog", name="Map concepts of m")
    expect(dialog.get_by_label(f"Count {written[1]} as")).to_have_value(names[0])
    expect(dialog.get_by_label("Count unicorn as")).to_have_value("")
    dialog.get_by_role("button", name="Map 1 concept").click()
    expect(dialog).to_have_count(0)
    assert len(view.version("m").gallery("all", names[0])) == 2
    expect(page.get_by_role("option", name=re.compile(re.escape(names[0]))).first).to_be_visible()


def test_the_key_compares_the_ticked_versions(opened, view, tmp_path):
    rows = [{"image_id": 12, "category_id": 1, "bbox": [0, 0, 30, 30], "score": 0.9}]
    view.start("third").add_predictions(toys.results(tmp_path, rows, "third.json"))
    page = opened
    page.reload()
    page.get_by_label("Compare third").check()
    page.get_by_label("Compare first").check()
    page.keyboard.press("C")
    expect(page.get_by_label("Baseline")).to_have_value("first")
    expect(page.get_by_label("→ candidate")).to_have_value("third")
    expect(page.locator(".summary")).not_to_contain_text("errors")  # those of its own thresholds
