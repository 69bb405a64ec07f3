"""Strategy documents: what they mean, and how each mistake is told."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from console.folder import schemas
from domain.errors import BadInput
from domain.offers import Offer
from domain.settings import DEFAULT_RETRY, CallTreatment, CampaignSettings, Retry
from strategy.checking import advice, agent_groups, examine, examine_text, planned, read
from strategy.documents import GUARDED, WRITTEN, Document, Strategy, attached, strategy_of
from strategy.toml_lines import line_of, lines_of
from strategy.words import sentences

EXAMPLES = sorted(Path("config/strategies").glob("*.toml"))
TEXT = '''\
# A document with a bit of everything.
name = "all"
rank_by = ["value_call", "balance_share"]
explore = 0.1

[limits]
calls_per_day = 2

[day_parts]
morning = "09:00-13:30"
evening = "17:00-20:00"

[[segments]]
name = "early"
when = """
days_past_due <= 30
and promises_open == 0"""
treatment = "soft"

[[segments]]
name = "rest"
when = "true"
treatment = "hard"

[treatments.soft]
stop_when = "plans_open > 0"
[[treatments.soft.steps]]
channel = "sms"
template = "hello"
[[treatments.soft.steps]]
channel = "call"
after_days = 3
day_parts = ["morning", "evening"]
caller_ids = ["+34910000001"]
[treatments.soft.steps.retry.no_answer]
after_min = 90
next_number = true

[treatments.hard]
[[treatments.hard.steps]]
channel = "call"

[trial]
holdout = 0.1
[[trial.arms]]
name = "champion"
share = 0.75
[[trial.arms]]
name = "other"
share = 0.25
strategy = "balance"
'''


def problems(text: str, folder: Path) -> list[str]:
    (folder / "all.toml").write_text(text, encoding="utf-8")
    (folder / "balance.toml").write_text(Path("config/strategies/balance.toml").read_text(encoding="utf-8"))
    return [str(one) for one in examine(folder / "all.toml", "all.toml")[1]]


def test_a_document_with_everything_holds(tmp_path: Path) -> None:
    assert problems(TEXT, tmp_path) == []


@pytest.mark.parametrize(
    ("was", "becomes", "at", "says"),
    [
        ('name = "all"', 'name = "all', 'name = "all', "this is not TOML"),
        ("explore = 0.1", "explor = 0.1", "explor = 0.1", "explor is no setting; did you mean explore?"),
        ('name = "all"\n', "", "# A document", "name is missing; add it"),
        ("explore = 0.1", "explore = 1.5", "explore = 1.5", r"explore must be a number <= 1.0, was 1.5"),
        ("explore = 0.1", 'explore = "much"', "explore = ", "explore must be a number.*, was 'much'"),
        ('channel = "call"\nafter', 'channel = "cal"\nafter', 'channel = "cal"', "steps.2.channel must be one of call"),
        ('name = "all"', 'name = "al"', 'name = "al"', "the file is called all.toml; give both one name"),
        ('rank_by = ["value_call", "balance_share"]', "rank_by = []", "rank_by", "rank_by must be"),
        ('"value_call", ', '"value_cal", ', "rank_by", "rank_by.1: column 1: value_cal is no field; do you mean"),
        ('"value_call", ', '"country", ', "rank_by", "country is a word in quotes; a number is needed here"),
        ("09:00-13:30", "13:30-09:00", "morning =", "day_parts.morning is '13:30-09:00'; write begin and end"),
        ("09:00-13:30", "9:00-13:30", "morning =", "is '9:00-13:30'; write begin and end"),
        ("09:00-13:30", "09:00-13:60", "morning =", "is '09:00-13:60'; write begin and end"),
        ("17:00-20:00", "17:00-24:30", "evening =", "is '17:00-24:30'; write begin and end"),
        ("days_past_due <= 30\nand promises_open == 0", "true", "when = ", "nobody comes to the segments after"),
        ("[treatments.hard]", '[treatments."so hard"]\n[[treatments."so hard".steps]]\nchannel = "call"\n'
         "[treatments.hard]", '[treatments."so hard"]', "is called 'so hard'; write letters"),
        ("09:00-13:30", "9 to 13", "morning =", "day_parts.morning is '9 to 13'; write begin and end"),
        ("days_past_due <= 30", "days_past_du <= 30", "when = ", "days_past_du is no field; do you mean days_past"),
        ("days_past_due <= 30", "days_past_due = 30", "when = ", "segments.1.when: column 1"),
        ("days_past_due <= 30", "currency == 'EURO'", "when = ", "currency is never 'EURO'; do you mean 'EUR'?"),
        ('when = "true"', 'when = "debts > 0"', 'when = "debts', "nobody says what happens to everybody else"),
        ('and promises_open == 0"""', '"""', None, ""),
        ('treatment = "soft"', 'treatment = "sof"', 'treatment = "sof"', "no treatment of this document; do you mean"),
        ('name = "rest"', 'name = "early"', 'name = "early"\nwhen = "true"', "as that of segment 1; rename one"),
        ('name = "rest"', 'name = "the rest"', 'name = "the rest"', "write letters, digits"),
        ('treatment = "hard"', 'treatment = "soft"', "[treatments.hard]", "is the treatment of no segment"),
        ("after_days = 3", "after_days = 0", "after_days = 0", "is 0, not after the 0 of the step before"),
        ("after_days = 3", "after_days = -1", "after_days = -1", "must be a whole number >= 0, was -1"),
        ('"morning", ', '"mornin", ', "day_parts = [", "'mornin', which is no part of the day; do you mean morning"),
        ("+34910000001", "910000001", "caller_ids", r"caller_ids.1 is '910000001'; write it as \+34910000000"),
        ("retry.no_answer]", "retry.noanswer]", "[treatments.soft.steps.retry", "is no outcome of a call; do you mean"),
        ("after_min = 90", "after_min = -90", "after_min = -90", "after_min must be a number >= 0.0, was -90"),
        ('template = "hello"\n', "", "[[treatments.soft.steps]]", "a step by sms has to say what is sent"),
        ('template = "hello"\n', 'template = "hello"\ncaller_ids = ["+34910000001"]\n', "caller_ids", "is of calls"),
        ("after_days = 3", 'after_days = 3\ntemplate = "x"', 'template = "x"', "call sends no text; remove it"),
        ("after_days = 3", 'after_days = 3\ntask = "review"', "task = ", 'write channel = "none"'),
        ("calls_per_day = 2", "calls_per_day = 0", "calls_per_day", "must be a whole number >= 1, was 0"),
        ("holdout = 0.1", "holdout = 1.0", "holdout = 1.0", "trial.holdout must be a number < 1.0"),
        ("share = 0.25", "share = 0.5", "[[trial.arms]]", "shares of 0.75 . 0.5 = 1.25 .*; make them 1"),
        ('name = "other"', 'name = "champion"', 'name = "champion"\nshare = 0.25', "as that of another arm"),
        ('name = "other"', 'name = "holdout"', 'name = "holdout"', "and not holdout"),
        ('strategy = "balance"', 'strategy = "balanc"', 'strategy = "balanc"', "no file balanc.toml .*mean balance"),
        ('name = "champion"', 'name = "champion"\nstrategy = "balance"', "[[trial.arms]]", "leave this document out"),
        ("[trial]", "[capacity.agents]\n25 = 3\n[trial]", "25 = 3", "is no hour of a day"),
        ("[trial]", "[budgets]\ncall = 3\n[trial]", "call = 3", "is no channel with a budget"),
        ("[trial]", "[capacity.agents]\n09 = 3\n[trial]", "09 = 3", "is no hour of a day"),
        ("[trial]", "[capacity]\ndays = []\n[trial]", "days = []", "capacity.days must be a list"),
        ("after_min = 90", "after_min = inf", "after_min = inf", "after_min is inf, which is no finite number; write"),
        ("after_min = 90", "after_min = nan", "after_min = nan", "after_min is nan, which is no finite number; write"),
        ("after_min = 90", "after_min = 1e300", "after_min = 1e300", "must be a number <= 5270400"),
        ("after_min = 90", "after_min = 90\nlimit = 0", "limit = 0", "limit must be a whole number >= 1, was 0"),
        ("calls_per_day = 2", f"calls_per_day = 1{20 * '0'}", "calls_per_day", "has 21 digits"),
        ("calls_per_day = 2", f"calls_per_day = 1{5000 * '0'}", "# A document", "cannot be read as TOML"),
        ("[trial]", "[capacity]\nagents = {17 = inf}\n[trial]", "agents = ", "capacity.agents.17 is inf, which is no"),
        ("[trial]", "[capacity]\ncost_per_attempt = -inf\n[trial]", "cost_per", "cost_per_attempt is -inf, which is"),
        ("share = 0.75", "share = 0.0", "share = 0.0", "arms.1.share is 0, and .* nothing is learned; remove the arm"),
        ("share = 0.75", "share = -0.5", "share = -0.5", "arms.1.share must be a number >= 0.0, was -0.5"),
        ("explore = 0.1", "explore = 5", "explore = 5", "was 5; shares are from 0 to 1: 5 % is written 0.05"),
        ("explore = 0.1", "explore = true", "explore = true", "explore must be a number.*, was true; correct it"),
        ("09:00-13:30\"", "\"\nlate = 10:00:00", "late = 10", "late must be text in quotes, was 10:00:00; correct it"),
        ("explore = 0.1", 'plan = "slot"', "plan = ", "plan must be slots, or left out, was 'slot'; do you mean slots"),
        ('channel = "call"\nafter', 'channel = "cal"\nafter', 'channel = "cal"', "was 'cal'; do you mean call?"),
        ("holdout = 0.1", "guardrails = {abandonmnt = 0.03}", "guardrails", "watched for; do you mean abandonment?"),
        ("holdout = 0.1", "guardrails = {smiles = 0.03}", "guardrails", "name one of complaints, stops, disputes"),
        ("holdout = 0.1", "guardrails = {abandonment = 3}", "guardrails", "abandonment is 3, .*; 3 % is written 0.03"),
        ("holdout = 0.1", "guardrails = {abandonment = -1}", "guardrails", "abandonment is -1.*a number from 0 to 1"),
        ("holdout = 0.1", "guardrails = {stops = -1}", "guardrails", "is -1, and it limits debtors of 1,000 who asked"),
        ("holdout = 0.1", "guardrails = {stops = nan}", "guardrails", "guardrails.stops is nan, which is no finite"),
        ("holdout = 0.1", "fairness = {intensity_ratio = 1, by = ['language']}", "fairness", "a number > 1.0, was 1"),
        ("holdout = 0.1", "fairness = {intensity_ratio = 2, by = []}", "fairness", "fairness.by must be a list"),
        ("holdout = 0.1", "fairness = {intensity_ratio = 2, by = ['langage']}", "fairness", "do you mean language"),
        ("holdout = 0.1", "fairness = {by = ['language']}", "fairness", "intensity_ratio is missing; add it"),
        ("holdout = 0.1", "fairness = {intensity_ratio = 1.2, by = ['language']}", None, ""),
        ('stop_when = "plans_open > 0"', 'stop_when = "plans_open"', "stop_when", "plans_open is a number; yes or no"),
    ],
)  # fmt: skip
def test_a_mistake_names_its_line_and_what_to_do(
    was: str, becomes: str, at: str | None, says: str, tmp_path: Path
) -> None:
    assert was in TEXT
    text = TEXT.replace(was, becomes, 1)
    found = problems(text, tmp_path)
    if at is None:
        assert found == []
        return
    line = text[: text.index(at)].count("\n") + 1
    assert re.match(rf"all\.toml:{line}: ", found[0]), found
    assert re.search(says, found[0], re.DOTALL), found


def test_all_mistakes_are_told_and_reading_tells_the_first(tmp_path: Path) -> None:
    text = TEXT.replace("+34910000001", "1").replace("retry.no_answer]", "retry.noanswer]")
    assert len(problems(text, tmp_path)) == 2
    with pytest.raises(BadInput, match=r"caller_ids\.1 is '1'.*\n  and 1 more: cadencia strategy check"):
        read(tmp_path / "all.toml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_hold_and_say_what_they_leave_out(path: Path) -> None:
    strategy = read(path)
    for document in [strategy.document]:
        written = sum(
            step.channel not in ("call", "none") for one in document.treatments.values() for step in one.steps
        )
        assert sum("not sent by Cadencia yet" in line for line in planned(strategy)) == written
        assert all("explore is 0" in line for line in advice(strategy))


def test_a_challenger_may_be_wrong_or_have_arms_of_its_own(tmp_path: Path) -> None:
    assert problems(TEXT, tmp_path) == []
    other = tmp_path / "balance.toml"
    plain = other.read_text(encoding="utf-8")
    other.write_text(plain.replace('channel = "call"', 'channel = "cal"'), encoding="utf-8")
    (problem,) = examine(tmp_path / "all.toml", "strategies/all.toml")[1]
    assert problem.file == "strategies/balance.toml"
    other.write_text(plain + '[[trial.arms]]\nname = "a"\nshare = 1.0\n', encoding="utf-8")
    (problem,) = examine(tmp_path / "all.toml", "strategies/all.toml")[1]
    assert str(problem).startswith("strategies/all.toml:")
    assert "has arms of its own" in str(problem)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"x\.toml: there is no such file; `cadencia strategy new NAME` makes one"):
        read(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"x\.toml: cannot be read"):
        read(tmp_path / "x.toml")
    (tmp_path / "x.toml").write_text("[a", encoding="utf-8")
    with pytest.raises(BadInput, match=r"x\.toml:1: .*not TOML"):
        read(tmp_path / "x.toml")


def test_nothing_is_dropped_in_silence(tmp_path: Path) -> None:
    more = """
