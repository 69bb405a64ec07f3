"""What is due besides calls, on both databases: law, budgets, lots, twice, cut off, and what the record says of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from compliance.gate import Gate
from compliance.packs import SHIPPED
from domain.errors import BadInput
from domain.instants import DAY, HOUR, MINUTE, SECOND
from domain.people import ContactEvent, Dossier
from domain.settings import CampaignSettings
from ledger import decisions
from ledger.due import CHANNELS, Found, Work, look
from ledger.handover import (
    BUSY,
    LAPSED,
    Debtor,
    Handed,
    _record,
    finish,
    hand_out,
    handed_out,
    last_handover,
    lines,
    reference,
    still_allowed,
)
from ledger.intake.cells import Form
from ledger.payments import import_payments
from ledger.schema import debt, decision, handed, handover, history, person, stand
from ledger.stops import import_cells
from ledger.store import SqlLedger, open_ledger
from strategy.checking import examine_text
from strategy.documents import Strategy, attached
from strategy.fields import day_number
from tests.integration.portfolio_files import NOW, bring, row, write

GATE = Gate.load(SHIPPED)
ZONE = "Europe/Madrid"
FORM = Form(zone=ZONE, country="ES")
#: NOW is 16:30 in Madrid and 07:30 in Los Angeles.
NIGHT = NOW + 7 * HOUR

TEXT = """
name = "texts"
rank_by = ["balance"]
explore = 0.0

[[segments]]
name = "pool"
when = 'product == "lost"'
treatment = "research"

[[segments]]
name = "others"
when = "true"
treatment = "write"

[treatments.research]
[[treatments.research.steps]]
channel = "none"
task = "number_research"

