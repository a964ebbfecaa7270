"""The thresholds as an ONNX graph to run behind a model, and as a Triton ensemble around it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._version import __version__
from pellucid.core.errors import MissingDependencyError
from pellucid.core.tables import Kind

OPSET = 13
IR_VERSION = 8
"""Read by ONNX Runtime 1.11 and later."""


def build_filter_graph(origin: str, kind: Kind, thresholds: Mapping[str, float]) -> Any:
    """An onnx.ModelProto. Classes are numbered from 0 in the order of `thresholds`; scores are
    compared as 64-bit numbers.

    detection: boxes float32 (n, 4), scores float32 (n,), labels int64 (n,) to kept_boxes,
    kept_scores, kept_labels. tagging: scores float32 (images, classes) to is_predicted, bool of the
    same shape. classification: the same scores to predicted, int64 (images,), -1 for none.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    try:
        from onnx import checker, helper, numpy_helper
    except ImportError as error:
        raise MissingDependencyError("onnx", "An ONNX graph", "onnx") from error
    inputs, outputs, nodes = GRAPHS[kind]
    constants = {
        "thresholds": np.array([*thresholds.values()], np.float64),
        "zero": np.array(0, np.int64),
        "none": np.array(-1, np.int64),
        "last_class": np.array(len(thresholds) - 1, np.int64),
        "by_row": np.array([-1], np.int64),
    }
    used = {name for _, names, _, _ in nodes for name in names}
    graph = helper.make_graph(
        [helper.make_node(*node[:3], **node[3]) for node in nodes],
        "pellucid_thresholds",
        [value_info(helper, *tensor) for tensor in inputs],
        [value_info(helper, *tensor) for tensor in outputs],
        [
            numpy_helper.from_array(values, name)
            for name, values in constants.items()
            if name in used
        ],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="pellucid",
        producer_version=__version__,
        doc_string=f"Thresholds of {origin}",
    )
    helper.set_model_props(
        model,
        {
            "class_names": json.dumps([*thresholds], ensure_ascii=False),
            "thresholds": json.dumps([*thresholds.values()]),
        },
    )
    checker.check_model(model)
    return model


def value_info(helper: Any, name: str, type_name: str, shape: tuple[str | int, ...]) -> Any:
    from onnx import TensorProto

    return helper.make_tensor_value_info(name, getattr(TensorProto, type_name), shape)


DOUBLE = 11
"""TensorProto.DOUBLE"""

SCORES_BY_CLASS = [("scores", "FLOAT", ("images", "classes"))]
GRAPHS: Mapping[Kind, tuple[list[Any], list[Any], list[Any]]] = {
    "detection": (
        [
            ("boxes", "FLOAT", ("objects", 4)),
            ("scores", "FLOAT", ("objects",)),
            ("labels", "INT64", ("objects",)),
        ],
        [
            ("kept_boxes", "FLOAT", ("kept", 4)),
            ("kept_scores", "FLOAT", ("kept",)),
            ("kept_labels", "INT64", ("kept",)),
        ],
        [
            # A class without a threshold does not count.
            ("Clip", ["labels", "zero", "last_class"], ["known_labels"], {}),
            ("Equal", ["labels", "known_labels"], ["is_known"], {}),
            ("Gather", ["thresholds", "known_labels"], ["own_threshold"], {}),
            ("Cast", ["scores"], ["double_scores"], {"to": DOUBLE}),
            ("GreaterOrEqual", ["double_scores", "own_threshold"], ["is_reached"], {}),
            ("And", ["is_known", "is_reached"], ["is_counted"], {}),
            ("NonZero", ["is_counted"], ["counted_index"], {}),
            ("Reshape", ["counted_index", "by_row"], ["counted"], {}),
            ("Gather", ["boxes", "counted"], ["kept_boxes"], {}),
            ("Gather", ["scores", "counted"], ["kept_scores"], {}),
            ("Gather", ["labels", "counted"], ["kept_labels"], {}),
        ],
    ),
    "tagging": (
        SCORES_BY_CLASS,
        [("is_predicted", "BOOL", ("images", "classes"))],
        [
            ("Cast", ["scores"], ["double_scores"], {"to": DOUBLE}),
            ("GreaterOrEqual", ["double_scores", "thresholds"], ["is_predicted"], {}),
        ],
    ),
    "classification": (
        SCORES_BY_CLASS,
        [("predicted", "INT64", ("images",))],
        [
            ("ArgMax", ["scores"], ["highest"], {"axis": 1, "keepdims": 0}),
            ("ReduceMax", ["scores"], ["highest_score"], {"axes": [1], "keepdims": 0}),
            ("Gather", ["thresholds", "highest"], ["own_threshold"], {}),
            ("Cast", ["highest_score"], ["double_score"], {"to": DOUBLE}),
            ("GreaterOrEqual", ["double_score", "own_threshold"], ["is_reached"], {}),
            ("Where", ["is_reached", "highest", "none"], ["predicted"], {}),
        ],
    ),
}


