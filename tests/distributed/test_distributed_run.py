"""Evaluated in pieces, wherever and in whatever order, a version is to the last bit what one
process made of it."""

import hashlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

import pellucid
from pellucid.core.errors import MalformedFileError
from pellucid.distributed.engines import LocalEngine
from pellucid.distributed.errors import (
    ClusterUnavailableError,
    PredictionsMissingError,
    VersionModifiedError,
)
from pellucid.distributed.run import evaluate_distributed

KINDS = ["detection", "classification", "tagging"]


def drawn(kind, folder, images=160, seed=3):
    """A version full of ties: few distinct scores, crowd, pictures nobody annotated, concepts
    without validation."""
    draw = np.random.default_rng(seed)
    names = [f"{place % 7}/{draw.integers(1 << 40):x}.jpg" for place in range(images)]
    split = draw.choice(["training", "validation", "validation", "test"], images)
    concepts = np.array(["ant", "bee", "cow", "dog", "elk"])
    boxes = kind == "detection"

    def some(number, scored):
        image = draw.integers(images, size=number)
        concept = draw.choice(concepts[:4], number, p=[0.7, 0.2, 0.05, 0.05])
        concept[split[image] == "test"] = "elk"
        columns = {"image": np.array(names)[image], "concept": concept}
        if boxes:
            sides = {"x": 0, "y": 0, "width": 10, "height": 10}
            columns |= {
                side: draw.integers(least, least + 12, number).astype(float)
                for side, least in sides.items()
            }
        else:
            one_each = kind == "classification" and not scored
            key = image if one_each else image * 10 + np.searchsorted(concepts, concept)
            rows = draw.permutation(np.unique(key, return_index=True)[1])
            columns = {name: column[rows] for name, column in columns.items()}
        number = len(columns["image"])
        return columns | (
            {"score": draw.integers(0, 30, number) / 30}
            if scored
            else {"ignore": (draw.random(number) < 0.1) * 1}
            if boxes
            else {}
        )

    view = pellucid.open(folder).view("v", kind=kind)
    annotated = some(images * 4, scored=False)
    rank = dict(zip(names, split, strict=True))
    view.add({**annotated, "split": [rank[name] for name in annotated["image"]]})
    version = view.start("m")
    version.add_predictions(some(images * 16, scored=True))
    return version


@pytest.fixture(scope="module")
def workspaces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spread")
    for kind in KINDS:
        drawn(kind, folder / kind)
    return folder


@pytest.fixture
def version(workspaces, tmp_path, request):
    kind = getattr(request, "param", "detection")
    shutil.copytree(workspaces / kind, tmp_path / "w")
    return pellucid.open(tmp_path / "w").view("v").version("m")


def bits(version):
    """Of every table and of the columns that are mapped, whatever the number of their making."""
    files = sorted(
        file for file in version.folder.iterdir() if file.suffix in (".parquet", ".mapped")
    )
    return {
        f"{file.name.split('.')[0]}{file.suffix}": hashlib.sha256(file.read_bytes()).hexdigest()
        for file in files
    }


def leaves_nothing(version):
    return not any(
        "evaluating" in file.name or file.name.endswith(".tmp") for file in version.folder.iterdir()
    )


@pytest.mark.parametrize("version", KINDS, indirect=True)
@pytest.mark.parametrize("rows", [60, 700, 10**6])
def test_result_is_independent_of_the_number_of_shards(version, rows):
    expected = bits(version)
    version.evaluate(rows=rows)
    assert bits(version) == expected
    assert set(expected) == {
        "images.parquet",
        "annotations.parquet",
        "predictions.parquet",
        "columns.mapped",
    } | ({"staircase.parquet"} if version.view.kind == "detection" else set())
    assert leaves_nothing(version)
    assert version.manifest.generation == 2
    assert len(version.manifest.prediction_sources) == 1


@pytest.mark.shared
@pytest.mark.parametrize("rows", [1_000, 20_000])
def test_real_detections(shared, tmp_path, rows):
    view, _ = pellucid.open(tmp_path / "w").add(
        "coco", shared / "coco256" / "annotations" / "instances.json"
    )
    version = view.start("m")
    version.add_predictions(shared / "coco256" / "predictions" / "yolov3-tiny")
    expected, before = bits(version), dict(version.thresholds)
    version.evaluate(rows=rows)
    assert bits(version) == expected
    assert dict(version.thresholds) == before


