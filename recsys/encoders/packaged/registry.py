"""The packaged models by name. A new one is one file beside this and one line here."""

from recsys.code.registry import Registry
from recsys.encoders.packaged.packaged_model import PackagedModel

PACKAGED = Registry(
    "packaged model",
    {
        "efficientnet-lite0": "recsys.encoders.packaged.efficientnet_lite0:MODEL",
        "speech-embedding": "recsys.encoders.packaged.speech_embedding:MODEL",
        "silero-vad": "recsys.encoders.packaged.silero_vad:MODEL",
    },
)


def packaged_models(kind: str | None = None) -> list[PackagedModel]:
    """All entries, or those of one kind: "text", "picture" or "sound"."""
    models = [PACKAGED.load(name) for name in PACKAGED]
    return [model for model in models if kind in (None, model.kind)]
