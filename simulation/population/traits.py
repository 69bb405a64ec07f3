"""Who the people of a dossier are behind what it shows: drawn in bulk, from (seed, person) and the dossier alone.

The latent traits are correlated normals. Shares and rates that the laws state of all people together stay true of them:
thresholds, offsets and factors are solved for here, in closed form or by bisection, and not left to luck.
"""

import math
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import date
from functools import lru_cache
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from domain.calls import Disposition
from domain.money import EXPONENTS
from domain.people import Dossier
from simulation.chance import Chance, Choice, Purpose, normal
from simulation.population.laws import LATENTS, Laws, Rhythm, Tilt
from simulation.population.worlds import correlation_matrix

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]
Columns = TypeVar("Columns", "Persons", "Debts")

#: Kinds of paydays, by number.
NO_PAYDAY, MONTHLY, TWICE_MONTHLY, WEEKLY, BIWEEKLY = range(5)
#: How many days a payday of each kind is apart from the next, on the average; of no payday, none.
_PERIODS: Final = np.array([np.inf, 365.25 / 12, 365.25 / 24, 7.0, 14.0])


#: Of AS 241 between 0.075 and 0.925, the highest power first.
_OVER: Final = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_UNDER: Final = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip


def at_home(laws: Laws) -> F8:
    """Return the share at home, (rhythms, 3, 3, 24).

    By rhythm; an hour earlier, as stated, an hour later; weekday, Saturday, Sunday; local hour. Weighted by the shares
    of people they are the curves of `laws.presence`, at every hour.
    """
    presence = laws.presence
    rhythms = list(presence.rhythms.values())
    shares = np.outer(_shares(rhythm.share for rhythm in rhythms), _shares(presence.shifts))
    overall = np.array([presence.weekday, presence.saturday, presence.sunday])
    tilts = np.array([[np.roll(_tilts(rhythm), by, axis=1) for by in (-1, 0, 1)] for rhythm in rhythms])
    low, high = np.full(overall.shape, -60.0), np.full(overall.shape, 60.0)
    for _ in range(80):
        middle = (low + high) / 2
        over = np.einsum("rs,rsdh->dh", shares, _logistic(middle + tilts)) > overall
        low, high = np.where(over, low, middle), np.where(over, middle, high)
    curves = _logistic((low + high) / 2 + tilts)
    curves = np.where((overall <= 0.0) | (overall >= 1.0), overall, curves)
    if not presence.timing:
        first, last = presence.day
        week = (5 * curves[:, :, 0] + curves[:, :, 1] + curves[:, :, 2]) / 7
        curves = np.broadcast_to(week[:, :, first:last].mean(axis=2)[:, :, None, None], curves.shape)
    return np.ascontiguousarray(curves)


def _tilts(rhythm: Rhythm) -> list[list[float]]:
    return [_by_hour(tilts) for tilts in (rhythm.weekday, rhythm.saturday, rhythm.sunday)]


def _by_hour(tilts: Iterable[Tilt]) -> list[float]:
    hours = [0.0] * 24
    for first, last, tilt in tilts:
        for hour in range(first, last):
            hours[hour] += tilt
    return hours


def _shares(weights: Iterable[float]) -> F8:
    given = np.array(list(weights), np.float64)
    return np.asarray(given / given.sum())


def _bounds(weights: Sequence[float]) -> F8:
    """Return the thresholds of a standard normal that cut it into shares, (n + 1,)."""
    return quantiles(np.concatenate(([0.0], np.minimum(np.cumsum(_shares(weights))[:-1], 1.0), [1.0])))


def _logistic(odds: F8) -> F8:
    """Return the probabilities of logarithms of odds."""
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def quantiles(p: F8) -> F8:
    """Return the quantiles of the standard normal law; of 0 and 1, without end."""
    q = p - 0.5
    # `normal` in the middle, all at once; elsewhere it takes logarithms, and numpy's are others than `math`'s.
    r = 0.180625 - q * q
    found = np.asarray(np.polyval(_OVER, r) * q / np.polyval(_UNDER, r))
    beyond = np.abs(q) > 0.425
    found[beyond] = [
        normal(each) if 0.0 < each < 1.0 else math.copysign(math.inf, each - 0.5) for each in p[beyond].tolist()
    ]
    return found


