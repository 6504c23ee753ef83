"""Bad input and broken machines: one line, a code other than 0, nothing lost or half-written."""

import hashlib
import json
import os
import pickle
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import QUICK, TINY, CommandLine, events, files_below, final
from PIL import Image

import sparring
from sparring.runs.folder import FORMAT, RULES
from sparring.training.checkpoint import latest_intact

FEW = {"size": "tiny", "threads": "1", "budget": "2-steps"}
SLOW = (*TINY, "--budget", "40-steps", "--checkpoint.ticks", "40", "--checkpoint.every-ticks", "1")


def runs_below(folder: Path) -> list[str]:
    """Return all that a failed command may have left where the runs are."""
    return sorted(files_below(folder / "runs")) if (folder / "runs").exists() else []


# Images


def empty(path: Path) -> None:
    path.mkdir()


def only_text(path: Path) -> None:
    path.mkdir()
    (path / "notes.txt").write_text("no picture")


def zero_bytes(path: Path) -> None:
    path.mkdir()
    for name in ("a.png", "b.png"):
        (path / name).touch()


def text_named_png(path: Path) -> None:
    path.mkdir()
    for name in ("a.png", "b.png"):
        (path / name).write_text("no picture")


def truncated_jpegs(path: Path) -> None:
    path.mkdir()
    for name in ("a.jpg", "b.jpg"):
        Image.effect_noise((64, 64), 50).save(path / name)
        (path / name).write_bytes((path / name).read_bytes()[:700])


def one_picture(path: Path) -> None:
    path.mkdir()
    Image.new("L", (8, 8)).save(path / "only.png")


def huge_pictures(path: Path) -> None:
    path.mkdir()
    for name in ("a.png", "b.png"):
        Image.new("1", (9000, 9000)).save(path / name)


def no_zip(path: Path) -> None:
    path.with_suffix(".zip").write_bytes(b"PK\x03\x04 and then nothing")


def empty_zip(path: Path) -> None:
    zipfile.ZipFile(path.with_suffix(".zip"), "w").close()


def escaping_zip(path: Path) -> None:
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.writestr("../../escaped.png", b"x" * 100)


def pickled_npy(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.array([{}], dtype=object), allow_pickle=True)


def truncated_npy(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.zeros((50, 8, 8), np.uint8))
    whole = path.with_suffix(".npy").read_bytes()
    path.with_suffix(".npy").write_bytes(whole[:-100])


def nan_npy(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.full((50, 8, 8), np.nan))


def flat_npy(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.zeros((50, 64), np.uint8))


def five_channels(path: Path) -> None:
    np.save(path.with_suffix(".npy"), np.zeros((50, 8, 8, 5), np.uint8))


def lying_idx(path: Path) -> None:
    path.write_bytes(struct.pack(">BBBBIII", 0, 0, 8, 3, 2**31, 8, 8) + bytes(640))


def some_file(path: Path) -> None:
    path.write_text("no data")


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    "make",
    [
        empty,
        only_text,
        zero_bytes,
        text_named_png,
        truncated_jpegs,
        one_picture,
        huge_pictures,
        no_zip,
        empty_zip,
        escaping_zip,
        pickled_npy,
        truncated_npy,
        nan_npy,
        flat_npy,
        five_channels,
        lying_idx,
        some_file,
        nothing,
    ],
)
@pytest.mark.parametrize("command", [("train", *QUICK), ("data",)])
def test_unusable_data_is_named_in_one_line(
    make: Callable[[Path], None], command: tuple[str, ...], cli: CommandLine
) -> None:
    make(cli.folder / "source")
    source = next((path.name for path in cli.folder.iterdir()), "source")
    before = files_below(cli.folder.parent)
    told = cli(command[0], source, *command[1:]).complaint
    assert source in told
    assert len(told) < 600
    new = {path for path in files_below(cli.folder.parent) - before if "streams-" not in path}
    assert new == set()


