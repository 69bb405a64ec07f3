"""The dictionary's metrics and the costs of a month written by hand."""

from pathlib import Path

import pytest

from domain.errors import BadInput
from simulation.measures import BY_NAME, MEASURES, Costs, Prices, parts, read_costs, tally, tally_by
from simulation.statistics import quotient
from tests.unit.simulation.months import month

EUR = Prices(agent_hour=1800, call_minute=1.2, attempt=0.1, complaint=6000)
COSTS = Costs(currency="EUR", prices={"EUR": EUR, "COP": EUR}, exchange={"COP": 0.0002})


def value(name: str) -> float:
    return quotient(parts(BY_NAME[name], [tally(month("A", 1), COSTS, "EUR")])).value


def test_every_metric_is_what_the_dictionary_says() -> None:
    # 8 flows of 100 attempts; agents are signed in 10 h in each of 4 hours, of which 2.5 h on a break.
    assert value("attempts") == 800
    assert value("live_answer_rate") == pytest.approx(160 / 800)
    assert value("abandon_rate") == pytest.approx(8 / 160)
    assert value("rpc_per_agent_hour") == pytest.approx(80 / 30)
    assert value("ptp_rate") == pytest.approx(32 / 80)
    assert value("kept_ptp_rate") == pytest.approx(3 / 4)
    assert value("promise_value_kept") == pytest.approx(300 / 400)
    assert value("occupancy") == pytest.approx(2.5 / 7.5)
    assert value("aht_s") == pytest.approx(4_000 / 20)
    assert value("wait_s") == pytest.approx(1.0)
    assert value("list_penetration") == pytest.approx(160 / 200)
    assert value("contact_rate") == pytest.approx(40 / 160)
    assert value("liquidation") == pytest.approx(6_000 / 190_000)


def test_cost_adds_up_and_net_is_what_is_left() -> None:
    cost = 40 * 18.0 + 8 * (3_600 + 20) / 60 * 0.012 + 800 * 0.001 + 60.0
    assert value("cost") == pytest.approx(cost)
    assert value("collected") == pytest.approx(6_000)
    assert value("net_recovery") == pytest.approx(6_000 - cost)
    assert value("cost_per_collected") == pytest.approx(cost / 6_000)


@pytest.mark.parametrize("by", ["segment", "hour"])
def test_groups_add_up_to_the_whole(by: str) -> None:
    whole, groups = tally(month("A", 1), COSTS, "EUR"), tally_by(month("A", 1), COSTS, "EUR", by)
    names = ("attempts", "right_party", "paid", "assigned") if by == "segment" else ("attempts", "logged_h", "busy_h")
    for name in names:
        assert sum(group.get(name, 0.0) for group in groups.values()) == pytest.approx(whole[name])


def test_debtors_own_currency_is_reported_where_it_is_priced() -> None:
    pesos = month("A", 1, currency="COP", paid_minor=500_000_00)
    assert COSTS.currency_of([pesos]) == "COP"
    assert COSTS.currency_of([pesos, month("A", 2)]) == "EUR"
    assert tally(pesos, COSTS, "COP")["paid"] == pytest.approx(501_000)
    assert tally(pesos, COSTS, "EUR")["paid"] == pytest.approx(501_000 * 0.0002)


def test_a_currency_without_a_rate_is_refused() -> None:
    with pytest.raises(BadInput, match=r"exchange\.CLP"):
        tally(month("A", 1, currency="CLP"), COSTS, "EUR")


def test_names_are_unique_and_the_shipped_prices_are_read() -> None:
    assert len(BY_NAME) == len(MEASURES)
    assert set(read_costs().prices) >= {"EUR", "COP", "USD"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency = ", "is no TOML"),
        ('currency = "EUR"\n[prices.EUR]\nagent_hour = -1\ncall_minute = 1\nattempt = 1\ncomplaint = 1', "agent_hour"),
        ('currency = "EUR"\n[prices.USD]\nagent_hour = 1\ncall_minute = 1\nattempt = 1\ncomplaint = 1', "no prices in"),
        ('currency = "EURO"\n[prices]', "no currency"),
        ('currency = "EUR"\n[prices.EUR]\nagent_hour = 1', "prices.EUR lacks `call_minute`"),
    ],
)
def test_bad_prices_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "costs.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        read_costs(path)
    with pytest.raises(BadInput, match="cannot be read"):
        read_costs(tmp_path / "none.toml")
