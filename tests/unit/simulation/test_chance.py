"""Chance is a function: fixed, uniform, and independent between words."""

import math
from itertools import pairwise

import numpy as np
import pytest

from simulation.chance import Chance, Choice, Purpose, entity_of, exponential, lognormal, mix, normal, uniform
from simulation.draws import Draws

N = 20_000


def correlation(xs: list[float], ys: list[float]) -> float:
    n = len(xs)
    mx, my = sum(xs) / n, sum(ys) / n
    cov = sum((x - mx) * (y - my) for x, y in zip(xs, ys, strict=True))
    return cov / math.sqrt(sum((x - mx) ** 2 for x in xs) * sum((y - my) ** 2 for y in ys))


def chi_square(draws: list[float], bins: int) -> float:
    counts = [0] * bins
    for u in draws:
        counts[int(u * bins)] += 1
    expected = len(draws) / bins
    return sum((count - expected) ** 2 / expected for count in counts)


def test_finaliser_gives_splitmix64s_published_outputs() -> None:
    # The first outputs of SplitMix64 seeded with 1234567.
    gamma, word = 0x9E3779B97F4A7C15, 1234567
    outputs = []
    for _ in range(5):
        word = (word + gamma) % 2**64
        outputs.append(mix(word))
    assert outputs == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_draws_never_change() -> None:
    # A recorded world must be the same in every later version of the code.
    chance = Chance(42)
    drawn = [
        chance.u(Purpose.answer, 17, 1),
        chance.u(Purpose.talk, -17, 2),
        chance.u(Purpose.wrap, entity_of("a1"), 0),
    ]
    assert drawn == [0.891356504875017, 0.2504117405857177, 0.20373460944069233]


def test_compiled_draws_are_the_same() -> None:
    plain, compiled = Chance(7), Draws(7)
    words = (0, 1, 17, -17, 2**63 - 1, 2**63, 2**64 - 1, 2**64 + 5, entity_of("a1"))
    for purpose in (0, Purpose.answer, Purpose.end - 1):
        for entity in words:
            for counter in words:
                drawn = compiled.u(purpose, entity, counter)
                assert drawn == plain.u(purpose, entity, counter)
                assert type(drawn) is float
    for phone, nth, near, hour in zip(words, words[1:], words[2:], words[3:], strict=False):
        assert compiled.of_attempt(phone, nth, near, hour) == plain.of_attempt(phone, nth, near, hour)
    for bound in (0.0, 0.1, 1.0):
        for entity in words:
            found = compiled.first_below(bound, Purpose.pay, entity, -5, 20)
            assert found == plain.first_below(bound, Purpose.pay, entity, -5, 20)
            assert found is None or compiled.u(Purpose.pay, entity, found) < bound


def test_draw_is_two_finalisers_of_the_words() -> None:
    seed, entity, counter, gamma = 9, 12345, 678, 0x9E3779B97F4A7C15
    key = mix((mix(seed + gamma) + Purpose.ring * gamma) % 2**64)
    word = mix((mix((key + entity * gamma) % 2**64) + counter * gamma) % 2**64)
    assert Chance(seed).u(Purpose.ring, entity, counter) == ((word >> 12) + 0.5) / 2**52


@pytest.mark.parametrize("chance", [Chance(11), Draws(11)])
def test_many_draws_at_once_are_the_same_draws(chance: Chance) -> None:
    entities = [0, 1, -1, 17, 2**62, -(2**63), entity_of("a1")]
    counters = [0, 3, -8, 738_000, 2**40, -1, 5]
    column, days = np.array(entities), np.array(counters)
    assert chance.many(Purpose.pay, column).tolist() == [chance.u(Purpose.pay, one) for one in entities]
    assert chance.many(Purpose.pay, column, 9).tolist() == [chance.u(Purpose.pay, one, 9) for one in entities]
    assert chance.many(Purpose.pay, column[::2], -9).tolist() == [chance.u(Purpose.pay, n, -9) for n in entities[::2]]
    assert chance.many(Purpose.pay, column[:, None], 9).shape == (7, 1)
    assert chance.many(Purpose.pay, column, days).tolist() == [
        chance.u(Purpose.pay, one, counter) for one, counter in zip(entities, counters, strict=True)
    ]
    assert chance.many(Purpose.pay, np.array(5), days).tolist() == [chance.u(Purpose.pay, 5, n) for n in counters]
    grid = chance.many(Purpose.pay, column[:, None], days[None, :])
    assert grid[2, 3] == chance.u(Purpose.pay, -1, 738_000)


