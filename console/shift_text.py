"""A shift in the terminal."""

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from console.shift import Due, Shift
from domain.money import amount_text
from ledger.metrics import DICTIONARY, Figure

#: Shown as they are; every other metric is a share.
_PLAIN = {
    "attempts_per_account",
    "aht_s",
    "answer_to_agent_ms",
    "average_wait_s",
    "rpc_per_agent_hour",
    "promises_per_agent_hour",
}


def value_text(figure: Figure) -> str:
    if figure.value is None:
        return "–"
    return f"{figure.value:,.2f}" if figure.name in _PLAIN else f"{figure.value:.2%}"


def interval_text(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return ""
    if figure.name in _PLAIN:
        return f"{figure.low:,.2f} … {figure.high:,.2f}"
    return f"{figure.low:.2%} … {figure.high:.2%}"


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
        " connected   ",
        (f"{shift.right_party:,}", "bold"),
        " right party   ",
        (f"{shift.promises:,}", "bold"),
        f" promises ({money})\n",
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
            Text(f"{value_text(rate)} ({rate.numerator:.0f}/{rate.denominator:.0f})", style="red" if over else ""),
            f"{line.abandon_limit:.1%}",
        )
    dispositions = Text.assemble(
        ("Dispositions  ", "bold"), "  ".join(f"{name} {n:,}" for name, n in shift.dispositions.items())
    )
    denied = Text.assemble(
        ("Held back by  ", "bold"), "  ".join(f"{rule} {n:,}" for rule, n in shift.denials.items()) or "no rule"
    )
    return Group(Panel(head), campaigns, "", metrics_table({"all": shift.figures}), "", dispositions, denied)


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
        *(f"• {line}" for line in shift.exceptions or ["none"]),
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
            label, _, formula = DICTIONARY[figure.name]
            cells: list[str | Text] = [
                label,
                value_text(figure),
                interval_text(figure),
                f"{_number(figure.numerator)} / {_number(figure.denominator)}",
                Text(formula, style="dim"),
            ]
            table.add_row(*([name] if len(found) > 1 else []), *cells)
    return table
