"""Tables: the real commands, from a CSV file to rows like its own."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from commands import TINY, CommandLine, final, strictly
from palmerpenguins import load_penguins
from PIL import Image
from sklearn.base import clone

import sparring
from sparring.errors import RequestWarning, SparringError

SHORT = (*TINY, "--budget", "20k-images", "--checkpoint.ticks", "4")
FEW_TREES = "import sparring.kinds.tables.models as m; m.TREES = m.RESAMPLED = 10"
COLUMNS = "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year"


@pytest.fixture(scope="module")
def penguins(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run on penguins."""
    folder = tmp_path_factory.mktemp("tables") / "work"
    folder.mkdir()
    return CommandLine(server, folder).train("penguins", *SHORT)


def frame(cli: CommandLine, name: str) -> Any:
    return pd.read_csv(cli.folder / name)


def test_samples_are_rows_like_the_data_s_and_the_same_for_the_same_seed(
    penguins: Path, cli: CommandLine
) -> None:
    ended = cli("sample", penguins, "-n", "200", "--out", "s.csv")
    assert (ended.code, ended.out) == (0, "s.csv\n"), ended.err
    text = (cli.folder / "s.csv").read_text()
    assert text.splitlines()[0] == COLUMNS
    rows = frame(cli, "s.csv")
    assert len(rows) == 200
    assert set(rows["species"]) <= {"Adelie", "Chinstrap", "Gentoo"}
    assert rows["body_mass_g"].dropna().between(2700, 6300).all()
    assert rows["sex"].isna().any()
    assert (rows["body_mass_g"].dropna() % 1 == 0).all()
    cli("sample", penguins, "-n", "10", "--out", "t.csv")
    assert text.startswith((cli.folder / "t.csv").read_text())


def test_rows_satisfy_what_is_asked_for(penguins: Path, cli: CommandLine) -> None:
    asked = ("--where", "species=Chinstrap", "--where", "body_mass_g>3500")
    ended = cli("sample", penguins, "-n", "100", *asked, "--out", "s.csv")
    assert ended.code == 0, ended.err
    rows = frame(cli, "s.csv")
    assert len(rows) == 100
    assert (rows["species"] == "Chinstrap").all()
    assert (rows["body_mass_g"] > 3500).all()


@pytest.mark.parametrize(
    ("where", "complaint"),
    [
        ("species=Emperor", "no category 'Emperor' in the data"),
        ("body_mass_g>9000", "no row satisfies body_mass_g>9000"),
        ("mass>3", "no column 'mass'"),
    ],
)
def test_the_impossible_is_refused_in_a_line(
    penguins: Path, cli: CommandLine, where: str, complaint: str
) -> None:
    assert complaint in cli("sample", penguins, "--where", where).complaint


def test_conditions_are_for_tables(run: Path, cli: CommandLine) -> None:
    complaint = cli("sample", run, "--where", "a=b").complaint
    assert "'where' is asked of rows; this run makes images" in complaint


def test_a_run_leaves_rows_and_pictures_and_speaks_of_rows(penguins: Path) -> None:
    samples = penguins / "samples"
    newest = sorted(samples.glob("[0-9]*.csv"))[-1]
    assert newest.read_text().splitlines()[0] == COLUMNS
    with Image.open(newest.with_suffix(".png")) as picture:
        assert picture.width > 900
        assert len(set(picture.convert("RGB").get_flattened_data())) > 50
    assert json.loads((penguins / "data.json").read_text())["kind"] == "table"
    page = (penguins / "report.html").read_text()
    assert "column &#39;sex&#39;: category of 2: female, male, 3.2% missing" in page


def test_an_evaluation_has_the_card_of_a_table(penguins: Path, cli: CommandLine) -> None:
    ended = cli("evaluate", penguins, "-n", "200", "--json", prelude=FEW_TREES)
    assert ended.code == 0, ended.err
    card = strictly(ended.out)
    keys = {line["key"] for line in card["lines"]}
    assert {"table_c2st", "worst_column", "associations", "useful_species", "copies"} <= keys
    said = [note for note in card["notes"] if "the run's own discriminator" in note]
    assert "it knows those that judge" in said[0]  # of penguins, too few are held out
    for name in ("columns", "associations"):
        with Image.open(penguins / f"samples/evaluation-{name}.png") as picture:
            assert picture.width > 500
    for name in ("report.html", "README.md"):
        assert "that proves no privacy" in (penguins / name).read_text()
    assert "How strongly each two columns hang together" in (penguins / "report.html").read_text()


