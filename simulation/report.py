"""An experiment as one self-contained page: the question and the answer first, then why. No script, no request."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from math import isfinite

import msgspec

from models import pages, plots
from simulation.comparison import BANDS, Compared, Line, Result, Versus
from simulation.experiment import factor_value, factor_words
from simulation.outcome import MOST_ATTEMPTS
from simulation.phrases import days, difference_text, interval_text, money, replications, signed, value_text

_COSTS = {
    "cost_agents": "agents' hours",
    "cost_minutes": "call minutes",
    "cost_attempts": "attempts",
    "cost_complaints": "complaints",
}


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """How an experiment was made, so that anyone can make it again."""

    #: The command that repeats it, and the one that made it.
    again: str
    command: str
    versions: dict[str, str]
    #: Versions of the rule packs, by arm.
    rules: dict[str, str]
    #: Hash of the world's laws.
    world: str
    first_seed: int
    #: SHA-256 over the hashes of all outcomes counted.
    outcomes: str


def page(result: Result, made: Made) -> str:
    """Return the page of an experiment."""
    parts = {
        "title": escape(f"Simulation: {' · '.join(result.arms)}"),
        "question": escape(result.question),
        "answer": escape(result.answer),
        "setting": escape(
            f"World {result.world}: {result.debtors:,} debtors, {days(result.n_days)} from {result.start}; "
            + (f"{result.staff}; " if result.staff else "")
            + ("days that are not as others (see What was run); " if result.month else "")
            + (f"at most {result.of:,} replications, " if result.sequential else "")
            + (
                "all arms meet the same debtors with the same luck."
                if result.same_luck
                else "each arm has its own luck."
            )
        ),
        "body": _body(result, made),
        "footer": "Simulated debtors, not yours: what the simulator does not know is told in docs/simulation.md. "
        f"{result.compared[0].lines[0].words} decides; every other figure stands for itself, and among twenty "
        "intervals of 95 % one may leave zero out by chance.",
    }
    return pages.page(parts)


def _body(result: Result, made: Made) -> str:
    html = []
    if result.breaches:
        told = "".join(f"<li>{escape(one)}</li>" for compared in result.compared for one in compared.breaches_told)
        html.append(
            f'<section class="bad" id="breaches"><h2>{result.breaches:,} contacts broke a rule</h2>'
            '<p class="note">There must be none. Do not use these settings; report this as a defect.</p>'
            f"<ul>{told}</ul></section>"
        )
    if len(result.compared) == 1:
        html += _of_one(result, result.compared[0])
    else:
        html += _of_many(result)
    html.append(pages.section("What was run", _run(result)))
    html.append(pages.section("How it was made", _made(result, made)))
    return "\n".join(html)


# ---- one setting


def _of_one(result: Result, one: Compared) -> list[str]:
    names, currency = result.arms, result.currency
    html = [_cards(result, one)]
    busy = _busy(one.by_hour)
    if one.versus:
        html.append(
            pages.section(
                f"{one.lines[0].words}, against the champion",
                _intervals(one.versus, one.lines[0], currency),
                "Bar: where the difference lies, at every look with 95 % certainty. Points: one replication each"
                + (", the same debtors and luck in both arms." if result.same_luck else "."),
            )
        )
    html.append(pages.section("What differs", _lines(one.lines, names, currency), _interval_note(len(names))))
    two = [
        pages.section(
            "From assigned to paid",
            plots.bars("Accounts by step", [step for step, _ in one.funnel[0]], _funnel(one, names), pages.share),
            "Share of the accounts assigned. Accounts that pay may not have been spoken to.",
        ),
        pages.section(
            f"Collected so far, {currency}",
            plots.lines(
                "Collected by day",
                [day[5:] for day in one.days],
                list(zip(names, one.collected_by_day, strict=True)),
                pages.amount,
            ),
        ),
        pages.section(
            "Occupancy over the day",
            plots.lines("Occupancy by hour", list(busy), _series(busy, "occupancy", names), pages.share),
            "Hours of the floor's calendar.",
        ),
        pages.section(
            "Abandonment over the day",
            plots.lines("Abandonment by hour", list(busy), _series(busy, "abandon_rate", names), pages.fine),
            "Abandoned ÷ people who answered.",
        ),
        pages.section(
            "Right-party contacts by hour",
            plots.bars("Right-party contacts by hour", list(busy), _series(busy, "right_party", names), pages.count),
        ),
        pages.section(
            "Live answers by hour",
            plots.lines("Live-answer rate by hour", list(busy), _series(busy, "live_answer_rate", names), pages.share),
            "People ÷ attempts.",
        ),
        pages.section(
            "Attempts per account",
            plots.bars(
                "Accounts by attempts", _bands(), list(zip(names, one.attempts_per_account, strict=True)), pages.share
            ),
        ),
        pages.section(
            "Contacts per account",
            plots.bars(
                "Accounts by contacts", _bands(), list(zip(names, one.contacts_per_account, strict=True)), pages.share
            ),
        ),
    ]
    html.append(f'<div class="two">{"".join(two)}</div>')
    html.append(
        pages.section("By segment", _groups(one.by_segment, names, currency), "Country and days past due at the start.")
    )
    html.append(pages.section("By hour", _groups(one.by_hour, names, currency)))
    html.append(pages.section("What it costs", _cost(one, names, currency), "Mean of a replication."))
    if any(one.lists_ended):
        rows = [
            [arm, campaign, f"{share:.0%}", day]
            for arm, ended in zip(names, one.lists_ended, strict=True)
            for campaign, (share, day) in ended.items()
        ]
        html.append(
            pages.section(
                "Lists that came to an end", pages.table(["arm", "campaign", "replications", "median day"], rows, {2})
            )
        )
    return html


def _cards(result: Result, one: Compared) -> str:
    by_name = {line.name: line for line in one.lines}
    last, currency = len(result.arms) - 1, result.currency

    def pair(name: str, words: Callable[[float], str]) -> str:
        values = by_name[name].values
        shown = [values[0], values[last]] if last else [values[0]]
        return " → ".join("–" if value is None else words(value) for value in shown)

    first = one.lines[0]
    cards = [
        *([(pair(first.name, pages.count), first.words.lower(), "")] if first.unit == "count" else []),
        (pair("net_recovery", lambda v: f"{v:,.0f}"), f"net recovery, {currency}", ""),
        (pair("cost_per_collected", lambda v: f"{v:.3f}"), f"cost per {currency} collected", ""),
        (pair("abandon_rate", pages.fine), "abandonment", ""),
        (f"{result.breaches:,}", "contacts that broke a rule", "bad" if result.breaches else "good"),
        (pair("rpc_per_agent_hour", lambda v: f"{v:.2f}"), "right-party contacts per agent-hour", ""),
        (pair("kept_ptp_rate", pages.share), "promises kept", ""),
        (pair("occupancy", pages.share), "occupancy", ""),
        (pair("complaints", lambda v: f"{v:,.1f}"), "complaints", ""),
    ]
    return pages.cards(cards)


def _intervals(versus: Sequence[Versus], line: Line, currency: str) -> str:
    title = f"Difference in {line.words.lower()}"
    if all(one.share is not None for one in versus):
        rows = []
        for one in versus:
            assert one.share is not None
            base = one.watched.value / one.share.value if one.share.value else 0.0
            dots = [paired / base for paired in one.paired] if base else []
            rows.append((f"{one.arm} against {one.champion}", one.share.value, one.share.low, one.share.high, dots))
        return plots.intervals(title, rows, _points(rows))
    return plots.intervals(
        title,
        [
            (
                f"{one.arm} against {one.champion}",
                one.watched.value,
                one.watched.low,
                one.watched.high,
                list(one.paired),
            )
            for one in versus
        ],
        lambda v: value_text(line, v, currency),
    )


def _points(rows: Sequence[tuple[str, float, float, float, Sequence[float]]]) -> Callable[[float], str]:
    """Return how to write shares so that the ticks of a plot of them differ."""
    widest = max((abs(one) for _, *ends, dots in rows for one in (*ends, *dots) if isfinite(one)), default=0.0)
    decimals = 1 if widest >= 0.005 else 2 if widest >= 0.0005 else 4

    def words(value: float) -> str:
        return signed(value, f"{abs(100 * value):.{decimals}f} %")

    return words


def _interval_note(n_arms: int) -> str:
    return (
        "Mean of a replication; differences with 95 % intervals of replications paired by seed."
        if n_arms > 1
        else "Mean of a replication."
    )


def _lines(lines: Sequence[Line], names: Sequence[str], currency: str) -> str:
    # Of many arms the figures need the room; the glossary has the formulas.
    formulas = len(names) <= 2
    head = ["metric", *names, *(f"{name} − {names[0]}" for name in names[1:]), *(["formula"] if formulas else [])]
    body = []
    for line in lines:
        cells = [f"<td>{escape(line.words)}</td>"]
        cells += [f'<td class="n">{value_text(line, value, currency)}</td>' for value in line.values]
        for one in line.differences:
            kind = (
                ""
                if not one.is_clear or not line.better
                else " up"
                if (one.value > 0) == (line.better > 0)
                else " down"
            )
            cells.append(f'<td class="n{kind}">{difference_text(line, one, currency)}</td>')
        if formulas:
            cells.append(f'<td class="dim">{escape(line.formula)}</td>')
        body.append(f"<tr{_FIRST if line is lines[0] else ''}>{''.join(cells)}</tr>")
    return pages.rows(head, body, range(1, 2 * len(names)), kind="metrics")


_FIRST = ' class="first"'


def _groups(groups: Mapping[str, Sequence[Line]], names: Sequence[str], currency: str) -> str:
    """Return a table of groups: every arm's value, and the last difference where it is clear."""
    if not groups:
        return "none"
    chosen = next(iter(groups.values()))
    over = "".join(f'<th class="over" colspan="{len(names)}">{escape(line.words)}</th>' for line in chosen)
    under = [name for _ in chosen for name in names] if len(names) > 1 else [""] * len(chosen)
    body = []
    for group, lines in groups.items():
        cells = [f"<td>{escape(group)}</td>"]
        for line in lines:
            for number, value in enumerate(line.values):
                one = line.differences[number - 1] if number else None
                kind = ""
                if one is not None and one.is_clear and line.better:
                    kind = " up" if (one.value > 0) == (line.better > 0) else " down"
                cells.append(f'<td class="n{kind}">{value_text(line, value, currency)}</td>')
        body.append(f"<tr>{''.join(cells)}</tr>")
    return pages.rows(["", *under], body, range(1, len(under) + 1), kind="close", over=f"<tr><th></th>{over}</tr>")


