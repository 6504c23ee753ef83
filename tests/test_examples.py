"""The examples run, are short, and write what they say."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


def ran(name: str, folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_the_game_by_hand_fits_in_eighty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_game_by_hand_runs_and_draws_digits(tmp_path: Path) -> None:
    assert "images" in ran("images.py", tmp_path, "2", "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert min(picture.size) >= 8 * 8
        low, high = picture.convert("L").getextrema()
        assert high - low > 100


def test_the_game_on_a_table_makes_the_rows_that_are_asked_for(tmp_path: Path) -> None:
    assert "rows" in ran("tables.py", tmp_path, "2", "out.csv")
    rows = pd.read_csv(tmp_path / "out.csv")
    assert len(rows) == 100
    assert (rows["species"] == "Gentoo").all()
    assert (rows["body_mass_g"] > 5000).all()


def test_the_game_on_texts_prints_names(tmp_path: Path) -> None:
    first, *names = ran("texts.py", tmp_path, "2").splitlines()
    assert "names" in first
    assert len(names) == 40
    assert set("".join(names)) <= set("abcdefghijklmnopqrstuvwxyz")


def test_the_game_on_sounds_writes_them_one_after_another(tmp_path: Path) -> None:
    assert "drums" in ran("sounds.py", tmp_path, "2", "out.wav")
    wave, rate = soundfile.read(tmp_path / "out.wav")
    assert (rate, len(wave)) == (8000, 16 * (2000 + 1200))
    assert 0.05 < abs(wave).max() <= 1
