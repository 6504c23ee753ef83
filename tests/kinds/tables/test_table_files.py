"""Tables as people's files hold them: forms of numbers, encodings, missing cells, other formats."""

import gzip
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sparring.errors import SparringError
from sparring.kinds.tables.codec import frame_of, to_user_type
from sparring.kinds.tables.files import read_delimited, read_table, write
from sparring.kinds.tables.files.cells import CellOptions, CellsRead
from sparring.kinds.tables.files.encodings import likely_encoding
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.reader import open_data
from sparring.kinds.tables.types import told_types

AMOUNTS = np.random.default_rng(0).lognormal(7.5, 1.2, 120)
GERMAN = str.maketrans(",.", ".,")


def indian(amount: float) -> str:
    head, last = divmod(int(amount), 1000)
    pairs = []
    while head:
        head, pair = divmod(head, 100)
        pairs.insert(0, f"{pair:02d}")
    return ",".join([*pairs, f"{last:03d}"]).lstrip("0") if pairs else f"{last}"


def signed(form: str, below: str) -> list[str]:
    return [(below if n % 3 else form).format(a) for n, a in enumerate(AMOUNTS)]


# name: cells, the delimiter of their file, the numbers that they are
FORMS: dict[str, tuple[list[str], str, Any]] = {
    "English": ([f"{a:,.2f}" for a in AMOUNTS], ",", AMOUNTS.round(2)),
    "whole": ([f"{a:,.0f}" for a in AMOUNTS], ",", AMOUNTS.round()),
    "German": ([f"{a:,.2f}".translate(GERMAN) for a in AMOUNTS], ";", AMOUNTS.round(2)),
    "German, whole": ([f"{a:,.0f}".translate(GERMAN) for a in AMOUNTS], ";", AMOUNTS.round()),
    "Austrian with EUR": (
        [f"{a:,.2f} EUR".translate(GERMAN) for a in AMOUNTS],
        ";",
        AMOUNTS.round(2),
    ),
    "French": (
        [f"{a:,.1f}".replace(",", "\u202f").replace(".", ",") for a in AMOUNTS],
        ";",
        AMOUNTS.round(1),
    ),
    "Swiss": ([f"CHF {a:,.2f}".replace(",", "’") for a in AMOUNTS], ";", AMOUNTS.round(2)),
    "above 9,999": (
        [f"{a:,.0f}".replace(",", " " if a > 9999 else "") for a in AMOUNTS],
        ",",
        AMOUNTS.round(),
    ),
    "Indian": ([f"₹{indian(a * 50)}" for a in AMOUNTS], ",", np.floor(AMOUNTS * 50)),
    "Chinese": ([f"¥{a:,.2f}元" for a in AMOUNTS], ",", AMOUNTS.round(2)),
    "accountants'": (signed("{:,.0f}", "({:,.0f})"), ",", None),
    "SAP": ([c.translate(GERMAN) for c in signed("{:,.2f}", "{:,.2f}-")], ";", None),
    "dollars below 0": (signed("${:,.2f}", "-${:,.2f}"), ",", None),
    "debit and credit": (signed("{:,.2f} Cr", "{:,.2f} Dr"), ",", None),
    "Soll und Haben": ([c.translate(GERMAN) for c in signed("{:.2f} H", "{:.2f} S")], ";", None),
    "Japanese": (signed("{:,.1f}", "△{:,.1f}"), ",", None),
    "percent": ([f"{a % 100:.1f}%" for a in AMOUNTS], ",", (AMOUNTS % 100).round(1)),
    "percent with signs": (signed("+{:.1f} %", "-{:.1f} %"), ",", None),
    "decimal comma, short": (
        [f"{a:g}".replace(".", ",") for a in (AMOUNTS * 4 % 400).round() / 4],
        ";",
        (AMOUNTS * 4 % 400).round() / 4,
    ),
    "two decimals": ([f"{a % 9:.2f}" for a in AMOUNTS], ",", (AMOUNTS % 9).round(2)),
    "short": ([f"{a:g}" for a in (AMOUNTS % 50).round() / 4], ",", (AMOUNTS % 50).round() / 4),
    "Python's": ([str(float(a)) for a in (AMOUNTS % 50).round() / 4], ",", None),
    "no 0 before the point": ([f"{a % 1:.3f}".lstrip("0") for a in AMOUNTS], ",", None),
    "exponents": ([f"{a * 1e-9:.3E}" for a in AMOUNTS], ",", None),
    "R's": (["2e-04", "0.00025", "1e+05", "1200", "0.15", "120000"] * 20, ",", None),
    "small ones": ([repr(float(f"{a * 1e-6:.4g}")) for a in AMOUNTS], ",", None),
    "three decimals": ([f"{a % 9 + 1:.3f}" for a in AMOUNTS], ",", (AMOUNTS % 9 + 1).round(3)),
}