def _cost(one: Compared, names: Sequence[str], currency: str) -> str:
    rows = [[words, *(money(part[name], currency) for part in one.cost_parts)] for name, words in _COSTS.items()]
    rows.append(["together", *(money(sum(part.values()), currency) for part in one.cost_parts)])
    return pages.table(["", *names], rows, set(range(1, len(names) + 1)))


def _funnel(one: Compared, names: Sequence[str]) -> list[tuple[str, list[float | None]]]:
    return [
        (name, [n / steps[0][1] if steps[0][1] else None for _, n in steps])
        for name, steps in zip(names, one.funnel, strict=True)
    ]


def _busy(groups: Mapping[str, Sequence[Line]]) -> dict[str, Sequence[Line]]:
    """Leave out hours in which next to nothing was dialled: an hour's last call is no picture of it."""
    dialled = {
        group: max((value or 0.0 for line in lines if line.name == "attempts" for value in line.values), default=0.0)
        for group, lines in groups.items()
    }
    least = 0.01 * max(dialled.values(), default=0.0)
    return {group: lines for group, lines in groups.items() if dialled[group] >= least}


def _series(
    groups: Mapping[str, Sequence[Line]], metric: str, names: Sequence[str]
) -> list[tuple[str, list[float | None]]]:
    found = [next(line for line in lines if line.name == metric) for lines in groups.values()]
    return [(name, [line.values[number] for line in found]) for number, name in enumerate(names)]


