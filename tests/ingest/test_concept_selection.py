"""Concepts that the annotations lack, renamed concepts, and imports of some concepts only."""

from __future__ import annotations

import json

import numpy as np
import pytest

import toys
from pellucid.browse.query import ListQuery
from pellucid.core.errors import MalformedFileError
from pellucid.ingest.errors import (
    AnnotatedConceptError,
    ClassSelectionError,
    ContradictorySelectionError,
    OtherSplitError,
    TooManyIgnoredError,
    UnknownFileConceptError,
)
from pellucid.review.resolve import Edit

BOX = {"x": 0, "y": 0, "width": 10, "height": 10}
ANNOTATIONS = "image,concept,x,y,width,height\na.png,TV,0,0,10,10\na.png,dog,30,0,10,10\n"


def table(path, rows, boxes=True):
    """A CSV of predictions: (image, concept, score) at the annotated boxes."""
    header = "image,concept,score" + (",x,y,width,height" if boxes else "")
    lines = [f"{i},{c},{s}" + (",0,0,10,10" if boxes else "") for i, c, s in rows]
    return toys.write(path, "\n".join([header, *lines, ""]))


@pytest.fixture
def view(workspace, tmp_path):
    return workspace.add("v", toys.write(tmp_path / "gt.csv", ANNOTATIONS), kind="detection")[0]


def outcomes(version, **query):
    items = version.gallery("all", threshold=0.0, **query)
    return sorted((item.concept, item.outcome) for item in items)


def test_concepts_that_the_annotations_lack_are_kept_as_ignored(view, tmp_path):
    rows = [("a.png", "TV", 0.9), ("a.png", "dog", 0.8), ("a.png", "cat", 0.7)]
    version = view.version_or_draft("m")
    notes = version.add_predictions(table(tmp_path / "p.csv", rows))
    assert [(note.kind, note.count) for note in notes if note.severity == "warning"] == [
        ("concept_unknown", 1)
    ]
    assert outcomes(version) == [("TV", "matched"), ("cat", "ignored"), ("dog", "missing")]
    assert outcomes(version, concept="cat") == [("cat", "ignored")]
    assert [item.concept for item in version.gallery("missing", threshold=0.0)] == ["dog"]
    metrics = version.metrics()
    assert [concept.concept for concept in metrics.concepts] == ["TV", "dog"]
    assert list(version.thresholds) == ["TV", "dog"]
    assert metrics.overall.errors == 1  # the dog that was not found


def test_figures_are_those_without_the_ignored_concept(view, tmp_path):
    known = [("a.png", "TV", 0.9), ("a.png", "dog", 0.8)]
    with_cat = view.version_or_draft("with")
    with_cat.add_predictions(table(tmp_path / "with.csv", [*known, ("a.png", "cat", 0.95)]))
    without = view.version_or_draft("without")
    without.add_predictions(table(tmp_path / "without.csv", known))
    assert with_cat.metrics() == without.metrics()
    assert with_cat.results(iou=0.9).metrics() == without.results(iou=0.9).metrics()
    assert with_cat.results().causes() == without.results().causes()


@pytest.mark.parametrize("engine", ["local", "processes"])
def test_evaluating_again_keeps_them_ignored(view, tmp_path, engine):
    rows = [("a.png", "TV", 0.9), ("a.png", "dog", 0.8), ("a.png", "cat", 0.7)]
    version = view.version_or_draft("m")
    version.add_predictions(table(tmp_path / "p.csv", rows))
    before = outcomes(version)
    version.evaluate(engine, workers=1)
    assert outcomes(version) == before


def test_a_second_file_adds_to_the_ignored_concepts(workspace, tmp_path):
    annotations = ANNOTATIONS + "b.png,TV,0,0,10,10\n"
    view, _ = workspace.add("v", toys.write(tmp_path / "gt.csv", annotations), kind="detection")
    version = view.version_or_draft("m")
    for image, foreign in (("a.png", "cat"), ("b.png", "owl")):
        rows = [(image, "TV", 0.9), (image, "TV", 0.5), (image, foreign, 0.8)]
        version.add_predictions(table(tmp_path / f"{foreign}.csv", rows), covered="listed")
    assert [c for c in outcomes(version) if c[1] == "ignored"] == [
        ("cat", "ignored"),
        ("owl", "ignored"),
    ]
    assert version.metrics().overall.coco["AP50"] == pytest.approx(0.5)


