"""The exceptions of decoding; the text of `Undecodable` is what the list of faults shows."""


class Undecodable(ValueError):
    """The file is no picture, sound or video, or would be unsafe to decode (too large, for instance)."""


class DecodingError(RuntimeError):
    """Decoding cannot go on at all: a package is missing, or workers die whichever file they are given."""
