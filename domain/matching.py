"""Which agent suits which debtor: groups of agents, the table that the engine reads, and why it picked somebody.

What agents add is learned (`models.matching`) for few groups of debtors, of what is known of everybody before a call:
how old the oldest open debt is, and whether much is owed.
"""

import re
from collections.abc import Iterable
from datetime import date
from typing import Final

import msgspec

from domain.errors import BadInput
from domain.people import Dossier

#: How a group of agents may be called.
GROUP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


def checked_groups(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Return names of agent groups, each once.

    Raises
    ------
    BadInput
        When one cannot be a name; it begins with `where`.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if not GROUP.fullmatch(name):
            raise BadInput(
                f"{where}: agent group {name!r} is no name; write letters, digits, hyphens and underscores, "
                "40 at most, such as seniors"
            )
    return found


class Matching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What agents add to the chance of an outcome, over their own and the group's rate, as far as it is borne out."""

    version: str
    #: Ages of the oldest open debt, in days past due, at which the next band begins.
    days: tuple[int, ...]
    #: By currency: what is owed from here on is much, minor units.
    much_minor: dict[str, int]
    #: By agent, one for each group, in their order: by band, little before much. Who is not named adds nothing.
    gains: dict[str, tuple[float, ...]]

    def __post_init__(self) -> None:
        if list(self.days) != sorted(set(self.days)):
            raise BadInput(f"matching {self.version}: days must rise, were {list(self.days)}; learn it anew")
        for agent, of in self.gains.items():
            if len(of) != self.groups:
                raise BadInput(
                    f"matching {self.version}: agent {agent!r} must have {self.groups} gains, had {len(of)}; learn it "
                    "anew"
                )

    @property
    def groups(self) -> int:
        return 2 * (len(self.days) + 1)

    def group(self, dossier: Dossier, day: str) -> int | None:
        """Return a debtor's group on a day (ISO); None: age or currency is not known, or nothing is owed."""
        due, owed_minor, currency = "", 0, ""
        for debt in dossier.debts:
            currency = currency or debt.currency
            if debt.balance_minor <= 0 or debt.state != "open":
                continue
            owed_minor += debt.balance_minor
            if debt.due_on is not None and (not due or debt.due_on < due):
                due = debt.due_on
        if not due:
            return None
        return self.group_of((date.fromisoformat(day) - date.fromisoformat(due)).days, owed_minor, currency)

    def group_of(self, days: int, owed_minor: int, currency: str) -> int | None:
        """Return the group of who owes so much, the oldest of it so many days past due; None: an unknown currency."""
        much_minor = self.much_minor.get(currency)
        return None if much_minor is None else 2 * sum(days >= cut for cut in self.days) + (owed_minor >= much_minor)

    def words(self, group: int) -> str:
        """Return what a group is."""
        band, much = divmod(group, 2)
        bounds = ("", *map(str, self.days), "")
        low, high = bounds[band], bounds[band + 1]
        if not self.days:
            days = "of any age"
        elif not low:
            days = f"less than {high} days past due"
        else:
            days = f"{low} days past due or more" if not high else f"{low} to {int(high) - 1} days past due"
        return f"{days}, {'much' if much else 'little'} owed"


class Match(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an agent was picked by a table of matching, of several who were free."""

    version: str
    #: Of the debtor.
    group: int
    #: So many agents might have been given the caller.
    of: int
    #: What the agent adds, by the table.
    gain: float
    #: Who was longest idle, where it is another, and what he would have added.
    instead: str = ""
    passed: float = 0.0
    #: The agent was idle for so long that he came first, whatever he adds.
    idle: bool = False


class Sought(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which group of agents a call asked for, and what came of it."""

    group: str
    #: The agent is in it.
    within: bool
    #: So many of it were free and among those who came first; None: nobody could be chosen.
    free: int | None = None
