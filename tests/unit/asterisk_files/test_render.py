"""Rendered files are whole, includable, and hold nothing that could end a line."""

import stat
from pathlib import Path

import msgspec
import pytest

from dialer.asterisk.render import (
    EVENTS,
    INCLUDES,
    AgentPlan,
    AsteriskPlan,
    QueuePlan,
    TrunkPlan,
    extensions,
    fill,
    filters,
    modules,
    render,
)
from domain.errors import BadInput

SECRETS = {"AMI_SECRET": "a-long-enough-secret", "SIP_1001": "pa55word!", "CARRIER": "tr0nk-secret"}
PLAN = AsteriskPlan(
    campaigns=(QueuePlan(name="es-cards", message="custom/es-cards"), QueuePlan(name="co-loans")),
    trunks=(
        TrunkPlan(
            name="carrier",
            contact="sip:sbc.example.net:5060;transport=tcp",
            match=("192.0.2.0/24",),
            username="floor",
            password_env="CARRIER",
        ),
        TrunkPlan(name="already-there"),
    ),
    agents=(
        AgentPlan(agent="1001", password_env="SIP_1001"),
        AgentPlan(agent="1002", phone="desk-2", contact="sip:desk2@192.0.2.7"),
        AgentPlan(agent="1003", phone="existing"),
    ),
    transport="tcp",
)


def rendered(directory: Path, plan: AsteriskPlan = PLAN) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in render(plan, directory, SECRETS)}


