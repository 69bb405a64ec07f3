"""How many calls a mode asks for by its own rule; what a campaign's pacer is asked, and how its answer is recorded."""

from itertools import islice
from math import isnan, nan

from dialer.engine.flight import Flight, flights
from dialer.engine.state import Campaign, State, phones_of
from dialer.pacing import Decision
from domain.calls import Mode
from domain.facts import PacingDecided

#: Asked often: see `domain.calls.Word`.
_PREVIEW, _PROGRESSIVE = Mode.preview, Mode.progressive
#: Leads ahead whose forecasts pacing sees, besides one for each free agent.
LOOK_AHEAD = 24
#: Of those, how many it is shown at first: most ticks place no call, and the list is long to look through.
_FIRST = 3


def free_agents(state: State, campaign: Campaign) -> int:
    """Return how many agents are free for a campaign."""
    name, n = campaign.name, 0
    for agent in map(state.agents.__getitem__, state.ready):
        n += agent.allotted == name and agent.then == "ready"
    return n


def by_rule(campaign: Campaign, free: int, covered: int) -> tuple[int, str, float | None]:
    """Return how many calls a mode asks for that is not predictive, why, and the budget where it goes by one.

    Power is lines by a fixed ratio, falling back to one per agent where the day's abandonment leaves no room for one
    more.
    """
    if campaign.mode is _PREVIEW:
        return 0, "preview", None
    if campaign.mode is _PROGRESSIVE:
        return free - covered, "one_per_free_agent", None
    people, abandoned = campaign.abandonment()
    budget_left = campaign.pace.share * (people + 1) - abandoned
    if budget_left < 1.0 and abandoned:
        return free - covered, "budget", budget_left
    return int(free * campaign.ratio) - covered, "ratio", budget_left


def paced(state: State, campaign: Campaign, flight: Flight, n_free: int, room: int) -> Decision:
    """Return what a campaign's pacer says with room for so many calls; nothing is changed."""
    pacer, at_s = state.pacers[campaign.name], state.shift_s()
    if not state.forecast:
        return pacer.answer(at_s, n_free, flight.seen)
    ahead = max(0, min(room, n_free + LOOK_AHEAD))
    decision = pacer.answer(at_s, n_free, flight.seen, forecasts(state, campaign, min(ahead, _FIRST)))
    if decision.dials < _FIRST or ahead <= _FIRST:
        # It stopped at one that it was shown: those that follow would have changed nothing.
        return decision
    return pacer.answer(at_s, n_free, flight.seen, forecasts(state, campaign, ahead))


def figures(
    name: str, dials: int, reason: str, n_free: int, flight: Flight, decision: Decision, budget_left: float
) -> PacingDecided:
    """Return a decision with what was seen as it is recorded."""
    seen = flight.seen
    return PacingDecided(
        campaign=name,
        dials=dials,
        reason=reason,
        free=n_free,
        expected_free=round(decision.expected_free, 3),
        expected_answers=round(decision.expected_answers, 3),
        budget_left=round(budget_left, 3),
        ringing=seen.ringing,
        waiting=seen.waiting + seen.detecting,
        busy=seen.busy,
        finishing=seen.finishing,
        risk=round(decision.risk, 5),
        tolerated=round(decision.tolerated, 5),
        p_answer=round(decision.p_answer, 5),
    )


def forecasts(state: State, campaign: Campaign, n: int) -> list[float] | None:
    """Return the chances of the next n leads, NaN where there is none; None where none has one."""
    found: list[float] = []
    hour, detected = state.hour(), campaign.settings.detect_machines
    for lead in islice(state.next_leads(campaign), n):
        phones = phones_of(lead, state.people[lead.person])
        phone = phones[lead.phone_index % len(phones)].phone if phones else 0
        _, chance = lead.chances(phone, hour, detected)
        found.append(nan if chance is None else chance)
    return None if all(map(isnan, found)) else found


def resting(state: State, campaign: Campaign, reason: str, room: int = 0) -> PacingDecided:
    """Return what is seen of a campaign that places no call, as if it had room for so many."""
    flight = flights(state)[campaign.name]
    n_free = free_agents(state, campaign)
    decision = paced(state, campaign, flight, n_free, room)
    return figures(campaign.name, 0, reason, n_free, flight, decision, decision.budget_left)