def table_of(cells: list[str], delimiter: str = ",", **options: Any) -> CellsRead:
    lines = [f'"{cell}"{delimiter}{n % 7}' for n, cell in enumerate(cells)]
    text = "\n".join([f"a{delimiter}b", *lines])
    return read_delimited(text.encode(), "a file", CellOptions(**options))


def file_of(path: Path, cells: list[str], delimiter: str = ",") -> Path:
    lines = [f'"{cell}"{delimiter}{n % 7}' for n, cell in enumerate(cells)]
    path.write_text("\n".join([f"a{delimiter}b", *lines]), "utf-8")
    return path


def opened(source: Any, **options: Any) -> Any:
    return open_data(source, TableOptions(**options, held_out=0.0))


@pytest.mark.parametrize("name", FORMS)
def test_numbers_are_read_in_the_form_they_are_written_in_and_written_so(
    name: str, tmp_path: Path
) -> None:
    """Up to 0.1, all but plain ones were refused, dropped, or made categories."""
    cells, delimiter, values = FORMS[name]
    path = file_of(tmp_path / "a.csv", cells, delimiter)
    data = opened(path)
    column = data.spec.by_name["a"]
    assert column.kind in ("integer", "real")
    rows = frame_of(data.items, data.spec)
    assert rows["a"].dtype.kind in "if"
    if values is not None:
        np.testing.assert_allclose(rows["a"], values, rtol=1e-12)
    write(rows, tmp_path / "b.csv", data.spec.columns, data.spec.delimiter)
    written = (tmp_path / "b.csv").read_text("utf-8").replace('"', "")
    assert written == path.read_text("utf-8").replace('"', "") + "\n"
    again = opened(tmp_path / "b.csv")
    assert (again.fingerprint, again.spec) == (data.fingerprint, data.spec)


@pytest.mark.parametrize("name", ["German", "accountants'", "Swiss", "small ones"])
def test_text_of_a_data_frame_comes_back_as_text(name: str) -> None:
    frame = pd.DataFrame({"a": FORMS[name][0], "b": range(3, len(AMOUNTS) + 3)})
    data = opened(frame)
    pd.testing.assert_frame_equal(to_user_type(_tensor(data.items), data.spec), frame)
    assert data.originals["a"].dtype.kind in "if"  # for judges


def test_text_that_is_no_number_stays_text() -> None:
    for cells in (
        ["007", "012", "100"],
        [f"A{n}" for n in range(40)],
        [f"rs{n}" for n in range(40)],  # no rupees
        ["1.2.3", "1.10.1", "2.0.0"],
        ["4WD", "2WD"],  # names, as good as numbers
        ["5 %", "10 %", "20 %"],
        ["1,5", "2.5", "1,5"],  # of both marks
        ["2020-01-02", "2021-03-04"],
        ["12 kg", "12 lb"],
        ["12,34,5", "1,2,3"],
        ["12345678901234567.5", "12345678901234567"],
    ):
        assert table_of(cells * 20).frame["a"].dtype == "str", cells


def test_whole_numbers_with_a_mark_are_read_as_their_file_has_them() -> None:
    """1,234 is above a thousand in English; 1.234 where other columns have a decimal comma."""
    cells = ["1,234", "5,678"] * 20
    assert table_of(cells).frame["a"][0] == 1234
    assert table_of(cells, ";").frame["a"][0] == 1.234
    assert table_of(cells, ";", thousands=",").frame["a"][0] == 1234
    assert table_of(cells, decimal=",").frame["a"][0] == 1.234
    points = ["1.234", "5.678"] * 20
    assert table_of(points).frame["a"][0] == 1.234
    assert table_of(points, decimal=",").frame["a"][0] == 1234
    text = "a;b\n" + "\n".join(f"{p};{n},5" for n, p in enumerate(points))
    assert read_delimited(text.encode(), "a file").frame["a"][0] == 1234
    assert table_of(["2.5", "3.5"] * 20, decimal=",").frame["a"].dtype == "str"


