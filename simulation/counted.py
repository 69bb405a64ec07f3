"""What a record shows as such: times on the line, outcomes of conversations, dead numbers, payments nobody asked for.

Each becomes an estimate with its cases and interval, or a line among what the record does not tell.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from statistics import quantiles
from typing import Final

import msgspec
from msgspec.structs import replace

from domain.calls import RIGHT_PARTY, AnswerClass, Disposition
from domain.instants import SECOND, to_datetime
from domain.people import Dossier
from ledger.experience import Paid, Promised, Try
from simulation.chance import Chance
from simulation.estimates import Estimate, between, lognormal, p, paces, poisson, shrunk_ratios, two_lognormals
from simulation.population import Debtors, Laws
from simulation.population import Paid as OwnPayment
from simulation.population.traits import Mixture, stage_of, zone_of

#: Fewer cases than these and the base world stands.
LEAST: Final = 20
_MOBILE = frozenset({"mobile", "fixed_or_mobile"})
#: Machines that answer sooner are behind phones that are off.
OFF_S: Final = 4.0
_CONGESTED: Final = frozenset({34, 42, 44})
#: Rounds by which the rate of paying is found, and seeds of each.
_ROUNDS: Final = 3
_SEEDS: Final = (21, 22, 23)


class Case(msgspec.Struct, frozen=True):
    """A recorded attempt as both sides count it."""

    one: Try
    nth: int
    further: bool
    mobile: bool
    stage: int
    #: Kind of day and local hour.
    slot: tuple[int, int]


class Record:
    """The attempts of a stretch, sorted out."""

    def __init__(self, tries: Iterable[Try], people: Sequence[Dossier], laws: Laws, start_us: int) -> None:
        self.people = people
        self.mixture = Mixture(laws)
        self.start_us = start_us
        today = to_datetime(start_us).date()
        numbers: dict[int, tuple[bool, bool]] = {}
        places = {one.person: (_stage(laws, one, today), zone_of(one)) for one in people}
        for one in people:
            for index, phone in enumerate(one.phones):
                numbers.setdefault(phone.phone, (index > 0, phone.line_type in _MOBILE))
        self.stages = {person: stage for person, (stage, _) in places.items()}
        #: Attempts on each number so far, those before the stretch included.
        counts = Counter(line.phone for one in people for line in one.history if line.channel == "call")
        self.cases: list[Case] = []
        for each in tries:
            if each.phone not in numbers or each.person not in places:
                continue  # erased since
            counts[each.phone] += 1
            further, mobile = numbers[each.phone]
            stage, zone = places[each.person]
            local = to_datetime(each.dialled_us, zone)
            slot = max(0, local.weekday() - 4), local.hour
            self.cases.append(Case(each, counts[each.phone], further, mobile, stage, slot))
        self.detected = any(case.one.class_why == "detection" for case in self.cases)
        gave_up = [
            case.one.ring_us / SECOND
            for case in self.cases
            if case.one.disposition == Disposition.no_answer and case.one.ring_us
        ]
        #: Seconds after which the floor gave up ringing.
        self.timeout_s = max(gave_up, default=60.0)


def _stage(laws: Laws, one: Dossier, today: date) -> int:
    days = [(today - date.fromisoformat(debt.due_on)).days for debt in one.debts if debt.due_on]
    return stage_of(laws, max(days, default=0))


def met(one: Try) -> str:
    """Return what an attempt met: person, machine, rejected, busy (or no way through), dead, or nothing."""
    if one.answer_class == AnswerClass.machine or one.disposition == Disposition.machine:
        return "machine"
    if one.answer_class in (AnswerClass.connected, AnswerClass.abandoned) or one.class_why == "left_detecting":
        return "person"
    if one.disposition == Disposition.not_in_service:
        return "dead"
    if one.disposition in (Disposition.busy, Disposition.network_fail):
        return "busy"
    return "rejected" if one.disposition == Disposition.rejected else ""


def who(one: Try) -> str:
    """Return who spoke, by the agent's word; empty: nobody did, or nothing was recorded."""
    if one.disposition == Disposition.wrong_party:
        return "wrong_party"
    if one.disposition in (Disposition.third_party, Disposition.deceased):
        return "third_party"
    return "debtor" if one.disposition in RIGHT_PARTY else ""


# ---- what is seen as such


