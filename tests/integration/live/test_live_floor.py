"""The live loop on a real ledger and gate, and an exchange that knows the truth: whole days, restarts, endings."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import pytest
from msgspec.structs import replace
from sqlalchemy import select, update

from compliance.gate import Gate
from dialer.clocks import RehearsedClock, WallClock
from dialer.engine.replay import replay
from dialer.live import Hooks
from dialer.robots import Habits
from domain.calls import Mode
from domain.errors import BadInput, Broken
from domain.events import FloorOpened, LeadsLoaded, PastCounted, PersonChanged
from domain.facts import AttemptClosed, CallClassed, LeadClosed
from domain.instants import HOUR, to_datetime
from domain.orders import Originate, Reserve
from domain.settings import CampaignSettings, Window
from ledger.intake.cells import Form
from ledger.reservations import announce, bump
from ledger.schema import debt, history
from ledger.stops import import_cells
from ledger.store import SqlLedger, open_ledger
from tests.integration.live.scene import (
    CAMPAIGN,
    RULES,
    START_US,
    connected,
    exchange,
    fill,
    floor,
    records,
    running,
    settings,
    staffed,
    until,
    up,
)
from tests.integration.live.telephone import Line

T = TypeVar("T")

HABITS = Habits(wrapup_s=(0.01, 0.05), break_s=0.2)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqlLedger]:
    with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db", patience_s=0.3)) as opened:
        yield opened


@pytest.fixture
def any_ledger(ledger_url: str) -> Iterator[SqlLedger]:
    with closing(open_ledger(ledger_url)) as opened:
        yield opened


async def test_a_list_is_called_to_its_end_and_every_call_is_recorded_as_it_was(
    any_ledger: SqlLedger, tmp_path: Path
) -> None:
    ledger = any_ledger
    fill(ledger, 60)
    async with exchange(tmp_path) as (network, path):
        one = floor(ledger, Line(path), tmp_path)
        async with staffed(tmp_path, 6, HABITS) as robots, running(one):
            await until(lambda: len(network.truth) >= 60)
            await until(lambda: not one.board().lines and not [a for a in one.board().agents if a.state == "wrapup"])
    rows = list(ledger.read("floor"))
    closed = {row.record.call_id: row.record for row in rows if isinstance(row.record, AttemptClosed)}
    classes = {row.record.call_id: row.record.answer_class for row in rows if isinstance(row.record, CallClassed)}
    assert len(records(ledger, AttemptClosed)) == len(closed)
    for call_id, truth in network.truth.items():
        assert network.originated[call_id] == 1
        if truth in ("connected", "abandoned"):
            assert classes[call_id] == truth
        else:
            assert closed[call_id].disposition == truth
    assert {row.record.call_id for row in rows if isinstance(row.record, Originate)} == set(network.originated)
    assert sum(robots.recorded.values()) == list(classes.values()).count("connected")
    assert not [found for found in ledger.verify() if found.broken]
    gate = Gate.load(RULES)
    audit = replay(rows, {gate.version: gate}.get)
    assert not audit.divergences
    assert audit.rows == len(rows)


async def test_a_restart_goes_on_under_changed_settings_and_meets_its_calls(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 200)
    async with exchange(tmp_path, pace_s=0.3) as (network, path), staffed(tmp_path, 5, HABITS):
        async with running(floor(ledger, Line(path), tmp_path)):
            await until(lambda: len(network.truth) > 15)
        alive = set(network.live)
        assert alive
        again = floor(
            ledger,
            Line(path),
            tmp_path,
            settings=settings(
                replace(CAMPAIGN, mode=Mode.progressive, abandon_limit=0.01),
                CampaignSettings(name="second"),
                tick_s=0.1,
            ),
        )
        async with running(again):
            before = len(network.truth)
            await until(lambda: alive <= set(network.truth) and len(network.truth) > before + 10)
            board = {row.campaign: row for row in again.board().campaigns}
            assert (board["es"].mode, board["es"].abandon_limit, board["es"].state) == ("progressive", 0.01, "running")
            assert board["second"].state == "stopped"
            await until(lambda: not one_open(ledger, alive))
    assert max(network.originated.values()) == 1
    opened = records(ledger, FloorOpened)
    assert [len(event.settings.campaigns) for event in opened] == [1, 2]
    # The day's list was read again and not loaded twice.
    assert [event.campaign for event in records(ledger, LeadsLoaded)] == ["es", "second"]
    classes = {fact.call_id: fact.answer_class for fact in records(ledger, CallClassed)}
    truths = {call_id: network.truth[call_id] for call_id in alive}
    for call_id, truth in truths.items():
        if truth in ("connected", "abandoned"):
            assert classes[call_id] == truth


async def test_a_campaign_taken_out_of_the_settings_lets_its_calls_end(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 100)
    async with exchange(tmp_path, pace_s=0.5) as (network, path), staffed(tmp_path, 5, HABITS):
        async with running(floor(ledger, Line(path), tmp_path)):
            await until(lambda: len(network.truth) > 5 and len(network.live) > 3)
        alive = set(network.live)
        other = floor(ledger, Line(path), tmp_path, settings=settings(CampaignSettings(name="second")), run=("second",))
        async with running(other):
            await until(lambda: alive <= set(network.truth) and not one_open(ledger, alive))
    closed = {fact.call_id: fact.disposition for fact in records(ledger, AttemptClosed)}
    for call_id in alive:
        if network.truth[call_id] not in ("connected", "abandoned"):
            assert closed[call_id] == network.truth[call_id]


async def test_a_line_that_breaks_again_and_again_loses_no_call(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 200)
    async with exchange(tmp_path, pace_s=0.2) as (network, path), staffed(tmp_path, 6, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one) as task:
            for _ in range(4):
                before = network.originated.total()
                await until(lambda: network.originated.total() > before + 5)  # noqa: B023
                network.cut()
            await until(lambda: network.originated.total() > before + 10)
            one.end(30.0)
            await asyncio.wait_for(task, 40)
    closed = {fact.call_id: fact for fact in records(ledger, AttemptClosed)}
    classes = {fact.call_id: fact.answer_class for fact in records(ledger, CallClassed)}
    assert max(network.originated.values()) == 1
    for call_id, truth in network.truth.items():
        if truth in ("connected", "abandoned"):
            assert classes[call_id] == truth
        else:
            assert closed[call_id].disposition in (truth, "unknown")
    assert {order.call_id for order in records(ledger, Originate)} <= set(closed)


def one_open(ledger: SqlLedger, calls: set[str]) -> set[str]:
    return calls - {fact.call_id for fact in records(ledger, AttemptClosed)}


async def test_what_others_write_is_heard_at_once(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 30)
    async with exchange(tmp_path) as (network, path):
        one = floor(ledger, Line(path), tmp_path, run=())
        async with running(one):
            await until(lambda: sum(row.ready for row in one.board().campaigns) == 30)
            await asyncio.to_thread(pay, ledger, 7)
            await until(lambda: records(ledger, LeadClosed))
    assert [(fact.person, fact.why) for fact in records(ledger, LeadClosed)] == [(7, "paid")]
    assert not network.originated


async def test_a_stop_recorded_while_the_floor_dials_binds_from_its_commit_on(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    fill(ledger, 60)

    def ask_not_to_be_called(account: str) -> None:
        # As another program would: by a connection of its own.
        with closing(open_ledger(f"sqlite:///{tmp_path}/ledger.db")) as other:
            cells = {"account": account, "stop": "attorney"}
            import_cells(other, cells, at_us=START_US, by="ana", form=Form(zone="UTC", country="ES"))

    async with exchange(tmp_path) as (network, path), staffed(tmp_path, 3, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one):
            await until(lambda: "connected" in network.truth.values())
            # From the end of the list on, and then people whose calls are being reserved, or up.
            for person in (*range(31, 61), *range(1, 31)):
                await asyncio.to_thread(ask_not_to_be_called, str(person + 1_000_000))
            await until(lambda: len({event.dossier.person for event in records(ledger, PersonChanged)}) == 60)
            await until(lambda: not sum(row.ready for row in one.board().campaigns))
    with ledger.reading() as connection:
        # Rows of one table are numbered in the order of their commits.
        rows = connection.execute(select(history.c.id, history.c.person, history.c.event).order_by(history.c.id)).all()
    stopped = {row.person: row.id for row in rows if row.event == "stop"}
    assert len(stopped) == 60
    dialled = {row.person: row.id for row in rows if row.event == "dialed"}
    assert [person for person, number in dialled.items() if number > stopped[person]] == []
    assert len(dialled) < 60 - 10
    # Nobody was ordered after the engine had been told.
    told: dict[int, int] = {}
    for row in ledger.read("floor"):
        if isinstance(row.record, PersonChanged):
            told.setdefault(row.record.dossier.person, row.seq)
        elif isinstance(row.record, Reserve) and row.record.person in told:
            pytest.fail(f"{row.record.person} reserved in row {row.seq}, stopped in row {told[row.record.person]}")


async def test_what_others_wrote_while_no_engine_ran_is_heard_at_the_start(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 30)
    async with exchange(tmp_path) as (_, path):
        first = floor(ledger, Line(path), tmp_path, run=())
        async with running(first):
            await until(lambda: sum(row.ready for row in first.board().campaigns) == 30)
            await asyncio.to_thread(pay, ledger, 7)
            await until(lambda: records(ledger, LeadClosed))
        pay(ledger, 8)
        second = floor(ledger, Line(path), tmp_path, run=())
        async with running(second):
            await until(lambda: len(records(ledger, LeadClosed)) == 2)
    assert [event.dossier.person for event in records(ledger, PersonChanged)] == [7, 8]


def pay(ledger: SqlLedger, person: int) -> None:
    with ledger.writing() as connection:
        connection.execute(update(debt).where(debt.c.person == person).values(state="paid", balance_minor=0))
        bump(connection, [f"person:{person}"])
        announce(connection, [person], START_US)


async def test_a_list_can_be_made_anew_while_the_floor_runs(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 10)
    async with exchange(tmp_path) as (_, path):
        one = floor(ledger, Line(path), tmp_path, run=())
        async with running(one):
            await until(lambda: sum(row.ready for row in one.board().campaigns) == 10)
            await asyncio.to_thread(fill, ledger, 15, 11)
            async with connected(tmp_path) as client:
                assert await client.ask("load", campaign="es") == {"people": 15}
                with pytest.raises(BadInput, match="no campaign 'mx'"):
                    await client.ask("load", campaign="mx")
            assert one.board().campaigns[0].ready == 15


async def test_a_new_day_brings_a_new_list(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 5)
    # From 16:30 in Madrid to midnight and the day after in two seconds.
    clock = RehearsedClock(START_US, speed=4 * 3600)
    async with exchange(tmp_path) as (_, path):
        one = floor(ledger, Line(path), tmp_path, clock=clock, run=(), settings=settings(tick_s=300.0))
        async with running(one):
            await until(lambda: len(records(ledger, LeadsLoaded)) > 1)
    loaded = records(ledger, LeadsLoaded)
    assert len({event.plan for event in loaded}) == len(loaded)
    # Each list belongs to a day of its own, by the floor's calendar.
    days = [to_datetime(event.at_us, settings().zone).date() for event in loaded]
    assert len(set(days)) == len(days)


async def test_a_limit_over_days_counts_those_before_again_on_each_day(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 5)
    clock = RehearsedClock(START_US, speed=4 * 3600)
    campaign = replace(CAMPAIGN, limits=(Window(days=30, share=0.03),))
    async with exchange(tmp_path) as (_, path):
        floor_settings = settings(campaign, tick_s=300.0)
        one = floor(ledger, Line(path), tmp_path, clock=clock, run=(), settings=floor_settings)
        async with running(one):
            await until(lambda: len(records(ledger, PastCounted)) > 1)
            (limit,) = one._engine.state.pacers["es"].settings.limits
    assert limit.name == "30 days"
    days = [to_datetime(event.at_us, floor_settings.zone).date() for event in records(ledger, PastCounted)]
    assert len(set(days)) == len(days)


# ---- ends


async def test_an_end_dials_nothing_new_and_waits_for_the_calls(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 100)
    async with exchange(tmp_path, pace_s=0.3) as (network, path), staffed(tmp_path, 5, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one) as task:
            await until(lambda: len(network.live) > 3)
            async with connected(tmp_path) as client:
                await client.ask("end", within_s=30)
            dialled = set(network.originated)
            await asyncio.wait_for(task, 30)
            assert not network.live
    # What was committed when the word came had not left, and did not leave.
    assert set(network.originated) == dialled
    assert one.board().campaigns[0].state in ("draining", "stopped")
    assert ledger.last_snapshot("floor") is not None
    assert not (tmp_path / "cadencia.sock").exists()


async def test_an_end_does_not_wait_longer_than_told(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 100)
    async with exchange(tmp_path, pace_s=5.0) as (network, path), staffed(tmp_path, 5, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        async with running(one):
            await until(lambda: len(network.live) > 3)
        # Whoever is on the line stays there: the switch's dialplan goes on.
        assert len(network.live) > 3


# ---- who may run


async def test_a_second_run_is_refused_and_told_who_runs(ledger: SqlLedger, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with exchange(tmp_path) as (_, path):
        async with running(floor(ledger, Line(path), tmp_path)):
            await up(tmp_path)
            with pytest.raises(BadInput, match=r"is run from this folder by .* process \d+ .* since 20"):
                await floor(ledger, Line(path), tmp_path).run()
            with pytest.raises(BadInput, match=r"is run by .* process \d+ .* since 20"):
                await floor(ledger, Line(path), elsewhere).run()
        async with running(floor(ledger, Line(path), elsewhere)):
            await up(elsewhere)


async def test_a_rehearsed_clock_needs_trunks_that_reach_nobody(ledger: SqlLedger, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="loopback"):
        floor(ledger, Line(tmp_path), tmp_path, loopback=False)
    with pytest.raises(BadInput, match="no campaign 'mx'"):
        floor(ledger, Line(tmp_path), tmp_path, run=("mx",))


async def test_a_rehearsals_record_is_not_continued_for_real(ledger: SqlLedger, tmp_path: Path) -> None:
    async with exchange(tmp_path) as (_, path):
        async with running(floor(ledger, Line(path), tmp_path)):
            await up(tmp_path)
        with pytest.raises(BadInput, match="holds the record of a rehearsal"):
            await floor(ledger, Line(path), tmp_path, clock=WallClock()).run()


async def test_a_record_of_tomorrow_is_not_continued_today(ledger: SqlLedger, tmp_path: Path) -> None:
    ahead = WallClock()
    ahead.not_before(ahead.now_us() + HOUR)
    async with exchange(tmp_path) as (_, path):
        async with running(floor(ledger, Line(path), tmp_path, clock=ahead)):
            await up(tmp_path)
        with pytest.raises(BadInput, match="set the clock right"):
            await floor(ledger, Line(path), tmp_path, clock=WallClock()).run()


async def test_a_rehearsed_clock_goes_on_where_its_record_ended(ledger: SqlLedger, tmp_path: Path) -> None:
    async with exchange(tmp_path) as (_, path):
        for _ in range(2):
            async with running(floor(ledger, Line(path), tmp_path)):
                await up(tmp_path)
                await asyncio.sleep(0.2)
    at = [row.at_us for row in ledger.read("floor")]
    assert at == sorted(at)
    assert len(records(ledger, FloorOpened)) == 2


# ---- what breaks


async def test_a_stream_that_somebody_else_writes_ends_the_floor_and_no_call(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 100)
    async with exchange(tmp_path, pace_s=2.0) as (network, path), staffed(tmp_path, 5, HABITS):
        one = floor(ledger, Line(path), tmp_path)
        task = asyncio.create_task(one.run())
        await until(lambda: len(network.live) > 3)
        strange = next(iter(ledger.read("floor")))

        def intrude() -> None:
            head = max(row.seq for row in ledger.read("floor"))
            ledger.append([replace(strange, seq=head + 1, at_us=strange.at_us + HOUR)])

        async with asyncio.timeout(20):
            while not task.done():
                try:
                    await asyncio.to_thread(intrude)
                except Broken:
                    continue  # the floor was quicker
                break
            with pytest.raises(Broken, match="another process writes this stream"):
                await task
        assert network.live
        dialled = network.originated.total()
        await asyncio.sleep(0.3)
        assert network.originated.total() == dialled


async def test_a_record_that_cannot_be_folded_keeps_the_dialer_silent(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 20)
    async with exchange(tmp_path) as (network, path):
        async with running(floor(ledger, Line(path), tmp_path, run=())):
            await up(tmp_path)
        with ledger.writing() as connection:
            connection.exec_driver_sql("DELETE FROM journal WHERE seq = 2")
            connection.exec_driver_sql("DELETE FROM snapshot")
        with pytest.raises(Broken, match="rows are missing"):
            await floor(ledger, Line(path), tmp_path).run()
        assert not network.originated


async def test_an_agent_is_shown_who_is_coming(ledger: SqlLedger, tmp_path: Path) -> None:
    fill(ledger, 10)
    hooks = Hooks(screen=lambda person, campaign: {"name": f"person {person} of {campaign}"}, roster=lambda: {"a1": ()})
    async with (
        exchange(tmp_path) as (network, path),
        running(floor(ledger, Line(path), tmp_path, hooks=hooks)),
        connected(tmp_path) as client,
    ):
        await client.ask("attend", agents=["a1"])
        with pytest.raises(BadInput, match="use one of a1"):
            await client.ask("sign_in", agent="a2")
        await client.ask("sign_in", agent="a1")
        await client.ask("ready", agent="a1")
        pushes = []
        while not pushes or pushes[-1]["push"] != "lead":
            push = await asyncio.wait_for(client.pushes.get(), 20)
            assert push is not None
            pushes.append(push)
    lead = pushes[-1]
    assert lead["screen"] == {"name": f"person {lead['person']} of es"}
    assert lead["debts"][0]["balance_minor"] == 10_000 + lead["person"]
    assert lead["call_id"] in network.originated
    assert [push["state"] for push in pushes if push["push"] == "agent"][:3] == ["away", "paused", "ready"]


async def test_an_agent_learns_of_the_call_also_when_the_lookup_fails(ledger: SqlLedger, tmp_path: Path) -> None:
    def broken(person: int, campaign: str) -> dict[str, object]:
        raise RuntimeError("no such table")

    fill(ledger, 10)
    async with (
        exchange(tmp_path) as (_, path),
        running(floor(ledger, Line(path), tmp_path, hooks=Hooks(screen=broken))) as task,
        connected(tmp_path) as client,
    ):
        await client.ask("attend", agents=["a1"])
        await client.ask("sign_in", agent="a1")
        await client.ask("ready", agent="a1")
        while (push := await asyncio.wait_for(client.pushes.get(), 20)) is not None:
            if push["push"] == "lead":
                break
        assert push is not None
        assert push["screen"] == {}
        assert not task.done()


async def test_a_pause_during_a_call_is_told_as_to_come_and_nobody_ready_is_an_alarm(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    fill(ledger, 20)
    async with (
        exchange(tmp_path, pace_s=0.3) as (_, path),
        running(floor(ledger, Line(path), tmp_path)),
        connected(tmp_path) as desk,
    ):

        async def state() -> str:
            (agent,) = (await desk.ask("status"))["board"]["agents"]
            return str(agent["state"])

        async def alarms() -> dict[str, str]:
            return {kind: what for kind, what, _ in (await desk.ask("status"))["board"]["alarms"]}

        await reached(alarms, lambda found: "agents login" in found.get("no_agent_is_ready", ""))
        await desk.ask("sign_in", agent="a1")
        await reached(alarms, lambda found: "agents ready a1" in found.get("no_agent_is_ready", ""))
        told = await desk.ask("ready", agent="a1")
        assert told["stand"]["state"] in ("ready", "reserved")
        await reached(state, lambda found: found == "talking")
        assert "no_agent_is_ready" not in await alarms()
        told = await desk.ask("pause", agent="a1", reason="lunch")
        assert told["stand"]["state"] in ("talking", "wrapup")


async def reached(look: Callable[[], Awaitable[T]], true: Callable[[T], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true(await look()):
            await asyncio.sleep(0.01)
