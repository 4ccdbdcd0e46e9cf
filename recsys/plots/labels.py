"""Places labels beside points so that they cover neither each other nor the points.

For a few dozen labels the first free position on rings around each point suffices. matplotlib has nothing for
it, and adjustText is not among the dependencies.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import Bbox

SIZE = 8  # font size in points
# distances (pixels at 100 dpi) and angles (degrees) of a label from its point, in the order tried
RINGS = (7, 14, 24, 36, 50, 70, 95, 125)
ANGLES = (0, 180, 90, 270, 45, 135, 225, 315, 20, 160, 200, 340)
NEAR = 2  # rings close enough to need no line to the label
POINT = 10  # size of a point in pixels at 100 dpi
BEYOND = 10.0  # penalty factor of a label outside the panel or over another label, against one over a point


def place_labels(axes: Axes, points: np.ndarray, labels: list[str], lines: Sequence[np.ndarray] = ()) -> None:
    """Draw a label beside each point; a thin line leads to a distant one.

    Call it last, when scales, limits and the other panels are final.

    Args:
        points: [n, 2] data coordinates. labels: n.
        lines: [m, 2] corners of lines, data coordinates, that labels should not lie on; m at least 2.
    """
    if not labels:
        return
    axes.figure.canvas.draw()  # the layout is found when drawing
    scale = axes.figure.dpi / 100
    at = axes.transData.transform(points)
    taken = [_square(place, POINT * scale) for place in at]
    for line in lines:
        taken += [_square(place, 3 * scale) for place in _along(axes.transData.transform(line), 3 * scale)]
    inside, written = axes.get_window_extent(), []
    crowd = (np.abs(at[:, None] - at[None]) < (90 * scale, 30 * scale)).all(axis=2).sum(axis=1)
    for row in np.argsort(-crowd, kind="stable"):  # the most crowded first, while there is room
        size = _size(axes, labels[row])
        boxes = [_beside(at[row], size, ring * scale, angle) for ring in RINGS for angle in ANGLES]
        hidden = [
            sum(_area(box, other) for other in taken)
            + BEYOND * (sum(_area(box, other) for other in written) + _outside(box, inside))
            for box in boxes
        ]
        best = int(np.argmin(hidden))
        written.append(boxes[best])
        _write(axes, labels[row], points[row], boxes[best], lead=best >= NEAR * len(ANGLES))


def _write(axes: Axes, label: str, point: np.ndarray, box: Bbox, lead: bool) -> None:
    middle = axes.transData.inverted().transform(((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2))
    line = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 3}
    note = axes.annotate(
        label,
        point,
        xytext=middle,
        textcoords="data",
        fontsize=SIZE,
        ha="center",
        va="center",
        arrowprops=line if lead else None,
    )
    note.set_in_layout(False)  # otherwise the layout would move the points


def _size(axes: Axes, label: str) -> np.ndarray:
    """[2] width and height of a label in pixels."""
    text = axes.text(0, 0, label, fontsize=SIZE)
    found = text.get_window_extent()
    text.remove()
    return np.array([found.width, found.height])


def _beside(point: np.ndarray, size: np.ndarray, distance: float, angle: float) -> Bbox:
    """The box of a label whose nearest edge is `distance` pixels from the point, in that direction."""
    way = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    low = point + way * (distance + size / 2) - size / 2
    return Bbox([low, low + size])


def _square(middle: np.ndarray, width: float) -> Bbox:
    return Bbox([middle - width / 2, middle + width / 2])


def _along(corners: np.ndarray, step: float) -> np.ndarray:
    """Points of a line, at most `step` apart."""
    parts = [
        start + (end - start) * np.linspace(0, 1, int(np.hypot(*(end - start)) / step) + 2)[:, None]
        for start, end in pairwise(corners)
    ]
    return np.concatenate(parts)


def _area(one: Bbox, other: Bbox) -> float:
    """Overlap of two boxes in square pixels."""
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    return max(wide, 0) * max(high, 0)


def _outside(box: Bbox, inside: Bbox) -> float:
    return box.width * box.height - _area(box, inside)
