"""Lists by strategies: chances are those of the lots, nobody is forgotten, and the order is what it says."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.instants import DAY, parse
from domain.people import ContactEvent, Dossier, PastContact, Phone
from strategy.checking import examine_text, read
from strategy.documents import Arm as Share
from strategy.documents import Document, Segment, Step, Strategy, Treatment, Trial
from strategy.fields import Book, Contacts, Debts, Payments, Promises, Scores, day_number
from strategy.listing import CALL, Listing, Stand, decide, numbers_of

NOW = parse("2026-11-30T09:00:00+01:00")
ZONE = "Europe/Madrid"
TODAY = day_number("2026-11-30")


def people(n: int, seed: int = 1) -> Book:
    luck = np.random.default_rng(seed)

    def words(*of: str) -> Any:
        return np.array(of, object)[luck.integers(len(of), size=n)]

    none = np.array([], np.int64)
    return Book(
        person=np.arange(n) * 3 + 1,
        country=words("ES", "PT"),
        n_phones=luck.integers(0, 3, n),
        debts=Debts(
            np.arange(n), np.arange(n), luck.integers(1, 9_000_00, n), words("EUR", "USD"),
            TODAY - luck.integers(-20, 200, n), words("loan", ""),
        ),
        contacts=Contacts(none, none, none.astype(bool)),
        promises=Promises(none, none, none, none.astype(object), none, none, none),
        payments=Payments(none, none, none, none.astype(object), none),
    )  # fmt: skip


def strategy(explore: float, holdout: float, share: float, unit: str = "debtor") -> Strategy:
    def document(name: str, *rank_by: str) -> Document:
        return Document(
            name=name,
            rank_by=rank_by,
            explore=explore,
            segments=(
                Segment(name="young", when="days_past_due < 30", treatment="wait"),
                Segment(name="never", when='country == "PT"', treatment="leave"),
                Segment(name="others", when="true", treatment="call"),
            ),
            treatments={
                "wait": Treatment(
                    steps=(Step(channel="none"), Step(channel="call", after_days=4, priority=2)), explore=False
                ),
                "leave": Treatment(steps=(Step(channel="none"),)),
                "call": Treatment(steps=(Step(channel="call"),), stop_when="balance < 100_00"),
            },
        )

    trial = Trial(
        holdout=holdout,
        unit=unit,  # type: ignore[arg-type]
        arms=(Share(name="champion", share=share), Share(name="new", share=1.0 - share, strategy="b")),
    )
    other = document("b", "value_call", "days_past_due")
    leave = replace(other.treatments["call"], steps=(Step(channel="none"),), explore=True)
    other = replace(other, treatments=other.treatments | {"call": leave})
    return Strategy(document=replace(document("a", "balance"), trial=trial), challengers={"new": other})


def listed(of: Strategy, book: Book, at_us: int = NOW, stands: Any = None, scores: Scores | None = None) -> Listing:
    return decide(of, "c", book, at_us, ZONE, stands or {}, scores)


@given(
    explore=st.floats(0, 1), holdout=st.floats(0, 0.9), share=st.floats(0, 1), seed=st.integers(0, 99),
    unit=st.sampled_from(["debtor", "pool_day"]),
)  # fmt: skip
def test_laws(explore: float, holdout: float, share: float, seed: int, unit: str) -> None:
    of, book = strategy(explore, holdout, share, unit), people(120, seed)
    found = listed(of, book)
    choices = list(found.choices())
    made = list(found.decisions(range(120)))
    assert [one.person for one in made] == book.person.tolist()
    assert sorted(row for row, _, _ in choices) == np.flatnonzero(found.called).tolist()
    for one in made:
        assert sum(one.p_action.values()) == pytest.approx(1.0)
        assert 0.0 <= one.p_action[one.action] <= 1.0
        assert one.p_action[one.action] > 0.0
        assert one.arm in ("champion", "new", "holdout")
        assert one.arm != "holdout" or one.action == "none"
    # Nobody without a number, nobody whom a condition stops, nobody by lot where lots are off.
    called = found.called
    assert not called[book.n_phones == 0].any()
    others = (found.columns["days_past_due"] >= 30) & (found.columns["country"] == "ES")
    assert not called[others & (found.columns["balance"] < 100_00)].any()
    assert not called[~others].any()
    assert [choice.place for _, choice, _ in choices] == list(range(1, len(choices) + 1))
    # Of one arm: by its own order, greatest first.
    for arm in ("champion", "new"):
        values = [choice.value for _, choice, _ in choices if choice.arm == arm]
        assert values == sorted(values, reverse=True)
    assert listed(of, book).order.tolist() == found.order.tolist()


def test_shares_are_those_of_the_lots() -> None:
    of, book = strategy(0.2, 0.1, 0.75), people(40_000)
    found = listed(of, book)
    held = found.arm < 0
    for share, expected in ((held.mean(), 0.1), ((found.arm == 0)[~held].mean(), 0.75)):
        assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / len(book.person))
    # Who may be called is called as often as the chance says, over people and days.
    for day in range(2):
        found = listed(of, book, NOW + day * DAY)
        chance = np.round(found.p_call, 9)
        for p in sorted(set(chance)):
            some = chance == p
            assert abs(found.called[some].mean() - p) < 5 * np.sqrt(p * (1 - p) / some.sum()) + 1e-12, p
        # 0.9 * (0.75 * 0.9 + 0.25 * 0.1)
        assert chance.max() == pytest.approx(0.63)


def test_lots_stay_with_the_debtor_whatever_else_changes() -> None:
    book = people(500)
    first = listed(strategy(0.1, 0.2, 0.5), book)
    later = listed(strategy(0.9, 0.2, 0.5), book, NOW + 40 * DAY)
    assert first.arm.tolist() == later.arm.tolist()
    grown = listed(strategy(0.1, 0.3, 0.5), book)
    assert ((first.arm < 0) <= (grown.arm < 0)).all()
    anew = strategy(0.1, 0.2, 0.5)
    anew = replace(anew, document=replace(anew.document, name="z", trial=replace(anew.document.trial, lot="spring")))
    drawn = listed(anew, book)
    assert (drawn.arm < 0).tolist() == (first.arm < 0).tolist()
    assert 100 < (drawn.arm != first.arm).sum() < 300
    days = [set(listed(strategy(0.1, 0.0, 0.5, "pool_day"), book, NOW + n * DAY).arm.tolist()) for n in range(12)]
    assert all(len(one) == 1 for one in days)
    assert set.union(*days) == {0, 1}


def test_steps_follow_the_days_in_a_segment() -> None:
    of, book = strategy(0.0, 0.0, 1.0), people(200)
    stands: dict[int, Stand] = {}
    young = (people(200).debts.due_day > TODAY - 30) & (book.n_phones > 0)
    for day in range(6):
        found = listed(of, book, NOW + day * DAY, stands)
        still = young & (found.columns["days_past_due"] < 30)
        assert found.called[still].all() == (day >= 4)
        assert found.called[still].any() == (day >= 4)
        stands = {one.person: Stand(one.segment, one.since_day) for one in found.decisions(range(200))}
    first = next(choice for _, choice, _ in found.choices())
    assert first.treatment == "champion.wait.2", "priority 2 comes before 5"


def test_arms_share_the_list_as_it_is_dialled() -> None:
    found = listed(strategy(1.0, 0.0, 0.5), people(4_000))
    arms = found.arm[found.order]
    part = (arms == 0).mean()
    for size in (20, 100, 1_000):
        assert abs((arms[:size] == 0).mean() - part) < 0.1


def test_who_has_no_score_stands_behind_those_who_have() -> None:
    book = people(400)
    ids = book.person[::4]
    scores = Scores(ids, {"value_call": np.linspace(-5, 5, len(ids))}, "m1")
    found = listed(read(Path("config/strategies/model.toml")), book, scores=scores)
    choices = [choice for _, choice, _ in found.choices() if choice.arm == "champion"]
    by = [choice.by for choice in choices]
    assert by == sorted(by, key=["value_call", "balance_share"].index)
    assert set(by) == {"value_call", "balance_share"}
    assert all((choice.score_version == "m1") == (choice.by == "value_call") for choice in choices)
    wait = {one.person for one in found.decisions(range(400)) if one.segment == "not_worth_it"}
    assert wait == set(ids[np.linspace(-5, 5, len(ids)) <= 0].tolist())


def test_numbers_by_each_rule() -> None:
    kinds = ("fixed", "mobile", "mobile")
    phones = tuple(Phone(phone=n, country="ES", line_type=kind) for n, kind in enumerate(kinds, 1))
    spoken = ContactEvent.right_party_contact
    history = (
        PastContact(at_us=5, event=spoken, phone=2),
        PastContact(at_us=9, event=spoken, phone=3),
        PastContact(at_us=12, event=ContactEvent.no_answer, phone=1),
    )
    dossier = Dossier(person=1, keys=(), country="ES", phones=phones, history=history)
    assert numbers_of("as_imported", dossier, 7) == ()
    assert numbers_of("mobile_first", dossier, 7) == (2, 3, 1)
    assert numbers_of("last_reached_first", dossier, 7) == (3, 2, 1)
    assert [numbers_of("rotate", dossier, day) for day in (6, 7, 8)] == [(1, 2, 3), (2, 3, 1), (3, 1, 2)]
    assert numbers_of("rotate", replace(dossier, phones=phones[:1]), 7) == ()


def test_nothing_is_called_when_nothing_is_known_of_a_condition() -> None:
    text = Path("config/strategies/balance.toml").read_text(encoding="utf-8")
    text = re.sub(r"stop_when.*", 'stop_when = "p_pay < 0.5"', text)
    document, _ = examine_text(text, "x")
    assert document is not None
    book = people(50)
    found = decide(Strategy(document=document), "c", book, NOW, ZONE, {})
    # Unknown is not known to hold: it stops nobody.
    assert found.called.tolist() == (book.n_phones > 0).tolist()
    assert {one.action for one in found.decisions(np.flatnonzero(book.n_phones))} == {CALL}
