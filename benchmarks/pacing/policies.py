"""What works the days of the bench, by name: the core in its forms, the yardsticks and the rivals."""

from pathlib import Path
from typing import Final

import dialer.pacing
from benchmarks.pacing.days import source_version
from benchmarks.pacing.knobs import RIVALS
from benchmarks.pacing.policy import F8, Policy
from benchmarks.pacing.reference import informed, learned
from benchmarks.pacing.scenarios import Scenario
from dialer.pacing import Decision, Pacer, PacingSettings

#: Days whose comings and goings are on the shift plan. Nobody plans a mass pause.
_PLANNED: Final = ("blocks", "breaks")


def core(limit: float, scenario: Scenario, *, hard: bool = False) -> Pacer:
    """Return the core for a day, told what the settings of a campaign tell it."""
    settings = PacingSettings(
        abandon_limit=limit,
        patience_s=scenario.patience_s,
        tick_s=scenario.tick_s,
        agents=scenario.agents,
        max_lines=scenario.max_lines,
        day_s=scenario.day_s,
        hard=hard,
        staff_plan=scenario.staff if scenario.name in _PLANNED else (),
    )
    return Pacer(settings)


class Blind:
    """The core with the leads' forecasts hidden from it.

    Parameters
    ----------
    pacer : Pacer
    """

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self.observe_connected = pacer.observe_connected
        self.observe_abandoned = pacer.observe_abandoned
        self.observe_talk = pacer.observe_talk
        self.observe_wrap = pacer.observe_wrap
        self.observe_staff = pacer.observe_staff

    def observe_outcome(self, kind: str, ring_s: float, p_answer: float | None = None) -> None:
        """Take how a call ended, whatever was foretold of it."""
        self._pacer.observe_outcome(kind, ring_s)

    def decide(
        self,
        at: float,
        free: int,
        waiting: int,
        talking_s: F8,
        wrapping_s: F8,
        ringing_s: F8,
        p_answer: F8 | None = None,
        p_next: F8 | None = None,
        detecting_s: F8 | None = None,
    ) -> Decision:
        """Return the core's decision without forecasts."""
        return self._pacer.decide(at, free, waiting, talking_s, wrapping_s, ringing_s, detecting_s=detecting_s)


def make(name: str, knob: float | None, scenario: Scenario) -> Policy:
    """Return the policy of a name for a day.

    Parameters
    ----------
    name : str
        `core`, `core_hard`, `core_blind`, `learned`, `informed` or a rival's.
    knob : float, optional
        None is the default of the core and the yardsticks: a limit of 3 %.
    scenario : Scenario
    """
    limit = 0.03 if knob is None else knob
    match name:
        case "core" | "core_hard":
            return core(limit, scenario, hard=name == "core_hard")
        case "core_blind":
            return Blind(core(limit, scenario))
        case "learned":
            return learned(scenario, limit)
        case "informed":
            return informed(scenario, limit)
        case _:
            return RIVALS[name](1.0 if knob is None else knob, scenario)


def versions() -> dict[str, str]:
    """Return by policy what its sources say: a kept day of other sources is stale."""
    here = Path(__file__).parent
    of_core = source_version(Path(__file__), *Path(dialer.pacing.__file__).parent.glob("*.py"))
    yardstick = source_version(*(here / name for name in ("reference.py", "rule.py", "scenarios.py")))
    rival = source_version(here / "rivals.py", here / "knobs.py")
    return (
        dict.fromkeys(RIVALS, rival)
        | dict.fromkeys(("learned", "informed"), yardstick)
        | dict.fromkeys(("core", "core_hard", "core_blind"), of_core)
    )
