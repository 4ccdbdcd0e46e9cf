"""Why a file could not be decoded: one exception, its text is what the list of faults shows."""


class Undecodable(ValueError):
    """A file that is no picture, sound or video, or one that it would be unsafe to decode."""


class DecodingError(RuntimeError):
    """Decoding as a whole cannot go on: a package is missing, or workers die whatever they are given."""