def counted(record: Record, laws: Laws, commit_s: float) -> tuple[list[Estimate], dict[str, str]]:
    cases = record.cases
    found: list[Estimate] = []
    missing: dict[str, str] = {
        "line.voicemail_s, line.network_ring_s": "no call of the record waits for their end",
        "talk.p_person_ends": "the tables do not say who hung up",
        "answering.same_day, answering.same_hour, answering.spread": "not to be told from fatigue",
        "presence: the height of the curves, presence.mobile_at_hand": "not to be told from answering.p_pick_up",
        "contact, responses, channels, correlation": "an effect of contact takes an experiment; see below what is seen",
    }

    def put(one: Estimate | None, place: str, least: int = LEAST) -> None:
        if one is not None and one.n >= least:
            found.append(one)
        else:
            missing[place] = f"{0 if one is None else one.n} cases, {least} wanted"

    alive = [case for case in cases if case.one.disposition != Disposition.not_in_service]
    busy = sum(case.one.disposition == Disposition.busy for case in alive)
    failed = [case for case in alive if case.one.disposition == Disposition.network_fail]
    congested = sum(case.one.q850 in _CONGESTED for case in failed)
    put(p("answering.p_busy", busy, len(alive)), "answering.p_busy", 200)
    put(p("answering.p_congestion", congested, len(alive)), "answering.p_congestion", 200)
    put(p("answering.p_network_fail", len(failed) - congested, len(alive)), "answering.p_network_fail", 200)

    # The first word of the network about each number.
    firsts = [case for case in cases if case.nth == 1]
    _pair(
        found, missing, "numbers.p_dead",
        [(case.further, case.one.disposition == Disposition.not_in_service) for case in firsts],
        laws.numbers.p_dead,
    )  # fmt: skip
    spoken = [case for case in cases if who(case.one) in ("debtor", "third_party")]
    for mobile, key in ((True, "p_debtor_mobile"), (False, "p_debtor_fixed")):
        some = [who(case.one) == "debtor" for case in spoken if case.mobile is mobile]
        put(p(f"numbers.{key}", sum(some), len(some)), f"numbers.{key}")

    setups = [
        (case.one.ringing_us - case.one.dialled_us) / SECOND - commit_s
        for case in cases
        if case.one.ringing_us is not None
    ]
    put(lognormal("line.setup_s", setups, "from the order to the ringing"), "line.setup_s")
    answers: list[float] = []
    voicemails: list[float] = []
    offs: list[float] = []
    declines: list[float] = []
    for case in cases:
        one = case.one
        if one.ringing_us is None:
            continue
        ring_s = ((one.answered_us or one.closed_us) - one.ringing_us) / SECOND
        what = met(one)
        if what == "person":
            answers.append(ring_s)
        elif what == "machine":
            (voicemails if ring_s >= OFF_S else offs).append(ring_s)
        elif what == "rejected":
            declines.append(ring_s)
    if len(answers) >= 50:
        line = laws.line
        early, late, share = two_lognormals(answers, line.ring_s, line.late_ring_s, line.p_early_ring)
        how = f"of answers within {record.timeout_s:.0f} s: two clusters, by expectation and maximisation"
        found.append(Estimate(at="line.ring_s", value=early, n=len(answers), how=how))
        found.append(Estimate(at="line.late_ring_s", value=late, n=len(answers), how=how))
        found.append(Estimate(at="line.p_early_ring", value=share, n=len(answers), how=how))
    else:
        missing["line.ring_s"] = f"{len(answers)} answers, 50 wanted"
    _span(found, missing, "line.off_ring_s", offs)
    _span(found, missing, "line.decline_ring_s", declines)
    if record.timeout_s > laws.line.voicemail_ring_s[1]:
        _span(found, missing, "line.voicemail_ring_s", voicemails)
    else:
        missing["line.voicemail_ring_s"] = f"the floor gave up ringing after {record.timeout_s:.0f} s"

    # Somebody who hears silence: waits until he left, or until it ended otherwise.
    waits, left = 0.0, 0
    for case in cases:
        one = case.one
        if one.answered_us is None or met(one) != "person":
            continue
        until_us = one.talking_us or one.ended_us or one.answered_us
        waits += (until_us - one.answered_us) / SECOND
        left += one.class_why in ("caller_left", "left_detecting")
    if left >= LEAST:
        low, high = poisson(left)
        mean = waits / left
        how = "an exponential, waits cut by an agent taken as such"
        found.append(
            Estimate(at="line.patience_s", value=round(mean, 2), n=left, low=mean / high, high=mean / low, how=how)
        )
    else:
        missing["line.patience_s"] = f"{left} callers left, {LEAST} wanted"

    talks: defaultdict[str, list[float]] = defaultdict(list)
    for case in cases:
        one = case.one
        if one.talk_us and one.answer_class == AnswerClass.connected:
            talks["machine" if one.disposition == Disposition.machine else who(one)].append(one.talk_us / SECOND)
    for spoke in ("debtor", "third_party", "wrong_party", "machine"):
        put(lognormal(f"talk.{spoke}_s", talks[spoke], "of conversations that are over"), f"talk.{spoke}_s")
    _outcomes(record, laws, found, missing)
    return found, missing


