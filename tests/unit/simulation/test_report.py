"""What an experiment says, as a sentence and as a page that stands alone."""

import random
import re
from html.parser import HTMLParser
from itertools import combinations

import msgspec
import pytest
from msgspec.structs import replace

from domain.settings import CampaignSettings, FloorSettings
from models import plots
from simulation.comparison import Result, compare
from simulation.measures import read_costs
from simulation.outcome import Promised
from simulation.phrases import signed
from simulation.report import Made, page
from strategy.documents import Document, Segment, Step, Strategy, Treatment, attached
from tests.unit.simulation.months import experiment, month, ran

MADE = Made(
    again="cadencia simulate run --again x", command="cadencia simulate run", versions={"python": "3.11"}, rules={},
    world="abc", first_seed=1, outcomes="def",
)  # fmt: skip


def result(gain: float, *, spread: float = 0.01, n: int = 12, base: int = 500_000, breaches: int = 0) -> Result:
    """Return A against B, who collects so many times more, give or take."""
    draw = random.Random(7)
    luck = [draw.gauss(1.0, 0.2) for _ in range(n)]
    a = tuple(month("A", seed, paid_minor=round(base * one)) for seed, one in enumerate(luck, 1))
    b = tuple(
        month("B", seed, paid_minor=round(base * one * (1 + gain + draw.gauss(0, spread))), breaches=breaches)
        for seed, one in enumerate(luck, 1)
    )
    tried = experiment("A", "B", replications=n)
    return compare(tried, ran(tried, (a, b)), read_costs())


