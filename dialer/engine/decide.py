"""Which facts and orders follow an input. The input itself has been evolved already."""

from collections.abc import Callable
from typing import Any

from dialer.engine import agents, bounds, calls, dialling, leads, review
from dialer.engine.step import Step
from domain import events


def _floor_opened(step: Step, event: events.FloorOpened) -> None:
    calls.recovered(step)
    bounds.bind_all(step)
    for node in event.settings.nodes:
        dialling.link_alarm(step, node)


def _tick(step: Step, event: events.Tick) -> None:
    bounds.day_begun(step)
    dialling.tick(step)
    review.review(step)


def _person_changed(step: Step, event: events.PersonChanged) -> None:
    bounds.person_changed(step, event)
    leads.person_changed(step, event)


def _resynced(step: Step, event: events.Resynced) -> None:
    calls.resynced(step, event)
    dialling.link_alarm(step, event.node)


#: What emits the records that follow an input, one at a time, each evolved before the next is decided; after others
#: nothing follows.
FOLLOWS: dict[type, Callable[[Step, Any], Any]] = {
    events.FloorOpened: _floor_opened,
    events.RulesChanged: lambda step, event: bounds.bind_all(step),
    events.LeadsLoaded: bounds.lists_loaded,
    events.PersonChanged: _person_changed,
    events.Tick: _tick,
    events.CampaignOrdered: lambda step, event: dialling.campaign_ordered(step, event.campaign, event.verb),
    events.Reserved: calls.reserved,
    events.Stale: calls.stale,
    events.NotSent: calls.not_sent,
    events.LinkDown: lambda step, event: dialling.link_alarm(step, event.node),
    events.Answered: calls.answered,
    events.Detected: calls.detected,
    events.Connected: calls.connected,
    events.Refused: calls.refused,
    events.Queued: calls.queued,
    events.Abandoned: calls.abandoned,
    events.Ended: calls.ended,
    events.PhoneUp: lambda step, event: agents.phone_up(step, event.agent),
    events.PhoneDown: lambda step, event: agents.phone_down(step, event.agent),
    events.Resynced: _resynced,
    events.SignedIn: lambda step, event: agents.signed_in(step, event.agent),
    events.SignedOut: lambda step, event: agents.signed_out(step, event.agent),
    events.MadeReady: lambda step, event: agents.made_ready(step, event.agent),
    events.PauseAsked: lambda step, event: agents.pause_asked(step, event.agent),
    events.LeadAsked: lambda step, event: dialling.lead_asked(step, event.agent),
    events.LeadAccepted: lambda step, event: dialling.lead_accepted(step, event.agent),
    events.LeadSkipped: lambda step, event: dialling.lead_skipped(step, event.agent, event.reason),
    events.HangUpAsked: lambda step, event: agents.hang_up_asked(step, event.agent),
    events.Disposed: calls.disposed,
}
