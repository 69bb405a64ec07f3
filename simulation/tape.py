"""The ledger of a simulation that keeps nothing: it answers reservations from the versions that it counts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec.structs import replace

from domain.errors import Broken
from domain.events import Reserved, Stale
from domain.facts import AttemptClosed
from domain.orders import Reserve
from domain.people import CapKey, Dossier
from domain.records import Row
from ledger.reservations import compare
from simulation.population import Deed
from strategy.listing import Decision


class Tape:
    """The ledger of a replication: answers reservations and forgets the rows, unless told to keep them."""

    def __init__(self, *, keep: bool = False, versions: dict[str, int] | None = None) -> None:
        self.rows: list[Row] = []
        self._keep = keep
        #: A key that never moved stands at 0.
        self._versions: defaultdict[str, int] = defaultdict(int, versions or {})
        self._open_keys: dict[str, tuple[CapKey, ...]] = {}
        self._people: dict[int, Dossier] = {}

    def know(self, people: dict[int, Dossier]) -> None:
        """Answer a stale reservation from these."""
        self._people = people

    def meet(self, dossiers: Iterable[Dossier]) -> None:
        for dossier in dossiers:
            for cap in dossier.keys:
                self._versions.setdefault(cap.key, cap.version)

    def moved(self, dossier: Dossier) -> Dossier:
        """Return a dossier that somebody has written about, one version on."""
        own = f"person:{dossier.person}"
        self._versions[own] += 1
        return replace(dossier, keys=self._as_they_stand(dossier.keys))

    def heard(self, deeds: Sequence[Deed], at_us: int) -> None:
        """Take down what debtors did by themselves, before anybody is moved by it; here nothing is kept."""

    def decided(self, plan: int, campaign: str, made: Sequence[Decision]) -> None:
        """Take down what a campaign's strategy decided for the list of a plan; here nothing is kept."""

    def learned(self, dossier: Dossier) -> None:
        """Take the versions of a dossier that is newer than what stands here."""
        for cap in dossier.keys:
            self._versions[cap.key] = max(cap.version, self._versions.get(cap.key, 0))

    def rebased(self, dossier: Dossier) -> Dossier:
        """Return a dossier under the versions that stand here."""
        self.meet((dossier,))
        return replace(dossier, keys=self._as_they_stand(dossier.keys))

    def append(self, rows: Sequence[Row]) -> tuple[Reserved | Stale, ...]:
        answers: list[Reserved | Stale] = []
        for row in rows:
            record = row.record
            if type(record) is Reserve:
                keys = compare(record.keys, self._versions)
                if keys is None:
                    fresh = self._people[record.person]
                    fresh = replace(fresh, keys=self._as_they_stand(fresh.keys))
                    answers.append(Stale(at_us=row.at_us, call_id=record.call_id, dossier=fresh))
                else:
                    self._open_keys[record.call_id] = keys
                    answers.append(Reserved(at_us=row.at_us, call_id=record.call_id, keys=keys))
            elif type(record) is AttemptClosed:
                keys = self._open_keys.pop(record.call_id, ())
                if record.event is not None:
                    for cap in keys:
                        self._versions[cap.key] += 1
        if self._keep:
            self.rows += rows
        return tuple(answers)

    def read(self, stream: str, after_seq: int = 0) -> Iterator[Row]:
        if not self._keep:
            raise Broken(f"stream {stream}: this tape keeps no rows; make it with keep=True")
        return (row for row in self.rows if row.seq > after_seq)

    def _as_they_stand(self, keys: tuple[CapKey, ...]) -> tuple[CapKey, ...]:
        return tuple(CapKey(cap.key, self._versions[cap.key]) for cap in keys)
