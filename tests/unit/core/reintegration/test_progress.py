"""Progress is honest: what is left never goes below zero, the rate is of the last ten seconds."""

from mirror.core.reintegration.progress import PENDING_SHOWN_MAX, Meter, Outcome, Phase


def test_nobody_knows_how_long_names_take() -> None:
    meter = Meter(0)
    shown = meter.show(1_000, ("a",))
    assert (shown.phase, shown.eta_s, shown.pending) == (Phase.NAMES, None, ("a",))


def test_rate_and_remaining_time() -> None:
    meter = Meter(0)
    meter.phase, meter.files_total, meter.bytes_total = Phase.DATA, 10, 1_000
    meter.files_done, meter.bytes_done, meter.bytes_copied = 4, 400, 100
    shown = meter.show(2_000, ())
    assert (shown.files_left, shown.bytes_left) == (6, 600)
    assert (shown.rate_bytes_s, shown.eta_s) == (200, 3)
    assert shown.as_fields()["phase"] == "data"


def test_the_rate_forgets_what_is_long_ago() -> None:
    meter = Meter(0)
    meter.phase, meter.bytes_total = Phase.DATA, 10_000_000
    meter.bytes_done = 1_000_000
    meter.show(1_000, ())
    for now_ms in range(2_000, 30_000, 1_000):
        shown = meter.show(now_ms, ())
    assert shown.rate_bytes_s == 0
    assert shown.eta_s is None


def test_a_file_that_grew_leaves_nothing_below_zero() -> None:
    meter = Meter(0)
    meter.phase, meter.bytes_total, meter.bytes_done = Phase.DATA, 10, 20
    meter.files_done = 3
    shown = meter.show(1, tuple("x" * 50))
    assert (shown.files_left, shown.bytes_left, shown.eta_s) == (0, 0, 0)
    assert len(shown.pending) == PENDING_SHOWN_MAX


def test_the_figures_of_the_end_travel_whole() -> None:
    outcome = Outcome(files=3, bytes_copied=10, bytes_compared=4_000_000, seconds=2.5)
    assert Outcome.from_bytes(outcome.to_bytes()) == outcome