def test_other_rows_judge_in_the_code_of_the_run(penguins: Path, cli: CommandLine) -> None:
    birds = load_penguins()
    birds.to_csv(cli.folder / "same.csv", index=False)
    birds.assign(**(birds.filter(regex="_(mm|g)$") + 1e5)).to_csv(cli.folder / "huge.csv")
    others = {"Gentoo": "Emperor", "Adelie": "Emperor"}
    birds.replace({"species": others}).to_csv(cli.folder / "new.csv")
    distances = {}
    for name in ("same", "huge"):
        ended = cli("evaluate", penguins, f"{name}.csv", "-n", "200", "--json", prelude=FEW_TREES)
        card = strictly(ended.out)
        lines = {line["key"]: line["estimate"] for line in card["lines"]}
        distances[name] = lines["kid"]
        assert "discriminator" in lines
        far = any("'body_mass_g': 342 of 344 values lie beyond" in note for note in card["notes"])
        assert far == (name == "huge"), card["notes"]
    assert distances["huge"]["low"] > 2 * distances["same"]["high"]
    told = cli("evaluate", penguins, "new.csv").complaint
    assert "'new.csv' does not fit the run: column 'species' holds Emperor" in told


def test_data_that_have_changed_judge_with_a_note(cli: CommandLine, people: Path) -> None:
    table = Path(shutil.copy(people, cli.folder / "people.csv"))
    first, second = (cli.train(table, *TINY, "--budget", "1-steps") for _ in range(2))
    with table.open("a") as file:
        file.write("300,smith,2000\n")
    changed = "people.csv' has changed: it is not what '{}' was trained on"
    ended = cli("evaluate", first, "-n", "100", "--json", prelude=FEW_TREES)
    assert changed.format(first.name) in ended.err
    assert changed.format(first.name) in strictly(ended.out)["notes"][0]
    ended = cli("compare", first, second, "-n", "100", "--json")
    notes = strictly(ended.out)["notes"]
    assert all(any(changed.format(run.name) in note for note in notes) for run in (first, second))
    run = sparring.load(first)
    assert run.dataset().spec == run.spec  # in the code of then, not of now


def test_a_table_of_one_column_has_a_card(cli: CommandLine) -> None:
    years = pd.DataFrame({"id": range(1700, 1900), "spots": np.arange(200) * 37 % 101 / 7})
    years.to_csv(cli.folder / "years.csv", index=False)
    run = cli.train("years.csv", *TINY, "--budget", "1-steps")
    ended = cli("evaluate", run, "-n", "100", "--json", prelude=FEW_TREES)
    assert any("usefulness are left out" in note for note in strictly(ended.out)["notes"])


def test_a_stopped_table_run_goes_on_bit_for_bit(cli: CommandLine, people: Path) -> None:
    game = ("--generator.network", "tabular", "--optimizer.lr", "5e-4", "--checkpoint.ticks", "4")
    asked = (*TINY, *game, "--budget")
    half, whole = (cli.train(people, *asked, f"{n}k-images") for n in (10, 20))
    assert final(half) != final(whole)
    assert cli("resume", half, "--budget", "+10k-images").code == 0
    assert final(half) == final(whole)


