"""What agents and supervisors may do: a command, checked against the engine's state, becomes events.

Rule 1: a refusal says what was found and what to do (`BadInput`); a command that would change nothing becomes no event.
Rule 2: nothing personal passes here; people, calls and debts are ids.

Agents sign in from their phone (a feature code: `call_me` false) or by being called.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec

from dialer.engine.dialling import REPLY
from dialer.engine.state import Agent, Call, State
from dialer.engine.step import Gate
from domain.calls import AGENT_DISPOSITIONS, AgentState, Disposition, Mode, Phase
from domain.errors import BadInput
from domain.events import (
    AgentMoved,
    AnyEvent,
    CampaignOrdered,
    Disposed,
    Finishing,
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
from domain.instants import iso, parse, to_datetime
from domain.money import amount_text
from domain.people import Debt, consents_after, with_consents
from domain.settings import CampaignSettings

CAMPAIGN_VERBS = ("run", "pause", "drain", "stop")

#: Dispositions that name a sum and a day.
_PROMISES = (Disposition.promise, Disposition.plan)


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """A line of the control socket; the tag `do` is the verb."""

    #: The sender's own number for it, returned with the reply.
    id: int = 0


class SignIn(Command, frozen=True, kw_only=True, tag="sign_in"):
    agent: str
    #: Empty: all of the floor.
    campaigns: tuple[str, ...] = ()
    #: False: the agent dials the feature code.
    call_me: bool = True
    #: None: the floor's first.
    node: str | None = None
    #: When the shift ends, where it is known: ISO 8601 with offset.
    until: str | None = None


class SignOut(Command, frozen=True, kw_only=True, tag="sign_out"):
    agent: str


class Ready(Command, frozen=True, kw_only=True, tag="ready"):
    agent: str


class Pause(Command, frozen=True, kw_only=True, tag="pause"):
    agent: str
    reason: str


class Ask(Command, frozen=True, kw_only=True, tag="ask"):
    """Preview: the next lead, please."""

    agent: str


class Accept(Command, frozen=True, kw_only=True, tag="accept"):
    agent: str


class Skip(Command, frozen=True, kw_only=True, tag="skip"):
    agent: str
    reason: str = "skipped"


class HangUpCall(Command, frozen=True, kw_only=True, tag="hang_up"):
    agent: str


class SayFinishing(Command, frozen=True, kw_only=True, tag="finishing"):
    """The conversation at hand is about to end, or is not after all; it is forgotten with the conversation."""

    agent: str
    about_to: bool = True


class Dispose(Command, frozen=True, kw_only=True, tag="dispose"):
    agent: str
    #: None: the call at hand.
    call_id: str | None = None
    disposition: str
    #: None: the only debt of the call.
    debt: int | None = None
    #: The sum promised; of a plan, the sum of all instalments.
    amount_minor: int | None = None
    #: ISO date of the payment, of a plan's first instalment.
    due_on: str | None = None
    instalments: int | None = None
    #: ISO 8601 with offset.
    call_back_at: str | None = None
    #: The call-back is for this agent alone.
    own: bool = False


class Steer(Command, frozen=True, kw_only=True, tag="campaign"):
    verb: str
    #: None: every campaign of the floor.
    campaign: str | None = None


class Limit(Command, frozen=True, kw_only=True, tag="limit"):
    campaign: str
    abandon_limit: float


class SetMode(Command, frozen=True, kw_only=True, tag="mode"):
    campaign: str
    mode: str
    ratio: float | None = None


class Move(Command, frozen=True, kw_only=True, tag="move"):
    agents: tuple[str, ...]
    #: Empty: all of the floor.
    campaigns: tuple[str, ...] = ()


DeskCommand = (
    SignIn
    | SignOut
    | Ready
    | Pause
    | Ask
    | Accept
    | Skip
    | HangUpCall
    | SayFinishing
    | Dispose
    | Steer
    | Limit
    | SetMode
    | Move
)


class Desk:
    """Turns commands into events.

    Parameters
    ----------
    state : State
        The engine's; read only.
    gate : Gate
        Judges the instant of a call-back.
    """

    def __init__(self, state: State, gate: Gate) -> None:
        self._state = state
        self._gate = gate
        self._verbs: dict[type[Command], Callable[[Any, int], tuple[AnyEvent, ...]]] = {
            SignIn: self._sign_in,
            SignOut: self._sign_out,
            Ready: self._ready,
            Pause: self._pause,
            Ask: self._ask,
            Accept: self._accept,
            Skip: self._skip,
            HangUpCall: self._hang_up,
            SayFinishing: self._finishing,
            Dispose: self._dispose,
            Steer: self._steer,
            Limit: self._limit,
            SetMode: self._mode,
            Move: self._move,
        }

    def events(self, command: DeskCommand, at_us: int) -> tuple[AnyEvent, ...]:
        """Return what a command means now.

        Raises
        ------
        BadInput
            When it may not be done; the text is for the person who gave it.
        """
        return self._verbs[type(command)](command, at_us)

    # ---- agents

    def _sign_in(self, command: SignIn, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns(command.campaigns)
        nodes = self._state.settings.nodes
        node = command.node or nodes[0]
        if node not in nodes:
            raise BadInput(f"sign_in: no switch node {node!r}; use one of {_listed(nodes)}")
        until_us = None if command.until is None else self._later("sign_in: until", command.until, at_us)
        agent = self._state.agents.get(command.agent)
        if (
            agent is not None
            and agent.state is not AgentState.offline
            and (agent.campaigns, agent.until_us) == (command.campaigns, until_us)
        ):
            return ()
        return (
            SignedIn(
                at_us=at_us,
                agent=command.agent,
                campaigns=command.campaigns,
                call_me=command.call_me,
                node=node,
                until_us=until_us,
            ),
        )

    def _later(self, what: str, text: str, at_us: int) -> int:
        """Return the instant of a text, which must be to come."""
        try:
            instant_us = parse(text)
        except ValueError as error:
            raise BadInput(f"{what}: {error}; correct it") from None
        if instant_us <= at_us:
            raise BadInput(f"{what} {text} is past; it is {iso(at_us)} now")
        return instant_us

    def _sign_out(self, command: SignOut, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._state.agents.get(command.agent)
        if agent is None or agent.state is AgentState.offline:
            return ()
        return (SignedOut(at_us=at_us, agent=command.agent),)

    def _ready(self, command: Ready, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "ready")
        if agent.state is AgentState.ready:
            return ()
        if agent.state is AgentState.wrapup:
            raise BadInput(f"ready: call {agent.call_id} has no outcome yet; record it with dispose")
        return (MadeReady(at_us=at_us, agent=command.agent),)

    def _pause(self, command: Pause, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "pause")
        reasons = self._state.settings.pause_reasons
        if command.reason not in reasons:
            raise BadInput(f"pause: no reason {command.reason!r}; use one of {_listed(reasons)}")
        if agent.state is AgentState.paused and agent.reason == command.reason:
            return ()
        return (PauseAsked(at_us=at_us, agent=command.agent, reason=command.reason),)

    def _ask(self, command: Ask, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "ask")
        if agent.state is not AgentState.ready:
            raise BadInput(f"ask: agent {agent.agent} is {agent.state}; become ready first")
        return (LeadAsked(at_us=at_us, agent=command.agent),)

    def _accept(self, command: Accept, at_us: int) -> tuple[AnyEvent, ...]:
        self._previewing(command.agent, "accept")
        return (LeadAccepted(at_us=at_us, agent=command.agent),)

    def _skip(self, command: Skip, at_us: int) -> tuple[AnyEvent, ...]:
        self._previewing(command.agent, "skip")
        if not command.reason.isidentifier():
            raise BadInput(f"skip: reason {command.reason!r} is no code; use one word of letters and underscores")
        return (LeadSkipped(at_us=at_us, agent=command.agent, reason=command.reason),)

    def _hang_up(self, command: HangUpCall, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "hang_up")
        if agent.state is not AgentState.talking:
            return ()
        return (HangUpAsked(at_us=at_us, agent=command.agent),)

    def _finishing(self, command: SayFinishing, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "finishing")
        if agent.state is not AgentState.talking:
            raise BadInput(f"finishing: agent {agent.agent} is {agent.state}; it is said while talking")
        if bool(agent.finishing_us) == command.about_to:
            return ()
        return (Finishing(at_us=at_us, agent=command.agent, about_to=command.about_to),)

    def _dispose(self, command: Dispose, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "dispose")
        call = self._call(agent, "dispose")
        if command.call_id not in (None, call.call_id):
            raise BadInput(
                f"dispose: agent {agent.agent} has call {call.call_id}, not {command.call_id}; "
                "an outcome is recorded while the call or its wrap-up lasts"
            )
        if call.phase not in (Phase.talking, Phase.wrapping):
            raise BadInput(f"dispose: call {call.call_id} is {call.phase}; wait until the debtor is on the line")
        if command.disposition not in AGENT_DISPOSITIONS:
            raise BadInput(f"dispose: no disposition {command.disposition!r}; use one of {_listed(AGENT_DISPOSITIONS)}")
        disposition = Disposition(command.disposition)
        debt = self._debt(command, call, needed=disposition in _PROMISES)
        campaign = self._state.campaign_settings(call.campaign)
        if disposition in _PROMISES:
            assert debt is not None
            self._check_promise(command, disposition, debt, campaign, at_us)
        elif command.amount_minor is not None or command.due_on is not None or command.instalments is not None:
            raise BadInput(
                f"dispose: {disposition} takes no amount, date or instalments; leave them out, or record a promise"
            )
        return (
            Disposed(
                at_us=at_us,
                agent=agent.agent,
                call_id=call.call_id,
                disposition=disposition,
                debt=None if debt is None else debt.debt,
                amount_minor=command.amount_minor,
                currency=debt.currency if debt is not None and disposition in _PROMISES else None,
                due_on=command.due_on,
                instalments=command.instalments,
                call_back_us=self._call_back(command, disposition, call, campaign, at_us),
                own=command.own,
            ),
        )

    def _debt(self, command: Dispose, call: Call, *, needed: bool) -> Debt | None:
        """Return the debt an outcome speaks of; None when it speaks of all of the call."""
        dossier = self._state.people[call.person]
        debts = {debt.debt: debt for debt in dossier.debts if debt.debt in call.debts}
        if command.debt is None:
            if not needed:
                return None
            if len(debts) == 1:
                return next(iter(debts.values()))
            raise BadInput(f"dispose: the call is about debts {_listed(call.debts)}; say which one with debt")
        if command.debt not in debts:
            raise BadInput(f"dispose: call {call.call_id} is not about debt {command.debt}; use {_listed(call.debts)}")
        return debts[command.debt]

    def _check_promise(
        self, command: Dispose, disposition: Disposition, debt: Debt, campaign: CampaignSettings, at_us: int
    ) -> None:
        what = f"dispose: {disposition} on debt {debt.debt}"
        if command.amount_minor is None or command.due_on is None:
            raise BadInput(f"{what} needs amount_minor and due_on; ask the debtor for both")
        if debt.state != "open":
            raise BadInput(f"{what}: the debt is {debt.state}; record already_paid or no_promise")
        # Up to the next minor unit: 10 % of 0.15 is 0.02, never 0.01.
        least = max(1, -(-debt.balance_minor * round(campaign.min_promise_share * 1_000_000) // 1_000_000))
        if not least <= command.amount_minor <= debt.balance_minor:
            lowest, highest, was = (
                amount_text(minor, debt.currency) for minor in (least, debt.balance_minor, command.amount_minor)
            )
            raise BadInput(
                f"{what}: amount must be from {lowest} to the balance of {highest}, was {was}; agree on another"
            )
        try:
            due = date.fromisoformat(command.due_on)
        except ValueError:
            raise BadInput(f"{what}: due_on must be a date as 2026-11-30, was {command.due_on!r}; correct it") from None
        today = to_datetime(at_us, self._state.settings.zone).date()
        last = today + timedelta(days=campaign.max_promise_days)
        if not today <= due <= last:
            raise BadInput(f"{what}: due_on must lie from {today} to {last}, was {due}; agree on another day")
        if disposition is Disposition.plan:
            if command.instalments is None or not 2 <= command.instalments <= min(120, command.amount_minor):
                raise BadInput(f"{what} needs 2 to 120 instalments, was {command.instalments}; correct it")
        elif command.instalments is not None:
            raise BadInput(f"{what} takes no instalments; leave them out, or record a plan")

    def _call_back(
        self, command: Dispose, disposition: Disposition, call: Call, campaign: CampaignSettings, at_us: int
    ) -> int | None:
        if disposition is not Disposition.call_back:
            if command.call_back_at is not None or command.own:
                raise BadInput(f"dispose: {disposition} takes no call-back; leave call_back_at and own out")
            return None
        if command.call_back_at is None:
            raise BadInput("dispose: call_back needs call_back_at, e.g. 2026-11-18T16:30:00+01:00; ask the debtor when")
        instant_us = self._later("dispose: call_back_at", command.call_back_at, at_us)
        # Judged as the call-back will be: with the consent that asking for it gives.
        given = consents_after(Disposition.call_back, at_us)
        dossier = with_consents(self._state.people[call.person], given)
        verdict = self._gate.judge(
            dossier,
            at_us=instant_us,
            phone=next((phone for phone in dossier.phones if phone.phone == call.phone), None),
            debts=call.debts,
            actor=campaign.actor,
            purpose=REPLY,
            live_agent_guaranteed=True,
        )
        if not verdict.allowed:
            instead = (
                f"the next allowed instant is {iso(verdict.next_allowed_at_us, (*verdict.zones, 'UTC')[0])}"
                if verdict.next_allowed_at_us is not None
                else "no later instant is allowed either"
            )
            raise BadInput(
                f"dispose: rule {verdict.rule} allows no call at {command.call_back_at} "
                f"({verdict.local_time} for the debtor); {instead}"
            )
        return instant_us

    # ---- supervisors

    def _steer(self, command: Steer, at_us: int) -> tuple[AnyEvent, ...]:
        if command.verb not in CAMPAIGN_VERBS:
            raise BadInput(f"campaign: no verb {command.verb!r}; use one of {_listed(CAMPAIGN_VERBS)}")
        if command.campaign is not None:
            self._check_campaigns((command.campaign,))
        names = [campaign.name for campaign in self._state.settings.campaigns]
        return tuple(
            CampaignOrdered(at_us=at_us, campaign=name, verb=command.verb)
            for name in names
            if command.campaign in (None, name)
        )

    def _limit(self, command: Limit, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns((command.campaign,))
        if not 0.0 <= command.abandon_limit <= 0.999:
            raise BadInput(
                f"limit: abandon_limit is a share in [0, 0.999], was {command.abandon_limit:g}; write 0.03 for 3 %"
            )
        return (LimitSet(at_us=at_us, campaign=command.campaign, abandon_limit=command.abandon_limit),)

    def _mode(self, command: SetMode, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns((command.campaign,))
        if command.mode not in tuple(Mode):
            raise BadInput(f"mode: no mode {command.mode!r}; use one of {_listed(tuple(Mode))}")
        if command.ratio is not None and not 1.0 <= command.ratio <= 10.0:
            raise BadInput(f"mode: ratio must be in [1, 10], was {command.ratio:g}; correct it")
        return (ModeSet(at_us=at_us, campaign=command.campaign, mode=Mode(command.mode), ratio=command.ratio),)

    def _move(self, command: Move, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns(command.campaigns)
        for agent in command.agents:
            self._agent(agent, "move")
        return tuple(AgentMoved(at_us=at_us, agent=agent, campaigns=command.campaigns) for agent in command.agents)

    # ---- what stands

    def _agent(self, name: str, what: str) -> Agent:
        agent = self._state.agents.get(name)
        if agent is None or agent.state is AgentState.offline:
            raise BadInput(f"{what}: agent {name} is not signed in; sign in first")
        return agent

    def _previewing(self, name: str, what: str) -> None:
        agent = self._agent(name, what)
        if agent.state is not AgentState.previewing:
            raise BadInput(f"{what}: agent {name} is {agent.state} and has no lead on the screen; ask for one first")

    def _call(self, agent: Agent, what: str) -> Call:
        call = self._state.calls.get(agent.call_id or "")
        if call is None:
            raise BadInput(
                f"{what}: agent {agent.agent} is {agent.state} and has no call; "
                "an outcome is recorded while the call or its wrap-up lasts"
            )
        return call

    def _check_campaigns(self, names: tuple[str, ...]) -> None:
        known = [campaign.name for campaign in self._state.settings.campaigns]
        for name in names:
            if name not in known:
                raise BadInput(f"no campaign {name!r} on this floor; use one of {_listed(known)}")


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)
