"""What the rules ask of a campaign's pacing: of all places where its people live, the strictest binds."""

from collections.abc import Iterable
from datetime import date

from dialer.engine.state import Campaign
from dialer.engine.step import Step
from domain import events
from domain.facts import PaceBound
from domain.pace import PaceRule
from domain.people import Dossier


def lists_loaded(step: Step, event: events.LeadsLoaded) -> None:
    campaign = step.state.campaigns[event.campaign]
    if campaign.ruled_on == step.state.day:
        _add(step, campaign, event.people)
    else:
        bind(step, campaign)


def person_changed(step: Step, event: events.PersonChanged) -> None:
    """Somebody may have moved."""
    for campaign in step.state.campaigns.values():
        if event.dossier.person in campaign.leads:
            _add(step, campaign, (event.dossier,))


def bind_all(step: Step) -> None:
    """Ask anew: rules, settings or the day are others."""
    for campaign in step.state.campaigns.values():
        bind(step, campaign)


def day_begun(step: Step) -> None:
    for campaign in step.state.campaigns.values():
        if campaign.ruled_on != step.state.day:
            bind(step, campaign)


def bind(step: Step, campaign: Campaign) -> None:
    """Ask for everybody on a campaign's list."""
    if campaign.leads:
        people = step.state.people
        _put(step, campaign, _rules(step, campaign, (people[person] for person in campaign.leads)))


def _add(step: Step, campaign: Campaign, people: Iterable[Dossier]) -> None:
    known = {rule.rule: rule for rule in campaign.rules}
    known |= {rule.rule: rule for rule in _rules(step, campaign, people)}
    _put(step, campaign, tuple(known[rule] for rule in sorted(known)))


def _rules(step: Step, campaign: Campaign, people: Iterable[Dossier]) -> tuple[PaceRule, ...]:
    settings = step.state.campaign_settings(campaign.name)
    on = date.fromisoformat(step.state.day)
    return step.gate.pace_rules(people, actor=settings.actor, purpose=settings.purpose, on=on)


def _put(step: Step, campaign: Campaign, rules: tuple[PaceRule, ...]) -> None:
    day = step.state.day
    if (rules, day) != (campaign.rules, campaign.ruled_on):
        step.emit(PaceBound(campaign=campaign.name, day=day, rules=rules), campaign.name)