def test_how_numbers_are_read_is_told() -> None:
    cells = [*FORMS["percent"][0][:40], "n.a."]
    table = table_of(cells)
    assert table.notes == (
        "numbers of 'a': '100.0%' is 100",
        "'n.a.' counts as missing among the numbers of 'a'",
    )
    assert table.frame["a"].isna().tolist() == [False] * 40 + [True]


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ([f"{a:,.2f}" for a in AMOUNTS] + ["X"], r"numbers and text \('X'\); say --missing 'X'"),
        (["1,5", "2.5"] * 12 + [f"{n},25" for n in range(30)], "in no one form, as '1,5' and"),
        ([f"{n},5 kg" for n in range(30)] + ["1 lb"], r"numbers and text \('1 lb'\)"),
    ],
)
def test_columns_that_do_not_agree_are_refused_in_a_line(cells: list[str], told: str) -> None:
    """In 0.1 they were made categories or dropped, without a word."""
    with pytest.raises(SparringError, match=told):
        told_types(table_of(cells).frame)


def test_only_empty_cells_are_missing_unless_told(tmp_path: Path) -> None:
    """Up to 0.1, the categories None and NA came back empty."""
    rows = [f"{['None', 'Some'][n % 2]},{['NA', 'EU', ''][n % 3]},{n * 7 % 97}" for n in range(60)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["improved,region,x", *rows]))
    data = opened(path)
    assert data.spec.by_name["improved"].labels == ("None", "Some")
    assert data.spec.by_name["region"].labels == ("EU", "NA")
    write(frame_of(data.items, data.spec), tmp_path / "b.csv", data.spec.columns)
    assert (tmp_path / "b.csv").read_text() == path.read_text() + "\n"
    assert "'NA' stays text in 'region'; if it means missing: --missing 'NA'" in data.notes
    told = opened(path, missing="NA, Some")
    assert (told.spec.by_name["region"].missing, told.spec.by_name["region"].labels) == (
        True,
        ("EU",),
    )
    assert told.spec.by_name["improved"].kind == "constant"


def test_codes_for_missing_cells_are_taken_as_told_and_written_back(tmp_path: Path) -> None:
    cells = [str(c) for c in np.arange(60) / 4]
    cells[3] = cells[8] = "-999"
    assert table_of(cells).frame["a"].isna().sum() == 0
    path = file_of(tmp_path / "a.csv", [*cells, "?"])
    data = opened(path, missing="?,-999")
    assert np.isnan(data.items[:, 0]).sum() == 3
    write(frame_of(data.items, data.spec), tmp_path / "b.csv", data.spec.columns)
    assert (tmp_path / "b.csv").read_text().splitlines()[4] == "-999,3"
    frame = pd.DataFrame({"a": [1, 2, -999] * 9, "c": pd.Categorical(["x", "?", "y"] * 9)})
    found = read_table(frame, CellOptions(missing=("-999", "?"))).frame
    assert found["a"].isna().sum() == found["c"].isna().sum() == 9
    assert str(found["a"].dtype) == "Int64"
    assert found["c"].cat.categories.tolist() == ["x", "y"]


def test_a_typing_file_says_what_is_missing_and_leaves_numbers_numbers(tmp_path: Path) -> None:
    cells = [f"{n % 5}" for n in range(60)]
    path = file_of(tmp_path / "a.csv", [*cells, "X", "-9"])
    told = opened(path, missing="X,-9", types=str(tmp_path / "a.toml"))
    again = opened(path, types=str(tmp_path / "a.toml"))
    assert (again.spec, again.fingerprint) == (told.spec, told.fingerprint)
    assert again.spec.by_name["a"].label_dtype == "Int64"
    amounts = file_of(tmp_path / "b.csv", [f"{n % 30},5" for n in range(60)])
    chosen = opened(amounts, column=("a=category",)).spec.by_name["a"]
    assert chosen.labels[:2] == ("0,5", "1,5")


def test_a_run_reads_other_files_in_its_own_forms(tmp_path: Path) -> None:
    """The other file does not show by itself that 1.234 is above a thousand."""
    run = opened(file_of(tmp_path / "a.csv", FORMS["German, whole"][0], ";"))
    cells = ["1.234", "2.345", "n/a", "999"] * 6
    path = file_of(tmp_path / "b.csv", [c for c in cells if c != "n/a"])
    rows = open_data(path, TableOptions(), spec=run.spec)
    assert rows.originals["a"].tolist() == [1234, 2345, 999] * 6


