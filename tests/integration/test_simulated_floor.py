"""Engine, gate, ledger, world and robots together, in virtual time."""

import gc
from collections import Counter
from collections.abc import Callable

import pytest

from domain.calls import AgentState, Mode
from domain.events import (
    Connected,
    Disposed,
    Ended,
    Finishing,
    HangUpAsked,
    LeadAccepted,
    LeadAsked,
    LeadSkipped,
    PhoneDown,
    PhoneUp,
    Reserved,
    Resynced,
)
from domain.facts import AgentShifted, AttemptClosed, CallClassed, PacingDecided
from domain.orders import Originate, Reserve, ShowLead
from domain.records import Row
from simulation.agents import Temper
from simulation.alarms import Alarm
from simulation.callees import Meeting
from simulation.exchange import WorldSettings
from simulation.run import SimulatedFloor, uncollected
from tests.integration.simulated import image, rows_of, simulated


def of(rows: list[Row], kind: type) -> list[object]:
    return [row.record for row in rows if isinstance(row.record, kind)]


def test_equal_seeds_give_equal_rows_byte_for_byte() -> None:
    journals = []
    for seed in (7, 7, 8):
        floor, ledger = simulated(mode=Mode.predictive, hours=0.25, seed=seed)
        floor.go()
        journals.append(image(rows_of(ledger)))
    assert len(journals[0]) > 1_000
    assert journals[0] == journals[1]
    assert journals[0] != journals[2]


@pytest.mark.parametrize("mode", [Mode.progressive, Mode.predictive, Mode.power, Mode.preview])
def test_every_call_is_told_and_closed_once_in_every_mode(mode: Mode) -> None:
    floor, ledger = simulated(mode=mode)
    summary = floor.go()
    rows = rows_of(ledger)
    placed = {order.call_id for order in of(rows, Originate)}
    ended = Counter(event.call_id for event in of(rows, Ended))
    closed = Counter(fact.call_id for fact in of(rows, AttemptClosed))
    classed = Counter(fact.call_id for fact in of(rows, CallClassed))
    assert len(placed) > 20
    assert max(ended.values()) == max(closed.values()) == max(classed.values()) == 1
    assert placed - set(ended) == set(floor.world.lines)
    assert floor.world.placed == len(placed) == summary.attempts
    assert floor.world.ended == len(ended)
    # What is neither closed nor on the switch is being wrapped up.
    wrapping = placed - set(closed) - set(floor.world.lines)
    assert len(wrapping) <= 6