class InAnyOrder:
    """Does the last first, or whatever comes to its mind."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def run_tasks(self, task, job, task_inputs):
        for place in self.dice.sample(range(len(task_inputs)), len(task_inputs)):
            yield place, task(job, task_inputs[place])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("version", KINDS, indirect=True)
def test_result_is_independent_of_the_task_order(version, seed):
    expected = bits(version)
    evaluate_distributed(version, InAnyOrder(seed), max_rows=97)
    assert bits(version) == expected


class Interrupted(Exception):
    pass


class UpTo(LocalEngine):
    """Works until it has done so many tasks, and counts them."""

    def __init__(self, most):
        self.left, self.done = most, []

    def run_tasks(self, task, job, task_inputs):
        for place, ask in enumerate(task_inputs):
            if task.__name__ in (
                "partition_rows",
                "match_images",
                "reduce",
            ):  # those that leave a file
                if not self.left:
                    raise Interrupted
                self.left -= 1
                self.done.append((task.__name__, repr(ask)))
            yield place, task(job, ask)


def test_interrupted_run_resumes(version):
    expected = bits(version)
    whole = UpTo(10**6)
    twin = version.view.workspace.folder.with_name("twin")
    shutil.copytree(version.view.workspace.folder, twin)
    evaluate_distributed(pellucid.open(twin).view("v").version("m"), whole, max_rows=400)
    done = []
    for _ in range(100):
        engine = UpTo(3)
        try:
            evaluate_distributed(version, engine, max_rows=400)
        except Interrupted:
            done += engine.done
            assert bits(version) == expected  # what was there is there
        else:
            done += engine.done
            break
    assert len(done) == len(set(done)) == len(whole.done)
    assert bits(version) == expected
    assert leaves_nothing(version)


def kill_a_worker(seen):
    """A progress that kills a process of the pool once a few tasks are done."""

    def told(step, done, of):
        if step == "matching" and done >= 2 and not seen:
            victims = [
                child
                for child in multiprocessing.active_children()
                if "Spawn" in type(child).__name__
            ]
            if victims:
                seen.append(victims[0].pid)
                os.kill(victims[0].pid, signal.SIGKILL)

    return told


def test_killed_worker_process_is_replaced(version):
    expected, killed = bits(version), []
    version.evaluate("processes", workers=2, rows=300, progress=kill_a_worker(killed))
    assert killed
    assert bits(version) == expected
    assert leaves_nothing(version)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A head that does no work, and nodes of one core each, every one its own processes."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_ENABLE_UV_RUN_RUNTIME_ENV"] = "0"
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={
            "num_cpus": 0,
            "include_dashboard": False,
            "object_store_memory": 100 << 20,
        },
    )
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=100 << 20)
    yield made
    made.shutdown()


@pytest.mark.xdist_group("ray")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("version", KINDS, indirect=True)
def test_a_cluster_of_several_nodes(version, cluster):
    expected = bits(version)
    version.evaluate("ray", address=cluster.address, rows=300)
    assert bits(version) == expected


@pytest.mark.xdist_group("ray")
@pytest.mark.filterwarnings("ignore")
def test_killed_node_is_replaced(version, cluster):
    expected, lost = bits(version), []

    def told(step, done, of):
        if step == "matching" and done >= 2 and not lost:
            node = cluster.add_node(num_cpus=1, object_store_memory=100 << 20)
            lost.append(node)
            victim = next(one for one in cluster.worker_nodes if one is not node)
            cluster.remove_node(victim, allow_graceful=False)

    version.evaluate("ray", address=cluster.address, rows=200, progress=told)
    assert lost
    assert bits(version) == expected


def test_worker_errors_are_raised_unchanged(version):
    """A damaged table is named by the worker that met it, in every engine."""
    table = version.folder / version.manifest.predictions
    text = table.read_bytes()
    table.write_bytes(
        text[:200] + b"\xff" * 2000 + text[2200:]
    )  # its end, by which it is planned, is whole
    for engine in ("local", "processes"):
        with pytest.raises(MalformedFileError, match=r"predictions\.1\.parquet"):
            version.evaluate(engine, workers=1)


def test_no_predictions_or_unreachable_cluster(version):
    with pytest.raises(PredictionsMissingError, match="has no predictions"):
        version.view.start("empty").evaluate()
    with pytest.raises(ClusterUnavailableError, match="cannot connect to a Ray cluster"):
        version.evaluate("ray", address="127.0.0.1:1")


@pytest.mark.parametrize("after", [1, 4, 9, 14])
@pytest.mark.parametrize("rows", [400, 300])
def test_concurrent_change_is_reported_and_kept(version, after, rows):
    """Another evaluation, of the same plan or another, ends while this one is at work."""
    expected = bits(version)

    class Overtaken(LocalEngine):
        done = 0

        def run_tasks(self, task, job, task_inputs):
            for place, ask in enumerate(task_inputs):
                self.done += 1
                if self.done == after:
                    pellucid.open(version.view.workspace.folder).view("v").version("m").evaluate(
                        rows=rows
                    )
                yield place, task(job, ask)

    with pytest.raises(VersionModifiedError, match="modified during evaluation"):
        evaluate_distributed(version, Overtaken(), max_rows=400)
    assert bits(version) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_no_predictions_and_one_image(kind, tmp_path):
    """The least there can be."""
    boxes = {"x": [1.0], "y": [1.0], "width": [5.0], "height": [5.0]} if kind == "detection" else {}
    view = pellucid.open(tmp_path / "w").view("v", kind=kind)
    view.add({"image": ["a.jpg"], "concept": ["ant"], **boxes})
    nothing, one = view.start("nothing"), view.start("one")
    nothing.add_predictions(
        {"image": ["a.jpg"], "concept": [""], "score": [None], **{name: [None] for name in boxes}},
        split="validation",
    )
    one.add_predictions({"image": ["a.jpg"], "concept": ["ant"], "score": [0.5], **boxes})
    for version in (nothing, one):
        expected = bits(version)
        version.evaluate()
        assert bits(version) == expected


def test_from_the_command_line(version):
    expected = bits(version)
    command = [
        sys.executable,
        "-m",
        "pellucid",
        "evaluate",
        version.view.workspace.folder,
        "v",
        "m",
        "--engine",
        "processes",
        "--rows",
        "500",
    ]
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=True
    )
    assert "predictions on" in done.stderr
    assert "matching: " in done.stderr
    assert bits(version) == expected
    wrong = subprocess.run(
        [*map(str, command[:6]), "--address", "x"], capture_output=True, text=True, check=False
    )
    assert wrong.returncode == 2