def test_tags_that_the_annotations_lack_are_ignored(workspace, tmp_path):
    source = toys.write(tmp_path / "gt.csv", "image,concept\na.png,TV\na.png,dog\nb.png,dog\n")
    view, _ = workspace.add("v", source, kind="tagging")
    version = view.version_or_draft("m")
    rows = [
        ("a.png", "TV", 0.9),
        ("a.png", "dog", 0.8),
        ("a.png", "cat", 0.7),
        ("b.png", "TV", 0.1),
    ]
    version.add_predictions(table(tmp_path / "p.csv", rows, boxes=False))
    assert ("cat", "ignored") in outcomes(version)
    assert [concept.concept for concept in version.metrics().concepts] == ["TV", "dog"]


def test_an_import_that_would_ignore_a_third_stops(view, tmp_path):
    rows = [("a.png", "tele", 0.9), ("a.png", "dogs", 0.8), ("a.png", "dog", 0.5)]
    path = table(tmp_path / "p.csv", rows)
    with pytest.raises(TooManyIgnoredError, match=r"2 of 3 predictions .* --map 'dogs=dog'"):
        view.version_or_draft("m").add_predictions(path)
    assert view.versions == []
    view.version_or_draft("m").add_predictions(path, rename={"dogs": "dog"}, concepts=["dog"])
    view.version_or_draft("n").add_predictions(path, ignore_concepts=["tele", "dogs"])


@pytest.mark.parametrize("spelling", ["tvs", "T.V.", "Ｔｖ"])
def test_other_spellings_are_suggested_and_can_be_mapped(view, tmp_path, spelling):
    rows = [("a.png", "dog", 0.8), ("a.png", "dog", 0.7), ("a.png", spelling, 0.9)]
    path = table(tmp_path / "p.csv", rows)
    notes = view.version_or_draft("m").add_predictions(path)
    assert any(f"--map '{spelling}=TV'" in note.message for note in notes)
    renamed = view.version_or_draft("renamed")
    renamed.add_predictions(path, rename={spelling: "TV"})
    assert ("TV", "matched") in outcomes(renamed)


def test_only_some_concepts_of_predictions(view, tmp_path):
    rows = [("a.png", "TV", 0.9), ("a.png", "dog", 0.8), ("a.png", "cat", 0.7)]
    version = view.version_or_draft("m")
    notes = version.add_predictions(table(tmp_path / "p.csv", rows), concepts=["TV"])
    assert ("concepts_left_out", 2) in [(note.kind, note.count) for note in notes]
    assert outcomes(version) == [("TV", "matched")]


def test_unknown_names_and_annotated_concepts_are_refused(view, tmp_path):
    path = table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("a.png", "dog", 0.8)])
    draft = view.version_or_draft("m")
    with pytest.raises(UnknownFileConceptError, match="Did you mean 'dog'"):
        draft.add_predictions(path, rename={"dogs": "TV"})
    with pytest.raises(UnknownFileConceptError, match="in the version"):
        draft.add_predictions(path, rename={"dog": "wolf"})
    with pytest.raises(UnknownFileConceptError, match="--concepts"):
        draft.add_predictions(path, concepts=["wolf"])
    with pytest.raises(AnnotatedConceptError, match="--concepts"):
        draft.add_predictions(path, ignore_concepts=["dog"])
    assert view.versions == []


