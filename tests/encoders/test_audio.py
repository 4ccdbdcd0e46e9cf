"""Audio encoder: rates, lengths and types; what it says of real spoken digits where package and data are
here.
"""

import io
import os
import tarfile
import wave
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys.code.registry import RegistryError
from recsys.encoders.audio import RATE, as_samples, embed_audio, load_audio_encoder, speech_probability
from recsys.encoders.packaged import silero_vad, speech_embedding

DIGITS = Path(os.environ.get("RECSYS_DATA", "")) / "free_spoken_digit" / "recordings_0_14.tar.gz"


@pytest.fixture(scope="module")
def encoder():
    if not speech_embedding.MODEL.installed():
        pytest.skip(f"not installed: {speech_embedding.MODEL.command}")
    return load_audio_encoder()


def tone(seconds, rate=RATE, pitch=440.0):
    return (0.3 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def test_types_rates_and_channels_agree():
    exact = as_samples(tone(0.5), RATE)
    whole = as_samples((tone(0.5) * 32768).astype(np.int16), RATE)
    assert np.allclose(exact, whole, atol=1e-4)
    stereo = as_samples(np.stack([tone(0.5), tone(0.5)], axis=1), RATE)
    assert np.allclose(exact, stereo, atol=1e-6)
    resampled = as_samples(tone(0.5, rate=8000), 8000)
    assert len(resampled) == len(exact)
    assert np.abs(resampled - exact)[400:-400].max() < 0.01


@pytest.mark.parametrize(
    ("recording", "rate", "message"),
    [
        (np.zeros(0), RATE, "not empty"),
        (np.zeros(10, dtype=np.int32), RATE, "int32"),
        (np.array([0.0, np.nan]), RATE, "not finite"),
        (np.array([0.0, 3000.0]), RATE, "from −1 to 1"),
        (np.zeros(10), 0, "rate must be"),
        (np.zeros(10), 16000.5, "rate must be"),
    ],
)
def test_what_is_no_recording_is_named(recording, rate, message):
    with pytest.raises(ValueError, match=message):
        as_samples(recording, rate)


def test_unknown_name():
    with pytest.raises(RegistryError, match="did you mean 'speech-embedding'"):
        load_audio_encoder("speech-embeding")


def test_any_length_has_a_vector_and_batches_do_not_matter(encoder):
    recordings = [tone(0.01), tone(0.4), tone(3.0, pitch=300.0)]
    together = embed_audio(encoder, recordings, RATE)
    assert together.shape == (3, 96)
    assert np.isfinite(together).all()
    for row, recording in enumerate(recordings):
        assert np.allclose(together[row], embed_audio(encoder, [recording], RATE)[0], atol=1e-5)
    unit = embed_audio(encoder, recordings, RATE, normalise=True)
    assert np.allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-5)


def spoken_digits():
    recordings, digits, speakers = [], [], []
    with tarfile.open(DIGITS) as archive:
        for member in archive:
            digit, speaker, _ = (
                Path(member.name).stem.split("_") if member.name.endswith(".wav") else ("", "", "")
            )
            if digit:
                with wave.open(io.BytesIO(archive.extractfile(member).read())) as sound:
                    recordings.append(np.frombuffer(sound.readframes(sound.getnframes()), "<i2"))
                digits.append(int(digit))
                speakers.append(speaker)
    return recordings, np.array(digits), np.array(speakers)


@pytest.mark.skipif(not DIGITS.is_file(), reason="RECSYS_DATA has no free_spoken_digit")
def test_digits_of_unseen_speakers(encoder):
    recordings, digits, speakers = spoken_digits()
    vectors = embed_audio(encoder, recordings, 8000)
    accuracies = []
    for speaker in np.unique(speakers):
        unseen = speakers == speaker
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
        model.fit(vectors[~unseen], digits[~unseen])
        accuracies.append(model.score(vectors[unseen], digits[unseen]))
    assert np.mean(accuracies) >= 0.90


@pytest.mark.skipif(not DIGITS.is_file(), reason="RECSYS_DATA has no free_spoken_digit")
def test_speech_is_told_from_silence():
    if not silero_vad.MODEL.installed():
        pytest.skip(f"not installed: {silero_vad.MODEL.command}")
    recording = spoken_digits()[0][0]
    silence = np.zeros(8000, dtype=np.int16)
    probability = speech_probability(np.concatenate([silence, *[recording] * 3, silence]), 8000)
    assert len(probability) == -(-(2 * 8000 + 3 * len(recording)) * 2 // 512)
    assert probability[:28].max() < 0.5 < probability[32:-32].max()
