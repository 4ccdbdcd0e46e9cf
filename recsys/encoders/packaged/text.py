"""Packaged text models that `load_backbone` loads by name, and custom architectures in saved folders."""

from recsys.code.registry import Registry

# name -> function(pretrained, seed) -> (model without head or pooler, tokenizer)
PACKAGED_TEXT = Registry(
    "packaged text model",
    {
        "e5-small-multilingual": "recsys.encoders.packaged.e5_small:load",
        "smollm2-135m": "recsys.encoders.packaged.smollm2:load",
        "use-multilingual": "recsys.encoders.packaged.use_multilingual:load",
    },
)
# model_type of a config.json -> function that registers the architecture with transformers
ARCHITECTURES = Registry("architecture", {"recsys-use": "recsys.encoders.packaged.use_network:register"})