def test_annotations_are_renamed_merged_and_left_out(workspace, tmp_path):
    text = ANNOTATIONS + "b.png,tv,0,0,10,10\nb.png,cat,30,0,10,10\n"
    source = toys.write(tmp_path / "gt.csv", text)
    view, notes = workspace.add(
        "v", source, kind="detection", rename={"tv": "TV"}, ignore_concepts=["cat"]
    )
    assert [concept.name for concept in view.manifest.concepts] == ["TV", "dog"]
    assert ("concepts_left_out", 1) in [(note.kind, note.count) for note in notes]
    images, annotations, _ = view.annotation_tables
    assert np.bincount(annotations.concept).tolist() == [2, 1]
    assert len(images) == 2
    version = view.version_or_draft("m")  # the concept left out is no surprise in predictions
    version.add_predictions(
        table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("b.png", "cat", 0.8)])
    )
    assert ("cat", "ignored") in outcomes(version)


def test_an_image_that_loses_its_class_is_not_annotated(workspace, tmp_path):
    source = toys.write(tmp_path / "gt.csv", "image,concept\na.png,TV\nb.png,dog\n")
    view, _ = workspace.add("v", source, concepts=["TV"])
    version = view.version_or_draft("m")
    version.add_predictions(
        table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("b.png", "TV", 0.8)], boxes=False)
    )
    items = version.gallery("all", threshold=0.0)
    assert sorted((item.image, item.outcome) for item in items) == [
        ("a.png", "matched"),
        ("b.png", "ignored"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "From,To\ntv,TV\n",
        '{"tv": "TV"}',
        "tv,TV\n",
        "from,to\ntv,TV\n",
        "\ufefffrom,to\r\ntv,TV\r\n",
    ],
)
def test_map_files_from_the_command_line(tmp_path, text):
    toys.write(tmp_path / "gt.csv", ANNOTATIONS)
    table(tmp_path / "p.csv", [("a.png", "tv", 0.9), ("a.png", "dog", 0.8)])
    (tmp_path / "map").write_text(text, encoding="utf-8")
    added = toys.run_cli("add", "w", "v", "gt.csv", "--kind", "detection", cwd=tmp_path)
    assert added.returncode == 0, added.stderr
    result = toys.run_cli("predictions", "w", "v", "m", "p.csv", "--map-file", "map", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    listed = toys.run_cli("gallery", "w", "v", "m", "--tab", "matched", "--json", cwd=tmp_path)
    assert [item["concept"] for item in json.loads(listed.stdout)["items"]] == ["TV"]


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{" * 9, "{", '{"a": 1}', "a,b,c\n", '{"a": "b", "a": "c"}', "a,\n"]
)
def test_unreadable_map_files_are_refused(tmp_path, text):
    from pellucid.ingest.map_file import load_map_file

    path = tmp_path / "map"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MalformedFileError, match="map"):
        load_map_file(path)


def test_a_correction_that_annotates_an_ignored_concept_counts_it(view, tmp_path):
    rows = [("a.png", "TV", 0.9), ("a.png", "dog", 0.8), ("a.png", "cat", 0.7)]
    version = view.version_or_draft("m")
    version.add_predictions(table(tmp_path / "p.csv", rows))
    [dog] = version.gallery("extra", concept="dog")
    view.reviews.decide(version, [dog], "wrong", "ada", Edit(concept="cat"))
    corrected = version.results(corrected=True, thresholds=0.5)
    assert [concept.concept for concept in corrected.metrics().concepts] == ["TV", "dog", "cat"]
    missing = corrected.gallery(ListQuery("missing"))
    assert [item.concept for item in missing] == ["dog", "cat"]


def test_files_of_other_encodings(tmp_path):
    from pellucid.ingest.map_file import load_map_file

    path = tmp_path / "map"
    path.write_text("tv,TV\n", encoding="utf-16")
    assert load_map_file(path) == {"tv": "TV"}
    path.write_bytes("fl\u00e4che,b\n".encode("latin-1"))
    with pytest.raises(MalformedFileError, match="invalid UTF-8 at byte 2"):
        load_map_file(path)


def test_contradictions_are_refused(view, tmp_path):
    path = table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("a.png", "dog", 0.8)])
    with pytest.raises(ContradictorySelectionError, match="'dog'"):
        view.version_or_draft("m").add_predictions(path, concepts="dog", ignore_concepts="dog")
    words = ("predictions", view.workspace.folder, "v", "m", path)
    twice = toys.run_cli(*words, "--map", "dog=TV", "--map", "dog=dog")
    assert (twice.returncode, "renamed twice" in twice.stderr) == (2, True)


