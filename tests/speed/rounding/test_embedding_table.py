"""Embedding tables in 8 bits, as onnxruntime reads them."""

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402 - after the skip

from recsys.speed.rounding.embedding_table import block_of, round_embedding  # noqa: E402
from recsys.speed.rounding.fake_quantisation import round_by_row  # noqa: E402

IDS = np.array([[0, 5, 5], [1999, 7, 1]])


def looked_up(table, to):
    """[B, T, D] of the rounded graph, and its bytes."""
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["rows"])],
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "T"])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["B", "T", table.shape[1]])],
        [numpy_helper.from_array(table, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    told = round_embedding(model, to).SerializeToString()
    session = onnxruntime.InferenceSession(told, providers=["CPUExecutionProvider"])
    return session.run(None, {"ids": IDS})[0], len(told)


@pytest.fixture(params=[128, 96], ids=["two scales a row", "one scale a row"])
def table(request):
    found = np.random.default_rng(0).normal(0, 0.02, (2000, request.param)).astype(np.float32)
    found[5, 0] = 3  # one large entry in a row
    found[1] = 0
    return found


def test_a_scale_serves_its_block(table):
    rows, size = looked_up(table, "int8")
    assert size < 0.27 * table.nbytes
    blocks = table.reshape(len(table), -1, block_of(table.shape[1]))
    reach = np.broadcast_to(np.abs(blocks).max(axis=2, keepdims=True), blocks.shape).reshape(table.shape)
    assert (np.abs(rows - table[IDS]) <= 0.51 / 127 * reach[IDS] + 1e-9).all()
    # training under rounding meets the same table
    told = round_by_row(torch.from_numpy(blocks.reshape(-1, blocks.shape[2])), torch.float16)
    assert np.array_equal(rows, told.numpy().reshape(table.shape)[IDS])


def test_half_precision(table):
    rows, size = looked_up(table, "fp16")
    assert size < 0.52 * table.nbytes
    assert np.array_equal(rows, table[IDS].astype(np.float16).astype(np.float32))


def test_small_tables_stay(table):
    small = table[:20]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.speed.rounding.test_embedding_table.IDS", np.array([[0, 5, 1]]))
        rows, _ = looked_up(small, "int8")
    assert np.array_equal(rows[0], small[[0, 5, 1]])
