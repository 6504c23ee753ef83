"""Other systems than this one: no module that only Unix has, nothing that Windows refuses."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import sparring
from sparring.cli import app
from sparring.cli.output import print_json
from sparring.kinds.sounds import named
from sparring.report import words
from sparring.runs.folder import flush_to_disk, rename

SOURCE = Path(sparring.__file__).parent

ELSEWHERE = """
import os, signal, sys
import windows
windows.without_unix()
import pkgutil, warnings
from importlib import import_module
import sparring
warnings.filterwarnings("error", category=EncodingWarning, module=r"sparring\\b")
for module in pkgutil.walk_packages(sparring.__path__, "sparring."):
    import_module(module.name)
import matplotlib.backends.backend_agg, matplotlib.font_manager
from sparring.cli.app import main
from sparring.runs import runner
from sparring.runs.folder import find
from pathlib import Path

def use(*words):
    try:
        main([*words])
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"{words} ended with {end.code}")

sparring.runs.device.PROBE_SECONDS = 0.001
use("train", "digits", "--size", "tiny", "--threads", "1", "--budget", "5-steps",
    "--checkpoint.ticks", "2")
folder = find("latest", Path("runs"))
(folder.path / ".lock").touch()  # as a system with locks leaves it behind
told, tell = os.pipe()
if (writer := os.fork()) == 0:
    with runner._locked(folder):
        os.write(tell, b"!")
        signal.pause()
os.read(told, 1)
more = "resume", "latest", "--budget", "+3-steps"
try:
    use(*more)
except RuntimeError:
    print("refused")
os.kill(writer, signal.SIGKILL)
os.waitpid(writer, 0)
use(*more)

windows.refuse_as_windows()  # but for locks, which there the system has
use(*more)
use("sample", "latest", "-n", "3")
use("evaluate", "latest", "-n", "100", "--extractor", "pixel-pca")
lines = [f"{a}{b}\\n" for a in "天地玄黄宇" for b in "日月盈昃辰宿列张"]
Path("words.txt").write_text("".join(lines), encoding="utf-8")
use("train", "words.txt", "--size", "tiny", "--threads", "1", "--budget", "2-steps",
    "--generator.warm-start", "0")
use("sample", "latest", "-n", "2", "--out", "more.txt")
use("data", "words.txt", "--json")
use("data", "grey", "--data.memory-share", "1e-15")  # a pack, of which one channel is kept
use("runs")
"""


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="what is open is read there")
def test_without_unix_and_on_files_as_windows_has_them_all_goes_on(tmp_path: Path) -> None:
    """Every module; train, be refused, kill a writer, resume, sample, evaluate; Chinese texts."""
    (tmp_path / "grey").mkdir()
    for i, image in enumerate(load_digits().images[:20]):
        picture = Image.fromarray(np.uint8(image * 15))
        picture.convert("RGB").save(tmp_path / "grey" / f"{i}.png")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(SOURCE.parent), str(Path(__file__).parent)]),
        "PYTHONIOENCODING": "cp1252",
        "PYTHONWARNDEFAULTENCODING": "1",
        "PYTHONWARNINGS": "ignore::EncodingWarning",
    }
    ended = subprocess.run(
        [sys.executable, "-c", ELSEWHERE],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        encoding="cp1252",
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "machine  cpu, 1 thread\n" in ended.stderr  # nobody knows the peak of memory
    assert ended.stdout.splitlines()[1] == "refused"
    assert "'0001-digits-tiny' is being trained by another process" in ended.stderr
    assert ended.stderr.count("resuming '0001-digits-tiny' at ") == 2
    assert len((tmp_path / "more.txt").read_bytes().splitlines()) == 2
    assert [run.split()[1] for run in ended.stdout.splitlines()[-2:]] == ["finished"] * 2


def test_a_rename_waits_until_nobody_has_the_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, target, attempts = tmp_path / "new", tmp_path / "run.json", []
    replace = Path.replace

    def refused_twice(self: Path, other: Path) -> Path:
        attempts.append(other)
        if len(attempts) < 3:
            raise PermissionError
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", refused_twice)
    beside.write_bytes(b"new")
    target.write_bytes(b"old")
    rename(beside, target)
    assert target.read_bytes() == b"new"
    attempts.clear()
    monkeypatch.setattr("sparring.runs.folder.RENAMING_PAUSES", ())
    beside.write_bytes(b"newer")
    with pytest.raises(PermissionError):
        rename(beside, target)


def test_a_folder_that_cannot_be_opened_is_not_flushed_and_a_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> int:
        raise PermissionError

    (tmp_path / "file").touch()
    flush_to_disk(tmp_path)
    monkeypatch.setattr(os, "open", refused)
    flush_to_disk(tmp_path)
    with pytest.raises(PermissionError):
        flush_to_disk(tmp_path / "file")


def test_where_links_are_a_privilege_recordings_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError("a required privilege is not held by the client")

    (tmp_path / "bd_ada.flac").write_bytes(b"flac")
    monkeypatch.setattr(named, "DRUM_FOLDERS", (tmp_path,))
    monkeypatch.setattr(Path, "symlink_to", refused)
    folder = named._complete_folder(tmp_path / "cache", "drums", named._link_drums)
    assert (folder / "kick" / "bd_ada.flac").read_bytes() == b"flac"


def test_commands_are_quoted_as_the_shell_there_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["sparring", "resume", "1", "--runs", r"my runs\a"]
    assert words.command_line(typed) == r"sparring resume 1 --runs 'my runs\a'"
    monkeypatch.setattr(os, "name", "nt")
    assert words.command_line(typed) == r'sparring resume 1 --runs "my runs\a"'


@pytest.mark.parametrize(("system", "expected"), [("nt", "utf-8"), ("posix", "cp1252")])
def test_files_and_pipes_hold_utf_8_on_windows_too(
    system: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), "cp1252")
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    monkeypatch.setattr(os, "name", system)
    app._escape_unencodable(stream)
    monkeypatch.undo()
    assert (stream.encoding, stream.errors) == (expected, "backslashreplace")


def test_json_parses_whatever_letters_the_stream_has(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(told, "ascii", errors="backslashreplace"))
    print_json({"class": "café 天"})
    sys.stdout.flush()
    assert json.loads(told.getvalue()) == {"class": "café 天"}
