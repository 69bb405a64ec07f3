"""What an agent may offer: sums by the currency's decimals, in both languages, and of no debt that is paid."""

import pytest

from dialer.engine.evolve import evolve
from dialer.engine.snapshot import freeze, thaw
from dialer.engine.state import State
from domain.calls import Mode
from domain.events import FloorOpened, LeadsLoaded
from domain.offers import Offer, Plan, terms_of
from domain.orders import Reserve
from domain.people import Choice, Debt, Dossier, Lead, Phone, Verdict
from domain.settings import CallTreatment, CampaignSettings, FloorSettings

OFFER = Offer(discount=0.1, plan_months=(6, 3))


def debt(balance_minor: int, currency: str = "EUR", state: str = "open") -> Debt:
    return Debt(debt=7, creditor=1, balance_minor=balance_minor, currency=currency, state=state)


@pytest.mark.parametrize(
    ("offer", "owed", "english", "spanish"),
    [
        (
            OFFER,
            debt(123_450),
            "may be offered: 10 % off 1,234.50 EUR: 1,111.05; in 3 or 6 instalments of 370.35 / 185.18",
            "puede ofrecerse: 10 % menos de 1.234,50 EUR: 1.111,05; en 3 o 6 plazos de 370,35 / 185,18",
        ),
        (
            Offer(discount=0.125),
            debt(1_234_567, "CLP"),
            "may be offered: 12.5 % off 1,234,567 CLP: 1,080,247",
            "puede ofrecerse: 12,5 % menos de 1.234.567 CLP: 1.080.247",
        ),
        (
            Offer(plan_months=(2, 3, 4)),
            debt(1_000, "KWD"),
            "may be offered: 1.000 KWD in 2, 3 or 4 instalments of 0.500 / 0.334 / 0.250",
            "puede ofrecerse: 1,000 KWD en 2, 3 o 4 plazos de 0,500 / 0,334 / 0,250",
        ),
    ],
)
def test_an_offer_is_told_in_sums_of_the_moment(offer: Offer, owed: Debt, english: str, spanish: str) -> None:
    (found,) = terms_of(offer, [owed])
    assert found.words == {"en": english, "es": spanish}


def test_never_more_is_waived_than_was_offered() -> None:
    for balance_minor in range(1, 2_000):
        for per_mille in (1, 99, 333, 500, 999):
            least = Offer(discount=per_mille / 1_000).settles_minor(balance_minor)
            assert balance_minor * (1_000 - per_mille) <= 1_000 * least < balance_minor * (1_000 - per_mille) + 1_000
    (found,) = terms_of(OFFER, [debt(123_450)])
    assert found.plans == (Plan(instalments=3, each_minor=37_035), Plan(instalments=6, each_minor=18_518))
    assert all(one.each_minor * one.instalments >= found.settles_minor for one in found.plans)


def test_nothing_is_offered_on_what_is_not_owed() -> None:
    assert terms_of(OFFER, [debt(123_450, state="paid"), debt(5, state="withdrawn"), debt(0)]) == ()
    assert terms_of(None, [debt(123_450)]) == terms_of(Offer(), [debt(123_450)]) == ()
    # No plan of more instalments than the smallest coin makes.
    assert [one.instalments for one in terms_of(OFFER, [debt(4)])[0].plans] == [3]


def choice(treatment: str) -> Choice:
    return Choice(
        strategy="s@1", segment="all", treatment=treatment, arm="champion", p_arm=1.0, p_call=1.0, place=1, of=1
    )


def lead(treatment: str) -> Lead:
    return Lead(person=1, rank=0, debts=(7,), choice=choice(treatment))


def test_a_call_keeps_the_offer_under_which_it_was_decided() -> None:
    campaign = CampaignSettings(
        name="es",
        treatments={"champion.firm.1": CallTreatment(offer=OFFER), "champion.firm.2": CallTreatment()},
    )
    who = Dossier(
        person=1, keys=(), country="ES", debts=(debt(123_450),), phones=(Phone(phone=3, country="ES"),)
    )  # fmt: skip
    state = State()
    evolve(state, FloorOpened(at_us=1, settings=FloorSettings(campaigns=(campaign,)), rules="", versions={}))
    first = lead("champion.firm.1")
    evolve(state, LeadsLoaded(at_us=2, campaign="es", plan="es-1", chunk=0, sha256="", leads=(first,), people=(who,)))
    evolve(
        state,
        Reserve(
            call_id="floor-3",
            campaign="es",
            person=1,
            debts=(7,),
            phone=3,
            keys=(),
            mode=Mode.power,
            verdict=Verdict(allowed=True),
            node="main",
            trunk="trunk",
            caller_id="",
            ordinal=1,
            choice=first.choice,
        ),
    )
    # A list made meanwhile has him in another step; the settings that a restart brings may hold none at all.
    later = lead("champion.firm.2")
    evolve(state, LeadsLoaded(at_us=4, campaign="es", plan="es-2", chunk=0, sha256="", leads=(later,), people=(who,)))
    again = FloorSettings(campaigns=(CampaignSettings(name="es"),))
    evolve(state, FloorOpened(at_us=5, settings=again, rules="", versions={}))
    assert state.campaigns["es"].leads[1].choice == later.choice
    assert state.calls["floor-3"].offer == OFFER
    assert thaw(freeze(state)).calls["floor-3"].offer == OFFER
