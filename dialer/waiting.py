"""Who waits on a campaign's list and has not been called today: those whose hour may still be planned anew."""

from collections.abc import Iterable
from datetime import date

from dialer.engine.evolve import waits
from dialer.engine.state import PARKED, LeadState, State
from domain.calls import AgentState
from domain.instants import midnight_us
from domain.people import Dossier, Lead
from domain.settings import CampaignSettings


def waiting(state: State, among: Iterable[LeadState]) -> tuple[list[Lead], list[Dossier]]:
    """Return those of some leads as the list has them, and their dossiers."""
    since_us = midnight_us(date.fromisoformat(state.day), state.settings.zone)
    leads, people = [], []
    for one in among:
        if one.choice is None or not waits(one):
            continue
        dossier = state.people[one.person]
        # What the debtor did himself is no call of ours.
        if any(line.at_us >= since_us and line.channel == "call" and not line.inbound for line in dossier.history):
            continue
        leads.append(
            Lead(
                person=one.person,
                rank=one.rank,
                debts=one.debts,
                owner=one.owner,
                numbers=one.numbers,
                choice=one.choice,
                reach=one.reach,
                from_us=one.at_us if one.place == PARKED else 0,
            )
        )
        people.append(dossier)
    return leads, people


def present(state: State, campaign: CampaignSettings) -> float:
    """Return how many agents are at work for a campaign, its share of those who serve others too."""
    here = sum(
        one.state is not AgentState.offline and state.serves(one, campaign.name) for one in state.agents.values()
    )
    return here * campaign.weight / sum(one.weight for one in state.settings.campaigns)
