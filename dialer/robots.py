"""Robot agents: they work a floor through its control socket as people would, for the lab and for tests.

Rule 1: a robot knows what its screen shows and nothing else.
Rule 2: what it says of a call is a function of (seed, call id), so the same calls get the same outcomes.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from dialer.control import Client
from domain.calls import AgentState, Disposition
from domain.errors import BadInput
from domain.instants import to_datetime
from domain.money import amount_text

#: Pause between two tries to find the engine.
_AGAIN_S = 0.2
_PAUSE_REASON = "break"
#: Why the engine itself pauses an agent; every other reason is somebody's word, and that robot waits for another.
_OF_THE_ENGINE = frozenset({"signed_in", "preview_expired", "busy", "gone", "no_answer"})


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How robots work; times in seconds of the floor."""

    #: Shortest and longest wrap-up.
    wrapup_s: tuple[float, float] = (2.0, 8.0)
    #: Share of conversations after which a robot takes a break, and its length.
    p_break: float = 0.02
    break_s: float = 30.0
    #: Share of conversations whose end a robot announces, so long after they began, where they still last then.
    p_announce: float = 0.0
    announce_after_s: float = 20.0
    #: Shares of the outcomes; the rest is `no_promise`.
    p_promise: float = 0.25
    p_plan: float = 0.05
    p_wrong_party: float = 0.08
    p_third_party: float = 0.07
    p_call_back: float = 0.05
    p_already_paid: float = 0.02
    p_dispute: float = 0.01
    p_do_not_call: float = 0.01


