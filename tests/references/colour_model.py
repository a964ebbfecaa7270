"""An ONNX model that needs no training."""

import onnx
from onnx import TensorProto, helper


def colour_model(path, shape=("n", 3, 16, 16), metadata=True, axes=(2, 3), inputs=1, kind="vector"):
    """A model that answers with the mean over the pixels of an image."""
    tensors = [
        helper.make_tensor_value_info(f"image{index or ''}", TensorProto.FLOAT, shape)
        for index in range(inputs)
    ]
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["vector"], axes=list(axes), keepdims=0)
        if kind == "vector"
        else helper.make_node("Identity", ["image"], ["vector"])
    ]
    output = helper.make_tensor_value_info("vector", TensorProto.FLOAT, None)
    graph = helper.make_graph(nodes, "colour", tensors, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if metadata:
        helper.set_model_props(model, {"mean": "[0.5, 0.5, 0.5]", "std": "0.25,0.25,0.25"})
    onnx.save(model, path)
    return path
