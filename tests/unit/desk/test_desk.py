"""What the desk lets through, what it refuses, and that a refusal tells what to do."""

from pathlib import Path
from string import Formatter
from typing import Any

import msgspec
import pytest

from dialer import desk, desk_words, live, sums
from dialer.desk import Desk
from dialer.engine.evolve import evolve
from dialer.engine.state import Agent, Call, State
from domain.calls import AGENT_DISPOSITIONS, AgentState, Disposition, Mode, Phase
from domain.errors import BadInput
from domain.events import (
    AgentMoved,
    CampaignOrdered,
    Disposed,
    Finishing,
    FloorOpened,
    HangUpAsked,
    LeadAccepted,
    LeadAsked,
    LeadSkipped,
    LimitSet,
    MadeReady,
    ModeSet,
    PauseAsked,
    SignedIn,
    SignedOut,
)
from domain.instants import HOUR, parse
from domain.offers import Offer
from domain.people import Debt, Dossier, Phone, Verdict
from domain.settings import CampaignSettings, FloorSettings

#: Past eleven at night in UTC: already the next day in Madrid.
NOW_US = parse("2026-11-18T23:30:00+00:00")
SETTINGS = FloorSettings(
    zone="Europe/Madrid",
    campaigns=(
        CampaignSettings(name="es", min_promise_share=0.1, max_promise_days=30),
        CampaignSettings(name="co"),
    ),
    nodes=("north", "south"),
)


