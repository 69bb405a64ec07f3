"""The live board as text: one `Board` record in, one picture of the asked size out. No terminal, no clock.

From top to bottom: the floor; its agents; each campaign with why it dials what it dials; each agent where there is
room; alarms. What does not fit is left out from the least urgent on.
"""

from collections.abc import Sequence

from rich.box import ROUNDED
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from dialer.board import AgentRow, Board, CampaignRow
from domain.instants import SECOND, to_datetime

#: States of agents in the order of the bar, with their colour and word.
STATES = (
    ("talking", "green", "talking"),
    ("wrapup", "cyan", "wrap-up"),
    ("ready", "yellow", "ready"),
    ("reserved", "magenta", "reserved"),
    ("previewing", "blue", "preview"),
    ("away", "bright_black", "away"),
    ("paused", "bright_black", "paused"),
)
COLOURS = {state: colour for state, colour, _ in STATES}
WORDS = {state: word for state, _, word in STATES}

#: Why so many lines, in the operator's words; an unknown word is shown as it is.
REASONS = {
    "predicted": "what the agents soon free can take",
    "enough_ringing": "enough is ringing already",
    "budget": "abandonment leaves no room: one per agent",
    "cold_start": "a first call or two per agent until rates are known",
    "one_per_free_agent": "one per free agent",
    "ratio": "lines per free agent",
    "preview": "agents ask for each call",
    "no_leads": "nobody callable now",
    "lines": "every line is taken",
    "calls_per_second": "as fast as calls may be placed",
    "shift_end": "answers would find the shift over",
    "no_agents": "nobody is there to take a call",
    "link_down": "switch away: dialling nothing",
    "commit_lag": "record late: dialling nothing",
    "trunk_failing": "calls fail in the network: one probe at a time",
}

SPARKS = "▁▂▃▄▅▆▇█"
#: Width from which two campaigns stand side by side, and the height of a campaign's panel.
WIDE = 118
PANEL = 8
#: Width of one agent's entry.
AGENT = 39


def view(
    board: Board,
    *,
    width: int,
    height: int,
    speed: float = 1.0,
    trend: Sequence[tuple[int, float]] = (),
    keys: str = "",
) -> RenderableType:
    """Return the picture of a board.

    Parameters
    ----------
    speed
        Of the floor's clock against the wall's; shown when it is not 1.
    trend
        (lines in flight, calls per hour) of the last boards, oldest first.
    keys
        The footer; empty: none.
    """
    head = [_title(board, speed, width), _floor(board, trend, width), *_agent_bar(board, width)]
    alarms = _alarms(board, width)
    foot = [Text(keys, style="dim", no_wrap=True, overflow="ellipsis")] if keys else []
    left = height - len(head) - len(alarms) - len(foot)
    campaigns, used = _campaigns(board, width, left)
    return Group(*head, *campaigns, *_agent_grid(board, width, left - used), *alarms, *foot)


# ---- the floor


def _title(board: Board, speed: float, width: int) -> Text:
    local = to_datetime(board.at_us, board.zone)
    states = {row.state for row in board.campaigns}
    state = next((one for one in ("running", "draining", "paused") if one in states), "stopped")
    colour = {"running": "green", "draining": "yellow", "paused": "yellow"}.get(state, "red")
    left = Text.assemble((" CADENCIA ", "bold reverse"), " ", (board.stream, "bold"))
    if board.rehearsed:
        left.append(f" · rehearsal ×{speed:g}" if speed != 1.0 else " · rehearsal", style="magenta")
    right = Text.assemble(
        f"{local:%a} {local.day} {local:%b %H:%M:%S} {board.zone.rpartition('/')[2].replace('_', ' ')}  ",
        (f"● {state}", f"bold {colour}"),
    )
    return _ends(left, right, width)