def test_bad_files_among_good_ones_are_skipped_by_name(pets: Path, cli: CommandLine) -> None:
    data = Path(shutil.copytree(pets / "cat", cli.folder / "data"))
    (data / "zero.png").touch()
    (data / "text.png").write_text("no picture")
    (data / "deep.zip").write_bytes(b"PK")
    (data / "broken.png").symlink_to("nowhere")
    cut = (data / "0.png").read_bytes()
    (data / "cut.png").write_bytes(cut[: len(cut) // 2])
    Image.new("1", (9000, 9000)).save(data / "huge.png")
    bad = {"zero.png", "text.png", "deep.zip", "broken.png", "cut.png", "huge.png"}
    ended = cli("train", data, *QUICK)
    assert ended.code == 0, ended.err
    about = json.loads((cli.folder / ended.out.strip() / "data.json").read_text())
    assert {skipped["path"] for skipped in about["skipped"]} == bad
    assert about["count"] == 60
    assert sum(
        "skipped" in line and name in line for line in ended.err.splitlines() for name in bad
    )


def test_pictures_of_every_kind_train_together(cli: CommandLine) -> None:
    data = cli.folder / "data"
    data.mkdir()
    noise = Image.effect_noise((12, 12), 80)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"):
        suffix = "tif" if mode in ("CMYK", "I;16") else "png"
        picture = noise.convert("RGB").convert(mode) if mode != "I;16" else noise.convert("I;16")
        picture.save(data / f"mode {mode.replace(';', '')}.{suffix}")
    noise.resize((1, 1)).save(data / "one pixel.png")
    noise.resize((1, 500)).save(data / "line.png")
    turned = noise.resize((9, 15))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(data / "turned.jpg", exif=exif)
    noise.save(data / "moving.gif", save_all=True, append_images=[noise.rotate(90)])
    ended = cli("train", data, *TINY, "--budget", "1-steps", "--resolution", "12")
    assert ended.code == 0, ended.err
    about = json.loads((cli.folder / ended.out.strip() / "data.json").read_text())
    assert (about["count"], about["skipped"]) == (12, [])


# Options


def python(key: str, value: str, cli: CommandLine) -> str:
    with pytest.raises(sparring.SparringError) as caught:
        sparring.train("digits", root=cli.folder / "runs", **FEW | {key: value})
    return str(caught.value)


def command_line(key: str, value: str, cli: CommandLine) -> str:
    few = [f"--{name}={wanted}" for name, wanted in FEW.items() if name != key]
    return cli("train", "digits", *few, f"--{key}={value}").complaint


def toml(key: str, value: str, cli: CommandLine) -> str:
    table, _, name = key.rpartition(".")
    text = (f"[{table}]\n" if table else "") + f"{name} = {json.dumps(value)}\n"
    (cli.folder / "my.toml").write_text(text)
    few = [f"--{name}={wanted}" for name, wanted in FEW.items() if name != key]
    return cli("train", "digits", "--recipe", "my.toml", *few).complaint


@pytest.mark.parametrize("give", [command_line, toml, python])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("optimizer.bata1", "optimizer.beta1"),
        ("optimiser.lr", "optimizer.lr"),
        ("batchs", "batch"),
        ("penalties.r1.wait", "penalties.r1.weight"),
        ("generator.widht", "generator.width"),
    ],
)
def test_an_unknown_key_names_the_nearest_from_anywhere(
    give: Callable[[str, str, CommandLine], str], wrong: str, right: str, cli: CommandLine
) -> None:
    told = give(wrong, "1", cli)
    assert wrong.partition(".")[0] in told
    assert right in told
    assert runs_below(cli.folder) == []


@pytest.mark.parametrize("give", [command_line, toml, python])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch", "0"),
        ("batch", "-1"),
        ("batch", "1.5"),
        ("seed", "-1"),
        ("seed", str(2**70)),
        ("seed", "x"),
        ("budget", "0s"),
        ("budget", "soon"),
        ("objective", "hinges"),
        ("size", "huge"),
        ("preset", "articel"),
        ("device", "cuda:99"),
        ("device", "meta"),
        ("device", "nonsense"),
        ("threads", "-1"),
        ("optimizer.lr", "fast"),
        ("optimizer.lr", "-1e-3"),
        ("optimizer.lr", "1e-3 to 0 linear 100%..50%"),
        ("optimizer.beta1", "1"),
        ("optimizer.beta1", "nan"),
        ("penalties.r1.weight", "-1"),
        ("penalties.r1.every", "0"),
        ("generator.width", "0"),
        ("generator.width", str(10**9)),
        ("generator.depth", "-1"),
        ("ema.halflife_images", "nan"),
        ("discriminator_moves", "2"),
        ("data.resolution", "0"),
        ("data.resolution", "7x"),
        ("data.resolution", "1000000"),
        ("data.resolution", "-8"),
        ("data.held_out", "0.9"),
        ("data.workers", "-1"),
        ("data.labels", "missing.csv"),
        ("data.labels", "nonne"),
    ],
)
def test_a_bad_value_gives_one_line(
    give: Callable[[str, str, CommandLine], str], key: str, value: str, cli: CommandLine
) -> None:
    told = give(key, value, cli)
    last = key.rpartition(".")[2]
    assert any(
        word in told for word in (value, last, last.replace("_", "-"), last.replace("_", " "))
    )
    assert len(told) < 400
    assert runs_below(cli.folder) == []


