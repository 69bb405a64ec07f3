"""What every test shares: pinned time zones, profiles of hypothesis, and no silent skip where a test must run."""

import os
import signal
from collections.abc import Generator
from zoneinfo import reset_tzpath

import pytest
from hypothesis import settings

pytest_plugins = ["tests.ledgers"]

reset_tzpath(to=[])

# A run in the background is deaf to Ctrl-C and would pass that on to every process that a test starts and interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# No deadlines: shared machines stall. `nightly` looks longer, `ci` always at the same examples.
settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.register_profile("nightly", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))

#: Marks whose tests may not be skipped, e.g. lab,postgres: a platform that should run them fails where it cannot.
MUST_RUN = frozenset(os.environ.get("CADENCIA_MUST_RUN", "").split(",")) - {""}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        for mark in sorted(MUST_RUN & {mark.name for mark in item.iter_markers()}):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
            report.outcome = "failed"
            report.longrepr = f"a test marked {mark} was skipped where it must run: {reason}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped and MUST_RUN:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} was skipped whole where {', '.join(sorted(MUST_RUN))} must run"
    return report
