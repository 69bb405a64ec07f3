"""A shift as one self-contained page: no request leaves the reader's machine. English or Spanish."""

from html import escape
from importlib.resources import files
from typing import Any

import msgspec

from console.shift import AgentLine, CampaignLine, Shift
from console.shift_close import Due
from console.shift_text import base_text, change_text, interval_text, money_text, rate_text, remark_lines, value_text
from console.shift_words import disposition_word, due_word, formula, label, mode_word
from ledger.figures import Figure

_BLUE, _GREEN, _RED, _SAND, _GREY = "#2f5d8a", "#4f9d7c", "#b3402e", "#d9b36a", "#b8c2cc"

_WORDS = {
    "en": {
        "title": "Shift report",
        "attempts": "attempts",
        "connected": "people who met an agent ({machines} machines besides)",
        "right_party": "right-party contacts",
        "promises": "promises; {plans} plans",
        "promised": "promised",
        "abandonment": "abandonment (limit {limit})",
        "occupancy": "occupancy",
        "rpc_hour": "right-party contacts per agent-hour",
        "wait": "answer to agent, p99",
        "over_day": "Calls over the shift",
        "over_day_note": "Attempts placed and answers by class, by start of interval, floor's time.",
        "rate": "Abandonment so far, against its limit",
        "rate_note": "Abandoned / answered by people (met an agent + abandoned) since the start of the shift; "
        "the tightest limit in force.",
        "staff": "Agents by state",
        "staff_note": "Mean number of agents; occupancy on the right-hand scale.",
        "waits": "Answer to agent",
        "waits_note": "Connected calls by time from answer to agent.",
        "funnel": "How attempts ended",
        "funnel_note": "Every attempt ends in exactly one disposition.",
        "campaigns": "Campaigns",
        "dictionary": "Metrics",
        "agents": "Agents",
        "hours": "By hour",
        "denials": "Held back by rule",
        "denials_note": "Leads that the gate did not let through, once per lead and window.",
        "call_backs": "Call-backs due",
        "promises_due": "Promises due",
        "exceptions": "Exceptions",
        "changes": "Changes while it ran",
        "none": "none",
        "anybody": "anybody",
        "footer": "Every figure comes from the ledger; {rows} attempts counted. 95 % intervals: Wilson for shares, "
        "Poisson for counts per hour.",
        "columns": "metric|value|95 % interval|of|formula",
        "campaign_columns": "campaign|mode|attempts|live answers|RPC|PTP|abandoned|this day|24 hours|30 days|"
        "limit|bound by",
        "agent_columns": "agent|logged in|talk|wrap-up|ready|paused|occupancy|calls|RPC|promises",
        "due_columns": "account|what|due|agent|amount",
        "hour_columns": "hour|attempts|live answers|RPC|PTP|abandoned",
        "series": "attempts|people|abandoned|machine|limit|talk|wrap-up|ready|paused|occupancy|calls",
    },
    "es": {
        "title": "Informe del turno",
        "attempts": "intentos",
        "connected": "personas atendidas (y {machines} máquinas)",
        "right_party": "contactos directos",
        "promises": "promesas; {plans} planes",
        "promised": "prometido",
        "abandonment": "abandono (límite {limit})",
        "occupancy": "ocupación",
        "rpc_hour": "contactos directos por hora de agente",
        "wait": "de descuelgue a agente, p99",
        "over_day": "Llamadas durante el turno",
        "over_day_note": "Intentos y descuelgues por clase, por comienzo del intervalo, hora de la sala.",
        "rate": "Abandono acumulado frente a su límite",
        "rate_note": "Abandonadas / descuelgues de personas (atendidas + abandonadas) desde el comienzo del turno; "
        "el límite más estricto en vigor.",
        "staff": "Agentes por estado",
        "staff_note": "Número medio de agentes; ocupación en la escala derecha.",
        "waits": "De descuelgue a agente",
        "waits_note": "Llamadas conectadas por tiempo desde el descuelgue.",
        "funnel": "Cómo terminaron los intentos",
        "funnel_note": "Cada intento termina en exactamente una tipificación.",
        "campaigns": "Campañas",
        "dictionary": "Métricas",
        "agents": "Agentes",
        "hours": "Por hora",
        "denials": "Retenidos por norma",
        "denials_note": "Registros que el control no dejó pasar, una vez por registro y ventana.",
        "call_backs": "Rellamadas pendientes",
        "promises_due": "Promesas que vencen",
        "exceptions": "Excepciones",
        "changes": "Cambios durante el turno",
        "none": "ninguna",
        "anybody": "cualquiera",
        "footer": "Todas las cifras salen del registro; {rows} intentos contados. Intervalos del 95 %: Wilson para "
        "proporciones, Poisson para recuentos por hora.",
        "columns": "métrica|valor|intervalo del 95 %|de|fórmula",
        "campaign_columns": "campaña|modo|intentos|descuelgues de personas|directos|promesas|abandonadas|este día|"
        "24 horas|30 días|límite|por",
        "agent_columns": "agente|conectado|conversación|cierre|disponible|pausa|ocupación|llamadas|directos|promesas",
        "due_columns": "cuenta|qué|vence|agente|importe",
        "hour_columns": "hora|intentos|descuelgues de personas|directos|promesas|abandonadas",
        "series": "intentos|personas|abandonadas|máquina|límite|conversación|cierre|disponible|pausa|ocupación|"
        "llamadas",
    },
}


