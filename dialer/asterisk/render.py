"""Asterisk's files for a floor, from the templates of `config/asterisk/`.

Every file is called `cadencia-…` and every section `cadencia…`, so that they can be included on a server that already
does other work. Nothing enters a file that could end a line or begin a comment: what is odd is refused here.
"""

import os
import re
from collections.abc import Iterable, Mapping
from importlib.resources import files
from ipaddress import ip_network
from pathlib import Path

import msgspec

from domain.errors import BadInput

EXTENSIONS = "cadencia-extensions.conf"
#: Which file of the server includes which of ours.
INCLUDES = {
    "extensions.conf": EXTENSIONS,
    "queues.conf": "cadencia-queues.conf",
    "agents.conf": "cadencia-agents.conf",
    "musiconhold.conf": "cadencia-musiconhold.conf",
    "pjsip.conf": "cadencia-pjsip.conf",
    "manager.conf": "cadencia-manager.conf",
}
MODULES = "cadencia-modules.conf"
VERSIONS = (16, 18, 20, 21, 22, 23)

#: Events that the engine needs, with the header and the beginning of its value where only some are wanted;
#: docs/asterisk-events.md says what each tells.
EVENTS: tuple[tuple[str, str, str], ...] = (
    # An answer is told by the dialplan, when the caller can be given orders.
    ("OriginateResponse", "Response", "Failure"),
    ("DialState", "", ""),
    ("Hangup", "", ""),
    # Types base (callers who wait) and basic (talks), not agent_hold (agents who wait).
    ("BridgeEnter", "BridgeType", "bas"),
    ("AgentConnect", "", ""),
    ("AgentLogin", "", ""),
    ("AgentLogoff", "", ""),
    ("DeviceStateChange", "Device", "Agent:"),
    ("UserEvent", "UserEvent", "Cadencia"),
    ("FullyBooted", "", ""),
    ("Shutdown", "", ""),
)


class QueuePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What the switch must know of a campaign."""

    #: Letters, digits and hyphens; also the queue's name.
    name: str
    detect_machines: bool = False
    record: bool = False
    patience_s: float = 2.0
    #: `answer` or `greeting_end`.
    clock_starts: str = "answer"
    #: Sound file played when no agent comes, without its ending; `vm-goodbye` ships with Asterisk in every language.
    message: str = "vm-goodbye"


class TrunkPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A way to the telephone network."""

    name: str
    #: SIP address of the carrier; empty: the server has this endpoint already and nothing is written for it.
    contact: str = ""
    #: Addresses from which the carrier calls, as IP or network.
    match: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ("alaw", "ulaw")
    username: str = ""
    #: Environment variable that holds the carrier's password.
    password_env: str = ""


class AgentPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An agent and the phone that is called to bring him off-hook."""

    #: Digits.
    agent: str
    #: PJSIP endpoint; empty: `agent<number>`.
    phone: str = ""
    #: SIP address where the phone always is; empty: it registers, or the server has it already.
    contact: str = ""
    #: Environment variable that holds the phone's password, where it registers.
    password_env: str = ""

    @property
    def endpoint(self) -> str:
        return self.phone or f"agent{self.agent}"


class AsteriskPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the files are made from."""

    campaigns: tuple[QueuePlan, ...]
    trunks: tuple[TrunkPlan, ...]
    agents: tuple[AgentPlan, ...]
    #: Major version of the server.
    version: int = 22
    ami_user: str = "cadencia"
    #: Environment variable that holds the AMI secret.
    ami_secret_env: str = "AMI_SECRET"
    #: Addresses from which the engine may connect.
    ami_permit: tuple[str, ...] = ("127.0.0.1",)
    #: PJSIP transport for endpoints written here; empty: the server's first.
    transport: str = ""
    #: Folder of silent sound files for agents between calls; in the trunks' own codec they cost least.
    silence: str = "sounds/en/silence"
    #: What agents dial before their number to begin their shift on pause, to be ready, and to pause.
    login_code: str = "*7"
    ready_code: str = "*8"
    pause_code: str = "*9"
    #: What the pause is for; one of the floor's reasons.
    pause_reason: str = "break"


