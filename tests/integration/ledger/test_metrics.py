"""The metric dictionary: hours only while an engine lived, each rate over its own base, floors apart."""

import msgspec
import pytest
from sqlalchemy import insert

from domain.calls import AgentState, AnswerClass, Disposition, Mode, Phase
from domain.events import Disposed, FloorOpened, LimitSet, ModeSet, NotSent, PersonChanged, Reserved, Tick
from domain.facts import AgentShifted, CallClassed, CallMoved, Judged, PaceBound
from domain.instants import DAY, HOUR, MINUTE, SECOND, parse
from domain.orders import Originate
from domain.pace import PaceRule
from domain.people import Dossier, Stop, StopKind, Verdict
from domain.records import Row
from ledger.attendance import agent_spans
from ledger.breaches import audit
from ledger.figures import Figure
from ledger.metrics import Counts, abandonment, count, figures
from ledger.schema import balance_history, payment, promise
from ledger.store import SqlLedger
from ledger.terms import in_force, lives
from tests.integration.ledger.scribe import NOW, SETTINGS, Scribe, person, reserve, settle

ZONE = "UTC"
MONDAY = parse("2026-11-16T00:00:00Z")
PEOPLE = [person(number) for number in range(1, 7)]


def opened(scribe: Scribe, settings: object = SETTINGS, *, rehearsed: bool = False) -> list[Row]:
    return scribe.rows(
        FloorOpened(at_us=scribe.at_us, settings=settings, rules="r1", versions={}, rehearsed=rehearsed),  # type: ignore[arg-type]
        campaign=None,
    )


def shifted(scribe: Scribe, at_us: int, agent: str, state: AgentState) -> list[Row]:
    scribe.at_us = at_us - SECOND
    return scribe.rows(AgentShifted(agent=agent, state=state), campaign=None)


def tick(scribe: Scribe, at_us: int) -> list[Row]:
    scribe.at_us = at_us - SECOND
    return scribe.rows(Tick(at_us=at_us), campaign=None)


def call(
    ledger: SqlLedger,
    scribe: Scribe,
    one: int,
    disposition: Disposition,
    answer_class: AnswerClass | None = None,
    why: str = "",
    **said: object,
) -> str:
    """Run one call to its end; with an answer class that nobody talked in, or else as the disposition has it."""
    (dossier,) = ledger.dossiers([one])
    (answer,) = ledger.append(scribe.reserve(dossier))
    assert isinstance(answer, Reserved)
    call_id: str = answer.call_id
    ledger.append(scribe.dialled(answer, dossier))
    if answer_class is AnswerClass.connected:
        ledger.append(scribe.talked(call_id))
    elif answer_class is not None:
        ledger.append(scribe.rows(CallMoved(call_id=call_id, phase=Phase.waiting)))
        ledger.append(scribe.rows(CallClassed(call_id=call_id, answer_class=answer_class, why=why)))
    event = None
    if said:
        event = Disposed(
            at_us=scribe.at_us + 6 * SECOND,
            agent="ana",
            call_id=call_id,
            disposition=disposition,
            **said,  # type: ignore[arg-type]
        )
    ledger.append(scribe.closed(call_id, dossier, disposition, said=event))
    return call_id


def hours(ledger: SqlLedger, from_us: int, to_us: int, stream: str = "floor") -> dict[str, float]:
    found: dict[str, float] = {}
    with ledger.reading() as connection:
        for span in agent_spans(connection, stream, from_us, to_us, ZONE):
            key = f"{span.agent} {span.state}"
            found[key] = found.get(key, 0.0) + (span.to_us - span.from_us) / HOUR
    return found


def told(ledger: SqlLedger, from_us: int, to_us: int, **which: object) -> dict[str, dict[str, Figure]]:
    with ledger.reading() as connection:
        counted = count(connection, from_us, to_us, zone=ZONE, **which)  # type: ignore[arg-type]
    return {name: {one.name: one for one in figures(counts)} for name, counts in counted.items()}


# ---- hours


