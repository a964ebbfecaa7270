"""An exported filter, run on the raw predictions, leaves what Pellucid counts."""

from __future__ import annotations

import importlib.util
import json
import runpy
from importlib.metadata import distribution

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format

import pellucid
from pellucid.core.errors import InvalidChoiceError
from pellucid.export.datasets import export_view
from pellucid.export.export_options import ExportOptions

CONCEPTS = ["cat", "dog's", "Eule"]


def predictions_of(rng, kind):
    rows = [(f"{i}.png", c) for i in range(50) for c in CONCEPTS]
    table = {
        "image": [image for image, _ in rows],
        "concept": [concept for _, concept in rows],
        "score": rng.random(len(rows)),
    }
    if kind == "detection":
        table |= {"x": [0.0] * 150, "y": rng.integers(0, 2, 150) * 40.0}
        table |= {"width": [20.0] * 150, "height": [20.0] * 150}
    return table


@pytest.fixture(params=["detection", "tagging", "classification"])
def version(request, tmp_path):
    rng = np.random.default_rng(1)
    annotations = {
        "image": [f"{i}.png" for i in range(50)],
        "concept": rng.choice(CONCEPTS, 50).tolist(),
    }
    if request.param == "detection":
        annotations |= {"x": [0.0] * 50, "y": [0.0] * 50}
        annotations |= {"width": [20.0] * 50, "height": [20.0] * 50}
    view, _ = pellucid.open(tmp_path / "w").add("v", annotations, kind=request.param)
    version = view.start("m")
    table = predictions_of(rng, request.param)
    version.add_predictions(table)
    return version, table


def exported(version, path, results=None):
    export_view(version.view, "thresholds", "python", path, version, ExportOptions(results=results))
    return runpy.run_path(str(path))


@pytest.mark.parametrize("chosen", [None, {"cat": 0.2, "Eule": 0.9}])
def test_what_the_filter_keeps_is_what_counts(version, tmp_path, chosen):
    version, table = version
    results = version.results(thresholds=chosen)
    module = exported(version, tmp_path / "thresholds.py", results)
    counted = {
        (item.image, item.concept, item.score)
        for tab in ("matched", "missing")
        for item in results.gallery(pellucid.ListQuery(tab))
    }
    rows = list(zip(table["image"], table["concept"], table["score"].tolist(), strict=True))
    if version.view.kind == "classification":
        by_image = {}
        for image, concept, score in rows:
            by_image.setdefault(image, {})[concept] = score
        kept = {
            (image, module["predicted"](scores), scores[module["predicted"](scores)])
            for image, scores in by_image.items()
            if module["predicted"](scores) is not None
        }
    else:
        mask = module["keep"](table["concept"], table["score"])
        kept = {row for row, is_kept in zip(rows, mask, strict=True) if is_kept}
    assert kept == counted
    concepts = version.evaluation.concepts
    assert module["THRESHOLDS"] == dict(zip(concepts, results.thresholds.tolist(), strict=True))


def test_concepts_that_were_not_evaluated_are_dropped(version, tmp_path):
    version, _ = version
    module = exported(version, tmp_path / "thresholds.py")
    if version.view.kind == "classification":
        assert module["predicted"]({"wolf": 0.99, "cat": 0.1}) is None
    else:
        assert module["keep"](["wolf", "cat"], [0.99, 1.0]) == [False, True]


def as_arrays(table, kind, concepts):
    """The output of a model: float32, as models give it."""
    scores = np.asarray(table["score"], np.float32)
    if kind != "detection":
        return {"scores": scores.reshape(50, len(CONCEPTS))}
    sides = [np.asarray(table[side], np.float32) for side in ("x", "y", "width", "height")]
    labels = np.array([concepts.index(concept) for concept in table["concept"]])
    return {"boxes": np.stack(sides, 1), "scores": scores, "labels": labels}


def float32_version(version, table):
    """A version with the scores as the graph gets them, and its concepts in the graph's order."""
    table = table | {"score": np.asarray(table["score"], np.float32).astype(float)}
    single = version.view.start("single")
    single.add_predictions(table)
    return single, table, list(single.evaluation.concepts)


