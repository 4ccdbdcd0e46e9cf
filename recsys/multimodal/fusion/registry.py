"""The fusion operators by name. A new one is one file beside this and one line here."""

from recsys.code.registry import Registry

OPERATORS = Registry(
    "fusion operator",
    {
        "linear": "recsys.multimodal.fusion.concatenation:Linear",
        "discriminant": "recsys.multimodal.fusion.concatenation:Linear",
        "concatenation": "recsys.multimodal.fusion.concatenation:Concatenation",
        "gated": "recsys.multimodal.fusion.gated:Gated",
        "bilinear": "recsys.multimodal.fusion.bilinear:LowRankBilinear",
        "cross_attention": "recsys.multimodal.fusion.cross_attention:CrossAttention",
        "experts": "recsys.multimodal.fusion.experts:MixtureOfExperts",
        "late": "recsys.multimodal.fusion.late:Late",
    },
)