[treatments.write]
stop_when = "promises_open > 0"
[[treatments.write.steps]]
channel = "sms"
template = "first-notice"
[[treatments.write.steps]]
channel = "letter"
template = "second-notice"
after_days = 3
"""


def campaign(text: str = TEXT, **challengers: str) -> CampaignSettings:
    documents = {}
    for name, one in {"": text, **challengers}.items():
        document, problems = examine_text(one, f"{name}.toml")
        assert document is not None, problems
        assert problems == [] or name == ""
        documents[name] = document
    strategy = Strategy(document=documents.pop(""), challengers=documents)
    return attached(CampaignSettings(name="c", mode="predictive"), strategy)


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[SqlLedger]:
    with open_ledger(ledger_url) as found:
        yield found


def settle(ledger: SqlLedger, folder: Path, *rows: dict[str, str], at_us: int = NOW - DAY) -> None:
    bring(ledger, write(folder / "portfolio.csv", rows), at_us=at_us)


def spaniards(n: int, **cells: str) -> list[dict[str, str]]:
    """Return people with a mobile number each, the first of whom owes most."""
    return [
        row(f"A{k}", phone=f"600 123 4{k:02d}", balance=f"{900 - k}.00", language="es" if k % 2 else "en") | cells
        for k in range(n)
    ]


def out(
    ledger: SqlLedger, of: CampaignSettings, what: str = "sms", at_us: int = NOW, *, finished: bool = True
) -> tuple[Handed, list[Debtor]]:
    """Hand out and return what the file has."""
    done = hand_out(Work(ledger, GATE, of, at_us, ZONE), what, "ana")
    if done.handover is None:
        return done, []
    if finished:
        finish(ledger, done.handover, at_us)
    with ledger.reading() as connection:
        return done, lines(connection, done.handover)


def seen(ledger: SqlLedger, of: CampaignSettings, at_us: int = NOW) -> Found:
    return look(Work(ledger, GATE, of, at_us, ZONE))


def accounts(of: Sequence[Debtor]) -> list[str]:
    return [account for one in of for _, account in one.accounts]


def who(ledger: SqlLedger, account: str) -> int:
    with ledger.reading() as connection:
        return int(connection.execute(select(debt.c.person).where(debt.c.account == account)).scalar_one())


def dossier(ledger: SqlLedger, account: str) -> Dossier:
    (found,) = ledger.dossiers([who(ledger, account)])
    return found


def tell(ledger: SqlLedger, account: str, kind: str, at_us: int = NOW) -> None:
    import_cells(ledger, {"account": account, "stop": kind}, at_us=at_us, by="ana", form=FORM)


# ---- law


def test_nobody_who_may_not_be_written_to_is_in_the_file_and_the_reason_is_told(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    america = {"country": "US", "region": "CA", "currency": "USD", "creditor": "Bank"}
    colombia = {"country": "CO", "currency": "COP", "balance": "5000"}
    settle(
        ledger,
        tmp_path,
        row("GOOD", phone="600 123 401", language="es"),
        row("ENGLISH", phone="600 123 402", language="en"),
        row("DISPUTED", phone="600 123 403"),
        row("STOPPED", phone="600 123 404"),
        row("WRONG", phone="600 123 405"),
        row("FIXED", phone="910 123 406"),
        row("PAID", phone="600 123 407"),
        row("ASLEEP", phone="(213) 555-0123", **america),
        row("SPOKEN", phone="+57 310 1234567", **colombia),
        row("CALLED", phone="+57 310 1234568", **colombia),
    )
    for account, kind in (("DISPUTED", "dispute"), ("STOPPED", "revoked_sms")):
        tell(ledger, account, kind)
    import_cells(
        ledger, {"account": "WRONG", "stop": "wrong_number", "phone": "600123405"}, at_us=NOW, by="ana", form=FORM
    )
    paid = [{"account": "PAID", "paid_on": "2026-11-17", "amount": "120.50", "reference": "R1"}]
    import_payments(ledger, write(tmp_path / "paid.csv", paid), at_us=NOW)
    told = {"known_us": NOW - HOUR, "event_us": NOW - HOUR, "channel": "call"}
    with ledger.writing() as connection:
        connection.execute(
            insert(history),
            [
                told | {"person": who(ledger, "SPOKEN"), "event": ContactEvent.right_party_contact},
                told | {"person": who(ledger, "CALLED"), "event": ContactEvent.no_answer},
            ],
        )
    found = seen(ledger, campaign()).messages["sms"]
    done, file = out(ledger, campaign())
    assert sorted(accounts(file)) == ["CALLED", "ENGLISH", "GOOD"]
    wanted = {
        "ES.rights": 1,
        "HOUSE.revoked_sms": 1,
        "no_number": 2,
        "US.hours": 1,
        "CO.1channel_week": 1,
    }
    assert done.not_now == found.not_now == wanted
    assert (found.due, found.ready, found.texts) == (9, 3, {"first-notice": {"en": 1, "es": 2}})
    by_account = {account: one for one in file for _, account in one.accounts}
    assert by_account["GOOD"].numbers == ("+34600123401",)
    assert (by_account["GOOD"].language, by_account["ENGLISH"].language) == ("es", "en")
    assert {one.template for one in file} == {"first-notice"}
    # In Madrid until nine, in Bogotá until its evening; never for longer than law allows.
    assert by_account["GOOD"].valid_until_us == NOW + 4 * HOUR + 30 * MINUTE
    for account, one in by_account.items():
        assert one.valid_until_us is not None
        late = GATE.judge(
            dossier(ledger, account), at_us=one.valid_until_us, channel="sms", phone=dossier(ledger, account).phones[0],
            debts=(), actor="third_party", purpose="collection",
        )  # fmt: skip
        assert not late.allowed


def test_at_night_nobody_is_written_to_but_by_letter(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(3, street="Calle Mayor 1"), row("B1", phone="600 123 499"))
    done, file = out(ledger, campaign(), at_us=NIGHT)
    assert (done.handover, file, done.not_now) == (None, [], {"ES.hours": 4})
    with ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(handover)).scalar_one() == 0
    done, file = out(ledger, campaign(), "letter", NIGHT + 3 * DAY)
    assert sorted(accounts(file)) == ["A0", "A1", "A2"]
    assert (file[0].street, file[0].numbers) == ("Calle Mayor 1", ())
    assert done.not_now == {"no_address": 1}


def test_a_message_counts_for_law_from_its_hand_over_on(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, row("CO1", phone="+57 310 1234567", country="CO", currency="COP", balance="5000"))
    before, cursor = dossier(ledger, "CO1"), ledger.change_cursor()
    done, file = out(ledger, campaign())
    after = dossier(ledger, "CO1")
    (line,) = after.history
    assert (line.event, line.channel, line.phone) == (ContactEvent.message_sent, "sms", before.phones[0].phone)
    assert line.attempt == file[0].reference == reference(done.handover or 0, 1)
    assert {cap.key: cap.version for cap in after.keys} == {cap.key: cap.version + 1 for cap in before.keys}
    assert ledger.changes(cursor)[1] == [after.person]

    def call(of: Dossier) -> bool:
        return GATE.judge(
            of, at_us=NOW + HOUR, phone=of.phones[0], debts=(), actor="third_party", purpose="collection"
        ).allowed

    # A message of ours may have been the day's contact: nobody is called after it.
    assert call(before)
    assert not call(after)


def test_whom_others_write_about_meanwhile_is_judged_anew(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(2))
    work = Work(ledger, GATE, campaign(), NOW, ZONE)
    ready = list(work.judged("sms", work.due["sms"]))
    tell(ledger, "A0", "do_not_call")
    with ledger.writing() as connection:
        row_ = {"campaign": "c", "what": "sms", "strategy": "x", "rules": "x", "at_us": NOW, "handed_by": "ana"}
        number = connection.execute(insert(handover).values(row_).returning(handover.c.id)).scalar_one()
    stale = _record(work, number, "sms", 0, ready)
    assert [work.person(one) for one in stale] == [who(ledger, "A0")]
    with ledger.reading() as connection:
        assert connection.execute(select(handed.c.person, handed.c.place)).all() == [(who(ledger, "A1"), 1)]
        told = select(history.c.person).where(history.c.event == ContactEvent.message_sent)
        assert connection.execute(told).scalars().all() == [who(ledger, "A1")]


def test_who_is_judged_at_the_end_of_his_hours_is_judged_by_the_clock(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(3))
    nine = NOW + 4 * HOUR + 30 * MINUTE
    # A second passes each time that the clock is looked at: judged before nine, recorded after it.
    ticks = iter(range(nine - SECOND, nine + HOUR, SECOND))
    work = Work(ledger, GATE, campaign(), nine - SECOND, ZONE, lambda: next(ticks))
    done = hand_out(work, "sms", "ana")
    assert (done.handover, done.not_now) == (None, {"ES.hours": 3})
    assert dossier(ledger, "A0").history == ()


def test_those_who_share_a_number_are_judged_one_after_the_other(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *[row(f"A{k}", phone="600 123 400", balance=f"{9 - k}.00") for k in range(3)])
    done, file = out(ledger, campaign())
    # Keys of the shared number move with each; nobody is left out for it.
    assert (accounts(file), done.not_now.get(BUSY, 0)) == (["A0", "A1", "A2"], 0)
    assert [one.of for one in dossier(ledger, "A0").others] == ["phone", "phone"]


# ---- twice, and cut off


def test_nobody_is_handed_out_twice_for_a_step(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(3))
    first, file = out(ledger, campaign())
    assert (first.lines, accounts(file)) == (3, ["A0", "A1", "A2"])
    for later in (0, HOUR, DAY):
        again, nothing = out(ledger, campaign(), at_us=NOW + later)
        assert (again.handover, nothing) == (None, [])
    found = seen(ledger, campaign()).messages["sms"]
    assert (found.due, found.handed_today) == (0, 3)


def test_what_was_cut_off_is_not_lost_and_blocks_until_it_is_written(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(3))
    done, _ = out(ledger, campaign(), finished=False)
    assert [one.lines for one in seen(ledger, campaign()).unfinished] == [3]
    with pytest.raises(BadInput, match=rf"hand-over {done.handover} \(sms, 3 lines\) .* --again"):
        out(ledger, campaign())
    # Another kind goes on.
    out(ledger, campaign(), "number_research")
    tell(ledger, "A1", "dispute")
    with ledger.reading() as connection:
        number = last_handover(connection, "c", "sms")
        refs = {account: one.reference for one in lines(connection, number) for _, account in one.accounts}
    kept, left_out = still_allowed(ledger, GATE, campaign(), number, NOW + HOUR)
    assert (kept, left_out) == ({refs["A0"], refs["A2"]}, {"ES.rights": 1})
    assert still_allowed(ledger, GATE, campaign(), number, NIGHT) == (set(), {LAPSED: 3})
    finish(ledger, number, NOW)
    assert seen(ledger, campaign()).unfinished == []
    assert out(ledger, campaign())[0].handover is None


def test_what_was_never_handed_out_cannot_be_written_again(ledger: SqlLedger) -> None:
    with ledger.reading() as connection, pytest.raises(BadInput, match="letter of campaign 'c' was never handed out"):
        last_handover(connection, "c", "letter")


# ---- budgets, lots, steps


def test_a_budget_binds_by_the_day_and_who_is_left_over_comes_first(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(5))
    of = campaign(TEXT + "[budgets]\nsms = 2\n")
    first, file = out(ledger, of)
    assert (accounts(file), first.over_budget) == (["A0", "A1"], 3)
    second, file = out(ledger, of, at_us=NOW + HOUR)
    assert (file, second.over_budget) == ([], 3)
    found = seen(ledger, of, NOW + HOUR).messages["sms"]
    assert (found.budget, found.handed_today, found.ready, found.over_budget) == (2, 2, 0, 3)
    settle(ledger, tmp_path, row("RICH", phone="600 123 499", balance="5000.00"), at_us=NOW + HOUR)
    tell(ledger, "A2", "dispute", NOW + HOUR)
    third, file = out(ledger, of, at_us=NOW + DAY)
    assert (accounts(file), third.over_budget, third.not_now) == (["A3", "A4"], 1, {"ES.rights": 1})


ARMS = """
[trial]
holdout = 0.25
[[trial.arms]]
name = "champion"
share = 0.5
[[trial.arms]]
name = "new"
share = 0.5
strategy = "other"
"""


def test_arms_are_worked_by_their_documents_and_nobody_held_out(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(60))
    other = TEXT.replace('"texts"', '"other"').replace("first-notice", "kind-words")
    of = campaign(TEXT + ARMS, new=other + "[budgets]\nsms = 7\n")
    work = Work(ledger, GATE, of, NOW, ZONE)
    listing = work.listing
    held = set(listing.person[listing.arm < 0].tolist())
    assert 5 < len(held) < 30
    everybody = [work.person(one) for listed in work.due.values() for one in listed]
    assert held.isdisjoint(everybody)
    assert len(everybody) == 60 - len(held) == len(set(everybody))
    done, file = out(ledger, of)
    arm = {int(one): int(number) for one, number in zip(listing.person, listing.arm, strict=True)}
    texts = {who(ledger, account): one.template for one in file for _, account in one.accounts}
    assert {(arm[one], template) for one, template in texts.items()} == {(0, "first-notice"), (1, "kind-words")}
    n = [sum(number == one for number in arm.values()) for one in (0, 1)]
    assert sorted(texts.values()) == ["first-notice"] * n[0] + ["kind-words"] * 7
    assert done.over_budget == n[1] - 7 > 0
    with ledger.reading() as connection:
        (word,) = connection.execute(select(handover.c.strategy)).scalars()
        told = handed_out(connection, next(iter(texts)), NOW)
    assert word == listing.strategy.word
    assert (told[0].strategy, told[0].treatment.split(".")[1:]) == (word, ["write", "1"])


def test_a_later_step_comes_though_nobody_was_ever_on_a_list(ledger: SqlLedger, tmp_path: Path) -> None:
    rows = spaniards(1, street="Calle Mayor 1")
    settle(ledger, tmp_path, *rows, row("DUMB", phone="", street="Calle Mayor 2", balance="5.00"))
    done, file = out(ledger, campaign())
    assert (accounts(file), done.not_now) == (["A0"], {"no_number": 1})
    for days in (1, 2):
        assert out(ledger, campaign(), "letter", NOW + days * DAY)[1] == []
    _, file = out(ledger, campaign(), "letter", NOW + 3 * DAY)
    assert accounts(file) == ["A0", "DUMB"]
    with ledger.reading() as connection:
        assert connection.execute(select(func.count()).select_from(stand)).scalar_one() == 2
    assert out(ledger, campaign(), "letter", NOW + 4 * DAY)[1] == []
    # Told again each week, so that it is remembered on.
    for days in range(8, 60, 8):
        assert out(ledger, campaign(), "letter", NOW + days * DAY)[1] == []


def test_lists_and_hand_overs_agree_on_who_stands_where_since_when(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(2))
    of = campaign(
        TEXT
        + """
