"""The answers of `why` for people."""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.board_view import REASONS
from console.why import OnCampaign, OnPhone, Why, moved_words, segment_words
from console.why_agent import WhyAgent
from console.why_offer import offer_words
from console.why_pacing import WhyPacing
from domain.instants import to_datetime
from domain.money import amount_text
from domain.people import Choice
from ledger.queries import Attempt

_PLACES = {"ready": "green", "busy": "green", "parked": "yellow", "held": "yellow"}


def answer(found: Why, zone: str) -> RenderableType:
    """Return one account's answer."""
    when = f"{to_datetime(found.at_us, zone):%a %d %b %Y %H:%M:%S} {zone}"
    head = Text.assemble((found.account, "bold"), f" · {found.creditor} · person {found.person} · {when}")
    parts: list[RenderableType] = [head, _debts(found), *_stops(found, zone)]
    parts += _campaigns(found, zone)
    parts += _handed(found, zone)
    parts += _attempts(found, zone)
    return Group(*parts)


def _debts(found: Why) -> Text:
    shown = [
        f"debt {debt.debt}: {amount_text(debt.balance_minor, debt.currency)} {debt.product or ''} "
        f"due {debt.due_on or 'unknown'}, {debt.state}"
        for debt in found.debts
    ]
    return Text("  " + "\n  ".join(shown))


def _stops(found: Why, zone: str) -> Iterable[Text]:
    for stop in found.stops:
        of = (("debt", stop.debt), ("number", stop.phone), ("channel", stop.channel))
        scope = "".join(f" on {what} {which}" for what, which in of if which)
        until = f" until {to_datetime(stop.until_us, zone):%d %b %Y %H:%M}" if stop.until_us else ""
        yield Text(f"  stop: {stop.kind.replace('_', ' ')}{scope}{until}", style="red")


def _campaigns(found: Why, zone: str) -> Iterable[RenderableType]:
    """Yield each campaign; what the gate says for one that does not list the account, only where none has said it."""
    listed = [one for one in found.campaigns if one.place != "not_listed"]
    told = [one.phones for one in listed]
    for one in found.campaigns:
        if one in listed:
            yield _campaign(one, zone)
            continue
        yield Text(f"  {one.campaign}: {one.said}", style="dim")
        if not listed and one.phones not in told:
            told.append(one.phones)
            yield Padding(Group(*[_phone(phone, zone) for phone in one.phones]), (0, 0, 0, 2))


def _campaign(one: OnCampaign, zone: str) -> RenderableType:
    colour = _PLACES.get(one.place, "bright_black")
    said = Text(one.said, style=f"bold {colour}")
    if one.place == "ready" and one.before:
        said.append(f" (rank {one.rank}; first is person {one.first})", style="dim")
    parts: list[RenderableType] = [said]
    if one.choice is not None:
        parts.append(Text(choice_words(one.choice), style="dim"))
    if one.moved is not None:
        parts.append(Text(moved_words(one.moved, zone), style="dim"))
    if one.decision is not None and one.decision.action == "none":
        parts.append(Text(f"left alone by the last list: {segment_words(one.decision)}", style="dim"))
    if one.pacing and one.place == "ready":
        parts.append(Text(f"pacing then: {REASONS.get(one.pacing, one.pacing)}", style="dim"))
    parts += [_phone(phone, zone) for phone in one.phones]
    title = f"{escape(one.campaign)} · {one.mode} · {one.state} · {one.attempts} attempts"
    return Panel(Group(*parts), title=title, title_align="left", border_style=colour)


def choice_words(choice: Choice) -> str:
    """Return why a strategy has somebody on its list."""
    by = f" by {choice.by}" if choice.by else ""
    value = f" = {choice.value:g}" if choice.value is not None else ""
    scores = f", scores {choice.score_version}" if choice.score_version else ""
    return (
        f"segment {choice.segment}, arm {choice.arm} ({choice.p_arm:g}), place {choice.place:,} of {choice.of:,}"
        f"{by}{value}{scores}; on the list with chance {choice.p_call:g} ({choice.strategy}, {choice.treatment})"
    )


def _phone(phone: OnPhone, zone: str) -> RenderableType:
    verdict = phone.verdict
    which = f"number {phone.phone}" if phone.phone is not None else "no number on record"
    head = Text.assemble((which, "bold"), f" {phone.line_type}".rstrip(), f", {verdict.local_time} for the debtor: ")
    if verdict.allowed:
        until = f" until {to_datetime(verdict.valid_until_us, zone):%a %d %b %H:%M}" if verdict.valid_until_us else ""
        head.append(f"allowed{until}", style="green")
        if verdict.agent_always:
            head.append(", only with an agent reserved", style="yellow")
    else:
        head.append(f"denied by {verdict.rule}", style="red")
        if verdict.next_allowed_at_us:
            head.append(f", next allowed {to_datetime(verdict.next_allowed_at_us, zone):%a %d %b %H:%M}")
    table = Table.grid(padding=(0, 1))
    quiet = [rule for rule in phone.rules if rule.passed and rule.detail.startswith("nothing on record")]
    if quiet:
        names = ", ".join(rule.rule for rule in quiet)
        table.add_row("   ", "[green]✓[/]", f"{len(quiet)} stops", f"[dim]none on record ({escape(names)})[/]")
    for rule in (one for one in phone.rules if one not in quiet):
        mark = "[green]✓[/]" if rule.passed else "[red]✗[/]"
        source = f"\n[bright_black]{escape(rule.citation)} (confidence {rule.confidence})[/]" if rule.citation else ""
        table.add_row("   ", mark, escape(rule.rule), f"[dim]{escape(rule.detail)}[/]{source}")
    return Group(head, table)