def page(shift: Shift, lang: str) -> str:
    """Return the page of a shift."""
    words = _WORDS[lang]
    static = files("console") / "static"
    template = (static / "report.html").read_text(encoding="utf-8")
    parts = {
        "lang": lang,
        "title": f"{words['title']} · {escape(shift.stream)} · {shift.from_local[:10]}",
        "subtitle": f"{shift.from_local[11:]} – {shift.to_local[11:]} {escape(shift.zone)}",
        "body": _body(shift, words, lang),
        "footer": words["footer"].format(rows=f"{shift.attempts:,}"),
        "echarts": (static / "vendor" / "echarts.common.min.js").read_text(encoding="utf-8"),
        "plots": msgspec.json.encode(_plots(shift, words, lang)).decode().replace("</", "<\\/"),
    }
    # Split, not replaced one by one: a value may contain what looks like another placeholder.
    pieces = template.split("{{")
    whole = [pieces[0]]
    for piece in pieces[1:]:
        name, rest = piece.split("}}", 1)
        whole += [parts[name], rest]
    return "".join(whole)


def _body(shift: Shift, words: dict[str, str], lang: str) -> str:
    named = {figure.name: figure for figure in shift.figures}
    limit = min((line.abandon_limit for line in shift.campaigns), default=0.03)
    worst = [
        figure.value > line.abandon_limit
        for line in shift.campaigns
        for figure in line.figures
        if figure.name == "abandon_us" and figure.value is not None
    ]
    money = " + ".join(money_text(amount, currency) for currency, amount in shift.promised_minor.items())
    p99 = shift.wait_ms["p99"]
    cards = [
        (f"{shift.attempts:,}", words["attempts"], ""),
        (
            f"{shift.connected - shift.heard_machines:,}",
            words["connected"].format(machines=f"{shift.heard_machines:,}"),
            "",
        ),
        (f"{shift.right_party:,}", words["right_party"], ""),
        (
            f"{shift.promises:,}",
            ", ".join(filter(None, (words["promises"].format(plans=f"{shift.plans:,}"), money))),
            "",
        ),
        (_value(named.get("occupancy")), words["occupancy"], ""),
        (_value(named.get("rpc_per_agent_hour")), words["rpc_hour"], ""),
        (
            value_text(named["abandon_us"]),
            words["abandonment"].format(limit=f"{limit:.1%}"),
            "bad" if any(worst) else "good",
        ),
        (f"{p99:,.0f} ms" if p99 is not None else "–", words["wait"], ""),
    ]
    html = ['<div class="cards">']
    html += [
        f'<div class="card {kind}"><b>{escape(value)}</b><span>{escape(text)}</span></div>'
        for value, text, kind in cards
    ]
    html.append("</div>")
    html.append(_plot("calls", words["over_day"], words["over_day_note"]))
    html.append('<div class="two">')
    html.append(_plot("rate", words["rate"], words["rate_note"]))
    html.append(_plot("staff", words["staff"], words["staff_note"]))
    html.append(_plot("funnel", words["funnel"], words["funnel_note"]))
    html.append(_plot("waits", words["waits"], words["waits_note"]))
    html.append("</div>")
    html.append(_section(words["campaigns"], _campaigns(shift.campaigns, words, lang)))
    if changes := [change_text(one, line.campaign, lang) for line in shift.campaigns for one in line.changes]:
        html.append(_section(words["changes"], _list(changes)))
    html.append(_section(words["dictionary"], _dictionary(shift.figures, words, lang)))
    html.append(_section(words["hours"], _hours(shift.by_hour, words)))
    html.append(_section(words["agents"], _agents(shift.agents, words)))
    denials = _table(["", ""], [[rule, f"{n:,}"] for rule, n in shift.denials.items()], {1})
    html.append(_section(words["denials"], denials if shift.denials else words["none"], words["denials_note"]))
    html.append(_section(words["call_backs"], _due(shift.call_backs, words, lang)))
    html.append(_section(words["promises_due"], _due(shift.promises_due, words, lang)))
    remarks = remark_lines(shift, lang)
    html.append(_section(words["exceptions"], _list(remarks) if remarks else words["none"]))
    return "\n".join(html)