@pytest.mark.parametrize("vary", ["seed", "purpose", "entity", "counter"])
def test_draws_are_uniform_along_every_word(vary: str) -> None:
    if vary == "seed":
        draws = [Chance(seed).u(Purpose.answer, 7, 3) for seed in range(4_000)]
    elif vary == "purpose":
        draws = [Chance(seed).u(purpose, 7, 3) for seed in range(50) for purpose in range(1, Purpose.end)]
    elif vary == "entity":
        draws = [Chance(1).u(Purpose.answer, entity, 3) for entity in range(N)]
    else:
        draws = [Chance(1).u(Purpose.answer, 7, counter) for counter in range(N)]
    assert all(0.0 < u < 1.0 for u in draws)
    # 99.9 % quantile of chi-square with 99 degrees of freedom.
    assert chi_square(draws, 100) < 148.2


def test_neighbouring_words_give_independent_draws() -> None:
    chance = Chance(3)
    here = [chance.u(Purpose.answer, entity, 1) for entity in range(N)]
    others = {
        "next entity": [chance.u(Purpose.answer, entity + 1, 1) for entity in range(N)],
        "next counter": [chance.u(Purpose.answer, entity, 2) for entity in range(N)],
        "next purpose": [chance.u(Purpose.answer + 1, entity, 1) for entity in range(N)],
        "next seed": [Chance(4).u(Purpose.answer, entity, 1) for entity in range(N)],
        "words swapped": [chance.u(Purpose.answer, 1, entity) for entity in range(N)],
    }
    for what, draws in others.items():
        assert abs(correlation(here, draws)) < 4 / math.sqrt(N), what
        # Pairs fill the square: 10 x 10 cells, 99.9 % quantile as above.
        cells = [int(a * 10) * 10 + int(b * 10) for a, b in zip(here, draws, strict=True)]
        assert chi_square([(cell + 0.5) / 100 for cell in cells], 100) < 148.2, what


def test_no_two_of_many_small_keys_collide() -> None:
    chance = Chance(1)
    drawn = {
        chance.u(purpose, entity, counter) for purpose in (5, 6) for entity in range(300) for counter in range(300)
    }
    assert len(drawn) == 2 * 300 * 300


def test_inverse_functions_have_their_laws_moments() -> None:
    draws = [(i + 0.5) / N for i in range(N)]
    assert sum(exponential(u, 12.0) for u in draws) / N == pytest.approx(12.0, rel=1e-3)
    assert sum(lognormal(u, 3.0, 0.5) for u in draws) / N == pytest.approx(3.0 * math.exp(0.125), rel=1e-3)
    assert sum(normal(u) ** 2 for u in draws) / N == pytest.approx(1.0, rel=1e-3)
    assert (uniform(0.25, 2.0, 6.0), lognormal(0.5, 3.0, 0.5)) == (3.0, 3.0)
    # Published quantiles of the normal law.
    assert normal(0.975) == pytest.approx(1.959963984540054, abs=1e-12)
    assert normal(1e-10) == pytest.approx(-6.361340902404056, abs=1e-9)


def test_inverse_functions_never_decrease() -> None:
    draws = sorted(Chance(8).u(Purpose.ring, entity) for entity in range(1000))
    for law in (lambda u: exponential(u, 3.0), lambda u: lognormal(u, 3.0, 1.2), lambda u: uniform(u, 1.0, 2.0)):
        assert all(law(a) <= law(b) for a, b in pairwise(draws))


def test_choice_gives_each_option_its_share() -> None:
    choice = Choice(("a", "b", "c"), (1.0, 0.0, 3.0))
    counts = dict.fromkeys(choice.options, 0)
    for i in range(1000):
        counts[choice.of((i + 0.5) / 1000)] += 1
    assert counts == {"a": 250, "b": 0, "c": 750}
