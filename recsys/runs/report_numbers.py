"""How the report writes numbers: four significant digits, a true minus sign, no false precision."""

import math

from recsys.metrics.significance import Interval


def number(value: float | int | None) -> str:
    """A number for people; an en dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if value == 0 or (isinstance(value, int) and abs(value) < 1e7):
        text = f"{value:,}" if isinstance(value, int) else "0"
    elif 1e-4 <= abs(value) < 1e6:
        decimals = max(0, 3 - math.floor(math.log10(abs(value))))
        text = f"{value:,.{min(decimals, 5)}f}"
    else:
        mantissa, _, exponent = f"{value:.2e}".partition("e")
        text = f"{mantissa}×10^{int(exponent)}"
    return text.replace("-", "−")


def mean_and_half_width(interval: Interval) -> str:
    """A mean over seeds with half the width of its interval; the mean alone for a single seed."""
    if not math.isfinite(interval.low):
        return number(interval.mean)
    half = (interval.high - interval.low) / 2
    return f"{number(interval.mean)} ± {number(half)}" if half else number(interval.mean)


def p_value(value: float | None) -> str:
    """With its sign of relation: "p = .013", "p < .001"."""
    if value is None:
        return ""
    return "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".")


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever reads best."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def setting(value: object) -> str:
    """A parameter's value as a label."""
    if isinstance(value, float) and not float(value).is_integer():
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(part) for part in value)
    return str(value)
