"""Occupancy at equal abandonment: the core, the yardsticks, and every rival with its knob tuned by an oracle."""

from collections.abc import Sequence
from typing import Final

import msgspec

from benchmarks.pacing.compare import F8, LIMIT, Days, keeps, near_limit, under_limit
from benchmarks.pacing.knobs import KNOBS
from benchmarks.pacing.runs import Bench, Sizes, Want

YARDSTICKS: Final = ("core", "learned", "informed")
#: Knobs on either side of the limit, wide enough apart for a steady slope.
AROUND: Final = (0.02, LIMIT, 0.04)
#: Rivals, each with the forms of which the best is taken.
FORMS: Final[dict[str, tuple[str, ...]]] = {
    "ratio": ("ratio",),
    "samuelson": ("samuelson",),
    "pi": ("pi_slow", "pi", "pi_fast"),
    "vicidial_average": ("vicidial_average",),
    "vicidial_hard": ("vicidial_hard",),
    "vicidial_tapered": ("vicidial_tapered",),
    "vicidial_ready_only": ("vicidial_ready_only",),
    "issabel": ("issabel",),
    "impact": ("impact",),
}
#: Forms whose knob does what that of another does, and is tuned as that one.
_ALIKE: Final[dict[str, str]] = {"vicidial_hard": "vicidial_average", "vicidial_tapered": "vicidial_average"}
FIXED: Final = (1.5, 2.0, 3.0)
#: Rivals that come so near to the core are run on as many days.
_NEAR: Final = 0.025
#: Of so many knobs every other one is tried first.
_MANY: Final = 12


