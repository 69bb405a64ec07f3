"""Calls from before a simulated month began count in it: numbers are as tired, caps as full, contacts as fresh."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from domain.calls import Cause, Mode
from domain.instants import DAY, HOUR, MINUTE, parse
from domain.orders import Originate, Reserve
from domain.people import ContactEvent, Dossier, PastContact
from domain.settings import CampaignSettings, FloorSettings
from simulation.chance import Chance
from simulation.month import Arm, Plan, Tape, replicate
from simulation.ownlist import write_people
from simulation.population import Debtors, load, portfolio
from simulation.roster import Roster, Shift

#: A Thursday; the world begins on its midnight or in the middle of its afternoon.
START_US = parse("2026-11-19T00:00:00+01:00")
LAWS = load("default")
NEVER_RANG = {
    Cause.busy: ContactEvent.busy,
    Cause.congestion: ContactEvent.network_fail,
    Cause.network_fail: ContactEvent.network_fail,
    Cause.not_in_service: ContactEvent.not_in_service,
}


def past(dossier: Dossier, event: ContactEvent, *instants: int, **more: Any) -> Dossier:
    """Return a dossier with calls to its first number added."""
    lines = tuple(
        PastContact(
            at_us=at_us, event=event, phone=dossier.phones[0].phone, debts=(dossier.debts[0].debt,), attempt=f"x{at_us}"
        )
        for at_us in instants
    )
    return replace(dossier, history=(*dossier.history, *lines), **more)


def test_calls_on_record_are_as_if_they_had_been_made_here() -> None:
    start_us, before_us = START_US + 15 * HOUR, START_US - 3 * DAY
    people = [one for one in portfolio(LAWS, 400, 5, before_us) if one.country == "ES"]
    instants = [START_US + day * DAY + hour * HOUR for day, hour in ((-2, 11), (-2, 17), (-1, 11), (0, 10), (0, 12))]
    # Once they are really called …
    called = Debtors(LAWS, Chance(1), start_us=before_us)
    called.meet(people)
    lines: dict[int, list[PastContact]] = {one.person: [] for one in people}
    for at_us in instants:
        for one in people:
            meeting = called.dial(one.phones[0].phone, at_us)
            if meeting.fate is None:
                event = ContactEvent.amd_machine if meeting.who == "machine" else ContactEvent.abandoned
            else:
                event = ContactEvent.no_answer if meeting.fate.rings else NEVER_RANG[meeting.fate.cause]
            lines[one.person].append(
                PastContact(at_us=at_us, event=event, phone=one.phones[0].phone, attempt=f"{one.person}-{at_us}")
            )
    # … and once it stands on record.
    told = Debtors(LAWS, Chance(1), start_us=start_us)
    told.meet(replace(one, history=tuple(lines[one.person])) for one in people)
    called.pass_time(before_us, start_us)
    told.pass_time(start_us, start_us)
    for one in people:
        was, now = called._numbers[one.phones[0].phone], told._numbers[one.phones[0].phone]
        assert (now.nth, now.worn) == (0, len(instants))
        assert (was.nth, was.day, was.today, was.hours) == (now.nth + now.worn, now.day, now.today, now.hours)
        assert (was.dead, was.voicemail) == (now.dead, now.voicemail)
        pressures = [
            world._conduct._pressure.of(world._persons[one.person].row, start_us + DAY) for world in (called, told)
        ]
        assert pressures[0] == pytest.approx(pressures[1])


def test_tired_numbers_answer_less_and_proven_ones_are_whose_they_are() -> None:
    people = [one for one in portfolio(LAWS, 8_000, 5, START_US) if one.country == "ES"]
    days = [START_US - DAY * day for day in range(1, 21)]

    def answered(met: list[Dossier]) -> tuple[int, Counter[str]]:
        debtors = Debtors(LAWS, Chance(3), start_us=START_US)
        debtors.meet(met)
        found = [debtors.dial(one.phones[0].phone, START_US + 18 * HOUR) for one in met]
        who = Counter(one.who for one in found if one.fate is None and one.who != "machine")
        return sum(who.values()), who

    fresh, who = answered(people)
    # Twenty calls at one in the morning, an hour that is not asked about.
    tired, _ = answered([past(one, ContactEvent.no_answer, *(at_us + HOUR for at_us in days)) for one in people])
    assert fresh > 300
    assert tired / fresh == pytest.approx(LAWS.answering.fatigue[1] ** 20, abs=0.1)
    assert who["wrong_party"] > 10
    _, known = answered([past(one, ContactEvent.right_party_contact, days[0]) for one in people])
    assert known["wrong_party"] == 0
    assert sum(known.values()) > fresh


def test_a_recent_conversation_still_works_and_what_comes_later_is_not_told_before() -> None:
    people = list(portfolio(LAWS, 6_000, 5, START_US))
    spoke = ContactEvent.right_party_contact

    def paying(met: list[Dossier]) -> int:
        debtors = Debtors(LAWS, Chance(3), start_us=START_US)
        debtors.meet(met)
        return len(debtors.pass_time(START_US, START_US + 5 * DAY))

    nothing = paying(people)
    assert paying([past(one, spoke, START_US - DAY) for one in people]) > 1.1 * nothing
    assert paying([past(one, spoke, START_US - 300 * DAY) for one in people]) == nothing
    # Told to a world that had begun: it was made there.
    assert paying([past(one, spoke, START_US + MINUTE) for one in people]) == nothing


def test_caps_of_an_own_list_are_as_full_as_the_record_has_them(tmp_path: Path) -> None:
    people = [one for one in portfolio(LAWS, 900, 5, START_US) if one.country == "US"]
    # Seven calls about a debt within seven days are all that this country's rules allow.
    week = [START_US - DAY * day + hour * HOUR for day in (2, 3, 4, 5) for hour in (18, 20)][:7]
    full = {one.person for one in people[::2]}
    listed = [past(one, ContactEvent.no_answer, *week) if one.person in full else one for one in people]
    plan = Plan(
        world="default", debtors=len(listed), people=str(write_people(tmp_path, listed)), start="2026-11-19", days=1,
        roster=Roster(shift=(Shift(agents=10, begin="17:00", end="20:00"),), absence=0.0),
    )  # fmt: skip
    campaign = CampaignSettings(name="c", mode=Mode.power, caller_ids={"*": ("+12025550100",)})
    tape = Tape(keep=True)
    replicate(Arm(name="a", floor=FloorSettings(campaigns=(campaign,))), plan, 7, tape)
    reserved = {row.record.call_id: row.record.person for row in tape.rows if isinstance(row.record, Reserve)}
    called = {reserved[row.record.call_id] for row in tape.rows if isinstance(row.record, Originate)}
    assert len(called) > 0.5 * (len(people) - len(full))
    assert not called & full