objective = "promises_kept"
"""
    text = TEXT.replace('channel = "call"\n\n', 'channel = "call"\nagent_group = "x"\n\n')
    text = text.replace("explore = 0.1\n", "explore = 0.1\nreplan = true" + more).replace(
        "[trial]\n", "[capacity.agents]\n9 = 10\n[trial]\nends_after_days = 30\n"
    )
    text = text.replace("[trial]\n", '[trial]\nunit = "pool_day"\n', 1)
    text += "[trial.guardrails]\nstops = 1.0\n"
    assert problems(text, tmp_path) == []
    told = "\n".join(planned(read(tmp_path / "all.toml")))
    assert "agent_group" not in told
    for word in (
        "capacity",
        "guardrails",
        "ends_after_days",
        "sms",
        "replan",
    ):
        assert word in told
    assert "objective promises_kept judges trials" in "\n".join(advice(read(tmp_path / "all.toml")))


def test_people_who_have_agreed_are_not_forgotten() -> None:
    text = Path("config/strategies/balance.toml").read_text(encoding="utf-8")
    document, wrong = examine_text(re.sub(r"stop_when.*", "", text), "x")
    assert document is not None
    assert not wrong
    said = "\n".join(advice(Strategy(document=document)))
    assert "an open promise too" in said
    assert "a plan of instalments too" in said


def test_a_plan_wants_the_worth_of_a_conversation_and_says_so() -> None:
    text = Path("config/strategies/model.toml").read_text(encoding="utf-8")
    document, wrong = examine_text(text.replace("\nrank_by", '\nplan = "slots"\nrank_by', 1), "x")
    assert document is not None
    assert not wrong
    assert "name value_contact" in "\n".join(advice(Strategy(document=document)))
    assert "hours of the week" in sentences(Strategy(document=document))["plan"]
    better = replace(document, rank_by=("value_contact",))
    assert "value_contact" not in "\n".join(advice(Strategy(document=better)))
    within = [sentences(Strategy(document=replace(document, replan=on)))["within the day"] for on in (False, True)]
    assert within[0] == "the plan stands"
    assert "planned anew" in within[1]
    plain = Strategy(document=replace(document, plan=""))
    assert "value_contact" not in "\n".join(advice(plain))
    assert "plan" not in sentences(plain)


def test_the_version_is_of_what_it_means(tmp_path: Path) -> None:
    def version(text: str) -> str:
        assert problems(text, tmp_path) == []
        return read(tmp_path / "all.toml").version

    same = version(TEXT)
    assert version(TEXT.replace("# A document", "# Some document")) == same
    assert version(TEXT.replace('when = "true"', 'when = "(true)"\nabout = "x"')) == same
    assert version(TEXT.replace("explore = 0.1", "explore = 0.10\nobjective = 'net_recovery'")) == same
    hard = TEXT[TEXT.index("[treatments.hard]") : TEXT.index("[trial]")]
    assert version(TEXT.replace(hard, "").replace("[treatments.soft]", hard + "[treatments.soft]")) == same
    others = {
        version(TEXT.replace(*change))
        for change in (
            ("<= 30", "<= 31"),
            ("explore = 0.1", "explore = 0.2"),
            ("after_min = 90", "after_min = 91"),
            ("holdout = 0.1", "holdout = 0.2"),
        )
    }
    assert len(others | {same}) == 5


def test_what_the_engine_is_told(tmp_path: Path) -> None:
    assert problems(TEXT, tmp_path) == []
    strategy = read(tmp_path / "all.toml")
    campaign = attached(CampaignSettings(name="c"), strategy)
    assert strategy_of(campaign) == strategy
    assert campaign.strategy == "all"
    assert campaign.treatment("champion.soft.2") == CallTreatment(
        hours=((540, 810), (1020, 1200)),
        retry={"no_answer": Retry(after_min=90, next_number=True)},
        caller_ids=("+34910000001",),
        calls_per_day=2,
    )
    assert campaign.treatment("other.call.1") == CallTreatment()
    offer = "offer = {discount = 0.1, plan_months = [3, 6]}\n"
    assert problems(TEXT.replace('channel = "call"\n\n', f'channel = "call"\n{offer}\n'), tmp_path) == []
    offering = attached(CampaignSettings(name="c"), read(tmp_path / "all.toml"))
    assert offering.treatment("champion.hard.1").offer == Offer(discount=0.1, plan_months=(3, 6))
    assert offering.treatment("champion.soft.2").offer is None
    assert campaign.follow("no_answer", campaign.treatment("champion.soft.2")).after_min == 90
    assert campaign.follow("busy", campaign.treatment("champion.soft.2")).after_min == 15
    # As the journal keeps it.
    again = msgspec.json.decode(msgspec.json.encode(campaign), type=CampaignSettings)
    assert again == campaign


def test_sentences_say_every_segment_treatment_and_arm(tmp_path: Path) -> None:
    assert problems(TEXT, tmp_path) == []
    said = sentences(read(tmp_path / "all.toml"))
    assert said["segment early"] == "1. days_past_due <= 30 and promises_open == 0: soft"
    assert said["segment rest"] == "2. everybody else: hard"
    assert said["treatment soft"] == (
        "send the SMS 'hello'; from day 3 on: call, 09:00-13:30 (morning) and 17:00-20:00 (evening), showing "
        "+34910000001, after no answer again in 90 min on the next number; nothing while plans_open > 0"
    )
    assert said["holdout"] == "10 % of all debtors are left alone by lot, for good"
    assert said["arm other"].startswith("25 % of the others, by lot")
    assert said["other: ranked by"].startswith("balance_share")
    more = TEXT.replace(
        'channel = "call"\n\n',
        'channel = "call"\npriority = 2\nnumbers = "rotate"\nagent_group = "x"\n'
        "offer = {discount = 0.1, plan_months = [3, 6]}\nretry.busy = {}\n"
        "retry.machine = {after_min = 5, limit = 2}\n\n",
    ).replace("[trial]\n", '[capacity.agents]\n9 = 10\n[budgets]\nsms = 1000\n[trial]\nunit = "pool_day"\n'
              'lot = "w"\nends_after_days = 30\nguardrails = {complaints = 2.0}\n')  # fmt: skip
    more = more.replace("[treatments.hard]\n", "[treatments.hard]\nexplore = false\n[treatments.hard.limits]\n")
    assert problems(more.replace("explore = 0.1\n", "explore = 0.1\nobjective = 'promises_kept'\n"), tmp_path) == []
    said = sentences(read(tmp_path / "all.toml"))
    assert said["treatment hard"] == (
        "call, each day begins with the next number, priority 2, agents of x first, offer 10 % off, plans of 3, 6 "
        "months, after busy not again, after machine again in 5 min, 2 times at most; no limits of its own; no lots"
    )
    assert said["arm champion"].startswith("75 % of the others, by lot (each day for everybody)")
    told = {key: said[key] for key in ("lot", "end", "guardrail complaints", "agents at 9", "budget sms", "objective")}
    assert told == {
        "lot": "arms drawn anew for w", "end": "after 30 days", "guardrail complaints": "at most 2",
        "agents at 9": "10", "budget sms": "1,000 a day", "objective": "promises kept",
    }  # fmt: skip


def test_a_group_of_agents_is_told_to_the_engine_and_is_a_name(tmp_path: Path) -> None:
    text = TEXT.replace('channel = "call"\n\n', 'channel = "call"\nagent_group = "seniors"\n\n')
    assert problems(text, tmp_path) == []
    strategy = read(tmp_path / "all.toml")
    treatments = attached(CampaignSettings(name="c"), strategy).treatments
    asked = {key: one.agent_group for key, one in treatments.items() if one.agent_group}
    assert asked == {key: "seniors" for key in treatments if ".hard." in key}
    assert asked
    assert agent_groups(strategy) == ["seniors"]
    shared = [line for line in advice(strategy) if "group of agents" in line]
    assert len(shared) == 1
    assert "pool_day" in shared[0]
    assert problems(text.replace("[trial]\n", '[trial]\nunit = "pool_day"\n'), tmp_path) == []
    assert not [line for line in advice(read(tmp_path / "all.toml")) if "group of agents" in line]
    (problem,) = problems(text.replace('"seniors"', '"the seniors"'), tmp_path)
    assert "agent_group" in str(problem)
    assert "'the seniors'; write one group as it is on record" in str(problem)


def test_the_schema_takes_the_examples() -> None:
    schema = json.loads(schemas()["strategy.json"])
    properties = schema["$defs"]["Document"]["properties"]
    assert set(properties) == {field.name for field in msgspec.structs.fields(Document)}


def test_the_schema_describes_every_key_and_completes_closed_words() -> None:
    records = json.loads(schemas()["strategy.json"])["$defs"]
    assert {
        "Document",
        "Segment",
        "Treatment",
        "Step",
        "Limits",
        "Retry",
        "Offer",
        "Trial",
        "Arm",
        "Capacity",
        "Fairness",
    } == set(records)
    bare = [f"{of}.{key}" for of, one in records.items() for key, told in one["properties"].items()
            if len(told.get("description", "")) < 10]  # fmt: skip
    assert bare == []
    retry = records["Step"]["properties"]["retry"]
    assert set(retry["properties"]) == set(retry["propertyNames"]["enum"]) == set(DEFAULT_RETRY)
    assert set(records["Trial"]["properties"]["guardrails"]["propertyNames"]["enum"]) == set(GUARDED)
    assert set(records["Document"]["properties"]["budgets"]["properties"]) == set(WRITTEN)
    assert "17" in records["Capacity"]["properties"]["agents"]["properties"]


def test_guardrails_that_nobody_watches_are_named(tmp_path: Path) -> None:
    def notes(text: str) -> str:
        assert problems(text, tmp_path) == []
        return "\n".join(one for one in planned(read(tmp_path / "all.toml")) if "guardrails" in one)

    guarded = TEXT.replace(
        "holdout = 0.1",
        "holdout = 0.1\nguardrails = {stops = 2, abandonment = 0.03}\n"
        'fairness = {intensity_ratio = 1.25, by = ["language", "region"]}',
    )
    assert notes(guarded) == ""
    by_day = notes(guarded.replace("[trial]\n", '[trial]\nunit = "pool_day"\n'))
    said = sentences(read(tmp_path / "all.toml"))
    assert said["fairness"] == "debtors of one language or region called at most 1.25 times as often as all"
    assert by_day.startswith('all: guardrails: stops, fairness is of debtors, and unit = "pool_day"')
    assert "not watched; only abandonment is" in by_day
    assert "no arms are drawn here" in notes(guarded[: guarded.index("[[trial.arms]]")])
    problems(TEXT, tmp_path)
    other = (tmp_path / "balance.toml").read_text(encoding="utf-8")
    (tmp_path / "balance.toml").write_text(other + "[trial.guardrails]\nstops = 2\n", encoding="utf-8")
    assert "write them in all" in "\n".join(planned(read(tmp_path / "all.toml")))


def test_lines_of_tables_keys_and_what_spans_lines() -> None:
    text = 'a = 1\nb = [\n  1, # [x]\n]\nc = """\nd = 1\n"""\n[t."u.v"]\nk = {x = 1}\n'
    text += '[[t.list]]\ny = "#="\n[t.list.z]\nw = 1\n'
    lines = lines_of(text)
    assert lines[("a",)] == 1
    assert lines[("b",)] == 2
    assert ("d",) not in lines
    assert lines[("t", "u.v", "k")] == 9
    assert lines[("t", "list", 0, "y")] == 11
    assert lines[("t", "list", 0, "z", "w")] == 13
    assert line_of(lines, ("t", "u.v", "k", "x")) == 9
    assert line_of(lines, ("nowhere",)) == 1
    quoted = lines_of('\'a=b\' = 1\n"c".d = "x="\n# f = 1')
    assert (quoted[("a=b",)], quoted[("c", "d")]) == (1, 2)
    assert ("f",) not in quoted
