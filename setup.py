"""What pyproject.toml cannot say: the native code, the console, `modules/` as data of the package.

Everything else about the package is in pyproject.toml. The shipped modules live at the top of the
repository, and inside an installed package as `mirror/modules/`.
"""

import subprocess
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_py import build_py


class BuildWithConsole(build_py):
    """A package carries the console, built; in place the set-up builds it."""

    def run(self) -> None:
        """Build it if need be, then gather files as ever."""
        if not self.editable_mode:
            subprocess.run([Path(__file__).parent / "webconsole" / "build"], check=True)
        super().run()


# No module of Python: a library that is loaded into the application (<vhost>), built alike.
VIRTUAL_HOST = Extension(
    "mirror._vhost",
    sources=["native/vhost/vhost.c"],
    extra_compile_args=["-std=c11", "-D_GNU_SOURCE", "-O2", "-g"],
    py_limited_api=True,
)

setup(
    packages=[*find_packages(include=["mirror", "mirror.*"]), "mirror.modules"],
    package_dir={"mirror.modules": "modules"},
    package_data={"mirror": ["**/*"], "mirror.modules": ["**/*"]},
    exclude_package_data={"": ["**/__pycache__/*", "*.so"]},
    include_package_data=False,
    cmdclass={"build_py": BuildWithConsole},
    ext_modules=[VIRTUAL_HOST],
    cffi_modules=["native/build_native.py:ffibuilder"],
)
