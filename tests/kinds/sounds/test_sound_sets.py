"""The named sets of sounds: drums from a package's folder, digits spoken here."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sparring.data.dataset import no_progress
from sparring.errors import SparringError
from sparring.kinds import DataOptions, open_data
from sparring.kinds.sounds import named as sound_sets
from sparring.kinds.sounds import speech


def test_drums_are_one_shots_by_what_is_struck(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = tmp_path / "samples"
    samples.mkdir()
    rng = np.random.default_rng(0)
    for name in ("bd_808", "tbd_voice", "sn_dub", "loop_amen", "ambi_choir", "hat_bdu"):
        wave = rng.normal(size=2000) * np.exp(-np.arange(2000) / 300)
        soundfile.write(samples / f"{name}.flac", 0.1 * wave, 8000)
    monkeypatch.setattr(sound_sets, "DRUM_FOLDERS", (samples, tmp_path / "missing"))
    data = open_data("drums", DataOptions(labels="yes"), cache=tmp_path / "cache")
    assert data.spec.classes == ("hat", "kick", "snare")
    assert len(data.items) == 4
    assert open_data("drums", DataOptions(), cache=tmp_path / "cache").labels is None


def test_drums_that_are_not_installed_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sound_sets, "DRUM_FOLDERS", (tmp_path / "missing",))
    with pytest.raises(SparringError, match="run `apt install sonic-pi-samples` or `npm install"):
        open_data("drums", DataOptions(), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache" / "made").iterdir())


def some_clips(folder: Path) -> dict[str, bytes]:
    """Speak the first clips in a process of their own, as the whole set is."""
    code = (
        "import sys, espeakng_loader as e\nfrom pathlib import Path\n"
        "from sparring.kinds.sounds import speech\n"
        "names = list(speech.clip_names(Path(e.get_data_path())))[::250]\n"
        "speech.clip_names = lambda data: iter(names)\n"
        "speech.main(e.get_library_path(), e.get_data_path(), sys.argv[1])\n"
    )
    folder.mkdir()
    ended = subprocess.run([sys.executable, "-c", code, str(folder)], check=False)
    assert ended.returncode == 0
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.wav")}


def test_digits_are_spoken_the_same_each_time_in_every_word(tmp_path: Path) -> None:
    first, second = some_clips(tmp_path / "a"), some_clips(tmp_path / "b")
    assert first == second
    assert len(first) == 29
    assert {name.split("/")[0] for name in first} == set(speech.WORDS)
    data = open_data(tmp_path / "a", DataOptions(), cache=tmp_path)
    assert set(data.spec.classes) == set(speech.WORDS)
    assert not data.skipped


def test_a_synthesiser_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import espeakng_loader

    monkeypatch.setattr(espeakng_loader, "get_library_path", lambda: "/nowhere/lib.so")
    with pytest.raises(SparringError, match=r"the speech synthesiser failed: .*nowhere"):
        sound_sets.sound_folder("spoken-digits", tmp_path, no_progress)
    assert not list((tmp_path / "made").iterdir())


def test_there_are_thousands_of_clips_of_many_voices(tmp_path: Path) -> None:
    import espeakng_loader

    names = list(speech.clip_names(Path(espeakng_loader.get_data_path())))
    voices = {name.split("+")[1] for name in names}
    assert len(names) == len(voices) * len(speech.ACCENTS) * 10
    assert len(voices) > 90
    assert "whisper.wav" not in voices
