"""Sentences that know what they were made of."""

import errno
import json
import os

from mirror.errors import CommandRefused, ConfigRefused, LocalCallFailed, Refusal
from mirror.vocabulary.said import Said, facts_of, from_parts, parts_of, said_of, say
from mirror.vocabulary.said_system import system_said
from mirror.wire import local


def test_a_sentence_is_its_english_text() -> None:
    sentence = say(
        "wait.rule", rule="t_web", resources=[say("rule.is", name="tcp.web", value="down")]
    )
    assert sentence == "Failover rule t_web holds: tcp.web is down"
    assert (json.dumps(sentence), hash(sentence)) == (f'"{sentence}"', hash(str(sentence)))


def test_a_switch_is_no_doubt_about_data_and_a_doubt_is_said_once() -> None:
    assert say("wait.failover_off") == "Failover is off: an administrator decides"
    assert say("wait.not_complete") == "Data may be not uptodate here"


def test_a_message_carries_what_it_was_made_of() -> None:
    inner = say("refused.nobody_to_swap_with", peer="n2")
    error = CommandRefused(module="web", verb="swap", observed=inner)
    sent = json.loads(json.dumps(local.reply_error(1, error)["error"]))
    assert sent["facts"] == {
        "module": "web",
        "verb": "swap",
        "observed": {"code": inner.code, "facts": {"peer": "n2"}, "text": str(inner)},
    }


def test_what_another_process_said_keeps_its_code_and_facts() -> None:
    error = LocalCallFailed(
        remote_code="MIR-601",
        remote_sentence="no (MIR-601)",
        remote_exit_code=1,
        remote_facts={"observed": {"code": "row.O04", "facts": {}, "text": "no"}},
    )
    found = said_of(error)
    assert isinstance(found, Said)
    assert (found, found.code) == ("no (MIR-601)", "MIR-601")
    parts = parts_of(found)
    assert parts is not None
    assert parts["facts"]["observed"]["code"] == "row.O04"
    again = from_parts(parts, str(found))
    assert parts_of(again) == parts


def test_a_number_stays_one_for_a_language_with_another_decimal_sign() -> None:
    parts = parts_of(say("node.silent", seconds=2.5))
    assert parts is not None
    assert (parts["facts"], parts["text"]) == ({"seconds": 2.5}, "silent for more than 2.5 s")


def test_a_plain_sentence_has_no_parts() -> None:
    assert parts_of("Input/output error") is None
    assert from_parts(None, "x") == "x"
    assert said_of(OSError(5, "Input/output error")) == "[Errno 5] Input/output error"


def test_all_that_is_wrong_in_a_configuration_has_its_parts() -> None:
    """How many it is, and the list, are put together in English: below the words."""
    empty, later = say("field.empty"), say("field.missing")
    error = ConfigRefused([Refusal("u.xml", 3, empty), Refusal("u.xml", 0, later)])
    facts = facts_of(error)
    assert facts["count"]["facts"] == {"count": 2}
    for name in ("count", "listing"):
        assert facts[name]["text"] == error.facts[name]
    first, second = (facts["listing"]["facts"][name] for name in ("one", "other"))
    assert first["facts"]["why"]["code"] == later.code
    assert (second["facts"]["place"], second["facts"]["why"]["code"]) == ("u.xml:3", empty.code)


def test_what_the_system_says_keeps_its_words_and_has_a_code() -> None:
    for number, code in (
        (errno.ENOENT, "why.absent"),
        (errno.EDQUOT, "why.quota"),
        (errno.ENAMETOOLONG, ""),
    ):
        found = system_said(OSError(number, os.strerror(number)))
        assert (str(found), found.code) == (os.strerror(number), code)
