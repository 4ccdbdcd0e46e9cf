"""Number formats of the report: few significant digits, a true minus sign, no false precision."""

import math

from recsys.metrics.significance import Interval


def number(value: float | int | None, digits: int = 4) -> str:
    """A number with that many significant digits; an en dash for None.

    Example:
        >>> number(0.0123456), number(None)
        ('0.01235', '–')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, int) and abs(value) < 1e7:
        return _minus(f"{value:,}")
    if value == 0:
        return "0"
    if 1e-4 <= abs(value) < 1e6:
        return _minus(f"{value:,.{_decimals(value, digits)}f}")
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return _minus(f"{mantissa}e{int(exponent)}")


def _decimals(value: float, digits: int = 4) -> int:
    """Decimal places for that many significant digits; at most six."""
    return max(0, min(6, digits - 1 - math.floor(math.log10(abs(value)))))


def _minus(text: str) -> str:
    return text.replace("-", "−")


def mean_and_half_width(interval: Interval) -> str:
    """A mean over seeds ± half the width of its interval; the mean alone where seeds change nothing."""
    mean, half = interval.mean, (interval.high - interval.low) / 2
    if not math.isfinite(half) or half <= 1e-12 * abs(mean):
        return number(mean)
    if not 1e-4 <= abs(mean) < 1e6:
        return f"{number(mean)} ± {number(half)}"
    decimals = _decimals(mean)
    if half < 0.5 * 10**-decimals:
        return f"{number(mean)} ± <{10**-decimals:.{decimals}f}"
    return f"{number(mean)} ± {half:,.{decimals}f}"


def p_value(value: float | None) -> str:
    """A p-value as text: "p = .013", "p < .001"."""
    if value is None:
        return ""
    text = "p < .001" if value < 0.001 else f"p = {value:.3f}".replace("0.", ".")
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def setting(value: object) -> str:
    """A parameter's value as a label."""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:g}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, list | tuple):
        return ", ".join(setting(part) for part in value)
    return str(value)
