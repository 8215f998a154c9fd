"""From replies of the control plane, and the files of the modules, to what pages are told. Pure.

A reply that lacks something is met with a default, never with a guess; what it has beyond the
model is passed on, so that a newer control plane can show more without a change here.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from mirror.web.models.said import Said, told
from mirror.web.models.state import (
    ControlPlaneSeen,
    DiskSpace,
    ModuleState,
    NodeSide,
    NodeState,
)
from mirror.web.modules_seen import ModuleFiles

VERSION = version("mirror")
UNKNOWN, NOT_CONFIGURED = "UNKNOWN", "NOT_CONFIGURED"
_UNHEARD = "the node does not answer: whether the data are safe is not known"
# Of the reply, what has its own field in the answer.
_OWN = frozenset(ModuleState.model_fields)


def node_state(
    node: str,
    time_us: int,
    replied: Mapping[str, Mapping[str, Any]] | None,
    files: Mapping[str, ModuleFiles],
    observed: str,
    disks: Mapping[str, DiskSpace | None] | None = None,
) -> NodeState:
    """Put together what is known of one node. replied: None when the control plane is silent."""
    names = sorted({*files, *(replied or {})})
    built = NodeState(
        node=node,
        time_us=time_us,
        reachable=True,
        observed="",
        version=VERSION,
        control_plane=ControlPlaneSeen(
            reachable=replied is not None, observed=str(observed), observed_said=told(observed)
        ),
        modules={
            name: module_state(node, name, (replied or {}).get(name), files.get(name), observed)
            for name in names
        },
    )
    for name, module in built.modules.items():
        module.local.disk = (disks or {}).get(name)
    return built


def module_state(
    node: str,
    name: str,
    values: Mapping[str, Any] | None,
    files: ModuleFiles | None,
    observed: str,
) -> ModuleState:
    """Put together what is known of one module."""
    configured = files is None or files.configured
    local = side((values or {}).get("local") or {}, node)
    if values is None:
        local.state = UNKNOWN if configured and observed else NOT_CONFIGURED
        local.ready = ""
        safety, reason = (_UNHEARD, observed) if local.state == UNKNOWN else ("", "")
        said = told(reason)
    else:
        local.state = str(values.get("state") or UNKNOWN)
        local.ready = readiness(values.get("ready"))
        safety, reason = str(values.get("safety") or ""), str(values.get("reason") or "")
        said = Said.model_validate(parts) if (parts := values.get("reason_said")) else None
    local.since_us = files.since_us if files else 0
    given = values or {}
    remote = given.get("remote")
    return ModuleState(
        module=name,
        id=files.id if files else 0,
        installed=files.installed if files else False,
        configured=configured,
        state=local.state,
        ready=local.ready,
        local=local,
        remote=side(remote, "") if isinstance(remote, Mapping) and remote else None,
        safety=safety,
        safety_said=Said.model_validate(parts) if (parts := given.get("safety_said")) else None,
        reason=str(reason),
        reason_said=said,
        row=str(given.get("row") or ""),
        action=str(given.get("action") or ""),
        progress=dict(given["progress"]) if given.get("progress") else None,
        detail=str(given.get("detail") or ""),
        replication=dict(given.get("replication") or {}),
        heartbeats=given.get("heartbeats"),
        generation=str(given.get("generation") or ""),
        may_serve=[str(one) for one in given.get("may_serve") or ()],
        directories=list(files.directories) if files else [],
        virtual_ips=list(files.virtual_ips) if files else [],
        boot=files.boot if files else "",
        **{key: value for key, value in given.items() if key not in _OWN},
    )


def side(values: Mapping[str, Any], node: str) -> NodeSide:
    """One node's part."""
    rest = {key: value for key, value in values.items() if key not in NodeSide.model_fields}
    return NodeSide(
        node=str(values.get("node") or node),
        state=str(values.get("state") or UNKNOWN),
        ready=readiness(values.get("ready")),
        mute_since_us=int(values.get("mute_since_us") or 0),
        **rest,
    )


def readiness(value: object) -> str:
    """SafeKit's word for it, from the word or from yes and no."""
    if isinstance(value, bool):
        return "Ready" if value else "NotReady"
    return str(value or "")