@pytest.mark.parametrize(
    "text", ["batch = ", "batch", "\x00", "[batch]\na = 1", "optimizer = 3", 'batch = "many"']
)
def test_a_bad_recipe_file_gives_one_line(text: str, cli: CommandLine) -> None:
    (cli.folder / "bad.toml").write_text(text)
    assert cli("train", "digits", "--recipe", "bad.toml").complaint
    assert runs_below(cli.folder) == []


@pytest.mark.parametrize("recipe", ["missing.toml", ".", "binary.toml"])
def test_a_recipe_that_is_no_file_of_text_is_named(recipe: str, cli: CommandLine) -> None:
    (cli.folder / "binary.toml").write_bytes(b"\xff\xfe\x00")
    assert f"'{recipe}'" in cli("train", "digits", "--recipe", recipe).complaint


@pytest.mark.parametrize(
    "options",
    [
        ("--optimizer.beta1", "0", "--optimizer.beta2", "0.99"),
        ("--optimizer.lr", "1e-4"),
        ("--batch", "4000"),
        ("--batch", "1", "--generator.norm", "none"),
        ("--run-name", "x" * 300),
        ("--batch", "7"),
        ("--data.held-out", "0"),
        ("--resolution", "5x9"),
        ("--label-smoothing", "0.1", "--objective", "non-saturating"),
    ],
)
def test_an_unusual_value_works(options: tuple[str, ...], cli: CommandLine) -> None:
    ended = cli("train", "digits", *TINY, "--budget", "2-steps", *options)
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("train",),
        ("train", ""),
        ("train", "digits", "extra"),
        ("train", "digits", "--budget"),
        ("trian", "digits"),
        ("train", "digits", "--from", "7"),
        ("train", "digits", "--runs", "/proc/none"),
        ("train", "digits", "--runs", "/dev/null"),
        ("train", "digits", "--batch", "1"),
        ("train", "digits", "--generator.network", "convolutional", "--generator.depth", "60"),
        ("nonsense",),
    ],
)
def test_a_bad_command_gives_one_line(arguments: tuple[str, ...], cli: CommandLine) -> None:
    given = (*arguments, *QUICK) if arguments[:2] == ("train", "digits") else arguments
    assert cli(*given).complaint
    assert runs_below(cli.folder) == []


def test_debug_shows_the_traceback(cli: CommandLine) -> None:
    ended = cli("train", "nowhere", "--debug")
    assert ended.code == 1
    assert "Traceback" in ended.err
    assert "SparringError" in ended.err


def test_networks_beyond_memory_give_one_line(cli: CommandLine) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({6 * 2**30}, {6 * 2**30}))"
    wide = ("--generator.width", "65536", "--generator.depth", "3")
    assert "memory" in cli("train", "digits", *QUICK, *wide, prelude=limit).complaint
    assert runs_below(cli.folder) == []


# Runs


@pytest.mark.parametrize("command", ["sample", "resume"])
@pytest.mark.parametrize("name", ["a file", "missing", "a folder", "latest", "3"])
def test_a_run_that_is_none_is_named(command: str, name: str, cli: CommandLine) -> None:
    (cli.folder / "a file").touch()
    (cli.folder / "a folder").mkdir()
    assert f"'{name}'" in cli(command, name).complaint