class OfficeHours:
    """Allows calls from eight to twenty UTC."""

    version = "hours"

    def judge(self, dossier: Dossier, *, at_us: int, **_: Any) -> Verdict:
        hour = at_us // HOUR % 24
        if 8 <= hour < 20:
            return Verdict(allowed=True)
        next_us = (at_us // HOUR // 24 * 24 + (8 if hour < 8 else 32)) * HOUR
        return Verdict(allowed=False, rule="xx-hours", local_time="02:00", next_allowed_at_us=next_us)


def floor(
    state: AgentState = AgentState.talking,
    phase: Phase = Phase.talking,
    debts: tuple[int, ...] = (7,),
    offer: Offer | None = None,
) -> Desk:
    """A floor where agent a1 stands in a state, with a call about debts."""
    engine = State()
    engine.at_us = NOW_US
    evolve(engine, FloorOpened(at_us=NOW_US, settings=SETTINGS, rules="hours", versions={}))
    engine.people[1] = Dossier(
        person=1,
        keys=(),
        country="ES",
        debts=tuple(Debt(debt=debt, creditor=1, balance_minor=10_005, currency="EUR") for debt in (7, 8)),
        phones=(Phone(phone=3, country="ES"),),
    )
    with_call = state in (AgentState.talking, AgentState.wrapup, AgentState.reserved)
    engine.agents["a1"] = Agent(
        agent="a1", node="north", state=state, phone_up=True, call_id="floor-5" if with_call else None, reason="lunch"
    )
    if with_call:
        engine.calls["floor-5"] = Call(
            call_id="floor-5",
            campaign="es",
            person=1,
            debts=debts,
            phone=3,
            keys=(),
            mode=Mode.progressive,
            node="north",
            trunk="trunk",
            caller_id="",
            language="es",
            abandon_message=False,
            phase=phase,
            agent="a1",
            offer=offer,
        )
    return Desk(engine, OfficeHours())


def leaving(then: str) -> Desk:
    """A floor whose free agent has asked to go, while calls ring for him."""
    desk = floor(AgentState.ready)
    desk._state.agents["a1"].then = then
    return desk


def order(do: str, *, on: Desk | None = None, **fields: Any) -> tuple[Any, ...]:
    command = msgspec.convert({"do": do, **fields}, desk.DeskCommand)
    return (on or floor()).events(command, NOW_US)


@pytest.mark.parametrize(
    ("state", "do", "fields", "event"),
    [
        ("offline", "sign_in", {}, SignedIn(at_us=NOW_US, agent="a1", node="north")),
        (
            "offline",
            "sign_in",
            {"campaigns": ["co"], "call_me": False, "node": "south"},
            SignedIn(at_us=NOW_US, agent="a1", campaigns=("co",), call_me=False, node="south"),
        ),
        (
            "ready",
            "sign_in",
            {"until": "2099-01-01T18:00:00+01:00"},
            SignedIn(at_us=NOW_US, agent="a1", node="north", until_us=parse("2099-01-01T17:00:00Z")),
        ),
        (
            "ready",
            "sign_in",
            {"groups": ["seniors"]},
            SignedIn(at_us=NOW_US, agent="a1", node="north", groups=("seniors",)),
        ),
        ("talking", "finishing", {}, Finishing(at_us=NOW_US, agent="a1")),
        ("ready", "sign_out", {}, SignedOut(at_us=NOW_US, agent="a1")),
        ("paused", "ready", {}, MadeReady(at_us=NOW_US, agent="a1")),
        ("talking", "ready", {}, MadeReady(at_us=NOW_US, agent="a1")),
        ("ready", "pause", {"reason": "break"}, PauseAsked(at_us=NOW_US, agent="a1", reason="break")),
        ("ready", "ask", {}, LeadAsked(at_us=NOW_US, agent="a1")),
        ("previewing", "accept", {}, LeadAccepted(at_us=NOW_US, agent="a1")),
        ("previewing", "skip", {"reason": "too_late"}, LeadSkipped(at_us=NOW_US, agent="a1", reason="too_late")),
        ("talking", "hang_up", {}, HangUpAsked(at_us=NOW_US, agent="a1")),
    ],
)
def test_agents_orders_become_events(state: str, do: str, fields: dict[str, Any], event: Any) -> None:
    assert order(do, on=floor(AgentState(state)), agent="a1", **fields) == (event,)


@pytest.mark.parametrize(
    ("state", "do", "fields"),
    [
        ("ready", "sign_in", {}),
        ("offline", "sign_out", {}),
        ("ready", "ready", {}),
        ("paused", "pause", {"reason": "lunch"}),
        ("ready", "hang_up", {}),
        ("talking", "finishing", {"about_to": False}),
    ],
)
def test_what_would_change_nothing_is_no_event(state: str, do: str, fields: dict[str, Any]) -> None:
    assert order(do, on=floor(AgentState(state)), agent="a1", **fields) == ()


def test_who_waits_to_go_may_think_better_of_it_or_of_why() -> None:
    ready, paused = MadeReady(at_us=NOW_US, agent="a1"), PauseAsked(at_us=NOW_US, agent="a1", reason="lunch")
    assert order("ready", on=leaving("break"), agent="a1") == (ready,)
    assert order("pause", on=leaving("break"), agent="a1", reason="lunch") == (paused,)
    assert order("pause", on=leaving("lunch"), agent="a1", reason="lunch") == ()
    assert order("pause", on=leaving("leave"), agent="a1", reason="lunch") == (paused,)


@pytest.mark.parametrize(
    ("do", "fields", "events"),
    [
        ("campaign", {"verb": "drain", "campaign": "es"}, [CampaignOrdered(at_us=NOW_US, campaign="es", verb="drain")]),
        (
            "campaign",
            {"verb": "pause"},
            [CampaignOrdered(at_us=NOW_US, campaign=name, verb="pause") for name in ("es", "co")],
        ),
        (
            "limit",
            {"campaign": "es", "abandon_limit": 0.02},
            [LimitSet(at_us=NOW_US, campaign="es", abandon_limit=0.02)],
        ),
        (
            "mode",
            {"campaign": "es", "mode": "power", "ratio": 2},
            [ModeSet(at_us=NOW_US, campaign="es", mode=Mode.power, ratio=2.0)],
        ),
        (
            "move",
            {"agents": ["a1"], "campaigns": ["co"]},
            [AgentMoved(at_us=NOW_US, agent="a1", campaigns=("co",))],
        ),
    ],
)
def test_supervisors_orders_become_events(do: str, fields: dict[str, Any], events: list[Any]) -> None:
    assert list(order(do, **fields)) == events


@pytest.mark.parametrize(
    ("state", "do", "fields", "says"),
    [
        ("offline", "sign_in", {"campaigns": ["mx"]}, "es, co"),
        ("offline", "sign_in", {"node": "west"}, "north, south"),
        ("offline", "sign_in", {"until": "2020-01-01T18:00:00Z"}, "is past"),
        ("offline", "sign_in", {"until": "18:00"}, "sign_in: --until: "),
        ("offline", "ready", {}, "sign in first"),
        ("wrapup", "finishing", {}, "it is said while talking"),
        ("wrapup", "ready", {}, "record it with dispose"),
        ("ready", "pause", {"reason": "tired"}, "break, lunch, training, back_office, technical"),
        ("talking", "ask", {}, "become ready first"),
        ("ready", "accept", {}, "ask for one first"),
        ("ready", "skip", {}, "ask for one first"),
        ("previewing", "skip", {"reason": "he said: no!"}, "one word"),
        ("ready", "dispose", {"disposition": "no_promise"}, "has no call"),
    ],
)
def test_refusals_to_agents_say_what_to_do(state: str, do: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        order(do, on=floor(AgentState(state)), agent="a1", **fields)


@pytest.mark.parametrize(
    ("do", "fields", "says"),
    [
        ("campaign", {"verb": "restart"}, "run, pause, drain, stop"),
        ("campaign", {"verb": "run", "campaign": "mx"}, "es, co"),
        ("limit", {"campaign": "es", "abandon_limit": 3}, r"write 0\.03 for 3 %"),
        ("limit", {"campaign": "mx", "abandon_limit": 0.03}, "es, co"),
        ("mode", {"campaign": "es", "mode": "psychic"}, "preview, progressive, power, predictive"),
        ("mode", {"campaign": "es", "mode": "power", "ratio": 40}, r"in \[1, 10\]"),
        ("move", {"agents": ["a9"]}, "sign in first"),
    ],
)
def test_refusals_to_supervisors_say_what_to_do(do: str, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        order(do, **fields)


# ---- outcomes


@pytest.mark.parametrize("state", [AgentState.talking, AgentState.wrapup])
@pytest.mark.parametrize("disposition", [d for d in AGENT_DISPOSITIONS if d not in ("promise", "plan", "call_back")])
def test_plain_outcomes_are_recorded_while_the_call_or_its_wrap_up_lasts(
    state: AgentState, disposition: Disposition
) -> None:
    phase = Phase.talking if state is AgentState.talking else Phase.wrapping
    assert order("dispose", on=floor(state, phase), agent="a1", disposition=disposition) == (
        Disposed(at_us=NOW_US, agent="a1", call_id="floor-5", disposition=disposition),
    )


def test_a_promise_carries_debt_sum_and_day() -> None:
    # Today is the 19th in Madrid; a tenth of 100.05 EUR, rounded up, is 10.01 EUR.
    for amount, day in ((1_001, "2026-11-19"), (10_005, "2026-12-19")):
        assert order("dispose", agent="a1", disposition="promise", amount=f"{amount / 100:.2f}", due_on=day) == (
            Disposed(
                at_us=NOW_US,
                agent="a1",
                call_id="floor-5",
                disposition=Disposition.promise,
                debt=7,
                amount_minor=amount,
                currency="EUR",
                due_on=day,
            ),
        )


def test_a_plan_carries_its_instalments() -> None:
    (event,) = order("dispose", agent="a1", disposition="plan", amount="90", due_on="2026-11-30", instalments=3)
    assert (event.disposition, event.amount_minor, event.instalments) == ("plan", 9_000, 3)


def test_a_call_back_is_kept_where_the_rules_allow_it() -> None:
    (event,) = order("dispose", agent="a1", disposition="call_back", call_back_at="2026-11-19T11:00:00+01:00", own=True)
    assert (event.call_back_us, event.own) == (parse("2026-11-19T10:00:00Z"), True)


PROMISE = {"disposition": "promise", "amount": "50", "due_on": "2026-11-30"}


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        (PROMISE | {"amount": "50.001"}, r"EUR has 2 decimals, --amount was '50\.001'"),
        (PROMISE | {"amount": "1,500"}, r"EUR has 2 decimals, --amount was '1,500'"),
        (PROMISE | {"amount": "1.000,50"}, r"--amount must be a sum in EUR such as 100\.05, was '1\.000,50'"),
        (PROMISE | {"amount": "-5"}, "--amount must be a sum in EUR"),
        (PROMISE | {"amount": "fifty"}, "--amount must be a sum in EUR"),
        ({"disposition": "happy"}, "wrong_party, third_party"),
        ({"disposition": "busy"}, "wrong_party, third_party"),
        ({"disposition": "no_promise", "call_id": "floor-4"}, "has call floor-5, not floor-4"),
        ({"disposition": "no_promise", "amount": "1"}, "leave --amount, --due and --instalments out"),
        ({"disposition": "no_promise", "debt": 8}, "not about debt 8; use 7"),
        ({"disposition": "no_promise", "call_back_at": "2026-11-19T10:00:00Z"}, "leave --call-back-at and --own out"),
        ({"disposition": "promise"}, "give --amount and --due"),
        (PROMISE | {"amount": "10"}, r"from 10\.01 EUR to the balance of 100\.05 EUR, was 10\.00 EUR"),
        (PROMISE | {"amount": "100.06"}, r"was 100\.06 EUR"),
        (PROMISE | {"due_on": "30/11/2026"}, "2026-11-30"),
        (PROMISE | {"due_on": "2026-11-18"}, "from 2026-11-19 to 2026-12-19"),
        (PROMISE | {"due_on": "2026-12-20"}, "from 2026-11-19 to 2026-12-19"),
        (PROMISE | {"instalments": 3}, "record a plan"),
        (PROMISE | {"disposition": "plan"}, "2 to 120 instalments"),
        (PROMISE | {"disposition": "plan", "instalments": 1}, "2 to 120 instalments"),
        ({"disposition": "call_back"}, "ask the debtor when"),
        ({"disposition": "call_back", "call_back_at": "tomorrow"}, "write it as 2026"),
        ({"disposition": "call_back", "call_back_at": "2026-11-19T10:00:00"}, "no instant with its offset"),
        ({"disposition": "call_back", "call_back_at": "2026-11-18T10:00:00Z"}, "is past"),
        (
            {"disposition": "call_back", "call_back_at": "2026-11-19T02:00:00Z"},
            r"rule xx-hours .* next allowed instant is 2026-11-19T08:00",
        ),
    ],
)
def test_a_refused_outcome_says_what_to_do(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        order("dispose", agent="a1", **fields)


TENTH = Offer(discount=0.1, plan_months=(3, 6))


@pytest.mark.parametrize(
    ("offer", "fields", "kept"),
    [
        # A tenth off 100.05 EUR, rounded up, is 90.05 EUR.
        (TENTH, PROMISE | {"amount": "90.05", "settles": True}, (9_005, None, True)),
        (TENTH, PROMISE | {"amount": "90.05"}, (9_005, None, False)),
        (TENTH, PROMISE | {"amount": "20"}, (2_000, None, False)),
        (TENTH, PROMISE | {"disposition": "plan", "amount": "95", "instalments": 4, "settles": True}, (9_500, 4, True)),
        # Who pays all settles it, offer or none.
        (None, PROMISE | {"amount": "100.05", "settles": True}, (10_005, None, False)),
        (None, PROMISE | {"disposition": "plan", "instalments": 48}, (5_000, 48, False)),
        (Offer(discount=0.1), PROMISE | {"disposition": "plan", "instalments": 48}, (5_000, 48, False)),
        # Below the campaign's least promise, and offered all the same.
        (Offer(discount=0.95), PROMISE | {"amount": "5.01", "settles": True}, (501, None, True)),
    ],
)
def test_what_is_agreed_within_the_offer_is_kept(
    offer: Offer | None, fields: dict[str, Any], kept: tuple[int, int | None, bool]
) -> None:
    (event,) = order("dispose", on=floor(offer=offer), agent="a1", **fields)
    assert (event.amount_minor, event.instalments, event.settles) == kept


@pytest.mark.parametrize(
    ("offer", "fields", "says"),
    [
        (TENTH, PROMISE | {"amount": "90.04", "settles": True}, r"90\.05 EUR of 100\.05 EUR settles it at the least"),
        (None, PROMISE | {"settles": True}, r"offers no discount on 100\.05 EUR; leave --settles out"),
        (Offer(plan_months=(3,)), PROMISE | {"settles": True}, "offers no discount"),
        (TENTH, PROMISE | {"disposition": "plan", "instalments": 7}, "plans of 3, 6 .*was 7; agree on 6 at most"),
        (TENTH, {"disposition": "no_promise", "settles": True}, "--settles too"),
    ],
)
def test_what_is_agreed_outside_the_offer_is_refused(offer: Offer | None, fields: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        order("dispose", on=floor(offer=offer), agent="a1", **fields)


def test_with_several_debts_a_promise_names_one() -> None:
    both = floor(debts=(7, 8))
    with pytest.raises(BadInput, match="about debts 7, 8"):
        order("dispose", on=both, agent="a1", **PROMISE)
    (event,) = order("dispose", on=both, agent="a1", debt=8, **PROMISE)
    assert event.debt == 8


def test_no_outcome_before_the_debtor_is_on_the_line() -> None:
    with pytest.raises(BadInput, match="wait until"):
        order("dispose", on=floor(AgentState.reserved, Phase.connecting), agent="a1", disposition="no_promise")


def test_a_campaign_that_left_the_settings_is_not_started_again() -> None:
    one = floor()
    fewer = msgspec.structs.replace(SETTINGS, campaigns=SETTINGS.campaigns[:1])
    evolve(one._state, FloorOpened(at_us=NOW_US, settings=fewer, rules="hours", versions={}))
    with pytest.raises(BadInput, match="use one of es"):
        order("campaign", on=one, verb="run", campaign="co")
    assert [event.campaign for event in order("campaign", on=one, verb="run")] == ["es"]


@pytest.mark.parametrize(
    ("currency", "written", "minor"),
    [("EUR", "10.5", 1_050), ("EUR", "10,50", 1_050), ("EUR", "10", 1_000), ("COP", "150000", 15_000_000),
     ("CLP", "150000", 150_000), ("KWD", "1.234", 1_234)],
)  # fmt: skip
def test_sums_are_written_as_people_write_them(currency: str, written: str, minor: int) -> None:
    at = floor()
    owed = Debt(debt=7, creditor=1, balance_minor=minor, currency=currency)
    at._state.people[1] = msgspec.structs.replace(at._state.people[1], debts=(owed,))
    (event,) = order("dispose", on=at, agent="a1", **(PROMISE | {"amount": written}))
    assert (event.amount_minor, event.currency) == (minor, currency)


def test_a_refusal_is_in_the_language_of_the_command_else_of_the_floor() -> None:
    with pytest.raises(BadInput, match="el agente zz no ha iniciado sesión"):
        order("ready", agent="zz", language="es")
    spanish = floor()
    spanish._state.settings = msgspec.structs.replace(SETTINGS, language="es")
    with pytest.raises(BadInput, match="necesita un importe y un día"):
        order("dispose", on=spanish, agent="a1", disposition="promise")
    with pytest.raises(BadInput, match="needs an amount and a day"):
        order("dispose", on=spanish, agent="a1", disposition="promise", language="en")


@pytest.mark.parametrize("key", desk_words.WORDS)
def test_both_languages_say_the_same_fields(key: str) -> None:
    fields = [
        sorted((name, how, sign) for _, name, how, sign in Formatter().parse(text) if name is not None)
        for text in desk_words.WORDS[key]
    ]
    assert len(fields) == len(desk_words.LANGUAGES)
    assert fields[0] == fields[1]
    assert f'"{key}"' in "".join(Path(str(one.__file__)).read_text("utf-8") for one in (desk, live, sums))