def expected_false_positives(version):
    return sorted((item.image, item.concept, item.score) for item in version.gallery("missing"))


def false_positives(kind, outputs, arrays, table, concepts, annotated):
    """What the graph lets through and is not annotated. The toys have one object an image, whose box
    is that of every prediction at y = 0."""
    images = [f"{i}.png" for i in range(50)]
    scores = arrays["scores"].astype(float)
    if kind == "detection":
        position = {
            (*box, score, label): row
            for row, (box, score, label) in enumerate(
                zip(
                    arrays["boxes"].tolist(),
                    arrays["scores"].tolist(),
                    arrays["labels"],
                    strict=True,
                )
            )
        }
        boxes, kept_scores, labels = outputs
        rows = [
            position[*box, score, label]
            for box, score, label in zip(
                boxes.tolist(), kept_scores.tolist(), labels.tolist(), strict=True
            )
        ]
        assert len(rows) == len(set(rows))
        return sorted(
            (table["image"][row], table["concept"][row], float(table["score"][row]))
            for row in rows
            if table["y"][row] > 0 or annotated[table["image"][row]] != table["concept"][row]
        )
    # Columns of the toys' tables are in the order of CONCEPTS, those of the graph in the view's.
    if kind == "tagging":
        pairs = [(i, c) for i, c in zip(*np.nonzero(outputs[0]), strict=True)]
    else:
        pairs = [(i, c) for i, c in enumerate(outputs[0].tolist()) if c >= 0]
    return sorted(
        (images[i], concepts[c], scores[i, CONCEPTS.index(concepts[c])])
        for i, c in pairs
        if annotated[images[i]] != concepts[c]
    )


def in_graph_order(arrays, kind, concepts):
    if kind == "detection":
        return arrays
    return {"scores": arrays["scores"][:, [CONCEPTS.index(concept) for concept in concepts]]}


def annotated_concepts(version):
    images, annotations, _ = version.view.annotation_tables
    names = [concept.name for concept in version.view.manifest.concepts]
    return {
        images.path[image]: names[concept]
        for image, concept in zip(annotations.image, annotations.concept, strict=True)
    }


def test_false_positives_of_the_onnx_graph_are_the_missing_tab(version, tmp_path):
    version, table, concepts = float32_version(*version)
    kind = version.view.kind
    path = tmp_path / "filter.onnx"
    export_view(version.view, "thresholds", "onnx", path, version)
    session = onnxruntime.InferenceSession(path)
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["class_names"]) == concepts
    arrays = as_arrays(table, kind, concepts)
    outputs = session.run(None, in_graph_order(arrays, kind, concepts))
    expected = expected_false_positives(version)
    assert expected
    annotated = annotated_concepts(version)
    assert false_positives(kind, outputs, arrays, table, concepts, annotated) == expected


@pytest.mark.parametrize("version", ["detection"], indirect=True)
def test_classes_without_a_threshold_do_not_pass_the_onnx_graph(version, tmp_path):
    version, _ = version
    path = tmp_path / "filter.onnx"
    export_view(version.view, "thresholds", "onnx", path, version)
    inputs = {
        "boxes": np.zeros((3, 4), np.float32),
        "scores": np.ones(3, np.float32),
        "labels": np.array([-1, 3, 0]),
    }
    session = onnxruntime.InferenceSession(path)
    assert session.run(["kept_labels"], inputs)[0].tolist() == [0]
    nothing = {name: values[:0] for name, values in inputs.items()}
    assert session.run(["kept_boxes"], nothing)[0].shape == (0, 4)