def test_nobody_works_where_no_engine_lives(ledger: SqlLedger) -> None:
    """Two shifts: the first engine is killed and nobody signs out; the second is stopped two days later."""
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY + 10 * HOUR)
    ledger.append(opened(scribe))
    ledger.append(shifted(scribe, MONDAY + 10 * HOUR + 6 * MINUTE, "ana", AgentState.ready))
    ledger.append(shifted(scribe, MONDAY + 10 * HOUR + 6 * MINUTE, "ben", AgentState.paused))
    ledger.append(tick(scribe, MONDAY + 11 * HOUR))  # the last that it wrote
    wednesday = MONDAY + 2 * DAY
    scribe.at_us = wednesday + 9 * HOUR - SECOND
    ledger.append(opened(scribe))
    # Her phone was off-hook all the while: she goes on as she was until she hangs up.
    ledger.append(shifted(scribe, wednesday + 9 * HOUR + 30 * MINUTE, "ana", AgentState.away))
    ledger.append(shifted(scribe, wednesday + 9 * HOUR + 45 * MINUTE, "ben", AgentState.offline))
    ledger.append(tick(scribe, wednesday + 10 * HOUR))

    assert hours(ledger, MONDAY, MONDAY + DAY) == pytest.approx({"ana ready": 0.9, "ben paused": 0.9})
    assert hours(ledger, MONDAY + DAY, wednesday) == {}
    assert hours(ledger, wednesday, wednesday + DAY) == pytest.approx(
        {"ana ready": 0.5, "ana away": 0.5, "ben paused": 0.75}
    )
    assert sum(hours(ledger, 0, 2**62).values()) == pytest.approx(0.9 * 2 + 1.75)
    assert hours(ledger, MONDAY + 10 * HOUR + 30 * MINUTE, MONDAY + DAY)["ana ready"] == pytest.approx(0.5)
    with ledger.reading() as connection:
        found = lives(connection, "floor", 0, 2**62)
    assert [(one.from_us, one.to_us) for one in found] == [
        (MONDAY + 10 * HOUR + SECOND, MONDAY + 11 * HOUR),
        (wednesday + 9 * HOUR, wednesday + 10 * HOUR),
    ]
    everything = told(ledger, 0, 2**62)["all"]["rpc_per_agent_hour"]
    # Signed in less pauses.
    assert everything.denominator == pytest.approx(0.9 + 1.0)


def test_an_engine_that_runs_all_night_has_no_night_shift(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY + 9 * HOUR - SECOND)
    ledger.append(opened(scribe))
    ledger.append(shifted(scribe, MONDAY + 9 * HOUR, "ana", AgentState.ready))
    scribe.at_us = MONDAY + 12 * HOUR
    call(ledger, scribe, 1, Disposition.no_answer)
    last_us = scribe.at_us
    # Left signed in; the engine ticks on over two midnights, and a day without a call.
    ledger.append(tick(scribe, MONDAY + DAY + 12 * HOUR))
    scribe.at_us = MONDAY + 2 * DAY + 8 * HOUR - SECOND
    call(ledger, scribe, 2, Disposition.no_answer)
    ledger.append(tick(scribe, MONDAY + 2 * DAY + 9 * HOUR))

    assert hours(ledger, MONDAY, MONDAY + DAY) == pytest.approx({"ana ready": (last_us - MONDAY) / HOUR - 9})
    assert hours(ledger, MONDAY + DAY, MONDAY + 2 * DAY) == {}
    assert hours(ledger, MONDAY + 2 * DAY, MONDAY + 3 * DAY) == pytest.approx({"ana ready": 1.0})


