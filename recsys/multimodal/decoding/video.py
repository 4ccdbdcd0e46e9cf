"""Decode a few frames of a video, spread evenly over its length.

F: frames. H, W: rows and columns of pixels.
"""

import io

import numpy as np
from PIL import Image

from recsys.multimodal.decoding.faults import DecodingError, Undecodable

MOST_BYTES = 512 << 20
MOST_PIXELS = 16_000_000  # of a frame: 8K is twice that
MOST_DECODED = 4_000  # frames decoded at most; of a longer video the first ones


def decode_video(content: bytes, width: int, height: int, frames: int = 8) -> np.ndarray:
    """Decode the middle frame of each of `frames` equal stretches of a video.

    Args:
        content: bytes of the file.
        width, height: pixels of the result; frames are stretched to them.
        frames: wanted; a video with fewer gives all it has.

    Returns:
        [F, H, W, 3] uint8, 1 ≤ F ≤ frames.

    Raises:
        Undecodable: with the reason; also for a video without a single frame.
        DecodingError: `av` is not installed.
    """
    if not content:
        raise Undecodable("0 bytes")
    if len(content) > MOST_BYTES:
        raise Undecodable(f"{len(content):,} bytes, more than {MOST_BYTES:,}")
    try:
        import av
    except ImportError:
        raise DecodingError("video needs the package av: pip install av") from None
    kept: list[np.ndarray] = []
    seen = 0
    try:
        with av.open(io.BytesIO(content)) as container:
            if not container.streams.video:
                raise Undecodable("no picture in it: sound only")
            stream = container.streams.video[0]
            if stream.codec_context.width * stream.codec_context.height > MOST_PIXELS:
                size = f"{stream.codec_context.width:,} × {stream.codec_context.height:,}"
                raise Undecodable(f"frames of {size} pixels, too many to decode")
            stream.thread_count = 1
            every = max(1, _length(stream) // frames)  # a wrong header only makes the spacing uneven
            for seen, frame in enumerate(container.decode(stream), start=1):
                if (seen - 1) % every == every // 2:
                    kept.append(_scaled(frame, width, height))
                    # twice as many as wanted: the header's length was too short, so keep every other frame
                    if len(kept) >= 2 * frames:
                        kept, every = kept[1::2], 2 * every
                if seen >= MOST_DECODED:
                    break
    except Undecodable:
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        if not kept:
            raise Undecodable(f"no video of a known format ({' '.join(str(error).split())[:100]})") from None
    if not kept:
        raise Undecodable("0 frames" if not seen else "too short for a frame in the middle")
    chosen = np.linspace(0, len(kept) - 1, min(frames, len(kept))).round().astype(int)
    return np.stack([kept[place] for place in chosen])


def _length(stream) -> int:
    """Number of frames by the header, else duration × rate; 1 where neither is known."""
    if stream.frames > 0:
        return min(stream.frames, MOST_DECODED)
    if stream.duration and stream.average_rate and stream.time_base:
        return int(min(max(1, stream.duration * stream.time_base * stream.average_rate), MOST_DECODED))
    return 1


def _scaled(frame, width: int, height: int) -> np.ndarray:
    turned = frame.to_image()
    if frame.rotation:  # degrees, counter-clockwise, from the container
        turned = turned.rotate(frame.rotation, expand=True)
    return np.asarray(turned.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
