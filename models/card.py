"""A version's card: what it is, what it was made of, how good it is, for whom less so; as Markdown and as a page."""

from html import escape
from typing import TYPE_CHECKING

from models import pages, plots
from models.evaluation import BASE, INCUMBENT, LOGISTIC, RAW, Line
from models.metrics import DIGITS, METRICS, WORDS, Figure
from models.uplift import ABOUT, LITTLE

if TYPE_CHECKING:
    from models.registry import Manifest
    from models.timing import BestTimes
    from models.training import Judgement
    from models.worth import Worth

#: In the order of columns.
_CONTESTANTS = ("model", RAW, LOGISTIC, INCUMBENT, BASE)
_KINDS = {"unknown": "not known yet"}
_TITLES = {
    "reliability": "What it said and what came",
    "gain": "How much of all yes is found among the best",
    "auc_by_block": "AUC by block",
    "log_loss_by_block": "Log-loss by block",
}


def card(manifest: "Manifest", judged: "Judgement", worth: "Worth | None" = None) -> tuple[str, str, dict[str, str]]:
    """Return the card as Markdown, as one self-contained page, and its plots as SVG by name."""
    drawn = _plots(judged)
    parts = _parts(manifest, judged)
    if worth is not None:
        parts.insert(1, _worth(worth))
    if judged.best_times is not None:
        parts.insert(1, _best_times(judged.best_times))
    return _markdown(manifest, judged, parts, list(drawn)), _page(manifest, judged, parts, drawn), drawn


class _Part:
    """One section: words, then a table."""

    def __init__(self, title: str, note: str, columns: list[str], rows: list[list[str]], left: int = 1) -> None:
        self.title, self.note, self.columns, self.rows, self.left = title, note, columns, rows, left


def _worth(worth: "Worth") -> _Part:
    """Return what contacts add, channel by channel."""
    return _Part(
        "Whom a contact moves",
        "What a contact adds to the chance of paying, as far as debtors whom the learner had not seen bear it out: "
        "differences among them (effect), a mean for everybody (mean), or next to nothing (none: the interval ends at "
        f"{LITTLE:.0%} or below). Else it is not known yet, whatever the mean: nobody is scored by it, and lists go by "
        "what comes next in their rank_by. An interval half as wide takes four times the debtors. Where lists order "
        "calls, and not every order finds the debtor, it is of a conversation.",
        ["channel", "rows", "contacted", "found by it", "learner", "borne out", "mean effect"],
        [
            [one.channel, f"{one.rows:,}", f"{one.contacted:,}", "100 %" if one.reached is None else
             f"{one.reached.mean:.1%}", ABOUT[one.learner], _KINDS.get(one.shown.kind, one.shown.kind),
             _figure(one.shown.mean, digits=4)]
            for one in worth.channels
        ],
    )  # fmt: skip


def _best_times(found: "BestTimes") -> _Part:
    """Return what is claimed of hours, and why no more."""
    of = found.timing
    by = (
        f"{found.calls:,} calls of {found.debtors:,} debtors that the model had not seen give what it says of hours a "
        f"slope of {of.measured:.2f} (standard error {of.error:.2f})"
    )
    if of.slope == 0.0:
        said = f"{by}: they do not clearly show that hours matter. Nothing is claimed: all hours of a number are alike."
    else:
        said = f"{by}; 1 is what the trees say, and never exceeded. Scores of the week count an hour by {of.slope:.2f}."
    return _Part(
        "Best times",
        said,
        ["", "best hour of the week over the mean hour", "log-loss of those calls"],
        [
            ["as the trees have it", f"{found.said:+.1%}", f"{found.log_loss_said:.5f}"],
            ["as it is served", f"{found.claimed:+.1%}", f"{found.log_loss_served:.5f}"],
        ],
    )


