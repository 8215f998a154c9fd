"""Configuring a module, step by step: check everything, run its scripts, put it in force, say so.

Order: parse; cluster; host; bin/confcheck; in force; bin/config and bin/postconfig; the control
plane is told. What fails before "in force" changes nothing; what fails after it is taken back.
"""

import contextlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from mirror.adapters import virtual_host
from mirror.adapters.config_scripts import run_config_script
from mirror.adapters.host_facts import gather_host_facts
from mirror.config.cluster import Cluster, check_against_cluster, load_cluster
from mirror.config.environment import script_environment
from mirror.config.files import read_bytes
from mirror.config.host_check import OtherModule, check_against_host
from mirror.config.layout import Layout
from mirror.config.models import ModuleConfig
from mirror.config.module_store import ModuleStore
from mirror.config.script_text import curly_lines, is_shell
from mirror.config.userconfig import load_userconfig
from mirror.core.rules.check import refuse_wrong_rules
from mirror.errors import ClusterNotConfigured, ConfigRefused, Refusal, ScriptRefusedConfig
from mirror.vocabulary.crontab import Crontab
from mirror.vocabulary.said import Misread, say


def read_cluster(layout: Layout) -> Cluster:
    """Read the cluster.xml in use. Raises: ClusterNotConfigured (MIR-109), ConfigRefused."""
    file = layout.cluster_config
    if not file.is_file():
        raise ClusterNotConfigured(file=file)
    return load_cluster(read_bytes(file), str(file))


def read_edited(store: ModuleStore, module: str, environment: Mapping[str, str]) -> ModuleConfig:
    """Parse the edited configuration. Raises: ModuleUnknown, ConfigRefused (MIR-101)."""
    store.require_installed(module)
    file = store.layout.module(module).edited_userconfig
    return load_userconfig(read_bytes(file), str(file), environment)


def read_applied(store: ModuleStore, module: str, environment: Mapping[str, str]) -> ModuleConfig:
    """Parse the configuration in force. Raises: ModuleUnknown, ConfigRefused (MIR-101)."""
    store.require_configured(module)
    file = store.layout.module(module).applied_userconfig
    return load_userconfig(read_bytes(file), str(file), environment)


def check(store: ModuleStore, module: str, environment: Mapping[str, str]) -> ModuleConfig:
    """Check the edited configuration against itself, the cluster and this host.

    Raises: ModuleUnknown, ClusterNotConfigured, ConfigRefused with what all three found.
    """
    config = read_edited(store, module, environment)
    cluster = read_cluster(store.layout)
    facts = gather_host_facts(config, store.layout, other_modules(store, module, environment))
    refusals: list[Refusal] = []
    checks: tuple[Callable[[], None], ...] = (
        lambda: refuse_wrong_rules(config),
        lambda: refuse_wrong_schedules(config),
        lambda: check_against_cluster(config, cluster),
        lambda: check_against_host(config, facts),
        lambda: refuse_curly_scripts(store.layout.module(module).edited / "bin"),
    )
    for one in checks:
        try:
            one()
        except ConfigRefused as error:
            refusals += error.refusals
    if refusals:
        raise ConfigRefused(refusals)
    return config


def refuse_curly_scripts(directory: Path) -> None:
    """Raise ConfigRefused (MIR-101) for typographic quotes where a shell would take them."""
    refusals = []
    for file in sorted(directory.glob("*")):
        text = read_bytes(file).decode("utf-8", "replace") if file.is_file() else ""
        for line in curly_lines(text) if is_shell(text) else ():
            sentence = say("config.script_curly", file=str(file))
            refusals.append(Refusal(str(file), line, sentence))
    if refusals:
        raise ConfigRefused(refusals)


def refuse_wrong_schedules(config: ModuleConfig) -> None:
    """Raise ConfigRefused (MIR-101) for a schedule that nobody can follow."""
    if config.rfs is None or config.rfs.verifyat is None:
        return
    try:
        Crontab.parse(config.rfs.verifyat)
    except Misread as error:
        sentence = say("config.verifyat", observed=error.observed)
        line = config.lines.get("verifyat", 0)
        raise ConfigRefused([Refusal(config.file, line, sentence)]) from error


def check_with_script(
    store: ModuleStore, module: str, environment: Mapping[str, str]
) -> ModuleConfig:
    """Check as `check` does, then ask bin/confcheck. Raises: ScriptRefusedConfig too."""
    config = check(store, module, environment)
    variables = script_environment(store.layout, module, config, environment)
    staged = store.stage(module)
    try:
        _run(staged / "bin" / "confcheck", variables, store.layout, module)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    return config


def other_modules(
    store: ModuleStore, module: str, environment: Mapping[str, str]
) -> dict[str, OtherModule]:
    """What the other configured modules hold. One that is broken now does not block this one."""
    others = {}
    for name in store.configured():
        if name == module:
            continue
        file = store.layout.module(name).applied_userconfig
        try:
            config = load_userconfig(read_bytes(file), str(file), environment)
        except ConfigRefused:
            continue
        addresses = config.vip.addresses if config.vip else ()
        others[name] = OtherModule(config.directories, tuple(one.addr for one in addresses))
    return others


def configure(
    store: ModuleStore,
    module: str,
    environment: Mapping[str, str],
    tell: Callable[[], None] = lambda: None,
) -> ModuleConfig:
    """Check the edited configuration and put it in force; return it with its notices.

    tell(): tells the control plane, which may refuse it: raises.
    Raises: as `check`; ScriptRefusedConfig (MIR-112); as `tell`. On any of them what was in force
    still is.
    """
    config = check(store, module, environment)
    store.ids.assign(module)
    layout = store.layout
    variables = script_environment(layout, module, config, environment)
    staged = store.stage(module)
    previous = store.set_aside(module)
    try:
        _run(staged / "bin" / "confcheck", variables, layout, module)
        store.apply(module, staged)
        virtual_host.install(layout, module, config.vhost)
        for name in ("config", "postconfig"):
            _run(layout.module(module).applied_bin / name, variables, layout, module)
        tell()
        store.keep_last(module)
    except BaseException:
        store.put_back(module, previous)
        raise
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        if previous is not None:
            shutil.rmtree(previous, ignore_errors=True)
    return config


def deconfigure(store: ModuleStore, module: str, environment: Mapping[str, str]) -> None:
    """Run bin/deconfig and take the configuration out of force.

    Raises: ModuleUnknown, ScriptRefusedConfig (the configuration then stays in force).
    """
    store.require_configured(module)
    layout = store.layout
    config: ModuleConfig | None = None
    # One that is not read any more is taken out of force all the same, without its <var>.
    with contextlib.suppress(ConfigRefused):
        config = read_applied(store, module, environment)
    variables = script_environment(layout, module, config, environment)
    _run(layout.module(module).applied_bin / "deconfig", variables, layout, module)
    store.remove_applied(module)


def _run(script: Path, variables: Mapping[str, str], layout: Layout, module: str) -> None:
    # confcheck runs from the staged copy, and finds its neighbours there.
    environment = {**variables, "SAFEUSERBIN": str(script.parent)}
    result = run_config_script(script, environment, layout.module(module).working)
    if result is not None and not result.succeeded:
        raise ScriptRefusedConfig(script=script.name, observed=result.observed, log=result.log)
