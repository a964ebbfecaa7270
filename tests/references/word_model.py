"""A tiny ONNX model of texts: the mean of a vector a word, and its tokenizer."""

import numpy as np
import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace


def word_model(folder, vectors, length=None, has_mask=True, output="text_embeds"):
    """The files of the model and the tokenizer. vectors: of each word; others count nothing.

    length: of the texts that the model takes, None for any.
    """
    words = ["[PAD]", "[UNK]", *vectors]
    size = len(next(iter(vectors.values())))
    table = np.array([[0.0] * size] * 2 + [list(v) for v in vectors.values()], np.float32)
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", length or "t"])]
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["words"])]
    if has_mask:
        shape = ["n", length or "t"]
        mask = helper.make_tensor_value_info("attention_mask", TensorProto.INT64, shape)
        inputs.append(mask)
        nodes += [
            helper.make_node("Cast", ["attention_mask"], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
            helper.make_node("Mul", ["words", "column"], ["counted"]),
        ]
    nodes.append(
        helper.make_node(
            "ReduceSum", ["counted" if has_mask else "words", "tokens"], [output], keepdims=0
        )
    )
    graph = helper.make_graph(
        nodes,
        "words",
        inputs,
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", size])],
        [
            helper.make_tensor("table", TensorProto.FLOAT, table.shape, table.ravel()),
            helper.make_tensor("last", TensorProto.INT64, [1], [2]),
            helper.make_tensor("tokens", TensorProto.INT64, [1], [1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "words.onnx")
    tokenizer = Tokenizer(WordLevel({word: n for n, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder / "words.onnx", folder / "tokenizer.json"
