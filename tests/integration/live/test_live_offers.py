"""An offer of a strategy's step on a running floor: shown before hello, kept to at the desk, told by the record."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from typer.testing import CliRunner

from compliance.gate import Gate
from console.main import app
from console.screen import screen
from console.settings import load
from console.why import why
from console.why_agent import call_of, why_agent
from dialer.control import Client
from dialer.engine.replay import replay
from dialer.robots import Habits
from domain.errors import BadInput
from domain.events import Disposed
from domain.offers import Offer
from domain.settings import CampaignSettings
from ledger import queries
from ledger.schema import debt
from ledger.store import SqlLedger, open_ledger
from strategy.documents import Document, Segment, Step, Strategy, Treatment, attached
from tests.integration.live.scene import (
    CAMPAIGN,
    RULES,
    connected,
    exchange,
    fill,
    floor,
    records,
    running,
    settings,
    staffed,
    until,
)
from tests.integration.live.telephone import Line

OFFER = Offer(discount=0.1, plan_months=(3, 6))
STEP = "champion.press.1"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db", patience_s=0.3)) as opened:
        yield opened


def offering() -> CampaignSettings:
    document = Document(
        name="press",
        rank_by=("balance_share",),
        explore=0.0,
        segments=(Segment(name="all", when="true", treatment="press"),),
        treatments={"press": Treatment(steps=(Step(channel="call", offer=OFFER),))},
    )
    return attached(replace(CAMPAIGN, wrapup_s=60.0), Strategy(document=document))


async def spoken_to(client: Client) -> dict[str, Any]:
    """Wait until a conversation has ended; return what the screen showed before hello."""
    shown: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        while True:
            push = await client.pushes.get()
            assert push is not None
            if push["push"] == "lead":
                shown[push["call_id"]] = push
            elif push["state"] == "wrapup":
                return shown[push["call_id"]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder as the command makes it."""
    folder = tmp_path / "home"
    assert CliRunner().invoke(app, ["init", str(folder)]).exit_code == 0
    return folder


async def test_an_agent_is_shown_what_may_be_offered_and_kept_to_it(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 10)
    one_floor = settings(offering())
    async with (
        exchange(tmp_path) as (_, path),
        running(floor(ledger, Line(path), tmp_path, settings=one_floor)),
        connected(tmp_path) as desk,
    ):
        await desk.ask("attend", agents=["a1"])
        await desk.ask("sign_in", agent="a1")
        await desk.ask("ready", agent="a1")
        lead = await spoken_to(desk)
        (owed,), (terms,) = lead["debts"], lead["offers"]
        least = -(-owed["balance_minor"] * 9 // 10)
        assert (terms["debt"], terms["balance_minor"], terms["settles_minor"]) == (
            owed["debt"],
            owed["balance_minor"],
            least,
        )
        assert [one["instalments"] for one in terms["plans"]] == [3, 6]
        assert terms["words"]["en"].startswith("may be offered: 10 % off 100.")
        said = {"agent": "a1", "due_on": "2026-11-30", "settles": True}
        with pytest.raises(BadInput, match="settles it at the least"):
            await desk.ask("dispose", disposition="promise", amount=f"{(least - 1) / 100:.2f}", **said)
        with pytest.raises(BadInput, match="acuerde 6 como máximo"):
            await desk.ask(
                "dispose", disposition="plan", amount=f"{least / 100:.2f}", instalments=9, language="es", **said
            )
        await desk.ask("dispose", disposition="promise", amount=f"{least / 100:.2f}", **said)
    (event,) = records(ledger, Disposed)
    assert (event.call_id, event.amount_minor, event.settles) == (lead["call_id"], least, True)
    with ledger.reading() as connection:
        found = queries.offered(connection, lead["call_id"])
        assert connection.execute(select(debt.c.balance_minor).where(debt.c.id == owed["debt"])).scalar_one()
    assert found == queries.Offered(treatment=STEP, offer=OFFER)
    # Whoever speaks to him next sees what was agreed.
    (agreed,) = screen(ledger, lead["person"], "es")["promises"]
    assert (agreed["amount_minor"], agreed["settles"]) == (least, True)
    rows = list(ledger.read("floor"))
    gate = Gate.load(RULES)
    audit = replay(rows, {gate.version: gate}.get)
    assert (audit.divergences, audit.rows) == ([], len(rows))


async def test_robots_agree_within_the_offer_and_why_tells_what_each_call_had(
    ledger: SqlLedger, tmp_path: Path, home: Path
) -> None:
    fill(ledger, 20)
    async with exchange(tmp_path) as (_, path):
        one = floor(ledger, Line(path), tmp_path, settings=settings(offering()))
        habits = Habits(wrapup_s=(0.01, 0.05), p_break=0.0, p_promise=0.5, p_plan=0.5)
        async with staffed(tmp_path, 4, habits) as robots, running(one):
            await until(lambda: robots.recorded["promise"] >= 2 and robots.recorded["plan"] >= 2)
        assert not [word for word in robots.refused if word.startswith("dispose")]
    agreed = [event for event in records(ledger, Disposed) if event.amount_minor is not None]
    assert all(event.settles for event in agreed)
    assert {event.instalments for event in agreed} == {None, 6}
    call = call_of(ledger, agreed[0].call_id)
    assert call is not None
    given = why_agent(ledger, call, "Europe/Madrid")
    assert given.offer is not None
    assert given.said[-1].startswith("May be offered: 10 % off 100.")
    assert given.said[-1].endswith(f"({STEP}).")
    # The same of the account, among its attempts.
    with ledger.reading() as connection:
        account = connection.execute(select(debt.c.account).where(debt.c.id == call.debts[0])).scalar_one()
    (answer,) = why(ledger, replace(load(home), floor=settings(offering())), account, None, None)
    assert [one for one in answer.offers if one.call_id == call.call_id] == [given.offer]