def _bands() -> list[str]:
    return [str(low) if low == high else f"{low}+" if high == MOST_ATTEMPTS else f"{low}–{high}" for low, high in BANDS]


# ---- many settings


def _of_many(result: Result) -> list[str]:
    names, currency = result.arms, result.currency
    keys = list(result.compared[0].factors)
    head = [*keys, *(["arm"] if len(names) > 1 else [])]
    metrics = (
        "net_recovery",
        "collected",
        "cost",
        "cost_per_collected",
        "right_party",
        "rpc_per_agent_hour",
        "occupancy",
        "abandon_rate",
    )
    first, *others = result.compared[0].lines
    rows, chosen = [], [first, *(line for line in others if line.name in metrics)]
    for one in result.compared:
        by_name = {line.name: line for line in one.lines}
        for number, name in enumerate(names):
            cells = [factor_value(name, value) for name, value in one.factors.items()] + (
                [name] if len(names) > 1 else []
            )
            rows.append([*cells, *(value_text(line, by_name[line.name].values[number], currency) for line in chosen)])
    broke = "bad" if result.breaches else "good"
    html = [
        f'<div class="cards"><div class="card {broke}"><b>{result.breaches:,}</b>'
        "<span>contacts that broke a rule, in all settings</span></div></div>"
        '<div class="two">'
        + pages.section(
            "What more money buys",
            _frontier(result, "cost", "collected", pages.amount, pages.amount),
            f"Each point is a setting: cost against what is collected, {currency} in {days(result.n_days)}.",
        )
        + pages.section(
            "What busier agents cost in abandonment",
            _frontier(result, "occupancy", "abandon_rate", pages.share, pages.fine),
            "Each point is a setting: occupancy against abandonment.",
        )
        + "</div>"
    ]
    if result.staffing:
        told = [
            [
                one.arm,
                one.setting or "–",
                f"{one.agents[0]:g} to {one.agents[-1]:g}",
                interval_text(one.value, lambda v: money(v, currency)),
            ]
            for one in result.staffing
        ]
        html.append(
            pages.section(
                "What one more agent is worth",
                plots.scatter(
                    "Net recovery by agents",
                    [
                        (
                            f"{one.arm} {one.setting}".strip(),
                            [(x, y, "") for x, y in zip(one.agents, one.net, strict=True)],
                        )
                        for one in result.staffing
                    ],
                    lambda v: f"{v:g}", pages.amount, "agents", f"net recovery, {currency}",
                )
                + pages.table(["arm", "setting", "agents", "net recovery of one more"], told, {3}),
                f"Slope over the agents tried, {days(result.n_days)}, with its 95 % interval.",
            )
        )  # fmt: skip
    html.append(
        pages.section(
            "All settings",
            pages.table(
                [*head, *(line.words for line in chosen)],
                rows,
                set(range(len(head), len(head) + len(chosen))),
                kind="close",
            ),
            f"Means of {replications(result.replications)}.",
        )
    )
    if len(names) > 1:
        told = [
            [
                one.setting,
                versus.arm,
                versus.says,
                interval_text(versus.watched, lambda v: value_text(first, v, currency)),
            ]
            for one in result.compared
            for versus in one.versus
        ]
        html.append(
            pages.section(
                f"Against {names[0]}", pages.table(["setting", "arm", first.words.lower(), "difference"], told, {3})
            )
        )
    return html


