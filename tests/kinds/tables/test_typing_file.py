"""What a person says of columns: written, edited, read again, kept in runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import decided, open_data
from sparring.kinds.tables.together import open_together
from sparring.kinds.tables.typing_file import parse, typing_of
from sparring.recipes.recipe import resolve

pd = pytest.importorskip("pandas")


@pytest.fixture
def people(tmp_path: Path) -> Path:
    rng, rows = np.random.default_rng(0), 300
    born = pd.Series(pd.date_range("1990-01-01", periods=rows, freq="9D"))
    frame = pd.DataFrame(
        {
            "key": range(1, rows + 1),
            "age": rng.integers(17, 90, rows),
            "born": born.dt.strftime("%m/%d/%Y"),
            "pay": rng.choice([1000, 2000, 3000, 4000.5], rows),
            "score": np.where(rng.random(rows) < 0.1, -999, rng.integers(0, 50, rows)),
            "a city": rng.choice(["A", "B"], rows),
            "same": "x",
        }
    )
    frame["again"] = frame["age"]
    frame.to_csv(tmp_path / "people.csv", index=False)
    return tmp_path / "people.csv"


def columns(data: Dataset) -> dict[str, Any]:
    return {column.name: column for column in data.spec.columns}  # type: ignore[attr-defined]


def test_what_was_decided_is_written_and_decides_the_same_again(people: Path) -> None:
    options = TableOptions(types=str(people.with_suffix(".toml")))
    first = open_data(people, options)
    assert any("written to" in note for note in first.notes)
    written = Path(options.types).read_text(encoding="utf-8")
    assert '[columns."a city"]\ntype = "category"' in written
    again = open_data(people, options)
    assert {n: c.kind for n, c in columns(again).items()} == {
        n: c.kind for n, c in columns(first).items()
    }
    assert not any("written to" in note for note in again.notes)
    assert Path(options.types).read_text(encoding="utf-8") == written


def test_an_edited_file_is_obeyed_and_kept_in_the_run(people: Path) -> None:
    path = people.with_suffix(".toml")
    path.write_text(
        'columns.age = "category"\n'
        '[columns.born]\ndate_format = "%m/%d/%Y"\n[columns.pay]\nprivate = true\n'
        "[columns.score]\nmissing = [-999]\nrange = [0, 50]\n"
    )
    options = TableOptions(types=str(path))
    data = open_data(people, options)
    found = columns(data)
    assert found["age"].kind == "category"
    assert found["score"].missing
    assert found["score"].span[0] >= 0
    assert data.spec.rules == ("0<=score<=50",)  # type: ignore[attr-defined]
    assert found["pay"].private
    assert "no value comes back" in found["pay"].note
    kept = decided(options, data.spec)  # type: ignore[arg-type]
    path.unlink()
    assert typing_of(kept).of("missing") == {"score": ("-999",)}
    assert open_data(people, kept, spec=data.spec).fingerprint == data.fingerprint  # type: ignore[arg-type]


def test_python_takes_the_same_as_a_dictionary() -> None:
    said = {"columns": {"age": "category", "born": {"date_format": "%d/%m/%Y"}}, "rules": ["a<b"]}
    options = resolve({"data": {"types": said}}).data
    typing = typing_of(options)  # type: ignore[arg-type]
    assert typing.of("type") == {"age": "category"}
    assert typing.of("date_format") == {"born": "%d/%m/%Y"}
    assert typing.rules == ("a<b",)
    own = replace(options, column=("age=integer",))
    assert typing_of(own).of("type") == {"age": "integer"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("columns.age = ", "types is not TOML"),
        ("colums.age = 1", "'colums' is not a key; did you mean 'columns'"),
        ('[columns.age]\ntyp = "real"', "column 'age': 'typ' is not a key; did you mean 'type'"),
        ("[columns.age]\nrange = [1]", "column 'age': a range has two ends"),
        ("[columns.age]\nprivate = 1", "private is true or false"),
        ("columns.age = 1", "column 'age' is a table"),
        ('rules = "a<b"', "rules a list of texts"),
    ],
)
def test_mistakes_get_one_line(text: str, complaint: str) -> None:
    with pytest.raises(SparringError, match=complaint):
        parse(text, text)


def test_what_is_not_there_or_cannot_be_private_is_refused(people: Path) -> None:
    with pytest.raises(SparringError, match=r"'x.toml' is not there"):
        open_together([people, people], TableOptions(types="x.toml"))
    with pytest.raises(SparringError, match=r"types are in a file that ends in \.toml"):
        open_data(people, TableOptions(types="people.yaml"))
    said = '[columns."a city"]\nprivate = true'
    with pytest.raises(SparringError, match="'a city' is category, whose labels come back"):
        open_data(people, TableOptions(types=said))
