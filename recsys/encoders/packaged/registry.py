"""The packaged models by name. A new one is one file beside this and one line here."""

from recsys.code.registry import Registry
from recsys.encoders.packaged.packaged_model import PackagedModel

PACKAGED = Registry(
    "packaged model",
    {
        "minilm": "recsys.encoders.packaged.minilm:MODEL",
        "e5-small-multilingual": "recsys.encoders.packaged.e5_small:MODEL",
        "smollm2-135m": "recsys.encoders.packaged.smollm2:MODEL",
        "use-multilingual": "recsys.encoders.packaged.use_multilingual:MODEL",
        "efficientnet-lite0": "recsys.encoders.packaged.efficientnet_lite0:MODEL",
        "speech-embedding": "recsys.encoders.packaged.speech_embedding:MODEL",
        "silero-vad": "recsys.encoders.packaged.silero_vad:MODEL",
    },
)
KINDS = ("text", "picture", "sound")


def packaged_models(kind: str | None = None) -> list[PackagedModel]:
    """All entries, or those of one kind: "text", "picture" or "sound"."""
    models = [PACKAGED.load(name) for name in PACKAGED]
    return [model for model in models if kind in (None, model.kind)]
