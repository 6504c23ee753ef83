"""The named sets of texts, which come inside installed packages; nothing is downloaded."""

import re
from pathlib import Path
from shutil import which
from subprocess import run

from sparring.data.packages import package_files
from sparring.errors import SparringError
from sparring.kinds.texts.lines import TextRecords


def read_named(name: str) -> TextRecords:
    """Return the lines of the set called `name`, one of `NAMED_SETS`."""
    match name:
        case "names":
            return TextRecords(
                _first_words(package_files(name, "names", "dist.all.last")[0]), None, ()
            )
        case "first-names":
            files = {
                sex: package_files(name, "names", f"dist.{sex}.first") for sex in ("female", "male")
            }
            names = {sex: _first_words(paths[0]) for sex, paths in files.items()}
            labels = tuple(sex for sex, texts in names.items() for _ in texts)
            return TextRecords((*names["female"], *names["male"]), labels, ())
        case "idioms":
            lines = package_files(name, "jieba", "dict.txt")[0].read_text("utf-8").splitlines()
            rows = (line.split() for line in lines)
            idioms = (word for word, _, part in rows if part == "i" and len(word) == 4)
            return TextRecords(tuple(idioms), None, ())
    return TextRecords(_verses(), None, ())


def _first_words(path: Path) -> tuple[str, ...]:
    lines = path.read_text(encoding="ascii").splitlines()
    return tuple(line.split()[0].lower() for line in lines if line.strip())


def _verses() -> tuple[str, ...]:
    """Return the clauses of the King James Bible, cut at its punctuation."""
    program = which("bible")
    if program is None:
        raise SparringError(
            "'verses' are printed by the program bible, which is not installed; run "
            "`apt install bible-kjv`, or give a file with a text a line"
        )
    bible = run([program, "-f", "gen1:1-rev22:21"], capture_output=True, text=True, check=True)
    verses = (line.split(" ", 1)[-1] for line in bible.stdout.splitlines())
    clauses = (clause.strip() for verse in verses for clause in re.split(r"[.:;?!]", verse))
    return tuple(clause for clause in clauses if len(clause) > 10)