def _frontier(result: Result, x: str, y: str, x_words: Callable[[float], str], y_words: Callable[[float], str]) -> str:
    """Plot settings joined by agents, or the first factor: a curve for each arm and combination of the others."""
    factors = result.compared[0].factors
    first = "agents" if "agents" in factors else next(iter(factors))
    curves: dict[str, list[tuple[float, float, str]]] = {}
    words = {line.name: line.words for line in result.compared[0].lines}
    for one in result.compared:
        by_name = {line.name: line for line in one.lines}
        rest = ", ".join(factor_words(name, value) for name, value in one.factors.items() if name != first)
        for number, arm in enumerate(result.arms):
            at_x, at_y = by_name[x].values[number], by_name[y].values[number]
            if at_x is not None and at_y is not None:
                name = " ".join(filter(None, (arm if len(result.arms) > 1 else "", rest))) or first
                curves.setdefault(name, []).append((at_x, at_y, factor_words(first, one.factors[first])))
    title, x_name, y_name = f"{words[y]} by {words[x]}", words[x].lower(), words[y].lower()
    return plots.scatter(title, list(curves.items()), x_words, y_words, x_name, y_name)


# ---- how it was made


def _run(result: Result) -> str:
    rows = [
        ["strategies", "; ".join(result.arms)],
        ["world", result.world],
        ["debtors", f"{result.debtors:,}"],
        ["days", f"{days(result.n_days)} from {result.start}"],
        ["agents", result.staff or "as the settings say"],
        ["the month brings", "\n".join(result.month) or "nothing besides"],
        ["replications", f"{result.replications:,} of {result.of:,}"],
        ["luck", "the same for every strategy" if result.same_luck else "each strategy its own"],
    ]
    cells = "".join(
        f"<tr><td>{escape(name)}</td><td>{'<br>'.join(map(escape, text.splitlines()))}</td></tr>" for name, text in rows
    )
    return f"<table>{cells}</table>"


def _made(result: Result, made: Made) -> str:
    powers = [
        f"To see a difference of {pages.share(one.power.effect)} with a chance of {pages.share(one.power.wanted)}: "
        f"{one.power.keyed:,} "
        f"replications with the same luck for both arms, {one.power.independent:,} with luck of their own "
        f"({one.power.saving:.1f} times as many)."
        for compared in result.compared[:1]
        for one in compared.versus
        if one.power is not None
    ]
    rows = [
        ["made by", made.command],
        ["repeat and compare", made.again],
        ["seeds", f"{made.first_seed} to {made.first_seed + result.replications - 1}"],
        ["outcomes, SHA-256", made.outcomes],
        ["world's laws", made.world],
        *([f"rules of {arm}", version] for arm, version in made.rules.items()),
        *([name, version] for name, version in made.versions.items()),
    ]
    cells = "".join(f"<tr><td>{escape(name)}</td><td><code>{escape(text)}</code></td></tr>" for name, text in rows)
    return "".join(f"<p>{escape(power)}</p>" for power in powers) + f"<table>{cells}</table>"
