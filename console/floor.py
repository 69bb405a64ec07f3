"""The composition root: a ledger, a gate, a switch and a clock become a floor that runs."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import msgspec

from console.accepted import accepted_gate, gate_to_run
from console.roster import agents
from console.screen import screen
from console.settings import NodeSettings, Settings
from console.versions import versions
from dialer.asterisk.client import AmiServer
from dialer.asterisk.lab import find
from dialer.asterisk.orders import AsteriskNode
from dialer.asterisk.switch import AsteriskSwitch
from dialer.clocks import Clock, RehearsedClock, WallClock
from dialer.engine import Gate
from dialer.live import Floor, Hooks, Switch
from domain.calls import Mode
from domain.errors import BadInput
from domain.events import AnyEvent, LeadsLoaded, PersonChanged, Reserved, Stale
from domain.instants import parse
from domain.records import Row
from ledger.database import Database
from ledger.migrate import migrate
from ledger.portfolio import complete_imports
from ledger.queries import Agent
from ledger.store import SqlLedger, open_ledger
from simulation.agents import Chair, Shown
from simulation.exchange import WorldSettings
from simulation.rehearsal import RehearsalClock, RehearsalSwitch

#: A Wednesday inside the contact hours of Spain, Colombia and the United States.
START_US = parse("2026-11-18T15:30:00+00:00")


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """A floor ready to run, with what belongs to it."""

    floor: Floor
    ledger: SqlLedger
    clock: Clock
    #: Of the floor's clock against the wall's.
    speed: float = 1.0
    #: Ends with an error when the switch is lost for good.
    watch: Callable[[], Awaitable[None]] | None = None

    async def run(self) -> None:
        """Run the floor until it is told to end, then close the ledger."""
        try:
            floor = asyncio.create_task(self.floor.run())
            if self.watch is None:
                await floor
                return
            watch = asyncio.ensure_future(self.watch())
            await asyncio.wait((floor, watch), return_when=asyncio.FIRST_COMPLETED)
            if watch.done() and not floor.done():
                self.floor.end(0.0)
                await floor
                watch.result()
            watch.cancel()
            await floor
        finally:
            self.ledger.close()


# ---- on the telephone


class _WatchedSwitch(AsteriskSwitch):
    """Tells when a node's link has ended for good after the start, which only an operator can mend."""

    def __init__(
        self, nodes: Sequence[AsteriskNode], stream: str, open_calls: Callable[[str], Collection[str]]
    ) -> None:
        super().__init__(nodes, stream, open_calls=open_calls)
        self._started = asyncio.Event()

    async def start(self, deliver: Callable[[AnyEvent], None], now_us: Callable[[], int]) -> None:
        await super().start(deliver, now_us)
        self._started.set()

    async def lost(self) -> None:
        """Wait until then, and raise why."""
        await self._started.wait()
        await self.failed()


def telephone(settings: Settings, campaigns: Sequence[str], start_us: int | None = None) -> Wiring:
    """Wire a floor on the Asterisk nodes of its settings.

    Parameters
    ----------
    start_us : int or None
        Where the clock starts, which only loopback trunks allow; None: the wall's clock.
    """
    if not settings.nodes:
        raise BadInput(
            "cadencia.toml: there is no [nodes.NAME], so nothing can be dialled; add one, or try the campaign with "
            "--rehearsal or --lab"
        )
    trunks = [settings.trunks.get(name) for campaign in settings.floor.campaigns for name in campaign.trunks]
    loopback = all(trunk is not None and trunk.loopback for trunk in trunks)
    clock = WallClock() if start_us is None else RehearsedClock(start_us)
    return _on_asterisk(settings, campaigns, clock, loopback=loopback)


def lab(settings: Settings, campaigns: Sequence[str], directory: Path, start_us: int) -> Wiring:
    """Wire a floor on the lab that runs in a folder, by a clock that starts at a given instant."""
    return _on_asterisk(on_lab(settings, directory), campaigns, RehearsedClock(start_us), loopback=True)