def _value(figure: Figure | None) -> str:
    return value_text(figure) if figure is not None else "–"


def _plot(name: str, title: str, note: str) -> str:
    heading = f'<h2>{escape(title)}</h2><p class="note">{escape(note)}</p>'
    return f'<section>{heading}<div class="plot" id="{name}"></div></section>'


def _section(title: str, content: str, note: str = "") -> str:
    explained = f'<p class="note">{escape(note)}</p>' if note else ""
    return f'<section><h2>{escape(title)}</h2>{explained}<div class="scroll">{content}</div></section>'


def _table(columns: list[str], rows: list[list[str]], right: set[int]) -> str:
    def cell(tag: str, index: int, text: str) -> str:
        kind = ' class="n"' if index in right else ""
        return f"<{tag}{kind}>{escape(text)}</{tag}>"

    head = "".join(cell("th", index, column) for index, column in enumerate(columns))
    body = "".join(f"<tr>{''.join(cell('td', i, text) for i, text in enumerate(row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


_IN = ' class="in"'


def _list(lines: list[str]) -> str:
    """Return lines as a list; those that begin with a space belong to the one before."""
    items = [f"<li{_IN if line.startswith(' ') else ''}>{escape(line.strip())}</li>" for line in lines]
    return f"<ul>{''.join(items)}</ul>"


def _campaigns(lines: list[CampaignLine], words: dict[str, str], lang: str) -> str:
    rows = []
    for line in lines:
        named = {figure.name: figure for figure in line.figures}
        rows.append(
            [
                line.campaign,
                mode_word(line.mode, lang),
                f"{named['live_answer_rate'].denominator:,.0f}",
                value_text(named["live_answer_rate"]),
                value_text(named["rpc_rate"]),
                value_text(named["ptp_rate"]),
                *(rate_text(named.get(name)) for name in ("abandon_us", "abandon_day", "abandon_24h", "abandon_30d")),
                f"{line.abandon_limit:.1%}",
                ", ".join(dict.fromkeys(line.bound_by.values())),
            ]
        )
    return _table(words["campaign_columns"].split("|"), rows, set(range(2, 11)))


def _dictionary(found: list[Figure], words: dict[str, str], lang: str) -> str:
    rows = []
    for figure in found:
        rows.append(
            [label(figure, lang), value_text(figure), interval_text(figure), base_text(figure), formula(figure, lang)]
        )
    return _table(words["columns"].split("|"), rows, {1, 2, 3})


def _hours(by_hour: dict[str, list[Figure]], words: dict[str, str]) -> str:
    rows = []
    for hour, found in by_hour.items():
        named = {figure.name: figure for figure in found}
        rows.append(
            [
                hour,
                f"{named['live_answer_rate'].denominator:,.0f}",
                value_text(named["live_answer_rate"]),
                value_text(named["rpc_rate"]),
                value_text(named["ptp_rate"]),
                rate_text(named["abandon_us"]),
            ]
        )
    return _table(words["hour_columns"].split("|"), rows, set(range(1, 6)))


def _agents(lines: list[AgentLine], words: dict[str, str]) -> str:
    rows = [
        [
            line.agent,
            *(_clock(seconds) for seconds in (line.logged_in_s, line.talking_s, line.wrapup_s, line.ready_s)),
            _clock(line.paused_s),
            f"{line.occupancy:.1%}" if line.occupancy is not None else "–",
            str(line.calls),
            str(line.right_party),
            str(line.promises),
        ]
        for line in lines
    ]
    return _table(words["agent_columns"].split("|"), rows, set(range(1, 10)))


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _due(lines: list[Due], words: dict[str, str], lang: str) -> str:
    if not lines:
        return words["none"]
    rows = []
    for line in lines:
        known = line.amount_minor is not None and line.currency is not None
        amount = money_text(line.amount_minor or 0, line.currency or "") if known else ""
        rows.append([line.account, due_word(line.what, lang), line.due, line.agent or words["anybody"], amount])
    return _table(words["due_columns"].split("|"), rows, {4})


def _plots(shift: Shift, words: dict[str, str], lang: str) -> dict[str, Any]:
    attempts, people, abandoned, machine, limit, talk, wrap, ready, paused, occupancy, calls = words["series"].split(
        "|"
    )
    at = [one.at_local for one in shift.slices]

    def bar(name: str, values: list[float], colour: str, stack: str | None = None) -> dict[str, Any]:
        return {"name": name, "type": "bar", "data": values, "stack": stack, "itemStyle": {"color": colour}}

    def line(name: str, values: list[float | None], colour: str, **more: Any) -> dict[str, Any]:
        style = {"lineStyle": {"color": colour, "width": 2}, "itemStyle": {"color": colour}}
        return {"name": name, "type": "line", "data": values, "showSymbol": False} | style | more

    category = {"type": "category", "data": at}
    dispositions = list(shift.dispositions.items())[::-1]
    return {
        "calls": {
            "xAxis": category,
            "yAxis": {"type": "value"},
            "series": [
                line(attempts, [one.dials for one in shift.slices], _GREY, areaStyle={"color": "#eef1f4"}, z=1),
                bar(people, [one.people for one in shift.slices], _BLUE, "answers"),
                bar(machine, [one.machine for one in shift.slices], _SAND, "answers"),
                bar(abandoned, [one.abandoned for one in shift.slices], _RED, "answers"),
            ],
        },
        "rate": {
            "xAxis": category,
            "yAxis": {"type": "value", "min": 0, "percent": 2},
            "series": [
                line(abandoned, [one.abandon_rate_so_far for one in shift.slices], _RED),
                line(
                    limit,
                    [one.abandon_limit for one in shift.slices],
                    _GREY,
                    lineStyle={"color": _GREY, "type": "dashed"},
                ),
            ],
        },
        "staff": {
            "xAxis": category,
            "yAxis": [
                {"type": "value"},
                {"type": "value", "min": 0, "max": 1, "percent": 1, "splitLine": {"show": False}},
            ],
            "grid": {"left": 40, "right": 52, "top": 36, "bottom": 32},
            "series": [
                bar(talk, [round(one.talking, 2) for one in shift.slices], _BLUE, "agents"),
                bar(wrap, [round(one.wrapup, 2) for one in shift.slices], _SAND, "agents"),
                bar(ready, [round(one.ready, 2) for one in shift.slices], _GREEN, "agents"),
                bar(paused, [round(one.paused, 2) for one in shift.slices], _GREY, "agents"),
                line(occupancy, [one.occupancy for one in shift.slices], "#1d2733", yAxisIndex=1),
            ],
        },
        "funnel": {
            "xAxis": {"type": "value"},
            "yAxis": {"type": "category", "data": [disposition_word(name, lang) for name, _ in dispositions]},
            "grid": {"left": 110, "right": 48, "top": 8, "bottom": 28},
            "legend": {"show": False},
            "series": [
                bar(attempts, [n for _, n in dispositions], _BLUE) | {"label": {"show": True, "position": "right"}}
            ],
        },
        "waits": {
            "xAxis": {"type": "category", "data": [f"≤ {bound} ms" for bound, _ in shift.wait_histogram]},
            "yAxis": {"type": "value"},
            "legend": {"show": False},
            "series": [bar(calls, [n for _, n in shift.wait_histogram], _BLUE)],
        },
    }
