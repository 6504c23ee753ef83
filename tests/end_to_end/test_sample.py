"""`sparring sample`: what is written where, and the same sample for the same seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import CommandLine, files_below
from numpy.typing import NDArray
from PIL import Image


def drawn(cli: CommandLine, run: Path, *arguments: Any) -> dict[str, NDArray[Any]]:
    """Return the arrays of the `.npz` file that these arguments give."""
    ended = cli("sample", run, *arguments, "--out", "drawn.npz")
    assert ended.code == 0, ended.err
    assert ended.out == "drawn.npz\n"
    with np.load(cli.folder / "drawn.npz") as archive:
        return dict(archive)


def test_an_npz_holds_images_of_eight_bits(run: Path, cli: CommandLine) -> None:
    arrays = drawn(cli, run, "-n", "10")
    assert set(arrays) == {"images"}
    assert (arrays["images"].shape, arrays["images"].dtype) == ((10, 8, 8, 1), np.uint8)


def test_an_npz_of_a_conditional_run_holds_labels_too(pets_run: Path, cli: CommandLine) -> None:
    arrays = drawn(cli, pets_run, "-n", "5")
    assert set(arrays) == {"images", "labels"}
    assert arrays["images"].shape == (5, 12, 8, 3)
    assert arrays["labels"].tolist() == [0, 1, 0, 1, 0]
    assert drawn(cli, pets_run, "-n", "3", "--label", "dog")["labels"].tolist() == [1, 1, 1]


def test_a_png_is_one_grid(run: Path, cli: CommandLine) -> None:
    assert cli("sample", run, "-n", "9", "--out", "grid.png").out == "grid.png\n"
    with Image.open(cli.folder / "grid.png") as picture:
        assert picture.width == picture.height
        assert picture.width > 3 * 8


def test_a_folder_gets_one_file_each(run: Path, cli: CommandLine) -> None:
    assert cli("sample", run, "-n", "12", "--out", "many/of them").out == "many/of them\n"
    folder = cli.folder / "many/of them"
    numbered = sorted(path.name for path in folder.glob("[0-9]*.png"))
    assert numbered == [f"{i:06d}.png" for i in range(12)]
    with Image.open(folder / "000007.png") as picture:
        assert (picture.size, picture.mode) == ((8, 8), "L")


def test_the_files_hold_the_same_pixels_as_the_npz(run: Path, cli: CommandLine) -> None:
    images = drawn(cli, run, "-n", "3")["images"]
    cli("sample", run, "-n", "3", "--out", "files")
    for i, pixels in enumerate(images):
        with Image.open(cli.folder / f"files/{i:06d}.png") as picture:
            assert np.array_equal(np.asarray(picture), pixels[..., 0])


def test_without_out_they_go_into_the_run_s_samples(run: Path, cli: CommandLine) -> None:
    ended = cli("sample", "latest", "-n", "4")
    written = cli.folder / ended.out.strip()
    assert written.is_relative_to(run / "samples")
    assert len(list(written.glob("[0-9]*.png"))) == 4


@pytest.mark.parametrize("out", [(), ("--out", "here.png"), ("--out", "folder")])
def test_grid_writes_one_picture(out: tuple[str, ...], run: Path, cli: CommandLine) -> None:
    ended = cli("sample", run, "-n", "4", "--grid", *out)
    assert ended.code == 0, ended.err
    picture = cli.folder / ended.out.strip()
    assert picture.suffix == ".png"
    assert picture.is_file()
    assert not list(cli.folder.rglob("00000[0-3].png"))


def test_a_grid_goes_into_no_file_of_another_format(run: Path, cli: CommandLine) -> None:
    ended = cli("sample", run, "-n", "4", "--grid", "--out", "fakes.npz")
    assert (ended.code, ended.out) == (1, "")
    assert "--grid writes a .png file, or into a folder; 'fakes.npz' is neither" in ended.err
    assert not (cli.folder / "fakes.npz").exists()


def test_a_run_may_be_named_in_any_way(run: Path, cli: CommandLine) -> None:
    ways = ["latest", "1", "0001", run.name, run, f"runs/{run.name}/"]
    assert [cli("sample", way, "-n", "1", "--out", "x.npz").code for way in ways] == [0] * len(ways)


@pytest.mark.parametrize("name", ["run", "pets_run"])
def test_the_same_seed_gives_the_same_sample_whatever_the_number(
    name: str, request: pytest.FixtureRequest, cli: CommandLine
) -> None:
    run = request.getfixturevalue(name)
    few, many = (drawn(cli, run, "-n", n, "--seed", "7")["images"] for n in (10, 100))
    assert np.array_equal(few, many[:10])
    assert len(np.unique(many, axis=0)) > 1


def test_other_seeds_and_truncations_give_other_samples(run: Path, cli: CommandLine) -> None:
    first = drawn(cli, run, "-n", "4")["images"]
    assert not np.array_equal(first, drawn(cli, run, "-n", "4", "--seed", "1")["images"])
    mean = drawn(cli, run, "-n", "4", "--truncation", "0")["images"]
    assert not np.array_equal(first, mean)
    assert (mean == mean[0]).all()


def test_the_largest_seed_works(run: Path, cli: CommandLine) -> None:
    assert len(drawn(cli, run, "-n", "2", "--seed", 2**63 - 1)["images"]) == 2


@pytest.mark.parametrize(
    "bad",
    [
        ("-n", "0"),
        ("-n", "-1"),
        ("-n", str(10**9)),
        ("-n", "x"),
        ("-n", "1.5"),
        ("--seed", "-1"),
        ("--seed", str(2**70)),
        ("--seed", "x"),
        ("--truncation", "1e30"),
        ("--truncation", "nan"),
        ("--truncation", "-1"),
        ("--truncation", "x"),
        ("--label", "7"),
        ("--out", "x.jpeg"),
        ("--out", "x.pt"),
        ("--nonsense", "1"),
    ],
)
def test_a_bad_request_gives_one_line_and_writes_nothing(
    bad: tuple[str, str], run: Path, cli: CommandLine
) -> None:
    before = files_below(cli.folder)
    told = cli("sample", run, *bad).complaint
    assert bad[1] in told or bad[0].lstrip("-") in told or f"'.{bad[1].split('.')[-1]}'" in told
    assert files_below(cli.folder) == before


@pytest.mark.parametrize(
    "label", ["2", "-1", "²", "cta", "", "../../x", "<img onerror>", "9" * 5000]
)
def test_an_unknown_label_is_refused(label: str, pets_run: Path, cli: CommandLine) -> None:
    before = files_below(cli.folder)
    told = cli("sample", pets_run, f"--label={label}").complaint
    assert "cat" in told
    assert len(told) < 500
    assert files_below(cli.folder) == before


@pytest.mark.parametrize("bad", ["²", "0", "99", "-1", "", ".", "..", "0001", "lastest"])
def test_an_unknown_run_is_named(bad: str, cli: CommandLine) -> None:
    assert "run" in cli("sample", "--runs=empty", "--", bad).complaint


@pytest.mark.parametrize("label", ["v1.0", "a.png", "[b]", "ünï cödé"])
def test_classes_of_any_name_can_be_sampled(label: str, pets: Path, cli: CommandLine) -> None:
    data = cli.folder / "data"
    for name, source in ((label, "cat"), ("other", "dog")):
        (data / name).mkdir(parents=True)
        for file in sorted((pets / source).iterdir())[:20]:
            (data / name / file.name).write_bytes(file.read_bytes())
    run = cli.train(data, "--size", "tiny", "--threads", "1", "--budget", "1-steps")
    ended = cli("sample", run, "-n", "2", "--label", label)
    assert ended.code == 0, ended.err
    folder = cli.folder / ended.out.strip()
    assert folder.is_dir()
    assert len(list(folder.glob("00000[01].png"))) == 2


def test_a_file_in_the_place_of_the_folder_is_not_overwritten(run: Path, cli: CommandLine) -> None:
    (cli.folder / "taken").write_text("mine")
    assert "taken" in cli("sample", run, "-n", "2", "--out", "taken").complaint
    assert (cli.folder / "taken").read_text() == "mine"


@pytest.mark.parametrize("to", ["onnx", "safetensors"])
def test_a_run_is_exported_as_one_file(to: str, run: Path, cli: CommandLine) -> None:
    ended = cli("export", "latest", "--to", to)
    assert ended.code == 0, ended.err
    assert Path(ended.out.strip()).name == f"generator.{to}"
    assert (cli.folder / ended.out.strip()).stat().st_size > 1000
