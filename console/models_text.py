"""What the commands of models say, for people at a terminal."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Group
from rich.markup import escape
from rich.table import Table

from models.metrics import DIGITS, METRICS, WORDS, Figure

if TYPE_CHECKING:
    from rich.console import RenderableType

    from console.ledger_models import Scored
    from models.drift import Drift
    from models.evaluation import Evaluation, Line
    from models.promotion import Verdict
    from models.reasons import Explained
    from models.registry import Manifest
    from models.serving import Comparison, Listed, Promoted
    from models.training import Judgement

#: Not told block by block.
_ASIDE = ("base rate", "uncalibrated")
_COLOURS = {"still": "green", "watch": "yellow", "act": "red"}


def fitted(manifest: "Manifest", judged: "Judgement") -> "RenderableType":
    parts: list[RenderableType] = [
        f"[bold]{manifest.name}/{manifest.version}[/] is the candidate: {manifest.data.rows:,} rows of "
        f"{manifest.data.groups:,} groups from {manifest.data.first} to {manifest.data.cut_off}.",
        evaluated(judged.evaluation),
        verdict(judged.verdict),
    ]
    if judged.suspects:
        named = ", ".join(f"{one.column} (AUC {one.auc:.3f})" for one in judged.suspects)
        parts.append(f"[yellow]Alone predicts very well:[/] {named}. Was it known before the contact? If not, bar it.")
    parts += [f"[yellow]Fairness:[/] {words}." for words in judged.fairness.concerns]
    best = ", ".join(f"{name} {share:.0%}" for name, share in judged.importance[:6])
    return Group(*parts, f"It goes by {best}.")


def heads(made: "Sequence[tuple[Manifest, Judgement]]", left_out: "Mapping[str, str]") -> "RenderableType":
    parts: list[RenderableType] = []
    if made:
        table = Table(title="\nCandidates, each judged on what came after what it learned from", title_justify="left")
        for column in ("head", "version", "rows", "yes", WORDS["auc"], WORDS["log_loss"], "gate"):
            table.add_column(column, justify="right" if column not in ("head", "version", "gate") else "left")
        for manifest, judged in made:
            figures = judged.evaluation.line().figures
            table.add_row(
                manifest.name, manifest.version, f"{manifest.data.rows:,}", f"{manifest.data.rate:.3f}",
                f"{figures['auc'].value:.3f}", f"{figures['log_loss'].value:.4f}",
                "[green]passed[/]" if judged.verdict.passed else "[red]refused[/]",
            )  # fmt: skip
        parts.append(table)
        for manifest, judged in made:
            if found := judged.fairness.concerns:
                more = f", and {len(found) - 1} more on its card" if len(found) > 1 else ""
                parts.append(f"[yellow]{manifest.name}, fairness:[/] {escape(found[0])}{more}.")
        parts += [
            f"[red]{manifest.name}[/] {'; '.join(judged.verdict.refusals)}."
            for manifest, judged in made
            if not judged.verdict.passed
        ]
    parts += [f"[yellow]Left out:[/] {escape(why if why.startswith(name) else f'{name}: {why}')}."
              for name, why in left_out.items()]  # fmt: skip
    return Group(*parts)


def promoted_all(found: "Sequence[Promoted]") -> "RenderableType":
    lines = []
    for one in found:
        if one.promoted:
            before = f", after {one.before}" if one.before else ""
            lines.append(f"[green]{one.name}[/]: {one.version} is the champion{before}.")
        elif one.verdict is not None:
            lines.append(f"[red]{one.name}[/]: {one.version} may not be champion: {'; '.join(one.verdict.refusals)}.")
        else:
            lines.append(f"{one.name}: {one.version} is the champion already.")
    return Group(*lines)


def scored(made: "Scored") -> str:
    heads_by = ", ".join(f"{head}/{version}" for head, version in made.set.versions.items())
    return (
        f"{made.set.people:,} people and {made.set.numbers:,} numbers scored into the ledger as set "
        f"{made.set.number} in {made.seconds:.1f} s ({made.people_per_second:,.0f} people a second), by {heads_by}."
    )


def evaluated(found: "Evaluation", *, overstated: bool = False) -> "RenderableType":
    how = "as it stands" if not found.refits else f"learning anew {found.refits} times"
    title = f"\n{found.rows:,} rows from {found.span[0]} to {found.span[1]}, {found.rate:.4f} yes, {how}"
    overall = _lines(title, [one for one in found.lines if one.block == 0])
    parts: list[RenderableType] = [overall]
    if found.blocks > 1:
        table = Table(title="\nBlock by block, each later than the one before", title_justify="left")
        for column in ("block", "rate", *(f"{WORDS[metric]} of {one}" for metric in ("auc", "log_loss")
                                          for one in _contestants(found))):  # fmt: skip
            table.add_column(column, justify="right")
        for block in range(1, found.blocks + 1):
            figures = [
                f"{found.line(one, block).figures[metric].value:.4f}"
                for metric in ("auc", "log_loss")
                for one in _contestants(found)
            ]
            table.add_row(str(block), f"{found.line('model', block).rate:.4f}", *figures)
        parts.append(table)
    parts.append(f"Calibration error by chance alone: {found.ece_by_chance:.4f}. Calibrated by: {found.calibration}.")
    if overstated:
        parts.append("[yellow]Random folds overstate:[/] judge by forward windows before you believe it.")
    return Group(*parts)


def verdict(found: "Verdict") -> "RenderableType":
    lines = [
        f"  {'[green]passed[/]' if one.passed else '[bold red]failed[/]'} {one.name}: {one.words}"
        for one in found.checks
    ]
    head = "[green]It may be champion.[/]" if found.passed else "[bold red]It may not be champion.[/]"
    return "\n".join([f"\n{head}", *lines])


def promoted(name: str, version: str, before: str, found: "Verdict", despite: str) -> "RenderableType":
    if found.passed or despite:
        instead = f" instead of {before}" if before and before != version else ""
        lines = [f"Champion of {name}: [bold]{version}[/]{instead}."]
        if not found.passed:
            lines.append(f"[yellow]Although[/] {'; '.join(found.refusals)}. On record: {despite}")
        return "\n".join(lines)
    return Group(verdict(found), "Nothing has changed. What a new model must show: docs/models.md.")


def compared(found: "Comparison") -> "RenderableType":
    pairs = (
        f"on {found.pairs:,} rows that neither had seen" if found.pairs else "each on rows of its own: not comparable"
    )
    table = _lines(f"{found.name}, {pairs}", list(found.lines))
    if found.differences:
        table.add_row(
            f"{found.one}\nless the other", *(_below(metric, found.differences[metric], "+") for metric in METRICS)
        )
    return table


def drifted(found: "Drift") -> "RenderableType":
    head = f"[bold {_COLOURS[found.level]}]{found.level}[/]: {found.rows:,} rows against those of {found.version}"
    table = Table(title="\nFeatures and score; PSI above .10 watch, above .25 act", title_justify="left")
    for column in ("column", "PSI", "", "moved most", "share then", "now"):
        table.add_column(column, justify="left" if column in ("column", "", "moved most") else "right")
    for one in (found.score, *found.columns[:20]):
        level = f"[{_COLOURS[one.level]}]{one.level}[/]"
        table.add_row(one.column, f"{one.psi:.3f}", level, one.most, f"{one.then:.3f}", f"{one.now:.3f}")
    parts: list[RenderableType] = [head, table]
    if found.blocks:
        worth = Table(title=f"\nWhat its scores were worth; expected log-loss {_figure(found.expected_log_loss)}",
                      title_justify="left")  # fmt: skip
        for column in ("from", "rows", "rate", "mean\nscore", "log-loss", "ECE", "by\nchance", ""):
            worth.add_column(column, justify="left" if column in ("from", "") else "right")
        for block in found.blocks:
            worth.add_row(
                block.begins.replace(" ", "\n"), f"{block.rows:,}", f"{block.rate:.4f}", f"{block.mean:.4f}",
                _below("log_loss", block.log_loss), f"{block.ece:.4f}", f"{block.ece_by_chance:.4f}",
                f"[{_COLOURS[block.level]}]{block.level}[/]",
            )  # fmt: skip
        parts.append(worth)
    return Group(*parts)


def listed(found: "Sequence[Listed]") -> "RenderableType":
    if not found:
        return "No model yet; make one: cadencia models fit TABLE --schema FILE"
    table = Table()
    for column in ("version, stage", "made at", "rows", "AUC", "log-loss", "gate"):
        table.add_column(column, justify="right" if column in ("rows", "AUC", "log-loss") else "left")
    for one in found:
        gate = "[green]passed[/]" if one.passed else "[red]refused[/]"
        version = f"{one.name}/{one.version}" + (f"\n[bold]{one.stage}[/]" if one.stage else "")
        made_at = one.made_at[:16].replace("T", "\n")
        table.add_row(version, made_at, f"{one.rows:,}", f"{one.auc:.3f}", f"{one.log_loss:.4f}", gate)
    return table


def explained(found: "Sequence[Explained]") -> Table:
    table = Table()
    for column, right in (("row", True), ("who", False), ("score", True), ("what moved it most", False)):
        table.add_column(column, justify="right" if right else "left")
    for one in found:
        words = "\n".join(
            f"[{'green' if reason.effect > 0 else 'red'}]{'▲' if reason.effect > 0 else '▼'}[/] {escape(reason.text)}"
            for reason in one.reasons
        )
        table.add_row(str(one.row + 1), escape(one.group or ""), f"{one.p:.4f}", words)
    return table


def _lines(title: str, lines: "list[Line]") -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("", no_wrap=True)
    for metric in METRICS:
        table.add_column(WORDS[metric], justify="right")
    for one in lines:
        table.add_row(one.contestant, *(_below(metric, one.figures[metric]) for metric in METRICS))
    return table


def _contestants(found: "Evaluation") -> list[str]:
    return [one.contestant for one in found.lines if one.block == 0 and one.contestant not in _ASIDE]


def _below(metric: str, figure: Figure, sign: str = "") -> str:
    """Return a figure with its interval below it; on a narrow terminal it breaks at its blanks and is never cut off."""
    digits = DIGITS[metric]
    return f"{figure.value:{sign}.{digits}f}\n[dim]{figure.low:{sign}.{digits}f} – {figure.high:{sign}.{digits}f}[/]"


def _figure(figure: Figure) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f}–{figure.high:.4f})"
