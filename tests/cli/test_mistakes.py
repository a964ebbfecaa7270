"""Mistakes at the command line are answered with what was probably meant."""

import pytest

import pellucid
import toys


@pytest.fixture
def files(tmp_path):
    toys.write(tmp_path / "tags.csv", "image,concept\na.png,TV\nb.png,dog\n")
    toys.write(tmp_path / "scores.csv", "image,concept,score\na.png,TV,0.9\nb.png,dog,0.8\n")
    return tmp_path


def cli(folder, *words):
    done = toys.run_cli(*words, cwd=folder)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "status", "answer"),
    [
        (("add", "w", "v", "tagz.csv"), 3, "Did you mean 'tags.csv'?"),
        (("add", "w", "tags.csv", "v"), 2, "give VIEW first"),
        (("add", "w", "v", "tags.csv", "--kind", "detection"), 3, "without boxes"),
        (("add", "w", "v", "tags.csv", "--images", "pictures"), 3, "no such folder"),
        (("add", "w", "v", "tags.csv", "--images", "."), 3, "none of the 2 images is in it"),
        (("open", "scores.csv", "tags.csv", "--no-browser"), 3, "Specify the annotations first"),
        (("metrcs", "w"), 2, "Did you mean 'metrics'"),
    ],
)
def test_before_a_workspace_exists(files, words, status, answer):
    returned, message = cli(files, *words)
    assert (returned, answer in message) == (status, True), message
    assert not (files / "w").exists()


@pytest.mark.parametrize(
    ("words", "status", "answer"),
    [
        (("predictions", "w", "panels", "scores.csv", "m"), 2, "give VERSION first"),
        (("predictions", "w", "panel", "m", "scores.csv"), 3, "Did you mean 'panels'?"),
        (("metrics", "w", "panels", "yolo4"), 3, "Did you mean 'yolo-4'?"),
        (("gallery", "w", "panels", "yolo-4", "--tab", "all", "--concept", "dogs"), 3, "'dog'?"),
        (("metrics", "w", "panels", "yolo-4", "--split", "train"), 2, "training"),
        (("metrics", "w", "panels", "yolo-4", "--split", "validaton"), 2, "'validation'?"),
        (("thresholds", "w", "panels", "yolo-4", "--objective", "f2"), 2, "f1"),
        (("metrics", "w", "panels", "yolo-44"), 3, "Did you mean 'yolo-4'?"),
        (("metrics", "panels", "w", "yolo-4"), 2, "'w' is a workspace: give it first"),
        (("metrics", "w", "yolo-4", "panels"), 2, "'panels' is a view: give it second"),
        (("compare", "w", "yolo-4", "yolo-5", "panels"), 2, "'panels' is a view: give it second"),
        (("predictions", "scores.csv", "w", "panels", "m"), 2, "'w' is a workspace"),
        (("add", "new", "w", "tags.csv"), 2, "'w' is a workspace: give it first"),
        (
            ("compare", "w", "panels", "yolo-4", "yolo-4", "--fail-on", "ap", "--tolerance", "5"),
            2,
            "5 accepts any drop of ap",
        ),
        (
            ("compare", "w", "panels", "yolo-4", "yolo-4", "--tolerance", "fp=5"),
            2,
            "needs --fail-on fp",
        ),
        (
            ("predictions", "w", "panels", "m", "mixed.csv", "--concepts", "dog"),
            3,
            "no concept 'dog' in the file",
        ),
        (("predictions", "w", "panels", "m", "other.csv"), 3, "--map 'tvs=TV' --map 'dogs=dog'"),
    ],
)
def test_in_a_workspace(files, words, status, answer):
    assert cli(files, "add", "w", "panels", "tags.csv")[0] == 0
    assert cli(files, "predictions", "w", "panels", "yolo-4", "scores.csv")[0] == 0
    toys.write(files / "other.csv", "image,concept,score\na.png,tvs,0.9\nb.png,dogs,0.8\n")
    toys.write(files / "mixed.csv", "image,concept,score\na.png,TV,0.9\nb.png,dogs,0.8\n")
    returned, message = cli(files, *words)
    assert (returned, answer in message) == (status, True), message


def test_images_in_a_folder_that_the_paths_name(files):
    toys.write(files / "paths.csv", "image,concept\nval/a.png,TV\nval/b.png,dog\n")
    toys.picture(files / "data/pictures/a.png")
    status, message = cli(files, "add", "w", "v", "paths.csv", "--images", "data/pictures")
    assert status == 3
    assert "move the images to data/pictures/val, or remove 'val/' from the paths" in message
    toys.picture(files / "data/val/a.png")
    status, message = cli(files, "add", "w", "v", "paths.csv", "--images", "data/val")
    assert (status, f"specify --images {files / 'data'}." in message) == (3, True), message
    assert cli(files, "add", "w", "v", "paths.csv", "--images", files / "data")[0] == 0