# ---- encodings

WORDS = {
    "GB18030": ("城市", ("北京", "上海", "广州", "深圳", "成都", "重庆")),
    "Big5": ("城市", ("台北", "高雄", "台中", "台南", "新竹", "業務部")),
    "Shift-JIS": ("都市", ("東京", "大阪", "名古屋", "ノート", "みかん", "営業部")),
    "EUC-JP": ("都市", ("東京", "大阪", "名古屋", "ノート", "みかん", "営業部")),
    "EUC-KR": ("도시", ("서울", "부산", "대구", "인천", "영업부", "기혼")),
    "cp1251": ("Город", ("Москва", "Казань", "Самара", "муж", "жен", "Отдел")),
    "cp1253": ("Πόλη", ("Αθήνα", "Πάτρα", "άνδρας", "Κρήτη")),
    "cp1250": ("Město", ("Praha", "Plzeň", "Dvořák", "žena", "Łódź", "Kraków")),
    "cp1252": ("Straße", ("München", "Köln", "männlich", "Besançon", "préféré")),
    "cp1254": ("Şehir", ("İzmir", "Muğla", "Eskişehir", "kadın", "Satış", "Öztürk")),
    "mac_roman": ("Straße", ("München", "Köln", "Größe", "Besançon", "préféré")),
    "koi8_r": ("Город", ("Москва", "Казань", "Самара", "муж", "жен", "Отдел")),
    "UTF-16": ("Größe", ("München", "北京")),
    "UTF-32": ("Größe", ("München", "北京")),
}


@pytest.mark.parametrize("encoding", WORDS)
def test_encodings_are_recognised_and_told(encoding: str) -> None:
    """Up to 0.1, all but Unicode was read as cp1252: garbage, with a word of it."""
    name, words = WORDS[encoding]
    text = "\n".join([f"id,{name}", *(f"{n},{words[n % len(words)]}" for n in range(40))])
    table = read_delimited(text.encode(encoding), "a file")
    assert table.frame[name].tolist() == [words[n % len(words)] for n in range(40)]
    assert f"read as {encoding}" in table.notes[0]


def test_an_encoding_can_be_told() -> None:
    raw = "a,b\nä,1\nö,2\n".encode("cp850")
    assert read_delimited(raw, "a file", encoding="cp850").frame["a"].tolist() == ["ä", "ö"]
    with pytest.raises(SparringError, match="no encoding is called 'latin-99'"):
        read_delimited(raw, "a file", encoding="latin-99")
    with pytest.raises(SparringError, match="a file is not in utf-8: 'utf-8' codec"):
        read_delimited(raw, "a file", encoding="utf-8")


def test_unicode_without_its_mark_or_with_faults_is_told() -> None:
    lines = "a,b\n" + "München,1\nKöln,2\n" * 200
    table = read_delimited(lines.encode("utf-16-le"), "a file")
    assert (table.frame["a"][0], table.notes[0]) == ("München", "read as UTF-16-LE")
    broken = lines.encode().replace("ö".encode(), b"\xf6", 1)
    table = read_delimited(broken, "a file")
    assert table.notes[0] == "UTF-8 but for 1 letters, which are read as \ufffd"
    assert likely_encoding(b"\xe9t\xe9") == "cp1252"


# ---- layouts


def test_excel_lines_titles_and_nameless_columns_are_left_out() -> None:
    table = read_delimited(b"sep=;\r\na;b;;\r\n1;x;;\r\n2;y;;\r\n", "a file")
    assert table.frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    statement = "Konto;DE12\nStand\n\nTag;Text;Betrag\n1;Miete;-1,50\n2;Lohn;2,25\n3;x;1\n"
    table = read_delimited(statement.encode(), "a file")
    assert table.frame["Betrag"].tolist() == [-1.5, 2.25, 1]
    assert table.notes[0] == "2 lines above the names of the columns left out"
    rows = "a,b,c,d\n1,2,3,4\n5,6,7,8\n"
    table = read_delimited(f"{rows}Source: us,,,\nNote\n,,,\n".encode(), "a file")
    assert (table.frame["a"].tolist(), table.notes) == (
        [1, 5],
        ("3 lines below the rows left out",),
    )
    with pytest.raises(SparringError, match="line 4: 1 cells"):
        read_delimited(f"{rows}Note\n1,2,3,4\n".encode(), "a file")