def sections(text: str) -> dict[str, list[str]]:
    """Return the lines of each section, those of one name in turn (PJSIP has several)."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line[1 : line.index("]")]
            found.setdefault(name, []).append(line)
        elif line and not line.startswith(";"):
            found[name].append(line)
    return found


def test_every_file_is_written_closed_and_without_marks_left(tmp_path: Path) -> None:
    texts = rendered(tmp_path)
    assert set(texts) == {*INCLUDES.values(), "cadencia-modules.conf", "cadencia-README.txt"}
    for name, text in texts.items():
        assert "@" not in text.replace("desk2@", "").replace("CHANNEL,@", "").replace("agent>@", "").replace(
            "Local/<agent>@", ""
        ), name
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o640
    for theirs, ours in INCLUDES.items():
        assert f"#include {ours}   ; at the end of {theirs}" in texts["cadencia-README.txt"]


def test_rendering_twice_replaces(tmp_path: Path) -> None:
    assert rendered(tmp_path) == rendered(tmp_path)


def test_nothing_of_ours_can_meet_a_section_of_the_server(tmp_path: Path) -> None:
    texts = rendered(tmp_path)
    assert all(name.startswith("cadencia-") for name in sections(texts["cadencia-extensions.conf"]))
    assert set(sections(texts["cadencia-queues.conf"])) == {"cadencia-queue", "es-cards", "co-loans"}
    assert set(sections(texts["cadencia-agents.conf"])) == {"cadencia-agent", "1001", "1002", "1003"}
    assert set(sections(texts["cadencia-manager.conf"])) == {"cadencia"}


def test_trunks_and_phones_that_the_server_has_are_left_to_it(tmp_path: Path) -> None:
    found = sections(rendered(tmp_path)["cadencia-pjsip.conf"])
    assert set(found) == {"cadencia-trunk", "cadencia-phone", "carrier", "agent1001", "desk-2"}
    assert "contact = sip:sbc.example.net:5060\\;transport=tcp" in found["carrier"]
    assert "password = tr0nk-secret" in found["carrier"]
    assert "password = pa55word!" in found["agent1001"]
    assert "contact = sip:desk2@192.0.2.7" in found["desk-2"]


def test_each_campaign_has_its_queue_and_its_message(tmp_path: Path) -> None:
    dialplan = extensions(PLAN)
    assert "exten => es-cards,1,Playback(custom/es-cards)" in dialplan
    assert "exten => co-loans,1,Playback(vm-goodbye)" in dialplan
    assert "exten => _*7X!,1,Goto(cadencia-login,${EXTEN:2},1)" in dialplan


@pytest.mark.parametrize(
    ("version", "line"),
    [
        (22, "eventfilter(name(Hangup)) = "),
        (22, "eventfilter(name(DeviceStateChange),header(Device),method(starts_with)) = Agent:"),
        (16, "eventfilter = Event: Hangup[^A-Za-z]"),
        (20, "eventfilter = Event: DeviceStateChange[^A-Za-z].*Device: Agent:"),
    ],
)
def test_filters_are_written_as_the_version_reads_them(tmp_path: Path, version: int, line: str) -> None:
    plan = msgspec.structs.replace(PLAN, version=version)
    assert line in rendered(tmp_path, plan)["cadencia-manager.conf"].splitlines()
    assert len(list(filters(version))) == len(EVENTS)


def test_modules_are_named_once() -> None:
    names = modules()
    assert {"app_queue", "app_agent_pool", "app_amd", "chan_pjsip", "res_manager_devicestate"} <= set(names)
    assert len(set(names)) == len(names)


def replaced(**changes: object) -> AsteriskPlan:
    return msgspec.structs.replace(PLAN, **changes)


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (replaced(ami_user="floor\nwrite = all"), "ami_user must be letters"),
        (replaced(campaigns=(QueuePlan(name="a]b"),)), "campaign name must be letters"),
        (replaced(campaigns=(QueuePlan(name="a", message="x)&System(rm"),)), "message must be a sound file"),
        (replaced(campaigns=(QueuePlan(name="a"), QueuePlan(name="a"))), "two campaigns are called a"),
        (replaced(trunks=(TrunkPlan(name="t", contact="sip:a\r\n[evil]"),)), "contact must be a SIP address"),
        (replaced(trunks=(TrunkPlan(name="t", contact="sip:a", match=("not-an-ip",)),)), "is no IP address"),
        (replaced(trunks=(TrunkPlan(name="t", contact="sip:a", codecs=("ulaw,\n",)),)), "codec must be"),
        (replaced(trunks=(TrunkPlan(name="t", contact="sip:a", username="u\n"),)), "username must be"),
        (replaced(agents=(AgentPlan(agent="10a1"),)), "agent must be digits"),
        (replaced(agents=(AgentPlan(agent="1", phone="carrier"),)), "two endpoints are called carrier"),
        (replaced(agents=(AgentPlan(agent="1", contact="tel:1;x"),)), "contact must be a SIP address"),
        (replaced(ami_permit=("10.0.0.0/33",)), "ami_permit '10.0.0.0/33' is no IP address"),
        (replaced(login_code="*7;"), "login_code must be stars"),
        (replaced(ready_code="*71"), "begins like another"),
        (replaced(pause_reason="a,b"), "pause reason must be one word"),
        (replaced(silence="moh\n"), "silence must be a folder"),
        (replaced(transport="udp\n"), "transport must be letters"),
        (replaced(version=13), "version must be one of"),
        (replaced(ami_secret_env="NOT_SET"), "environment variable NOT_SET must be 8 to 100"),
        (replaced(agents=(AgentPlan(agent="1", password_env="A B"),)), "name of a secret's variable must be"),
    ],
)
def test_what_could_not_stand_in_a_file_is_refused(tmp_path: Path, plan: AsteriskPlan, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        render(plan, tmp_path / "files", SECRETS)
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    "secret", ["short", "with a blank in it", "semicolon;comment", "line\nbreak-it", "Ñandú-sécret"]
)
def test_a_secret_that_asterisk_would_read_otherwise_is_refused_and_not_shown(tmp_path: Path, secret: str) -> None:
    with pytest.raises(BadInput, match="AMI_SECRET") as refused:
        render(PLAN, tmp_path / "files", {**SECRETS, "AMI_SECRET": secret})
    assert secret not in str(refused.value)


def test_a_template_that_asks_for_something_unknown_is_refused() -> None:
    with pytest.raises(BadInput, match="unknown mark @TYPO@"):
        fill("a = @TYPO@", {"A": "b"}, "cadencia-queues.conf")
