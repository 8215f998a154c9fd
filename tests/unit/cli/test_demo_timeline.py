"""The timeline of the demo says what the logs say, and nothing else."""

from mirror.cli.demo_timeline import Line, copied, failover, lines_of


def entries(*texts: str) -> list[dict[str, object]]:
    return [
        {"time_us": 1_000_000 * number, "level": "E", "source": "heart", "text": text}
        for number, text in enumerate(texts)
    ]


def test_moments_are_the_first_lines_after_the_fault() -> None:
    lines = lines_of(
        "n2",
        entries(
            "Local state ALONE Ready",  # before the fault: another story
            "Local state SECOND Ready",
            "Action alone called by heart: no heartbeat",
            "Local state ALONE Transient",
            "Script start_prim",
            "PostgreSQL 15 accepts connections on port 5432",
            "Local state ALONE Ready",
            "Local state ALONE Ready",
        ),
    )
    moments = failover(lines, "n2", since_us=1_000_000)
    assert [(moment.wall_us // 1_000_000, moment.what) for moment in moments] == [
        (2, "detection: Action alone called by heart: no heartbeat"),
        (3, "takeover: n2 goes on alone"),
        (4, "start_prim begins"),
        (5, "start_prim: the application answers"),
        (6, "takeover complete"),
    ]


def test_a_moment_without_a_line_is_left_out() -> None:
    lines = lines_of("n2", entries("Script start_prim"))
    assert [moment.what for moment in failover(lines, "n2", 0)] == ["start_prim begins"]
    assert failover(lines, "n1", 0) == []


def test_times_in_safekits_form_are_local() -> None:
    first, second = (
        lines_of("n1", [{"time": f"2021-08-06 08:40:20.9{digits}", "text": ""}])[0]
        for digits in ("09224", "09225")
    )
    assert second.wall_us - first.wall_us == 1


def test_bytes_copied_from_fields_or_words() -> None:
    fields = {"bytes_copied": 4096, "bytes_compared": 65536}
    line = Line("n1", 5, "Reintegration ended (synchronize)", fields)
    assert copied([line], 0) is not None
    found = copied([line, Line("n1", 3, "Reintegration ended (default)", {})], 0)
    assert found is not None
    assert (found.bytes_copied, found.bytes_compared) == (4096, 65536)

    words = Line("n1", 5, "Reintegration ended: 3 files, 1.5 MiB copied, 2,048 compared", {})
    found = copied([words], 0)
    assert found is not None
    assert (found.bytes_copied, found.bytes_compared) == (1_572_864, 2048)


def test_no_reintegration_is_no_number() -> None:
    assert copied([Line("n1", 5, "Local state SECOND Ready", {})], 0) is None
    assert copied([Line("n1", 5, "Reintegration ended", {})], 6) is None
