"""Decode a sound file, or the sound track of a video, to mono samples at 16 kHz.

T: samples.
"""

import io
import wave

import numpy as np

from recsys.multimodal.decoding.faults import DecodingError, Undecodable

RATE = 16_000  # Hz; the input of the speech embedding
MOST_BYTES = 256 << 20
MOST_SECONDS = 120.0  # longer sounds are cut: enough for one mean vector
RATES = (2_000, 384_000)  # Hz; a header outside this range is taken for damaged


def decode_sound(content: bytes, most_seconds: float = MOST_SECONDS) -> np.ndarray:
    """Decode to mono samples at 16 kHz.

    Uncompressed wav is read by the standard library, everything else (video too) by the package `av`.

    Args:
        content: bytes of the file.
        most_seconds: decode at most this much from the start.

    Returns:
        [T] int16, T ≥ 1.

    Raises:
        Undecodable: with the reason; also where header and data disagree.
        DecodingError: `av` is needed and not installed.
    """
    if not content:
        raise Undecodable("0 bytes")
    if len(content) > MOST_BYTES:
        raise Undecodable(f"{len(content):,} bytes, more than {MOST_BYTES:,}")
    samples, rate = _wav(content, most_seconds) if content[:4] == b"RIFF" and content[8:12] == b"WAVE" else (
        _any(content, most_seconds)
    )  # fmt: skip
    if not len(samples):
        raise Undecodable("no samples: silent")
    return _at_rate(samples, rate).round().clip(-32768, 32767).astype(np.int16)


def _wav(content: bytes, most_seconds: float) -> tuple[np.ndarray, int]:
    try:
        with wave.open(io.BytesIO(content)) as file:
            channels, width, rate, frames = file.getparams()[:4]
            if not (1 <= channels <= 16 and width in (1, 2, 3, 4) and RATES[0] <= rate <= RATES[1]):
                raise Undecodable(f"the header lies: {channels} channels, {8 * width} bits, {rate} Hz")
            promised = frames * channels * width
            if promised > len(content):
                raise Undecodable(f"the header lies: {promised:,} bytes of sound in {len(content):,}")
            raw = file.readframes(min(frames, int(most_seconds * rate)))
    except (wave.Error, EOFError, ValueError, RuntimeError, ZeroDivisionError) as error:
        if isinstance(error, Undecodable):
            raise
        raise Undecodable(f"damaged wav: {error or type(error).__name__}") from None
    raw = raw[: len(raw) // (channels * width) * channels * width]
    return _integers(raw, width).reshape(-1, channels).mean(axis=1), rate


def _integers(raw: bytes, width: int) -> np.ndarray:
    """Samples scaled to the range of 16-bit integers."""
    if width == 1:
        return (np.frombuffer(raw, np.uint8).astype(np.float32) - 128) * 256
    if width == 3:
        three = np.frombuffer(raw, np.uint8).reshape(-1, 3).astype(np.int32)
        return ((three[:, 2].astype(np.int8).astype(np.int32) << 8) | three[:, 1]).astype(np.float32)
    found = np.frombuffer(raw, f"<i{width}").astype(np.float32)
    return found if width == 2 else found / 65536


def _any(content: bytes, most_seconds: float) -> tuple[np.ndarray, int]:
    try:
        import av
    except ImportError:
        raise DecodingError("sound other than wav needs the package av: pip install av") from None
    parts, seconds = [], 0.0
    try:
        with av.open(io.BytesIO(content)) as container:
            if not container.streams.audio:
                raise Undecodable("no sound in it")
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                if not RATES[0] <= frame.sample_rate <= RATES[1]:
                    raise Undecodable(f"the header lies: {frame.sample_rate} Hz")
                parts += [made.to_ndarray().reshape(-1) for made in resampler.resample(frame)]
                seconds += frame.samples / frame.sample_rate
                if seconds >= most_seconds:
                    break
    except Undecodable:
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        # keep what was decoded before the damage: a few seconds describe a clip
        if not parts:
            raise Undecodable(f"no sound of a known format ({' '.join(str(error).split())[:100]})") from None
    found = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return found[: int(most_seconds * RATE)].astype(np.float32), RATE


def _at_rate(samples: np.ndarray, rate: int) -> np.ndarray:
    if rate == RATE:
        return samples
    from math import gcd

    from scipy.signal import resample_poly

    common = gcd(rate, RATE)
    up, down = RATE // common, rate // common
    if max(up, down) > 1000:  # an unusual rate would need a resampling filter so long that it costs seconds
        places = np.arange(0, len(samples) - 1e-9, rate / RATE)
        return np.interp(places, np.arange(len(samples)), samples)
    return resample_poly(samples, up, down)