class Page(HTMLParser):
    """What a page shows and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.headline = ""
        self.sections: dict[str, str] = {}
        self.titles: list[str] = []
        self._in: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.fetched += [str(value) for name, value in attrs if name in ("src", "href", "xlink:href", "action", "data")]
        if tag in ("script", "link", "iframe", "object", "embed", "img"):
            self.fetched.append(tag)
        if tag not in ("meta", "line", "circle", "rect", "polygon"):
            self._in.append((tag, told))

    def handle_endtag(self, tag: str) -> None:
        while self._in and self._in.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, told in self._in:
            if told.get("id") == "answer":
                self.headline += data
            if tag == "section":
                self.sections[str(told.get("id"))] = self.sections.get(str(told.get("id")), "") + data
        if self._in and self._in[-1][0] == "h2":
            self.titles.append(data)


def test_a_clear_answer_is_one_sentence_with_its_certainty() -> None:
    found = result(0.10)
    assert found.verdict == "clear"
    assert found.answer.startswith("B collects ")
    assert found.answer.endswith("(12 replications; the answer is clear).")
    share = found.compared[0].versus[0].share
    assert share is not None
    # Of the 6,000 collected and the 820 it cost, 5,000 are raised by a tenth.
    assert share.value == pytest.approx(0.10 * 5_000 / 5_180, rel=0.15)
    assert (
        f"{100 * share.value:.1f} % ({100 * share.low:.1f} % to {100 * share.high:.1f} %) more net than A"
        in found.answer
    )


def test_less_open_same_and_nothing_to_share_are_told_in_words() -> None:
    assert " less net than A" in result(-0.10).answer
    open_ = result(0.001, spread=0.08)
    assert open_.verdict == "open"
    assert "may net more or less" in open_.answer
    same = result(0.0, spread=0.0)
    assert same.verdict == "clear"
    assert same.answer == "B nets exactly what A nets (12 replications; the answer is clear)."
    # What is collected does not cover the cost: shares of a loss mean nothing, money does.
    loss = result(0.5, base=-60_000)
    assert loss.compared[0].versus[0].share is None
    assert "EUR" in loss.answer


def test_the_page_begins_with_the_answer_and_fetches_nothing() -> None:
    found = result(0.10)
    text = page(found, MADE)
    shown = Page(text)
    assert shown.headline == found.answer
    assert text.index('id="answer"') < text.index('class="cards"') < text.index("What differs")
    assert shown.fetched == []
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text
    for title in (
        "What differs", "From assigned to paid", "Occupancy over the day", "Abandonment over the day",
        "Contacts per account", "By segment", "By hour", "What it costs", "How it was made",
    ):  # fmt: skip
        assert title in shown.titles
    assert text.count("<svg") == text.count('role="img"') >= 8
    assert "breaches" not in shown.sections
    assert "cadencia simulate run --again x" in text


def test_a_breach_is_said_in_the_answer_and_stands_out() -> None:
    found = result(0.10, breaches=1)
    assert found.breaches == 12
    assert "12 contacts broke a rule: do not use this" in found.answer
    shown = Page(page(found, MADE))
    assert "12 contacts broke a rule" in shown.sections["breaches"]
    assert "person 0 owed nothing" in shown.sections["breaches"]


def test_names_are_text_and_never_markup() -> None:
    evil = "<img src=x>{{body}}"
    tried = experiment(evil, "B")
    both = tuple(tuple(month(name, seed) for seed in range(1, 4)) for name in (evil, "B"))
    shown = Page(page(compare(tried, ran(tried, both), read_costs()), MADE))
    assert shown.fetched == []
    assert evil in shown.headline


def test_a_sweep_tells_the_best_setting_and_what_an_agent_is_worth() -> None:
    tried = experiment("A", agents=(10, 20), limits=(0.01, 0.03), sequential=False)
    # 2,000 EUR a day more for ten agents more, whatever the limit; the hand-written cost is the same.
    settings = []
    for one in tried.settings:
        told = dict(one.factors)
        more = 200_000 * (told["agents"] == 20) + 1_000 * (told["limit"] == 0.03)
        settings.append((tuple(month("A", seed, paid_minor=500_000 + seed + int(more)) for seed in (1, 2, 3)),))
    found = compare(tried, ran(tried, *settings), read_costs())
    assert found.verdict == "sweep"
    assert "A with limit 3.0 %, 20 agents nets most" in found.answer
    assert [one.value.value for one in found.staffing] == pytest.approx([200.0, 200.0])
    assert "one more agent with limit 1.0 % is worth 200 EUR" in found.answer
    shown = Page(page(found, MADE))
    assert {"What more money buys", "What one more agent is worth", "All settings"} <= set(shown.titles)
    assert shown.fetched == []


def test_words_in_plots_stand_inside_and_not_on_one_another() -> None:
    series = [
        (f"strategy {n} with predictive, limit 3.0 %", [(1.0, 2.0 + n / 1e3, "10 agents"), (9.0, 5.0, "60 agents")])
        for n in range(5)
    ]
    text = plots.scatter("A by B", series, lambda v: f"{v:g}", lambda v: f"{v:g}", "b", "a")
    height = float(re.search(r'viewBox="0 0 640 (\d+)"', text)[1])  # type: ignore[index]
    boxes = []
    shift = float(re.search(r"translate\(0 (\d+)\)", text)[1])  # type: ignore[index]
    inner = text.index("<g ")
    for found in re.finditer(
        r'<text x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)" [^>]*font-size="([\d.]+)">([^<]+)<', text
    ):
        x, y, size, words = float(found[1]), float(found[2]), float(found[4]), found[5]
        wide = 0.5 * size * len(words)
        left = x - {"start": 0.0, "middle": wide / 2, "end": wide}[found[3]]
        boxes.append((left, y + (shift if found.start() > inner else 0.0), wide, size, words))
    assert {words for *_, words in boxes} >= {name for name, _ in series} | {"10 agents", "60 agents", "a", "b"}
    for left, y, wide, size, words in boxes:
        assert left >= 0, words
        assert left + wide <= 640, words
        assert size <= y <= height - 2, words
    for one, other in combinations(boxes, 2):
        apart = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0] or abs(one[1] - other[1]) >= 0.8 * one[3]
        assert apart, (one, other)


def test_what_the_month_brings_stands_among_what_was_run() -> None:
    found = msgspec.structs.replace(
        result(0.1), month=("2027-02-02: holiday", "2027-02-01 09:30, 60 minutes: <no> trunk")
    )
    shown = Page(page(found, MADE))
    assert "What was run" in shown.titles
    assert "2027-02-02: holiday" in shown.sections["None"]
    assert "60 minutes: <no> trunk" in shown.sections["None"]
    assert "10 agents, 400 agent-hours a week" in shown.sections["None"]


def test_what_is_shown_as_nothing_has_no_sign() -> None:
    assert (signed(-0.0004, "0.00 %"), signed(-0.04, "4.00 %"), signed(0.04, "4.00 %")) == (
        "0.00 %",
        "−4.00 %",
        "+4.00 %",
    )


def test_segments_stand_in_order_and_their_metrics_are_their_own() -> None:
    by_segment = result(0.10).compared[0].by_segment
    assert list(by_segment) == ["ES 1-30", "ES 181+"]
    collected = {group: next(one for one in lines if one.name == "collected") for group, lines in by_segment.items()}
    assert collected["ES 181+"].values == (1_000.0, 1_000.0)
    assert collected["ES 1-30"].differences[0].is_clear


def test_lists_that_end_are_told_with_their_day() -> None:
    assert result(0.1).compared[0].lists_ended[0] == {"sample": (0.5, "2027-02-02")}


def test_the_record_can_be_read_as_json() -> None:
    told = msgspec.json.decode(msgspec.json.encode(result(0.1)))
    assert told["compared"][0]["lines"][0]["name"] == "net_recovery"


# ---- other objectives


def for_objectives(*objectives: str, kept: int = 5) -> Result:
    """Return A against B, who keeps so many more promises a month, each worked by a document of its objective."""
    tried = experiment(*"AB"[: len(objectives)], replications=12)
    document = Document(
        name="x",
        rank_by=("balance_share",),
        segments=(Segment(name="all", when="true", treatment="call"),),
        treatments={"call": Treatment(steps=(Step(channel="call"),))},
    )
    arms = []
    for arm, objective in zip(tried.arms, objectives, strict=True):
        strategy = Strategy(document=replace(document, objective=objective))
        campaign = attached(CampaignSettings(name="sample"), strategy) if objective else CampaignSettings(name="sample")
        arms.append(replace(arm, floor=FloorSettings(campaigns=(campaign,))))
    outcomes = [
        tuple(
            replace(month(name, seed), promised=(Promised(0, 0, "EUR", 20, 0, 20, 0, seed % 3 + more, 0),))
            for seed in range(1, 13)
        )
        for name, more in (("A", 3), ("B", 3 + kept))[: len(objectives)]
    ]
    tried = replace(tried, arms=tuple(arms))
    return compare(tried, ran(tried, tuple(outcomes)), read_costs())


def test_the_objective_of_all_arms_decides_and_comes_first() -> None:
    found = for_objectives("promises_kept", "promises_kept")
    assert (found.objective, found.differing) == ("promises_kept", "")
    assert found.question == "Does B bring more promises kept than A?"
    # Four on average against nine.
    assert found.answer.startswith("B brings 125.0 % (125.0 % to 125.0 %) more promises kept than A")
    assert found.compared[0].lines[0].name == "promises_kept"
    assert [line.name for line in found.compared[0].lines].count("promises_kept") == 1
    shown = Page(page(found, MADE))
    assert "Promises kept, against the champion" in shown.titles
    assert "fewer promises kept than A" in for_objectives("promises_kept", "promises_kept", kept=-2).answer
    same = for_objectives("promises_kept", "promises_kept", kept=0)
    assert same.answer.startswith("B brings exactly as many promises kept as A")
    alone = for_objectives("right_party_contacts")
    assert alone.answer.startswith("A brings 80.0 right-party contacts in 2 days")
    spoken = for_objectives("right_party_contacts", "right_party_contacts")
    assert spoken.answer.startswith("B brings exactly as many right-party contacts as A")


@pytest.mark.parametrize("other", ["net_recovery", "right_party_contacts", ""])
def test_where_objectives_differ_net_recovery_decides_and_that_is_said(other: str) -> None:
    found = for_objectives("promises_kept", other)
    assert (found.objective, found.compared[0].lines[0].name) == ("net_recovery", "net_recovery")
    words = "right-party contacts" if other == "right_party_contacts" else "net recovery"
    assert f"Objectives differ (A: promises kept, B: {words}), so net recovery decides." in found.answer
    assert found.answer.startswith("B nets exactly what A nets")
