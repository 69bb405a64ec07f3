"""What a contact is worth, channel by channel: (P(pays | contact) − P(pays | none)) × expected amount − cost.

A list orders calls, and few of them find the debtor: what a lot among calling and not calling shows is the worth of the
order, and divided by how much likelier a conversation becomes, that of a conversation.

One record, learned from rows whose action was chosen by lot, kept as text, and asked at serving: for each channel the
effect as far as unseen debtors bear it out, and the share of the balance that a payment settles. A channel that is
borne out to do next to nothing is worth its cost, negative; what the data do not tell is not known, which is no number.
Through neither anything is recommended.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.errors import BadInput
from models import uplift
from models.decisions import CALL, NONE
from models.features import CATEGORIES
from models.uplift import Effect, Judged, Learner, Reached, Rows, Shown

if TYPE_CHECKING:
    from models.lessons import Trial

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A contact through one channel against none."""

    channel: str
    learner: Learner
    #: Rows that learned, and those of them contacted.
    rows: int
    contacted: int
    effect: Effect
    shown: Shown
    #: How learners ranked debtors whom they had not seen, the best first; empty: the learner was named.
    judged: tuple[Judged, ...]
    #: How often an order led to a contact, where that is not the same.
    reached: Reached | None = None

    def effects(self, x: NDArray[Any]) -> F8:
        """Return what a contact that comes about adds to the probability of paying, (n,); NaN: not known."""
        told = self.effect.predict(x)
        return self.shown(told if self.reached is None else told / self.reached(x))


class Worth(msgspec.Struct, frozen=True, kw_only=True):
    """What contacts are worth."""

    #: The features, in their order.
    features: tuple[str, ...]
    channels: tuple[Channel, ...]
    #: Share of the balance that a payment settles: LightGBM, as text.
    amount: str

    def effects(self, x: NDArray[Any]) -> F8:
        """Return what each channel adds to the probability of paying, (n, channels); NaN: not known."""
        return np.column_stack([one.effects(x) for one in self.channels])

    def values(self, x: NDArray[Any], owed_minor: F8, cost_minor: Mapping[str, float]) -> F8:
        """Return the marginal value of a contact by channel, (n, channels), in minor units; NaN: not known.

        Parameters
        ----------
        owed_minor : (n,)
        cost_minor
            Of a contact, by channel, in the same currency.

        Raises
        ------
        BadInput
            When a channel has no cost.
        """
        if missing := [one.channel for one in self.channels if one.channel not in cost_minor]:
            raise BadInput(
                f"worth: no cost is given for {missing[0]}; say what a contact through it costs, 0 if nothing"
            )
        amount = uplift.Amount(self.amount)(x)[:, None]
        costs = np.array([cost_minor[one.channel] for one in self.channels])
        return uplift.value(self.effects(x), amount, owed_minor[:, None], costs)

    def recommended(self, values: F8) -> I8:
        """Return the place of the channel worth most for each row, -1 where none is known to be worth anything."""
        values = np.nan_to_num(values, nan=-np.inf)
        best = np.argmax(values, axis=1)
        return np.where(values[np.arange(len(values)), best] > 0.0, best, -1).astype(np.int64)


def fit(
    x: NDArray[Any],
    features: Sequence[str],
    *,
    actions: Sequence[str],
    action: I8,
    p: F8,
    y: F8,
    share: F8,
    group: I8,
    categories: Sequence[str] = (),
    learner: Learner | None = None,
    met: F8 | None = None,
    report: Callable[[str, int, int], None] = lambda _what, _done, _of: None,
) -> Worth:
    """Return what contacts are worth, learned from rows whose action was chosen by lot.

    Parameters
    ----------
    x : (n, d)
    action : (n,)
        Place in `actions`, one of which is `none`.
    p : (n, actions)
        With what chance each action was chosen; 0 where it could not be.
    y : (n,)
        1: something was paid within the window.
    share : (n,)
        What was paid of what was owed, at most 1.
    group : (n,)
        Debtors.
    learner
        One of `uplift.LEARNERS`; without it, the simplest that is not clearly behind the best on unseen debtors.
    met : (n,)
        1: the debtor was spoken to within the window. Then `call` is an order to call, and its worth is told of a
        conversation. Without it every action is the contact itself.

    Raises
    ------
    BadInput
        When no action is `none`, a chance is not one, or an arm is too small.
    """
    if NONE not in actions:
        raise BadInput(f"worth: among the actions {', '.join(actions)} is no {NONE!r}; leave some debtors alone by lot")
    # Not `<= 0`: what is not known cannot be either.
    wrong = ~(p[np.arange(len(action)), action] > 0.0) | (p.sum(axis=1) > 1.0 + 1e-9)
    if wrong.any():
        row = int(wrong.argmax())
        raise BadInput(
            f"worth: row {row + 1}: chances {p[row].tolist()} of {', '.join(actions)} cannot be; correct them"
        )
    places = tuple(list(features).index(name) for name in categories)
    none = list(actions).index(NONE)
    channels = []
    contacts = [place for place in range(len(actions)) if place != none]
    for done, place in enumerate(contacts):
        report("whom a contact moves", done, len(contacts))
        # Only rows for whom both were possible can tell them apart.
        both = ((action == place) | (action == none)) & (p[:, place] > 0.0) & (p[:, none] > 0.0)
        rows = Rows(
            x=x[both], treated=(action[both] == place).astype(np.float64),
            p_treated=p[both, place] / (p[both, place] + p[both, none]), y=y[both], group=group[both],
            categories=places,
        )  # fmt: skip
        of_calls = met is not None and actions[place] == CALL
        channels.append(_channel(actions[place], rows, learner, met[both] if of_calls and met is not None else None))
    paying = y > 0.0
    return Worth(
        features=tuple(features),
        channels=tuple(channels),
        amount=uplift.fit_amount(x[paying], share[paying], places).text,
    )


def of_trial(trial: "Trial") -> Worth:
    """Return what contacts are worth by the trial that the ledger has on record; see `fit`."""
    return fit(
        trial.x, trial.names, actions=trial.actions, action=trial.action, p=trial.p, y=trial.y, share=trial.share,
        group=trial.group, met=trial.met, categories=[name for name in CATEGORIES if name in trial.names],
    )  # fmt: skip


def _channel(channel: str, rows: Rows, learner: Learner | None, met: F8 | None) -> Channel:
    uplift.check_enough(rows)
    reached, by = None, None
    if met is not None:
        found, unseen_by = uplift.reached(rows, met)
        if found.mean < _REACHES:
            reached, by = found, unseen_by
    m1, m0 = uplift.nuisance(rows, uplift.two_arms)
    judged: list[Judged] = []
    if learner is None:
        told = {one: uplift.unseen_effects(rows, one) for one in uplift.LEARNERS}
        judged = uplift.compare(told, rows, rows.p_treated * m1 + (1.0 - rows.p_treated) * m0)
        learner = uplift.choose(judged)
        unseen = told[learner]
    else:
        unseen = uplift.unseen_effects(rows, learner)
    return Channel(
        channel=channel,
        learner=learner,
        rows=len(rows),
        contacted=int(rows.treated.sum()),
        effect=uplift.learn(rows, learner),
        shown=uplift.shown(unseen if by is None else unseen / by, uplift.robust(rows, m1, m0), rows.group, reached=by),
        judged=tuple(judged),
        reached=reached,
    )


#: From here on an order is as good as the contact.
_REACHES = 0.95
