"""What is missing on a live server before a floor may run on it, asked over AMI by the engine's own user.

Nothing is changed and nobody is called.
"""

import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import Protocol

import msgspec

from dialer.asterisk import render
from dialer.asterisk.client import Message
from dialer.asterisk.render import AsteriskPlan, QueuePlan
from domain.errors import BadInput

#: Machine detection has decided by then for a person who says a word (1.7 to 1.84 s were measured).
DETECTION_MS = 1900
#: Silence after the greeting that detection waits for: so long has the greeting been over when it decides.
GREETING_OVER_MS = 800
#: The engine says Connect or Keep within this time.
GRACE_MS = 300
LEAST_VERSION = 16

#: Actions that the engine sends; the AMI user must be allowed all of them.
ACTIONS = (
    "Originate", "Redirect", "Hangup", "Status", "Agents", "AgentLogoff", "QueueAdd", "QueueRemove", "QueuePause",
    "QueueStatus", "DBGetTree", "Ping",
)  # fmt: skip
#: What this check itself asks with.
QUESTIONS = ("CoreSettings", "ModuleCheck", "ShowDialPlan", "GetConfig", "PJSIPShowEndpoints")


class Asker(Protocol):
    """What the check needs of an AMI connection; `Connection` and `Link` are such."""

    def request(self, name: str, headers: Mapping[str, str | int] | None = None) -> Awaitable[Message]: ...

    def collect(self, name: str, headers: Mapping[str, str | int] | None = None) -> Awaitable[list[Message]]: ...


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    #: `ok`, `warning` (it runs, but look at it) or `error` (do not run so).
    level: str
    what: str
    #: What to do; empty when all is well.
    remedy: str = ""


def limit_ms(campaign: QueuePlan, grace_ms: int = GRACE_MS) -> int:
    """Return what is left of a campaign's patience when detection and the engine's time are over; negative: too late.

    This is the channel variable LIMIT_MS for a clock that starts where the campaign says.
    """
    gone_ms = 0
    if campaign.detect_machines:
        gone_ms = DETECTION_MS if campaign.clock_starts == "answer" else GREETING_OVER_MS
    return round(campaign.patience_s * 1000) - gone_ms - grace_ms


async def check(asker: Asker, plan: AsteriskPlan) -> list[Finding]:
    """Return everything that was looked at, errors first.

    Raises
    ------
    SwitchLost
        When the link goes while asking.
    """
    findings = [*_campaigns(plan)]
    allowed = await asker.request("ListCommands")
    findings += _missing(
        "AMI user may send",
        [name for name in (*ACTIONS, *QUESTIONS) if name not in allowed.headers],
        f"give [{plan.ami_user}] in manager.conf the classes of cadencia-manager.conf and load the action's module",
    )
    findings += await _version(asker, plan)
    absent = [name for name in render.modules() if (await asker.request("ModuleCheck", {"Module": name})).refused]
    findings += _missing("modules loaded", absent, "load them in modules.conf (cadencia-modules.conf has the lines)")
    findings += await _dialplan(asker, plan)
    findings += await _files(asker, plan)
    endpoints = [trunk.name for trunk in plan.trunks] + [agent.endpoint for agent in plan.agents]
    for what, action, key, wanted, reload in (
        ("queues", "QueueStatus", "Queue", [campaign.name for campaign in plan.campaigns], "queue reload all"),
        ("agents", "Agents", "Agent", [agent.agent for agent in plan.agents], "module reload app_agent_pool"),
        ("pjsip", "PJSIPShowEndpoints", "ObjectName", endpoints, "module reload res_pjsip"),
    ):
        try:
            there = {event.get(key) for event in await asker.collect(action)}
        except BadInput as error:
            findings.append(Finding(level="error", what=f"{what} cannot be listed", remedy=str(error)))
            continue
        remedy = f"include cadencia-{what}.conf (or define them otherwise), then `{reload}`"
        findings += _missing(what, [name for name in wanted if name not in there], remedy)
    return sorted(findings, key=lambda finding: ("error", "warning", "ok").index(finding.level))


def _missing(what: str, names: list[str], remedy: str) -> Iterable[Finding]:
    if names:
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        yield Finding(level="error", what=f"{what}: missing {shown}", remedy=remedy)
    else:
        yield Finding(level="ok", what=what)