def _below(x: F8) -> F8:
    """Return how much of the standard normal law lies below."""
    root = math.sqrt(0.5)
    return 0.5 * np.array(list(map(math.erfc, (-root * x).ravel().tolist()))).reshape(x.shape)


class Mixture:
    """What the laws come to for each stage and kind of response."""

    def __init__(self, laws: Laws) -> None:
        self.laws = laws
        self.kinds = tuple(laws.responses.values())
        self.correlation = correlation_matrix(laws.correlation)
        self.cholesky = np.linalg.cholesky(self.correlation)
        stages = len(laws.stage_days) + 1
        #: Thresholds of the latent `standing`, (stages, kinds + 1).
        self.standing = np.array([_bounds([kind.share[stage] for kind in self.kinds]) for stage in range(stages)])
        self.rhythm = _bounds([rhythm.share for rhythm in laws.presence.rhythms.values()])
        self.pays = np.array([kind.pays for kind in self.kinds])
        #: What the rate of paying has to be divided by for its mean to be as stated, (stages,).
        self.mean_rate = self._mean_rate()
        #: Probabilities of `outcomes`, (stages, kinds, outcomes), over whoever has no condition.
        self.outcomes = tuple(laws.outcomes)
        self.p_outcome = self._outcomes()
        self.choices = [[Choice(self.outcomes, p) for p in of_stage.tolist()] for of_stage in self.p_outcome]
        typical = [product.balance for product in laws.portfolio.products.values()]
        weights = _shares(product.weight for product in laws.portfolio.products.values())
        self._usual = float(np.exp(np.dot(weights, np.log(typical))))
        #: What `usual_minor` has returned.
        self._usual_minor: dict[tuple[str, str | None, str], float] = {}

    def _rho(self, one: str, other: str) -> float:
        return float(self.correlation[LATENTS.index(one), LATENTS.index(other)])

    def _mean_rate(self) -> F8:
        """Return E[pays · exp(loadings) · balance] of each stage: a normal tilted by a correlated one is shifted."""
        payment = self.laws.payment
        one, other = payment.by_ability, payment.by_willingness
        variance = one * one + other * other + 2 * one * other * self._rho("ability", "willingness")
        shift = one * self._rho("ability", "standing") + other * self._rho("willingness", "standing")
        of_kind = np.diff(_below(self.standing - shift), axis=1)
        balance = np.exp((payment.by_balance * self.laws.portfolio.balance_spread) ** 2 / 2)
        return np.asarray(of_kind @ self.pays * np.exp(variance / 2) * balance)

    def _outcomes(self) -> F8:
        """Return the outcomes of each kind, such that all who are reached together meet `laws.outcomes`."""
        shift = self.laws.answering.spread * self._rho("reach", "standing")
        reached = np.diff(_below(self.standing - shift), axis=1)
        wanted = _shares(self.laws.outcomes.values())
        tilts = np.array([[kind.tilt.get(outcome, 0.0) for outcome in self.outcomes] for kind in self.kinds])
        found = np.empty((len(self.standing), *tilts.shape))
        for stage, shares in enumerate(reached):
            offset = np.ones(len(wanted))
            for _ in range(200):
                p = wanted * offset * np.exp(tilts)
                p /= p.sum(axis=1, keepdims=True)
                met = shares @ p
                offset *= np.divide(wanted, met, out=np.ones_like(met), where=met > 0.0)
            found[stage] = p
        return found

    def usual_minor(self, dossier: Dossier, product: str | None, currency: str) -> float:
        """Return the usual balance of a product where a debtor lives, in minor units."""
        key = dossier.country, product, currency
        found = self._usual_minor.get(key)
        if found is None:
            laws = self.laws
            country = laws.countries.get(dossier.country, laws.countries["*"])
            known = laws.portfolio.products.get(product or "")
            units: float = country.price_level * (known.balance if known else self._usual)
            found = self._usual_minor[key] = units * 10.0 ** EXPONENTS.get(currency, 2)
        return found


