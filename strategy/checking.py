"""Strategy documents read and checked: every mistake with its file, line and key, what was found and what to do.

Law kept: a document says nothing that is silently dropped. What the code does not do yet is told by `planned`.
"""

import math
import re
import tomllib
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec

from domain.documents import in_words, key_text, unusable_numbers
from domain.errors import BadInput
from domain.matching import GROUP
from domain.settings import DEFAULT_RETRY
from strategy.documents import (
    GUARDED,
    GUARDED_BY_DAY,
    HOLDOUT,
    HOURS,
    WRITTEN,
    Capacity,
    Document,
    Step,
    Strategy,
    Treatment,
    minutes,
    rules_of,
)
from strategy.expressions import parse, parse_quantity
from strategy.fields import FIELDS
from strategy.objectives import NET_RECOVERY, OBJECTIVES
from strategy.toml_lines import Path as Key
from strategy.toml_lines import line_of, lines_of

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_OF_CALLS: Final = ("day_parts", "caller_ids", "retry", "agent_group", "offer")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong with a document."""

    file: str
    line: int
    key: str
    #: What was found, and what to do.
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


def read(path: Path, shown: str = "") -> Strategy:
    """Return the strategy of a file, with the documents of its challengers.

    Parameters
    ----------
    shown : str
        The file as errors name it; empty: its path.

    Raises
    ------
    BadInput
        With the first mistake, and how many more there are.
    """
    strategy, problems = examine(path, shown)
    if strategy is None:
        first, more = problems[0], len(problems) - 1
        also = f"\n  and {more} more: cadencia strategy check {path}" if more else ""
        raise BadInput(f"{first}{also}")
    return strategy


def examine(path: Path, shown: str = "") -> tuple[Strategy | None, list[Problem]]:
    """Return the strategy of a file, None where it cannot be had, and everything wrong with it.

    Raises
    ------
    BadInput
        When there is no such file, or it cannot be read.
    """
    shown = shown or str(path)
    document, problems = examine_text(_text(path, shown), shown, path.stem)
    if document is None or problems:
        return None, problems
    challengers: dict[str, Document] = {}
    for number, arm in enumerate(document.trial.arms):
        if not arm.strategy or arm.strategy == document.name:
            continue
        beside = path.with_name(f"{arm.strategy}.toml")
        key: Key = ("trial", "arms", number, "strategy")
        tell = _Teller(_text(path, shown), shown)
        if not beside.is_file():
            known = sorted(one.stem for one in path.parent.glob("*.toml") if one != path)
            near = get_close_matches(arm.strategy, known, 1)
            hint = f"do you mean {near[0]}?" if near else f"beside it are {', '.join(known) or 'no others'}"
            problems.append(tell(key, f"names {arm.strategy!r}, and there is no file {beside.name} beside it; {hint}"))
            continue
        other, wrong = examine_text(_text(beside, beside.name), f"{shown.removesuffix(path.name)}{beside.name}")
        problems += wrong
        if other is not None and other.trial.arms:
            problems.append(tell(key, f"names {arm.strategy!r}, which has arms of its own; name a document without"))
        elif other is not None:
            challengers[arm.name] = other
    return (None if problems else Strategy(document=document, challengers=challengers)), problems


def examine_text(text: str, shown: str, stem: str | None = None) -> tuple[Document | None, list[Problem]]:
    """Return the document that a text is, None where it is none, and everything wrong with it.

    Parameters
    ----------
    shown : str
        The file as errors name it.
    stem : str, optional
        What the document has to be called.
    """
    try:
        stated = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column (\d+)\)$", str(error))
        line, column = (int(at[1]), f"column {at[2]}: ") if at else (len(text.splitlines()) or 1, "at its end: ")
        what = str(error)[: at.start()] if at else str(error).removesuffix(" (at end of document)")
        return None, [
            Problem(file=shown, line=line, key="", what=f"{column}this is not TOML: {what}; correct that line")
        ]
    except (RecursionError, ValueError) as error:
        what = f"this cannot be read as TOML ({type(error).__name__}): a number or a list in it is too long or too deep"
        return None, [Problem(file=shown, line=1, key="", what=f"{what}; shorten it")]
    tell = _Teller(text, shown)
    if unusable := [tell(key, what) for key, what in unusable_numbers(stated)]:
        return None, unusable
    try:
        document = msgspec.convert(stated, Document)
    except msgspec.ValidationError as error:
        key, what = in_words(str(error), stated, Document, 1)
        return None, [tell(tuple(key), what, named=True)]
    problems = list(_problems(document, tell))
    if stem is not None and document.name != stem:
        problems.insert(
            0, tell(("name",), f"is {document.name!r}, and the file is called {stem}.toml; give both one name")
        )
    return document, problems


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise BadInput(f"{shown}: there is no such file; `cadencia strategy new NAME` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{shown}: cannot be read ({error}); save it as a file of UTF-8 that you may read") from None


class _Teller:
    """Makes problems of one document."""

    def __init__(self, text: str, shown: str) -> None:
        self._lines, self.shown = lines_of(text), shown

    def __call__(self, key: Key, what: str, *, named: bool = False) -> Problem:
        name = key_text(key, 1)
        line = line_of(self._lines, key)
        return Problem(file=self.shown, line=line, key=name, what=what if named else f"{name} {what}")

    def expression(self, key: Key, text: str, check: Callable[[str, Any, str], Any]) -> Iterator[Problem]:
        try:
            check(text, FIELDS, "")
        except BadInput as error:
            yield self(key, f"{key_text(key, 1)}{error}", named=True)


# ---- what may be wrong


def _problems(document: Document, tell: _Teller) -> Iterator[Problem]:
    if not _NAME.fullmatch(document.name):
        yield tell(("name",), f"is {document.name!r}; write letters, digits, hyphens and underscores")
    for number, text in enumerate(document.rank_by):
        yield from tell.expression(("rank_by", number), text, parse_quantity)
    for name, part in document.day_parts.items():
        try:
            minutes(part)
        except ValueError:
            yield tell(("day_parts", name), f"is {part!r}; write begin and end of a part of one day, as 09:00-13:30")
    yield from _segments(document, tell)
    for name, treatment in document.treatments.items():
        yield from _treatment(document, name, treatment, tell)
    yield from _trial(document, tell)
    for hour in document.capacity.agents:
        if hour not in HOURS:
            yield tell(
                ("capacity", "agents", hour), "is no hour of a day, 0 to 23; write 9 = 10 for ten agents at nine"
            )
    for channel in document.budgets:
        if channel not in WRITTEN:
            yield tell(("budgets", channel), f"is no channel with a budget; {_meant(channel, WRITTEN)}")


def _segments(document: Document, tell: _Teller) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    last = len(document.segments) - 1
    for number, segment in enumerate(document.segments):
        key: Key = ("segments", number)
        if not _NAME.fullmatch(segment.name):
            yield tell((*key, "name"), f"is {segment.name!r}; write letters, digits, hyphens and underscores")
        if segment.name in seen:
            yield tell(
                (*key, "name"), f"is {segment.name!r}, as that of segment {seen[segment.name] + 1}; rename one of them"
            )
        seen.setdefault(segment.name, number)
        if segment.treatment not in document.treatments:
            near = get_close_matches(segment.treatment, document.treatments, 1)
            hint = f"do you mean {near[0]}?" if near else f"there are {', '.join(document.treatments) or 'none'}"
            yield tell((*key, "treatment"), f"is {segment.treatment!r}, which is no treatment of this document; {hint}")
        wrong = list(tell.expression((*key, "when"), segment.when, parse))
        yield from wrong
        if wrong:
            continue
        everybody = parse(segment.when, FIELDS, "").everybody
        if everybody and number != last:
            yield tell(
                (*key, "when"),
                f"is true, so that nobody comes to the segments after {segment.name!r}; make it the last one",
            )
        if not everybody and number == last:
            yield tell(
                (*key, "when"),
                f"is {segment.when!r}, and nobody says what happens to everybody else; add a last segment with "
                'when = "true"',
            )


def _treatment(document: Document, name: str, treatment: Treatment, tell: _Teller) -> Iterator[Problem]:
    key: Key = ("treatments", name)
    if not _NAME.fullmatch(name):
        yield tell(key, f"is called {name!r}; write letters, digits, hyphens and underscores")
    if not any(segment.treatment == name for segment in document.segments):
        yield tell(key, "is the treatment of no segment; name it in one, or remove it")
    if treatment.stop_when:
        yield from tell.expression((*key, "stop_when"), treatment.stop_when, parse)
    before = -1
    for number, step in enumerate(treatment.steps):
        place: Key = (*key, "steps", number)
        if step.after_days <= before:
            yield tell(
                (*place, "after_days"),
                f"is {step.after_days}, not after the {before} of the step before; a step holds until the next one's "
                "day: order them by after_days",
            )
        before = step.after_days
        yield from _step(document, step, place, tell)


def _step(document: Document, step: Step, key: Key, tell: _Teller) -> Iterator[Problem]:
    for number, part in enumerate(step.day_parts):
        if part not in document.day_parts:
            known = ", ".join(document.day_parts) or "none"
            near = get_close_matches(part, document.day_parts, 1)
            hint = f"do you mean {near[0]}?" if near else f"[day_parts] has {known}"
            yield tell((*key, "day_parts", number), f"is {part!r}, which is no part of the day; {hint}")
    for number, caller in enumerate(step.caller_ids):
        if not _E164.fullmatch(caller):
            yield tell((*key, "caller_ids", number), f"is {caller!r}; write it as +34910000000")
    if step.agent_group and not GROUP.fullmatch(step.agent_group):
        yield tell(
            (*key, "agent_group"),
            f"is {step.agent_group!r}; write one group as it is on record: letters, digits, hyphens and underscores",
        )
    for disposition in step.retry:
        if disposition not in DEFAULT_RETRY:
            yield tell(
                (*key, "retry", disposition), f"is no outcome of a call; {_meant(disposition, sorted(DEFAULT_RETRY))}"
            )
    if step.channel != "call":
        for field in _OF_CALLS:
            if getattr(step, field):
                yield tell((*key, field), f"is of calls, and the channel is {step.channel!r}; remove it")
    if step.channel in WRITTEN and not step.template:
        yield tell((*key, "template"), f"is missing, and a step by {step.channel} has to say what is sent; name a text")
    if step.channel not in WRITTEN and step.template:
        yield tell((*key, "template"), f"is {step.template!r}, and {step.channel} sends no text; remove it")
    if step.task and step.channel != "none":
        yield tell((*key, "task"), f'is {step.task!r}, and the channel is {step.channel!r}; write channel = "none"')


def _meant(word: str, words: Sequence[str]) -> str:
    near = get_close_matches(word.casefold(), words, 1)
    return f"do you mean {near[0]}?" if near else f"name one of {', '.join(words)}"


def _trial(document: Document, tell: _Teller) -> Iterator[Problem]:
    trial = document.trial
    for metric, limit in trial.guardrails.items():
        key: Key = ("trial", "guardrails", metric)
        if metric not in GUARDED:
            yield tell(key, f"is nothing that arms are watched for; {_meant(metric, list(GUARDED))}")
            continue
        unit, most = GUARDED[metric]
        if most == 1.0 < limit <= 100.0:
            yield tell(key, f"is {limit:g}, and it is a {unit}, from 0 to 1; {limit:g} % is written {limit / 100:g}")
        elif not 0.0 <= limit <= most:
            upper = f" to {most:,.0f}" if math.isfinite(most) else " or more"
            yield tell(key, f"is {limit:g}, and it limits {unit}; write a number from 0{upper}")
    if not trial.arms:
        return
    names = [arm.name for arm in trial.arms]
    for number, arm in enumerate(trial.arms):
        key = ("trial", "arms", number, "name")
        if not _NAME.fullmatch(arm.name) or arm.name == HOLDOUT:
            yield tell(key, f"is {arm.name!r}; write letters, digits, hyphens and underscores, and not {HOLDOUT}")
        elif arm.name in names[:number]:
            yield tell(key, f"is {arm.name!r}, as that of another arm; rename one of them")
        if arm.share == 0.0:
            # Records of earlier trials may hold one; nothing can be planned or told of it.
            yield tell((*key[:-1], "share"), "is 0, and of an arm without debtors nothing is learned; remove the arm")
    if abs(sum(arm.share for arm in trial.arms) - 1.0) > 1e-9:
        shares = " + ".join(f"{arm.share:g}" for arm in trial.arms)
        yield tell(
            ("trial", "arms"),
            f"have shares of {shares} = {sum(arm.share for arm in trial.arms):g} of who is not held out; make them 1",
        )
    if all(arm.strategy and arm.strategy != document.name for arm in trial.arms):
        yield tell(("trial", "arms"), "leave this document out; give one of them no strategy, the champion")


# ---- what is not done yet


def planned(strategy: Strategy) -> list[str]:
    """Return in words what a strategy says that is not done yet."""
    found = []
    for document in (strategy.document, *strategy.challengers.values()):
        said = f"{document.name}: "
        for name, treatment in document.treatments.items():
            for number, step in enumerate(treatment.steps, 1):
                where = f"{said}treatment {name}, step {number}: "
                if step.channel in WRITTEN:
                    known = "; no e-mail address is on record: the file names the account" * (step.channel == "email")
                    found.append(
                        f"{where}{step.channel} is handed out by `cadencia due`, not sent by Cadencia yet{known}"
                    )
        if document.capacity != Capacity() and not document.plan:
            found.append(f'{said}[capacity] is planned with by plan = "slots" alone; the list takes everybody')
        if document.replan and not document.plan:
            found.append(f'{said}replan concerns plan = "slots" alone; this document plans no hours')
        trial = document.trial
        watched = [*trial.guardrails, *(["fairness"] if trial.fairness is not None else [])]
        if watched and document is not strategy.document:
            found.append(
                f"{said}guardrails of a challenger's document are not looked at; write them in "
                f"{strategy.document.name}, which draws the arms"
            )
        elif watched and not trial.arms:
            found.append(f"{said}guardrails are watched between the arms of an experiment, and no arms are drawn here")
        elif unwatched := trial.unwatched:
            found.append(
                f'{said}guardrails: {", ".join(unwatched)} is of debtors, and unit = "pool_day" has every debtor in '
                f"every arm: not watched; only {', '.join(GUARDED_BY_DAY)} is, so look at complaints yourself, or "
                'write unit = "debtor"'
            )
        if document.trial.ends_after_days is not None:
            found.append(
                f"{said}ends_after_days is when an experiment is decided; its arms are drawn on until you change the "
                "document"
            )
    return found


def agent_groups(strategy: Strategy) -> list[str]:
    """Return the groups of agents that steps ask for."""
    documents = (strategy.document, *strategy.challengers.values())
    treatments = [treatment for document in documents for treatment in document.treatments.values()]
    return list(dict.fromkeys(step.agent_group for one in treatments for step in one.steps if step.agent_group))


def advice(strategy: Strategy) -> list[str]:
    """Return in words what may be meant, and often is not."""
    found = []
    for document in (strategy.document, *strategy.challengers.values()):
        said = f"{document.name}: "
        rules = rules_of(document)
        for name, treatment in document.treatments.items():
            if not any(step.channel == "call" for step in treatment.steps):
                continue
            stop = rules.stops.get(name)
            reads = frozenset() if stop is None else stop.reads
            of = [n for n, segment in enumerate(document.segments) if segment.treatment == name]
            before = frozenset().union(*(one.reads for one in rules.segments[: max(of) + 1]))
            for field, what in (("promises_open", "an open promise"), ("plans_open", "a plan of instalments")):
                if field not in reads | before:
                    found.append(
                        f"{said}treatment {name} calls people with {what} too; "
                        f'add stop_when = "{field} > 0" unless that is meant'
                    )
        if document.objective != NET_RECOVERY and not document.plan:
            found.append(
                f"{said}objective {document.objective} judges trials and simulations, and rank_by alone orders the "
                'list; plan = "slots" plans for it'
            )
        if document.objective != NET_RECOVERY and document.plan and document.capacity.cost_per_attempt:
            found.append(
                f"{said}capacity.cost_per_attempt is money, and the plan counts {OBJECTIVES[document.objective].unit}: "
                "it is not weighed"
            )
        if document.plan and any(one.normal == "value_call" for one in rules.rank_by):
            found.append(
                f'{said}rank_by names value_call, and plan = "slots" weighs it by the chance to reach the debtor once '
                "more; name value_contact, what a conversation is worth"
            )
        if document.explore == 0.0 and not strategy.document.trial.holdout:
            found.append(f"{said}explore is 0 and nobody is held out: the record will not tell what a call brings")
    trial = strategy.document.trial
    if trial.arms and trial.unit == "debtor" and agent_groups(strategy):
        found.append(
            f"{strategy.document.name}: steps ask for a group of agents, and arms share the agents: what one is given "
            'another misses; write unit = "pool_day" in [trial]'
        )
    return found
