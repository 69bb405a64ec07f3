"""The live loop: runs one floor on a switch, a ledger and a clock that are given to it.

Rule 1: the record, then the contact. An `Originate` leaves after the commit of its own row; every other order leaves at
once.
Rule 2: the loop never waits for the database: commits have a thread, lookups have others, their answers are events.
Rule 3: start-up is recovery. A floor that cannot fold its record stays silent and says so; calls that are up belong to
the switch's dialplan.
"""

import asyncio
import gc
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog
from msgspec.structs import replace

from dialer.board import Board, nobody_ready
from dialer.clocks import Clock
from dialer.commits import Commits, Committed, Numbers
from dialer.control import Behind, Server
from dialer.desk import Desk, DeskCommand, Limit, SignIn
from dialer.desk_words import refusal
from dialer.engine import Engine, Gate
from dialer.lease import Lease, Leases
from dialer.lookups import Lookups
from dialer.measures import Measures
from dialer.phones import begun
from dialer.reader import Lists, Reader
from dialer.recovery import Records, Snapshots, recover
from dialer.screens import Screens
from dialer.warming import warm_pacing
from domain.calls import CampaignState
from domain.errors import BadInput, Broken, LedgerStalled, SwitchLost
from domain.events import AnyEvent, CampaignOrdered, FloorOpened, NotSent, RulesChanged, Tick
from domain.facts import AgentShifted
from domain.instants import SECOND, iso
from domain.orders import AnyOrder, Connect, Order, Originate, Reserve, ShowLead
from domain.pace import SHIFT
from domain.records import Row
from domain.settings import FloorSettings

#: A desk command is answered when its rows are durable, or after this long without.
ANSWER_WITHIN_S = 2.0
#: How long a signal to end waits for calls.
END_WITHIN_S = 120.0
#: How long the last rows may take to become durable when the floor ends.
_FLUSH_WITHIN_S = 30.0
#: The record may run ahead of the machine's clock by so much and no more.
_AHEAD_US = 60 * SECOND

log = structlog.get_logger()


class Switch(Protocol):
    """A telephone switch, real or simulated: orders in, events out."""

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        """Connect and resync; from now on `deliver` gets every event, on the loop's thread."""
        ...

    def send(self, order: AnyOrder, number: str | None = None) -> None:
        """Carry out an order without blocking; `number` is the E.164 of an `Originate`.

        Raises
        ------
        SwitchLost
            When the node's link is down and nothing was sent.
        """
        ...

    async def stop(self) -> None: ...


class Ledger(Numbers, Leases, Lists, Records, Protocol):
    """The system of record as the loop knows it."""


class Hooks(msgspec.Struct, frozen=True, kw_only=True):
    """What the composition root adds; called in threads, may read the ledger."""

    #: What an agent's screen shows of a person for a campaign: name, debts, promises…
    screen: Callable[[int, str], dict[str, Any]] | None = None
    #: Agents who may sign in, and the groups that they are in; None: anybody, in none.
    roster: Callable[[], Mapping[str, tuple[str, ...]]] | None = None
    #: Gate of an accepted version of the rule packs; None: they stay as they are while the floor runs.
    rules: Callable[[str], Gate] | None = None


