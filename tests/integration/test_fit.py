"""A world fitted to days that a known world made comes out as it was; a day held out tells it from a wrong one."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert

from compliance.gate import Gate
from domain.errors import BadInput
from domain.instants import DAY, HOUR
from domain.settings import FloorSettings
from ledger.experience import everybody, payments, promises, tries
from ledger.memory import MemoryLedger
from ledger.people import enroll
from ledger.schema import payment
from ledger.store import SqlLedger
from simulation.aftermath import After
from simulation.agents import Chair
from simulation.chance import Chance
from simulation.day import read_day
from simulation.estimates import shrunk_ratios
from simulation.fidelity import fidelity
from simulation.fit import Fitted, fit
from simulation.population import Debtors, Laws, Paid, load, portfolio
from tests.integration.days import MORNING_US, campaign, work_a_day
from tests.integration.simulated import RULES

ZONE = "Europe/Madrid"
BASE = load("default")


def _weekday() -> list[float]:
    """Out in the morning, at home in the evening, far more than the base has it."""
    curve = list(BASE.presence.weekday)
    curve[10:12], curve[17:19] = [0.15, 0.15], [0.95, 0.95]
    return curve


TRUTH = {
    "answering": {
        "p_pick_up": [0.42, 0.40, 0.36, 0.30, 0.27, 0.22], "fatigue": [1.0, 0.90], "p_busy": 0.10, "p_decline": 0.30,
    },
    "presence": {"weekday": _weekday(), "mobile_at_hand": 0.3},
    "numbers": {"p_dead": [0.15, 0.30], "p_stranger": [0.20, 0.40], "p_debtor_mobile": 0.75, "p_voicemail_mobile": 0.2},
    "line": {"setup_s": [3.0, 0.3], "ring_s": [5.0, 0.25], "patience_s": 20.0},
    "talk": {"debtor_s": [40.0, 0.6], "third_party_s": [20.0, 0.4]},
    "outcomes": {"promise": 0.60, "no_promise": 0.15},
    "payment": {"self_cure_per_day": [0.08, 0.07, 0.06, 0.05, 0.04, 0.03]},
    "portfolio": {"countries": {code: float(code == "ES") for code in BASE.portfolio.countries}},
}  # fmt: skip
#: What is fitted may not know of the truth: what it does not see is the base's.
KNOWN = {"presence": {"mobile_at_hand": 0.3}}
PEOPLE = 1_800
GATE = Gate.load(RULES)


@pytest.fixture(scope="module")
def truth() -> Laws:
    return load("default", TRUTH)


@pytest.fixture(scope="module")
def ledger(truth: Laws) -> Iterator[SqlLedger]:
    """Three days of a floor in that world: a morning, an evening, and one that is held out; payments come in."""
    one = campaign(detect_machines=False, mode="progressive")
    settings = FloorSettings(campaigns=(one,), max_lines=100, tick_s=2.0)
    people = list(portfolio(truth, PEOPLE, 3, MORNING_US))
    with MemoryLedger() as made:
        with made.writing() as connection:
            numbers = {phone.phone: f"+346{phone.phone:08d}" for one in people for phone in one.phones}
            enroll(connection, people, numbers, MORNING_US - DAY)
        chairs = [
            Chair(
                agent=f"a{n}",
                starts_us=MORNING_US + begin_us,
                ends_us=MORNING_US + begin_us + 3 * HOUR // 2,
                pace=2.0 if n == 0 else 1.0,
            )
            for begin_us in (0, DAY + 7 * HOUR, 2 * DAY)
            for n in range(12)
        ]
        work_a_day(made, settings=settings, hours=50.0, chairs=chairs, laws=truth, seed=1)
        debtors = Debtors(truth, Chance(1), start_us=MORNING_US)
        debtors.meet(people)
        rows = [
            {
                "creditor": 1, "reference": f"r{n}", "debt": deed.debt, "amount_minor": deed.amount_minor,
                "currency": deed.currency, "event_us": deed.at_us, "known_us": deed.at_us,
            }
            for n, deed in enumerate(debtors.pass_time(MORNING_US, MORNING_US + 3 * DAY))
            if isinstance(deed, Paid)
        ]  # fmt: skip
        with made.writing() as connection:
            connection.execute(insert(payment), rows)
        yield made


@pytest.fixture(scope="module")
def fitted(ledger: SqlLedger) -> Fitted:
    """What the first two days tell."""
    from_us, to_us = MORNING_US, MORNING_US + 3 * DAY // 2 + 6 * HOUR
    with ledger.reading() as connection:
        return fit(
            list(tries(connection, "floor", from_us, to_us)),
            everybody(connection, "floor", from_us, to_us),
            stream="floor", from_us=from_us, to_us=to_us, over=KNOWN,
            after=After(
                zone=ZONE, paid=payments(connection, from_us, to_us), promised=promises(connection, from_us, to_us)
            ),
        )  # fmt: skip


def estimate(fitted: Fitted, at: str) -> tuple[float, float, float]:
    """Return the first number of an estimate, and its interval widened from 95 to 99.7 %."""
    one = next(one for one in fitted.estimates if one.at == at)
    assert one.low is not None
    assert one.high is not None
    value = one.value[0] if isinstance(one.value, tuple) else one.value
    return value, value - 1.55 * (value - one.low), value + 1.55 * (one.high - value)


@pytest.mark.parametrize(
    ("at", "true"),
    [
        ("answering.p_busy", 0.10),
        ("answering.p_congestion", BASE.answering.p_congestion),
        ("answering.p_decline", 0.30),
        ("numbers.p_debtor_mobile", 0.75),
        ("numbers.p_voicemail_mobile", 0.2),
        ("line.setup_s", 3.0),
        ("talk.debtor_s", 40.0),
        ("talk.third_party_s", 20.0),
    ],
)
def test_what_was_true_lies_in_the_intervals(fitted: Fitted, at: str, true: float) -> None:
    value, low, high = estimate(fitted, at)
    assert low <= true <= high, (value, low, high)


def test_answers_are_found_by_hour_stage_and_attempt(fitted: Fitted, truth: Laws) -> None:
    laws = fitted.laws()
    counts = next(one.n for one in fitted.estimates if one.at == "answering.p_pick_up")
    assert counts > 400

    def answers(world: Laws, hour: int, stage: int) -> float:
        home, mobile = world.presence.weekday[hour], world.presence.mobile_at_hand
        return (home + (1.0 - home) * mobile) * world.answering.p_pick_up[stage]

    # All people together to a sixth, in the morning and in the evening; each of the large stages to two fifths.
    for hour in (10, 17):
        shares = [answers(laws, hour, stage) / answers(truth, hour, stage) for stage in range(6)]
        assert 0.85 < sum(shares) / 6 < 1.18, shares
        assert all(0.6 < share < 1.67 for share in shares[1:5]), shares
        # And not as the base has it.
        base = [answers(BASE, hour, stage) / answers(truth, hour, stage) for stage in range(6)]
        assert sum(base) / 6 < 0.85
    weekday = laws.presence.weekday
    assert weekday[17] - weekday[10] > 0.5 > BASE.presence.weekday[17] - BASE.presence.weekday[10]
    # What was not called stays the base's.
    assert weekday[13] == BASE.presence.weekday[13]
    assert laws.presence.saturday == BASE.presence.saturday
    assert 0.8 <= laws.answering.fatigue[1] <= 1.0


def test_numbers_words_and_payments_are_found(fitted: Fitted, truth: Laws) -> None:
    laws = fitted.laws()
    assert laws.numbers.p_dead == pytest.approx((0.15, 0.30), abs=0.05)
    assert laws.numbers.p_stranger == pytest.approx((0.20, 0.40), abs=0.12)
    assert laws.outcomes["promise"] == pytest.approx(0.57, abs=0.09)  # type: ignore[index]
    assert laws.line.ring_s == pytest.approx((5.0, 0.25), rel=0.1)
    assert laws.line.p_early_ring == pytest.approx(truth.line.p_early_ring, abs=0.06)
    rates = laws.payment.self_cure_per_day
    assert 0.6 < sum(rates) / sum(truth.payment.self_cure_per_day) < 1.67
    assert sum(rates) > 1.5 * sum(BASE.payment.self_cure_per_day)
    # Agent a0 wraps up twice as long; the others lie about one.
    paces = {
        name.split()[-1]: float(text.split()[0]) for name, text in fitted.observed.items() if "wrap-up pace" in name
    }
    assert paces.pop("a0") > 1.2 * max(paces.values())


def test_the_document_says_what_it_rests_on_and_loads_as_what_was_found(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "world.toml"
    text = fitted.document(ZONE)
    path.write_text(text, encoding="utf-8")
    known = load(path)
    assert msgspec.structs.replace(known, about="") == msgspec.structs.replace(fitted.laws(), about="")
    assert "no random sample" in text
    assert "# known from elsewhere\nmobile_at_hand = 0.3" in text
    assert "empirical Bayes" in text
    for place in ("presence.saturday", "talk.p_person_ends", "conditions.vulnerable"):
        assert place in fitted.missing
        assert f"#   {place}: " in text
    busy = next(line for line in text.splitlines() if line.startswith("p_busy"))
    before = text.splitlines()[text.splitlines().index(busy) - 1]
    assert before.startswith("# n = ")
    assert "95 % in [" in before


def test_a_day_held_out_believes_the_fitted_world_and_doubts_the_base(ledger: SqlLedger, fitted: Fitted) -> None:
    day = read_day(ledger, "floor", "2026-11-20", ZONE)
    gates = {GATE.version: GATE}.get
    right = fidelity(day, gates, fitted.laws(), world="fitted", replications=6, with_record=False).comparisons[0]
    wrong = fidelity(day, gates, BASE, world="default", replications=6, with_record=False).comparisons[0]
    assert right.ok, right.doubted
    assert not wrong.ok
    assert {"answer_rate", "talk_s"} <= set(wrong.doubted), wrong.doubted


def test_a_record_that_tells_little_leaves_the_base(ledger: SqlLedger) -> None:
    from_us, to_us = MORNING_US, MORNING_US + DAY
    with ledger.reading() as connection:
        some = list(tries(connection, "floor", from_us, to_us))[:6]
        people = everybody(connection, "floor", from_us, to_us)
    found = fit(some, people, stream="floor", from_us=from_us, to_us=to_us)
    assert found.estimates == []
    assert found.laws() == BASE
    assert "answering.p_pick_up, presence" in found.missing
    with pytest.raises(BadInput, match="no finished attempt"):
        fit([], people, stream="floor", from_us=from_us, to_us=to_us)
    with pytest.raises(BadInput, match="presets are"):
        fit(some, people, stream="floor", from_us=from_us, to_us=to_us, base="nowhere")


def test_thin_cells_are_drawn_to_the_pooled_ratio() -> None:
    # No more spread than chance: all alike.
    even = shrunk_ratios({"a": 52, "b": 49, "c": 1}, {"a": 50.0, "b": 50.0, "c": 1.0})
    assert len(set(even.values())) == 1
    assert even["a"] == pytest.approx(102 / 101)
    # True differences stay where there is much to see, and thin cells move towards the middle.
    uneven = shrunk_ratios({"a": 300, "b": 100, "c": 3}, {"a": 200.0, "b": 200.0, "c": 1.0})
    assert 1.4 < uneven["a"] < 1.5
    assert 0.5 < uneven["b"] < 0.6
    assert 1.0 < uneven["c"] < 1.7
    assert shrunk_ratios({}, {"a": 0.0}) == {"a": 1.0}
