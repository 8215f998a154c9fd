"""userconfig.xml: read, check as it is typed, save, check on the nodes, put in force."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic_core import to_jsonable_python

from mirror.adapters.beneath import read_beneath, write_beneath
from mirror.config.cluster import CLUSTER, check_against_cluster
from mirror.config.elements import USERCONFIG
from mirror.config.grammar import Attribute, Element, Grammar
from mirror.config.kinds import Choice, Switch
from mirror.config.models import ModuleConfig
from mirror.config.names import check_module_name
from mirror.config.userconfig import load_userconfig
from mirror.core.rules.check import refuse_wrong_rules
from mirror.errors import ChangedMeanwhile, ConfigRefused
from mirror.vocabulary.said import say
from mirror.web.console import Console, Here, Who
from mirror.web.endpoints.state import ModuleName
from mirror.web.models.configuration import (
    Apply,
    AttributeHelp,
    Checked,
    CheckUserconfig,
    ElementHelp,
    Elements,
    Results,
    SaveUserconfig,
    Userconfig,
)
from mirror.web.on_nodes import on_nodes
from mirror.web.refusals import from_notice, from_refusal

USERCONFIG_PATH = "conf/userconfig.xml"
_NOT_SHOWN = frozenset({"file", "notices", "lines"})


async def read_userconfig(console: Here, module: ModuleName) -> Userconfig:
    """userconfig.xml as it is edited, which may differ from what is in force."""
    return await asyncio.to_thread(_read, console, check_module_name(module))


async def save_userconfig(console: Here, module: ModuleName, body: SaveUserconfig) -> Userconfig:
    """Save userconfig.xml on this node; what is in force stays.

    It may be saved with mistakes in it, to go on later.
    """
    name = check_module_name(module)

    def save() -> Userconfig:
        before = _read(console, name)
        refuse_when_changed(USERCONFIG_PATH, body.etag, before.etag)
        root = console.layout.module(name).edited
        write_beneath(root, USERCONFIG_PATH, body.xml.encode(), executable=False)
        return _read(console, name)

    async with console.configuring():
        return await asyncio.to_thread(save)


async def check_as_typed(console: Here, body: CheckUserconfig) -> Checked:
    """Check a text against the rules and against the cluster. Nothing is saved.

    Directories and addresses are checked where they are: `POST /modules/{module}/config/check`.
    """
    return await asyncio.to_thread(_check, console, body.xml)


async def describe_userconfig() -> Elements:
    """Every element and attribute of userconfig.xml, for forms and editors."""
    return describe(USERCONFIG)


async def describe_cluster() -> Elements:
    """Every element and attribute of cluster.xml."""
    return describe(CLUSTER)


async def check_config(console: Here, caller: Who, module: ModuleName, body: Apply) -> Results:
    """Check what is saved on each node: rules, cluster, directories, addresses, confcheck.

    The other node gets the same files first; what is in force there stays.
    """
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    async with console.configuring():
        return await on_nodes(console, caller, name, body.nodes, "confcheck")


async def apply_config(console: Here, caller: Who, module: ModuleName, body: Apply) -> Results:
    """Put what is saved in force on each node. The module must be in STOP there.

    Every node checks first; when one refuses, nothing changes on any.
    """
    name = check_module_name(module)
    await asyncio.to_thread(console.store.require_installed, name)
    async with console.configuring():
        if len(body.nodes) > 1:
            checked = await on_nodes(console, caller, name, body.nodes, "confcheck")
            if not checked.done:
                return checked
        results = await on_nodes(console, caller, name, body.nodes, "config")
    await console.watcher.look_at_files()
    return results


async def deconfigure(console: Here, caller: Who, module: ModuleName, body: Apply) -> Results:
    """Take the configuration out of force on each node; data and edited files stay."""
    name = check_module_name(module)
    async with console.configuring():
        results = await on_nodes(console, caller, name, body.nodes, "deconfig")
    await console.watcher.look_at_files()
    return results


def etag_of(content: bytes) -> str:
    """A word that changes when the content does."""
    return hashlib.sha256(content).hexdigest()[:32]


def refuse_when_changed(what: str, given: str, now: str) -> None:
    """Raise ChangedMeanwhile (MIR-808) when what was read is no longer what is there."""
    if given and given != now:
        raise ChangedMeanwhile(what=what, observed=say("seen.saved_meanwhile"))


def describe(grammar: Grammar) -> Elements:
    """Say what a table of elements holds."""
    return Elements(
        root=grammar.root, elements=[_element(one) for one in grammar.elements.values()]
    )


def _element(element: Element) -> ElementHelp:
    return ElementHelp(
        name=element.name,
        attributes=[_attribute(row) for row in element.attributes],
        children=[name for name in element.children if name not in element.repeated],
        repeated=list(element.repeated),
    )


def _attribute(row: Attribute) -> AttributeHelp:
    choices: tuple[str, ...] = ()
    match row.kind:
        case Choice(words):
            choices = words
        case Switch(on, off):
            choices = (on, off)
        case _:
            pass
    return AttributeHelp(
        name=row.name,
        allowed=row.kind.allowed,
        choices=list(choices),
        default=row.default,
        required=row.required,
        no_effect=row.no_effect,
        later=dict(row.later),
    )


def _read(console: Console, name: str) -> Userconfig:
    store, paths = console.store, console.layout.module(name)
    store.require_installed(name)
    content, _ = read_beneath(paths.edited, USERCONFIG_PATH)
    edited, applied = store.signature(paths.edited), store.signature(paths.applied)
    return Userconfig(
        module=name,
        xml=content.decode("utf-8", "replace"),
        etag=etag_of(content),
        edited=edited,
        applied=applied,
        differs=edited != applied,
    )


def _check(console: Console, xml: str) -> Checked:
    try:
        config = load_userconfig(xml.encode(), "userconfig.xml", _macros(console))
        refuse_wrong_rules(config)
        cluster = console.membership.cluster
        if cluster is not None:
            check_against_cluster(config, cluster)
    except ConfigRefused as error:
        return Checked(
            valid=False,
            errors=[from_refusal(one) for one in error.refusals],
            notices=[],
            values=None,
        )
    return Checked(
        valid=True,
        errors=[],
        notices=[from_notice(one) for one in config.notices],
        values=_values(config),
    )


def _macros(console: Console) -> Mapping[str, str]:
    return console.environment


def _values(config: ModuleConfig) -> dict[str, Any]:
    values = {name: value for name, value in asdict(config).items() if name not in _NOT_SHOWN}
    made: dict[str, Any] = to_jsonable_python(values)
    return made