def test_classes_of_a_classifier_cannot_be_ignored(workspace, tmp_path):
    source = toys.write(tmp_path / "gt.csv", "image,concept\na.png,TV\nb.png,dog\n")
    view, _ = workspace.add("v", source)
    path = table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("b.png", "car", 0.8)], boxes=False)
    with pytest.raises(ClassSelectionError, match="--concepts"):
        view.version_or_draft("m").add_predictions(path, ignore_concepts=["car"])


def test_everything_may_be_ignored_if_asked_for(view, tmp_path):
    path = table(tmp_path / "p.csv", [("a.png", "cat", 0.9)])
    version = view.version_or_draft("m")
    version.add_predictions(path, ignore_concepts=["*"])
    assert outcomes(version) == [("cat", "ignored")]
    assert version.metrics().overall.errors == 2


def test_two_spellings_read_as_one_concept_are_said(view, tmp_path):
    rows = [("a.png", "TV", 0.9), ("a.png", "tv", 0.8), ("a.png", "dog", 0.7)]
    notes = view.version_or_draft("m").add_predictions(table(tmp_path / "p.csv", rows))
    assert "concepts_merged" in [note.kind for note in notes if note.severity == "warning"]


def test_a_split_that_the_file_does_not_speak_of(view, tmp_path):
    version = view.version_or_draft("m")
    path = table(tmp_path / "p.csv", [("a.png", "TV", 0.9), ("a.png", "dog", 0.8)])
    version.add_predictions(path)
    view.add(
        toys.write(
            tmp_path / "more.csv", "image,split,concept,x,y,width,height\nt.png,test,TV,0,0,9,9\n"
        )
    )
    later = view.version_or_draft("later")
    for replace in (False, True):
        with pytest.raises(OtherSplitError, match="test"):
            later.add_predictions(path, split="test", replace=replace)
    assert "later" not in view.versions


def test_doctor_takes_the_same_options_and_prints_them(tmp_path):
    toys.write(tmp_path / "gt.csv", ANNOTATIONS)
    table(
        tmp_path / "p.csv", [("a.png", "tele", 0.9), ("a.png", "dog", 0.8), ("a.png", "owl", 0.7)]
    )
    stopped = toys.run_cli("doctor", "gt.csv", "p.csv", cwd=tmp_path)
    assert (stopped.returncode, "--map FROM=TO" in stopped.stdout) == (3, True)
    options = ("--map", "tele=TV", "--ignore-concept", "owl")
    done = toys.run_cli("doctor", "gt.csv", "p.csv", *options, cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "p.csv --map tele=TV --ignore-concept owl" in done.stdout


def test_open_takes_the_options_that_its_refusal_names(tmp_path):
    toys.write(tmp_path / "gt.csv", ANNOTATIONS)
    rows = [("a.png", "tele", 0.9), ("a.png", "dog", 0.8)]
    table(tmp_path / "p.csv", rows)
    refused = toys.run_cli("open", "gt.csv", "p.csv", "--no-browser", cwd=tmp_path)
    assert (refused.returncode, "--ignore-concept" in refused.stderr) == (3, True)
    wrong = toys.run_cli("open", "gt.csv", "p.csv", "--map", "tele=radio", cwd=tmp_path)
    assert (wrong.returncode, "in the version" in wrong.stderr) == (3, True)


def test_a_concept_left_out_keeps_its_name_where_files_have_ids(workspace, tmp_path):
    source = toys.coco(tmp_path, pictures=False)
    view, _ = workspace.add("v", source, ignore_concepts=["rust"])
    version = view.version_or_draft("m")
    rows = [
        {"image_id": 11, "category_id": 1, "bbox": [10, 10, 20, 20], "score": 0.9},
        {"image_id": 11, "category_id": 2, "bbox": [40, 5, 10, 10], "score": 0.8},
    ]
    version.add_predictions(toys.results(tmp_path, rows))  # half of them, but no surprise
    assert outcomes(version) == [("dent", "matched"), ("rust", "ignored")]