def _parts(manifest: "Manifest", judged: "Judgement") -> list[_Part]:
    found, data = judged.evaluation, manifest.data
    blocks = range(found.blocks + 1 if found.blocks > 1 else 1)
    held = [
        _Part(
            "May it be champion?",
            "Yes: it passed every question." if judged.verdict.passed else "No: see what failed.",
            ["question", "answer", "why"],
            [[one.name, "passed" if one.passed else "FAILED", one.words] for one in judged.verdict.checks],
            3,
        ),
        _Part(
            "On rows it had not seen",
            f"{found.rows:,} rows of {found.groups:,} groups from {found.span[0]} to {found.span[1]}, {found.rate:.4f} "
            f"of them yes; {found.refits} times it learned what was known and scored what came next. 95 % intervals "
            f"draw whole groups. Calibrated by: {found.calibration}.",
            ["", *(WORDS[metric] for metric in METRICS), "mean score", "rate"],
            [_line_cells(found.line(name)) for name in _CONTESTANTS if _has(found.lines, name)],
        ),
        _Part(
            "By block",
            "Each block is later than the one before; a model that is good in one and bad in the next is not yet safe.",
            ["block", "rows", "rate", "mean score", *(WORDS[metric] for metric in METRICS)],
            [
                [str(block) if block else "all", f"{line.rows:,}", f"{line.rate:.4f}", f"{line.mean:.4f}"]
                + [_of(metric, line.figures[metric]) for metric in METRICS]
                for block in blocks
                for line in [found.line("model", block)]
            ],
        ),
        _Part(
            "Against others on the same rows",
            "The model's figure less the other's, pair by pair. Log-loss, Brier and ECE: below zero is better.",
            ["", *(WORDS[metric] for metric in METRICS)],
            [[name, *(_of(metric, off[metric], "+") for metric in METRICS)] for name, off in found.against.items()],
        ),
    ]
    if found.segments:
        held.append(
            _Part(
                "Calibration by segment",
                "By chance: the error that a model of true probabilities would show on as many rows.",
                ["column", "segment", "rows", "rate", "mean score", "ECE", "by chance"],
                [
                    [one.column, one.word, f"{one.rows:,}", f"{one.rate:.4f}", f"{one.mean:.4f}", f"{one.ece:.4f}",
                     f"{one.ece_by_chance:.4f}"]
                    for one in found.segments
                ],
                2,
            )
        )  # fmt: skip
    held.append(
        _Part(
            "What it goes by",
            "Share of all that the features tell together (gain of the splits; sizes of the weights).",
            ["feature", "share"],
            [[name, f"{share:.1%}"] for name, share in judged.importance[:25]],
        )
    )
    if judged.suspects:
        held.append(
            _Part(
                "Columns that alone predict very well",
                "Was each of them really known before the contact? What was written after it makes a model that is "
                "excellent here and useless on the floor.",
                ["column", "AUC alone", "the schema trusts it"],
                [[one.column, f"{one.auc:.3f}", "yes" if one.trusted else "no"] for one in judged.suspects],
            )
        )
    fair = judged.fairness
    if fair.groups:
        held.append(
            _Part(
                "Fairness",
                "Protected fields are no features. In the best fifth: how likely a row is to be among the best fifth "
                "by score, whom contact falls upon, against all. "
                + ("; ".join(fair.concerns) + "." if fair.concerns else "Nothing stands out."),
                ["field", "group", "rows", "of a debtor", "rate", "mean score", "came ÷ said", "ECE", "by chance",
                 "in the best fifth"],
                [
                    [one.field, one.group, f"{one.rows:,}", f"{one.rows / one.debtors:.1f}" if one.debtors else "",
                     f"{one.rate:.4f}", f"{one.mean:.4f}", _figure(one.came_over_said, digits=2), f"{one.ece:.4f}",
                     f"{one.ece_by_chance:.4f}", _figure(one.intensity, digits=2)]
                    for one in fair.groups
                ],
                2,
            )
        )  # fmt: skip
    if fair.proxies:
        held.append(
            _Part(
                "Can the features tell the protected group?",
                "AUC of a model that learns the group from the features: .50 cannot, above .70 look, above .80 act.",
                ["field", "group", "AUC", "", "most by"],
                [
                    [one.field, one.group, f"{one.auc:.3f}", one.level, ", ".join(f"{n} {s:.0%}" for n, s in one.by)]
                    for one in fair.proxies
                ],
                5,
            )
        )
    schema, recipe = manifest.schema, manifest.recipe
    made = [
        ["version", f"{manifest.name}/{manifest.version}"],
        ["made at", manifest.made_at],
        ["target", schema.target + (f" = {schema.positive}" if schema.positive is not None else "")],
        ["data", f"{data.source}: {data.rows:,} rows of {data.groups:,} groups, {data.rate:.4f} yes"],
        ["from, to", f"{data.first} to {data.cut_off}; nothing later was known to it"],
        ["data SHA-256", data.sha256],
        ["schema hash", manifest.schema_hash],
        ["learner", f"{recipe.learner}, {recipe.rounds} rounds, {recipe.bags} bags, seed {recipe.seed}, "
         f"{recipe.threads} threads, " + (f"last {recipe.window_rows:,} rows" if recipe.window_rows else "all rows")],
        ["parameters", ", ".join(f"{name} {value}" for name, value in sorted(recipe.params.items())) or "defaults"],
        ["never features", ", ".join((*schema.barred, *schema.protected)) or "none"],
        ["monotone", ", ".join(f"{name} {sign:+d}" for name, sign in schema.monotone.items()) or "none"],
        *[[name, version] for name, version in manifest.versions.items()],
    ]  # fmt: skip
    held.append(_Part("How it was made", "Equal rows, schema and versions give equal bytes.", ["", ""], made, 2))
    return held


