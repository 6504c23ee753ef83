"""The library from Python: runs, the estimator, and names that load when they are used."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import sparring
from sparring.data.pack import LoadedItems, PackStore

FEW = {"size": "tiny", "threads": 1, "budget": "640-images", "checkpoint.ticks": 2}


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """All real digits, uint8 of shape (1797, 8, 8)."""
    return np.rint(load_digits().images * (255 / 16)).astype(np.uint8)


@pytest.fixture(autouse=True)
def short_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sparring.runs.device.PROBE_SECONDS", 0.001)


@pytest.fixture
def run(tmp_path: Path) -> sparring.Run:
    return sparring.train("digits", root=tmp_path / "runs", **FEW)


def test_train_returns_the_finished_run(run: sparring.Run, tmp_path: Path) -> None:
    assert run.path == tmp_path / "runs" / "0001-digits-tiny"
    assert run.status == "finished"
    assert (run.recipe.images, run.recipe.size) == (640, "tiny")
    assert run.spec.shape == (1, 8, 8)
    assert str(run.path) in repr(run)


def test_train_is_silent(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    sparring.train("digits", root=tmp_path, **FEW)
    assert capfd.readouterr() == ("", "")


def test_tables_and_dotted_options_are_the_same(tmp_path: Path) -> None:
    dotted = sparring.train("digits", root=tmp_path, **FEW, **{"optimizer.lr": 1e-4})
    table = sparring.train("digits", root=tmp_path, **FEW, optimizer={"lr": "1e-4"})
    assert np.array_equal(dotted.sample(8), table.sample(8))
    assert dotted.recipe.optimizer.lr == table.recipe.optimizer.lr == "0.0001" or table.recipe


def test_load_finds_a_run_by_folder_number_name_and_latest(run: sparring.Run) -> None:
    root = run.path.parent
    for way in (run.path, str(run.path), "1", run.path.name, "latest"):
        assert sparring.load(way, root).path == run.path


def test_samples_are_bytes_and_the_same_for_the_same_seed(run: sparring.Run) -> None:
    few, many = run.sample(3, seed=5).numpy(), run.sample(70, seed=5).numpy()
    assert (many.shape, many.dtype) == ((70, 8, 8, 1), np.uint8)
    assert np.array_equal(few, many[:3])
    assert not np.array_equal(few, run.sample(3, seed=6).numpy())


def test_sampling_does_not_disturb_the_global_random_numbers(run: sparring.Run) -> None:
    import torch

    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    run.sample(3)
    assert torch.equal(torch.rand(4), expected)


def test_the_programs_number_of_threads_is_left_alone(run: sparring.Run, tmp_path: Path) -> None:
    assert run.recipe.threads == 1
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        run.sample(1)
        sparring.GAN(size="tiny", budget="2-steps", options={"threads": 1}).fit(
            np.eye(20, 2, dtype=np.float32)
        ).sample(1)
        sparring.train("digits", size="tiny", budget="2-steps", threads=1, root=tmp_path)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_save_writes_by_suffix(run: sparring.Run, tmp_path: Path) -> None:
    samples = run.sample(5)
    assert np.array_equal(np.load(run.save(samples, tmp_path / "x.npz"))["images"], samples)
    with Image.open(run.save(samples, tmp_path / "x.png")) as picture:
        assert picture.width > 8
    folder = run.save(samples, tmp_path / "folder")
    assert len(list(folder.glob("0*.png"))) == 5
    assert run.save(samples).is_relative_to(run.path / "samples")
    assert run.save(samples.numpy(), str(tmp_path / "y.npz")).is_file()


def test_resume_extends_a_finished_run(run: sparring.Run) -> None:
    assert run.resume(budget="+2-steps") is run
    assert run.recipe.images == 640 + 128
    with pytest.raises(sparring.SparringError, match="is finished"):
        run.resume()


def test_a_run_on_an_array_can_be_resumed(images: NDArray[np.uint8], tmp_path: Path) -> None:
    run = sparring.train(images[:100], root=tmp_path, **FEW)
    assert run.resume(budget="+2-steps").status == "finished"


def test_training_in_a_thread_works(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(sparring.train, "digits", root=tmp_path, **FEW).result()
    assert run.status == "finished"


@pytest.mark.parametrize("data", [3, None, [1, 2], "nowhere", "", np.zeros((4, 4))])
def test_data_that_is_none_gives_one_line(data: object, tmp_path: Path) -> None:
    with pytest.raises(sparring.SparringError) as caught:
        sparring.train(data, root=tmp_path / "runs", **FEW)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "runs").exists()


def gan(**options: object) -> sparring.GAN:
    """Return a tiny estimator."""
    given = {"size": "tiny", "budget": "2k-images", "options": {"threads": 1}, "random_state": 0}
    return sparring.GAN(**given | options)  # type: ignore[arg-type]


def test_the_estimator_can_be_cloned_and_has_parameters() -> None:
    original = gan(objective="hinge")
    copy = clone(original)
    assert copy is not original
    assert copy.get_params() == original.get_params()
    assert copy.set_params(size="small", random_state=7).get_params()["random_state"] == 7
    with pytest.raises(ValueError, match="colour"):
        copy.set_params(colour="red")
    assert "GAN" in repr(original)


def test_the_estimator_fits_images_and_samples(images: NDArray[np.uint8]) -> None:
    fitted = gan().fit(images)
    samples = fitted.sample(70)
    assert (samples.shape, samples.dtype) == ((70, 8, 8, 1), np.uint8)
    assert fitted.n_images_ >= 1900
    assert np.array_equal(fitted.sample(3), samples[:3])
    assert not np.array_equal(fitted.sample(3, seed=1), samples[:3])


def test_the_estimator_writes_nothing(
    images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gan(budget="2-steps").fit(images)
    assert list(tmp_path.iterdir()) == []


def test_the_estimator_leaves_nothing_of_what_does_not_fit_into_memory(
    images: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    packed: list[Path] = []
    publish = PackStore.publish

    def noted(store: PackStore, loaded: LoadedItems, **how: Any) -> LoadedItems:
        packed.append(store._folder)
        return publish(store, loaded, **how)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.setattr("sparring.data.pack.available_memory", lambda: 0)
    monkeypatch.setattr(PackStore, "publish", noted)
    samples = gan(budget="2-steps").fit(images).sample(3)
    assert samples.shape == (3, 8, 8, 1)
    assert [path.is_relative_to(temporary) for path in packed] == [True]
    assert [*tmp_path.iterdir()] == [temporary]
    assert [*temporary.glob("sparring-*")] == []


def test_the_same_random_state_gives_the_same_fit(images: NDArray[np.uint8]) -> None:
    one, two, other = (gan(random_state=state).fit(images).sample(4) for state in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_without_a_random_state_each_fit_differs(images: NDArray[np.uint8]) -> None:
    estimator = gan(random_state=None, budget="2-steps")
    first = estimator.fit(images).sample(2)
    assert not np.array_equal(first, estimator.fit(images).sample(2))


@pytest.mark.parametrize("shape", [(50, 8, 8), (50, 8, 8, 3), (50, 6, 10, 1)])
@pytest.mark.parametrize("kind", ["uint8", "float"])
def test_the_estimator_takes_bytes_and_fractions(shape: tuple[int, ...], kind: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    given = pixels if kind == "uint8" else pixels / 255
    samples = gan(budget="2-steps").fit(given.tolist() if len(shape) == 3 else given).sample()
    assert samples.shape == (1, *shape[1:3], shape[3] if len(shape) == 4 else 1)


def test_sampling_before_fit_is_refused() -> None:
    with pytest.raises(NotFittedError):
        gan().sample(3)


@pytest.mark.parametrize("shape", [(50, 64), (64,), (2, 2, 2, 2, 2), (0, 8, 8), (1, 8, 8)])
def test_what_is_no_images_is_refused_in_one_line(shape: tuple[int, ...]) -> None:
    with pytest.raises(sparring.SparringError) as caught:
        gan().fit(np.zeros(shape, np.uint8))
    assert "\n" not in str(caught.value)
    assert str(shape) in str(caught.value) or str(shape[0]) in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"size": "huge"}, {"budget": "x"}, {"objective": "hing"}, {"options": {"bach": 1}}]
)
def test_wrong_parameters_are_refused_at_fit(
    wrong: dict[str, object], images: NDArray[np.uint8]
) -> None:
    with pytest.raises(sparring.SparringError):
        gan(**wrong).fit(images)


@pytest.mark.parametrize(("n", "seed"), [(0, 0), (-1, 0), (10_000_001, 0), (1, -1), (1, 2**70)])
def test_the_estimator_refuses_what_a_run_refuses(
    n: int, seed: int, images: NDArray[np.uint8]
) -> None:
    fitted = gan(budget="1-steps").fit(images)
    with pytest.raises(sparring.SparringError):
        fitted.sample(n, seed=seed)


def test_every_exported_name_resolves() -> None:
    assert sorted(sparring.__all__) == sparring.__all__
    for name in sparring.__all__:
        assert getattr(sparring, name) is not None
    assert set(sparring.__all__) <= set(dir(sparring))
    assert sparring.objectives.hinge is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nope"):
        _ = sparring.nope  # type: ignore[attr-defined]


def test_importing_the_package_imports_no_torch() -> None:
    code = "import sys, sparring, sparring.recipes.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
