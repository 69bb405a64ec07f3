"""What agents and supervisors may do: a command, checked against the engine's state, becomes events.

Rule 1: a refusal says what was found and what to do (`BadInput`); a command that would change nothing becomes no event.
Rule 2: nothing personal passes here; people, calls and debts are ids.

Agents sign in from their phone (a feature code: `call_me` false) or by being called.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import msgspec

from dialer.desk_words import refusal
from dialer.engine.leads import REPLY
from dialer.engine.state import Agent, Call, State
from dialer.engine.step import Gate
from dialer.sums import check_length, check_settles, minor_of
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
from domain.offers import Offer
from domain.people import Debt, consents_after, with_consents
from domain.settings import CampaignSettings

CAMPAIGN_VERBS = ("run", "pause", "drain", "stop")

#: Dispositions that name a sum and a day.
_PROMISES = (Disposition.promise, Disposition.plan)


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="do"):
    """A line of the control socket; the tag `do` is the verb."""

    #: The sender's own number for it, returned with the reply.
    id: int = 0
    #: Of a refusal; None: the floor's.
    language: str | None = None


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
    #: Of agents; the floor puts those on record in their place.
    groups: tuple[str, ...] = ()


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
    #: In the debt's currency, as people write it: `150.50`.
    amount: str | None = None
    #: ISO date of the payment, of a plan's first instalment.
    due_on: str | None = None
    instalments: int | None = None
    #: The sum settles the debt: the rest of the balance is waived, as the call's offer allows.
    settles: bool = False
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
        #: Set anew when other rules come into force.
        self.gate = gate
        self._language = "en"
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
        self._language = command.language or self._state.settings.language
        return self._verbs[type(command)](command, at_us)

    def _no(self, key: str, **fields: Any) -> BadInput:
        """Return a refusal in the language of the command at hand."""
        return refusal(self._language, key, **fields)

    # ---- agents

    def _sign_in(self, command: SignIn, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns(command.campaigns)
        nodes = self._state.settings.nodes
        node = command.node or nodes[0]
        if node not in nodes:
            raise self._no("no node", node=node, known=_listed(nodes))
        until_us = None if command.until is None else self._later("sign_in: --until", command.until, at_us)
        agent = self._state.agents.get(command.agent)
        if (
            agent is not None
            and agent.state is not AgentState.offline
            and (agent.campaigns, agent.until_us, agent.groups) == (command.campaigns, until_us, command.groups)
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
                groups=command.groups,
            ),
        )

    def _later(self, what: str, text: str, at_us: int) -> int:
        """Return the instant of a text, which must be to come."""
        try:
            instant_us = parse(text)
        except ValueError:
            raise self._no("no instant", what=what, text=text) from None
        if instant_us <= at_us:
            raise self._no("past", what=what, text=text, now=iso(at_us))
        return instant_us

    def _sign_out(self, command: SignOut, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._state.agents.get(command.agent)
        if agent is None or agent.state is AgentState.offline:
            return ()
        return (SignedOut(at_us=at_us, agent=command.agent),)

    def _ready(self, command: Ready, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "ready")
        if agent.state is AgentState.ready and agent.then == "ready":
            return ()
        if agent.state is AgentState.wrapup:
            raise self._no("outcome first", call=agent.call_id)
        return (MadeReady(at_us=at_us, agent=command.agent),)

    def _pause(self, command: Pause, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "pause")
        reasons = self._state.settings.pause_reasons
        if command.reason not in reasons:
            raise self._no("no reason", reason=command.reason, known=_listed(reasons))
        if command.reason == (agent.reason if agent.state is AgentState.paused else agent.then):
            return ()
        return (PauseAsked(at_us=at_us, agent=command.agent, reason=command.reason),)

    def _ask(self, command: Ask, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "ask")
        if agent.state is not AgentState.ready:
            raise self._no("become ready", agent=agent.agent, state=agent.state)
        return (LeadAsked(at_us=at_us, agent=command.agent),)

    def _accept(self, command: Accept, at_us: int) -> tuple[AnyEvent, ...]:
        self._previewing(command.agent, "accept")
        return (LeadAccepted(at_us=at_us, agent=command.agent),)

    def _skip(self, command: Skip, at_us: int) -> tuple[AnyEvent, ...]:
        self._previewing(command.agent, "skip")
        if not command.reason.isidentifier():
            raise self._no("no code", reason=command.reason)
        return (LeadSkipped(at_us=at_us, agent=command.agent, reason=command.reason),)

    def _hang_up(self, command: HangUpCall, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "hang_up")
        if agent.state is not AgentState.talking:
            return ()
        return (HangUpAsked(at_us=at_us, agent=command.agent),)

    def _finishing(self, command: SayFinishing, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "finishing")
        if agent.state is not AgentState.talking:
            raise self._no("while talking", agent=agent.agent, state=agent.state)
        if bool(agent.finishing_us) == command.about_to:
            return ()
        return (Finishing(at_us=at_us, agent=command.agent, about_to=command.about_to),)

    def _dispose(self, command: Dispose, at_us: int) -> tuple[AnyEvent, ...]:
        agent = self._agent(command.agent, "dispose")
        call = self._call(agent, "dispose")
        if command.call_id not in (None, call.call_id):
            raise self._no("another call", agent=agent.agent, call=call.call_id, given=command.call_id)
        if call.phase not in (Phase.talking, Phase.wrapping):
            raise self._no("not on the line", call=call.call_id, phase=call.phase)
        if command.disposition not in AGENT_DISPOSITIONS:
            raise self._no("no disposition", given=command.disposition, known=_listed(AGENT_DISPOSITIONS))
        disposition = Disposition(command.disposition)
        debt = self._debt(command, call, needed=disposition in _PROMISES)
        campaign = self._state.campaign_settings(call.campaign)
        amount_minor = None
        if disposition in _PROMISES:
            assert debt is not None
            amount_minor = self._promised(command, disposition, debt, campaign, call.offer, at_us)
        elif command.settles or (command.amount, command.due_on, command.instalments) != (None, None, None):
            raise self._no("takes no promise", disposition=disposition)
        return (
            Disposed(
                at_us=at_us,
                agent=agent.agent,
                call_id=call.call_id,
                disposition=disposition,
                debt=None if debt is None else debt.debt,
                amount_minor=amount_minor,
                currency=debt.currency if debt is not None and disposition in _PROMISES else None,
                due_on=command.due_on,
                instalments=command.instalments,
                settles=command.settles and debt is not None and amount_minor != debt.balance_minor,
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
            raise self._no("which debt", known=_listed(call.debts))
        if command.debt not in debts:
            raise self._no("other debt", call=call.call_id, debt=command.debt, known=_listed(call.debts))
        return debts[command.debt]

    def _promised(
        self,
        command: Dispose,
        disposition: Disposition,
        debt: Debt,
        campaign: CampaignSettings,
        offer: Offer | None,
        at_us: int,
    ) -> int:
        """Return the sum promised, in minor units, once the promise is one that may be made."""
        what = f"dispose: {disposition} on debt {debt.debt}"
        if command.amount is None or command.due_on is None:
            raise self._no("promise needs", what=what)
        if debt.state != "open":
            raise self._no("debt closed", what=what, state=debt.state)
        amount_minor = minor_of(what, command.amount, debt, self._no)
        # Up to the next minor unit: 10 % of 0.15 is 0.02, never 0.01.
        least = max(1, -(-debt.balance_minor * round(campaign.min_promise_share * 1_000_000) // 1_000_000))
        if command.settles and amount_minor < debt.balance_minor:
            check_settles(what, amount_minor, debt, offer, self._no)
        elif not least <= amount_minor <= debt.balance_minor:
            lowest, highest, was = (
                amount_text(minor, debt.currency) for minor in (least, debt.balance_minor, amount_minor)
            )
            raise self._no("amount range", what=what, least=lowest, most=highest, given=was)
        try:
            due = date.fromisoformat(command.due_on)
        except ValueError:
            raise self._no("no day", what=what, given=command.due_on) from None
        today = to_datetime(at_us, self._state.settings.zone).date()
        last = today + timedelta(days=campaign.max_promise_days)
        if not today <= due <= last:
            raise self._no("day range", what=what, first=today, last=last, given=due)
        if disposition is Disposition.plan:
            if command.instalments is None or not 2 <= command.instalments <= min(120, amount_minor):
                raise self._no("plan needs", what=what, given=command.instalments)
            check_length(what, command.instalments, offer, self._no)
        elif command.instalments is not None:
            raise self._no("no instalments", what=what)
        return amount_minor

    def _call_back(
        self, command: Dispose, disposition: Disposition, call: Call, campaign: CampaignSettings, at_us: int
    ) -> int | None:
        if disposition is not Disposition.call_back:
            if command.call_back_at is not None or command.own:
                raise self._no("takes no call-back", disposition=disposition)
            return None
        if command.call_back_at is None:
            raise self._no("call-back needs")
        instant_us = self._later("dispose: --call-back-at", command.call_back_at, at_us)
        # Judged as the call-back will be: with the consent that asking for it gives.
        given = consents_after(Disposition.call_back, at_us)
        dossier = with_consents(self._state.people[call.person], given)
        verdict = self.gate.judge(
            dossier,
            at_us=instant_us,
            phone=next((phone for phone in dossier.phones if phone.phone == call.phone), None),
            debts=call.debts,
            actor=campaign.actor,
            purpose=REPLY,
            live_agent_guaranteed=True,
        )
        if not verdict.allowed:
            said = {"rule": verdict.rule, "given": command.call_back_at, "local": verdict.local_time}
            if verdict.next_allowed_at_us is None:
                raise self._no("never allowed", **said)
            raise self._no("not allowed", **said, next=iso(verdict.next_allowed_at_us, (*verdict.zones, "UTC")[0]))
        return instant_us

    # ---- supervisors

    def _steer(self, command: Steer, at_us: int) -> tuple[AnyEvent, ...]:
        if command.verb not in CAMPAIGN_VERBS:
            raise self._no("no verb", given=command.verb, known=_listed(CAMPAIGN_VERBS))
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
            raise self._no("limit range", given=command.abandon_limit)
        return (LimitSet(at_us=at_us, campaign=command.campaign, abandon_limit=command.abandon_limit),)

    def _mode(self, command: SetMode, at_us: int) -> tuple[AnyEvent, ...]:
        self._check_campaigns((command.campaign,))
        if command.mode not in tuple(Mode):
            raise self._no("no mode", given=command.mode, known=_listed(tuple(Mode)))
        if command.ratio is not None and not 1.0 <= command.ratio <= 10.0:
            raise self._no("ratio range", given=command.ratio)
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
            raise self._no("not signed in", what=what, agent=name)
        return agent

    def _previewing(self, name: str, what: str) -> None:
        agent = self._agent(name, what)
        if agent.state is not AgentState.previewing:
            raise self._no("no lead", what=what, agent=name, state=agent.state)

    def _call(self, agent: Agent, what: str) -> Call:
        call = self._state.calls.get(agent.call_id or "")
        if call is None:
            raise self._no("no call", what=what, agent=agent.agent, state=agent.state)
        return call

    def _check_campaigns(self, names: tuple[str, ...]) -> None:
        known = [campaign.name for campaign in self._state.settings.campaigns]
        for name in names:
            if name not in known:
                raise self._no("no campaign", given=name, known=_listed(known))


def _listed(values: Any) -> str:
    return ", ".join(str(value) for value in values)
