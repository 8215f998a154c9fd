"""The rules of a configuration, checked when it is: refused with the line of userconfig.xml."""

from mirror.config.models import ModuleConfig
from mirror.core.rules.text import parse_rules
from mirror.errors import ConfigRefused, Refusal, RuleRefused
from mirror.vocabulary.said import say


def refuse_wrong_rules(config: ModuleConfig) -> None:
    """Raise ConfigRefused (MIR-101) with the first rule that is wrong; else return."""
    if not config.failover.rules:
        return
    try:
        parse_rules(config.failover.rules, first_line=config.lines["rules"])
    except RuleRefused as error:
        facts = {name: error.facts[name] for name in ("label", "column", "observed")}
        sentence = say("rule.wrong", **facts)
        line = int(str(error.facts["line"]))
        raise ConfigRefused([Refusal(config.file, line, sentence)]) from error