@pytest.mark.parametrize("command", [("sample", "-n", "1"), ("resume", "--budget", "+1-steps")])
@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("run.json", "{}"),
        ("run.json", "[]"),
        ("run.json", "{"),
        ("run.json", '{"status": "finished", "data": 3, "versions": []}'),
        ("data.json", "{}"),
        ("data.json", '{"spec": {"height": 8}}'),
        ("data.json", '{"spec": []}'),
        ("recipe.toml", "batch = "),
        ("recipe.toml", "unknown = 1"),
        ("data.json", None),
        ("recipe.toml", None),
    ],
)
def test_a_run_with_a_damaged_file_gives_one_line_or_works_without_it(
    command: tuple[str, ...], file: str, content: str | None, run: Path, cli: CommandLine
) -> None:
    before = final(run)
    if content is None:
        (run / file).unlink()
    else:
        (run / file).write_text(content)
    ended = cli(command[0], run, *command[1:])
    if ended.code != 0:
        assert file in ended.complaint or str(run.name) in ended.complaint or "option" in ended.err
        assert final(run) == before


@pytest.mark.parametrize(
    "command",
    [
        ("sample", "1"),
        ("resume", "1"),
        ("evaluate", "1"),
        ("export", "1"),
        ("compare", "1", "1"),
        ("train", "digits", "--from", "1", "--dry-run"),
    ],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(("key", "how"), [("format", "written in format"), ("rules", "made under")])
def test_a_run_of_a_newer_version_is_refused_by_every_command(
    command: tuple[str, ...], key: str, how: str, run: Path, cli: CommandLine
) -> None:
    about = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(about | {key: 7}))
    complaint = cli(*command).complaint
    assert f"run '{run.name}' was {how}" in complaint
    known = {"format": FORMAT, "rules": RULES}[key]
    assert f"7 by a newer sparring; this one knows up to {known}" in complaint


def test_listing_runs_survives_a_damaged_one(run: Path, cli: CommandLine) -> None:
    shutil.copytree(run, run.with_name("0002-damaged"))
    (run.with_name("0002-damaged") / "run.json").write_text("{")
    (run.with_name("0003-empty")).mkdir()
    ended = cli("runs")
    assert "Traceback" not in ended.err
    assert run.name in ended.out


def test_another_architecture_is_told(run: Path, cli: CommandLine) -> None:
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("width = 64", "width = 32"))
    assert cli("sample", run, "-n", "1").complaint
    assert cli("resume", run, "--budget", "+1-steps").complaint


def test_fine_tuning_from_other_networks_is_refused(run: Path, cli: CommandLine) -> None:
    wider = ("--generator.width", "99", "--budget", "1-steps")
    assert run.name in cli("train", "digits", "--from", "latest", *wider).complaint
    assert len(list((cli.folder / "runs").iterdir())) == 1


# Checkpoints


def newest(run: Path) -> Path:
    return latest_intact(run / "checkpoints")


def forge(checkpoint: Path, name: str, content: bytes) -> None:
    """Replace a file and make the manifest vouch for it."""
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / "manifest.json").read_text())
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest["files"][name] = entry
    (checkpoint / "manifest.json").write_text(json.dumps(manifest))


@pytest.fixture
def long_run(cli: CommandLine, long_trained: Path) -> Path:
    """A finished run with several checkpoints, below the test's folder."""
    return Path(shutil.copytree(long_trained, cli.folder / "runs" / long_trained.name))


@pytest.fixture(scope="session")
def long_trained(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("long") / "work"
    folder.mkdir()
    often = ("--checkpoint.every-ticks", "2", "--checkpoint.keep", "3")
    return CommandLine(server, folder).train("digits", *QUICK, *often)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip, Path.unlink])
@pytest.mark.parametrize("file", ["model.safetensors", "train.safetensors", "manifest.json"])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(
    damage: Callable[[Path], None], file: str, long_run: Path, cli: CommandLine
) -> None:
    good = final(long_run)
    last = newest(long_run)
    damage(last / file)
    assert newest(long_run) != last
    sampled = cli("sample", "latest", "-n", "1")
    assert sampled.code == 0, sampled.err
    assert last.name in sampled.err
    resumed = cli("resume", "latest", "--budget", "+1-steps")
    assert resumed.code == 0, resumed.err
    assert last.name in resumed.err
    assert final(long_run) != good


