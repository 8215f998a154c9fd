"""The registry of errors: every class has its own code and a sentence of the agreed shape."""

import re
from collections import Counter

import pytest

from mirror import errors
from mirror.errors import EXIT_CODES, ConfigRefused, LocalCallFailed, MirrorError, Refusal

ERRORS = tuple(errors.every_error())
FOREIGN_SENTENCE = {LocalCallFailed}


def example(error: type[MirrorError]) -> MirrorError:
    if issubclass(error, ConfigRefused):
        return error([Refusal("userconfig.xml", 3, "wrong")])
    if issubclass(error, LocalCallFailed):
        return error(remote_code="MIR-999", remote_sentence="no (MIR-999)", remote_exit_code=3)
    return error(**dict.fromkeys(errors.fact_names(error), "x"))


def test_no_code_is_used_twice() -> None:
    assert [code for code, count in Counter(e.code for e in ERRORS).items() if count > 1] == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_each_error_has_the_agreed_shape(error: type[MirrorError]) -> None:
    instance = example(error)
    assert re.fullmatch(r"MIR-[1-8]\d\d", error.code)
    assert instance.exit_code in EXIT_CODES
    assert error.__doc__
    if error not in FOREIGN_SENTENCE:
        assert str(instance).endswith(f" ({error.code})")
        assert ": " in error.sentence
        assert ";" in error.sentence, "what to do stands after the semicolon"


def test_a_wrong_fact_fails_at_once() -> None:
    with pytest.raises(AssertionError):
        errors.ModuleUnknown(modul="web")


def test_refusals_are_sorted_by_line_and_all_shown() -> None:
    error = ConfigRefused([Refusal("f.xml", 9, "second"), Refusal("f.xml", 2, "first")])
    assert str(error).index("f.xml:2: first") < str(error).index("f.xml:9: second")
    assert "2 errors" in str(error)


def test_a_remote_error_keeps_code_sentence_and_exit_code() -> None:
    error = LocalCallFailed(
        remote_code="MIR-601", remote_sentence="no (MIR-601)", remote_exit_code=4
    )
    assert (str(error), error.code, error.exit_code) == ("no (MIR-601)", "MIR-601", 4)
