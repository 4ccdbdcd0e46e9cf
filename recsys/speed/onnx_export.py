"""Exports a backbone as one ONNX graph: token ids in, pooled vectors out.

B: texts of a batch. T: tokens of the longest of them. D: width.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from recsys.encoders.backbone import Backbone, quiet

INPUTS, OUTPUT = ("input_ids", "attention_mask"), "vectors"
OPSET = 17


class PooledGraph(nn.Module):
    """The backbone with a pooling free of data-dependent branches, so that it can be traced."""

    def __init__(self, backbone: Backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, T] int64 ids and mask -> [B, D] float32, not normalised."""
        backbone = self.backbone
        extra = dict(backbone._extra)
        if backbone._takes_positions:
            extra["position_ids"] = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)
        elif backbone.model.config.model_type == "bert":
            extra["token_type_ids"] = input_ids * 0  # otherwise ten operators compute that they are zeros
        output = backbone.model(input_ids=input_ids, attention_mask=attention_mask, **extra)
        return pool_in_graph(output.last_hidden_state, attention_mask, backbone.pooling)


def pool_in_graph(hidden: Tensor, mask: Tensor, how: str) -> Tensor:
    """`recsys.encoders.pooling.pool` written as a weighted mean for every kind of pooling."""
    real = mask.to(hidden.dtype)
    if how != "mean":
        count = real.cumsum(dim=1) * real
        wanted = torch.ones_like(count[:, :1]) if how == "cls" else count.amax(dim=1, keepdim=True)
        real = (count == wanted).to(hidden.dtype)
    weights = real / real.sum(dim=1, keepdim=True)
    return torch.matmul(weights[:, None, :], hidden)[:, 0]


def example(backbone: Backbone) -> tuple[Tensor, Tensor]:
    """Example inputs for tracing: ids and mask [2, 7] of two texts of different length."""
    rows = torch.arange(14).view(2, 7) % 5 + 5
    mask = torch.ones(2, 7, dtype=torch.int64)
    short = slice(0, 3) if backbone.tokenizer.padding_side == "left" else slice(4, 7)
    mask[1, short] = 0
    return rows.where(mask == 1, backbone.tokenizer.pad_token_id), mask


def export_onnx(backbone: Backbone, path: Path) -> None:
    """Write the graph with dynamic B and T, by tracing (the TorchScript exporter).

    onnxruntime's attention fusion recognises the pattern that this exporter writes: it finds all layers of
    MiniLM, and none in the graph of the newer exporter (`dynamo=True`).
    """
    graph = PooledGraph(backbone).eval()
    before = backbone.model.config._attn_implementation
    free = {name: {0: "texts", 1: "tokens"} for name in INPUTS} | {OUTPUT: {0: "texts"}}
    try:
        backbone.model.set_attn_implementation("eager")
        with torch.inference_mode(), warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph,
                example(backbone),
                str(path),
                input_names=list(INPUTS),
                output_names=[OUTPUT],
                dynamic_axes=free,
                opset_version=OPSET,
                dynamo=False,
            )
    finally:
        backbone.model.set_attn_implementation(before)
