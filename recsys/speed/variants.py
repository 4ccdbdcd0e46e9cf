"""The table of all variants. Those that fail on a machine are listed with the reason, not left out."""

from __future__ import annotations

from recsys.speed.variant import Variant

# of a channel's reach that goes over to the weights, in training (`fake_quantisation`) as in the graph; on
# validation queries of Home Depot .85 keeps as many neighbours, .5 and less fewer
SHARE = 0.7
TORCH = "recsys.speed.engines.torch_graphs"
PACKED = "recsys.speed.engines.packed"
ONNX, RUN_ONNX = "recsys.speed.builders.onnx", "recsys.speed.engines.onnx:load"
ONNX_PACKAGES = ("onnxruntime", "onnx")
OPENVINO, RUN_OPENVINO = "recsys.speed.builders.openvino", "recsys.speed.engines.openvino:load"
FFN = r"\d+\.(intermediate|output)\.dense"  # names of the FFNs' maps in a BERT


def _torch(name: str, idea: str, precision: str, kind: str, packages: tuple[str, ...] = ()) -> Variant:
    packages = ("transformers", *packages)
    return Variant(name, idea, precision, f"{TORCH}:build", f"{TORCH}:{kind}", packages, quick=False)


def _gpu(name: str, idea: str, kind: str) -> Variant:
    loader = f"recsys.speed.engines.torch_gpu:{kind}"
    return Variant(name, idea, "bf16", f"{TORCH}:build", loader, ("transformers",), quick=False)


def _packed(name: str, idea: str, precision: str) -> Variant:
    options = {"precision": precision}
    return Variant(name, idea, precision, f"{PACKED}:build", f"{PACKED}:load", ("safetensors",), options)


def _rounded(name: str, idea: str, maps: list[str]) -> Variant:
    builder, loader = "recsys.speed.builders.packed_int8:build", "recsys.speed.builders.packed_int8:load"
    return Variant(name, idea, "int8", builder, loader, ("safetensors",), {"maps": maps})


def _onnx(name: str, idea: str, precision: str, kind: str, **options) -> Variant:
    return Variant(name, idea, precision, f"{ONNX}:{kind}", RUN_ONNX, ONNX_PACKAGES, options)


def _dynamic(name: str, idea: str, kind: str, **options) -> Variant:
    """A dynamically quantised variant: one text at a time, because a batch's texts would share a scale."""
    return Variant(name, idea, "int8", f"{ONNX}:{kind}", RUN_ONNX, ONNX_PACKAGES, options, one_at_a_time=True)


def _openvino(name: str, idea: str, precision: str, kind: str, *packages: str, **options) -> Variant:
    packages = ("openvino", *packages)
    return Variant(name, idea, precision, f"{OPENVINO}:{kind}", RUN_OPENVINO, packages, options)


VARIANTS = {
    variant.name: variant
    for variant in (
        _torch("eager", "padded batches, sorted by length", "fp32", "eager"),
        _torch("export", "torch.export's graph, run by torch", "fp32", "exported"),
        _torch("compile", "torch.compile, free shapes", "fp32", "compiled"),
        _torch(
            "torchao-int8", "int8, activations rounded token by token", "int8", "torchao_int8", ("torchao",)
        ),
        _gpu("cuda-bf16", "on a GPU, module by module, fused attention", "bf16"),
        _gpu("cuda-graphs", "on a GPU, torch.compile's kernels as CUDA graphs", "graphs"),
        _packed("packed-fp32", "no padding, oneDNN with weights laid out beforehand", "fp32"),
        _packed("packed-bf16", "the same, products in bfloat16", "bf16"),
        _rounded(
            "packed-mixed",
            "packed-bf16, the products of attention in int8, calibrated",
            ["qkv", "attention"],
        ),
        _rounded(
            "packed-int8",
            "packed-bf16, all products but the FFNs' second in int8, calibrated",
            ["qkv", "attention", "up"],
        ),
        _onnx("onnx-fp32", "onnxruntime, fused attention, norms and GELUs", "fp32", "fp32"),
        _dynamic("onnx-int8", "int8 products, a scale a matrix, found as it comes", "int8_dynamic"),
        _dynamic("onnx-smooth", "the same, channels made alike beforehand", "int8_dynamic", smooth=SHARE),
        _dynamic(
            "onnx-gptq",
            "the same, weights rounded by what they multiply",
            "int8_dynamic",
            smooth=SHARE,
            second_order=True,
        ),
        _onnx("onnx-8bit", "8-bit weights, a scale for 32 inputs", "int8", "weights_8_bit"),
        _dynamic(
            "onnx-mixed",
            "the FFNs' products as in onnx-8bit, attention's as in onnx-int8",
            "mixed",
            blockwise=[FFN],
        ),
        _dynamic(
            "onnx-mixed-gptq",
            "the same, channels made alike and weights rounded by what they multiply",
            "mixed",
            blockwise=[FFN],
            smooth=SHARE,
            second_order=True,
        ),
        _onnx("onnx-static", "int8 products, scales found beforehand", "int8", "int8_static"),
        _openvino("openvino-bf16", "OpenVINO, products in bfloat16", "bf16", "plain"),
        _openvino("openvino-8bit", "8-bit weights, products in bfloat16", "bf16", "weights_8_bit", "nncf"),
        _openvino("openvino-int8", "int8 products, calibrated, SmoothQuant", "int8", "int8", "nncf"),
        _openvino(
            "openvino-mixed",
            "the same, the FFNs' second products in bfloat16",
            "int8",
            "int8",
            "nncf",
            unrounded=[r".*layer\.\d+/output/dense/MatMul.*"],
        ),
    )
}
