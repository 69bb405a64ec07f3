"""A shift in the terminal."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.shift import Change, Shift
from console.shift_close import Due, OpenCall
from console.shift_words import METRICS, formula, label, mode_word, phase_word, remark_text, term_word
from domain.money import amount_text
from ledger.figures import Figure


def value_text(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:,.2f}" if METRICS[figure.name].plain else f"{figure.value:.2%}"


def interval_text(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    if METRICS[figure.name].plain:
        return f"{figure.low:,.2f} … {figure.high:,.2f}"
    return f"{figure.low:.2%} … {figure.high:.2%}"


def base_text(figure: Figure) -> str:
    """Return what was divided by what."""
    return f"{_number(figure.numerator)} / {_number(figure.denominator)}"


def change_text(change: Change, campaign: str, lang: str) -> str:
    """Return what came into force when, in one line."""
    before, after = (mode_word(one, lang) if change.what == "mode" else one for one in (change.before, change.after))
    by = {
        "en": "set by hand" if change.by_hand else "settings read again",
        "es": "puesto a mano" if change.by_hand else "configuración releída",
    }[lang]
    return f"{change.at_local}  {campaign}: {term_word(change.what, lang)} {before} → {after} ({by})"


def open_text(call: OpenCall, lang: str) -> str:
    """Return which attempt stood open and what was under way, in one line."""
    agent = f", {call.agent}" if call.agent else ""
    return f"{call.call_id} ({call.account}, {call.campaign}{agent}): {phase_word(call.phase, lang)}"


def remark_lines(shift: Shift, lang: str) -> list[str]:
    """Return the exceptions, each with the calls that it can name."""
    lines = []
    for remark in shift.exceptions:
        words = remark_text(remark.kind, remark.n, lang)
        lines.append(f"{words}: {', '.join(remark.calls)}" if remark.calls else words)
        if remark.kind.startswith("open_"):
            lines += [f"  {open_text(call, lang)}" for call in shift.open_calls]
    return lines


def money_text(amount_minor: int, currency: str) -> str:
    """Return an amount for people, thousands apart."""
    number, _, unit = amount_text(amount_minor, currency).partition(" ")
    whole, dot, part = number.partition(".")
    return f"{int(whole):,}{dot}{part} {unit}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:,.2f}"


def overview(shift: Shift) -> RenderableType:
    """Return the shift's first screen: what happened, under which limits, and the dictionary's figures."""
    by_name = {figure.name: figure for figure in shift.figures}
    money = ", ".join(money_text(amount, currency) for currency, amount in shift.promised_minor.items()) or "none"
    head = Text.assemble(
        ("Shift ", "bold"),
        f"{shift.from_local} to {shift.to_local[11:]}  {shift.zone}   floor {shift.stream}\n",
        (f"{shift.attempts:,}", "bold"),
        " attempts   ",
        (f"{shift.connected:,}", "bold"),
        f" connected ({shift.connected - shift.heard_machines:,} people, {shift.heard_machines:,} machines)   ",
        (f"{shift.right_party:,}", "bold"),
        " right party   ",
        (f"{shift.promises:,}", "bold"),
        f" promises ({money})   ",
        (f"{shift.plans:,}", "bold"),
        " plans\n",
        "occupancy ",
        (value_text(by_name["occupancy"]) if "occupancy" in by_name else "–", "bold"),
        "   RPC per agent-hour ",
        (value_text(by_name["rpc_per_agent_hour"]) if "rpc_per_agent_hour" in by_name else "–", "bold"),
        "   abandonment ",
        (value_text(by_name["abandon_us"]), "bold"),
        "   answer to agent p99 ",
        (f"{shift.wait_ms['p99']:.0f} ms" if shift.wait_ms["p99"] is not None else "–", "bold"),
    )
    campaigns = Table(title="Campaigns", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("campaign", "mode", "attempts", "live", "RPC", "PTP", "abandoned", "limit"):
        campaigns.add_column(column, justify="left" if column in ("campaign", "mode") else "right")
    for line in shift.campaigns:
        named = {figure.name: figure for figure in line.figures}
        rate = named["abandon_us"]
        over = rate.value is not None and rate.value > line.abandon_limit
        campaigns.add_row(
            line.campaign,
            line.mode,
            _number(named["live_answer_rate"].denominator),
            value_text(named["live_answer_rate"]),
            value_text(named["rpc_rate"]),
            value_text(named["ptp_rate"]),
            Text(rate_text(rate), style="red" if over else ""),
            f"{line.abandon_limit:.1%}",
        )
    changes = [Text(change_text(one, line.campaign, "en")) for line in shift.campaigns for one in line.changes]
    windows = Table(title="Abandonment", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("campaign", "this day", "24 hours", "30 days", "limit now", "bound by"):
        windows.add_column(column, justify="left" if column in ("campaign", "bound by") else "right")
    for line in shift.campaigns:
        named = {figure.name: figure for figure in line.figures}
        windows.add_row(
            line.campaign,
            *(rate_text(named.get(name)) for name in ("abandon_day", "abandon_24h", "abandon_30d")),
            f"{line.abandon_limit:.1%}",
            ", ".join(dict.fromkeys(line.bound_by.values())),
        )
    standing = []
    if shift.open_calls:
        remark = next(one for one in shift.exceptions if one.kind.startswith("open_"))
        standing = [Text(f"{remark_text(remark.kind, remark.n, 'en')}; `report --close` names them", style="yellow")]
    dispositions = Text.assemble(
        ("Dispositions  ", "bold"), "  ".join(f"{name} {n:,}" for name, n in shift.dispositions.items())
    )
    denied = Text.assemble(
        ("Held back by  ", "bold"), "  ".join(f"{rule} {n:,}" for rule, n in shift.denials.items()) or "no rule"
    )
    if changes:
        changes = [Text("Changes while it ran", style="bold"), *changes, Text("")]
    return Group(
        Panel(head), campaigns, "", *changes, windows, "", metrics_table({"all": shift.figures}), "", dispositions,
        *standing, denied,
    )  # fmt: skip


def rate_text(figure: Figure | None) -> str:
    """Return a share with what it was made of."""
    return "–" if figure is None else f"{value_text(figure)} ({base_text(figure).replace(' ', '')})"


def closing(shift: Shift) -> RenderableType:
    """Return the lists that close a day."""
    return Group(
        overview(shift),
        "",
        _due_table("Call-backs due", shift.call_backs),
        "",
        _due_table("Promises due", shift.promises_due),
        "",
        Text.assemble(("Exceptions", "bold")),
        *(Text(line if line.startswith(" ") else f"• {line}") for line in remark_lines(shift, "en") or ["none"]),
    )


def _due_table(title: str, lines: list[Due]) -> RenderableType:
    if not lines:
        return Text.assemble((title, "bold"), "  none")
    table = Table(title=f"{title} ({len(lines)})", title_justify="left", box=None, pad_edge=False)
    for column in ("account", "what", "due", "agent", "amount"):
        table.add_column(column, justify="right" if column == "amount" else "left")
    for line in lines:
        amount = ""
        if line.amount_minor is not None and line.currency is not None:
            amount = money_text(line.amount_minor, line.currency)
        table.add_row(line.account, line.what, line.due, line.agent or "anybody", amount)
    return table


def metrics_table(found: dict[str, list[Figure]]) -> RenderableType:
    """Return the figures of each group with what they were made of."""
    table = Table(title="Metrics", title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    if len(found) > 1:
        table.add_column("group")
    for column in ("metric", "value", "95 % interval", "of", "formula"):
        table.add_column(column, justify="left" if column in ("metric", "formula") else "right", overflow="fold")
    for name, group in found.items():
        for figure in group:
            cells: list[str | Text] = [
                label(figure, "en"),
                value_text(figure),
                interval_text(figure),
                base_text(figure),
                Text(formula(figure, "en"), style="dim"),
            ]
            table.add_row(*([name] if len(found) > 1 else []), *cells)
    return table
