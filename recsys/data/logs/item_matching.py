"""Finds the same items in two copies of one interaction log that use different ids.

Titles of the S3-Rec files are in another repository under other ids. Where both copies list the users in the
same order, the ids align position by position. Where they do not, items are identified by their neighbours,
by colour refinement (Weisfeiler and Leman 1968): an item's first colour is its popularity, a user's colour is
the sequence of the items' colours, users with a unique colour are paired and vote on their items, and each
paired item then has a colour of its own. Voting keeps small differences between the copies from spreading.
"""

from dataclasses import dataclass

import numpy as np

UNMATCHED = -1
MAXIMUM_ROUNDS = 20  # usually about four suffice; this bounds unusual logs


@dataclass(frozen=True)
class Sequences:
    """The users' histories of one file, N users, E events.

    user_ids: [N], int64, in the order of the file.
    item_ids: [E], int64, all histories end to end.
    lengths: [N], int64, events of each user; at least 1.
    """

    user_ids: np.ndarray
    item_ids: np.ndarray
    lengths: np.ndarray

    @property
    def rows(self) -> np.ndarray:
        """[E], for each event the row of its user."""
        return np.repeat(np.arange(len(self.lengths)), self.lengths)

    @property
    def places(self) -> np.ndarray:
        """[E], for each event its place in its user's history, from 0."""
        starts = np.cumsum(self.lengths) - self.lengths
        return np.arange(len(self.item_ids)) - np.repeat(starts, self.lengths)


def match_items(ours: Sequences, theirs: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Pair the items of two copies of a log.

    Returns:
        our item ids, sorted, [M]; and for each the id in the other copy, or UNMATCHED where no item or more
        than one fits equally well, [M]. No other id appears twice.
    """
    aligned = _align(ours, theirs)
    return _match_by_surroundings(ours, theirs) if aligned is None else aligned


def _align(ours: Sequences, theirs: Sequences) -> tuple[np.ndarray, np.ndarray] | None:
    """Pairs by position, None unless that gives every item one partner, and each partner one item."""
    if not np.array_equal(ours.lengths, theirs.lengths):
        return None
    pairs = np.unique(np.stack([ours.item_ids, theirs.item_ids]), axis=1)
    if len(np.unique(pairs[0])) < pairs.shape[1] or len(np.unique(pairs[1])) < pairs.shape[1]:
        return None
    return pairs[0], pairs[1]


def _match_by_surroundings(ours: Sequences, theirs: Sequences) -> tuple[np.ndarray, np.ndarray]:
    """Pair users whose histories look alike and like no other, let them vote on their items, and repeat."""
    our_ids, our_codes = np.unique(ours.item_ids, return_inverse=True)
    their_ids, their_codes = np.unique(theirs.item_ids, return_inverse=True)
    partner = np.full(len(our_ids), UNMATCHED)  # code in the other copy
    for _ in range(MAXIMUM_ROUNDS):
        before = partner
        for use_places in (True, False):
            our_colours, their_colours = _colours(our_codes, their_codes, partner)
            here = _Histories(ours, our_colours[our_codes], use_places)
            there = _Histories(theirs, their_colours[their_codes], use_places)
            events = _paired_events(here, there)
            partner = _elected(our_codes[events[0]], their_codes[events[1]], len(our_ids), len(their_ids))
        if np.array_equal(partner, before):
            break
    found = partner >= 0
    result = np.full(len(our_ids), UNMATCHED, dtype=np.int64)
    result[found] = their_ids[partner[found]]
    return our_ids, result


def _colours(
    our_codes: np.ndarray, their_codes: np.ndarray, partner: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """A 64-bit colour for each item of either copy: its pair's number, else its popularity."""
    ours, theirs = (np.bincount(codes).astype(np.uint64) for codes in (our_codes, their_codes))
    paired = np.flatnonzero(partner >= 0)
    names = paired.astype(np.uint64) + np.uint64(1 << 40)  # no popularity is that large
    ours[paired] = names
    theirs[partner[paired]] = names
    return _mix(ours), _mix(theirs)


class _Histories:
    """Each user's history as one 64-bit signature of its item colours, with or without their places.

    events: [E], event numbers, user by user; within a user by place, or without places by colour first.
    """

    def __init__(self, log: Sequences, colours: np.ndarray, use_places: bool):
        self.lengths = log.lengths
        self.starts = np.cumsum(log.lengths) - log.lengths
        self.events = np.arange(len(colours)) if use_places else np.lexsort((log.places, colours, log.rows))
        if use_places:
            colours = _mix(colours + _mix(log.places.astype(np.uint64)))
        self.signatures = _mix(np.add.reduceat(colours, self.starts))

    def events_of(self, users: np.ndarray) -> np.ndarray:
        lengths = self.lengths[users]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return self.events[np.repeat(self.starts[users], lengths) + within]


def _paired_events(ours: _Histories, theirs: _Histories) -> tuple[np.ndarray, np.ndarray]:
    """Event numbers of the users whose signature occurs once in either copy, side by side."""
    one, our_first, our_count = np.unique(ours.signatures, return_index=True, return_counts=True)
    two, their_first, their_count = np.unique(theirs.signatures, return_index=True, return_counts=True)
    _, here, there = np.intersect1d(one, two, assume_unique=True, return_indices=True)
    once = (our_count[here] == 1) & (their_count[there] == 1)
    our_users, their_users = our_first[here[once]], their_first[there[once]]
    same = ours.lengths[our_users] == theirs.lengths[their_users]
    return ours.events_of(our_users[same]), theirs.events_of(their_users[same])


def _elected(ours: np.ndarray, theirs: np.ndarray, n_ours: int, n_theirs: int) -> np.ndarray:
    """For each of our items the partner with more than half of the votes of both, else UNMATCHED."""
    pairs, votes = np.unique(ours * n_theirs + theirs, return_counts=True)
    here, there = np.divmod(pairs, n_theirs)
    elected = (2 * votes > np.bincount(ours, minlength=n_ours)[here]) & (
        2 * votes > np.bincount(theirs, minlength=n_theirs)[there]
    )
    partner = np.full(n_ours, UNMATCHED)
    partner[here[elected]] = there[elected]
    return partner


def _mix(values: np.ndarray) -> np.ndarray:
    """A fixed pseudo-random permutation of 64-bit numbers (finaliser of SplitMix64, Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