def on_lab(settings: Settings, directory: Path, user: str | None = None) -> Settings:
    """Return settings whose one node is the lab that runs in a folder, with its engine's AMI user or another."""
    state = find(directory)
    if state is None:
        raise BadInput(f"lab: none runs in {directory}; start it with `cadencia lab start`")
    strange = [trunk for campaign in settings.floor.campaigns for trunk in campaign.trunks if trunk not in state.trunks]
    if strange:
        raise BadInput(
            f"lab: the trunks {', '.join(strange)} of these campaigns were not in the settings when it started; "
            "`cadencia lab stop`, then start it again"
        )
    variable = "CADENCIA_LAB_SECRET"
    os.environ[variable] = state.ami_secret
    node = NodeSettings(host=state.address, port=state.ami_port, user=user or state.ami_user, secret_variable=variable)
    return msgspec.structs.replace(
        settings, nodes={"lab": node}, floor=msgspec.structs.replace(settings.floor, nodes=("lab",))
    )


def _on_asterisk(settings: Settings, campaigns: Sequence[str], clock: Clock, *, loopback: bool) -> Wiring:
    ledger = open_ledger(settings.ledger_url)
    taken: list[Floor] = []

    def open_calls(node: str) -> Collection[str]:
        return taken[0].open_calls(node)

    phones = {agent.agent: f"PJSIP/{agent.extension}" for agent in agents(ledger) if agent.extension}
    switch = _WatchedSwitch(
        [
            AsteriskNode(server=server(name, node), dial=node.dial, dial_agent=node.dial_agent, phones=phones)
            for name, node in settings.nodes.items()
        ],
        settings.floor.stream,
        open_calls,
    )
    floor = _floor(settings, campaigns, ledger, switch, clock, loopback=loopback)
    taken.append(floor)
    return Wiring(floor=floor, ledger=ledger, clock=clock, watch=switch.lost)


def server(name: str, node: NodeSettings) -> AmiServer:
    """Return a node as the AMI client knows it."""
    return AmiServer(
        node=name,
        host=node.host,
        port=node.port,
        user=node.user,
        secret_variable=node.secret_variable,
        tls=node.tls,
        ca_file=node.ca_file,
        tls_verify=node.tls_verify,
    )


# ---- without a telephone


class _Overheard(SqlLedger):
    """The ledger of a rehearsal: tells the robots what their screens show, and the world who there is."""

    switch: RehearsalSwitch | None = None

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        if self.switch is not None:
            for row in rows:
                # Before the commit: a debtor may be called, and an agent may see, as soon as the rows are durable.
                record = row.record
                if isinstance(record, Shown):
                    self.switch.see(record)
                elif isinstance(record, LeadsLoaded):
                    self.switch.meet(record.people)
                elif isinstance(record, PersonChanged):
                    self.switch.meet((record.dossier,))
        return super().append(rows)


def rehearsal(
    settings: Settings, campaigns: Sequence[str], *, start_us: int, speed: float, robots: Sequence[Agent], seed: int
) -> Wiring:
    """Wire a floor on a simulated telephone network with robot agents, on the folder's own ledger."""
    database = Database(settings.ledger_url)
    migrate(database)
    ledger = _Overheard(database)
    clock = RehearsalClock(start_us, speed)
    taken: list[Floor] = []

    def desk(event: AnyEvent) -> None:
        taken[0].accept(event)

    nodes = settings.floor.nodes
    previews = any(settings.floor.campaign(name).mode is Mode.preview for name in campaigns)
    switch = RehearsalSwitch(
        clock=clock,
        people=(),
        chairs=[
            Chair(
                agent=robot.agent,
                starts_us=start_us,
                campaigns=robot.campaigns,
                groups=robot.groups,
                node=nodes[number % len(nodes)],
                previews=previews,
            )
            for number, robot in enumerate(robots)
        ],
        desk=desk,
        seed=seed,
        world=WorldSettings(nodes=nodes),
    )
    ledger.switch = switch
    floor = _floor(settings, campaigns, ledger, switch, clock, loopback=True)
    taken.append(floor)
    return Wiring(floor=floor, ledger=ledger, clock=clock, speed=speed)


def _floor(
    settings: Settings, campaigns: Sequence[str], ledger: SqlLedger, switch: Switch, clock: Clock, *, loopback: bool
) -> Floor:
    complete_imports(ledger)
    known = agents(ledger)

    def roster() -> dict[str, tuple[str, ...]]:
        return {one.agent: one.groups for one in agents(ledger) if one.active}

    def rules(version: str) -> Gate:
        return accepted_gate(settings.rules, version)

    return Floor(
        ledger=ledger,
        switch=switch,
        gate=gate_to_run(settings.rules),
        settings=settings.floor,
        clock=clock,
        versions=versions(),
        run=tuple(campaigns),
        loopback=loopback,
        socket_path=settings.socket,
        hooks=Hooks(screen=partial(screen, ledger), roster=roster if known else None, rules=rules),
    )
