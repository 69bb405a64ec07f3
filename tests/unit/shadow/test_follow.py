"""A floor that somebody else dials, followed."""

from collections.abc import Iterable

import pytest

from dialer.shadow import Advice, AnyWord, Shadow
from dialer.shadow.words import Abandoned, AgentIs, Answered, Connected, Detected, Dialled, Ended, Finishing
from domain.calls import Cause
from domain.errors import BadInput
from domain.instants import SECOND, parse
from domain.settings import CampaignSettings, FloorSettings

START_US = parse("2026-11-18T15:30:00Z")
START_S = START_US / SECOND


def shadow(**changes: object) -> Shadow:
    return Shadow(FloorSettings(campaigns=(CampaignSettings(name="es", **changes),)), ["es"])  # type: ignore[arg-type]


def hear(one: Shadow, *told: tuple[float, AnyWord]) -> list[Advice]:
    """Feed words at seconds since the start; return the advice of the ticks between them."""
    advice: list[Advice] = []
    for at_s, word in told:
        at_us = START_US + round(at_s * SECOND)
        advice += one.advance(at_us)
        one.take(at_us, word)
    return advice


def ready(*agents: str) -> Iterable[tuple[float, AnyWord]]:
    return [(0.0, AgentIs(at=0, agent=agent, state="ready")) for agent in agents]


def dialled(call: str) -> Dialled:
    return Dialled(at=0, call=call, campaign="es")


def test_a_call_is_followed_to_its_agent_and_to_his_being_ready_again() -> None:
    one = shadow()
    advice = hear(
        one,
        *ready("a", "b"),
        (1.0, dialled("1")),
        (1.0, dialled("2")),
        (6.2, Ended(at=0, call="2", cause=Cause.busy)),
        (9.2, Answered(at=0, call="1")),
        (10.1, Connected(at=0, call="1", agent="a")),
        (40.1, Finishing(at=0, agent="a")),
        (50.2, Ended(at=0, call="1")),
        (60.2, AgentIs(at=0, agent="a", state="ready")),
        (61.0, AgentIs(at=0, agent="b", state="paused")),
    )
    seen = {round((line.at_us - START_US) / SECOND, 1): line for line in advice}
    assert [(seen[t].free, seen[t].busy, seen[t].ringing, seen[t].waiting) for t in (0.5, 2.0, 7.0, 10.0, 11.0)] == [
        (2, 0, 0, 0),
        (2, 0, 2, 0),
        (2, 0, 1, 0),
        (2, 0, 0, 1),
        (1, 1, 0, 0),
    ]
    assert (seen[1.0].placed, seen[1.5].placed, seen[2.0].placed) == (0, 2, 0)
    # One call per free agent while nothing is known; what rings or waits is counted.
    assert [(seen[t].advised, seen[t].reason) for t in (0.5, 2.0, 7.0)] == [
        (2, "cold_start"),
        (0, "cold_start"),
        (1, "cold_start"),
    ]
    (summary,) = one.summaries()
    assert (summary.theirs.dialled, summary.theirs.answered, summary.theirs.abandoned) == (2, 1, 0)
    assert summary.theirs.busy_s == pytest.approx(50.0, abs=1.0)
    # Two placed where two had been advised is not too many.
    assert (summary.over_ticks, summary.over_calls) == (0, 0)


def test_who_waits_in_vain_is_abandoned_once_however_it_is_told() -> None:
    one = shadow()
    hear(
        one,
        (0.0, dialled("1")),
        (0.0, dialled("2")),
        (5.0, Answered(at=0, call="1")),
        (7.0, Abandoned(at=0, call="1")),
        (8.0, Ended(at=0, call="1")),
        (5.0, Abandoned(at=0, call="2")),
        (9.0, Abandoned(at=0, call="2")),
        (9.0, Ended(at=0, call="2")),
        (9.0, dialled("3")),
        (14.0, Answered(at=0, call="3")),
        (15.0, Ended(at=0, call="3")),
    )
    (summary,) = one.summaries()
    assert (summary.theirs.answered, summary.theirs.abandoned) == (3, 3)
    assert sum(one.unused.values()) == 1  # the word that was late


def test_machines_are_no_people() -> None:
    one = shadow(detect_machines=True, clock_starts="greeting_end")
    advice = hear(
        one,
        *ready("a"),
        *((0.0, dialled(str(n))) for n in range(3)),
        *((5.0, Answered(at=0, call=str(n))) for n in range(3)),
        (6.5, Detected(at=0, call="0", result="machine")),
        (6.5, Detected(at=0, call="1", result="human")),
        (7.0, Connected(at=0, call="1", agent="a")),
        (7.5, Ended(at=0, call="0")),
        (8.0, Ended(at=0, call="2")),
        (9.0, dialled("4")),
    )
    waiting = {(line.at_us - START_US) / SECOND: line.waiting for line in advice}
    assert [waiting[at_s] for at_s in (6.0, 7.0, 7.5, 8.5)] == [3, 2, 1, 0]
    (summary,) = one.summaries()
    assert (summary.theirs.answered, summary.theirs.abandoned) == (1, 0)


