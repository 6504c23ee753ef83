"""The examples run, are short, and write what they say."""

import runpy
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import soundfile
import torch
from PIL import Image

Ran = Callable[..., str]
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ran:
    """Run an example as `python NAME` would, in an empty folder; return what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(name: str, *arguments: str) -> str:
        monkeypatch.setattr("sys.argv", [name, *arguments])
        with torch.random.fork_rng():
            runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_the_game_by_hand_fits_in_eighty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_game_by_hand_runs_and_draws_digits(ran: Ran, tmp_path: Path) -> None:
    assert "images" in ran("images.py", "2", "out.png")
    with Image.open(tmp_path / "out.png") as picture:
        assert min(picture.size) >= 8 * 8
        low, high = picture.convert("L").getextrema()
        assert high - low > 100


def test_the_game_on_a_table_makes_the_rows_that_are_asked_for(ran: Ran, tmp_path: Path) -> None:
    assert "rows" in ran("tables.py", "2", "out.csv")
    rows = pd.read_csv(tmp_path / "out.csv")
    assert len(rows) == 100
    assert (rows["species"] == "Gentoo").all()
    assert (rows["body_mass_g"] > 5000).all()


def test_the_game_on_texts_prints_names(ran: Ran, tmp_path: Path) -> None:
    first, *names = ran("texts.py", "2").splitlines()
    assert "names" in first
    assert len(names) == 40
    assert set("".join(names)) <= set("abcdefghijklmnopqrstuvwxyz")


def test_the_game_on_sounds_writes_them_one_after_another(ran: Ran, tmp_path: Path) -> None:
    assert "drums" in ran("sounds.py", "2", "out.wav")
    wave, rate = soundfile.read(tmp_path / "out.wav")
    assert (rate, len(wave)) == (8000, 16 * (2000 + 1200))
    assert 0.05 < abs(wave).max() <= 1
