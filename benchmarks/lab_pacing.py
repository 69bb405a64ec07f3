"""One campaign on the real lab in each mode, with equal numbers and agents: what predictive pacing gains there.

    python -m benchmarks.lab_pacing [--agents 10] [--minutes 12] [--modes progressive predictive]

Conversations last 8 s on average and wrap-ups 2 s, a tenth of life: twelve minutes give an agent the calls of some two
hours. Everybody is dialled once, in the same order. Prints one JSON object; the first minute is not measured.
"""

import argparse
import asyncio
import json
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.lab_floor import LabFloor, one_each, wrong
from dialer.asterisk.lab_numbers import Behaviour, Outcome
from dialer.robots import Habits
from domain.calls import AgentState, AnswerClass, Mode
from domain.facts import AgentShifted, CallClassed, PacingDecided
from domain.orders import Originate
from simulation.chance import Chance, Choice, Purpose

HABITS = Habits(wrapup_s=(1.0, 3.0), p_break=0.0)
RINGS_S = (1.0, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5)
TALKS_S = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 14.0, 19.0)
WARM_UP_S = 60.0
SECOND = 1_000_000
WORKED = (AgentState.talking, AgentState.wrapup)
PRESENT = (*WORKED, AgentState.ready, AgentState.reserved)


def people(n: int) -> list[Behaviour]:
    """Return n behaviours: 30 % answer after 1 to 4.5 s and talk for 2 to 19 s, the rest do not; the same every time.

    Who answers is left to chance: answers that come evenly would flatter any pacing.
    """
    draws = Chance(1)
    kinds = Choice((Outcome.answer, Outcome.no_answer, Outcome.busy, Outcome.not_in_service), (30, 45, 15, 10))
    rings, talks = Choice(RINGS_S, (1,) * len(RINGS_S)), Choice(TALKS_S, (1,) * len(TALKS_S))
    behaviours = []
    for index in range(n):
        outcome = kinds.of(draws.u(Purpose.answer, index))
        if outcome is Outcome.answer:
            ring_s, talk_s = rings.of(draws.u(Purpose.ring, index)), talks.of(draws.u(Purpose.talk, index))
            behaviours.append(Behaviour(outcome=outcome, ring_s=ring_s, talk_s=talk_s))
        elif outcome is Outcome.no_answer:
            # How long it would ring makes distinct numbers of it.
            behaviours.append(Behaviour(outcome=outcome, ring_s=index % 90 / 10))
        else:
            behaviours.append(Behaviour(outcome=outcome, ring_s=0.5 if outcome is Outcome.busy else 0.2))
    return behaviours


async def work(floor: LabFloor, minutes: float) -> None:
    """Let the campaign run for a while."""
    async with floor.staffed(HABITS):
        floor.start()
        await asyncio.sleep(60.0 * minutes)
        floor.kill()


def measure(floor: LabFloor) -> dict[str, object]:
    """Return what the record says of the campaign after its first minute."""
    rows = list(floor.ledger.read(floor.setup.floor.stream))
    begin_us = next(row.at_us for row in rows if isinstance(row.record, Originate)) + int(WARM_UP_S * SECOND)
    end_us = rows[-1].at_us
    spent: Counter[AgentState] = Counter()
    since: dict[str, tuple[AgentState, int]] = {}
    classes: Counter[AnswerClass] = Counter()
    reasons: Counter[str] = Counter()
    dials = 0
    for row in rows:
        match row.record:
            case AgentShifted(agent=agent, state=state):
                if agent in since:
                    was, from_us = since[agent]
                    spent[was] += max(0, row.at_us - max(from_us, begin_us))
                since[agent] = (state, row.at_us)
            case CallClassed(answer_class=answer_class) if row.at_us >= begin_us:
                classes[answer_class] += 1
            case Originate() if row.at_us >= begin_us:
                dials += 1
            case PacingDecided(reason=reason) if row.at_us >= begin_us:
                reasons[reason] += 1
    for was, from_us in since.values():
        spent[was] += max(0, end_us - max(from_us, begin_us))
    present_us = sum(spent[state] for state in PRESENT)
    answered = classes[AnswerClass.connected] + classes[AnswerClass.abandoned]
    return {
        "agent_hours": round(present_us / SECOND / 3600, 3),
        "occupancy": round(sum(spent[state] for state in WORKED) / present_us, 4),
        "talk_min_per_agent_hour": round(60 * spent[AgentState.talking] / present_us, 2),
        "dials": dials,
        "connected": classes[AnswerClass.connected],
        "abandoned": classes[AnswerClass.abandoned],
        "abandonment": round(classes[AnswerClass.abandoned] / max(1, answered), 4),
        "reasons": dict(reasons.most_common()),
        "wrong": wrong(one for one in floor.attempts() if one.disposition is not None),
    }


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--agents", type=int, default=10)
    options.add_argument("--minutes", type=float, default=12.0)
    options.add_argument(
        "--modes", nargs="+", choices=[mode.value for mode in Mode], default=["progressive", "predictive"]
    )
    given = options.parse_args()
    told: dict[str, dict[str, object]] = {}
    for mode in given.modes:
        with tempfile.TemporaryDirectory() as folder:
            # More rows than can be dialled: nobody runs out of leads.
            rows = people(int(given.agents * given.minutes * 28))
            floor = LabFloor(Path(folder), rows, agents=given.agents, campaign=one_each(mode=Mode(mode)), max_lines=200)
            try:
                floor.open()
                asyncio.run(work(floor, given.minutes))
                told[mode] = measure(floor)
            finally:
                floor.close()
    print(json.dumps({"agents": given.agents, "minutes": given.minutes, **told}, indent=2))


if __name__ == "__main__":
    main()