@dataclass(slots=True, frozen=True)
class Persons:
    """Columns of people, a row each."""

    person: I8
    #: Index in `Columns.zones`.
    zone: I8
    #: Of the oldest debt, when the world began.
    stage: I8
    #: Index in `laws.responses`.
    kind: I8
    #: Index in `laws.presence.rhythms`.
    rhythm: I8
    #: 0 an hour earlier, 1 as the rhythm says, 2 an hour later.
    shift: I8
    #: Index in `laws.conditions`, or one beyond: none.
    condition: I8
    ability: F8
    willingness: F8
    #: Factor on picking up, and on stops and complaints.
    reach: F8
    touch: F8
    #: On the daily rate of paying by oneself.
    rate: F8
    #: Added to its logarithm by one contact.
    effect: F8
    #: Promises kept that would not be paid otherwise; 0: promises are words.
    keeps: F8
    #: Payments that settle the debt.
    p_full: F8
    #: Kind of payday, and the day of the month or the parity of the week.
    payday: I8
    payday_on: I8

    def __len__(self) -> int:
        return len(self.person)


@dataclass(slots=True, frozen=True)
class Debts:
    """Columns of debts, a row each."""

    debt: I8
    #: Row of who owes it.
    row: I8
    #: Proleptic ordinal of the due day; 0: unknown.
    due: I8
    #: On the daily rate of its stage.
    rate: F8
    #: Usual balance of such a debt, minor units.
    usual: F8

    def __len__(self) -> int:
        return len(self.debt)


