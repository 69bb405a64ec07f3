"""The desk from the command line: who the agents are, and what they and their supervisors do."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, tell
from console.running import ask

app = typer.Typer(help="The desk: sign in and out, ready, pause, outcomes, moves.", no_args_is_help=True)

Agent = Annotated[str, typer.Argument(help="The agent's code.")]
Agents = Annotated[list[str], typer.Argument(help="The agents' codes.")]
Campaigns = Annotated[
    list[str] | None, typer.Option("--campaign", "-c", help="Campaign to serve; repeat for several; none: all.")
]


def _each(
    folder: Path, agents: list[str], do: str, as_json: bool, said: Callable[[dict[str, Any]], str], **fields: Any
) -> None:
    """Give each agent the same command, and tell of each what came of it; status 2 when any was refused."""
    from console.settings import SOCKET
    from domain.errors import BadInput

    answers: dict[str, dict[str, Any]] = {}
    for agent in agents:
        try:
            answers[agent] = ask(folder, do, agent=agent, **fields)
        except BadInput as error:
            if len(agents) == 1 or not (folder / SOCKET).exists():
                raise
            answers[agent] = {"error": str(error)}

    def shown() -> str:
        from rich.markup import escape

        lines: dict[str, list[str]] = {}
        for agent, answer in answers.items():
            word = f"[red]{escape(answer['error'])}[/]" if "error" in answer else escape(said(answer.get("stand", {})))
            lines.setdefault(word, []).append(agent)
        return "\n".join(f"{', '.join(names)}: {word}" for word, names in lines.items())

    tell(answers, as_json, shown)
    if any("error" in answer for answer in answers.values()):
        raise typer.Exit(2)


def _busy(stand: dict[str, Any]) -> bool:
    """Tell whether something is at hand that comes first: a call, its wrap-up, a lead on the screen."""
    return stand.get("state") in ("reserved", "talking", "wrapup")


def _goes(stand: dict[str, Any], will: str, done: str) -> str:
    """Say when somebody who asked to pause or leave does."""
    if _busy(stand):
        return f"{will} after the call at hand and its wrap-up"
    if stand.get("state") == "ready":
        return f"{will} once no call rings for them, within a minute"
    return done


@app.command()
def login(
    agents: Agents,
    campaign: Campaigns = None,
    node: Annotated[str | None, typer.Option(help="Switch node of the phone; without it, the first.")] = None,
    dials_in: Annotated[
        bool, typer.Option("--dials-in", help="The agent calls the feature code, instead of being called.")
    ] = False,
    until: Annotated[
        str | None, typer.Option(help="When their shift ends, where known: 2026-11-18T18:00:00+01:00.")
    ] = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Sign agents in; their phones ring and stay off-hook for the shift."""
    fields = {"campaigns": campaign or [], "call_me": not dials_in, "node": node, "until": until}

    def said(stand: dict[str, Any]) -> str:
        if stand.get("state") == "away":
            whose = "dials the feature code" if dials_in else "is answered"
            return f"signed in; next, when the phone {whose}: cadencia agents ready NAME"
        if stand.get("state") == "paused":
            return "signed in and on pause; next: cadencia agents ready NAME"
        return f"signed in ({stand.get('state', 'on the floor')})"

    _each(folder, agents, "sign_in", as_json, said, **fields)


