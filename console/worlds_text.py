"""Worlds as a terminal shows them; read without numerical libraries, so that a look at them is quick."""

from importlib.resources import files

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from simulation.population.laws import Laws
from simulation.population.worlds import PRESETS, about


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    about: str


def presets() -> list[Preset]:
    """Return the worlds that ship."""
    return [Preset(name=name, about=about(name)) for name in PRESETS]


def presets_table(found: list[Preset]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("world")
    table.add_column("what it is")
    for one in found:
        table.add_row(one.name, one.about)
    return Group(
        table, "[dim]Join two with +, such as bank_early+no_timing; show one: cadencia simulate worlds NAME[/]"
    )


def world(name: str, laws: Laws) -> RenderableType:
    """Return the documents of a world as they ship, with their sources; of others, all their laws."""
    parts = name.split("+")
    if not all(part in PRESETS for part in parts):
        return Text(msgspec.json.format(msgspec.json.encode(laws), indent=2).decode())
    home = files("config") / "worlds"
    known = [*(["default"] if "default" in PRESETS and "default" not in parts else []), *parts]
    texts = [(home / f"{part}.toml").read_text(encoding="utf-8") for part in known]
    return Text("\n".join(f"# ==== {part}\n{text}" for part, text in zip(known, texts, strict=True)))
