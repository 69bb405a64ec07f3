"""What agents are told: every change of their state, and whom they are about to speak to.

Rule: what is personal is looked up when it is shown, for whoever attends the agent then, and goes nowhere else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from dialer.control import Server
from dialer.engine.leads import treatment_of
from dialer.engine.state import State
from domain.facts import AgentShifted
from domain.offers import Terms, terms_of
from domain.orders import ShowLead
from domain.people import Debt

log = structlog.get_logger()


class AgentPush(msgspec.Struct, frozen=True, kw_only=True, tag_field="push", tag="agent"):
    agent: str
    state: str
    reason: str
    since_us: int
    call_id: str | None
    #: What follows once nothing holds the agent: `ready`, `leave`, or a pause reason.
    then: str = "ready"


class LeadPush(msgspec.Struct, frozen=True, kw_only=True, tag_field="push", tag="lead"):
    agent: str
    campaign: str
    person: int
    #: None: a preview, not dialled yet.
    call_id: str | None
    debts: tuple[Debt, ...]
    #: What may be offered on those still owed; empty where nothing is.
    offers: tuple[Terms, ...]
    #: What the ledger knows of the person: name, promises, last contact…; empty where no lookup is wired.
    screen: dict[str, Any]


class Screens:
    """Pushes to agents' screens.

    Parameters
    ----------
    look_up : callable
        Reads what a screen shows of a person for a campaign, off the loop.
    """

    def __init__(
        self, server: Server, state: State, look_up: Callable[[int, str], Awaitable[dict[str, Any]]] | None
    ) -> None:
        self._server = server
        self._state = state
        self._look_up = look_up
        #: The call last shown to an agent.
        self._shown: dict[str, str] = {}
        self._showing: set[asyncio.Task[None]] = set()

    def stand(self, name: str) -> AgentPush | None:
        """Return how an agent stands; None: never seen on this floor."""
        agent = self._state.agents.get(name)
        if agent is None:
            return None
        return AgentPush(
            agent=name,
            state=agent.state,
            reason=agent.reason,
            since_us=agent.since_us,
            call_id=agent.call_id,
            then=agent.then,
        )

    def tell(self, record: AgentShifted | ShowLead) -> None:
        """Push what a record means for an agent, if anybody listens."""
        if not self._server.attended(record.agent):
            return
        if isinstance(record, ShowLead):
            self._show(record.agent, record.campaign, record.person, record.call_id)
            return
        push = AgentPush(
            agent=record.agent,
            state=record.state,
            reason=record.reason,
            since_us=self._state.at_us,
            call_id=record.call_id,
            then=self._state.agents[record.agent].then,
        )
        self._server.push(record.agent, push)
        call = self._state.calls.get(record.call_id or "")
        if call is not None and call.answered_us and self._shown.get(record.agent) != call.call_id:
            # The caller has answered and is on his way: the screen comes before hello.
            self._shown[record.agent] = call.call_id
            self._show(record.agent, call.campaign, call.person, call.call_id)

    def _show(self, agent: str, campaign: str, person: int, call_id: str | None) -> None:
        lead = self._state.campaigns[campaign].leads[person]
        dossier = self._state.people[person]
        call = self._state.calls.get(call_id or "")
        # Of the step under which the call was decided: a list made since then may have another.
        settings = self._state.campaign_settings(campaign)
        offer = treatment_of(settings, lead).offer if call is None else call.offer
        debts = tuple(debt for debt in dossier.debts if debt.debt in lead.debts)
        push = LeadPush(
            agent=agent,
            campaign=campaign,
            person=person,
            call_id=call_id,
            debts=debts,
            offers=terms_of(offer, debts),
            screen={},
        )
        task = asyncio.create_task(self._look_up_and_push(push))
        self._showing.add(task)
        task.add_done_callback(self._showing.discard)

    async def _look_up_and_push(self, push: LeadPush) -> None:
        if self._look_up is not None:
            try:
                push = msgspec.structs.replace(push, screen=await self._look_up(push.person, push.campaign))
            except Exception as error:  # whatever it is, the agent learns who is coming
                log.error("screen_without_name", agent=push.agent, error=f"{type(error).__name__}: {error}")
        self._server.push(push.agent, push)
