"""What pacing is told beforehand."""

from math import inf

import msgspec

from dialer.pacing import given


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """A further legal window, with what was counted in it before this shift."""

    #: Name in reports, e.g. `30 days`.
    name: str
    #: Abandoned per call answered by a person that may not be exceeded.
    share: float
    #: Dial one call per free agent rather than risk to exceed it.
    hard: bool = False
    answered_before: int = 0
    abandoned_before: int = 0

    def __post_init__(self) -> None:
        what = f"limit {self.name!r}: "
        given.number(what + "share", self.share, most=1.0)
        given.count(what + "answered_before", self.answered_before)
        given.count(what + "abandoned_before", self.abandoned_before)


class PacingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign's pacing on one shift."""

    #: Abandoned per call answered by a person that may not be exceeded over the shift.
    abandon_limit: float = 0.03
    #: An answered person may wait so long for an agent.
    patience_s: float = 2.0
    tick_s: float = 0.5
    agents: int = 20
    #: Lines that may be held at once; None: no limit here.
    max_lines: int | None = None
    #: Length of the shift.
    day_s: float = 28800.0
    #: Dial one call per free agent rather than risk to exceed `abandon_limit` on a single shift.
    hard: bool = False
    limits: tuple[Limit, ...] = ()
    #: Where the shift plan is known: (seconds since the start, agents who come (+) or leave (-)).
    staff_plan: tuple[tuple[float, int], ...] = ()
    #: Which answered calls count as abandoned: of `no_agent`, `lost` (in the switch), `detection` (cut in error).
    counted: tuple[str, ...] = ("no_agent",)
    #: Calls that may be placed in one second; None: no limit here.
    calls_per_second: float | None = None

    def __post_init__(self) -> None:
        given.number("abandon_limit", self.abandon_limit, most=1.0)
        given.number("patience_s", self.patience_s)
        given.number("tick_s", self.tick_s, above=0.0)
        given.count("agents", self.agents)
        if self.max_lines is not None:
            given.count("max_lines", self.max_lines)
        given.number("day_s", self.day_s, above=0.0)
        for when, _ in self.staff_plan:
            given.number("staff_plan: at", when, least=-inf)
        for kind in self.counted:
            given.one_of("counted", kind, given.ABANDONED)
        if self.calls_per_second is not None:
            given.number("calls_per_second", self.calls_per_second, above=0.0)
