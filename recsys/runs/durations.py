"""Times in words, for progress on a terminal and for the report."""


def duration(seconds: float) -> str:
    """A duration as text: 3.2 s, 45 s, 3 min 05 s, 2 h 10 min.

    Example:
        >>> duration(185)
        '3 min 05 s'
    """
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