def test_the_note_on_missing_pictures_goes_once_they_are_found(files):
    from pellucid import open as open_workspace

    cli(files, "add", "w", "v", "tags.csv")
    view = open_workspace(files / "w").view("v")
    assert "no_pictures" in [note.kind for note in view.manifest.sources[0].notes]
    for name in ("a.png", "b.png"):
        toys.picture(files / "pictures" / name)
    assert cli(files, "add", "w", "v", "tags.csv", "--images", "pictures")[0] == 0
    kinds = {note.kind for source in view.manifest.sources for note in source.notes}
    assert not kinds & {"no_pictures", "picture_absent"}


def test_an_exported_page_is_replaced_with_force_alone(files):
    cli(files, "add", "w", "v", "tags.csv")
    cli(files, "predictions", "w", "v", "m", "scores.csv")
    export = ("export", "w", "v", "--html", "--version", "m", "--output")
    for target in ("page.html", "pages"):
        assert cli(files, *export, target)[0] == 0
        status, message = cli(files, *export, target)
        assert (status, "--force" in message) == (3, True)
        assert cli(files, *export, target, "--force")[0] == 0
    status, message = cli(files, *export, "tags.csv", "--force")
    assert (status, "no exported page" in message) == (3, True)
    assert (files / "tags.csv").read_text().startswith("image,concept")
    assert not list(files.glob(".*.tmp")), "nothing is left behind"


def test_export_of_what_has_a_property(files):
    toys.write(files / "sites.csv", "image,concept,site\na.png,TV,north\nb.png,dog,south\n")
    cli(files, "add", "w", "v", "sites.csv")
    cli(files, "predictions", "w", "v", "m", "scores.csv")
    export = ("export", "w", "v", "--version", "m", "--format", "csv")
    north = ("--only", "where:site=north")
    for what in ("annotations", "predictions"):
        output = files / f"{what}.csv"
        assert cli(files, *export, "--what", what, "--output", output, *north)[0] == 0
        assert ("a.png" in output.read_text(), "b.png" in output.read_text()) == (True, False)
    tab = ("--what", "gallery", "--tab", "all", "--output", files / "items.csv")
    assert cli(files, *export, *tab, "--only", "score:0.85..")[0] == 0
    assert "b.png" not in (files / "items.csv").read_text()
    for what, clause in (("thresholds", "where:site=north"), ("predictions", "where:site=west")):
        path = files / "none.csv"
        status, message = cli(files, *export, "--what", what, "--output", path, "--only", clause)
        assert status in (2, 3), message
        assert not path.exists()


def test_a_closed_output_does_not_hide_the_gate(files):
    import subprocess
    import sys

    cli(files, "add", "w", "v", "tags.csv")
    rows = [
        "image,concept,score",
        *(f"{name},{concept},0.9" for name in ("a.png", "b.png") for concept in ("TV", "dog")),
    ]
    toys.write(files / "worse.csv", "\n".join(rows))
    cli(files, "predictions", "w", "v", "good", "scores.csv")
    cli(files, "predictions", "w", "v", "bad", "worse.csv")
    gate = f'"{sys.executable}" -m pellucid compare w v good bad --fail-on precision'
    script = f"set -o pipefail; {gate} | true"
    ended = subprocess.run(["bash", "-c", script], cwd=files, capture_output=True, check=False)
    assert ended.returncode == 4, ended.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (
            ["gallery", "{w}", "v", "m", "--tab", "missing", "--only", "cause:backgroud"],
            "background",
        ),
        (["gallery", "{w}", "v", "m", "--tab", "missing", "--only", "where:widht=..600"], "width"),
        (["gallery", "{w}", "v", "m", "--tab", "missing", "--only", "predicted:rsut"], "rust"),
        (["gallery", "{w}", "v", "m", "--tab", "missing", "--only", "cuase:background"], "cause"),
        (["metrics", "{w}", "v", "m", "--only", "where:widht=..600"], "width"),
        (["add", "{w}", "u", "{w}/../annotations.json", "--format", "cooc"], "coco"),
        (["metrics", "{w}x", "v", "m"], "w"),
    ],
)
def test_near_names_are_suggested_everywhere(words, meant, tmp_path):
    workspace = tmp_path / "w"
    view, _ = pellucid.open(workspace).add("v", toys.coco(tmp_path, pictures=False))
    view.start("m").add_predictions(toys.results(tmp_path))
    done = toys.run_cli(*(word.format(w=workspace) for word in words))
    assert done.returncode in (2, 3)
    assert f"Did you mean '{meant}'?" in done.stderr