def joined(parts: Sequence[Columns]) -> Columns:
    """Return the rows of all, one after the other."""
    first, *others = parts
    if not others:
        return first
    names = [column.name for column in fields(first)]
    return type(first)(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def stage_of(laws: Laws, days: int) -> int:
    """Return the stage of a debt that is so many days past due."""
    return bisect_right(laws.stage_days, days)


def zone_of(dossier: Dossier) -> str:
    """Return where the person lives: the address before the numbers."""
    if dossier.address_zones:
        return dossier.address_zones[0]
    return next((zone for phone in dossier.phones for zone in phone.zones), "UTC")


def draw_persons(
    mixture: Mixture, chance: Chance, people: Sequence[Dossier], dues: tuple[I8, I8], zones: list[str], today: date
) -> Persons:
    """Draw the traits of people.

    Parameters
    ----------
    dues : tuple of I8
        Of their debts, as `dues_of` tells them.
    zones : list of str
        Zones known so far; grows.
    today : date
        The day as of which their stages count.
    """
    laws = mixture.laws
    person = np.array([one.person for one in people], np.int64)
    index = {zone: number for number, zone in enumerate(zones)}
    zone = np.array([index.setdefault(zone_of(one), len(index)) for one in people], np.int64)
    zones[:] = index
    stage = _stages(laws, len(people), dues, today)
    apart = [quantiles(chance.many(Purpose.latent, person, number)) for number in range(len(LATENTS))]
    # Term by term: a product of matrices may round otherwise for another number of people.
    latent = {
        name: np.asarray(sum(float(weight) * one for weight, one in zip(row, apart, strict=True)))
        for name, row in zip(LATENTS, mixture.cholesky, strict=True)
    }
    kind = (latent["standing"][:, None] >= mixture.standing[stage][:, 1:-1]).sum(axis=1)
    rhythm = (latent["rhythm"][:, None] >= mixture.rhythm[1:-1]).sum(axis=1)
    shares = np.cumsum(list(laws.conditions.values()))
    condition = np.searchsorted(shares, chance.many(Purpose.condition, person), side="right")
    for row, one in enumerate(people):
        if one.stops and (known := _on_record(laws, one)) is not None:
            condition[row] = known
    kinds = mixture.kinds
    works = laws.contact.works
    payment, promises = laws.payment, laws.promises
    spread = laws.answering.spread
    both = latent["ability"] + latent["willingness"]
    both /= np.sqrt(2 + 2 * mixture.correlation[1, 2])
    keeps = np.array([one.keeps if works else 0.0 for one in kinds])[kind]
    if promises.by_stage:
        keeps = moved_odds(keeps, np.array(promises.by_stage)[stage])
    gone = [list(laws.conditions).index(word) for word in _PAY_NO_MORE if word in laws.conditions]
    rate = mixture.pays[kind] * np.exp(
        payment.by_ability * latent["ability"] + payment.by_willingness * latent["willingness"]
    )
    payday, payday_on = _paydays(laws, chance, people, person)
    return Persons(
        person=person,
        zone=zone,
        stage=stage,
        kind=kind,
        rhythm=rhythm,
        shift=np.searchsorted(
            np.cumsum(_shares(laws.presence.shifts))[:-1], chance.many(Purpose.shift, person), "right"
        ),
        condition=condition,
        ability=latent["ability"],
        willingness=latent["willingness"],
        reach=np.exp(spread * latent["reach"] - spread * spread / 2),
        touch=_lognormal_mean_1(latent["touch"], laws.complaints.spread) * np.array([one.touch for one in kinds])[kind],
        rate=np.where(np.isin(condition, gone), 0.0, rate / mixture.mean_rate[stage]),
        effect=np.array([one.effect if works else 0.0 for one in kinds])[kind],
        keeps=np.where(keeps > 0.0, _probit(keeps, promises.by_traits, both), 0.0),
        p_full=_probit(np.array([payment.p_full]), payment.full_by_ability, latent["ability"]),
        payday=payday,
        payday_on=payday_on,
    )


#: Whoever has died or is bankrupt pays no more.
_PAY_NO_MORE = (Disposition.deceased, Disposition.bankrupt)


def draw_debts(mixture: Mixture, people: Sequence[Dossier], dues: tuple[I8, I8], rates: F8, first_row: int) -> Debts:
    """Draw the columns of people's debts; `rates` are those of the people, whose rows begin at `first_row`."""
    debts = [debt for one in people for debt in one.debts]
    row, due = dues
    balance = np.maximum(1.0, np.array([debt.balance_minor for debt in debts], np.float64))
    usual = np.array(
        [mixture.usual_minor(one, debt.product, debt.currency) for one in people for debt in one.debts], np.float64
    )
    ratio = np.clip(balance / usual, 0.02, 50.0)
    return Debts(
        debt=np.array([debt.debt for debt in debts], np.int64),
        row=row + first_row,
        due=due,
        rate=rates[row] * ratio**mixture.laws.payment.by_balance,
        usual=usual,
    )


class Calendar:
    """The factors of days on the rate of paying, by kind of payday and by its day; over a period their mean is 1."""

    def __init__(self, laws: Laws) -> None:
        payment = laws.payment
        self._weekday = 7.0 * np.array(payment.weekdays) / sum(payment.weekdays)
        self._factor, self._days = payment.payday_factor, payment.payday_days
        share = payment.payday_days / _PERIODS
        #: Of the days on which nothing has just come in, (5, 1).
        self._otherwise = ((1.0 - share * payment.payday_factor) / (1.0 - share))[:, None]
        # A week's payday always meets the same weekdays.
        self._mean = np.ones((5, 32))
        fortnight = np.array([self._plain(date.fromordinal(ordinal)) for ordinal in range(1, 15)])
        self._mean[[WEEKLY, BIWEEKLY]] = fortnight.mean(axis=0)[[WEEKLY, BIWEEKLY]]
        #: No factor exceeds it.
        self.greatest = float(
            self._weekday.max() * max(self._factor, self._otherwise.max()) / min(1.0, self._mean.min())
        )
        self._known: dict[int, F8] = {}

    def on(self, ordinal: int) -> F8:
        """Return the factors of a day, (5, 32); a day of the month, or of a week, or 7 more in every other week."""
        known = self._known.get(ordinal)
        if known is None:
            known = self._known[ordinal] = self._plain(date.fromordinal(ordinal)) / self._mean
        return known

    def _plain(self, on: date) -> F8:
        days_before = date.fromordinal(on.toordinal() - on.day).day if on.toordinal() > on.day else 31
        days_now = monthrange(on.year, on.month)[1]
        paid_on = np.arange(32)
        here, before = np.minimum(paid_on, days_now), np.minimum(paid_on, days_before)
        since = np.full((5, 32), 10_000)
        since[MONTHLY] = np.where(here <= on.day, on.day - here, on.day + days_before - before)
        since[TWICE_MONTHLY] = 0 if on.day == days_now else on.day - 15 if on.day >= 15 else on.day
        # Ordinal 1 was a Monday.
        since[WEEKLY] = (on.toordinal() - 1 - paid_on) % 7
        since[BIWEEKLY] = (on.toordinal() - 1 - paid_on) % 14
        factor = np.where(since < self._days, self._factor, self._otherwise)
        return np.asarray(self._weekday[on.weekday()] * factor)


def _on_record(laws: Laws, one: Dossier) -> int | None:
    """Return the condition that a stop on record tells of."""
    kinds = [stop.kind.value for stop in one.stops]
    return next((index for index, word in enumerate(laws.conditions) if word.value in kinds), None)


def _stages(laws: Laws, people: int, dues: tuple[I8, I8], today: date) -> I8:
    row, due = dues
    never = date.max.toordinal() + 1
    oldest = np.full(people, never)
    np.minimum.at(oldest, row[due > 0], due[due > 0])
    oldest[oldest == never] = today.toordinal()
    return np.searchsorted(laws.stage_days, today.toordinal() - oldest, side="right")


def dues_of(people: Sequence[Dossier]) -> tuple[I8, I8]:
    """Return of people's debts, one after the other, whose each is, by place, and `Debts.due`."""
    row = np.repeat(np.arange(len(people)), [len(one.debts) for one in people])
    due = [_ordinal(debt.due_on) if debt.due_on else 0 for one in people for debt in one.debts]
    return row, np.array(due, np.int64)


@lru_cache(maxsize=4096)
def _ordinal(day: str) -> int:
    return date.fromisoformat(day).toordinal()


def _paydays(laws: Laws, chance: Chance, people: Sequence[Dossier], person: I8) -> tuple[I8, I8]:
    of_country: dict[str, tuple[Any, ...]] = {}
    for code in sorted({one.country for one in people}):
        law = laws.countries.get(code, laws.countries["*"]).paydays
        first, last = law.monthly_days
        days = [*range(first, last + 1)] if first <= last else [*range(first, 32), *range(1, last + 1)]
        bounds = np.cumsum([law.monthly, law.twice_monthly, law.weekly, law.biweekly])
        of_country[code] = bounds, np.array(days), law.weekday
    kind_u, on_u = chance.many(Purpose.payday, person, 0), chance.many(Purpose.payday, person, 1)
    kind, on = np.zeros(len(person), np.int64), np.zeros(len(person), np.int64)
    numbers = {code: number for number, code in enumerate(of_country)}
    country = np.array([numbers[one.country] for one in people])
    for code, (bounds, days, weekday) in of_country.items():
        here = country == numbers[code]
        which = np.searchsorted(bounds, kind_u[here], side="right") + 1
        which[which > BIWEEKLY] = NO_PAYDAY
        u = on_u[here]
        kind[here] = which
        on[here] = np.select(
            [which == MONTHLY, which == BIWEEKLY],
            [days[(u * len(days)).astype(np.int64)], weekday + 7 * (u < 0.5)],
            weekday,
        )
    return kind, on


def _probit(p: F8, loading: float, trait: F8) -> F8:
    """Return probabilities that differ with a standard normal trait and are `p` on the average."""
    return _below(quantiles(p) * math.sqrt(1 + loading * loading) + loading * trait)


def moved_odds(p: F8 | float, by: F8 | float) -> F8:
    """Return probabilities whose log odds are moved; none and certainty stay."""
    odds = np.exp(by)
    return np.asarray(p * odds / (1.0 - p + p * odds))


def _lognormal_mean_1(trait: F8, spread: float) -> F8:
    return np.asarray(np.exp(spread * trait - spread * spread / 2))
