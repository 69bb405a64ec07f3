"""What a strategy has due besides calls: written messages and tasks, and who comes first.

Law kept: whoever is held out by lot, or whose treatment stops for now, is in none of it. Lots between calling and not
calling are about calls alone: they move no message.
"""

from typing import NamedTuple

import numpy as np

from strategy.documents import Step, Strategy, rules_of
from strategy.listing import I8, Listing


class Due(NamedTuple):
    """One debtor whose step is a message or a task."""

    #: Row of the listing.
    row: int
    arm: str
    segment: str
    #: TREATMENT.STEP, the step from 1: the same word in whatever arm.
    step: str
    #: In the segment since, in days since 1970-01-01.
    since_day: int
    what: Step


class _Group(NamedTuple):
    arm: int
    segment: str
    step: str
    what: Step


def due(listing: Listing) -> dict[str, list[Due]]:
    """Return who is due, by channel or task.

    Returns
    -------
    dict of str to list of Due
        First those whose step came first, so that whoever was left over yesterday goes before who comes today; then by
        the step's priority and by the document's `rank_by`, arms share by share.
    """
    groups: list[_Group] = []
    members: list[I8] = []
    for number, arm in enumerate(listing.strategy.arms):
        document = listing.strategy.of_arm(arm.name)
        segments, steps, mine = listing.segments(number), listing.steps(number), listing.arm == number
        stops = rules_of(document).stops
        for place, segment in enumerate(document.segments):
            here = mine & (segments == place)
            if (stop := stops.get(segment.treatment)) is not None:
                here &= ~stop.holds(listing.columns)
            for n, step in enumerate(document.treatments[segment.treatment].steps):
                if step.besides_calls:
                    groups.append(_Group(number, segment.name, f"{segment.treatment}.{n + 1}", step))
                    members.append(np.flatnonzero(here & (steps == n)))
    found: dict[str, list[Due]] = {}
    for what in dict.fromkeys(group.what.besides_calls for group in groups):
        of, priority = np.full(len(listing.person), -1), np.zeros(len(listing.person), np.int64)
        for place, (group, rows) in enumerate(zip(groups, members, strict=True)):
            if group.what.besides_calls == what:
                of[rows] = place
                came = listing.since(group.arm)[rows] + group.what.after_days
                priority[rows] = came * 10 + group.what.priority
        ordered = listing.in_order(of >= 0, priority).tolist()
        found[what] = [_due(listing, row, groups[int(of[row])]) for row in ordered]
    return found


def _due(listing: Listing, row: int, group: _Group) -> Due:
    arm = listing.strategy.arms[group.arm].name
    return Due(row, arm, group.segment, group.step, int(listing.since(group.arm)[row]), group.what)


class Budget:
    """How many messages of a channel may still be handed out today: of the campaign, and of each arm that says so."""

    def __init__(self, strategy: Strategy, channel: str, handed: dict[str, int]) -> None:
        """Begin with what was handed out today, by arm."""
        self.of_campaign = strategy.document.budgets.get(channel)
        self._left: dict[str, int] = {
            name: one.budgets[channel] - handed.get(name, 0)
            for name, one in strategy.challengers.items()
            if channel in one.budgets
        }
        self._all = None if self.of_campaign is None else self.of_campaign - sum(handed.values())

    def take(self, arm: str) -> bool:
        """Count one message of an arm; return False, and count nothing, where the budget is spent."""
        if (self._all is not None and self._all <= 0) or self._left.get(arm, 1) <= 0:
            return False
        if self._all is not None:
            self._all -= 1
        if arm in self._left:
            self._left[arm] -= 1
        return True

    def give_back(self, arm: str) -> None:
        """Undo what `take` counted."""
        if self._all is not None:
            self._all += 1
        if arm in self._left:
            self._left[arm] += 1
