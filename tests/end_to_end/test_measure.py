"""`sparring measure REAL FAKE` on real files: samples of any origin, without a run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from commands import CommandLine, strictly
from names import FILES
from palmerpenguins import load_penguins
from PIL import Image
from sklearn.datasets import load_digits

import sparring
from sparring.errors import SparringError
from sparring.kinds import DataOptions, open_together, to_user_type

DIGITS = np.rint(load_digits().images * (255 / 16)).astype(np.uint8)
ORDER = np.random.default_rng(0).permutation(len(DIGITS))
BIRDS = load_penguins()[["species", "body_mass_g", "sex"]]
NAMES = [
    line.split()[0].capitalize()
    for line in Path(FILES["first:female"]).read_text(encoding="utf-8").splitlines()[:400]
]


def verdicts(card: dict[str, object]) -> dict[str, str]:
    lines = card["lines"]
    assert isinstance(lines, list)
    return {line["key"]: line["verdict"] for line in lines}


def test_pictures_of_any_form_are_measured_and_copies_found(cli: CommandLine) -> None:
    real, trained, fake = (DIGITS[ORDER[i : i + 250]] for i in (0, 250, 500))
    (cli.folder / "unseen").mkdir()
    for i, image in enumerate(real):
        Image.fromarray(image).save(cli.folder / "unseen" / f"{i:03d}.png")
    np.savez(cli.folder / "trained.npz", images=trained)
    np.savez(cli.folder / "good.npz", images=fake)
    np.savez(cli.folder / "copies.npz", images=trained[:125])
    np.savez(cli.folder / "smudges.npz", images=fake // 2 + 40)
    told = ("--extractor", "pixel-pca", "--json")
    good = strictly(cli("measure", "unseen", "good.npz", "--train", "trained.npz", *told).out)
    assert (good["verdict"], good["run"], good["data"]) == ("no difference seen", "good", "unseen")
    assert (good["fake"], good["real"], good["part"]) == (250, 250, "all")
    copied = strictly(cli("measure", "unseen", "copies.npz", "--train", "trained.npz", *told).out)
    assert copied["verdict"] == "copies"
    smudged = cli("measure", "unseen", "smudges.npz", *told, "--out", "card")
    card = strictly(smudged.out)
    assert card["verdict"] == "differs", smudged.err
    assert verdicts(card)["memorization"] == "not tested"
    assert json.loads((cli.folder / "card/evaluation.json").read_text()) == card
    pictures = {path.name for path in (cli.folder / "card").glob("*.png")}
    assert pictures == {
        f"evaluation-{name}.png" for name in ("typical", "untypical", "missed", "feature")
    }
    assert not (cli.folder / "runs").exists()


def test_pictures_are_brought_to_one_size_and_told_by_colour(cli: CommandLine) -> None:
    large = np.kron(DIGITS[ORDER[:60]], np.ones((2, 2), np.uint8))
    colour = np.stack([DIGITS[ORDER[60:120]] // shade for shade in (1, 2, 3)], -1)
    np.save(cli.folder / "large.npy", large)
    np.save(cli.folder / "colour.npy", colour)
    card = strictly(cli("measure", "large.npy", "colour.npy", "--json").out)
    assert card["verdict"] == "differs"
    notes = "\n".join(card["notes"])
    assert "REAL: resized from 16x16 to 8x8" in notes
    assert "REAL: only these were resized, which alone can be told" in notes


def test_what_only_samples_of_a_table_hold_counts_against_them(cli: CommandLine) -> None:
    rows = BIRDS.sample(frac=1, random_state=0)
    real, fake = rows[:172].copy(), rows[172:].reset_index(drop=True)
    real.insert(0, "id", range(5000, 5172))
    fake.insert(0, "id", range(172))
    real.to_csv(cli.folder / "real.csv", index=False)
    fake.to_parquet(cli.folder / "good.parquet")
    strange = fake.astype({"species": object, "body_mass_g": object})
    strange.loc[:79, "species"] = "Dodo"
    strange.loc[:2, "body_mass_g"] = "heavy"
    strange.to_csv(cli.folder / "strange.csv", index=False)
    card = strictly(cli("measure", "real.csv", "good.parquet", "-n", "100", "--json").out)
    assert card["verdict"] == "no difference seen"
    assert any("not compared: 'id'" in note for note in card["notes"])
    card = strictly(cli("measure", "real.csv", "strange.csv", "-n", "100", "--json").out)
    assert verdicts(card)["worst_column"] == "differs"
    assert any("3 such cells count as missing" in note for note in card["notes"])
    fake.drop(columns="sex").to_csv(cli.folder / "narrow.csv", index=False)
    complaint = cli("measure", "real.csv", "narrow.csv").complaint
    assert "'narrow' has no column 'sex', which 'real' has" in complaint
    fake.assign(body_mass_g="heavy").to_csv(cli.folder / "words.csv", index=False)
    complaint = cli("measure", "real.csv", "words.csv").complaint
    assert "holds heavy, where the other table has integer cells" in complaint


def test_cells_are_compared_as_they_came_and_equal_rows_are_equal(tmp_path: Path) -> None:
    rows = pd.DataFrame({"name": NAMES[:240], "bird": [*BIRDS["species"][:240]], "nest": "a"})
    rows["name"] = rows["name"].where(rows.index % 2 == 0, "Anna")
    other = rows[::-1].reset_index(drop=True).assign(bird=rows["bird"], name="Bogus")
    options = DataOptions(groups="nest")
    real, fake = open_together({"REAL": rows, "FAKE": other}, options, cache=tmp_path).values()
    assert fake.originals.equals(other[["name", "bird"]].astype(fake.originals.dtypes))
    assert real.originals.equals(rows[["name", "bird"]].astype(real.originals.dtypes))
    assert len(np.unique(fake.items, axis=0)) == other["bird"].nunique()
    assert set(real.groups) == set(fake.groups) == {0}


def test_texts_of_strange_symbols_repeats_and_lengths_are_not_left_out() -> None:
    repeated = NAMES[:1] * 40
    strange = [f"{name}ß{'x' * 30}" for name in NAMES[:40]]
    card = sparring.measure(NAMES[100:200], repeated + strange)
    assert (card.fake, card.verdict) == (80, "differs")
    sides = open_together({"REAL": NAMES, "FAKE": strange + repeated}, DataOptions(), cache=Path())
    assert to_user_type(torch.from_numpy(sides["FAKE"].items), sides["FAKE"].spec) == [
        *strange,
        *repeated,
    ]


def test_python_takes_values_and_text_alike(cli: CommandLine) -> None:
    (cli.folder / "names.txt").write_text("\n".join(NAMES[:200:2]) + "\n\n")
    card = sparring.measure(cli.folder / "names.txt", NAMES[1:200:2], root=cli.folder)
    assert (card.real, card.fake, card.data) == (100, 100, "names")
    assert "REAL: 1 empty texts are left out" in card.notes
    frame = pd.DataFrame({"a": np.arange(40.0) / 3})
    card = sparring.measure(frame, frame + 100)
    assert card.verdict == "differs"


def test_what_cannot_be_measured_is_refused_in_a_line(
    cli: CommandLine, trained: Path, tmp_path: Path
) -> None:
    np.save(cli.folder / "few.npy", DIGITS[:19])
    np.save(cli.folder / "some.npy", DIGITS[:30])
    (cli.folder / "table.csv").write_text("a,b\n1,2\n3,4\n")
    refused = {
        ("some.npy", "few.npy"): "FAKE 'few' has 19 items; measuring needs at least 20",
        ("some.npy", "some.npy"): "REAL and FAKE hold the same items",
        ("some.npy", "table.csv"): "REAL holds images, FAKE holds rows; expected one kind",
        ("some.npy", "absent.npy"): "'absent.npy' is neither a file nor a named data set",
        ("some.npy", "absent.csv"): "'absent.csv' cannot be read: No such file",
        (str(trained),): "sparring evaluate RUN",
        (str(trained), "some.npy"): f"sparring evaluate {trained}",
    }
    for sources, words in refused.items():
        assert words in cli("measure", *sources).complaint
    with pytest.raises(SparringError, match="REAL and TRAIN hold the same items"):
        sparring.measure(DIGITS[:30], DIGITS[30:60], DIGITS[:30], root=tmp_path)


def test_points_are_measured_as_samples_of_them_are_written(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(120, 2))
    np.savetxt(tmp_path / "samples.csv", points, delimiter=",", header="x,y", comments="")
    card = sparring.measure("ring", tmp_path / "samples.csv", n=100)
    assert (card.real, card.fake, card.verdict) == (100, 100, "differs")
    (tmp_path / "words.csv").write_text("x,y\na,b\n")
    with pytest.raises(SparringError, match="does not hold points"):
        sparring.measure("ring", tmp_path / "words.csv")
