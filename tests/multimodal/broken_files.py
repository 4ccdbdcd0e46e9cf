"""A hundred files that a catalogue holds sooner or later, made here; none of them may stop a run."""

import io
import struct
import wave
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def bytes_of(picture: Image.Image, form: str, **options) -> bytes:
    target = io.BytesIO()
    picture.save(target, form, **options)
    return target.getvalue()


def halves(width: int = 60, height: int = 80) -> Image.Image:
    """Red above, blue below: what shows which way is up."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, :, 0] = 250
    pixels[height // 2 :, :, 2] = 250
    return Image.fromarray(pixels)


def png_bomb(side: int = 30_000) -> bytes:
    """A PNG of side × side white pixels in a few hundred kilobytes, 2.7 GB in memory."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    row = b"\0" + b"\xff" * (side * 3)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(64)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def rotated(orientation: int) -> bytes:
    """`halves` stored turned or mirrored, with the EXIF orientation that turns it back."""
    turns = Image.Transpose
    undo = {
        2: turns.FLIP_LEFT_RIGHT,
        3: turns.ROTATE_180,
        4: turns.FLIP_TOP_BOTTOM,
        5: turns.TRANSPOSE,
        6: turns.ROTATE_90,
        7: turns.TRANSVERSE,
        8: turns.ROTATE_270,
    }
    stored = halves().transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    return bytes_of(stored, "JPEG", exif=exif, quality=95)


def sixteen_bits() -> bytes:
    grey = np.full((80, 60), 20_000, np.uint16)
    grey[:40] = 60_000
    return bytes_of(Image.fromarray(grey), "PNG")


def wav(samples: np.ndarray, rate: int = 8000) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def tone(seconds: float = 0.5, rate: int = 8000, pitch: float = 440.0) -> np.ndarray:
    return 8000 * np.sin(2 * np.pi * pitch * np.arange(int(seconds * rate)) / rate)


def lying_wav(field: int, value: bytes) -> bytes:
    """A sound file with some bytes of its header overwritten: 24 is the rate, 40 the length of the data."""
    content = bytearray(wav(tone()))
    content[field : field + len(value)] = value
    return bytes(content)


def clip(frames: int, sound: bool = False, width: int = 64, height: int = 48) -> bytes:
    """An AVI of so many frames, each brighter than the last; without frames it has a header only."""
    import av

    target = io.BytesIO()
    with av.open(target, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuvj420p"
        audio = container.add_stream("pcm_s16le", rate=8000, layout="mono") if sound else None
        container.start_encoding()  # the header, even if no frame follows
        for number in range(frames):
            level = 255 * number // max(1, frames - 1)
            frame = av.VideoFrame.from_ndarray(np.full((height, width, 3), level, np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
        if audio is not None:
            samples = tone().astype(np.int16)[None]
            piece = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            piece.sample_rate = 8000
            for packet in [*audio.encode(piece), *audio.encode()]:
                container.mux(packet)
    return target.getvalue()


def hundred_of_all_kinds(folder: Path) -> list[tuple[str, str, bool]]:
    """A hundred pictures, videos and sounds: path, what it claims to be, whether it can be decoded."""
    whole = clip(12, sound=True)
    kinds = [
        ("picture", b"", False),
        ("picture", bytes_of(halves(), "JPEG", quality=95)[:500], False),
        ("picture", bytes_of(halves(), "PNG")[:-30], False),
        ("picture", png_bomb(), False),
        ("picture", b"a text named .jpg\n" * 9, False),
        ("picture", bytes_of(halves().convert("CMYK"), "JPEG"), True),
        ("picture", sixteen_bits(), True),
        ("picture", rotated(5), True),
        ("picture", wav(tone()), False),
        ("video", b"", False),
        ("video", clip(0), False),
        ("video", wav(tone()), False),
        ("video", whole, True),
        ("video", whole[: len(whole) // 2], True),
        ("sound", clip(5), False),
        ("sound", whole, True),
        ("sound", wav(np.zeros(0)), False),
        ("sound", lying_wav(40, b"\xff\xff\xff\x7f"), False),
        ("sound", lying_wav(24, b"\xff\xff\xff\x7f"), False),
        ("sound", wav(tone()), True),
    ]
    found = []
    for number in range(100):
        kind, content, fine = kinds[number % len(kinds)]
        path = folder / f"{number:03d}.{kind}"
        path.write_bytes(content)
        found.append((str(path), kind, fine))
    return found


def hundred_pictures(folder: Path) -> tuple[list[str], list[bool]]:
    """Paths of a hundred pictures, most of them broken, and whether each can be decoded."""
    whole = bytes_of(halves(), "JPEG", quality=95)
    kinds = [
        (b"", False),
        (whole[: len(whole) // 2], False),
        (b"this is a text, whatever its name says\n" * 20, False),
        (png_bomb(), False),
        (bytes_of(halves().convert("CMYK"), "JPEG"), True),
        (sixteen_bits(), True),
        (rotated(3), True),
        (rotated(6), True),
        (rotated(8), True),
        (bytes_of(halves().convert("P"), "GIF"), True),
    ]
    paths, good = [], []
    for number in range(100):
        content, fine = kinds[number % len(kinds)]
        path = folder / f"{number:03d}.jpg"
        # no two alike, or the store would see through it: trailing bytes that no reader minds
        path.write_bytes(content + bytes(number // len(kinds)) if content else b"")
        paths.append(str(path))
        good.append(fine)
    return paths, good
