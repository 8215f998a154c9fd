"""The modules we ship: refused until what is left open is filled in, and then nothing else."""

from pathlib import Path

import pytest

from mirror.config.timing import PROFILES
from mirror.config.userconfig import load_userconfig
from mirror.errors import ConfigRefused

MODULES = Path(__file__).parents[3] / "modules"
NAMES = sorted(path.parents[1].name for path in MODULES.glob("*/conf/userconfig.xml"))


def text_of(name: str) -> bytes:
    return (MODULES / name / "conf" / "userconfig.xml").read_bytes()


def filled(text: bytes) -> bytes:
    filled_in = text.replace(b'"VIRTUAL_TO_BE_DEFINED"', b'"10.0.0.50"')
    for gap, value in ((b"DIRECTORY_TO_BE_DEFINED", b"/srv/data"), (b"IMAGE_TO_BE_DEFINED", b"i")):
        filled_in = filled_in.replace(gap, value)
    return filled_in.replace(b'<proc name="PROCESS_NAME"', b'<proc name="app"')


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_left_open_is_refused(name: str) -> None:
    with pytest.raises(ConfigRefused) as caught:
        load_userconfig(text_of(name), "f", {})
    for refusal in caught.value.refusals:
        assert "placeholder" in refusal.sentence


@pytest.mark.parametrize("name", NAMES)
def test_filled_in_it_is_valid_and_without_notices(name: str) -> None:
    config = load_userconfig(filled(text_of(name)), "f", {})
    assert config.notices == ()
    assert bool(config.directories) == (name != "light")
    if name != "light":
        assert config.heart.timeout_ms == PROFILES["fast"].timeout_ms
    assert config.user is not None


def test_the_comments_of_the_generic_module_may_be_uncommented() -> None:
    text = filled(text_of("mirror")).decode()
    for part in ("errd", "check"):
        text = text.replace(f"<!--\n    <{part}", f"<{part}")
        text = text.replace(f"</{part}>\n    -->", f"</{part}>")
    text = text.replace('"PROCESS_NAME"', '"server"')
    config = load_userconfig(text.encode(), "f", {})
    assert config.errd is not None
    assert config.splitbrain is not None
