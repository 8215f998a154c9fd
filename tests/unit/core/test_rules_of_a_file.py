"""Failover rules are checked with the configuration, and refused with its line."""

import pytest

from mirror.config.userconfig import load_userconfig
from mirror.core.rules.check import refuse_wrong_rules
from mirror.errors import ConfigRefused

FILE = """<safe>
<service mode="mirror">
<heart><heartbeat name="a"/></heart>
<failover
  period="5s"><![CDATA[

  fine: if (tcp.web == down) then restart();
  {rule}
]]></failover>
</service>
</safe>"""


def test_a_wrong_rule_is_named_with_its_line() -> None:
    text = FILE.replace("{rule}", "wrong: if (tcp.web == dwon) then restart();")
    config = load_userconfig(text.encode(), "userconfig.xml", {})
    with pytest.raises(ConfigRefused) as caught:
        refuse_wrong_rules(config)
    (refusal,) = caught.value.refusals
    assert refusal.line == 8
    assert refusal.sentence.startswith("<failover>: wrong: column ")


def test_right_rules_pass() -> None:
    text = FILE.replace("{rule}", "other: if (ping.* == down) then wait();")
    refuse_wrong_rules(load_userconfig(text.encode(), "userconfig.xml", {}))
