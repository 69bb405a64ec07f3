"""What is due besides calls: whoever stands in such a step and nobody else, in order; and budgets that hold."""

from itertools import pairwise
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from domain.instants import DAY
from strategy.checking import read
from strategy.documents import Arm, Document, Segment, Step, Strategy, Treatment, Trial
from strategy.due import Budget, due
from strategy.listing import Stand
from tests.property.test_listing import NOW, TODAY, listed, people

STEPS = (
    Step(channel="sms", template="a"),
    Step(channel="none", task="review", after_days=2),
    Step(channel="sms", template="b", after_days=4, priority=1),
    Step(channel="call", after_days=9),
)


def strategy(holdout: float, share: float, stop: str = "") -> Strategy:
    def document(name: str, rank_by: str) -> Document:
        return Document(
            name=name,
            rank_by=(rank_by,),
            segments=(
                Segment(name="portugal", when='country == "PT"', treatment="letters"),
                Segment(name="others", when="true", treatment="words"),
            ),
            treatments={
                "letters": Treatment(steps=(Step(channel="letter", template="c"),)),
                "words": Treatment(steps=STEPS, stop_when=stop),
            },
        )

    arms = (Arm(name="champion", share=share), Arm(name="new", share=1.0 - share, strategy="b"))
    first = replace(document("a", "balance"), trial=Trial(holdout=holdout, arms=arms))
    return Strategy(document=first, challengers={"new": document("b", "days_past_due")})


@given(
    st.integers(0, 80), st.integers(0, 9), st.floats(0, 0.9), st.floats(0, 1), st.integers(0, 12), st.booleans()
)  # fmt: skip
def test_everybody_in_such_a_step_is_due_once_and_nobody_else(
    n: int, seed: int, holdout: float, share: float, days: int, stopped: bool
) -> None:
    of, book = strategy(holdout, share, "balance >= 4500_00" if stopped else ""), people(n, seed)
    stands = {int(one): Stand("others", TODAY - int(one) % (days + 1)) for one in book.person}
    listing = listed(of, book, stands=stands)
    found = due(listing)
    rows = [one.row for those in found.values() for one in those]
    assert len(rows) == len(set(rows))
    for row in range(n):
        portugal = book.country[row] == "PT"
        since = TODAY if portugal else stands[int(book.person[row])].since_day
        step = max(k for k, one in enumerate(STEPS) if TODAY - since >= one.after_days)
        what = "letter" if portugal else STEPS[step].besides_calls
        left = listing.arm[row] < 0 or (stopped and not portugal and book.debts.balance_minor[row] >= 4500_00)
        mine = [(kind, one) for kind, those in found.items() for one in those if one.row == row]
        assert len(mine) == (0 if left or not what else 1)
        for kind, one in mine:
            assert (kind, one.since_day, one.what.besides_calls) == (what, since, what)
            assert one.arm == of.arms[int(listing.arm[row])].name
            assert one.step == ("letters.1" if portugal else f"words.{step + 1}")
    for those in found.values():
        for arm in ("champion", "new"):
            own = [one for one in those if one.arm == arm]
            came = [one.since_day + one.what.after_days for one in own]
            assert came == sorted(came)
            for first, second in pairwise(own):
                if first.since_day + first.what.after_days == second.since_day + second.what.after_days:
                    assert first.what.priority <= second.what.priority
                    if first.what.priority == second.what.priority:
                        assert listing.value[first.row] >= listing.value[second.row]


@given(
    st.one_of(st.none(), st.integers(1, 9)),
    st.one_of(st.none(), st.integers(1, 9)),
    st.lists(st.sampled_from(["champion", "new"]), max_size=30),
    st.integers(0, 5),
)
def test_budgets_hold_for_the_campaign_and_for_the_arm_that_says_so(
    everybody: int | None, own: int | None, asked: list[str], before: int
) -> None:
    of = strategy(0.0, 0.5)
    if everybody is not None:
        of = replace(of, document=replace(of.document, budgets={"sms": everybody}))
    if own is not None:
        of = replace(of, challengers={"new": replace(of.challengers["new"], budgets={"sms": own})})
    budget = Budget(of, "sms", {"new": before})
    taken = [arm for arm in asked if budget.take(arm)]
    room = np.inf if everybody is None else max(0, everybody - before)
    of_new = np.inf if own is None else max(0, own - before)
    assert len(taken) <= room
    assert taken.count("new") <= of_new
    # Nobody is turned away while there is room.
    if len(taken) < len(asked):
        assert len(taken) == room or taken.count("new") == of_new
    if taken:
        budget.give_back(taken[-1])
        assert budget.take(taken[-1])
        assert budget.take("champion") == (len(taken) < room)
    assert Budget(of, "letter", {}).of_campaign is None


def test_lots_about_calls_move_no_message() -> None:
    example = read(Path("config/strategies/digital-first.toml"))
    book = people(200)
    called = listed(replace(example, document=replace(example.document, explore=1.0)), book)
    plain = listed(replace(example, document=replace(example.document, explore=0.0)), book)
    assert called.called.sum() != plain.called.sum()
    assert due(called) == due(plain)
    stands = {int(one): Stand("everybody_else", TODAY - 4) for one in book.person}
    later = due(listed(example, book, NOW + DAY, stands))
    assert len(later["email"]) > 50
