"""Which changes of a configuration need no stop. Pure.

What the control plane alone works with is taken up by handing the module from one control plane's
engine to a fresh one, as after a restart of it: application, mount and address stay. What the data
plane or the addresses were started with needs a stop.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

from mirror.config.models import ModuleConfig

# Of ModuleConfig: whole subtrees end with a dot.
LIVE = (
    *("service.boot", "service.boot_delay_ms", "service.failover", "service.defaultprim"),
    *("service.maxloop", "service.loop_interval_ms", "service.automatic_reboot"),
    *("heart.profile", "heart.pulse_ms", "heart.timeout_ms", "heart.heartbeats"),
    *("user.", "errd.", "failover.", "splitbrain.", "checkers.", "fence."),
)
# Of no consequence for what runs: where values stood, and what was substituted into them.
IGNORED = frozenset({"file", "macros", "notices", "lines"})
UNIT_ENDINGS = ("_ms", "_bytes_s", "_bytes")


def changes(old: object, new: object, path: str = "") -> Iterator[str]:
    """Yield the path of each field that differs; a subtree that comes or goes is `name.`."""
    if old == new:
        return
    if not (is_dataclass(old) and type(old) is type(new)):
        appears = old is None or new is None
        yield f"{path}." if appears and is_dataclass(new if old is None else old) else path
        return
    for field in fields(old):
        if path or field.name not in IGNORED:
            below = f"{path}.{field.name}" if path else field.name
            yield from changes(getattr(old, field.name), getattr(new, field.name), below)


def needs_stop(old: ModuleConfig, new: ModuleConfig) -> tuple[str, ...]:
    """What differs and cannot be taken up while the module runs, as people write it."""
    return tuple(
        _as_written(path)
        for path in changes(old, new)
        if not any(path == live or (live[-1] == "." and path.startswith(live)) for live in LIVE)
    )


def _as_written(path: str) -> str:
    """`rfs.nbrei` as `<rfs nbrei>`."""
    element, _, attribute = path.partition(".")
    for ending in UNIT_ENDINGS:
        attribute = attribute.removesuffix(ending)
    names: Mapping[str, str] = {"acknowledge": "async"}
    attribute = names.get(attribute, attribute)
    return f"<{element} {attribute}>" if attribute else f"<{element}>"