FILTER_MODEL = "pellucid_thresholds"
TRITON_TYPES = {"FLOAT": "TYPE_FP32", "INT64": "TYPE_INT64", "BOOL": "TYPE_BOOL"}


def write_triton_repository(
    folder: Path, origin: str, kind: Kind, thresholds: Mapping[str, float]
) -> None:
    """A model repository of Triton: the filter, and an ensemble that runs it behind the model
    `detector` or `classifier`, whose name and image tensor must be those of your own.

    Raises:
        MissingDependencyError: onnx is not installed.
    """
    graph = build_filter_graph(origin, kind, thresholds)
    inputs, outputs, _ = GRAPHS[kind]
    model_folder = folder / FILTER_MODEL / "1"
    model_folder.mkdir(parents=True)
    (model_folder / "model.onnx").write_bytes(graph.SerializeToString())
    (folder / FILTER_MODEL / "config.pbtxt").write_text(
        f'name: "{FILTER_MODEL}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
        + tensor_block("input", inputs)
        + tensor_block("output", outputs)
    )
    upstream = "detector" if kind == "detection" else "classifier"
    ensemble = folder / f"{upstream}_with_thresholds"
    (ensemble / "1").mkdir(parents=True)  # Triton wants a version folder, also of an ensemble
    images = [("images", "FLOAT", (1, 3, -1, -1))]
    (ensemble / "config.pbtxt").write_text(
        f'# Put the name of your model in the place of "{upstream}", and the names, types and sizes'
        "\n# of its tensors in the place of those of its step.\n"
        f'name: "{ensemble.name}"\nplatform: "ensemble"\nmax_batch_size: 0\n'
        + tensor_block("input", images)
        + tensor_block("output", outputs)
        + "ensemble_scheduling {\n"
        + step_block(upstream, images, inputs)
        + step_block(FILTER_MODEL, inputs, outputs)
        + "}\n"
    )


def tensor_block(side: str, tensors: list[Any]) -> str:
    """The tensors of a configuration; dimensions with a name are of any size."""
    blocks = [
        f'  {{ name: "{name}" data_type: {TRITON_TYPES[type_name]} '
        f"dims: [ {', '.join(str(size if isinstance(size, int) else -1) for size in shape)} ] }}"
        for name, type_name, shape in tensors
    ]
    return f"{side} [\n" + ",\n".join(blocks) + "\n]\n"


def step_block(model: str, inputs: list[Any], outputs: list[Any]) -> str:
    """A step of an ensemble, whose tensors have the same names outside as inside."""
    maps = [
        f'    {side}_map {{ key: "{name}" value: "{name}" }}'
        for side, tensors in (("input", inputs), ("output", outputs))
        for name, *_ in tensors
    ]
    return "\n".join(
        [f'  step {{\n    model_name: "{model}"\n    model_version: -1', *maps, "  }\n"]
    )
