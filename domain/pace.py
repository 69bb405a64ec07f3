"""What binds a campaign's pacing: its own settings and the rules of the places of its people, the strictest of each."""

from collections.abc import Iterable

import msgspec

from domain.settings import COUNTABLE, CampaignSettings, Window

#: What a rule may bind, beside the windows by their names.
SHIFT, PATIENCE, RING = "shift", "patience_s", "ring_timeout_s"


class PaceRule(msgspec.Struct, gc=False, frozen=True, kw_only=True, omit_defaults=True):
    """A limit of abandonment that the rules set, with what they ask of each call."""

    #: Id of the row.
    rule: str
    #: Abandoned calls per call answered by a person that may not be exceeded.
    share: float
    #: Over so many calendar days of the floor, the one at hand included; 1: over the shift.
    days: int = 1
    #: Law in force: one call per free agent rather than risk to exceed it.
    hard: bool = False
    #: Share at which somebody is to look; None: the limit alone.
    alert_share: float | None = None
    #: What counts as abandoned, of `domain.settings.COUNTABLE`.
    counted: tuple[str, ...] = ("no_agent",)
    #: An answered person may wait so long for an agent.
    max_wait_s: float | None = None
    #: Nobody's telephone rings for less.
    min_ring_s: float | None = None


class Pace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is in force for a campaign."""

    share: float
    hard: bool
    windows: tuple[Window, ...]
    counted: tuple[str, ...]
    patience_s: float
    ring_timeout_s: float
    alert_share: float | None = None
    #: By `SHIFT`, `PATIENCE`, `RING` or a window's name, the rule that binds it as tightly as the setting or tighter.
    by: dict[str, str] = {}


def strictest(settings: CampaignSettings, abandon_limit: float, rules: Iterable[PaceRule] = ()) -> Pace:
    """Return a campaign's settings with what the rules leave of them.

    Parameters
    ----------
    abandon_limit : float
        Of the settings, or as an operator set it.
    """
    share, hard = abandon_limit, settings.hard
    patience_s, ring_s = settings.patience_s, settings.ring_timeout_s
    windows = {window.days: window for window in settings.limits}
    counted = set(settings.counted)
    alerts: list[float] = []
    by: dict[str, str] = {}
    for rule in sorted(rules, key=lambda rule: rule.rule):
        if rule.days == 1:
            if rule.share < share or (rule.share == share and SHIFT not in by):
                share, by[SHIFT] = rule.share, rule.rule
            hard = hard or rule.hard
        else:
            fresh = Window(days=rule.days, share=rule.share, hard=rule.hard)
            own = windows.get(rule.days)
            if own is None or rule.share < own.share or (rule.share == own.share and fresh.name not in by):
                by[fresh.name] = rule.rule
            if own is not None:
                fresh = Window(days=rule.days, share=min(rule.share, own.share), hard=rule.hard or own.hard)
            windows[rule.days] = fresh
        counted.update(rule.counted)
        if rule.alert_share is not None:
            alerts.append(rule.alert_share)
        if rule.max_wait_s is not None and (
            rule.max_wait_s < patience_s or (rule.max_wait_s == patience_s and PATIENCE not in by)
        ):
            patience_s, by[PATIENCE] = rule.max_wait_s, rule.rule
        if rule.min_ring_s is not None and rule.min_ring_s > ring_s:
            ring_s, by[RING] = rule.min_ring_s, rule.rule
    return Pace(
        share=share,
        hard=hard,
        windows=tuple(windows.values()),
        counted=tuple(kind for kind in COUNTABLE if kind in counted),
        patience_s=patience_s,
        ring_timeout_s=ring_s,
        alert_share=min(alerts, default=None),
        by=by,
    )