class Floor:
    """One floor, run.

    Parameters
    ----------
    versions : dict
        Of code and libraries, for the record.
    run : tuple of str
        Campaigns to start once their lists are loaded.
    loopback : bool
        Every trunk is simulated or leads back to this machine; otherwise a rehearsed clock is refused.
    socket_path : Path, optional
        Where to serve the control socket.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        switch: Switch,
        gate: Gate,
        settings: FloorSettings,
        clock: Clock,
        versions: dict[str, str],
        run: tuple[str, ...] = (),
        loopback: bool = False,
        socket_path: Path | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        if clock.rehearsed and not loopback:
            raise BadInput(
                "run: a rehearsed clock may not dial the real network, and a trunk of this floor is not marked as "
                "loopback; run on wall time, or use the trunks of the lab or the rehearsal"
            )
        for name in run:
            settings.campaign(name)
        self._ledger = ledger
        self._switch = switch
        self._gate = gate
        self._settings = settings
        self._clock = clock
        self._versions = versions
        self._run = run
        self._socket_path = socket_path
        self._hooks = hooks or Hooks()
        #: By agent, as the roster told when it was last asked.
        self._groups: Mapping[str, tuple[str, ...]] = {}
        self.measures = Measures()
        self._engine = Engine(gate)
        self._commits = Commits(ledger, self._committed, self.measures.commit)
        self._lease = Lease(ledger, settings.stream, socket_path.with_suffix(".lock") if socket_path else None)
        self._lookups = Lookups()
        self._screens: Screens | None = None
        self._inbox: deque[AnyEvent] = deque()
        self._handling = False
        #: Done when the floor is over, with the error if one ended it; None before it runs.
        self._over: asyncio.Future[None] | None = None
        #: Monotonic instant by which the floor is to be gone, once it is to end.
        self._end_by_s: float | None = None

    # ---- what others may ask

    def board(self) -> Board:
        """Return the live board, with the loop's own alarms."""
        board, lag_us = self._engine.board(), self._commits.lag_us()
        stalled = {**self._lookups.troubles, **({"commit": self._commits.trouble} if self._commits.trouble else {})}
        own = tuple((f"ledger_{job}", why, board.at_us) for job, why in stalled.items())
        if (idle := nobody_ready(board)) is not None:
            own = (*own, idle)
        return replace(board, alarms=(*board.alarms, *own), commit_lag_us=lag_us)

    def status(self) -> dict[str, Any]:
        """Return what the control socket says of the run."""
        return {
            "board": self.board(),
            "measures": self.measures.spreads(),
            "durable_seq": self._commits.seq,
            "pending_rows": self._commits.pending,
            "ending": self._end_by_s is not None,
        }

    def open_calls(self, node: str) -> list[str]:
        """Return the calls that the engine holds on a switch node."""
        return [call.call_id for call in self._engine.state.calls.values() if call.node == node]

    def end(self, within_s: float = END_WITHIN_S) -> None:
        """Dial nothing new, wait for the calls up to a limit, then let `run` return."""
        by_s = time.monotonic() + within_s
        if self._end_by_s is not None:
            self._end_by_s = min(by_s, self._end_by_s)
            return
        self._end_by_s = by_s
        log.info("ending", within_s=within_s, calls=len(self._engine.state.calls))
        for campaign in list(self._engine.state.campaigns.values()):
            if campaign.state is CampaignState.running:
                self.accept(CampaignOrdered(at_us=self._now_us(), campaign=campaign.name, verb="drain"))

    # ---- events in, orders out

    def accept(self, event: AnyEvent) -> None:
        """Take an input, on the loop's thread; what an order brings about at once waits its turn."""
        self._inbox.append(event)
        if self._handling or not self._alive:
            return
        self._handling = True
        try:
            while self._inbox and self._alive:
                self._handle(self._inbox.popleft())
        except (
            Exception
        ) as error:  # whatever it is, the state is no longer the record's: stop and let it be folded anew
            self._fail(error)
        finally:
            self._handling = False

    def _hear(self, event: AnyEvent) -> None:
        """Take what the switch tells."""
        for sign_in in begun(event, self._engine.state, self._groups):
            self.accept(sign_in)
        self.accept(event)

    @property
    def _alive(self) -> bool:
        return self._over is not None and not self._over.done()

    def _fail(self, error: Exception) -> None:
        if self._over is not None and not self._over.done():
            self._over.set_exception(error)

    def _now_us(self) -> int:
        return self._clock.now_us()

    def _handle(self, event: AnyEvent) -> None:
        if event.at_us < self._engine.state.at_us:
            # Stamped before something that was handled first, e.g. read from the wire while a tick was under way.
            event = replace(event, at_us=self._engine.state.at_us)
        rows = self._engine.handle(event)
        self._commits.add(rows)
        for row in rows:
            record = row.record
            if isinstance(record, AgentShifted | ShowLead):
                if self._screens is not None:
                    self._screens.tell(record)
            elif isinstance(record, Order) and not isinstance(record, Reserve | Originate):
                self._send(record, event)

    def _send(self, order: AnyOrder, event: AnyEvent) -> None:
        try:
            self._switch.send(order)
        except SwitchLost as error:
            # The dialplan goes on by itself, and the resync will tell how.
            log.warning("order_lost", order=type(order).__name__, why=str(error))
        if isinstance(order, Connect) and getattr(event, "call_id", None) == order.call_id:
            self.measures.answer_to_connect.add(self._clock.real_s(self._now_us() - event.at_us))

    def _committed(self, batch: Committed) -> None:
        """Let the Originates of a durable batch go, then tell the engine what became of its Reserves."""
        for row in batch.rows:
            if isinstance(row.record, Originate):
                why = self._originate(row.record, row, batch.numbers)
                if why:
                    self.accept(NotSent(at_us=self._now_us(), call_id=row.record.call_id, why=why))
        for answer in batch.answers:
            self.accept(replace(answer, at_us=self._now_us()))

    def _originate(self, order: Originate, row: Row, numbers: dict[int, str]) -> str:
        """Send an Originate unless its time is over; return why not, else nothing."""
        if not self._alive or self._end_by_s is not None:
            return "ending"
        now_us = self._now_us()
        if now_us >= order.valid_until_us:
            return "verdict_ended"
        if row.seq < self._engine.state.rules_seq:
            return "rules_changed"
        if self._clock.real_s(now_us - row.at_us) > self._settings.commit_patience_s:
            return "commit_late"  # decided for a floor that has changed since
        if not self._engine.state.nodes.get(order.node):
            return "link_down"
        number = numbers.get(order.phone)
        if number is None:
            return "no_number"
        try:
            self._switch.send(order, number)
        except SwitchLost:
            return "link_down"
        return ""

    # ---- the run

    async def run(self) -> None:
        """Run the floor until it is told to end.

        Raises
        ------
        BadInput
            When another process runs this floor, or the record and the clock do not fit.
        Broken
            When the record cannot be folded or continued. Nothing is dialled any more; calls that are up go on.
        """
        self._over = asyncio.get_running_loop().create_future()
        lookups, engine = self._lookups, self._engine
        async with AsyncExitStack() as leaving:
            leaving.push_async_callback(lookups.close)
            leaving.callback(gc.unfreeze)
            await lookups.call(self._lease.take)
            leaving.push_async_callback(self._release)
            engine = self._engine = await lookups.call(recover, self._ledger, self._settings.stream, self._gate)
            self._check_record()
            leaving.enter_context(self._signals())
            self._commits.seq = engine.seq
            self._start(leaving, self._commits.run())
            self._start(leaving, self._lease.keep(lookups))
            await lookups.call(warm_pacing)
            reader = Reader(self._ledger, lookups, engine, self._commits, self.accept, self._clock)
            await reader.open()
            if self._socket_path is not None:
                await self._open_control(leaving, self._socket_path, reader)
            self.accept(
                FloorOpened(
                    at_us=self._now_us(),
                    settings=self._settings,
                    rules=self._gate.version,
                    versions=self._versions,
                    rehearsed=self._clock.rehearsed,
                )
            )
            if self._hooks.roster is not None:
                self._groups = await lookups.call(self._hooks.roster)
            leaving.push_async_callback(self._switch.stop)
            await self._switch.start(self._hear, self._now_us)
            snapshots = Snapshots(engine, self._commits, self._ledger.save_snapshot, lookups, self.measures.snapshot)
            news, learning = reader.hear(self._settings.tick_s), reader.learn(self._settings)
            for job in (self._tick(), self._load(reader), news, learning, snapshots.keep()):
                self._start(leaving, job)
            try:
                await self._over
            except Exception as error:
                log.error("floor_stopped", error=f"{type(error).__name__}: {error}", pending=self._commits.pending)
                await self._flush()
                raise
            if not await self._flush():
                raise Broken(
                    f"{self._commits.pending} rows could not be made durable before the end: {self._commits.trouble}; "
                    "start again when the ledger is well: the switch will tell what became of the calls"
                )
            await snapshots.take()

    def _start(self, leaving: AsyncExitStack, job: Coroutine[Any, Any, None]) -> None:
        """Start a job that ends with the floor; its failure ends the floor."""

        async def watched() -> None:
            try:
                await job
            except Exception as error:
                self._fail(error)

        leaving.push_async_callback(_cancel, asyncio.create_task(watched()))

    async def _release(self) -> None:
        try:
            await self._lookups.call(self._lease.release)
        except LedgerStalled as error:
            log.warning("lease_not_released", why=str(error))

    async def _flush(self, within_s: float = _FLUSH_WITHIN_S) -> bool:
        """Wait until the rows of this moment are durable; return whether they are."""
        try:
            return await asyncio.wait_for(self._commits.until(self._engine.seq), within_s)
        except TimeoutError:
            return False

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """End on SIGTERM and SIGINT; at once on the second."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGTERM, signal.SIGINT)
        for number in numbers:
            loop.add_signal_handler(number, lambda: self.end(END_WITHIN_S if self._end_by_s is None else 0.0))
        try:
            yield
        finally:
            for number in numbers:
                loop.remove_signal_handler(number)

    def _check_record(self) -> None:
        """Refuse a record that this clock cannot go on from."""
        state, stream, clock = self._engine.state, self._settings.stream, self._clock
        if state.opened and state.rehearsed != clock.rehearsed:
            raise BadInput(
                f"run: floor {stream!r} holds the record of a {'rehearsal' if state.rehearsed else 'real shift'} and "
                f"would now run {'on a rehearsed clock' if clock.rehearsed else 'for real'}; use another working folder"
            )
        if not clock.rehearsed and state.at_us > clock.now_us() + _AHEAD_US:
            raise BadInput(
                f"run: the last record of floor {stream!r} is of {iso(state.at_us)}, later than this machine's clock, "
                f"{iso(clock.now_us())}; set the clock right"
            )
        clock.not_before(state.at_us)

    async def _tick(self) -> None:
        step_us = round(self._settings.tick_s * SECOND)
        next_us = self._now_us() + step_us
        while True:
            await asyncio.sleep(max(0.0, self._clock.real_s(next_us - self._now_us())))
            now_us = self._now_us()
            self.measures.lateness.add(max(0.0, self._clock.real_s(now_us - next_us)))
            # Ticks missed are not made up.
            next_us += step_us * max(1, -((next_us - now_us) // step_us))
            started_s = time.perf_counter()
            self.accept(Tick(at_us=now_us, commit_lag_us=self._commits.lag_us()))
            self.measures.tick.add(time.perf_counter() - started_s)
            if self._end_by_s is not None and (not self._engine.state.calls or time.monotonic() >= self._end_by_s):
                if self._over is not None and not self._over.done():
                    self._over.set_result(None)
                return

    async def _load(self, reader: Reader) -> None:
        """Load each day's lists; after the first, start the campaigns that are to run."""
        to_run = list(self._run)
        while True:
            await reader.load_day(self._settings)
            while to_run:
                name = to_run.pop(0)
                if self._engine.state.campaigns[name].state is not CampaignState.running and self._end_by_s is None:
                    self.accept(CampaignOrdered(at_us=self._now_us(), campaign=name, verb="run"))
            midnight_us = self._engine.state.midnight_us
            while self._engine.state.midnight_us == midnight_us:
                await asyncio.sleep(max(0.05, self._clock.real_s(midnight_us - self._now_us())))

    # ---- the control socket

    async def _open_control(self, leaving: AsyncExitStack, path: Path, reader: Reader) -> None:
        desk = Desk(self._engine.state, self._gate)
        look_up, roster = self._hooks.screen, self._hooks.roster

        async def screen(person: int, campaign: str) -> dict[str, Any]:
            assert look_up is not None
            return await self._lookups.call(look_up, person, campaign)

        async def obey(command: DeskCommand) -> dict[str, Any]:
            if isinstance(command, SignIn) and roster is not None:
                known = await self._lookups.call(roster)
                if command.agent not in known:
                    language = command.language or self._settings.language
                    raise refusal(language, "not on the list", agent=command.agent, known=", ".join(sorted(known)[:20]))
                self._groups = known
                command = replace(command, groups=known[command.agent])
            for event in desk.events(command, self._now_us()):
                self.accept(event)
            if not self._alive:
                raise Broken("the engine has stopped; see its log, and start it again")
            durable = await self._flush(ANSWER_WITHIN_S)
            if isinstance(command, Limit):
                pace = self._engine.state.campaigns[command.campaign].pace
                return {"durable": durable, "abandon_limit": pace.share, "bound_by": pace.by.get(SHIFT)}
            stand = self._stand(getattr(command, "agent", ""))
            return {"durable": durable} if stand is None else {"durable": durable, "stand": stand}

        async def load(campaign: str) -> dict[str, Any]:
            await reader.load_new(self._settings, self._settings.campaign(campaign))
            return {"people": len(self._engine.state.campaigns[campaign].leads)}

        async def rules(version: str) -> dict[str, Any]:
            waiting = await self._take_rules(version, desk, reader)
            if not self._alive:
                raise Broken("the engine has stopped; see its log, and start it again")
            durable = await self._flush(ANSWER_WITHIN_S)
            return {"rules": self._engine.state.rules, "durable": durable, "to_review": waiting}

        behind = Behind(obey=obey, load=load, rules=rules, status=self.status, stand=self._stand, end=self.end)
        server = Server(path, behind)
        await server.open()
        leaving.push_async_callback(server.close)
        self._screens = Screens(server, self._engine.state, None if look_up is None else screen)

    async def _take_rules(self, version: str, desk: Desk, reader: Reader) -> int:
        """Put a version of the rules in force, and return how many leads that wait will be judged again."""
        if self._hooks.rules is None:
            raise BadInput("rules: this floor keeps the rules that it started with; start it again")
        if version == self._engine.state.rules:
            return 0
        gate = await self._lookups.call(self._hooks.rules, version)
        await reader.get_ready(gate)
        log.info("rules_changed", before=self._engine.state.rules, after=version)
        self._engine.gate = desk.gate = gate
        self.accept(RulesChanged(at_us=self._now_us(), rules=gate.version))
        waiting = sum(len(campaign.review) for campaign in self._engine.state.campaigns.values())
        await reader.count_past(self._settings)
        return waiting

    def _stand(self, agent: str) -> msgspec.Struct | None:
        return self._screens.stand(agent) if self._screens is not None else None


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