@app.command()
def logout(agents: Agents, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Sign agents out, after the call at hand or what rings for them."""
    _each(folder, agents, "sign_out", as_json, lambda stand: _goes(stand, "leaves", "signed out"))


@app.command()
def ready(agents: Agents, folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Agents are ready for calls."""

    def said(stand: dict[str, Any]) -> str:
        if _busy(stand):
            return "ready after the call at hand" if stand["state"] != "reserved" else "ready: a call is on its way"
        return "ready as soon as the phone is off-hook" if stand.get("state") == "away" else "ready"

    _each(folder, agents, "ready", as_json, said)


@app.command()
def pause(
    agents: Agents,
    reason: Annotated[str, typer.Option("--reason", "-r", help="One of the floor's reasons.")] = "break",
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Agents pause; a call at hand and its wrap-up come first, and what rings for them."""
    will, done = f"will pause ({reason})", f"on pause ({reason})"
    _each(folder, agents, "pause", as_json, lambda stand: _goes(stand, will, done), reason=reason)


@app.command()
def move(
    agents: Agents,
    campaign: Campaigns = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Give agents other campaigns."""
    answer = ask(folder, "move", agents=agents, campaigns=campaign or [])
    tell(answer, as_json, lambda: f"{', '.join(agents)}: now on {', '.join(campaign or []) or 'every campaign'}.")


@app.command()
def finishing(
    agents: Agents,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="The conversation goes on after all.")] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Agents are about to end their conversation: the next call may be dialled for them a little earlier."""
    word = "not finishing after all" if withdraw else "about to finish"
    _each(folder, agents, "finishing", as_json, lambda _: word, about_to=not withdraw)


@app.command()
def dispose(
    agent: Agent,
    outcome: Annotated[str, typer.Argument(help="wrong_party, third_party, no_promise, promise, plan, dispute, …")],
    call: Annotated[str | None, typer.Option(help="Call id; without it, the call at hand.")] = None,
    debt: Annotated[int | None, typer.Option(help="Debt it is about, where there are several.")] = None,
    amount: Annotated[
        str | None, typer.Option(help="Sum promised, in the debt's currency: 150.50; of a plan, all instalments.")
    ] = None,
    due: Annotated[str | None, typer.Option(help="Day of the payment, or of the first instalment: 2026-11-30.")] = None,
    instalments: Annotated[int | None, typer.Option(help="How many, for a plan.")] = None,
    settles: Annotated[
        bool, typer.Option("--settles", help="The sum settles the debt: the rest is waived, as the call's offer says.")
    ] = False,
    call_back_at: Annotated[str | None, typer.Option(help="When to call back: 2026-11-19T10:00:00+01:00.")] = None,
    own: Annotated[bool, typer.Option("--own", help="The call-back is for this agent alone.")] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Record the outcome of an agent's call."""
    answer = ask(
        folder,
        "dispose",
        agent=agent,
        disposition=outcome,
        call_id=call,
        debt=debt,
        amount=amount,
        due_on=due,
        instalments=instalments,
        settles=settles,
        call_back_at=call_back_at,
        own=own,
    )
    tell(answer, as_json, lambda: f"{agent}: {outcome} recorded.")


@app.command()
def add(
    agents: Agents,
    name: Annotated[str | None, typer.Option(help="The agent's name; for one agent.")] = None,
    extension: Annotated[str | None, typer.Option(help="Of the phone on the switch; for one agent.")] = None,
    campaign: Campaigns = None,
    groups: Annotated[
        str | None,
        typer.Option(
            help='Groups that steps of strategies may ask for: seniors,plans; "" for none; without it, as they are.'
        ),
    ] = None,
    leaves: Annotated[bool, typer.Option("--leaves", help="May not sign in any more.")] = False,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Put agents on record, or change what stands there. Once there are any, nobody else may sign in.

    Names, extensions and groups stay as they are where they are not given.
    """
    import time

    from console import roster, settings
    from domain.errors import BadInput
    from domain.matching import checked_groups
    from ledger import queries
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    for one in campaign or []:
        loaded.floor.campaign(one)
    if len(agents) > 1 and (name is not None or extension is not None):
        raise BadInput("agents add: --name and --extension are for one agent; add them one by one")
    told = (
        None
        if groups is None
        else checked_groups([one.strip() for one in groups.split(",") if one.strip()], "--groups")
    )
    ledger = open_ledger(loaded.ledger_url)
    try:
        known = {one.agent: one for one in roster.agents(ledger)}
        added = []
        for code in agents:
            now = known.get(code)
            added.append(
                queries.Agent(
                    agent=code,
                    name=now.name if name is None and now else name,
                    extension=now.extension if extension is None and now else extension,
                    campaigns=tuple(campaign or ()),
                    active=not leaves,
                    groups=(now.groups if now else ()) if told is None else told,
                )
            )
        roster.put(ledger, added, time.time_ns() // 1000)
    finally:
        ledger.close()
    tell(added, as_json, lambda: f"{', '.join(agents)}: on record.")


@app.command("list")
def list_agents(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Who is on record, and how they stand on the running floor."""
    from console import roster, settings
    from domain.errors import BadInput
    from domain.instants import to_datetime
    from ledger.store import open_ledger

    loaded = settings.load(folder)
    ledger = open_ledger(loaded.ledger_url)
    known = {one.agent: one for one in roster.agents(ledger)}
    ledger.close()
    try:
        standing: dict[str, dict[str, Any]] = {row["agent"]: row for row in ask(folder, "status")["board"]["agents"]}
    except BadInput:
        standing = {}
    rows = [
        {
            "agent": code,
            "name": known[code].name if code in known else None,
            "extension": known[code].extension if code in known else None,
            "groups": known[code].groups if code in known else (),
            "active": known[code].active if code in known else True,
            "state": standing.get(code, {}).get("state", "offline"),
            "reason": standing.get(code, {}).get("reason", ""),
            "since_us": standing.get(code, {}).get("since_us"),
            "campaign": standing.get(code, {}).get("campaign"),
            "calls_today": standing.get(code, {}).get("calls_today", 0),
        }
        for code in sorted({*known, *standing})
    ]

    def shown() -> Any:
        from rich.table import Table

        table = Table(box=None, pad_edge=False)
        for title in ("agent", "name", "phone", "groups", "state", "since", "campaign", "calls"):
            table.add_column(title, justify="right" if title == "calls" else "left")
        for row in rows:
            since = "" if row["since_us"] is None else f"{to_datetime(row['since_us'], loaded.floor.zone):%H:%M:%S}"
            state = row["reason"] or row["state"] if row["state"] == "paused" else row["state"]
            shown_state = state if row["active"] else f"{state} (left)"
            cells = (
                row["agent"],
                row["name"],
                row["extension"],
                ", ".join(row["groups"]),
                shown_state,
                since,
                row["campaign"],
                row["calls_today"],
            )
            table.add_row(*("" if cell is None else str(cell) for cell in cells))
        return table if rows else "Nobody is on record and nobody is signed in."

    tell(rows, as_json, shown)
