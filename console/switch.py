"""Commands about the telephone switch: the lab (a real Asterisk to try on), and the files for one's own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

if TYPE_CHECKING:
    from console.settings import Settings
    from dialer.asterisk.render import AsteriskPlan, QueuePlan

lab_app = typer.Typer(help="A real Asterisk with a simulated telephone network, on this machine.", no_args_is_help=True)
asterisk_app = typer.Typer(help="Files for your own Asterisk, and what is missing there.", no_args_is_help=True)

LAB = "lab"
Node = Annotated[str | None, typer.Option("--node", help="Switch node; without it, the first.")]


@lab_app.command()
def start(
    agents: Annotated[int, typer.Option(help="Agents' phones, numbered from 1001.")] = 50,
    version: Annotated[int, typer.Option(help="Major version of Asterisk: 22 or 16.")] = 22,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Put Asterisk and SIPp in place, without root, and run them until `lab stop`."""
    from console import settings
    from console.rehearsals import COPY
    from dialer.asterisk.lab import Lab

    check_number("lab start: --agents", agents, least=1, most=1000)
    loaded = settings.load(folder)
    state = Lab(
        folder / LAB,
        agents=agents,
        version=version,
        campaigns=queues(loaded),
        trunks=trunk_names(loaded),
        say=lambda line: note(f"[dim]{line}[/]"),
    ).start(detached=True)

    def shown() -> str:
        first = state.agents[0]
        names = " ".join(loaded_campaign.name for loaded_campaign in loaded.floor.campaigns)
        return (
            f"{state.asterisk_version.split('~')[0]} runs at {state.address} with agents "
            f"{state.agents[0]}-{state.agents[-1]}.\n"
            f"Next: cadencia run {names} --lab\n"
            "and, beside it, its agents: cadencia lab staff\n"
            f"or by hand: cadencia agents login {first}, then agents ready {first}, both with --folder {folder / COPY}"
        )

    answer = {"address": state.address, "version": state.asterisk_version, "agents": state.agents}
    tell(answer, as_json, shown)


@lab_app.command()
def staff(
    agents: Annotated[int, typer.Option(help="How many of the lab's agents work.")] = 10,
    seed: Annotated[int, typer.Option(help="Of what they say and how long they take.")] = 1,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Let robots work as the lab's agents, until ctrl-c; they wait for the run and come back to the next."""
    import asyncio
    from contextlib import suppress

    from console import settings
    from console.rehearsals import COPY
    from dialer.asterisk.lab import find
    from dialer.robots import Robots
    from domain.errors import BadInput

    check_number("lab staff: --agents", agents, least=1, most=1000)
    settings.load(folder)
    state = find(folder / LAB)
    if state is None:
        raise BadInput(f"lab: none runs in {folder / LAB}; start it with `cadencia lab start`")
    robots = Robots(folder / COPY / settings.SOCKET, state.agents[:agents], seed=seed)
    note(f"[dim]{len(state.agents[:agents])} robots work; ctrl-c sends them home.[/]")
    with suppress(KeyboardInterrupt):
        asyncio.run(robots.work())
    answer = {"recorded": robots.recorded, "refused": robots.refused}
    tell(answer, as_json, lambda: ", ".join(f"{count} {word}" for word, count in robots.recorded.items()) or "no call")


@lab_app.command()
def stop(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """End the lab of this folder."""
    from dialer.asterisk import lab

    stopped = lab.stop(folder / LAB)
    tell({"stopped": stopped}, as_json, lambda: "The lab is stopped." if stopped else "No lab runs in this folder.")


@asterisk_app.command()
def render(
    directory: Annotated[
        Path | None, typer.Argument(help="Where to write; without it, asterisk/ of the folder.")
    ] = None,
    node: Node = None,
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Write manager, dialplan, queue, agent and PJSIP files for this floor's campaigns."""
    from console import settings
    from dialer.asterisk import render as files

    loaded = settings.load(folder)
    written = files.render(plan(loaded, node), directory or folder / settings.ASTERISK)
    tell({"written": written}, as_json, lambda: "\n".join(str(path) for path in written))


@asterisk_app.command()
def check(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Ask every configured Asterisk what the floor still misses there. Nothing is changed and nobody is called."""
    from console import checks, settings
    from domain.errors import BadInput

    loaded = settings.load(folder)
    if not loaded.nodes:
        raise BadInput("cadencia.toml: there is no [nodes.NAME] to check; add one")
    findings = checks.asterisk(loaded)
    tell(findings, as_json, lambda: checks.table(findings, "Asterisk"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


def plan(settings: "Settings", node: str | None) -> "AsteriskPlan":
    """Return what the files of one node are made from."""
    from console.roster import agents
    from dialer.asterisk.render import AgentPlan, AsteriskPlan, TrunkPlan
    from domain.errors import BadInput
    from ledger.store import open_ledger

    name = node or next(iter(settings.nodes), None)
    if name not in settings.nodes:
        there = ", ".join(settings.nodes) or "none"
        raise BadInput(f"cadencia.toml: no [nodes.{name or 'main'}]; there are: {there}. Add the table or name another")
    server = settings.nodes[name]
    ledger = open_ledger(settings.ledger_url)
    known = agents(ledger)
    ledger.close()
    return AsteriskPlan(
        campaigns=queues(settings),
        trunks=tuple(
            TrunkPlan(
                name=trunk,
                contact=given.contact,
                match=given.match,
                codecs=given.codecs,
                username=given.username,
                password_env=given.password_variable,
            )
            for trunk, given in settings.trunks.items()
        ),
        agents=tuple(AgentPlan(agent=agent.agent, phone=agent.extension or "") for agent in known),
        version=server.version,
        ami_user=server.user,
        ami_secret_env=server.secret_variable,
        ami_permit=server.permit,
        transport=server.transport,
        login_code=server.login_code,
        ready_code=server.ready_code,
        pause_code=server.pause_code,
        pause_reason=next(iter(settings.floor.pause_reasons), "break"),
    )


def queues(settings: "Settings") -> "tuple[QueuePlan, ...]":
    """Return what the switch must know of each campaign."""
    from dialer.asterisk.render import QueuePlan

    return tuple(
        QueuePlan(
            name=campaign.name,
            detect_machines=campaign.detect_machines,
            record=campaign.record,
            patience_s=campaign.patience_s,
            clock_starts=campaign.clock_starts,
            message=campaign.message,
        )
        for campaign in settings.floor.campaigns
    )


def trunk_names(settings: "Settings") -> tuple[str, ...]:
    """Return every trunk that a campaign names, in order."""
    return tuple(dict.fromkeys(trunk for campaign in settings.floor.campaigns for trunk in campaign.trunks))
