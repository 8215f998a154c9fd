"""Modules on this node: installed, configured, packaged, their last three configurations.

Two copies of each: the edited one (SAFE/modules/AM), which people change at any time, and the
applied one (SAFE/private/modules/AM), which the node runs with and only `config` replaces.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path

from mirror.config.files import (
    finish_replacements,
    read_bytes,
    replace_directory,
    sync_directory,
)
from mirror.config.layout import Layout
from mirror.config.module_ids import ModuleIds
from mirror.config.names import check_module_name
from mirror.config.package import USERCONFIG, pack, unpack
from mirror.errors import FileNotReadable, ModuleInUse, ModuleUnknown, PackageRefused
from mirror.vocabulary.said import say

LAST_CONFIGURATIONS_KEPT = 3
PACKAGE_SUFFIX = ".safe"
PARTS = ("conf", "bin")  # what is applied; web/ and manifest.xml of old packages stay edited only


class ModuleStore:
    """The files of all modules of one node. Every method checks the module's name."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.ids = ModuleIds(layout)

    def installed(self) -> tuple[str, ...]:
        """Modules that have an edited configuration, in order of their ids."""
        ids = self.ids.all()
        if not self.layout.modules.is_dir():
            return ()
        names = [
            path.name for path in self.layout.modules.iterdir() if (path / USERCONFIG).is_file()
        ]
        known = [name for name in names if not name.startswith(".") and name != "lastconfig"]
        return tuple(sorted(known, key=lambda name: (ids.get(name, len(known) + 100), name)))

    def configured(self) -> tuple[str, ...]:
        """Modules that have an applied configuration: those the node runs."""
        if not self.layout.applied_modules.is_dir():
            return ()
        paths = self.layout.applied_modules.iterdir()
        names = (path.name for path in paths if (path / USERCONFIG).is_file())
        return tuple(sorted(name for name in names if not name.startswith(".")))

    def recover(self) -> None:
        """Finish what a crash interrupted; at the start of the node. Raises: OSError."""
        for directory in (self.layout.applied_modules, self.layout.modules):
            if directory.is_dir():
                finish_replacements(directory)

    def require_installed(self, module: str) -> None:
        """Raise ModuleUnknown (MIR-102) for a module without edited configuration."""
        if not self.layout.module(check_module_name(module)).edited_userconfig.is_file():
            raise ModuleUnknown(module=module, observed=say("module.absent"))

    def require_configured(self, module: str) -> None:
        """Raise ModuleUnknown (MIR-102) for a module without applied configuration."""
        if not self.layout.module(check_module_name(module)).applied_userconfig.is_file():
            raise ModuleUnknown(module=module, observed=say("module.unconfigured"))

    def install(
        self, module: str, source: Path, *, module_id: int | None = None, replace: bool = False
    ) -> int:
        """Install from a package, or from a directory laid out as one; return the module's id.

        Raises: PackageRefused, ModuleInUse (it is installed and `replace` is not said),
        ModuleIdRefused, ModuleNameRefused.
        """
        paths = self.layout.module(check_module_name(module))
        if paths.edited.exists() and not replace:
            raise ModuleInUse(
                module=module, observed=say("module.installed"), remedy=say("do.replace")
            )
        self.layout.modules.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{module}.", dir=self.layout.modules) as staging:
            package = source
            if source.is_dir():
                # Packed first, so that a directory passes the same checks as a package.
                package = Path(staging) / f"{module}{PACKAGE_SUFFIX}"
                pack(source, package)
            unpacked = Path(staging) / module
            unpack(package, unpacked)
            chosen = self.ids.assign(module, module_id)
            replace_directory(unpacked, paths.edited)
        return chosen

    def uninstall(self, module: str) -> None:
        """Remove the edited configuration and the id; what the module wrote stays in SAFEVAR.

        Raises: ModuleUnknown, ModuleInUse (it is configured).
        """
        self.require_installed(module)
        if module in self.configured():
            raise ModuleInUse(
                module=module, observed=say("module.configured"), remedy=say("do.deconfig")
            )
        shutil.rmtree(self.layout.module(module).edited)
        sync_directory(self.layout.modules)
        self.ids.release(module)

    def package(self, module: str, file: Path) -> None:
        """Write the edited configuration as a package. Raises: ModuleUnknown, PackageRefused."""
        self.require_installed(module)
        pack(self.layout.module(module).edited, file)

    def stage(self, module: str) -> Path:
        """Copy the edited configuration beside the applied one, to be checked and applied.

        Raises: ModuleUnknown, PackageRefused (a link in it). The caller applies or removes it.
        """
        self.require_installed(module)
        paths = self.layout.module(module)
        staged = paths.applied.with_name(f".{module}.staged")
        shutil.rmtree(staged, ignore_errors=True)
        for part in PARTS:
            if not (paths.edited / part).is_dir():
                continue
            for path in (paths.edited / part).rglob("*"):
                if path.is_symlink():
                    raise PackageRefused(
                        file=paths.edited, observed=say("package.link", path=path)
                    )
            shutil.copytree(paths.edited / part, staged / part)
        for script in (staged / "bin").glob("*"):
            if script.is_file():
                script.chmod(0o755)
        return staged

    def apply(self, module: str, staged: Path) -> None:
        """Put the staged configuration in force."""
        paths = self.layout.module(module)
        replace_directory(staged, paths.applied)
        paths.working.mkdir(parents=True, exist_ok=True)

    def set_aside(self, module: str) -> Path | None:
        """Copy what is in force now, so that it can be put back; None when nothing is."""
        applied = self.layout.module(module).applied
        copy = applied.with_name(f".{module}.previous")
        shutil.rmtree(copy, ignore_errors=True)
        if not applied.is_dir():
            return None
        shutil.copytree(applied, copy)
        return copy

    def put_back(self, module: str, previous: Path | None) -> None:
        """Put in force again what was set aside, which may be nothing."""
        if previous is not None:
            replace_directory(previous, self.layout.module(module).applied)
        elif self.layout.module(module).applied.is_dir():
            self.remove_applied(module)

    def remove_applied(self, module: str) -> None:
        """Take the configuration out of force. Raises: ModuleUnknown (MIR-102)."""
        self.require_configured(module)
        paths = self.layout.module(module)
        gone = paths.applied.with_name(f".{module}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        paths.applied.rename(gone)
        sync_directory(paths.applied.parent)
        shutil.rmtree(gone)

    def last_configurations(self, module: str) -> tuple[Path, ...]:
        """Kept packages of a module, oldest first."""
        kept = self.layout.last_configurations.glob(f"{check_module_name(module)}.*")
        return tuple(sorted(kept))

    def keep_last(self, module: str) -> None:
        """Keep a package of what is in force: called when its scripts accepted it."""
        self.layout.last_configurations.mkdir(parents=True, exist_ok=True)
        kept = self.last_configurations(module)
        number = int(kept[-1].name.split(".")[1]) + 1 if kept else 1
        file = self.layout.last_configurations / f"{module}.{number:06d}{PACKAGE_SUFFIX}"
        pack(self.layout.module(module).applied, file)
        for old in (*kept, file)[:-LAST_CONFIGURATIONS_KEPT]:
            old.unlink()

    def signature(self, root: Path) -> str | None:
        """Hash of a configuration's files, to compare copies and nodes; None when absent."""
        if not (root / USERCONFIG).is_file():
            return None
        digest = hashlib.sha256()
        for part in PARTS:
            for path in sorted((root / part).rglob("*")):
                if path.is_file():
                    content = read_bytes(path)
                    digest.update(f"{path.relative_to(root)}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()[:16]


def find_package(layout: Layout, module: str, shipped: Path | None) -> Path:
    """Find what `module install -m AM` installs when no file is named.

    Looked for in SAFE/Application_Modules, then among the modules shipped with the program.
    Raises: FileNotReadable (MIR-108).
    """
    for kind in ("published", "generic", "demo", "other", "backup"):
        file = layout.application_modules / kind / f"{module}{PACKAGE_SUFFIX}"
        if file.is_file():
            return file
    if shipped is not None and (shipped / module / USERCONFIG).is_file():
        return shipped / module
    raise FileNotReadable(
        file=f"{module}{PACKAGE_SUFFIX}",
        observed=say("package.nowhere", directory=layout.application_modules),
    )
