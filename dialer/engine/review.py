"""Leads that a rule has put off, judged again because other rules are in force.

Whoever may be called is judged when his turn comes, so stricter rules need no review: it finds those who may now be
called earlier, or for whom nothing changes but the rule's name.
"""

from dialer.engine import dialling, leads
from dialer.engine.state import CLOSED, Campaign, LeadState, put_off
from dialer.engine.step import Step
from domain.calls import Mode
from domain.facts import LeadsReviewed

#: Leads judged again at one tick over all campaigns, so that agents do not wait for them.
REVIEWED_PER_TICK = 200


def review(step: Step) -> None:
    """Judge the next of them, unless the record is too far behind."""
    left = REVIEWED_PER_TICK
    for campaign in step.state.campaigns.values():
        if not campaign.review or not left or dialling.lagging(step.state):
            continue
        due = campaign.review[:left]
        left -= len(due)
        step.emit(LeadsReviewed(campaign=campaign.name, leads=len(due)), campaign.name)
        for person in due:
            _judge_again(step, campaign, campaign.leads[person])


def _judge_again(step: Step, campaign: Campaign, lead: LeadState) -> None:
    dossier = step.state.people[lead.person]
    worked = leads.open_debts(dossier, lead.debts)
    if not put_off(lead) or not worked:
        return
    settings = step.state.campaign_settings(campaign.name)
    guaranteed = campaign.mode in (Mode.preview, Mode.progressive)
    found = dialling.judge(step, settings, lead, dossier, worked, guaranteed)
    if found is None:
        return
    phone, verdict = found
    if verdict.allowed:
        leads.postpone(step, campaign, lead, step.at_us, "rules_changed")
        return
    stands = None if lead.place == CLOSED else lead.at_us
    if (verdict.rule, verdict.next_allowed_at_us) != (lead.why, stands):
        dialling.deny(step, campaign, lead, phone, verdict)
