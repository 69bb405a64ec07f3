"""Commands about the working folder and the installation: init, doctor, demo, preflight."""

import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from console.command_line import HERE, AsJson, Folder, check_number, note, tell

app = typer.Typer()


@app.command(rich_help_panel="Set up")
def init(
    directory: Annotated[Path, typer.Argument(help="Folder to make or complete.")],
    campaign: Annotated[
        list[str] | None, typer.Option("--campaign", "-c", help="Name of a campaign file to add.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a working folder: settings, campaigns, rules, ledger. What is already there stays as it is."""
    from console import settings
    from domain.errors import BadInput

    try:
        made = make_folder(directory, tuple(campaign or ("sample",)))
    except OSError as error:
        raise BadInput(
            f"init: {error.filename or directory} cannot be made ({error.strerror}); name a folder that you may write"
        ) from None
    from ledger.store import open_ledger

    loaded = settings.load(directory)
    open_ledger(loaded.ledger_url).close()

    def shown() -> str:
        lines = [f"[green]made[/]  {path}" for path in made] or ["Nothing was missing."]
        return "\n".join([*lines, f"[bold]Ready.[/] Next: cadencia doctor --folder {directory}"])

    tell({"folder": str(directory), "made": [str(path) for path in made]}, as_json, shown)


def make_folder(directory: Path, campaigns: tuple[str, ...]) -> list[Path]:
    """Copy the templates that are missing and return what was made."""
    made = []
    with as_file(files("config")) as templates:
        wanted = [(templates / "cadencia.toml", directory / "cadencia.toml")]
        examples = sorted((templates / "strategies").glob("*.toml"))
        wanted += [(example, directory / "strategies" / example.name) for example in examples]
        wanted += [(pack, directory / "rules" / pack.name) for pack in sorted((templates / "rules").glob("*.toml"))]
        for source, target in wanted:
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                made.append(target)
        template = (templates / "campaign.toml").read_text(encoding="utf-8")
    for name, content in schemas().items():
        target = directory / "schemas" / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            made.append(target)
    for name in campaigns:
        target = directory / "campaigns" / f"{name}.toml"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(template.replace('name = "sample"', f'name = "{name}"'), encoding="utf-8")
            made.append(target)
    return made


def schemas() -> dict[str, bytes]:
    """Return the JSON Schemas by which editors complete and check the settings files."""
    from console import settings
    from domain.settings import CampaignSettings
    from strategy.documents import Document

    kinds: dict[str, type[Any]] = {
        "cadencia.json": settings.FileSettings,
        "campaign.json": CampaignSettings,
        "strategy.json": Document,
    }
    return {name: settings.schema(kind) for name, kind in kinds.items()}


@app.command(rich_help_panel="Set up")
def doctor(folder: Folder = HERE, as_json: AsJson = False) -> None:
    """Is this installation whole and ours? Says what is not ready and what to do."""
    from console import checks

    findings = checks.doctor(folder)
    tell(findings, as_json, lambda: checks.table(findings, "This installation"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command(rich_help_panel="Run")
def preflight(
    campaign: Annotated[str, typer.Argument(help="Name of the campaign.")],
    folder: Folder = HERE,
    as_json: AsJson = False,
) -> None:
    """Could this campaign start now? List, paid file, trunks, hours, rule version, clock, disk."""
    from console import checks, settings

    findings = checks.preflight(settings.load(folder), campaign)
    tell(findings, as_json, lambda: checks.table(findings, f"Campaign {campaign}"))
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command(rich_help_panel="Set up")
def demo(
    directory: Annotated[
        Path, typer.Argument(help="Folder to make; an earlier demonstration there is replaced.")
    ] = Path("demo"),
    debtors: Annotated[int, typer.Option(help="In the sample portfolio.")] = 5000,
    agents: Annotated[int, typer.Option(help="Robot agents.")] = 20,
    speed: Annotated[float, typer.Option(help="Of the rehearsal's clock against the wall's.")] = 30.0,
    hours: Annotated[float, typer.Option(help="To rehearse.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of portfolio and chance.")] = 1,
    lang: Annotated[str, typer.Option("--lang", envvar="LANG", help="Language of the report's page: en or es.")] = "en",
    as_json: AsJson = False,
) -> None:
    """A rehearsed campaign from nothing to a report, with no telephone."""
    from console import demo as making
    from console import floor, rehearsals, shift_text
    from console.portfolio import progress, summary
    from console.reports import write_page
    from console.running import dial

    check_number("demo: --debtors", debtors, least=1, most=5_000_000)
    check_number("demo: --agents", agents, least=1, most=10_000)
    check_number("demo: --speed", speed, least=0, most=1000, above=True)
    check_number("demo: --hours", hours, least=0, above=True)
    with progress(quiet=as_json) as report:
        loaded, found = making.prepare(directory, debtors=debtors, agents=agents, seed=seed, report=report)
    names = [campaign.name for campaign in loaded.floor.campaigns]
    note(summary(found))
    wiring = floor.rehearsal(
        loaded, names, start_us=floor.START_US, speed=speed, robots=rehearsals.robots(loaded, agents), seed=seed
    )
    dial(wiring, directory, hours=hours, as_json=as_json)
    (shift, account), page = making.closing(loaded), directory / "report.html"
    write_page(shift, page, "es" if lang.startswith("es") else "en")
    tell(shift, as_json, lambda: shift_text.overview(shift))
    note(
        f"The whole shift as one page: [bold]{page.resolve().as_uri()}[/]\n"
        f"Ask on: cadencia why {account} --folder {directory}; and so stock, report --close, metrics, verify, replay"
    )
