"""Small random logs for property tests."""

import numpy as np
from hypothesis import strategies as st

from recsys.streaming.events import EVENT
from recsys.streaming.user_state import StateSpec

SPEC = StateSpec(width=3, recent=4, half_life=500, pause=100, delay=200, window=100, windows=3)
VECTORS = np.random.default_rng(0).normal(size=(6, 3))  # items 6 and 7 are too new to have a vector

row = st.tuples(
    st.integers(0, 12),  # id: small, so that repeats occur
    st.integers(-1, 4),
    st.integers(0, 7),
    st.integers(0, 5),
    st.integers(0, 1500),
    st.just(1),
)


@st.composite
def logs(draw, unique=False):
    """Rows of EVENT in arrival order, times in any order; unique: ids 0, 1, 2, ..."""
    drawn = draw(st.lists(row, max_size=40))
    rows = np.array([(n, *values) for n, values in enumerate(drawn)], dtype=EVENT)
    if draw(st.booleans()):  # nearly in order, as logs are: then events leave, and ids come again
        rows["time"] = np.sort(rows["time"]) + rows["time"] % 250
    if draw(st.booleans()):
        rows["id"] %= 3
    if unique:
        rows["id"] = np.arange(len(rows))
    return rows


def cuts(draw, size):
    return sorted(draw(st.sets(st.integers(0, size), max_size=5)) | {0, size})