def test_a_floor_is_told_alone(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    for stream, calls in (("north", [1, 2]), ("south", [3])):
        scribe = Scribe(stream, at_us=MONDAY + 10 * HOUR)
        ledger.append(opened(scribe))
        ledger.append(shifted(scribe, MONDAY + 10 * HOUR + MINUTE, f"agent of {stream}", AgentState.ready))
        for one in calls:
            call(ledger, scribe, one, Disposition.no_answer)
        ledger.append(tick(scribe, MONDAY + 11 * HOUR))
    north, south = (told(ledger, MONDAY, MONDAY + DAY, stream=name)["all"] for name in ("north", "south"))
    both = told(ledger, MONDAY, MONDAY + DAY)["all"]
    assert [one["answer_rate"].denominator for one in (north, south, both)] == [2, 1, 3]
    assert [one["breaches"].denominator for one in (north, south, both)] == [2, 1, 3]
    hours_of = [one["rpc_per_agent_hour"].denominator for one in (north, south, both)]
    assert hours_of == pytest.approx([59 / 60, 59 / 60, 118 / 60])


# ---- rates


def test_people_and_machines_have_their_own_lines() -> None:
    counts = Counts(
        attempts=100,
        answered=60,
        by_class={"connected": 40, "abandoned": 3, "machine": 10, "cut": 4, "lost": 3},
        heard_machines=10,
        cut_by_detection=3,
        left_before_routing=1,
        lost_in_switch=1,
        unresolved=2,
    )
    found = {one.name: (one.numerator, one.denominator) for one in abandonment(counts)}
    assert found == {
        "abandon_us": (3, 33),
        # A quarter of what agents met were machines: so many of the abandoned are taken for machines too.
        "abandon_uk": (2.25, 32.25),
        "abandon_all_answers": (3, 60),
        "abandon_strict": (10, 40),
        "cut_by_detection": (3, 60),
        "left_before_routing": (1, 60),
        "lost_in_switch": (1, 60),
        "unresolved_channel": (2, 100),
    }


def test_the_dictionary_of_a_shift(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY + 10 * HOUR)
    ledger.append(opened(scribe))
    made = ledger.make_plan(SETTINGS.campaigns[0], NOW, ZONE)
    ledger.append(scribe.rows(*ledger.plan_events(made, "spring", scribe.at_us + SECOND)))
    ana = AnswerClass.connected
    terms = {"debt": 100, "amount_minor": 5000, "currency": "EUR", "due_on": "2026-11-17"}
    call(ledger, scribe, 1, Disposition.no_answer)
    call(ledger, scribe, 1, Disposition.promise, ana, **terms)
    plan_terms = terms | {"debt": 200, "instalments": 2}
    call(ledger, scribe, 2, Disposition.plan, ana, **plan_terms)
    call(ledger, scribe, 3, Disposition.machine, ana)
    call(ledger, scribe, 3, Disposition.no_promise, ana)
    call(ledger, scribe, 4, Disposition.abandoned, AnswerClass.abandoned, "no_agent")
    call(ledger, scribe, 5, Disposition.cut, AnswerClass.cut, "left_detecting")
    denied = Verdict(allowed=False, rule="ES.hours", rules="r1")
    ledger.append(scribe.rows(Judged(campaign="spring", person=6, phone=None, verdict=denied)))
    with ledger.writing() as connection:
        for number, (debt, amount_minor, at_us) in enumerate(
            ((100, 4600, MONDAY + DAY), (300, 1000, MONDAY + 20 * HOUR), (600, 7777, MONDAY))
        ):
            connection.execute(
                insert(payment),
                {
                    "creditor": 1, "reference": str(number), "debt": debt, "amount_minor": amount_minor,
                    "currency": "EUR", "event_us": at_us, "known_us": at_us,
                },
            )  # fmt: skip
        connection.execute(
            insert(promise),
            {
                "kind": "promise", "person": 4, "debt": 400, "amount_minor": 2000, "currency": "EUR",
                "due_on": "2026-11-17", "made_us": MONDAY, "campaign": "spring",
            },
        )  # fmt: skip
    ledger.append(tick(scribe, MONDAY + 11 * HOUR))

    for found in (
        told(ledger, MONDAY, MONDAY + DAY)["all"],
        told(ledger, MONDAY, MONDAY + DAY, by="campaign", stream="floor")["spring"],
    ):
        of = {name: (one.numerator, one.denominator) for name, one in found.items()}
        assert {name: of[name] for name in of if name.startswith("tried_")} == {
            "tried_0": (1, 6), "tried_1": (3, 6), "tried_2": (2, 6), "tried_3_to_5": (0, 6), "tried_6_more": (0, 6),
        }  # fmt: skip
        expected = {
            "attempts_per_account": (7, 6),
            "list_penetration": (5, 5),
            "answer_rate": (6, 7),
            "live_answer_rate": (4, 7),
            "contact_rate": (3, 5),
            "rpc_rate": (3, 7),
            "hit_ratio": (2, 3),
            "ptp_rate": (1, 3),
            "plan_rate": (1, 3),
            "resolution": (2, 3),
            "abandon_us": (1, 4),
            "abandon_day": (1, 4),
            "left_before_routing": (1, 6),
            "cut_by_detection": (0, 6),
            "breaches": (0, 7),
            # Nobody had to pay yet.
            "kept_ptp_rate": (0, 0),
            # What account 6 paid came without a call.
            "collected_per_attempt": (10.0, 7),
            "collected_per_rpc": (10.0, 3),
        }
        assert {name: of[name] for name in expected} == expected
        assert found["collected_per_rpc"].currency == "EUR"

    # Four days later both promises have fallen due: 92 % of the first came in time, of the other nothing. The window
    # needs a record that reaches so far.
    scribe.at_us = MONDAY + 6 * DAY
    ledger.append(opened(scribe))
    call(ledger, scribe, 6, Disposition.no_answer)
    late = told(ledger, MONDAY + 4 * DAY, MONDAY + 7 * DAY)["all"]
    of = {name: (one.numerator, one.denominator) for name, one in late.items()}
    assert of["kept_ptp_rate"] == (1, 2)
    assert of["broken_ptp_rate"] == (1, 2)
    assert of["promise_value_kept"] == (46.0, 70.0)
    assert told(ledger, MONDAY, MONDAY + 4 * DAY)["all"]["kept_ptp_rate"].denominator == 0
    # Windows end with the record: none of Monday's calls within a day, all within thirty.
    assert of["abandon_30d"] == (1, 4)
    assert "abandon_day" not in of


# ---- terms


def test_what_was_in_force_when(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY)
    spring, autumn = SETTINGS.campaigns
    ledger.append(opened(scribe))
    ledger.append(scribe.rows(LimitSet(at_us=scribe.at_us + SECOND, campaign="spring", abandon_limit=0.02)))
    ledger.append(scribe.rows(ModeSet(at_us=scribe.at_us + SECOND, campaign="autumn", mode=Mode.power, ratio=2.0)))
    # The same file read again leaves what was set by hand; a changed one does not.
    ledger.append(opened(scribe))
    changed = msgspec.structs.replace(autumn, mode=Mode.predictive)
    ledger.append(opened(scribe, msgspec.structs.replace(SETTINGS, campaigns=(spring, changed))))
    with ledger.reading() as connection:
        whole = in_force(connection, "floor", MONDAY, MONDAY + DAY)
        end = in_force(connection, "floor", MONDAY + HOUR, MONDAY + DAY)
        early = in_force(connection, "floor", MONDAY, MONDAY + 3 * SECOND)
    shown = [(one.at_us - MONDAY, one.mode, one.ratio, one.abandon_limit, one.by_hand) for one in whole["autumn"]]
    assert shown == [
        (1 * SECOND, "progressive", 1.5, 0.03, False),
        (3 * SECOND, "power", 2.0, 0.03, True),
        (5 * SECOND, "predictive", 1.5, 0.03, False),
    ]
    assert [one.abandon_limit for one in whole["spring"]] == [0.03, 0.02]
    assert [(one.mode, one.abandon_limit) for one in end["autumn"]] == [("predictive", 0.03)]
    assert [one.abandon_limit for one in end["spring"]] == [0.02]
    assert len(early["autumn"]) == 1


def test_what_the_rules_asked_is_among_the_terms(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY)
    ledger.append(opened(scribe))
    strict, lax = (PaceRule(rule=name, share=share) for name, share in (("XX.day", 0.01), ("XX.lax", 0.5)))
    for record in (
        PaceBound(campaign="spring", day="2026-11-16", rules=(strict, lax)),
        LimitSet(at_us=scribe.at_us + 2 * SECOND, campaign="spring", abandon_limit=0.4),
        PaceBound(campaign="spring", day="2026-11-17"),
    ):
        ledger.append(scribe.rows(record))
    with ledger.reading() as connection:
        found = in_force(connection, "floor", MONDAY, MONDAY + DAY)["spring"]
    # An operator's word does not lift a rule; it stands when the rule is gone.
    assert [(one.abandon_limit, one.bound_by.get("shift")) for one in found] == [
        (0.03, None),
        (0.01, "XX.day"),
        (0.4, None),
    ]


# ---- the right to contact


def originate(dossier: Dossier, call_id: str, valid_until_us: int) -> Originate:
    answer = Reserved(at_us=0, call_id=call_id, keys=())
    (order,) = (row.record for row in Scribe().dialled(answer, dossier) if isinstance(row.record, Originate))
    return msgspec.structs.replace(order, valid_until_us=valid_until_us)


def test_every_breach_is_found(ledger: SqlLedger) -> None:
    settle(ledger, PEOPLE)
    scribe = Scribe(at_us=MONDAY + 10 * HOUR)
    ledger.append(opened(scribe))
    expected = {}

    def ordered(one: int, late: bool = False, reserved: bool = True, **verdict: object) -> str:
        (dossier,) = ledger.dossiers([one])
        call_id = scribe.next_id
        if reserved:
            order = reserve(dossier, call_id)
            order = msgspec.structs.replace(order, verdict=msgspec.structs.replace(order.verdict, **verdict))
            (answer,) = ledger.append(scribe.rows(order))
            ledger.append(scribe.rows(answer))
        valid_until_us = scribe.at_us + (-MINUTE if late else MINUTE)
        ledger.append(scribe.rows(originate(dossier, call_id, valid_until_us)))
        return call_id

    ordered(1)
    expected[ordered(2, reserved=False)] = "not_reserved"
    expected[ordered(2, allowed=False)] = "not_allowed"
    expected[ordered(2, late=True)] = "too_late"
    expected[ordered(2, valid_until_us=scribe.at_us - SECOND)] = "too_late"
    call_id = ordered(3)
    ledger.append(scribe.rows(originate(PEOPLE[2], call_id, scribe.at_us + MINUTE)))
    expected[call_id] = "twice"
    # Held back by the driver: it was never dialled.
    call_id = ordered(3, late=True)
    ledger.append(scribe.rows(NotSent(at_us=scribe.at_us, call_id=call_id, why="verdict_ended")))
    paid = msgspec.structs.replace(PEOPLE[3], debts=(msgspec.structs.replace(PEOPLE[3].debts[0], state="paid"),))
    ordered(4)
    ledger.append(scribe.rows(PersonChanged(at_us=scribe.at_us, dossier=paid)))
    expected[ordered(4)] = "paid"
    told_not_to = msgspec.structs.replace(PEOPLE[4], stops=(Stop(kind=StopKind.do_not_call),))
    ledger.append(scribe.rows(PersonChanged(at_us=scribe.at_us, dossier=told_not_to)))
    expected[ordered(5)] = "told_not_to"
    call(ledger, scribe, 6, Disposition.do_not_call, AnswerClass.connected, debt=None)
    expected[ordered(6)] = "told_not_to"
    # Paid by the portfolio's own balances an hour before, which this floor never heard of.
    with ledger.writing() as connection:
        row = {"balance_minor": 0, "currency": "EUR", "state": "paid", "why": "payment"}
        known_us = scribe.at_us - HOUR
        connection.execute(insert(balance_history), row | {"debt": 100, "event_us": known_us, "known_us": known_us})
    with ledger.reading() as connection:
        found = audit(connection, "floor", MONDAY, MONDAY + DAY)
    first = next(breach for breach in found.breaches if breach.call_id not in expected)
    assert (first.why, first.campaign) == ("paid", "spring")
    assert {one.call_id: one.why for one in found.breaches if one is not first} == expected
    assert found.ordered == {"spring": len(expected) + 3}
