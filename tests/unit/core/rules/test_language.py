"""Both notations of the failover rules: what they mean, and where they are refused."""

import pytest

from mirror.core.rules import RuleFacts, RuleRefused, WatchedResource, all_rules, parse_rules
from mirror.core.rules.classic import parse_classic
from mirror.core.rules.language import RuleAction, holds
from mirror.core.rules.lua import parse_lua

FACTS = RuleFacts(
    {
        "tcp.web": "up",
        "tcp.db": "down",
        "ping.gw": "init",
        "intf.10.0.0.0": "down",
        "module.db_127.0.0.1": "up",
        "ip.2001:db8::1": "up",
    },
    {"tcp.web": "down"},
    "up",
)


@pytest.mark.parametrize(
    ("when", "true"),
    [
        ("tcp.db == down", True),
        ("local.tcp.db == down", True),
        ("tcp.db != down", False),
        ("remote.tcp.web == down", True),
        ("remote.tcp.db == unknown", True),
        ("tcp.? == down", True),
        ("tcp.* == down", False),
        ("intf.* == down", True),
        ("tcp.? != up", True),
        ("custom.* == up", False),
        ("custom.? == up", False),
        ("custom.new == unknown", True),
        ("ip.2001:db8::1 == up", True),
        ("!(tcp.web == down)", True),
        ("!tcp.web == down && tcp.db == down", True),
        ("tcp.web == down || tcp.db == down && ping.gw == init", True),
        ("(tcp.web == down || tcp.db == down) && ping.gw == up", False),
        ("cluster() == down", False),
        ("cluster() != down", True),
        ("module.db_127.0.0.1 == up", True),
        ("ping.gw != up", False),
        ("!(ping.gw == up)", False),
        ("!(ping.gw != up)", False),
        ("ping.gw != init", False),
        ("!(ping.gw == init)", False),
        ("ping.? != up", False),
        ("!(ping.* == down)", False),
        ("ping.gw != up || tcp.db == down", True),
        ("!(ping.gw != up && tcp.web == down)", True),
    ],
)
def test_an_expression_means_what_it_says(when: str, true: bool) -> None:
    (rule,) = parse_classic(f"label: if ({when}) then wait();")
    assert holds(rule.when, FACTS) is true


def test_several_rules_and_all_actions() -> None:
    text = "\n".join(f"r_{one}: if (tcp.web == down) then {one}();" for one in RuleAction)
    assert [rule.action for rule in parse_classic(text)] == list(RuleAction)


@pytest.mark.parametrize(
    ("text", "label", "line", "column", "word"),
    [
        ("a: if (tcp.web = down) then wait();", "a", 1, 16, '"="'),
        ("a: if (tcp.web == gone) then wait();", "a", 1, 19, "gone"),
        ("a: if (disk.root == down) then wait();", "a", 1, 8, "disk"),
        ("a: if (tcp == down) then wait();", "a", 1, 8, "class.id"),
        ("a: if (tcp.web == down) then reboot();", "a", 1, 30, "reboot"),
        ("a: if (tcp.web == down)\n then wait()", "a", 2, 13, "ends"),
        ("a: if (tcp.web == down) then wait();\nb if", "b", 2, 3, '"if"'),
        ("a: if ((tcp.web == down) then wait();", "a", 1, 26, '"then"'),
        ("9: if (tcp.web == down) then wait();", "(no label)", 1, 1, "label"),
        ("a: if (tcp.w == up) then wait(); a: if (tcp.w == up) then wait();", "a", 1, 34, "two"),
        (
            "--Lua Rules\nRules = Rules + { x=if_then('tcp.w','down',Action.halt) }",
            "x",
            2,
            51,
            "halt",
        ),
        ("--Lua Rules\nos.execute('x')", "(no label)", 2, 1, "neither"),
        ("--Lua Rules\nRules = Rules + { x=function() end }", "(no label)", 2, 19, "if_then"),
    ],
)
def test_a_refusal_names_label_line_and_column(
    text: str, label: str, line: int, column: int, word: str
) -> None:
    with pytest.raises(RuleRefused) as refused:
        parse_rules(text)
    facts = refused.value.facts
    assert (facts["label"], facts["line"], facts["column"]) == (label, line, column)
    assert word in str(facts["observed"])


def test_nesting_has_a_bound() -> None:
    with pytest.raises(RuleRefused, match="too deep"):
        parse_classic("a: if " + "(" * 5000 + "tcp.a == up" + ")" * 5000 + " then wait();")


def test_the_lua_form_is_read_and_never_run() -> None:
    rules, disabled = parse_lua(
        "-- a comment\n"
        'Rules = Rules + { t_web=if_then("tcp.web","down",Action.restart),_group="checker" }\n'
        "Rules = Rules + { ['c_x'] = if_then('remote.custom.x', 'up', Action.swap); }\n"
        'Rules.disable("interface_failure");\n'
    )
    assert [(rule.label, rule.action.value) for rule in rules] == [
        ("t_web", "restart"),
        ("c_x", "swap"),
    ]
    assert disabled == {"interface_failure"}


def test_defaults_come_from_the_checkers_and_can_be_replaced_or_disabled() -> None:
    watched = (
        WatchedResource("intf.net1", "pre", "wait"),
        WatchedResource("intf.net2", "pre", "wait"),
        WatchedResource("tcp.web", "prim", "restart"),
        WatchedResource("ping.gw", "pre", "noaction"),
        WatchedResource("custom.load", "prim", "stopstart"),
        WatchedResource("module.db_127.0.0.1", "pre", "wait"),
        WatchedResource("ip.10.0.0.9", "prim", "stopstart"),
    )
    rules = all_rules("", watched, extends=True)
    assert [(rule.label, rule.action.value) for rule in rules] == [
        ("interface_failure", "wait"),
        ("t_web", "restart"),
        ("c_load", "stopstart"),
        ("module_failure", "wait"),
        ("ip_failure", "stopstart"),
    ]
    text = (
        "t_web: if (tcp.web == down) then stop();\n--Lua Rules\n"
        'Rules.disable("ip_failure") Rules.disable("interface_failure")'
    )
    changed = all_rules(text, watched, extends=True)
    assert [(rule.label, rule.action.value) for rule in changed] == [
        ("t_web", "stop"),
        ("c_load", "stopstart"),
        ("module_failure", "wait"),
    ]
    assert all_rules("", watched, extends=False) == ()
