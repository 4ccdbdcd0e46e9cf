"""The alarm over texts that arrive out of order: a watermark closes days, which are folded in their order.

The watermark is the newest time seen so far less a delay, as in `recsys.streaming.arrivals`. A day is closed
when the watermark has passed its end; a text of a closed day is late, counted and left out. So the alarms
depend on the texts in the order of arrival, and not on where that was cut into batches.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from recsys.applications.opinion.alarm import NEW, AlarmSpec, step
from recsys.streaming.events import DAY

LEAP = 366 * DAY  # milliseconds without any text, after which a newer one is taken for a wrong clock


class DatedText(NamedTuple):
    """A text: milliseconds since 1970 UTC, the firm, whether it is bad news."""

    time: int
    firm: str
    bad: bool


class Alarm(NamedTuple):
    """An alarm: the day (days since 1970), the firm, its count on that day."""

    day: int
    firm: str
    count: int


class LiveWatch:
    """See the module.

    Args:
        firms: that are watched; texts on others move the clock alone.
        delay: milliseconds that a text may be late.
    """

    def __init__(self, firms: Iterable[str], spec: AlarmSpec, delay: int = DAY // 4):
        self.spec, self.delay = spec, delay
        self.states = dict.fromkeys(firms, NEW)
        self.waiting: Counter[tuple[int, str]] = Counter()
        self.clock, self.open, self.late = -(2**62), None, 0
        self.strange = 0  # texts more than LEAP newer than any before: counted and left out

    def push(self, texts: Iterable[DatedText]) -> list[Alarm]:
        """Take in texts as they arrived; alarms of the days that this closed."""
        found: list[Alarm] = []
        for text in texts:
            day = text.time // DAY
            self.open = day if self.open is None else self.open
            if day < self.open:
                self.late += 1
                continue
            if text.time > max(self.clock, self.open * DAY) + LEAP:
                self.strange += 1  # one wrong clock would close every day up to then, and all others be late
                continue
            if text.bad and text.firm in self.states:
                self.waiting[day, text.firm] += 1
            self.clock = max(self.clock, text.time)
            found += self._close((self.clock - self.delay) // DAY)
        return found

    def finish(self) -> list[Alarm]:
        """Alarms of what is still open; nothing may come after it."""
        return [] if self.open is None else self._close(self.clock // DAY + 1)

    def _close(self, until: int) -> list[Alarm]:
        """Fold the days before `until`."""
        found = []
        while self.open < until:
            for firm in self.states:
                count = self.waiting.pop((self.open, firm), 0)
                self.states[firm], raised = step(self.states[firm], count, self.spec)
                found += [Alarm(self.open, firm, count)] if raised else []
            self.open += 1
        return found