def test_what_was_not_seen_to_begin_is_left_aside_and_counted() -> None:
    one = shadow()
    hear(
        one,
        *ready("a"),
        (1.0, Ended(at=0, call="old")),
        (1.0, Dialled(at=0, call="9", campaign="fr")),
        # A call that came in: its agent is taken all the same.
        (2.0, Connected(at=0, call="in-1", agent="a")),
    )
    (advice,) = hear(one, (2.5, Ended(at=0, call="in-1")))[-1:]
    assert (advice.free, advice.busy) == (0, 1)
    assert one.unused == {
        "of a call that was not seen dialled": 3,
        "of campaign 'fr', which is not followed": 1,
    }


def test_agents_of_several_campaigns_say_for_which_they_work() -> None:
    floor = FloorSettings(campaigns=(CampaignSettings(name="es"), CampaignSettings(name="co")))
    one = Shadow(floor, ["es", "co"])
    with pytest.raises(BadInput, match="say it with `campaign`"):
        hear(one, (0.0, AgentIs(at=0, agent="a", state="ready")))
    hear(one, (0.0, AgentIs(at=0, agent="a", state="ready", campaign="co")))
    assert [(advice.campaign, advice.free) for advice in one.advance(START_US + SECOND // 2)] == [("es", 0), ("co", 1)]


def test_the_night_is_left_out() -> None:
    one = shadow()
    (comes,) = ready("a")
    advice = hear(one, comes, (5.0, AgentIs(at=0, agent="a", state="offline")), (40_000.0, comes[1]))
    assert len(advice) < 20


def test_cadencia_in_the_place_of_a_progressive_dialer_keeps_the_limit_and_idles_less() -> None:
    one = shadow(abandon_limit=0.03)
    progressive(one, agents=12, hours=2.0)
    (summary,) = one.summaries()
    theirs, ours = summary.theirs_compared, summary.ours
    assert summary.compared_from_us is not None
    assert theirs.occupancy is not None
    assert ours.occupancy is not None
    assert ours.abandon_rate is not None
    assert ours.dialled > theirs.dialled
    assert ours.occupancy > theirs.occupancy + 0.05
    assert ours.abandon_rate < 0.045  # one shift is noisy
    assert ours.busy_s + ours.idle_s == pytest.approx(theirs.busy_s + theirs.idle_s, rel=0.02)


def progressive(one: Shadow, *, agents: int, hours: float) -> None:
    """Dial one call for each free agent; every fourth is answered after 12 s, talks go round from 30 to 150 s."""
    free = [f"a{n}" for n in range(agents)]
    agenda: list[tuple[float, int, AnyWord, str]] = [
        (0.0, n, AgentIs(at=0, agent=a, state="ready"), "") for n, a in enumerate(free)
    ]
    number = agents
    at_s, ringing = 0.0, 0
    busy: dict[str, str] = {}
    hear(one, *((when, word) for when, _, word, _ in agenda))
    agenda.clear()
    while at_s < hours * 3600:
        for _ in range(len(free) - ringing):
            number += 1
            call = str(number)
            hear(one, (at_s, dialled(call)))
            ringing += 1
            luck = number * 7919 % 100
            if luck < 25:
                agenda.append((at_s + 8 + luck % 9, number, Answered(at=0, call=call), call))
            else:
                agenda.append(
                    (at_s + (3 if luck < 35 else 25), number, Ended(at=0, call=call, cause=Cause.no_answer), call)
                )
        agenda.sort(key=lambda item: item[:2])
        at_s, order, word, call = agenda.pop(0)
        hear(one, (at_s, word))
        if isinstance(word, Answered):
            ringing -= 1
            agent = busy[call] = free.pop(0)
            hear(one, (at_s, Connected(at=0, call=call, agent=agent)))
            agenda.append((at_s + 30 + order * 31 % 120, order, Ended(at=0, call=call), call))
        elif isinstance(word, Ended) and call in busy:
            agent = busy.pop(call)
            agenda.append((at_s + 10 + order * 17 % 20, order, AgentIs(at=0, agent=agent, state="ready"), ""))
        elif isinstance(word, Ended):
            ringing -= 1
        elif isinstance(word, AgentIs):
            free.append(word.agent)