[[treatments.write.steps]]
channel = "call"
after_days = 6
"""
    )
    for at_us in (NOW, NOW + 3 * DAY):
        out(ledger, of, at_us=at_us)
    assert ledger.make_plan(of, NOW + 5 * DAY, ZONE).startswith("c-")
    # Nobody is told of here: law lets nobody be called on that day, so no decision is kept.
    with ledger.writing() as connection:
        connection.execute(decision.delete())
        stood = decisions.stands(connection, "c", NOW + 6 * DAY)
    assert {told.since_day for told in stood.values()} == {day_number("2026-11-18")}
    plan = ledger.make_plan(of, NOW + 6 * DAY, ZONE)
    leads = [lead for load in ledger.plan_events(plan, "c", NOW + 6 * DAY) for lead in load.leads]
    assert [lead.choice.treatment for lead in leads if lead.choice is not None] == ["champion.write.3"] * 2
    # What a list says later holds; and what it says is forgotten when it is old.
    with ledger.reading() as connection:
        assert decisions.stands(connection, "c", NOW + 7 * DAY) == stood
        assert decisions.stands(connection, "c", NOW + 90 * DAY) == {}


def test_a_treatment_that_stops_writes_to_nobody(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(2))
    of = campaign(TEXT.replace("promises_open > 0", "balance >= 900_00"))
    assert accounts(out(ledger, of)[1]) == ["A1"]


# ---- the no-contact pool


def test_the_pool_is_worked_and_what_came_of_it_is_told(ledger: SqlLedger, tmp_path: Path) -> None:
    lost = {"product": "lost"}
    rows = [*spaniards(2), row("L1", phone="600 123 481", **lost), row("L2", phone="", **lost)]
    settle(ledger, tmp_path, *rows, row("L3", phone="600 123 483", **lost))
    tell(ledger, "L3", "do_not_call")
    tasks = seen(ledger, campaign()).tasks["number_research"]
    assert (tasks.due, tasks.in_hand, tasks.since, tasks.found) == (3, 0, None, 0)
    # No number is looked for of somebody who has it in writing that he is not called.
    assert (tasks.ready, tasks.not_now) == (2, {"HOUSE.do_not_call": 1})
    # At night as well: nobody is contacted.
    done, file = out(ledger, campaign(), "number_research", NIGHT)
    assert (done.lines, sorted(accounts(file))) == (2, ["L1", "L2"])
    assert {account: one.numbers for one in file for _, account in one.accounts}["L1"] == ("+34600123481",)
    assert all(one.valid_until_us is None for one in file)
    assert dossier(ledger, "L1").history == ()
    assert out(ledger, campaign(), "number_research", NOW + DAY)[0].handover is None
    tasks = seen(ledger, campaign(), NOW + DAY).tasks["number_research"]
    assert (tasks.due, tasks.in_hand, tasks.since, tasks.found) == (1, 2, "2026-11-18", 0)
    settle(ledger, tmp_path, *rows[:3], row("L2", phone="600 123 482", **lost), at_us=NOW + 2 * DAY)
    tasks = seen(ledger, campaign(), NOW + 2 * DAY).tasks["number_research"]
    assert (tasks.due, tasks.in_hand, tasks.found) == (1, 1, 1)


def test_whoever_comes_into_the_segment_again_is_due_again(ledger: SqlLedger, tmp_path: Path) -> None:
    one: dict[str, Any] = row("L1", phone="600 123 481")
    settle(ledger, tmp_path, one | {"product": "lost"})
    assert out(ledger, campaign(), "number_research")[0].lines == 1
    settle(ledger, tmp_path, one | {"product": "loan"}, at_us=NOW + DAY)
    assert out(ledger, campaign(), at_us=NOW + DAY)[0].lines == 1
    settle(ledger, tmp_path, one | {"product": "lost"}, at_us=NOW + 2 * DAY)
    assert out(ledger, campaign(), "number_research", NOW + 2 * DAY)[0].lines == 1


def test_channels_of_documents_are_channels_of_the_rules() -> None:
    from compliance.rows import CHANNELS as OF_RULES

    assert set(CHANNELS.values()) <= set(OF_RULES)


def test_what_is_personal_stands_in_the_portfolio_alone(ledger: SqlLedger, tmp_path: Path) -> None:
    settle(ledger, tmp_path, *spaniards(1))
    out(ledger, campaign())
    with ledger.reading() as connection:
        name = connection.execute(select(person.c.name)).scalar_one()
        kept = [*connection.execute(select(handed)), *connection.execute(select(handover))]
        kept += connection.execute(select(history).where(history.c.channel == "sms")).all()
    assert len(kept) == 3
    assert not any(word in repr(kept) for word in (name, "600123400"))