def triton_config():
    """Triton's own schema of a model's configuration, without its client's other dependencies."""
    path = distribution("tritonclient").locate_file("tritonclient/grpc/model_config_pb2.py")
    spec = importlib.util.spec_from_file_location("model_config_pb2", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ModelConfig


def test_false_positives_of_the_triton_ensemble_are_the_missing_tab(version, tmp_path):
    """The steps of the ensemble, run in its order with its tensors; the model is a stand-in."""
    version, table, concepts = float32_version(*version)
    kind = version.view.kind
    folder = tmp_path / "models"
    export_view(version.view, "thresholds", "triton", folder, version)
    configs = {
        path.parent.name: text_format.Parse(path.read_text(), triton_config()())
        for path in folder.glob("*/config.pbtxt")
    }
    assert all(config.name == name for name, config in configs.items())
    (ensemble,) = [config for config in configs.values() if config.platform == "ensemble"]
    arrays = as_arrays(table, kind, concepts)
    model_output = in_graph_order(arrays, kind, concepts)
    tensors = {tensor.name: None for tensor in ensemble.input}
    for step in ensemble.ensemble_scheduling.step:
        inputs = {inner: tensors[outer] for inner, outer in step.input_map.items()}
        if step.model_name in configs:
            config = configs[step.model_name]
            assert {tensor.name for tensor in config.input} == set(inputs)
            (path,) = (folder / step.model_name).glob("*/model.onnx")
            session = onnxruntime.InferenceSession(path)
            names = [output.name for output in session.get_outputs()]
            outputs = dict(zip(names, session.run(names, inputs), strict=True))
            assert {tensor.name for tensor in config.output} == set(names)
        else:
            outputs = model_output
        tensors |= {outer: outputs[inner] for inner, outer in step.output_map.items()}
    outputs = [tensors[tensor.name] for tensor in ensemble.output]
    assert false_positives(
        kind, outputs, arrays, table, concepts, annotated_concepts(version)
    ) == expected_false_positives(version)


@pytest.mark.parametrize("version", ["tagging"], indirect=True)
def test_filters_for_other_kinds_are_refused(version, tmp_path):
    version, _ = version
    with pytest.raises(InvalidChoiceError, match="python, torchvision"):
        export_view(version.view, "thresholds", "supervision", tmp_path / "t.py", version)
    assert not (tmp_path / "t.py").exists()


def test_every_format_of_the_kind_is_named(version, tmp_path):
    version, _ = version
    with pytest.raises(InvalidChoiceError) as raised:
        export_view(version.view, "thresholds", "tensorflow", tmp_path / "t", version)
    listed = str(raised.value).partition("Expected one of: ")[2].partition(".")[0].split(", ")
    assert {"json", "csv", "parquet", "python", "torchvision", "onnx", "triton"} <= {*listed}
    assert ("supervision" in listed) == (version.view.kind == "detection")
    for name in listed:
        export_view(version.view, "thresholds", name, tmp_path / name, version)


def test_the_file_says_where_each_threshold_comes_from(version, tmp_path):
    version, _ = version
    first, *others = version.thresholds
    results = version.results(thresholds={first: 0.123})
    options = ExportOptions(results=results)
    export_view(version.view, "thresholds", "json", tmp_path / "t.json", version, options)
    document = json.loads((tmp_path / "t.json").read_text())
    assert document["thresholds"][first] == 0.123
    expected = {name: version.thresholds[name].source for name in others}
    assert document["sources"] == {first: "user", **expected}
    assert document["made"].startswith("20")


def test_unknown_formats_are_refused(version, tmp_path):
    version, _ = version
    with pytest.raises(InvalidChoiceError, match="python"):
        export_view(version.view, "thresholds", "toml", tmp_path / "t", version)


def test_numbers_of_classes_are_no_names(version, tmp_path):
    version, _ = version
    if version.view.kind == "classification":
        return
    module = exported(version, tmp_path / "thresholds.py")
    with pytest.raises(TypeError, match="expected the name of a class, found 0"):
        module["keep"]([0], [0.9])
    assert module["keep"](["not evaluated"], [0.9]) == [False]


def test_concepts_that_are_never_predicted_are_named(tmp_path):
    columns = {"image": ["a.png", "b.png"], "concept": ["cat", "dog"]}
    view, _ = pellucid.open(tmp_path / "w").add("v", columns)
    version = view.start("m")
    version.add_predictions({"image": ["a.png"], "concept": ["cat"], "score": [0.9]})
    options = (version, tmp_path / "t.json")
    notes = export_view(view, "thresholds", "json", options[1], options[0])
    assert ["never predicted at its threshold: 'dog'" in note.message for note in notes] == [True]
