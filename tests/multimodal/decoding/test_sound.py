import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.multimodal.decoding.faults import Undecodable
from recsys.multimodal.decoding.sound import RATE, decode_sound
from tests.multimodal.broken_files import clip, lying_wav, tone, wav


def pitch(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples.astype(float)))
    return float(np.fft.rfftfreq(len(samples), 1 / RATE)[spectrum.argmax()])


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 11111])
def test_the_pitch_survives_every_rate(rate):
    samples = decode_sound(wav(tone(0.5, rate), rate))
    assert samples.dtype == np.int16
    assert abs(len(samples) - RATE // 2) <= 2
    assert abs(pitch(samples) - 440) <= 4


def test_long_sounds_are_cut():
    assert len(decode_sound(wav(tone(2.0)), most_seconds=0.5)) == RATE // 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (lying_wav(40, b"\xff\xff\xff\x7f"), "header lies"),
        (lying_wav(24, b"\0\0\0\0"), "header lies"),
        (lying_wav(24, b"\xff\xff\xff\x7f"), "header lies"),
        (lying_wav(22, b"\xff\x7f"), "header lies"),
        (lying_wav(20, b"\x77\x77"), "damaged wav"),
        (wav(np.zeros(0)), "silent"),
        (b"RIFF\0\0\0\0WAVEfmt ", "damaged wav"),
        (b"no sound at all", "no sound of a known format"),
    ],
)
def test_broken_ones_say_why(content, reason):
    with pytest.raises(Undecodable, match=reason):
        decode_sound(content)


def test_the_sound_of_a_clip_and_a_silent_one():
    pytest.importorskip("av")
    assert abs(pitch(decode_sound(clip(5, sound=True))) - 440) <= 4
    with pytest.raises(Undecodable, match="no sound in it"):
        decode_sound(clip(5))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 60), st.binary(min_size=1, max_size=8))
def test_any_header_is_decoded_or_refused(place, noise):
    with contextlib.suppress(Undecodable):
        assert len(decode_sound(lying_wav(place, noise))) >= 1
