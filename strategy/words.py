"""What a strategy document says, in words: the same sentences for showing one and for telling two apart."""

from domain.offers import Offer
from domain.settings import Retry
from strategy.documents import Document, Limits, Step, Strategy, Treatment
from strategy.fields import FIELDS
from strategy.objectives import KEPT_PER_CONTACT, NET_RECOVERY, OBJECTIVES

_CHANNELS = {
    "call": "call",
    "sms": "send the SMS",
    "email": "send the e-mail",
    "messaging": "send the message",
    "letter": "send the letter",
    "none": "no contact",
}
_NUMBERS = {
    "as_imported": "",
    "mobile_first": "mobile numbers first",
    "last_reached_first": "the number of the last conversation first",
    "rotate": "each day begins with the next number",
}


def sentences(strategy: Strategy) -> dict[str, str]:
    """Return what a strategy says, by what it is said of, in the order in which it matters."""
    document = strategy.document
    told = _of(document)
    trial = document.trial
    drawn = "each day for everybody" if trial.unit == "pool_day" else "each debtor for good"
    if trial.holdout:
        told["holdout"] = f"{_percent(trial.holdout)} of all debtors are left alone by lot, for good"
    for arm in trial.arms:
        named = arm.strategy or document.name
        told[f"arm {arm.name}"] = f"{_percent(arm.share)} of the others, by lot ({drawn}), worked by {named}"
    if trial.lot:
        told["lot"] = f"arms drawn anew for {trial.lot}"
    for metric, most in trial.guardrails.items():
        told[f"guardrail {metric}"] = f"at most {most:g}"
    if trial.fairness is not None:
        groups = " or ".join(trial.fairness.by)
        told["fairness"] = (
            f"debtors of one {groups} called at most {trial.fairness.intensity_ratio:g} times as often as all"
        )
    if trial.ends_after_days is not None:
        told["end"] = f"after {trial.ends_after_days} days"
    for name, other in strategy.challengers.items():
        told |= {f"{name}: {key}": sentence for key, sentence in _of(other).items()}
    return told


def _of(document: Document) -> dict[str, str]:
    told = {
        "ranked by": ", else ".join(_ranked(text) for text in document.ranks) + ", greatest first",
        "lots": f"{_percent(document.explore)} of decisions are drawn between calling and not calling"
        if document.explore
        else "none: nothing is called, or left alone, to find out what calls bring",
        "limits": _limits(document.limits) or "as law and the campaign say",
    }
    if document.plan:
        what = OBJECTIVES[document.objective].unit
        told["plan"] = f"everybody at the hours of the week in which an agent's time brings most {what}".strip()
        told["within the day"] = (
            "who waits is planned anew where answers differ from forecasts" if document.replan else "the plan stands"
        )
        if document.capacity.agents:
            told["agents' days"] = ", ".join(document.capacity.days)
        if document.capacity.cost_per_attempt:
            told["cost of an attempt"] = f"{document.capacity.cost_per_attempt:g} minor units"
    if document.objective != NET_RECOVERY:
        told["objective"] = OBJECTIVES[document.objective].words
    for number, segment in enumerate(document.segments, 1):
        when = "everybody else" if segment.when.strip() == "true" else " ".join(segment.when.split())
        told[f"segment {segment.name}"] = f"{number}. {when}: {segment.treatment}"
    for name, treatment in document.treatments.items():
        told[f"treatment {name}"] = _treatment(document, treatment)
    for hour, agents in document.capacity.agents.items():
        told[f"agents at {hour}"] = f"{agents:g}"
    for channel, most in document.budgets.items():
        told[f"budget {channel}"] = f"{most:,} a day"
    return told


_KEPT = "promises kept that a conversation brings, as models tell it"


def _ranked(text: str) -> str:
    meaning = _KEPT if text == KEPT_PER_CONTACT else FIELDS[text].meaning if text in FIELDS else ""
    return f"{text} ({meaning})" if meaning else text


def _limits(limits: Limits) -> str:
    parts = [
        f"{most} {'call' if most == 1 else 'calls'} {span} at most"
        for most, span in (
            (limits.calls_per_day, "a day"),
            (limits.calls_per_week, "in any 7 days"),
            (limits.max_calls, "in all"),
        )
        if most is not None
    ]
    return ", ".join(parts)


def _treatment(document: Document, treatment: Treatment) -> str:
    parts = [_step(document, step) for step in treatment.steps]
    if treatment.stop_when:
        parts.append(f"nothing while {' '.join(treatment.stop_when.split())}")
    if treatment.limits is not None:
        parts.append(_limits(treatment.limits) or "no limits of its own")
    calls = any(step.channel == "call" for step in treatment.steps)
    if document.explore and treatment.explored != calls:
        parts.append("lots may call some of them" if treatment.explored else "no lots")
    return "; ".join(parts)


def _step(document: Document, step: Step) -> str:
    words = _CHANNELS[step.channel] + (f" {step.template!r}" if step.template else "")
    parts = [f"from day {step.after_days} on: {words}" if step.after_days else words]
    if step.day_parts:
        parts.append(" and ".join(f"{document.day_parts[name]} ({name})" for name in step.day_parts))
    if _NUMBERS[step.numbers]:
        parts.append(_NUMBERS[step.numbers])
    if step.priority != Step(channel="call").priority:
        parts.append(f"priority {step.priority}")
    if step.caller_ids:
        parts.append(f"showing {', '.join(step.caller_ids)}")
    if step.task:
        parts.append(step.task.replace("_", " "))
    if step.agent_group:
        parts.append(f"agents of {step.agent_group} first")
    if step.offer is not None:
        parts.append(_offer(step.offer))
    parts += [f"after {word.replace('_', ' ')} {_retry(retry)}" for word, retry in step.retry.items()]
    return ", ".join(parts)


def _offer(offer: Offer) -> str:
    waived = f"{_percent(offer.discount)} off" if offer.discount else ""
    lengths = f"plans of {', '.join(map(str, offer.plan_months))} months" if offer.plan_months else ""
    return f"offer {', '.join(filter(None, (waived, lengths))) or 'nothing'}"


def _retry(retry: Retry) -> str:
    if retry.after_min is None:
        return "not again"
    most = f", {retry.limit} times at most" if retry.limit != Retry().limit else ""
    return f"again in {retry.after_min:g} min" + (" on the next number" if retry.next_number else "") + most


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