def _floor(board: Board, trend: Sequence[tuple[int, float]], width: int) -> Text:
    links = Text("  ").join(
        Text.assemble((name, ""), " ", ("●", "green") if up else ("● down", "bold red"))
        for name, up in board.links.items()
    )
    per_hour = sum(row.calls_per_hour for row in board.campaigns)
    used = board.lines / board.max_lines
    line = Text.assemble(
        (" lines      ", "dim"), (f"{board.lines}", "bold"), f"/{board.max_lines} ",
        *_meter(used, 8, "green" if used < 0.9 else "red"),
        "   ", (f"{per_hour:,.0f}", "bold"), " calls/h ", (_sparkline([rate for _, rate in trend], width // 6), "cyan"),
    )  # fmt: skip
    lag_ms = board.commit_lag_us / 1000
    right = Text.assemble(links, "   commit ", (f"{lag_ms:,.0f} ms", "bold red" if lag_ms >= 500 else ""))
    return _ends(line, right, width)


def _agent_bar(board: Board, width: int) -> list[Text]:
    counts = _counts(board.agents)
    total = sum(counts.values())
    bar = Text(" ")
    legend = Text(f" {total} agent{'' if total == 1 else 's'}", style="bold")
    if total == 0:
        return [bar, Text(" no agent signed in: cadencia agents login NAME", style="yellow")]
    cells = _shares([counts[state] for state, _, _ in STATES], width - 2)
    for (state, colour, word), n_cells in zip(STATES, cells, strict=True):
        bar.append("█" * n_cells, style=colour)
        if counts[state]:
            legend.append_text(Text.assemble("   ", ("■ ", colour), (str(counts[state]), "bold"), f" {word}"))
    waits = [row.agent_wait_s for row in board.campaigns if row.agent_wait_s is not None]
    idle = f"   idle {max(waits):.0f} s between calls" if waits else ""
    if legend.cell_len + len(idle) < width:
        legend.append(idle, style="dim")
    legend.truncate(width, overflow="ellipsis")
    return [bar, legend]


def _counts(agents: Sequence[AgentRow]) -> dict[str, int]:
    counts = dict.fromkeys(WORDS, 0)
    for agent in agents:
        if agent.state in counts:
            counts[agent.state] += 1
    return counts


# ---- campaigns


def _campaigns(board: Board, width: int, left: int) -> tuple[list[RenderableType], int]:
    """Return the campaigns in the roomiest form that fits, and the lines it takes."""
    rows = sorted(board.campaigns, key=lambda row: row.state == "stopped")
    roomy = len(rows) * PANEL + _grid_rows(board, width) + 1 <= left
    across = 2 if width >= WIDE and len(rows) > 1 and not roomy else 1
    n_rows = -(-len(rows) // across)
    if n_rows * PANEL <= left:
        grid = Table.grid(expand=True)
        for _ in range(across):
            grid.add_column(ratio=1)
        for start in range(0, len(rows), across):
            panels = [_panel(row, board, width // across) for row in rows[start : start + across]]
            grid.add_row(*panels, *[""] * (across - len(panels)))
        return [grid], n_rows * PANEL
    n_lines = min(max(left // max(len(rows), 1) - 1, 1), PANEL - 2)
    shown = [_indented(line) for row in rows for line in (_rule(row, width), *_lines(row, board, width - 2, n_lines))]
    return [*shown[: max(left, 0)]], min(len(shown), max(left, 0))


def _panel(row: CampaignRow, board: Board, width: int) -> Panel:
    return Panel(
        Group(*_lines(row, board, width - 4, PANEL - 2)),
        title=_name(row),
        title_align="left",
        box=ROUNDED,
        border_style=_colour(row),
        height=PANEL,
    )


def _name(row: CampaignRow) -> Text:
    mode = f"{row.mode} ×{row.ratio:g}" if row.mode == "power" else row.mode
    return Text.assemble((row.campaign, "bold"), f" · {mode} · ", (row.state, _colour(row)))


def _colour(row: CampaignRow) -> str:
    return {"running": "green", "paused": "yellow", "draining": "yellow"}.get(row.state, "bright_black")


def _rule(row: CampaignRow, width: int) -> Text:
    name = Text.assemble(("── ", _colour(row)), _name(row), " ")
    name.append("─" * max(width - 2 - name.cell_len, 0), style=_colour(row))
    return name


def _lines(row: CampaignRow, board: Board, width: int, n_lines: int) -> list[Text]:
    """Return the most urgent lines of a campaign, in their usual order."""
    lines = (
        (2, _calls(row)),
        (4, _answers(row)),
        (0, _abandonment(row, width)),
        (1, _pacing(row, width)),
        (3, _list(row, board)),
        (5, _results(row)),
    )
    return [_whole(line) for urgency, line in lines if urgency < n_lines]


def _calls(row: CampaignRow) -> Text:
    line = Text.assemble(("calls      ", "dim"), (f"{row.ringing + row.originating}", "bold"), " ringing  ")
    if row.detecting:
        line.append_text(Text.assemble((f"{row.detecting}", "bold"), " detecting  "))
    waiting = "bold yellow" if row.waiting else "bold"
    line.append_text(
        Text.assemble((f"{row.waiting}", waiting), " waiting  ", (f"{row.talking}", "bold green"), " talking   ")
    )
    line.append_text(
        Text.assemble((f"{row.calls_per_hour:,.0f}", "bold"), "/h  ", (f"{row.attempts:,}", "bold"), " today")
    )
    return line


def _answers(row: CampaignRow) -> Text:
    line = Text.assemble(("answers    ", "dim"), (_percent(row.answer_rate), "bold"), " by people   agent in ")
    line.append(_milliseconds(row.wait_ms), style="bold")
    line.append(f" (95 %: {_milliseconds(row.wait_p95_ms)})", style="dim")
    return line


def _abandonment(row: CampaignRow, width: int) -> Text:
    """The rate of today against its limit: the bar is full at the limit."""
    rate = row.abandon_rate
    used = (rate or 0.0) / row.abandon_limit if row.abandon_limit else float(bool(rate))
    colour = "red" if used > 1 else "yellow" if used > 0.8 else "green"
    line = Text.assemble(
        ("abandoned  ", "dim"), (_percent(rate, 1), f"bold {colour}"), f" of {_percent(row.abandon_limit, 1)} "
    )
    line.append_text(Text.assemble(*_meter(used, 16 if width >= 64 else 8, colour)))
    line.append(f" {row.counted_abandoned} of {row.people:,} people today")
    return line


def _pacing(row: CampaignRow, width: int) -> Text:
    if row.state != "running":
        return Text.assemble(("pacing     ", "dim"), (f"{row.state}: dialling nothing", "yellow"))
    why = REASONS.get(row.pacing_reason, row.pacing_reason.replace("_", " "))
    line = Text.assemble(("pacing     ", "dim"), (f"+{row.pacing_dials}", "bold"), f" {why}")
    # As many of the figures behind it as fit, the plainest first.
    for figures in (
        f"   {row.free} free, {row.expected_free:.1f} soon, {row.expected_answers:.1f} answers",
        f", budget {row.budget_left:.1f}",
        f", risk {_percent(row.risk, 1)} of {_percent(row.tolerated, 1)}" if row.tolerated else "",
        f", {_percent(row.p_answer)} answer" if row.p_answer else "",
        f", {row.finishing} finishing" if row.finishing else "",
    ):
        if line.cell_len + len(figures) > width:
            break
        line.append(figures, style="dim")
    return line


def _list(row: CampaignRow, board: Board) -> Text:
    line = Text.assemble(
        ("list       ", "dim"), (f"{row.ready:,}", "bold" if row.ready else "bold yellow"), " callable  "
    )
    line.append(f"{row.parked:,} later")
    if row.next_lead_us is not None:
        line.append(f" (next {to_datetime(row.next_lead_us, board.zone):%H:%M})", style="dim")
    line.append(f"  {row.held:,} for an agent")
    return line


def _results(row: CampaignRow) -> Text:
    line = Text.assemble(
        ("results    ", "dim"),
        (f"{row.right_party:,}", "bold"),
        " right party  ",
        (f"{row.promises:,}", "bold"),
        " promises",
    )
    line.append(f"  {row.closed:,} done  {row.machine:,} machine")
    for count, word in ((row.cut, "cut"), (row.lost, "lost")):
        if count:
            line.append(f"  {count:,} {word}", style="yellow")
    return line


# ---- agents and alarms


def _agent_grid(board: Board, width: int, left: int) -> list[RenderableType]:
    """Return each agent in columns, when at least three lines are left for it."""
    if left < 4 or not board.agents:
        return []
    across = max(width // AGENT, 1)
    shown = sorted(board.agents, key=lambda row: row.agent)[: (left - 1) * across]
    grid = Table.grid(expand=True)
    for _ in range(across):
        grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    n_rows = -(-len(shown) // across)
    for line in range(n_rows):
        grid.add_row(*[_agent(shown[at], board) for at in range(line, len(shown), n_rows)])
    hidden = len(board.agents) - len(shown)
    title = Text(f" agents{f' ({hidden} more do not fit)' if hidden else ''}", style="dim")
    return [title, grid]


def _grid_rows(board: Board, width: int) -> int:
    return -(-len(board.agents) // max(width // AGENT, 1))


def _agent(row: AgentRow, board: Board) -> Text:
    since_s = max(board.at_us - row.since_us, 0) // SECOND
    word = row.reason if row.state == "paused" and row.reason else WORDS.get(row.state, row.state)
    word = "ending" if row.finishing else word
    if row.state == "ready" and row.then != "ready":
        word = f"→{'out' if row.then == 'leave' else row.then}"
    return Text.assemble(
        " ", ("■ ", COLOURS.get(row.state, "bright_black")), (f"{row.agent:<9.9} ", "bold"),
        f"{word:<8.8} {since_s // 60:>3}:{since_s % 60:02} ", (f"{row.campaign or '':<5.5}{row.calls_today:>4}", "dim"),
    )  # fmt: skip


def _alarms(board: Board, width: int) -> list[Text]:
    if not board.alarms:
        return [Text(" ✓ no alarms", style="green")]
    shown = []
    for kind, subject, since_us in board.alarms[:3]:
        since = to_datetime(since_us, board.zone)
        line = Text(f" ▲ {kind.replace('_', ' ')} {subject} since {since:%H:%M:%S}", style="bold red")
        line.truncate(width, overflow="ellipsis")
        shown.append(line)
    if len(board.alarms) > 3:
        shown[-1] = Text(f" ▲ and {len(board.alarms) - 2} more: cadencia status", style="bold red")
    return shown


# ---- pieces


def _ends(left: Text, right: Text, width: int) -> Text:
    gap = max(width - left.cell_len - right.cell_len - 1, 1)
    line = Text.assemble(left, " " * gap, right)
    line.truncate(width, overflow="ellipsis")
    line.no_wrap = True
    return line


def _indented(line: Text) -> Text:
    return _whole(Text.assemble(" ", line))


def _whole(line: Text) -> Text:
    """Keep a line to one line."""
    line.no_wrap = True
    line.overflow = "ellipsis"
    return line


def _meter(share: float, width: int, colour: str) -> tuple[tuple[str, str], tuple[str, str]]:
    full = min(round(share * width), width)
    return ("▰" * full, colour), ("▱" * (width - full), "bright_black")


def _sparkline(figures: Sequence[float], width: int) -> str:
    last = figures[-width:]
    top = max(last, default=0.0)
    return "".join(SPARKS[round(figure / top * (len(SPARKS) - 1))] for figure in last) if top > 0 else ""


def _shares(counts: Sequence[int], width: int) -> list[int]:
    """Return whole cells in the proportion of the counts, filling the width."""
    total = sum(counts)
    ends = [round(sum(counts[: n + 1]) * width / total) for n in range(len(counts))]
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


def _percent(share: float | None, digits: int = 0) -> str:
    return "–" if share is None else f"{share * 100:.{digits}f} %"


def _milliseconds(figure: float | None) -> str:
    return "–" if figure is None else f"{figure / 1000:.1f} s" if figure >= 100 else f"{figure:.0f} ms"