def test_files_that_are_no_tables_get_one_line(cli: CommandLine) -> None:
    (cli.folder / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n")
    (cli.folder / "header.csv").write_text("a,b\n")
    (cli.folder / "same.csv").write_text("a,b\n1,x\n1,x\n1,x\n")
    (cli.folder / "empty.csv").write_text("")
    for name, complaint in (
        ("ragged.csv", "line 3: 3 cells, but the header has 2"),
        ("header.csv", "holds a header but no rows"),
        ("same.csv", "no column holds anything to learn"),
        ("empty.csv", "is empty; expected a header and rows"),
        ("missing.csv", "missing.csv"),
    ):
        assert complaint in cli("train", name, *SHORT).complaint
    assert "chooses no type" in cli("train", "penguins", "--column", "age", *SHORT).complaint


def test_cells_that_a_spreadsheet_would_execute_are_escaped(cli: CommandLine) -> None:
    formula = "=HYPERLINK(1)"
    table = pd.DataFrame({"cell": [formula, "plain"] * 40, "x": np.arange(80) % 37 / 7})
    table.to_csv(cli.folder / "cells.csv", index=False)
    run = cli.train("cells.csv", *SHORT)
    assert cli("sample", run, "-n", "50", "--out", "s.csv").code == 0
    assert set(frame(cli, "s.csv")["cell"]) == {f"'{formula}", "plain"}


def test_rows_go_to_parquet_and_come_from_it(penguins: Path, cli: CommandLine) -> None:
    assert cli("sample", penguins, "-n", "60", "--out", "s.parquet").code == 0
    rows = pd.read_parquet(cli.folder / "s.parquet")
    pd.testing.assert_frame_equal(rows, sparring.load(penguins).sample(60))
    run = cli.train("s.parquet", *SHORT)
    again = sparring.load(run).sample(20)
    assert (again.dtypes == rows.dtypes).all()


def test_a_data_frame_is_fitted_with_scikit_learn_s_habits(people: Path) -> None:
    table = pd.read_csv(people)
    one = {"threads": 1}
    gan = sparring.GAN(size="tiny", budget="10k-images", random_state=3, options=one)
    rows = clone(gan).fit(table).sample(50)
    pd.testing.assert_frame_equal(rows, clone(gan).fit(table).sample(50))
    assert list(rows.columns) == list(table.columns)
    assert (rows.dtypes == table.dtypes).all()
    fitted = clone(gan).fit(table)
    assert (fitted.sample(20, where=["job=smith"])["job"] == "smith").all()
    assert (fitted.sample(20, where={"job": "smith", "pay": (1500, None)})["pay"] >= 1500).all()
    assert fitted.sample(4, balance="job")["job"].tolist() == ["baker", "smith"] * 2
    assert fitted.sample(complete=table[["pay"]].head(3))["pay"].equals(table["pay"].head(3))
    assert not fitted.sample(9, seed=None).equals(fitted.sample(9, seed=None))
    again = sparring.GAN.load(fitted.save(people.with_name("people.gan")))
    pd.testing.assert_frame_equal(
        again.sample(9, where="job=baker"), fitted.sample(9, where="job=baker")
    )
    with pytest.raises(SparringError, match=r"people\.csv' is not a safetensors file"):
        sparring.GAN.load(people)
    with pytest.raises(SparringError, match="no category 'king'"):
        fitted.sample(5, where=["job=king"])


def test_a_target_is_a_column_of_a_data_frame(people: Path) -> None:
    table = pd.read_csv(people)
    gan = sparring.GAN(size="tiny", budget="2-steps", options={"threads": 1})
    assert [*gan.fit(table[["pay"]], table["job"]).sample(2).columns] == ["pay", "job"]
    assert [*gan.fit(table[["pay"]], table["job"].tolist()).sample(2).columns] == ["pay", "y"]
    with pytest.raises(SparringError, match="X has a column 'job' too; rename y"):
        gan.fit(table, table["job"])
    with pytest.warns(RequestWarning, match="y is not used: only a data frame has a place for it"):
        gan.fit(table[["pay"]].to_numpy(), table["job"])


def test_rows_of_a_file_are_completed(penguins: Path, cli: CommandLine) -> None:
    partly = "note,sex,species,body_mass_g\na,male,,3.75e3\nb,,Gentoo,\n"
    (cli.folder / "partly.csv").write_text(partly)
    ended = cli("sample", penguins, "--complete", "partly.csv", "--out", "full.csv")
    assert (ended.code, ended.out) == (0, "full.csv\n"), ended.err
    full = pd.read_csv(cli.folder / "full.csv", dtype=str)
    assert [*full.columns[:4]] == ["note", "sex", "species", "body_mass_g"]
    assert {*full.columns} == {*COLUMNS.split(","), "note"}
    assert full.iloc[0, [0, 1, 3]].tolist() == ["a", "male", "3.75e3"]
    assert full.loc[1, ["note", "species"]].tolist() == ["b", "Gentoo"]
    assert full["species"].notna().all()
    (cli.folder / "one.csv").write_text("species\nGentoo\n")
    ended = cli("sample", penguins, "--complete", "one.csv")
    assert ended.code == 0, ended.err
    assert pd.read_csv(cli.folder / ended.out.strip() / "samples.csv").species.tolist() == [
        "Gentoo"
    ]
    told = cli("sample", penguins, "--complete", "partly.csv", "-n", "5").complaint
    assert "5 rows are asked for and 2 are given to be completed" in told


def test_a_run_on_a_data_frame_can_be_resumed(tmp_path: Path, people: Path) -> None:
    table = pd.read_csv(people).astype({"job": "category"})
    asked = {"root": tmp_path, "size": "tiny", "threads": 1, "optimizer": {"lr": "1e-3"}}
    run = sparring.train(table, budget="2k-images", **asked)
    run.resume(budget="+2k-images")
    assert str(run.sample(5)["job"].dtype) == "category"
    assert run.status == "finished"


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small table with a law."""
    rng = np.random.default_rng(0)
    job = rng.choice(["smith", "baker"], 300)
    pay = np.where(job == "smith", 2000, 1000) + rng.normal(0, 100, 300).round(2)
    path = tmp_path_factory.mktemp("data") / "people.csv"
    pd.DataFrame({"id": range(300), "job": job, "pay": pay}).to_csv(path, index=False)
    return path