def _pair(
    found: list[Estimate],
    missing: dict[str, str],
    at: str,
    cases: Sequence[tuple[bool, bool]],
    base: tuple[float, float],
) -> None:
    """State a share of first numbers and of further ones; where one has too few, the base's stands."""
    values, n, words = list(base), 0, []
    for further in (False, True):
        of = [hit for later, hit in cases if later is further]
        one = p(at, sum(of), len(of))
        if one is not None and len(of) >= 4 * LEAST:
            values[further] = float(one.value)  # type: ignore[arg-type]
            n += len(of)
            words.append(f"{'further' if further else 'first'}: {len(of):,} in [{one.low:.4g}, {one.high:.4g}]")
        else:
            words.append(f"{'further' if further else 'first'}: {len(of)} cases, the base's")
    if n:
        found.append(Estimate(at=at, value=(values[0], values[1]), n=n, how="; ".join(words)))
    else:
        missing[at] = f"fewer than {4 * LEAST} numbers of either place"


def _span(found: list[Estimate], missing: dict[str, str], at: str, seconds: list[float]) -> None:
    if len(seconds) < 2 * LEAST:
        missing[at] = f"{len(seconds)} cases, {2 * LEAST} wanted"
        return
    # Of a uniform law, whose ends strays may not move: the middle nine tenths, widened to the whole.
    cuts = quantiles(seconds, n=20)
    rest = (cuts[18] - cuts[0]) / 18
    low, high = round(max(0.0, cuts[0] - rest), 2), round(cuts[18] + rest, 2)
    found.append(Estimate(at=at, value=(low, high), n=len(seconds), how="the middle nine tenths, widened to the whole"))


def _outcomes(record: Record, laws: Laws, found: list[Estimate], missing: dict[str, str]) -> None:
    """State what first conversations with debtors come to, and how many say a word that ends all calling."""
    first: dict[int, str] = {}
    for case in record.cases:
        if who(case.one) == "debtor" and case.one.disposition != Disposition.unrecorded:
            first.setdefault(case.one.person, case.one.disposition)
    words = Counter(first.values())
    n = sum(words[word] for word in laws.outcomes)
    total = sum(laws.outcomes.values())
    if n < 2 * LEAST:
        missing["outcomes"] = f"{n} first conversations, {2 * LEAST} wanted"
    else:
        for word, weight in laws.outcomes.items():
            one = p(f"outcomes.{word}", words[word], n)
            assert one is not None
            # As if the base had been seen twenty times.
            value = (words[word] + LEAST * weight / total) / (n + LEAST)
            how = f"first conversations; drawn to the base's {weight / total:.3f} as by {LEAST} more"
            found.append(replace(one, value=float(f"{value:.4g}"), how=how))
    for word, share in laws.conditions.items():
        one = p(f"conditions.{word}", words[word], len(first))
        if word == Disposition.deceased or one is None or len(first) < 500:
            missing[f"conditions.{word}"] = f"{len(first)} people spoke, 500 wanted for {share:g}"
        else:
            found.append(one)


# ---- promises and payments


def promise_days(promised: Sequence[Promised], found: list[Estimate], missing: dict[str, str]) -> None:
    ahead = [(date.fromisoformat(one.due_on) - to_datetime(one.made_us).date()) / timedelta(days=1) for one in promised]
    if len(ahead) < 2 * LEAST:
        missing["promises.days"] = f"{len(ahead)} promises, {2 * LEAST} wanted"
        return
    cuts = quantiles(ahead, n=50)
    low = max(1, round(cuts[0]))
    value = (low, max(low, min(60, round(cuts[-1]))))
    found.append(Estimate(at="promises.days", value=value, n=len(ahead), how="from the 2nd to the 98th of a hundred"))


