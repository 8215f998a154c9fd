"""One command on several nodes: who answers first is read first."""

import threading
from typing import Any

import pytest

from mirror.cli import distributed
from mirror.cli.distributed import Outcome, on_each
from mirror.cli.session import Session
from mirror.config.distributed import Target
from mirror.config.layout import Layout

from .conftest import Run

PATIENCE_S = 60.0


@pytest.fixture
def session(web: Layout) -> Session:
    """Of a node whose cluster has two."""
    assert web.cluster_config.is_file()
    return Session()


def test_what_a_node_answers_is_shown_before_a_slower_one_has(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    fast_is_shown = threading.Event()

    def echo(text: str) -> None:
        said.append(text)
        if "fast" in text:
            fast_is_shown.set()

    def work(target: Target) -> Outcome:
        slow = target.label == "n1"
        if slow:
            assert fast_is_shown.wait(PATIENCE_S)
        return Outcome(target.label, 3 if slow else 0, "slow" if slow else "fast", "")

    monkeypatch.setattr("mirror.cli.distributed.click.echo", echo)
    outcomes = on_each(session, "n1,n2", work)
    assert [one.node for one in outcomes] == ["n1", "n2"]
    assert said == ["---------------- n2", "fast", "---------------- n1  (exit code 3)", "slow"]


def test_json_is_one_document_in_the_order_of_hosts(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Any] = []
    session.as_json = True
    monkeypatch.setattr(Session, "report", lambda _, value, __: said.append(value))
    on_each(session, "n2,n1", lambda target: Outcome(target.label, 0, '{"a": 1}', ""))
    assert [list(one["nodes"]) for one in said] == [["n2", "n1"]]


def test_the_exit_code_is_the_highest(
    mirror: Run, web: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runner(_session: Session, _words: list[str]) -> Any:
        return lambda target: Outcome(target.label, 3 if target.label == "n2" else 0, "", "")

    monkeypatch.setattr(distributed, "_runner", runner)
    assert mirror("on", "*", "level").code == 3
