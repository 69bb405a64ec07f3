"""The rivals by name, and the values of the knob that an oracle tunes over for each."""

from collections.abc import Callable
from typing import Final

from benchmarks.pacing.policy import Policy
from benchmarks.pacing.rivals import (
    FixedRatio,
    ImpactLike,
    IssabelLike,
    PiRatio,
    Progressive,
    SamuelsonLike,
    VicidialLike,
    VicidialMode,
)
from benchmarks.pacing.scenarios import Scenario


def _vicidial(mode: VicidialMode, *, ready_only: bool) -> Callable[[float, Scenario], Policy]:
    def make(max_level: float, scenario: Scenario) -> Policy:
        return VicidialLike(mode, ready_only=ready_only, max_level=max_level, ends_at_s=scenario.day_s)

    return make


_LEVELS: Final = (1.1, 1.15, 1.2, 1.25, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0, 2.5, 3.0)
_RATIOS: Final = (
    1.0,
    1.2,
    1.5,
    1.75,
    2.0,
    2.25,
    2.5,
    2.75,
    3.0,
    3.25,
    3.5,
    3.75,
    4.0,
    4.5,
    5.0,
    5.5,
    6.0,
    7.0,
    8.0,
    10.0,
)
_LIMITS: Final = (0.02, 0.025, 0.03, 0.035)

#: Every rival by its name: what makes it for a day, given its knob.
RIVALS: Final[dict[str, Callable[[float, Scenario], Policy]]] = {
    "progressive": lambda knob, scenario: Progressive(),
    "ratio": lambda knob, scenario: FixedRatio(knob),
    "vicidial_average": _vicidial(VicidialMode.average, ready_only=False),
    "vicidial_hard": _vicidial(VicidialMode.hard, ready_only=False),
    "vicidial_tapered": _vicidial(VicidialMode.tapered, ready_only=False),
    "vicidial_ready_only": _vicidial(VicidialMode.average, ready_only=True),
    "issabel": lambda knob, scenario: IssabelLike(knob),
    "samuelson": lambda knob, scenario: SamuelsonLike(knob, patience_s=scenario.patience_s),
    "pi_slow": lambda knob, scenario: PiRatio(knob, kp=0.0, ki=0.05),
    "pi": lambda knob, scenario: PiRatio(knob),
    "pi_fast": lambda knob, scenario: PiRatio(knob, kp=6.0, ki=0.2),
    "impact": lambda knob, scenario: ImpactLike(knob, patience_s=scenario.patience_s),
}

#: Values of the knob that an oracle tunes over, for each rival.
KNOBS: Final[dict[str, tuple[float, ...]]] = {
    "progressive": (1.0,),
    "ratio": _RATIOS,
    "vicidial_average": _LEVELS,
    "vicidial_hard": _LEVELS,
    "vicidial_tapered": _LEVELS,
    "vicidial_ready_only": _RATIOS,
    "issabel": (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8, 1.0),
    "samuelson": (0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0),
    "pi_slow": _LIMITS,
    "pi": _LIMITS,
    "pi_fast": _LIMITS,
    "impact": (0.005, 0.01, 0.02, 0.03, 0.05),
}