def test_a_run_goes_on_from_the_checkpoint_before_a_damaged_one_bit_for_bit(
    long_run: Path, cli: CommandLine
) -> None:
    good = final(long_run)
    truncate(newest(long_run) / "model.safetensors")
    about = json.loads((long_run / "run.json").read_text())
    (long_run / "run.json").write_text(json.dumps(about | {"status": "running"}))
    assert cli("resume", "latest").code == 0
    assert final(long_run) == good


@pytest.mark.parametrize("command", [("sample",), ("resume", "--budget", "+1-steps")])
def test_no_intact_checkpoint_gives_one_line(
    command: tuple[str, ...], long_run: Path, cli: CommandLine
) -> None:
    for path in (long_run / "checkpoints").glob("0*"):
        truncate(path / "model.safetensors")
    assert "no intact checkpoint" in cli(command[0], "latest", *command[1:]).complaint


class Malice:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("command", [("sample",), ("resume", "--budget", "+1-steps")])
@pytest.mark.parametrize("kind", ["pickle", "header of 2^60", "3 TB", "empty", "other tensors"])
@pytest.mark.parametrize("file", ["model.safetensors", "train.safetensors"])
def test_no_content_of_a_checkpoint_is_trusted(
    file: str, kind: str, command: tuple[str, ...], run: Path, cli: CommandLine
) -> None:
    mark = cli.folder / "mark"
    tensor = {"x": {"dtype": "F32", "shape": [750_000_000_000], "data_offsets": [0, 3 * 10**12]}}
    declared = json.dumps(tensor).encode()
    contents = {
        "pickle": pickle.dumps(Malice(mark)),
        "header of 2^60": struct.pack("<Q", 2**60) + b"{}",
        "3 TB": struct.pack("<Q", len(declared)) + declared,
        "empty": b"",
        "other tensors": struct.pack("<Q", 2) + b"{}",
    }
    forge(newest(run), file, contents[kind])
    ended = cli(command[0], run, *command[1:])
    assert not mark.exists()
    if (file, command[0]) == ("train.safetensors", "sample"):
        assert ended.code == 0  # which needs the model alone
    else:
        assert ended.complaint


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"step": "x"}', b"\xff"])
def test_counters_that_are_none_give_one_line(content: bytes, run: Path, cli: CommandLine) -> None:
    forge(newest(run), "state.json", content)
    assert "state.json" in cli("resume", run, "--budget", "+1-steps").complaint


def test_another_format_of_checkpoint_is_told(run: Path, cli: CommandLine) -> None:
    manifest = newest(run) / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    assert "another version" in cli("sample", run).complaint


# The machine


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    with suppress(OSError):
        if os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0:
            yield folder
            subprocess.run(["umount", "-l", folder], check=True)
            return
    pytest.skip("needs the right to mount")


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1024))


def test_a_disk_that_fills_up_costs_only_what_did_not_fit(
    small_disk: Path, cli: CommandLine
) -> None:
    command = cli.start("train", "digits", *SLOW, "--runs", small_disk)
    command.until(lambda said: said.count("D(real)") > 5)
    fill(small_disk / "filler")
    ended = command.wait()
    assert "No space left on device; training goes on" in ended.err
    assert "100%  2,560 seen" in ended.err
    assert "can be resumed from" in ended.complaint  # not all that was trained is saved
    assert cli("sample", "latest", "-n", "1", "--runs", small_disk, "--out", "x.npz").code == 0
    (small_disk / "filler").unlink()
    resumed = cli("resume", "latest", "--runs", small_disk)
    assert resumed.code == 0, resumed.err
    assert final(Path(resumed.out.strip())) == final(cli.train("digits", *SLOW))


def test_a_disk_that_is_full_from_the_start_gives_one_line(
    small_disk: Path, cli: CommandLine
) -> None:
    fill(small_disk / "filler")
    told = cli("train", "digits", *QUICK, "--runs", small_disk).complaint
    assert "No space left on device" in told
    assert "[Errno" not in told


FULL_WHILE_SAVING = """
import errno, os, sparring.training.checkpoint as checkpoint
write = checkpoint._write
def full(path, content):
    if path.parent.name.startswith((".000001", ".000002.")) and "train" in path.name:
        path.write_bytes(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    write(path, content)
checkpoint._write = full
"""


