"""What a campaign's pacer is asked, and how its answer is recorded."""

from itertools import islice
from math import isnan, nan

from dialer.engine.flight import Flight, flights
from dialer.engine.state import Campaign, State, phones_of
from dialer.pacing import Decision
from domain.facts import PacingDecided

#: Leads ahead whose forecasts pacing sees, besides one for each free agent.
LOOK_AHEAD = 24


def paced(state: State, campaign: Campaign, flight: Flight, room: int) -> tuple[int, Decision]:
    """Return a campaign's free agents, and what its pacer says with room for so many calls; nothing is changed."""
    free = [name for name in state.ready if state.agents[name].allotted == campaign.name]
    decision = state.pacers[campaign.name].decide(
        state.shift_s(),
        len(free),
        flight.waiting,
        flight.talking_s,
        flight.wrapping_s,
        flight.ringing_s,
        p_answer=flight.p_answer or None,
        p_next=forecasts(state, campaign, len(free), room) if state.forecast else None,
        detecting_s=flight.detecting_s,
        finishing_s=flight.finishing_s or None,
        progress=flight.progress or None,
    )
    return len(free), decision


def figures(
    name: str, dials: int, reason: str, n_free: int, flight: Flight, decision: Decision, budget_left: float
) -> PacingDecided:
    """Return a decision with what was seen as it is recorded."""
    return PacingDecided(
        campaign=name,
        dials=dials,
        reason=reason,
        free=n_free,
        expected_free=round(decision.expected_free, 3),
        expected_answers=round(decision.expected_answers, 3),
        budget_left=round(budget_left, 3),
        ringing=len(flight.ringing_s),
        waiting=flight.waiting + len(flight.detecting_s),
        busy=len(flight.talking_s) + len(flight.wrapping_s) + len(flight.finishing_s),
        finishing=len(flight.finishing_s),
        risk=round(decision.risk, 5),
        tolerated=round(decision.tolerated, 5),
        p_answer=round(decision.p_answer, 5),
    )


def forecasts(state: State, campaign: Campaign, n_free: int, room: int) -> list[float] | None:
    """Return the chances of the next leads, NaN where there is none; None where none has one."""
    found: list[float] = []
    for lead in islice(state.next_leads(campaign), max(0, min(room, n_free + LOOK_AHEAD))):
        phones = phones_of(lead, state.people[lead.person])
        chance = phones[lead.phone_index % len(phones)].p_answer if phones else None
        found.append(nan if chance is None else chance)
    return None if all(map(isnan, found)) else found


def idle(state: State, campaign: Campaign) -> PacingDecided:
    """Return what is seen of a campaign that has nobody to call."""
    flight = flights(state)[campaign.name]
    n_free, decision = paced(state, campaign, flight, 0)
    return figures(campaign.name, 0, "no_leads", n_free, flight, decision, decision.budget_left)