def _handed(found: Why, zone: str) -> Iterable[Text]:
    for one in found.handed:
        to = f" to number {one.phones[0]}" if one.template and one.phones else ""
        said = f", {one.verdict.local_time} for the debtor" if one.verdict is not None else ""
        yield Text(
            f"  handed out {to_datetime(one.at_us, zone):%a %d %b %H:%M} by {one.handed_by}: "
            f"{one.what} {one.template}".rstrip()
            + f"{to}{said}; segment {one.segment}, {one.treatment} "
            f"({one.strategy}, {one.campaign}, {one.reference})"
        )


def _attempts(found: Why, zone: str) -> Iterable[RenderableType]:
    if not found.attempts and not found.denials:
        return
    table = Table(box=None, pad_edge=False, title="Attempts and denials, newest last", title_justify="left")
    for title in ("when", "campaign", "number", "what"):
        table.add_column(title)
    offers = {one.call_id: f"\n[dim]{escape(offer_words(one))}[/]" for one in found.offers}
    lines = [
        (
            one.reserved_us,
            one.campaign,
            one.phone,
            f"{_attempt(one)}  [dim]{one.call_id}, rules {one.rules}[/]{offers.get(one.call_id, '')}",
        )
        for one in found.attempts
    ]
    lines += [
        (
            one.at_us,
            one.campaign,
            one.phone or 0,
            f"[red]denied by {one.verdict.rule}[/]  [dim]{one.verdict.local_time}[/]",
        )
        for one in found.denials
    ]
    for at_us, campaign, phone, what in sorted(lines):
        table.add_row(f"{to_datetime(at_us, zone):%a %d %b %H:%M:%S}", campaign, str(phone), what)
    yield table
    for one in found.later:
        yield Text.from_markup(f"[dim]Later than the instant asked about: {one.call_id} became {_attempt(one)}.[/]")


def _attempt(one: Attempt) -> str:
    return (
        f"{one.disposition or one.phase}"
        + (f", agent {one.agent}" if one.agent else "")
        + (f", talked {one.talk_us / 1e6:.0f} s" if one.talk_us else "")
    )


def given(found: WhyAgent) -> RenderableType:
    """Return why a call was given to its agent."""
    head = Text.assemble((found.call_id, "bold"), f" · {found.campaign} · person {found.person}")
    return Group(head, Text("  " + "\n  ".join(found.said)))


def pacing(found: WhyPacing, zone: str) -> RenderableType:
    """Return the decisions in force, each in words, and those around the instant, oldest first."""
    if not found.in_force and not found.around:
        return Text("No pacing decision is on record until that instant.")
    parts: list[RenderableType] = [Text(f"{to_datetime(found.at_us, zone):%a %d %b %Y %H:%M:%S} {zone}", style="bold")]
    parts += [
        Panel(Text("\n".join(one.said)), title=escape(one.decision.campaign), title_align="left")
        for one in found.in_force
    ]
    table = Table(
        box=None,
        pad_edge=False,
        caption="free: agents now → expected soon; risk: that one more call meets nobody / tolerated; p: answered by a "
        "person; rings: calls ringing + answered without an agent",
        caption_justify="left",
    )
    for title in ("when", "campaign", "calls", "why", "free", "answers", "budget", "risk", "p", "rings"):
        words = title in ("when", "campaign", "why")
        table.add_column(title, justify="left" if words else "right", no_wrap=title != "why", min_width=len(title))
    for one in found.around:
        fact = one.decision
        table.add_row(
            f"{to_datetime(one.at_us, zone):%H:%M:%S.%f}"[:-5],
            fact.campaign,
            f"+{fact.dials}",
            fact.reason.replace("_", " "),
            f"{fact.free}→{fact.expected_free:.1f}",
            f"{fact.expected_answers:.1f}",
            f"{fact.budget_left:.1f}",
            f"{100 * fact.risk:.1f}/{100 * fact.tolerated:.1f}%",
            f"{fact.p_answer:.0%}",
            f"{fact.ringing}+{fact.waiting}" if fact.waiting else f"{fact.ringing}",
        )
    return Group(*parts, table) if found.around else Group(*parts)
