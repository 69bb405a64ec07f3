"""The documents of worlds: read, put one over another, and refused with the place named where no world could be so."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from domain.calls import Disposition
from domain.errors import BadInput
from domain.money import EXPONENTS
from simulation.documents import in_words
from simulation.population.laws import LATENTS, Laws, Paydays

_FOLDER = files("config") / "worlds"
#: Names of the worlds that ship.
PRESETS: Final = tuple(sorted(path.name[:-5] for path in _FOLDER.iterdir() if path.name.endswith(".toml")))
#: What a conversation with a debtor may come to, and the words that end all calling.
_OUTCOMES: Final = frozenset(
    {
        Disposition.promise, Disposition.plan, Disposition.no_promise, Disposition.call_back, Disposition.dispute,
        Disposition.already_paid, Disposition.do_not_call,
    }
)  # fmt: skip
_CONDITIONS: Final = frozenset(
    {Disposition.vulnerable, Disposition.attorney, Disposition.bankrupt, Disposition.deceased}
)


def load(world: str | Path, over: Mapping[str, Any] | None = None) -> Laws:
    """Return the laws of a world.

    Parameters
    ----------
    world : str or Path
        A preset's name, or the path of a document; several, put one over the other, are joined by `+`: of the later
        ones only what they state themselves counts.
    over : mapping, optional
        What differs, as a document would state it.

    Raises
    ------
    BadInput
        When there is no such world, or there could be none.
    """
    name = str(world)
    parts = [name] if name in PRESETS or Path(name).is_file() else name.split("+")
    stated = _with_base(parts[0], ())
    for part in parts[1:]:
        stated = _over(stated, {key: value for key, value in _document(part, "")[0].items() if key != "base"})
    stated = _over(stated, over or {})
    _finite(stated, name)
    try:
        laws = msgspec.convert(stated, Laws)
    except msgspec.ValidationError as error:
        raise BadInput(f"world {name}: {in_words(error, stated, Laws)}") from None
    for wrong in _wrongs(laws):
        raise BadInput(f"world {name}: {wrong}")
    return laws


def about(preset: str) -> str:
    """Return what a world that ships is, in a sentence."""
    return str(_with_base(preset, ()).get("about", ""))


def _with_base(name: str, above: tuple[str, ...], folder: str = "") -> dict[str, Any]:
    stated, where = _document(name, folder)
    base = stated.pop("base", None)
    if base is None:
        return stated
    if not isinstance(base, str):
        raise BadInput(f"world {where}: base must be the name or path of a world, was {base!r}")
    if where in above:
        raise BadInput(f"world {where}: is its own base ({' → '.join((*above, where))}); take one `base` out")
    first, *others = base.split("+")
    below = _with_base(first, (*above, where), str(Path(where).parent) if where not in PRESETS else "")
    for other in others:
        over = _document(other, str(Path(where).parent))[0]
        over.pop("base", None)
        below = _over(below, over)
    return _over(below, stated)


def _document(name: str, folder: str) -> tuple[dict[str, Any], str]:
    """Return what a document states, its own alone, and where it lies."""
    if name in PRESETS:
        return dict(_shipped(name)), name
    path = Path(folder) / name
    if not path.is_file():
        raise BadInput(
            f"world {name}: neither a preset nor a document; the presets are {', '.join(PRESETS)}, and a document is "
            f"named by its path"
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(f"world {path}: cannot be read as TOML: {error}") from None


@lru_cache(maxsize=32)
def _shipped(name: str) -> dict[str, Any]:
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))


def _over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two statements as one: tables join key by key, all else gives way to what lies above."""
    joined = dict(below)
    for key, value in above.items():
        known = joined.get(key)
        joined[key] = _over(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return joined


def _finite(stated: Any, world: str, at: str = "") -> None:
    if isinstance(stated, float) and not math.isfinite(stated):
        raise BadInput(f"world {world}: {at}: {stated} is no number; state a finite one")
    if isinstance(stated, dict):
        for key, value in stated.items():
            _finite(value, world, f"{at}.{key}" if at else key)
    elif isinstance(stated, list):
        for index, value in enumerate(stated):
            _finite(value, world, f"{at}[{index}]")


# ---- what no world can be


def _wrongs(laws: Laws) -> Iterable[str]:
    """Yield what is impossible about laws whose every number is in its own range."""
    stages = len(laws.stage_days) + 1
    if any(one >= other for one, other in pairwise(laws.stage_days)):
        yield f"stage_days must rise, were {list(laws.stage_days)}"
    staged: dict[str, tuple[float, ...]] = {
        "answering.p_pick_up": laws.answering.p_pick_up,
        "payment.self_cure_per_day": laws.payment.self_cure_per_day,
    }
    if laws.promises.by_stage:
        staged["promises.by_stage"] = laws.promises.by_stage
    staged |= {f"responses.{kind}.share": response.share for kind, response in laws.responses.items()}
    for at, table in staged.items():
        if len(table) != stages:
            yield f"{at} must have one number for each of the {stages} stages, had {len(table)}"
    yield from _weights(laws, stages)
    yield from _spans(laws)
    yield from _words(laws)
    yield from _correlated(laws.correlation)
    if "*" not in laws.countries:
        yield 'countries must have one named "*", for debtors of all others'
    for code, country in laws.countries.items():
        yield from _paid(code, country.paydays, laws)
        if country.currency not in EXPONENTS:
            yield f"countries.{code}.currency: {country.currency!r} is no ISO 4217 code"
        for zone in (zone for place in country.places for zone in place.zones):
            try:
                ZoneInfo(zone)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                yield f"countries.{code}.places: {zone!r} is no IANA time zone"
    for code in laws.portfolio.countries:
        if not laws.countries.get(code, laws.countries["*"]).places:
            yield f"portfolio.countries: {code} has no places; state [[countries.{code}.places]]"


def _weights(laws: Laws, stages: int) -> Iterable[str]:
    tables: dict[str, Iterable[float]] = {
        "presence.rhythms: the shares": [rhythm.share for rhythm in laws.presence.rhythms.values()],
        "presence.shifts": laws.presence.shifts,
        "outcomes": laws.outcomes.values(),
        "payment.weekdays": laws.payment.weekdays,
        "complaints.about": laws.complaints.about.values(),
        "portfolio.countries": laws.portfolio.countries.values(),
        "portfolio.products: the weights": [product.weight for product in laws.portfolio.products.values()],
        "portfolio.numbers": laws.portfolio.numbers,
    }
    for stage in range(stages):
        tables[f"responses: the shares of stage {stage}"] = [kind.share[stage] for kind in laws.responses.values()]
    for code, country in laws.countries.items():
        if country.places:
            tables[f"countries.{code}.languages"] = country.languages.values()
            tables[f"countries.{code}.places: the weights"] = [place.weight for place in country.places]
    for at, weights in tables.items():
        if not sum(weights) > 0.0:
            yield f"{at} must add up to more than 0"
    for stage in range(stages):
        if not any(kind.share[stage] * kind.pays > 0.0 for kind in laws.responses.values()):
            yield f"responses: in stage {stage} nobody would ever pay; let some kind have a share and pay"


def _spans(laws: Laws) -> Iterable[str]:
    spans: dict[str, tuple[float, float]] = {
        "presence.day": laws.presence.day,
        "payment.hours": laws.payment.hours,
        "payment.part": laws.payment.part,
        "promises.days": laws.promises.days,
        "promises.part": laws.promises.part,
        "promises.late_days": laws.promises.late_days,
        "promises.short": laws.promises.short,
        "portfolio.days_between": laws.portfolio.days_between,
        "line.decline_ring_s": laws.line.decline_ring_s,
        "line.voicemail_ring_s": laws.line.voicemail_ring_s,
        "line.off_ring_s": laws.line.off_ring_s,
        "line.voicemail_s": laws.line.voicemail_s,
    }
    for at, (low, high) in spans.items():
        if low > high or (low == high and at in ("presence.day", "payment.hours")):
            yield f"{at} must go from the lesser to the greater, was [{low}, {high}]"
    for name, rhythm in laws.presence.rhythms.items():
        for first, last, _ in (*rhythm.weekday, *rhythm.saturday, *rhythm.sunday):
            if first >= last:
                yield f"presence.rhythms.{name}: from hour {first} to hour {last} is no time"
    if laws.answering.p_congestion + laws.answering.p_network_fail + laws.answering.p_busy > 1.0:
        yield "answering: p_congestion, p_network_fail and p_busy together exceed 1"
    if sum(laws.conditions.values()) > 1.0:
        yield "conditions together exceed 1"
    if laws.promises.p_late + laws.promises.p_short > 1.0:
        yield "promises: p_late and p_short together exceed 1"
    if laws.answering.fatigue[-2] == 0.0:
        yield "answering.fatigue must not reach 0 before its last number"


def _words(laws: Laws) -> Iterable[str]:
    tables: dict[str, tuple[Iterable[Disposition], frozenset[Disposition]]] = {
        "outcomes": (laws.outcomes, _OUTCOMES),
        "conditions": (laws.conditions, _CONDITIONS),
    }
    for kind, response in laws.responses.items():
        tables[f"responses.{kind}.tilt"] = response.tilt, _OUTCOMES
    for at, (found, known) in tables.items():
        for word in found:
            if word not in known:
                yield f"{at}: {word} does not belong here; known are {', '.join(sorted(known))}"


def _correlated(correlation: Mapping[str, float]) -> Iterable[str]:
    import numpy as np

    for pair in correlation:
        names = pair.split()
        if len(names) != 2 or names[0] == names[1] or not set(names) <= set(LATENTS):
            yield f"correlation: {pair!r} must name two of {', '.join(LATENTS)}"
            return
    if len({frozenset(pair.split()) for pair in correlation}) < len(correlation):
        yield "correlation: a pair is stated twice"
        return
    least = float(np.linalg.eigvalsh(correlation_matrix(correlation))[0])
    if least < 1e-9:
        yield f"correlation: nobody can be correlated so (least eigenvalue {least:.3f}); take the numbers nearer to 0"


def correlation_matrix(correlation: Mapping[str, float]) -> Any:
    """Return the correlations of the latent traits, (6, 6) float64."""
    import numpy as np

    matrix = np.eye(len(LATENTS))
    for pair, value in correlation.items():
        one, other = (LATENTS.index(name) for name in pair.split())
        matrix[one, other] = matrix[other, one] = value
    return matrix


def _paid(code: str, paydays: Paydays, laws: Laws) -> Iterable[str]:
    if paydays.monthly + paydays.twice_monthly + paydays.weekly + paydays.biweekly > 1.0 + 1e-9:
        yield f"countries.{code}.paydays: the shares together exceed 1"
    payment = laws.payment
    for name, share, period in (
        ("monthly", paydays.monthly, 30.4),
        ("twice_monthly", paydays.twice_monthly, 15.2),
        ("weekly", paydays.weekly, 7.0),
        ("biweekly", paydays.biweekly, 14.0),
    ):
        if share and payment.payday_factor * payment.payday_days > period:
            yield (
                f"payment: payday_factor {payment.payday_factor} on {payment.payday_days} days leaves less than "
                f"nothing for the other days of {name} paydays in countries.{code}; take either down"
            )
