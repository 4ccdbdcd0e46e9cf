import numpy as np
import pytest

from recsys.multimodal.decoding.faults import Undecodable
from recsys.multimodal.decoding.video import decode_video
from tests.multimodal.broken_files import clip, wav

pytest.importorskip("av")


def levels(content: bytes, frames: int) -> list[int]:
    found = decode_video(content, 16, 16, frames)
    assert found.shape[1:] == (16, 16, 3)
    return found.mean(axis=(1, 2, 3)).round().astype(int).tolist()


def test_frames_lie_evenly_over_the_clip():
    found = levels(clip(40), 4)
    assert np.allclose(found, [255 * place / 39 for place in (5, 15, 25, 35)], atol=8)


def test_a_short_clip_gives_what_it_has():
    assert len(levels(clip(3), 8)) == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"no video" * 50, "no video of a known format"),
        (clip(0), "0 frames|no video of a known format"),
        (wav(np.ones(800)), "sound only"),
    ],
)
def test_broken_ones_say_why(content, reason):
    with pytest.raises(Undecodable, match=reason):
        decode_video(content, 16, 16)


def test_a_cut_clip_gives_the_frames_before_the_damage():
    whole = clip(40)
    found = levels(whole[: len(whole) // 2], 4)
    assert 1 <= len(found) <= 4
