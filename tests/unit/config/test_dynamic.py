"""Which changes a running module takes up, and which need a stop."""

import pytest

from mirror.config.dynamic import LIVE, changes, needs_stop
from mirror.config.models import ModuleConfig
from mirror.config.userconfig import load_userconfig

BASE = """<safe><service mode="mirror" maxloop="3">
<heart pulse="500" timeout="5000"><heartbeat name="default"/></heart>
<rfs nbrei="6" async="second"><replicated dir="/srv/a"/></rfs>
<user><var name="A" value="1"/></user>
<errd polltimer="10"><proc name="app" class="prim"/></errd>
</service></safe>"""
ADDRESS = (
    "<vip><interface_list><interface><real_interface>"
    '<virtual_addr addr="10.0.0.9"/></real_interface></interface></interface_list></vip>'
)


def config(*edits: tuple[str, str]) -> ModuleConfig:
    text = BASE
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return load_userconfig(text.encode(), "f", {})


@pytest.mark.parametrize(
    "edit",
    [
        ('maxloop="3"', 'maxloop="9" loop_interval="1h" boot="on" boot_delay="2m"'),
        ('maxloop="3"', 'maxloop="3" failover="off" defaultprim="n1" automatic_reboot="on"'),
        ('pulse="500" timeout="5000"', 'profile="fast"'),
        ('name="default"', 'name="default" timeout="9s"'),
        ('value="1"', 'value="2"'),
        ("<user>", '<user nicestoptimeout="9">'),
        ('polltimer="10"', 'polltimer="20"'),
        ('class="prim"', 'class="both" action="restart"'),
        ("</errd>", "</errd><!-- a word -->"),
    ],
)
def test_taken_up_while_it_runs(edit: tuple[str, str]) -> None:
    assert needs_stop(config(), config(edit)) == ()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (('async="second"', 'async="none"'), "<rfs async>"),
        (('nbrei="6"', 'reiallowedbw="9"'), "<rfs reiallowedbw>"),
        (('dir="/srv/a"', 'dir="/srv/b"'), "<rfs replicated>"),
        (("</rfs>", "</rfs>" + ADDRESS), "<vip>"),
        (("<heart ", '<heart port="9999" '), "<heart port>"),
        (('<rfs nbrei="6" async="second"><replicated dir="/srv/a"/></rfs>', ""), "<rfs>"),
    ],
)
def test_needs_a_stop(edit: tuple[str, str], said: str) -> None:
    assert needs_stop(config(), config(edit)) == (said,)


def test_every_live_path_exists() -> None:
    """A field that was renamed must not silently begin to need a stop."""
    known = set(ModuleConfig.__dataclass_fields__)
    later = {"checkers", "fence"}  # theirs, as soon as they are there
    assert {path.partition(".")[0] for path in LIVE} - later <= known


def test_no_change_is_none() -> None:
    assert list(changes(config(), config())) == []