def hazards(record: Record, laws: Laws, paid: Sequence[Paid], to_us: int, missing: dict[str, str]) -> list[Estimate]:
    """State how often people pay by themselves: until they pay, or somebody of theirs spoke with us."""
    if not paid:
        missing["payment"] = "no payment is on record of this time"
        return []
    spoke: dict[int, int] = {}
    for case in record.cases:
        if met(case.one) == "person":
            spoke.setdefault(case.one.person, case.one.closed_us)

    def by_themselves(deeds: Iterable[tuple[int, int]]) -> dict[object, float]:
        """Count by stage the people whose first payment came before anybody had spoken."""
        first: dict[int, int] = {}
        for person, at_us in deeds:
            first.setdefault(person, at_us)
        hits: defaultdict[object, float] = defaultdict(float)
        for person, at_us in first.items():
            if person in record.stages and at_us < spoke.get(person, to_us):
                hits[record.stages[person]] += 1
        return hits

    hits = by_themselves((one.person, one.at_us) for one in paid)
    rates = list(laws.payment.self_cure_per_day)
    for _ in range(_ROUNDS):
        # Paydays, weekdays, and that the readiest pay first: as the simulated debtors have them in these very days.
        expected: defaultdict[object, float] = defaultdict(float, dict.fromkeys(range(len(rates)), 0.0))
        moved = replace(laws, payment=replace(laws.payment, self_cure_per_day=tuple(rates)))
        for seed in _SEEDS:
            debtors = Debtors(moved, Chance(seed), start_us=record.start_us)
            debtors.meet(record.people)
            deeds = debtors.pass_time(record.start_us, to_us)
            own = by_themselves((one.person, one.at_us) for one in deeds if isinstance(one, OwnPayment))
            for stage, count in own.items():
                expected[stage] += count / len(_SEEDS)
        ratios = shrunk_ratios(hits, expected)
        rates = [between(rate * ratios.get(stage, 1.0), 1e-6, 1.0) for stage, rate in enumerate(rates)]
    spans = [poisson(max(1.0, hits[stage])) for stage in range(len(rates))]
    how = "first payments of people to whom nobody had spoken, by stage " + ", ".join(
        f"{hits[stage]:.0f} in [{rate * low:.3g}, {rate * high:.3g}]"
        for stage, (rate, (low, high)) in enumerate(zip(rates, spans, strict=True))
    )
    return [Estimate(at="payment.self_cure_per_day", value=tuple(rates), n=round(sum(hits.values())), how=how)]


def observed(record: Record) -> dict[str, str]:
    """Tell how the floor's agents wrap up and talk: no law of a world; `simulate fit --agents` writes a roster."""
    told: dict[str, str] = {}
    every = [
        case.one.wrap_us / SECOND
        for case in record.cases
        if case.one.agent and case.one.wrap_us and case.one.disposition != Disposition.unrecorded
    ]
    floor = lognormal("", every)
    if floor is not None and isinstance(floor.value, tuple):
        told["wrap-up"] = f"median {floor.value[0]:g} s, spread {floor.value[1]:g}, n = {floor.n}"
    for word, of in zip(("wrap-up", "talk"), paces_of(case.one for case in record.cases), strict=True):
        for agent, one in of.items():
            told[f"{word} pace of agent {agent}"] = f"{one.value:.2f} ({one.rests_on})"
    return told


def paces_of(tries: Iterable[Try]) -> tuple[dict[str, Estimate], dict[str, Estimate]]:
    """Return how long each agent wraps up, and talks, against the floor."""
    wraps: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    talks: defaultdict[str, defaultdict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in tries:
        if not one.agent or one.answer_class != AnswerClass.connected or one.disposition == Disposition.unrecorded:
            continue
        spoke = "machine" if one.disposition == Disposition.machine else who(one)
        if one.wrap_us:
            wraps[one.agent]["debtor" if spoke == "debtor" else "other"].append(one.wrap_us / SECOND)
        if one.talk_us:
            talks[one.agent][spoke].append(one.talk_us / SECOND)
    return paces(wraps), paces(talks)