def _campaigns(plan: AsteriskPlan) -> Iterable[Finding]:
    default = QueuePlan(name="default").message
    for campaign in plan.campaigns:
        left_ms = limit_ms(campaign)
        if left_ms < 0:
            where = "the answer" if campaign.clock_starts == "answer" else "the end of the greeting"
            yield Finding(
                level="error",
                what=f"campaign {campaign.name}: machine detection plus {GRACE_MS} ms does not fit a patience of "
                f"{campaign.patience_s:g} s counted from {where} ({-left_ms} ms too long)",
                remedy="set clock_starts = 'greeting_end' where the law allows it, or detect_machines = false",
            )
        if campaign.message == default:
            yield Finding(
                level="warning",
                what=f"campaign {campaign.name}: the message for abandoned people is Asterisk's own {default!r}",
                remedy="record one that says who called and what number to call, and name it as the campaign's message",
            )


async def _version(asker: Asker, plan: AsteriskPlan) -> Iterable[Finding]:
    version = (await asker.request("CoreSettings")).get("AsteriskVersion", "unknown")
    found = re.match(r"(?:certified[/-])?(\d+)", version)
    major = int(found[1]) if found else 0
    if major < LEAST_VERSION:
        return [Finding(level="error", what=f"Asterisk {version} is too old", remedy="use 16 or later, best 22")]
    # Filters are written one way from 22 on and another before.
    if (major >= 22) != (plan.version >= 22):
        return [
            Finding(
                level="error",
                what=f"the server is Asterisk {version}, the files are for {plan.version}",
                remedy=f"set version = {major} and render again",
            )
        ]
    return [Finding(level="ok", what=f"Asterisk {version}")]


async def _dialplan(asker: Asker, plan: AsteriskPlan) -> list[Finding]:
    """Compare the dialplan in the server's memory with the one this version renders."""
    absent, other = [], []
    for context, wanted in _contexts(render.extensions(plan)).items():
        try:
            steps = await asker.collect("ShowDialPlan", {"Context": context})
        except BadInput:
            absent.append(context)
            continue
        # Labels and included contexts come without an application.
        found = {
            (step.get("Extension"), step.get("Priority"), step.get("Application"), step.get("AppData"))
            for step in steps
            if step.get("Application")
        }
        if found != wanted:
            other.append(context)
    remedy = "render again, copy cadencia-extensions.conf, include it, then `dialplan reload`"
    return [
        *_missing("dialplan contexts", absent, remedy),
        *([Finding(level="error", what=f"dialplan differs in {', '.join(other)}", remedy=remedy)] if other else ()),
    ]


def _contexts(text: str) -> dict[str, set[tuple[str, str, str, str]]]:
    """Return (extension, priority, application, data) of each context of a dialplan file."""
    contexts: dict[str, set[tuple[str, str, str, str]]] = {}
    context, extension, priority = "", "", 0
    for line in text.splitlines():
        if section := re.fullmatch(r"\[([\w-]+)\]", line):
            context = section[1]
            contexts[context] = set()
        elif step := re.fullmatch(r"(?:exten => ([^,]+),1| same => n(?:\(\w+\))?),(\w+)\((.*)\)", line):
            extension, priority = (step[1], 1) if step[1] else (extension, priority + 1)
            contexts[context].add((extension, str(priority), step[2], step[3]))
    return contexts


async def _files(asker: Asker, plan: AsteriskPlan) -> list[Finding]:
    """Compare what decides over events and queues in the server's files with what this version renders."""
    filters = [line.replace(" = ", "=").replace(" =", "=") for line in render.filters(plan.version)]
    queue = ["membergosub=cadencia-joined", "ringinuse=no", "joinempty=yes"]
    sections = [
        ("manager.conf", "general", ["timestampevents=yes"], "set it, then `manager reload`"),
        ("manager.conf", plan.ami_user, filters, "render again, copy cadencia-manager.conf, then `manager reload`"),
        *(
            ("queues.conf", name, queue, "render again, copy cadencia-queues.conf, then `queue reload all`")
            for name in (campaign.name for campaign in plan.campaigns)
        ),
    ]
    findings: list[Finding] = []
    for file, section, wanted, remedy in sections:
        answer = await asker.request("GetConfig", {"Filename": file, "Category": section})
        lines = {_text(value) for key, value in answer.headers.items() if key.startswith("Line-")}
        findings += _missing(f"{file} [{section}]", [line for line in wanted if line not in lines], remedy)
    return findings


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else value[0]