def render(plan: AsteriskPlan, directory: Path, environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Write the files of a plan and a page that says where each belongs; return their paths.

    Raises
    ------
    BadInput
        When a value could not stand in Asterisk's files, or a secret is not in the environment.
    """
    _validate(plan)
    values = {
        "AMI_USER": plan.ami_user,
        "AMI_SECRET": _secret(plan.ami_secret_env, environment),
        "PERMITS": "\n".join(f"permit = {ip_network(permit)}" for permit in plan.ami_permit),
        "FILTERS": "\n".join(filters(plan.version)),
        "QUEUES": "\n".join(f"[{campaign.name}](cadencia-queue)" for campaign in plan.campaigns),
        "AGENTS": "\n".join(f"[{a.agent}](cadencia-agent)\nfullname = Agent {a.agent}" for a in plan.agents),
        "SILENCE": plan.silence,
        "TRANSPORT": f"transport = {plan.transport}" if plan.transport else "",
        "TRUNKS": "\n".join(line for trunk in plan.trunks for line in _trunk(trunk, environment)),
        "PHONES": "\n".join(line for agent in plan.agents for line in _phone(agent, environment)),
    }
    texts = {name: fill(_template(name), values, name) for name in INCLUDES.values() if name != EXTENSIONS}
    texts |= {
        EXTENSIONS: extensions(plan),
        MODULES: _template(MODULES),
        "cadencia-README.txt": _readme(plan, directory),
    }
    directory.mkdir(parents=True, exist_ok=True)
    return [_write(directory / name, text) for name, text in texts.items()]


def extensions(plan: AsteriskPlan) -> str:
    """Return the dialplan; it holds no secret."""
    values = {
        "LOGIN_CODE": plan.login_code,
        "LOGIN_CODE_LENGTH": str(len(plan.login_code)),
        "READY_CODE": plan.ready_code,
        "READY_CODE_LENGTH": str(len(plan.ready_code)),
        "PAUSE_CODE": plan.pause_code,
        "PAUSE_CODE_LENGTH": str(len(plan.pause_code)),
        "PAUSE_REASON": plan.pause_reason,
        "MESSAGES": "\n".join(_messages(plan.campaigns)),
    }
    return fill(_template(EXTENSIONS), values, EXTENSIONS)


def fill(template: str, values: Mapping[str, str], name: str) -> str:
    """Return a template with its `@NAME@` marks replaced.

    Raises
    ------
    BadInput
        When the template asks for something unknown: it was edited by hand.
    """

    def value(mark: re.Match[str]) -> str:
        if mark[1] not in values:
            raise BadInput(f"config/asterisk/{name}: unknown mark {mark[0]}; use one of {', '.join(sorted(values))}")
        return values[mark[1]]

    return re.sub(r"@([A-Z_]+)@", value, template)


def modules() -> list[str]:
    """Return the names of the modules that the floor needs, e.g. `app_queue`."""
    return re.findall(r"^load = (\w+)\.so$", _template(MODULES), re.MULTILINE)


def _template(name: str) -> str:
    return (files("config") / "asterisk" / name).read_text(encoding="utf-8")


def _write(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    # Some hold secrets, so all are closed to others from their first byte.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640), "w", encoding="utf-8") as file:
        file.write(text)
    return path


_RULES = {
    "name": (r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", "letters, digits, hyphens and underscores, at most 60"),
    "agent": (r"[0-9]{1,12}", "digits, at most 12"),
    "contact": (r"sips?:[A-Za-z0-9._~%+@:;=\[\]-]{1,200}", "a SIP address such as sip:sbc.example.net:5060"),
    "sound": (r"[A-Za-z0-9][A-Za-z0-9_./-]{0,120}", "a sound file's path without its ending"),
    "folder": (r"[A-Za-z0-9_./-]{1,200}", "a folder's path of letters, digits, dots, hyphens and underscores"),
    "codec": (r"[a-z0-9]{1,20}", "a codec such as alaw"),
    "secret": (r"[!-:<-Z^-~\]]{8,100}", "8 to 100 printable ASCII signs without blanks, ; [ and backslash"),
    "code": (r"[*#0-9]{1,8}", "stars, hashes and digits, at most 8"),
    "reason": (r"[A-Za-z_][A-Za-z0-9_]{0,40}", "one word of letters and underscores"),
    "environment": (r"[A-Za-z_][A-Za-z0-9_]{0,100}", "the name of an environment variable"),
}


def _check(rule: str, where: str, value: str) -> None:
    pattern, allowed = _RULES[rule]
    if not re.fullmatch(pattern, value):
        shown = "something else" if rule == "secret" else repr(value)
        raise BadInput(f"asterisk: {where} must be {allowed}, was {shown}; correct it")


def _validate(plan: AsteriskPlan) -> None:
    if plan.version not in VERSIONS:
        known = ", ".join(str(major) for major in VERSIONS)
        raise BadInput(f"asterisk: version must be one of {known}, was {plan.version}; give the server's major version")
    _check("name", "ami_user", plan.ami_user)
    _check("environment", "ami_secret_env", plan.ami_secret_env)
    codes = {"login_code": plan.login_code, "ready_code": plan.ready_code, "pause_code": plan.pause_code}
    for name, code in codes.items():
        _check("code", name, code)
        if any(code.startswith(other) for another, other in codes.items() if another != name):
            raise BadInput(
                f"asterisk: {name} {code} begins like another of {', '.join(codes)}; choose codes that do not"
            )
    _check("reason", "pause reason", plan.pause_reason)
    _check("folder", "silence", plan.silence)
    if plan.transport:
        _check("name", "transport", plan.transport)
    for permit in plan.ami_permit:
        _network(f"ami_permit {permit!r}", permit)
    for campaign in plan.campaigns:
        _check("name", "campaign name", campaign.name)
        _check("sound", f"campaign {campaign.name}: message", campaign.message)
    for trunk in plan.trunks:
        _check("name", "trunk name", trunk.name)
        for address in trunk.match:
            _network(f"trunk {trunk.name}: match {address!r}", address)
        for codec in trunk.codecs:
            _check("codec", f"trunk {trunk.name}: codec", codec)
        if trunk.contact:
            _check("contact", f"trunk {trunk.name}: contact", trunk.contact)
        if trunk.username:
            _check("name", f"trunk {trunk.name}: username", trunk.username)
    for agent in plan.agents:
        _check("agent", "agent", agent.agent)
        _check("name", f"agent {agent.agent}: phone", agent.endpoint)
        if agent.contact:
            _check("contact", f"agent {agent.agent}: contact", agent.contact)
    sections = [t.name for t in plan.trunks] + [a.endpoint for a in plan.agents]
    for kind, names in (("campaigns", [c.name for c in plan.campaigns]), ("endpoints", sections)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise BadInput(f"asterisk: two {kind} are called {', '.join(twice)}; rename one")


def _network(where: str, address: str) -> None:
    try:
        ip_network(address)
    except ValueError as error:
        raise BadInput(f"asterisk: {where} is no IP address or network ({error}); correct it") from None


def _secret(variable: str, environment: Mapping[str, str]) -> str:
    _check("environment", "name of a secret's variable", variable)
    value = environment.get(variable, "")
    _check("secret", f"environment variable {variable}", value)
    return value


def filters(version: int) -> Iterable[str]:
    """Yield the AMI user's event filters; Asterisk from 22 on matches names, earlier ones the event's text."""
    for event, header, start in EVENTS:
        if version >= 22:
            only = f",header({header}),method(starts_with)" if header else ""
            yield f"eventfilter(name({event}){only}) = {start}"
        else:
            # A regular expression over the whole text; the name must end there, else Hangup means HangupRequest too.
            only = f".*{header}: {start}" if header else ""
            yield f"eventfilter = Event: {event}[^A-Za-z]{only}"


def _messages(campaigns: Iterable[QueuePlan]) -> Iterable[str]:
    for campaign in campaigns:
        yield f"exten => {campaign.name},1,Playback({campaign.message})"
        yield " same => n,Hangup(16)"


def _escaped(contact: str) -> str:
    return contact.replace(";", "\\;")


def _trunk(trunk: TrunkPlan, environment: Mapping[str, str]) -> Iterable[str]:
    if not trunk.contact:
        return
    name = trunk.name
    yield f"[{name}](cadencia-trunk)"
    yield f"allow = {','.join(trunk.codecs)}"
    yield f"aors = {name}"
    if trunk.username:
        yield f"outbound_auth = {name}"
    yield f"[{name}]\ntype = aor\ncontact = {_escaped(trunk.contact)}"
    if trunk.username:
        password = _secret(trunk.password_env, environment)
        yield f"[{name}]\ntype = auth\nauth_type = userpass\nusername = {trunk.username}\npassword = {password}"
    if trunk.match:
        yield f"[{name}]\ntype = identify\nendpoint = {name}\nmatch = {','.join(trunk.match)}"


def _phone(agent: AgentPlan, environment: Mapping[str, str]) -> Iterable[str]:
    name = agent.endpoint
    if agent.contact:
        yield f"[{name}](cadencia-phone)\naors = {name}"
        yield f"[{name}]\ntype = aor\ncontact = {_escaped(agent.contact)}"
    elif agent.password_env:
        password = _secret(agent.password_env, environment)
        yield f"[{name}](cadencia-phone)\naors = {name}\nauth = {name}"
        yield f"[{name}]\ntype = aor\nmax_contacts = 1\nremove_existing = yes"
        yield f"[{name}]\ntype = auth\nauth_type = userpass\nusername = {name}\npassword = {password}"


def _readme(plan: AsteriskPlan, directory: Path) -> str:
    lines = [f"#include {ours}   ; at the end of {theirs}" for theirs, ours in INCLUDES.items()]
    return "\n".join(
        [
            f"Files of Cadencia for Asterisk {plan.version}, rendered into {directory}.",
            "",
            "1. Copy cadencia-*.conf to /etc/asterisk (owner root, group asterisk, mode 0640: some hold secrets).",
            "2. Add these lines to the server's own files:",
            *(f"     {line}" for line in lines),
            "   and, only where modules.conf says autoload = no, below its [modules]:",
            f"     #include {MODULES}",
            "3. manager.conf needs enabled = yes and timestampevents = yes in its [general].",
            "4. asterisk -rx 'core reload', then: cadencia asterisk check",
            "",
            "Sound files of the message played when no agent comes: "
            + ", ".join(sorted({campaign.message for campaign in plan.campaigns}))
            + " (one for each language, below the sounds folder).",
            "",
        ]
    )