class Rival(msgspec.Struct, frozen=True, kw_only=True):
    """What a rival reaches in a scenario with the best knob."""

    #: Draws of its occupancy, and of that of the core less it on the same days.
    occupancy: F8
    behind: F8
    n_days: int
    form: str
    #: Knobs run on fresh seeds.
    knobs: tuple[float, ...]
    kept: bool


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario."""

    scenario: str
    n_days: int
    #: Draws of occupancy at the limit.
    yardsticks: dict[str, F8]
    progressive: Days
    #: The core at its default settings.
    core: Days
    fixed: dict[float, Days]
    rivals: dict[str, Rival]


def compare(bench: Bench, scenarios: Sequence[str], sizes: Sizes, rivals: Sequence[str]) -> list[Compared]:
    """Return the comparison, scenario by scenario."""
    wants = [Want(policy, name, LIMIT, sizes.days) for name in scenarios for policy in YARDSTICKS]
    wants += [_around(policy, name, knob, sizes) for name in scenarios for policy in YARDSTICKS for knob in AROUND]
    wants += [Want("progressive", name, 1.0, sizes.days) for name in scenarios]
    wants += [Want("ratio", name, ratio, sizes.rivals) for name in scenarios for ratio in FIXED]
    bench.run("core and yardsticks", wants)
    knobs = _tune(bench, scenarios, sizes, rivals)
    _settle(bench, knobs)
    near = {
        (form, name): [want._replace(n=sizes.days) for want in _best_two(bench, wants)]
        for (form, name), wants in knobs.items()
        if _reached(bench, wants) > at_limit(bench, "core", name, sizes)[0] - _NEAR
    }
    _settle(bench, near)
    knobs |= near
    return [
        _compared(bench, name, sizes, {form: wants for (form, at), wants in knobs.items() if at == name})
        for name in scenarios
    ]


def _around(policy: str, name: str, knob: float, sizes: Sizes) -> Want:
    # The informed rule is the learned one with other laws: it has its slope.
    return Want("learned" if policy == "informed" else policy, name, knob, sizes.around)


def at_limit(bench: Bench, policy: str, name: str, sizes: Sizes, n: int | None = None) -> F8:
    """Return draws of the occupancy at the limit of the core or a yardstick, on its first n days."""
    centre = bench.days(Want(policy, name, LIMIT, n or sizes.days))
    return near_limit(centre, [bench.days(_around(policy, name, knob, sizes)) for knob in AROUND])


def boldness(form: str) -> tuple[float, ...]:
    """Return the knobs of a rival, the most timid first."""
    # Issabel divides by its knob.
    return KNOBS[form][::-1] if form == "issabel" else KNOBS[form]


def _reached(bench: Bench, wants: Sequence[Want]) -> float:
    return float(under_limit([bench.days(want) for want in wants])[0])


def _best_two(bench: Bench, wants: Sequence[Want]) -> Sequence[Want]:
    """Return the knob that reaches most under the limit, and the next bolder one."""
    place = max(range(len(wants)), key=lambda place: _kept(bench, wants[place]))
    return wants[place : place + 2]


def _tune(
    bench: Bench, scenarios: Sequence[str], sizes: Sizes, rivals: Sequence[str]
) -> dict[tuple[str, str], list[Want]]:
    """Return by (form, scenario) the knobs about the one that does best on a day of development."""
    # Boldness may cost occupancy: a level that is cut again and again does worse than a low one. So all are tried.
    tried = {
        (form, name): [Want(form, name, knob, 1, development=True) for knob in order[:: 2 if len(order) > _MANY else 1]]
        for rival in rivals
        for form in FORMS[rival]
        if form not in _ALIKE
        for order in [boldness(form)]
        for name in scenarios
    }
    bench.run("tuning the rivals", [want for wants in tried.values() for want in wants])
    found = {}
    for rival in rivals:
        for name in scenarios:
            days = {form: tried[_ALIKE.get(form, form), name] for form in FORMS[rival]}
            form = max(days, key=lambda form: _reached(bench, days[form]))
            order = boldness(form)
            place = order.index(max(days[form], key=lambda want: _kept(bench, want)).knob)
            found[form, name] = [Want(form, name, knob, sizes.rivals) for knob in order[max(0, place - 1) : place + 2]]
    return found


def _kept(bench: Bench, want: Want) -> tuple[bool, float]:
    """Return what orders knobs from bad to good: whether the limit is kept, then occupancy, else less abandonment."""
    days = bench.days(want)
    kept = keeps([days])
    return kept, float(days.occupancy[0] if kept else -days.abandonment[0])


def _settle(bench: Bench, knobs: dict[tuple[str, str], list[Want]]) -> None:
    """Run the knobs wanted, and further ones until they lie on both sides of the limit on these days too."""
    while True:
        bench.run("rivals on fresh days", [want for wants in knobs.values() for want in wants])
        settled = True
        for (form, _), wants in knobs.items():
            order = boldness(form)
            first, last = order.index(wants[0].knob), order.index(wants[-1].knob)
            days = [bench.days(want) for want in wants]
            if first > 0 and not keeps(days):
                wants.insert(0, wants[0]._replace(knob=order[first - 1]))
                settled = False
            elif last + 1 < len(order) and all(day.abandonment[0] <= LIMIT for day in days):
                wants.append(wants[-1]._replace(knob=order[last + 1]))
                settled = False
        if settled:
            return


def _compared(bench: Bench, name: str, sizes: Sizes, knobs: dict[str, list[Want]]) -> Compared:
    rivals = {}
    for rival, forms in FORMS.items():
        for form in forms:
            if form in knobs:
                wants = knobs[form]
                days = [bench.days(want) for want in wants]
                occupancy = under_limit(days)
                rivals[rival] = Rival(
                    occupancy=occupancy,
                    behind=at_limit(bench, "core", name, sizes, wants[0].n) - occupancy,
                    n_days=wants[0].n,
                    form=form,
                    knobs=tuple(want.knob for want in wants),
                    kept=keeps(days),
                )
    return Compared(
        scenario=name,
        n_days=sizes.days,
        yardsticks={policy: at_limit(bench, policy, name, sizes) for policy in YARDSTICKS},
        progressive=bench.days(Want("progressive", name, 1.0, sizes.days)),
        core=bench.days(Want("core", name, LIMIT, sizes.days)),
        fixed={ratio: bench.days(Want("ratio", name, ratio, sizes.rivals)) for ratio in FIXED},
        rivals=rivals,
    )
