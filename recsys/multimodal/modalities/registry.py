"""The modalities by name; to add one, write a file beside this and a line here.

Each entry is a function `encode(table, known, **options) -> Features`: `table` has one row per item (or
user) with the columns that the modality reads; `known` are the row numbers that may be fitted on.
"""

from recsys.code.registry import Registry

MODALITIES = Registry(
    "modality",
    {
        "text": "recsys.multimodal.modalities.text:encode",
        "words": "recsys.multimodal.modalities.words:encode",
        "tags": "recsys.multimodal.modalities.words:encode_tags",
        "picture": "recsys.multimodal.modalities.picture:encode",
        "picture_layers": "recsys.multimodal.modalities.picture_layers:encode",
        "picture_top": "recsys.multimodal.modalities.picture:encode_top",
        "picture_scratch": "recsys.multimodal.modalities.picture_scratch:encode",
        "colours": "recsys.multimodal.modalities.colours:encode",
        "video": "recsys.multimodal.modalities.video:encode",
        "trailer": "recsys.multimodal.modalities.numbers:encode_trailer",
        "sound": "recsys.multimodal.modalities.sound:encode",
        "sound_numbers": "recsys.multimodal.modalities.numbers:encode_sound",
        "situation": "recsys.multimodal.modalities.numbers:encode_situation",
        "profile": "recsys.multimodal.modalities.profile:encode",
        "reviews": "recsys.multimodal.modalities.reviews:encode",
        "tree": "recsys.multimodal.modalities.symbols:encode_tree",
        "graph": "recsys.multimodal.modalities.symbols:encode_graph",
    },
)
