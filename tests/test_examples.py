"""The examples run, are short, and write what they say."""

import subprocess
import sys
from pathlib import Path

from PIL import Image

EXAMPLE = Path(__file__).parents[1] / "examples" / "images.py"


def test_the_game_by_hand_fits_in_eighty_lines() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 80


def test_the_game_by_hand_runs_and_draws_digits(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(EXAMPLE), "2", "out.png"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert "images" in ended.stdout
    with Image.open(tmp_path / "out.png") as picture:
        assert min(picture.size) >= 8 * 8
        low, high = picture.convert("L").getextrema()
        assert high - low > 100
