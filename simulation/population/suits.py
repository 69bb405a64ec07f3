"""Which agent suits which debtor, in worlds where that matters (`promises.by_agent`): the truth of matching.

An agent has a hand for old debts or for new ones, for much or for little, each a standard normal draw by his name: it
moves the log odds that a conversation ends in a promise or a plan.
"""

import math
from typing import Final

from domain.calls import Disposition
from simulation.chance import Chance, Choice, Purpose, entity_of, normal
from simulation.population.conduct import Conduct
from simulation.population.register import Person, Register

#: What a conversation is to end in.
AGREED: Final = frozenset({Disposition.promise, Disposition.plan})
#: Whatever the seed: who learned from one month meets the same agents in the next.
_AGENTS: Final = Chance(0)


class Suits:
    """What conversations may come to, by debtor and agent."""

    def __init__(self, register: Register, conduct: Conduct) -> None:
        self._register = register
        self._conduct = conduct
        self._by_agent = register.mixture.laws.promises.by_agent
        #: By agent, his hand for old debts and for much owed.
        self._hands: dict[str, tuple[float, float]] = {}

    def outcomes(self, debtor: Person, agent: str) -> Choice[Disposition]:
        """Return what a conversation of a debtor with an agent may come to; agent empty: with anybody."""
        assert debtor.outcomes is not None
        if not self._by_agent or not agent:
            return debtor.outcomes
        persons, _ = self._conduct.everybody()
        mixture = self._register.mixture
        stage, kind = int(persons.stage[debtor.row]), int(persons.kind[debtor.row])
        factor = math.exp(self._by_agent * self._suits(debtor, agent, stage))
        weights = mixture.p_outcome[stage, kind].tolist()
        moved = [p * factor if word in AGREED else p for word, p in zip(mixture.outcomes, weights, strict=True)]
        return Choice(mixture.outcomes, moved)

    def p_agrees(self, person: int, agent: str) -> float:
        """Return the known truth of a conversation: the chance that it ends in a promise or a plan."""
        debtor = self._register.persons[person]
        if debtor.condition is not None or debtor.said is not None:
            return float(debtor.said in AGREED)
        return self.outcomes(debtor, agent).share(AGREED)

    def hand(self, agent: str) -> tuple[float, float]:
        """Return an agent's hand for old debts and for much owed, each of deviation 1 over agents."""
        if agent not in self._hands:
            entity = entity_of(agent)
            old, much = (normal(_AGENTS.u(Purpose.suits, entity, which)) for which in (0, 1))
            self._hands[agent] = old, much
        return self._hands[agent]

    def _suits(self, debtor: Person, agent: str, stage: int) -> float:
        """Return how far an agent suits a debtor, of deviation 1 over agents at the ends of both scales."""
        old, much = self.hand(agent)
        last = max(1, len(self._register.mixture.laws.stage_days))
        age = 2.0 * stage / last - 1.0
        _, debts = self._conduct.everybody()
        owed = sum(int(self._conduct.owed[row]) for row in debtor.debts)
        usual = sum(float(debts.usual[row]) for row in debtor.debts)
        return (age * old + (much if owed >= usual else -much)) / math.sqrt(2.0)
