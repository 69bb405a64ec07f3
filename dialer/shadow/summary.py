"""How two ways to dial the same hours compare."""

import msgspec


class Side(msgspec.Struct, kw_only=True):
    """Counts of one side; times in seconds over all agents."""

    dialled: int = 0
    #: By people, met an agent or not.
    answered: int = 0
    abandoned: int = 0
    #: Talking or wrapping up, and ready.
    busy_s: float = 0.0
    idle_s: float = 0.0

    @property
    def abandon_rate(self) -> float | None:
        return self.abandoned / self.answered if self.answered else None

    @property
    def occupancy(self) -> float | None:
        staffed_s = self.busy_s + self.idle_s
        return self.busy_s / staffed_s if staffed_s else None


class Summary(msgspec.Struct, kw_only=True):
    """One campaign, as far as it was followed."""

    campaign: str
    from_us: int = 0
    until_us: int = 0
    #: The other dialer over all of it.
    theirs: Side = msgspec.field(default_factory=Side)
    #: The other dialer, and Cadencia in its place, since enough was known to compare.
    compared_from_us: int | None = None
    theirs_compared: Side = msgspec.field(default_factory=Side)
    ours: Side = msgspec.field(default_factory=Side)
    #: Ticks, those with advice to dial, those at which the other dialled more than advised, and by how many calls.
    ticks: int = 0
    advised_ticks: int = 0
    over_ticks: int = 0
    over_calls: int = 0