def luck(floor: SimulatedFloor) -> dict[tuple[int, int, int], tuple[object, ...]]:
    """Note what every attempt meets, by number, how many-th and hour."""
    met: dict[tuple[int, int, int], tuple[object, ...]] = {}
    dial: Callable[[int, int], Meeting] = floor.people.dial

    def noted(phone: int, at_us: int) -> Meeting:
        meeting = dial(phone, at_us)
        met[phone, meeting.nth, at_us // 3_600_000_000] = (meeting.fate, meeting.who, meeting.setup_us, meeting.ring_us)
        return meeting

    floor.people.dial = noted  # type: ignore[method-assign]
    return met


def test_two_ways_of_dialling_meet_the_same_people_with_the_same_luck() -> None:
    floors = [simulated(mode=mode)[0] for mode in (Mode.progressive, Mode.predictive)]
    one, other = [luck(floor) for floor in floors]
    for floor in floors:
        floor.go()
    both = one.keys() & other.keys()
    assert len(both) > 100
    assert {key: one[key] for key in both} == {key: other[key] for key in both}
    assert len(one) != len(other)


def test_originate_reaches_the_switch_only_after_the_commits_of_reservation_and_order() -> None:
    floor, ledger = simulated(commit_us=700_000, hours=0.1)
    sent: list[tuple[str, int]] = []
    send = floor.world.send

    def noted(order: object) -> None:
        if isinstance(order, Originate):
            sent.append((order.call_id, int(floor.env.now)))
        send(order)  # type: ignore[arg-type]

    floor.world.send = noted  # type: ignore[method-assign]
    floor.go()
    written = {row.record.call_id: row.at_us for row in rows_of(ledger) if isinstance(row.record, Originate)}
    reserved = {row.record.call_id: row.at_us for row in rows_of(ledger) if isinstance(row.record, Reserve)}
    answered = {row.record.call_id: row.at_us for row in rows_of(ledger) if isinstance(row.record, Reserved)}
    assert len(sent) > 10
    for call_id, at_us in sent:
        assert at_us >= written[call_id] + 700_000
        assert written[call_id] == answered[call_id] >= reserved[call_id] + 700_000


def test_a_run_makes_nothing_that_only_the_collector_could_find() -> None:
    # The collector rests while a floor runs. What is made once, at the start, does not grow with the run.
    found = []
    for hours in (0.05, 0.5):
        floor, _ = simulated(mode=Mode.predictive, hours=hours)
        gc.collect()  # the floor before this one
        with uncollected():
            floor._go()
            found.append(gc.collect())
    assert found[1] <= found[0] + 20


@pytest.mark.parametrize("commit_us", [5_000, 2_000_000])
def test_rows_of_a_commit_under_way_at_the_end_are_kept(commit_us: int) -> None:
    # Commits of two seconds overlap: one is always under way.
    floor, ledger = simulated(mode=Mode.predictive, hours=0.05, commit_us=commit_us)
    summary = floor.go()
    assert [row.seq for row in rows_of(ledger)] == list(range(1, floor.engine.seq + 1))
    assert summary.rows == floor.engine.seq > 500


def test_slow_orders_meet_a_switch_that_has_gone_on_by_itself() -> None:
    floor, ledger = simulated(mode=Mode.power, world=WorldSettings(order_us=400_000), agents=3, hours=0.3)
    floor.go()
    queued = {row.record.call_id for row in rows_of(ledger) if type(row.record).__name__ == "Queued"}
    closed = Counter(fact.call_id for fact in of(rows_of(ledger), AttemptClosed))
    assert queued
    assert max(closed.values()) == 1


def test_previewing_robots_ask_accept_and_skip() -> None:
    floor, ledger = simulated(mode=Mode.preview, temper=Temper(p_skip=0.3))
    floor.go()
    rows = rows_of(ledger)
    counts = {kind: len(of(rows, kind)) for kind in (LeadAsked, ShowLead, LeadAccepted, LeadSkipped)}
    assert all(counts.values())
    assert counts[LeadAccepted] + counts[LeadSkipped] <= counts[ShowLead]
    # Whoever accepted the lead speaks with the debtor.
    accepted = {row.record.call_id: row.record.agent for row in rows if isinstance(row.record, Reserve)}
    assert all(accepted[event.call_id] == event.agent for event in of(rows, Connected))


def test_robots_who_forget_leave_calls_unrecorded_and_those_who_lose_the_phone_come_back() -> None:
    temper = Temper(p_forget=0.5, p_drop=0.5, p_early=0.0)
    floor, ledger = simulated(temper=temper, people=1_000, hours=0.6)
    summary = floor.go()
    rows = rows_of(ledger)
    assert summary.dispositions["unrecorded"] > 5  # type: ignore[index]
    assert len(of(rows, Disposed)) > 5
    downs = Counter(event.agent for event in of(rows, PhoneDown))
    ups = Counter(event.agent for event in of(rows, PhoneUp))
    assert sum(downs.values()) > 5
    assert all(ups[agent] >= count for agent, count in downs.items())


def test_early_records_count_and_breaks_are_taken() -> None:
    temper = Temper(p_early=1.0, p_forget=0.0, break_after_s=600.0, break_s=(60.0, 0.1))
    floor, ledger = simulated(temper=temper, people=1_000, hours=0.6)
    summary = floor.go()
    breaks = [fact for fact in of(rows_of(ledger), AgentShifted) if fact.reason == "break"]
    assert len(breaks) > 6
    assert "unrecorded" not in summary.dispositions
    again = Counter(fact.agent for fact in of(rows_of(ledger), AgentShifted) if fact.state == "ready")
    assert all(again[fact.agent] > 1 for fact in breaks)
    # Agents, too, end conversations.
    assert len(of(rows_of(ledger), HangUpAsked)) > 10


def test_engine_finds_its_way_after_a_cut_link_and_a_restarted_switch() -> None:
    floor, ledger = simulated(mode=Mode.predictive, people=1_500, hours=0.6)
    world, start_us = floor.world, int(floor.env.now)
    Alarm(floor.env, 400_000_000, lambda node: world.cut_link(node, 3_000_000), "main")
    Alarm(floor.env, 430_000_000, world.mend_link, "main")
    Alarm(floor.env, 1_000_000_000, lambda node: world.restart_node(node, 10_000_000), "main")
    summary = floor.go()
    rows = rows_of(ledger)
    sent = {row.record.call_id: row.at_us - start_us for row in rows if isinstance(row.record, Originate)}
    closed = Counter(fact.call_id for fact in of(rows, AttemptClosed))
    assert max(closed.values()) == 1
    assert summary.dispositions["unknown"] > 0  # type: ignore[index]
    remembered = [fact for fact in of(rows, CallClassed) if fact.why == "remembered"]
    resyncs = [event for event in of(rows, Resynced) if event.calls or event.ended]
    assert len(resyncs) == 1
    assert len(remembered) <= len(resyncs[0].ended)
    # Nothing is dialled in the dark, and dialling goes on after each.
    assert not [call_id for call_id, at_us in sent.items() if 404_000_000 < at_us < 429_000_000]
    assert [call_id for call_id, at_us in sent.items() if 440_000_000 < at_us < 1_000_000_000]
    assert [call_id for call_id, at_us in sent.items() if at_us > 1_040_000_000]
    # Old calls are all closed.
    assert all(closed[call_id] for call_id, at_us in sent.items() if at_us < 1_000_000_000)


def test_robots_announce_that_they_are_about_to_finish() -> None:
    floor, ledger = simulated(mode=Mode.predictive, temper=Temper(p_announce=1.0))
    floor.go()
    rows = rows_of(ledger)
    said = [row.record for row in rows if isinstance(row.record, Finishing)]
    assert len(said) > 10
    assert any(row.record.finishing for row in rows if isinstance(row.record, PacingDecided))
    # No word outlives its conversation.
    for agent in floor.engine.state.agents.values():
        assert not agent.finishing_us or agent.state is AgentState.talking