def test_a_save_that_fails_keeps_the_checkpoint_before_and_training_goes_on(
    cli: CommandLine,
) -> None:
    ended = cli("train", "digits", *SLOW, "--checkpoint.keep", "99", prelude=FULL_WHILE_SAVING)
    assert ended.code == 0, ended.err
    assert "could not write the checkpoint: No space left on device; training goes on" in ended.err
    saved = {p.name for p in (cli.folder / ended.out.strip() / "checkpoints").glob("0*")}
    assert "000000960" in saved
    assert not {name for name in saved if name.startswith("000001")}
    assert "000002560" in saved


SILENT_LOG = """
import errno, os
from pathlib import Path
real = Path.open
def opened(self, mode="r", *rest, **more):
    if self.name == "events.jsonl" and "a" in mode:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
    return real(self, mode, *rest, **more)
Path.open = opened
"""


def test_a_log_that_cannot_be_written_is_told_once_and_training_goes_on(cli: CommandLine) -> None:
    ended = cli("train", "digits", *QUICK, prelude=SILENT_LOG)
    assert ended.code == 0, ended.err
    assert sum("events.jsonl" in line or "log" in line for line in ended.err.splitlines()) == 1
    run = cli.folder / ended.out.strip()
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_training_that_diverges_is_diagnosed_and_the_checkpoint_before_is_kept(
    cli: CommandLine,
) -> None:
    ended = cli("train", "digits", *QUICK, "--optimizer.lr", "1e30")
    assert ended.code == 1
    assert "diverged" in ended.complaint
    assert "--optimizer.lr" in ended.complaint
    assert ended.err.count("learning rate halved") == 3
    (run,) = (cli.folder / "runs").glob("0*")
    about = json.loads((run / "run.json").read_text())
    assert about["status"] == "failed"
    assert "diverged" in about["reason"]
    assert len(events(run, "rollback")) == 3
    assert (run / "report.html").is_file()
    assert cli("sample", "latest", "-n", "1").code == 0


def test_one_bad_step_is_rolled_back_and_the_run_finishes(cli: CommandLine) -> None:
    once = """
import sparring.training.loop as loop
step, calls = loop.train_step, []
def train_step(state, game, batch):
    calls.append(state.samples_seen)
    if len(calls) == 6:
        raise loop.NonFinite("the loss is not finite")
    return step(state, game, batch)
loop.train_step = train_step
"""
    ended = cli("train", "digits", *QUICK, prelude=once)
    assert ended.code == 0, ended.err
    assert ended.err.count("learning rate halved (attempt 1 of 3)") == 1
    (run,) = (cli.folder / "runs").glob("0*")
    assert len(events(run, "rollback")) == 1
    assert [end["images"] for end in events(run, "finished")] == [640]


@pytest.mark.parametrize("name", ["a [/x] b", "ünï 日本", "new\nline", "-dash", "%s {x} $HOME"])
def test_any_name_of_a_folder_will_do(name: str, pets: Path, cli: CommandLine) -> None:
    shutil.copytree(pets, cli.folder / name / "data")
    where = f"./{name}"
    ended = cli("train", f"{where}/data", *QUICK, "--runs", f"{where}/runs")
    assert ended.code == 0, ended.err
    sampled = cli("sample", "latest", "--runs", f"{where}/runs", "-n", "2", "--out", f"{where}/out")
    assert sampled.code == 0, sampled.err
    assert (cli.folder / where / "out/grid.png").is_file()
    assert cli("train", f"{where}/nothing", *QUICK).complaint


def test_memory_is_not_spent_on_what_a_picture_declares(cli: CommandLine) -> None:
    huge_pictures(cli.folder / "huge")
    measure = """
import atexit, resource, sys
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
import sparring.cli.app as c
fail = c.fail
def told(message, code):
    print("grew", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
    fail(message, code)
c.fail = told
"""
    ended = cli("data", "huge", prelude=measure)
    assert "megapixels" in ended.complaint
    (grew,) = (int(line.split()[1]) for line in ended.err.splitlines() if line.startswith("grew"))
    assert grew < 100_000  # kB


def test_a_process_may_write_small_files_only(cli: CommandLine) -> None:
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (20_000, r.RLIM_INFINITY))"
    ended = cli("train", "digits", *QUICK, prelude=limit)
    assert "File too large" in ended.complaint
