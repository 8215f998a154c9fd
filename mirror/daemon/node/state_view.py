"""What people see of a module: values for `state`, the console and the lab. Decides nothing."""

from collections.abc import Mapping
from typing import Any

from mirror.adapters import clock
from mirror.core import speech
from mirror.daemon.node.advice import action_of
from mirror.daemon.node.disk_alarm import full, nearly_full
from mirror.daemon.node.module_runner import ModuleRunner
from mirror.vocabulary.said import parts_of, say
from mirror.vocabulary.states import SHOWN

CORRECT = "Correct the configuration, then `config`."
UNATTENDED = "Its application runs here, and nobody looks after it."


def state_of(runner: ModuleRunner, behind: str = "") -> dict[str, Any]:
    """Give everything about one loaded module. behind: why it did not take up what is in force."""
    engine = runner.driver.engine
    context = engine.context
    word, ready = speech.shown(context)
    now_ms = clock.boottime_ms()
    peer, mute_ms = context.word_now(now_ms), context.mute_ms(now_ms)
    remote_word, remote_ready = ("UNKNOWN", "Unknown") if peer is None else SHOWN[peer.state]
    config = runner.settings.config
    reason = context.reason or (
        say("reintegration", observed=context.refusal) if context.refusal else ""
    )
    disks = runner.figures.status.get("disks") or ()
    if not reason and not context.complete():  # it may be why this node does not come to be
        reason = nearly_full(disks)
    if not reason and mute_ms:
        reason = say("node.mute", node=context.settings.peer)
    if not reason and behind:
        reason = say("module.behind", observed=behind)
    safety = speech.safety(context, mute=mute_ms > 0, full=full(disks))
    return {
        "state": str(word),
        "ready": str(ready),
        "detail": engine.state.value,
        "local": {"node": context.settings.node},
        "remote": {}
        if context.settings.light
        else {
            "node": context.settings.peer,
            "state": str(remote_word),
            "ready": str(remote_ready),
            "mute_since_us": _mute_since_us(mute_ms),
        },
        "reason": str(reason),
        "reason_said": parts_of(reason),
        "row": context.row,
        "safety": str(safety),
        "safety_said": parts_of(safety),
        "action": CORRECT if behind else action_of(context),
        "progress": progress_of(context.progress) if context.leading else {},
        "directories": list(config.directories),
        "virtual_ip": [one.address for one in runner.settings.addresses],
        "generation": context.record.current,
        "split": context.record.split,
        "may_serve": sorted(context.record.may_serve),
        "replication": replication_of(runner),
        "verification": runner.figures.status.get("verification") or {},
        "heartbeats": runner.heart.statistics(),
    }


def _mute_since_us(mute_ms: int) -> int:
    """When the word that is shown came, to the second, so that it rests; 0: it is of now."""
    return (clock.wall_us() // 1000 - mute_ms) // 1000 * 1_000_000 if mute_ms else 0


def refused_state(node: str, sentence: str, *, left: bool) -> dict[str, Any]:
    """Give what is shown of a module that is not loaded. left: its application runs here."""
    reason = say("module.unattended", observed=sentence) if left else sentence
    return {
        "state": "UP" if left else "STOP",
        "ready": "NotReady",
        "loaded": False,
        "local": {"node": node},
        "remote": {},
        "reason": str(reason),
        "reason_said": parts_of(reason),
        "row": "",
        "safety": UNATTENDED if left else "It does not run here.",
        "action": f"{CORRECT} `forcestop` ends the application." if left else CORRECT,
    }


def progress_of(progress: Mapping[str, Any]) -> dict[str, Any]:
    """Give done and total, as people count, from done and left, as the data plane does."""
    if not progress:
        return {}
    shown: dict[str, Any] = {"phase": progress.get("phase")}
    for unit in ("bytes", "files"):
        done, left = progress.get(f"{unit}_done"), progress.get(f"{unit}_left")
        if done is not None and left is not None:
            shown[f"{unit}_done"], shown[f"{unit}_total"] = int(done), int(done) + int(left)
    total = shown.get("bytes_total")
    if total:
        shown["percent"] = 100 * shown["bytes_done"] // total
    shown["rate_bytes_s"] = progress.get("rate_bytes_s")
    eta_s = progress.get("eta_s")
    shown["eta_ms"] = None if eta_s is None else int(eta_s) * 1000
    shown["pending"] = list(progress.get("pending") or ())
    return shown


def replication_of(runner: ModuleRunner) -> dict[str, Any]:
    """Give the data plane's own figures, with their age; {} when none runs."""
    figures = runner.figures
    if not runner.client.pid or not figures.status:
        return {}
    hidden = {"v", "id", "ok", "pid", "progress", "counters", "verification", "disks"}
    values = {name: value for name, value in figures.status.items() if name not in hidden}
    age_ms = clock.boottime_ms() - figures.at_ms
    return {**values, **(figures.status.get("counters") or {}), "age_ms": age_ms}
