"""The alarm of a disk that fills."""

from mirror.daemon.node.disk_alarm import DiskAlarm, full, nearly_full


def disk(free: int) -> list[dict[str, object]]:
    return [{"directory": "/srv/a", "free_bytes": free << 20, "total_bytes": 1000 << 20}]


def test_it_is_said_once_and_ends_with_room_to_spare() -> None:
    alarm = DiskAlarm()
    assert alarm.look(disk(200)) == []
    full = [("E", "Disk nearly full: /srv/a: 91 % used, 90 MiB left")]
    assert [alarm.look(disk(free)) for free in (90, 10, 120)] == [full, [], []]
    room = [("E", "Disk has room again: /srv/a: 70 % used, 300 MiB left")]
    assert [alarm.look(disk(free)) for free in (300, 300)] == [room, []]
    assert alarm.look(disk(0))


def test_a_disk_without_a_size_is_none() -> None:
    nothing = [{"directory": "/srv/a", "free_bytes": 0, "total_bytes": 0}]
    assert DiskAlarm().look(nothing) == []


def test_a_state_says_which_disk_is_nearly_full_as_long_as_it_is() -> None:
    assert nearly_full(disk(200)) == ""
    for _ in range(2):
        assert nearly_full(disk(0)) == "Disk nearly full: /srv/a: 100 % used, 0 MiB left"


def test_a_disk_is_full_when_nothing_can_go_on_there() -> None:
    assert [full(disk(free)) for free in (0, 15, 16, 90)] == [True, True, False, False]
    assert not full([{"directory": "/srv/a", "free_bytes": 0, "total_bytes": 0}])