def chance(seed: int, purpose: str, entity: str) -> float:
    """Return the draw in [0, 1) that belongs to a purpose and an entity."""
    digest = blake2b(f"{seed}/{purpose}/{entity}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def outcome(habits: Habits, seed: int, call_id: str, lead: dict[str, Any], at_us: int) -> dict[str, Any]:
    """Return what a robot records of a call, as fields of `dispose`; `lead`: what its screen showed, if it did."""
    debts = lead.get("debts", ())
    u = chance(seed, "outcome", call_id)
    for disposition in (
        Disposition.promise,
        Disposition.plan,
        Disposition.wrong_party,
        Disposition.third_party,
        Disposition.call_back,
        Disposition.already_paid,
        Disposition.dispute,
        Disposition.do_not_call,
    ):
        share = getattr(habits, f"p_{disposition}")
        if u < share:
            break
        u -= share
    else:
        disposition = Disposition.no_promise
    if disposition in (Disposition.promise, Disposition.plan):
        if not debts:
            return {"disposition": Disposition.no_promise}
        debt = debts[0]
        offer = next((one for one in lead["offers"] if one["debt"] == debt["debt"]), None)
        sum_minor = debt["balance_minor"] if offer is None else offer["settles_minor"]
        lengths = [one["instalments"] for one in offer["plans"]] if offer is not None else []
        plan = {"instalments": max(lengths, default=3)} if disposition is Disposition.plan and sum_minor >= 3 else {}
        waived = {"settles": True} if sum_minor < debt["balance_minor"] else {}
        return {
            "disposition": Disposition.plan if plan else Disposition.promise,
            "debt": debt["debt"],
            "amount": amount_text(sum_minor, debt["currency"]).split()[0],
            "due_on": (to_datetime(at_us) + timedelta(days=7)).date().isoformat(),
            **plan,
            **waived,
        }
    if disposition is Disposition.call_back:
        at = to_datetime(at_us) + timedelta(hours=1)
        return {"disposition": disposition, "call_back_at": at.isoformat(), "own": u < habits.p_call_back / 2}
    return {"disposition": disposition}


class Robots:
    """A room of robot agents.

    Parameters
    ----------
    path : Path
        The floor's control socket; it need not be served yet, and may go and come back.
    real_s : callable
        Real seconds of a span of the floor's seconds, where its clock runs faster.
    """

    def __init__(
        self,
        path: Path,
        agents: Sequence[str],
        *,
        habits: Habits | None = None,
        seed: int = 1,
        campaigns: tuple[str, ...] = (),
        real_s: Callable[[float], float] = lambda s: s,
    ) -> None:
        self._path = path
        self._agents = tuple(agents)
        self._habits = habits or Habits()
        self._seed = seed
        self._campaigns = campaigns
        self._real_s = real_s
        #: Who takes a break of their own.
        self._on_break: set[str] = set()
        self._announcing: set[asyncio.Task[None]] = set()
        #: Outcomes recorded by the engine's leave, by disposition.
        self.recorded: Counter[str] = Counter()
        #: Outcomes and requests that the engine refused, by its words.
        self.refused: Counter[str] = Counter()

    async def work(self) -> None:
        """Work until cancelled, then sign out."""
        async with asyncio.TaskGroup() as room:
            for agent in self._agents:
                room.create_task(self._shift(agent))

    async def _shift(self, agent: str) -> None:
        while True:
            try:
                client = await Client.open(self._path)
            except BadInput:
                await asyncio.sleep(_AGAIN_S)
                continue
            try:
                await self._sit(client, agent)
            except ConnectionError:
                await asyncio.sleep(_AGAIN_S)
            except asyncio.CancelledError:
                with suppress(ConnectionError, TimeoutError):
                    await asyncio.wait_for(client.ask("sign_out", agent=agent), 1.0)
                raise
            finally:
                await client.close()

    async def _sit(self, client: Client, agent: str) -> None:
        """Work while the connection lasts."""
        stands = (await client.ask("attend", agents=[agent]))["agents"]
        shown: dict[str, dict[str, Any]] = {}
        state = stands[0] if stands else {"state": AgentState.offline, "reason": "", "call_id": None, "since_us": 0}
        await self._act(client, agent, state, shown)
        while (push := await client.pushes.get()) is not None:
            if push["push"] == "lead":
                shown = {push["call_id"] or "": push}
            elif push["push"] == "agent":
                await self._act(client, agent, push, shown)
        raise ConnectionResetError("the engine has gone")

    async def _act(self, client: Client, agent: str, stand: dict[str, Any], shown: dict[str, dict[str, Any]]) -> None:
        habits = self._habits
        match stand["state"]:
            case AgentState.offline:
                await self._ask(client, "sign_in", agent=agent, campaigns=self._campaigns)
                await self._ask(client, "ready", agent=agent)
            case AgentState.paused:
                if stand["reason"] == _PAUSE_REASON and agent in self._on_break:
                    await asyncio.sleep(self._real_s(habits.break_s))
                elif stand["reason"] not in _OF_THE_ENGINE:
                    return
                await self._ask(client, "ready", agent=agent)
                self._on_break.discard(agent)
            case AgentState.previewing:
                await self._ask(client, "accept", agent=agent)
            case AgentState.talking if chance(self._seed, "announce", stand["call_id"]) < habits.p_announce:
                task = asyncio.create_task(self._announce(client, agent))
                self._announcing.add(task)
                task.add_done_callback(self._announcing.discard)
            case AgentState.wrapup:
                await self._wrap_up(client, agent, stand, shown)

    async def _announce(self, client: Client, agent: str) -> None:
        await asyncio.sleep(self._real_s(self._habits.announce_after_s))
        with suppress(BadInput, ConnectionError):  # the conversation was over before, or the engine has gone
            await client.ask("finishing", agent=agent)

    async def _wrap_up(
        self, client: Client, agent: str, stand: dict[str, Any], shown: dict[str, dict[str, Any]]
    ) -> None:
        habits, call_id = self._habits, stand["call_id"]
        low_s, high_s = habits.wrapup_s
        await asyncio.sleep(self._real_s(low_s + chance(self._seed, "wrapup", call_id) * (high_s - low_s)))
        if chance(self._seed, "break", call_id) < habits.p_break:
            self._on_break.add(agent)
            await self._ask(client, "pause", agent=agent, reason=_PAUSE_REASON)
        said = outcome(habits, self._seed, call_id, shown.get(call_id, {}), stand["since_us"])
        if await self._ask(client, "dispose", agent=agent, call_id=call_id, **said):
            self.recorded[said["disposition"]] += 1
        elif said["disposition"] is not Disposition.no_promise and await self._ask(
            client, "dispose", agent=agent, call_id=call_id, disposition=Disposition.no_promise
        ):
            # E.g. no call may be made at the hour agreed.
            self.recorded[Disposition.no_promise] += 1

    async def _ask(self, client: Client, do: str, **fields: Any) -> bool:
        try:
            await client.ask(do, **fields)
        except BadInput as error:
            self.refused[str(error)] += 1
            return False
        return True
