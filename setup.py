"""What pyproject.toml cannot say: the native extension, and `modules/` as data of the package.

Everything else about the package is in pyproject.toml. The shipped modules live at the top of the
repository, and inside an installed package as `mirror/modules/`.
"""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["mirror", "mirror.*"]), "mirror.modules"],
    package_dir={"mirror.modules": "modules"},
    package_data={"mirror": ["**/*"], "mirror.modules": ["**/*"]},
    exclude_package_data={"": ["**/__pycache__/*", "*.so"]},
    include_package_data=False,
    cffi_modules=["native/build_native.py:ffibuilder"],
)
