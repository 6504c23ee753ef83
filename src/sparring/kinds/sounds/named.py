"""The named sets of sounds, as folders below the cache: links to a package's files, or generated.

A folder appears under its name only when it is complete; what changes a set changes its number.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from sparring.data.pack import Progress
from sparring.errors import SparringError
from sparring.kinds.sounds import speech
from sparring.runs.folder import rename

DRUM_FOLDERS = (
    Path("/usr/share/sonic-pi/samples"),
    Path("node_modules/supersonic-scsynth-samples/samples"),
)
DRUMS = {  # what the samples' names begin with
    "bd": "kick",
    "drum": "drum",
    "elec": "electronic",
    "hat": "hat",
    "perc": "percussion",
    "ride": "cymbal",
    "sn": "snare",
    "tabla": "tabla",
    "tbd": "kick",
}


def sound_folder(name: str, cache: Path, progress: Progress) -> Path:
    """Return the folder of the set called `name`, drums or spoken-digits; make it if need be.

    Raises:
        SparringError: the package that it comes from is not installed.
    """
    match name:
        case "drums":
            return _complete_folder(cache, "drums-1", _link_drums)
        case "spoken-digits":
            version = f"spoken-digits-{speech.VERSION}"
            return _complete_folder(
                cache, version, lambda folder: speech.speak_all(folder, progress)
            )
    raise SparringError(f"no set of sounds is called '{name}'; expected drums or spoken-digits")


def _complete_folder(cache: Path, name: str, fill: Callable[[Path], None]) -> Path:
    folder = (cache / "made" / name).resolve()
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".unfinished-"))
    try:
        fill(unfinished)
        if not folder.is_dir():  # another run may have been faster
            rename(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def _link_drums(folder: Path) -> None:
    """Fill a folder with links to one-shots, by what is struck."""
    recordings = {
        path.name: path.resolve()
        for root in reversed(DRUM_FOLDERS)
        for path in sorted(root.glob("*.flac"))
        if path.name.split("_")[0] in DRUMS
    }
    if not recordings:
        raise SparringError(
            f"'drums' are looked for in '{DRUM_FOLDERS[0]}', which is missing; run "
            "`apt install sonic-pi-samples` or `npm install supersonic-scsynth-samples`"
        )
    for name, path in recordings.items():
        link = folder / DRUMS[name.split("_")[0]] / name
        link.parent.mkdir(exist_ok=True)
        try:
            link.symlink_to(path)
        except OSError:  # Windows asks for a privilege
            shutil.copyfile(path, link)
