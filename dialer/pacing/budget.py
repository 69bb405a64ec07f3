"""How much risk the next call may carry, so that abandonment stays under every limit.

Counts decide, not a rate measured over some minutes: the room left in each window says what share of the answers to
come may be abandoned. Where a limit is hard, one call per free agent is dialled before the room is used up.
"""

from math import exp, inf
from typing import Final

import msgspec
import numpy as np
from numba import njit

from dialer.pacing.kernel import Floats
from dialer.pacing.settings import PacingSettings

#: Risk of one more call that keeps the share of abandoned answers at a limit, as a multiple of that limit: by
#: experiment, for large teams, and the more for a team of one.
_RISK, _RISK_SMALL = 0.9, 0.63
#: Answers are abandoned so far below a limit on average.
_AIM, _AIM_HARD = 0.98, 0.995
#: What is left at the end of a shift. More under a hard limit, by the size of the team: people are abandoned in clumps.
_RESERVE = 0.3
_RESERVE_HARD, _RESERVE_BY_AGENT, _RESERVE_MOST = 1.5, 0.09, 9.0
#: More where agents meet machines, by the variance of who answers: how many people there were is known late.
_RESERVE_MIXED = 3.0
#: What is left late is spent at most so many times as fast.
_MOST, _MOST_HARD = 2.0, 1.5
#: How strongly an abandoned call too many lowers the risk.
_GAIN = 0.02
_GAIN_MOST = 1.2
#: Answers that always seem still to come: what is left late in the day is not spent at once.
_REST = 30.0
#: Hard limits: what is overdrawn is paid back so many times as fast, as long as this share of the risk is left.
#: Early and by little: to dial without any risk for an hour costs much more than to dial with half of it for a day.
_PAYBACK, _PAYBACK_LEAST = 2.5, 0.5
#: Hard limits: share of the answers to come that may be counted on, and their number, the more for each agent.
_COUNTED_ON, _COUNTED_ON_MOST, _COUNTED_ON_BY_AGENT = 0.5, 600.0, 5.0


#: Share of their time that agents will spend on answers.
_OCCUPANCY = 0.8

#: Answers that an earlier shift's share of people counts as.
_KEPT: Final = 50.0


class Budget(msgspec.Struct):
    #: By people, as far as known: who met an agent counts until the agent says that it was a machine.
    answered: int = 0
    abandoned: int = 0
    #: Answers that were machines', as agents said.
    heard: int = 0
    #: Answers of earlier shifts, by people and machines; at first it is believed that people answer.
    people_before: float = 5.0
    machines_before: float = 0.0

    def met(self) -> tuple[float, float]:
        """Return how many answers were by people and how many by machines, as far as known."""
        people, machines = _met(self.answered, self.heard, self.people_before, self.machines_before)
        return people, machines

    def next_shift(self) -> "Budget":
        """Return counts that begin anew, with what is known of machines."""
        people, machines = self.met()
        kept = min(1.0, _KEPT / (people + machines))
        return Budget(people_before=people * kept, machines_before=machines * kept)

    def risk(
        self, limits: Floats, agent_s: float, service_s: float, staff: int, waiting: int
    ) -> tuple[float, float, float]:
        """Return the risk allowed now.

        Parameters
        ----------
        limits : float64 array
            As `in_force` returns them.
        agent_s, service_s : float, s
            Time that agents will still work in the shift, and what an answer takes of it.
        staff : int
            Agents who work for the campaign.
        waiting : int
            Answered people without an agent.

        Returns
        -------
        theta : float
            Chance, tolerated, that a further call meets nobody if it is answered.
        budget_left : float
            Abandoned calls left under the tightest limit.
        headroom : float
            Abandoned calls left under the tightest hard limit, counting on answers to come; infinite without one.
        """
        found: tuple[float, float, float] = _risk(
            limits,
            self.answered,
            self.abandoned,
            self.heard,
            self.people_before,
            self.machines_before,
            agent_s,
            service_s,
            staff,
            waiting,
        )
        return found


def in_force(settings: PacingSettings) -> Floats:
    """Return the limits in force, the shift's first: share, whether it is hard, answered and abandoned before."""
    rows = [(one.share, one.hard, one.answered_before, one.abandoned_before) for one in settings.limits]
    return np.array([(settings.abandon_limit, settings.hard, 0, 0), *rows], np.float64)


@njit(cache=True)
def _met(answered: int, heard: int, people_before: float, machines_before: float) -> tuple[float, float]:
    # A machine may be heard of after the shift that it answered in: never fewer people than none.
    return max(0.0, answered + people_before), heard + machines_before


@njit(cache=True)
def _risk(
    limits: Floats,
    answered: int,
    abandoned: int,
    heard: int,
    people_before: float,
    machines_before: float,
    agent_s: float,
    service_s: float,
    staff: int,
    waiting: int,
) -> tuple[float, float, float]:
    # Limits count answers by people, and cannot tell who was abandoned.
    met, machines = _met(answered, heard, people_before, machines_before)
    people = met / (met + machines)
    to_come = max(0.0, agent_s) * _OCCUPANCY / max(1.0, service_s) * people
    risk = _RISK + _RISK_SMALL / max(1, staff)
    mixed = _RESERVE_MIXED * people * (1.0 - people)
    reserve = min(_RESERVE_MOST, _RESERVE_HARD + _RESERVE_BY_AGENT * staff)
    theta, budget_left, headroom = inf, inf, inf
    for k in range(limits.shape[0]):
        share_most, hard = limits[k, 0], limits[k, 1] > 0.0
        counted, left = limits[k, 2] + answered, limits[k, 3] + abandoned
        budget_left = min(budget_left, share_most * (counted + 1.0) - left)
        aim = (_AIM_HARD if hard else _AIM) * share_most
        balance = aim * counted - left - (reserve if hard else _RESERVE) - mixed
        # An overdrawn window is paid back by the answers to come, and what is left is spent on them.
        more = balance / (to_come + _REST)
        share = aim + more
        if hard and more < 0.0:
            share = max(aim + _PAYBACK * more, min(share, _PAYBACK_LEAST * aim))
        share = max(0.0, min((_MOST_HARD if hard else _MOST) * aim, share))
        swing = max(-_GAIN_MOST, min(_GAIN_MOST, _GAIN * balance))
        theta = min(theta, risk * people * share * exp(swing))
        if hard:
            counted_on = min(_COUNTED_ON * to_come, _COUNTED_ON_MOST + _COUNTED_ON_BY_AGENT * staff)
            headroom = min(headroom, share_most * (counted + counted_on) - left - 1.0 - waiting)
    return float(theta), float(budget_left), float(headroom)