def _plots(judged: "Judgement") -> dict[str, str]:
    found = judged.evaluation
    most = max([0.01, *(max(one.mean_score, one.rate) for one in found.reliability)])
    drawn = {
        "reliability": plots.scatter(
            _TITLES["reliability"],
            [
                ("tenths of the rows", [(one.mean_score, one.rate, "") for one in found.reliability]),
                ("said = came", [(0.0, 0.0, ""), (most, most, "")]),
            ],
            pages.share, pages.share, "mean score", "rate",
        ),
        "gain": plots.scatter(
            _TITLES["gain"],
            [
                ("model", [(place / 20, value, "") for place, value in enumerate(found.gain)]),
                ("at random", [(0.0, 0.0, ""), (1.0, 1.0, "")]),
            ],
            pages.share, pages.share, "share of rows, best first", "share of all yes",
        ),
    }  # fmt: skip
    if found.blocks > 1:
        names = [name for name in ("model", LOGISTIC, INCUMBENT) if _has(found.lines, name)]
        across = [str(block) for block in range(1, found.blocks + 1)]
        for metric in ("auc", "log_loss"):
            values = [
                (name, [found.line(name, block).figures[metric].value for block in range(1, found.blocks + 1)])
                for name in names
            ]
            drawn[f"{metric}_by_block"] = plots.lines(f"{WORDS[metric]} by block", across, values, lambda v: f"{v:.2f}")
    return drawn


def _markdown(manifest: "Manifest", judged: "Judgement", parts: list[_Part], drawn: list[str]) -> str:
    lines = [f"# Model {manifest.name}", "", _answer(judged), ""]
    lines += [f"![{_TITLES[name]}]({name}.svg)" for name in drawn]
    for part in parts:
        lines += ["", f"## {part.title}", "", part.note, ""]
        columns = [column or " " for column in part.columns]
        lines.append(f"| {' | '.join(columns)} |")
        lines.append("|" + "|".join("---" if i < part.left else "---:" for i in range(len(columns))) + "|")
        lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in part.rows]
    return "\n".join([*lines, ""])


def _page(manifest: "Manifest", judged: "Judgement", parts: list[_Part], drawn: dict[str, str]) -> str:
    line = judged.evaluation.line()
    told = [(_short(line.figures[metric]), f"{WORDS[metric]} on unseen rows", "") for metric in METRICS[:2]]
    ece = line.figures["ece"].value
    told += [
        (f"{ece:.4f}", f"calibration error; {judged.evaluation.ece_by_chance:.4f} by chance alone", ""),
        ("may" if judged.verdict.passed else "may not", "be champion", "good" if judged.verdict.passed else "bad"),
    ]
    body = [pages.cards(told)]
    svgs = [pages.section(_TITLES[name], svg) for name, svg in drawn.items()]
    body += [f'<div class="two">{"".join(svgs[i : i + 2])}</div>' for i in range(0, len(svgs), 2)]
    body += [
        pages.section(
            part.title, pages.table(part.columns, part.rows, set(range(part.left, len(part.columns)))), part.note
        )
        for part in parts
    ]
    return pages.page(
        {
            "title": escape(f"Model {manifest.name}"),
            "question": escape(f"Model {manifest.name}: {manifest.schema.target}"),
            "answer": escape(_answer(judged)),
            "setting": escape(
                f"{manifest.data.source}, {manifest.data.rows:,} rows from {manifest.data.first} to "
                f"{manifest.data.cut_off}; made at {manifest.made_at}"
            ),
            "body": "\n".join(body),
            "footer": "Figures are of rows later than those learned from. They hold for times like those; "
            "`cadencia models drift` says whether the times have changed.",
        }
    )


def _answer(judged: "Judgement") -> str:
    line = judged.evaluation.line()
    figures = f"AUC {_short(line.figures['auc'])}, log-loss {_short(line.figures['log_loss'])}"
    if judged.verdict.passed:
        return f"It may be champion: {figures} on rows it had not seen."
    names = ", ".join(one.name for one in judged.verdict.checks if not one.passed)
    return f"It may not be champion ({names}): {figures} on rows it had not seen."


def _has(lines: tuple[Line, ...], name: str) -> bool:
    return any(one.contestant == name for one in lines)


def _line_cells(line: Line) -> list[str]:
    return [
        line.contestant,
        *(_of(metric, line.figures[metric]) for metric in METRICS),
        f"{line.mean:.4f}",
        f"{line.rate:.4f}",
    ]


def _of(metric: str, figure: Figure, sign: str = "") -> str:
    return _figure(figure, sign, DIGITS[metric])


def _figure(figure: Figure, sign: str = "", digits: int = 4) -> str:
    to = " to " if sign else "–"
    return f"{figure.value:{sign}.{digits}f} ({figure.low:{sign}.{digits}f}{to}{figure.high:{sign}.{digits}f})"


def _short(figure: Figure) -> str:
    return f"{figure.value:.3f}"
