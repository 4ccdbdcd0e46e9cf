"""The alarm over texts that arrive out of order: a watermark closes days, which are folded in their order.

The watermark is the newest time seen so far less a delay, as in `recsys.streaming.arrivals`. A day is closed
when the watermark has passed its end; a text of a closed day is late, counted and left out. So the alarms
depend on the texts in the order of arrival, and not on where that was cut into batches. A day on which
nothing at all was read was not watched and is not folded, as in `surges.stream_of`.

A text whose time lies more than `AHEAD` after the clock, or `LEAP` before it (`AHEAD` as long as fewer than
`AGREED` texts have set the clock), is strange, counted and left out: believed, one wrong date would close all
days up to it. `AGREED` of them in a row that agree with each other are believed: then the clock was wrong, or
nothing was written for so long.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from recsys.applications.opinion.alarm import NEW, AlarmSpec, step
from recsys.streaming.events import DAY

AHEAD = 31 * DAY  # milliseconds
LEAP = 366 * DAY
AGREED = 5  # strange texts


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

    Attributes:
        late, strange: texts that were left out, see the module. restarts: how often the clock was set anew.
    """

    def __init__(self, firms: Iterable[str], spec: AlarmSpec, delay: int = DAY // 4):
        self.spec, self.delay = spec, delay
        self.states = dict.fromkeys(firms, NEW)
        self.waiting: Counter[tuple[int, str]] = Counter()
        self.clock, self.open, self.late = -(2**62), None, 0
        self.read: set[int] = set()  # open days with any text
        self.strange, self.odd = 0, []  # how many were left out; the last ones, in a row
        self.restarts, self.believed = 0, 0  # texts that were taken in since the clock was set

    def push(self, texts: Iterable[DatedText]) -> list[Alarm]:
        """Take in texts as they arrived; alarms of the days that this closed."""
        return [alarm for text in texts for alarm in self._take(text)]

    def _take(self, text: DatedText) -> list[Alarm]:
        day = text.time // DAY
        self.open = day if self.open is None else self.open
        behind = LEAP if self.believed >= AGREED else AHEAD  # a clock that few texts set may be the wrong one
        if not -behind <= text.time - max(self.clock, self.open * DAY) <= AHEAD:
            return self._strange(text)
        self.odd.clear()
        self.believed += 1
        if day < self.open:
            self.late += 1
            return []
        self.read.add(day)
        if text.bad and text.firm in self.states:
            self.waiting[day, text.firm] += 1
        self.clock = max(self.clock, text.time)
        return self._close((self.clock - self.delay) // DAY)

    def _strange(self, text: DatedText) -> list[Alarm]:
        """Leave a text out, or start anew from it and those before it that agree with it."""
        if self.odd and abs(text.time - self.odd[-1].time) > LEAP:
            self.odd.clear()
        self.odd.append(text)
        self.strange += 1
        if len(self.odd) < AGREED:
            return []
        if self.believed < AGREED:  # the clock itself was set by a wrong one
            self.strange += self.believed
            self.read.clear()
            self.waiting.clear()
        found, held, self.odd = self.finish(), sorted(self.odd, key=lambda text: text.time), []
        self.clock, self.open, self.believed = -(2**62), None, 0
        self.strange -= len(held)
        self.restarts += 1
        return found + self.push(held)

    def finish(self) -> list[Alarm]:
        """Alarms of what is still open; nothing may come after it."""
        return [] if self.open is None else self._close(self.clock // DAY + 1)

    def _close(self, until: int) -> list[Alarm]:
        """Fold the days before `until`."""
        found = []
        for day in sorted(day for day in self.read if day < until):
            for firm in self.states:
                count = self.waiting.pop((day, firm), 0)
                self.states[firm], raised = step(self.states[firm], count, self.spec)
                found += [Alarm(day, firm, count)] if raised else []
            self.read.discard(day)
        self.open = max(self.open, until)
        return found