def test_columns_between_spaces_are_read_as_r_writes_them() -> None:
    table = read_delimited(b'"mpg" "car name"\n"1" 21.0 "Mazda RX4"\n"2" 22.8 "Fiat 128"\n', "t")
    assert table.frame.columns.tolist() == ["", "mpg", "car name"]
    assert table.frame["car name"].tolist() == ["Mazda RX4", "Fiat 128"]
    table = read_delimited(b"  x   y\n  1\t 2.5\n 10   3.5\n", "t")
    assert table.frame.to_dict("list") == {"x": [1, 10], "y": [2.5, 3.5]}
    table = read_delimited(b"name\nJohn Smith\nMary Jones\n", "t")
    assert table.frame["name"].tolist() == ["John Smith", "Mary Jones"]


def test_packed_files_are_read_and_written(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})
    write(frame, tmp_path / "rows.csv.gz")
    assert gzip.decompress((tmp_path / "rows.csv.gz").read_bytes()) == b"a,b\n1,x\n2,y\n3,z\n"
    pd.testing.assert_frame_equal(read_table(tmp_path / "rows.csv.gz").frame, frame)
    (tmp_path / "bad.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(SparringError, match="cannot be read: Not a gzipped file"):
        read_table(tmp_path / "bad.csv.gz")


def test_tables_of_a_database_are_named(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE people (age INTEGER, pay REAL, name TEXT)")
        database.executemany(
            "INSERT INTO people VALUES (?, ?, ?)", [(30, 1.5, "a"), (None, 2.0, "b"), (32, 3, None)]
        )
    frame = read_table(path).frame
    assert [str(dtype) for dtype in frame.dtypes] == ["Int64", "float64", "str"]
    assert frame["pay"].tolist() == [1.5, 2, 3]
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE cars AS SELECT * FROM people")
    assert len(read_table(f"{path}:cars").frame) == 3
    with pytest.raises(SparringError, match=r"2 tables, people, cars; name one: people.db:people"):
        read_table(path)
    with pytest.raises(SparringError, match="no table 'car'; did you mean 'cars'"):
        read_table(f"{path}:car")
    (tmp_path / "no.db").write_text("not a database, but text of some length" * 9)
    with pytest.raises(SparringError, match="cannot be read as SQLite"):
        read_table(tmp_path / "no.db")


def test_workbooks_are_read_and_written(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["Report"])
    sheet.append([])
    sheet.append(["when", "amount", "share", "text", None])
    for n in range(6):
        moment = pd.Timestamp("2024-01-01") + pd.Timedelta(days=n)
        sheet.append([moment.to_pydatetime(), n + 0.5 * (n % 2), n or "n.a.", f"=x{n}"[1:]])
    book.create_sheet("Other").append(["z"])
    book.save(tmp_path / "a.xlsx")
    table = read_table(tmp_path / "a.xlsx")
    assert table.frame.columns.tolist() == ["when", "amount", "share", "text"]
    assert table.frame["when"].dtype.kind == "M"
    assert table.frame["share"].tolist()[1:] == [1, 2, 3, 4, 5]
    assert "read sheet 'Sheet'; others are named as a.xlsx:Other" in table.notes
    assert table.words == {"share": "n.a."}
    frame = table.frame.assign(text=["=1+1", *"bcdef"])
    write(frame, tmp_path / "b.xlsx")
    again = read_table(tmp_path / "b.xlsx").frame
    assert again["text"].tolist() == ["'=1+1", *"bcdef"]
    assert again["when"].tolist() == frame["when"].tolist()
    with pytest.raises(SparringError, match="no sheet 'Sheet2'; it has Sheet, Other"):
        read_table(f"{tmp_path / 'a.xlsx'}:Sheet2")
    (tmp_path / "c.xlsx").write_text("a,b")
    with pytest.raises(SparringError, match="cannot be read as a workbook"):
        read_table(tmp_path / "c.xlsx")


def _tensor(items: Any) -> Any:
    import torch

    return torch.from_numpy(items)


def test_runs_of_0_1_read_cells_as_they_did(tmp_path: Path) -> None:
    path = file_of(tmp_path / "a.csv", ["None", "NA", "EU", "None", "US", "null"] * 9)
    old = open_data(path, TableOptions(held_out=0.0), rules=1)
    assert old.spec.by_name["a"].labels == ("EU", "US")
    assert opened(path).spec.by_name["a"].labels == ("EU", "NA", "None", "US", "null")
