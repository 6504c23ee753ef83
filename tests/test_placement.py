"""Everything of a game lies on the device asked for; which one that is, is decided once.

Here is no accelerator. The device `meta` stands for one: it computes nothing but shapes, and what
mixes it with the CPU is refused, as a real one refuses it (`FakeTensorMode`).
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits, load_wine
from torch import Tensor
from torch.optim import optimizer as torch_optimizer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sparring.build import (
    autocast_type,
    begin_phase,
    build_game,
    build_state,
    device_of,
    with_depths,
    with_representation,
)
from sparring.data.dataset import Dataset
from sparring.data.labels import labels_in_proportion
from sparring.errors import SparringError
from sparring.kinds import BUILT_IN, kind_of, open_data
from sparring.recipes.named import preset
from sparring.recipes.recipe import Recipe, nested, resolve
from sparring.recipes.sections import Options, PenaltiesRecipe
from sparring.runs import plan
from sparring.runs.plan import batches
from sparring.runs.symptoms import MAX_SCORED, discriminator_aucs
from sparring.sampling import sample
from sparring.spec import Spec
from sparring.training.state import State, counters, model_tensors, restore, train_tensors
from sparring.training.step import train_step

DEVICE = "meta"
CLASSES = ("a", "b")


def _frame() -> pd.DataFrame:
    wine = load_wine(as_frame=True)
    return wine.data.iloc[:, :3].assign(kind=wine.target_names[wine.target])


SOURCES: dict[str, tuple[Callable[[], Any], Options]] = {
    "image": (lambda: np.uint8(load_digits().images), {}),
    "vector": (lambda: load_wine().data[:, :3], {}),
    "audio": (
        lambda: np.sin(np.outer(np.linspace(0.1, 1, 40), np.arange(3000))).astype(np.float32),
        {"data.kind": "audio", "data.rate": 8000},
    ),
    "table": (_frame, {}),
    "text": (lambda: [f"{a}{b}" for a in "abcdefgh" for b in "ijklmnop"], {}),
}
PENALTIES = {
    f"penalties.{field.name}": {"weight": "1", "every": 1} for field in fields(PenaltiesRecipe)
}
GAMES: dict[str, Options] = {
    "both at once": {"order": "simultaneous"},
    "every penalty": {"order": "alternating", "discriminator_moves": 2, **PENALTIES},
}


@cache
def data_of(name: str, *, conditional: bool) -> Dataset:
    source, options = SOURCES[name]
    data = open_data(source(), resolve(nested(options)).data, cache=Path("nowhere"))
    if not conditional:
        return data
    labels = np.arange(len(data.items)) % len(CLASSES)
    return replace(data, spec=replace(data.spec, classes=CLASSES), labels=labels)


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield each network of each kind beside one that it goes with."""
    for kind in BUILT_IN:
        spec = data_of(kind.name, conditional=False).spec
        networks = [network for network in kind.architectures if not network.on_cpu]
        met: set[tuple[str, str]] = set()
        for made, seen in sorted(product(networks, repeat=2), key=lambda pair: pair[0] != pair[1]):
            names = {"generator.network": made.name, "discriminator.network": seen.name}
            recipe = resolve(preset("default", "tiny", spec), nested(names))
            with suppress(SparringError):
                with_depths(recipe, spec)
                kind.play.with_representation(spec, recipe.generator, recipe.discriminator)
                if new := set(names.items()) - met:
                    met |= new
                    yield kind.name, made.name, seen.name


def recipe_of(data: Dataset, networks: Options, game: Options, device: str = DEVICE) -> Recipe:
    kind = kind_of(data.spec)
    options = {**networks, **game, "device": device, "images": 1000, "batch": 4}
    base = preset("default", "tiny", data.spec)
    recipe = with_depths(resolve(base, nested(options)), data.spec)
    augmented = replace(recipe.augment, kinds=" ".join(kind.augmentations), probability="0.5")
    try:
        build_game(replace(recipe, augment=augmented), with_representation(data, recipe).spec)
    except SparringError:
        return recipe
    return replace(recipe, augment=augmented)


class OneDevice(TorchDispatchMode):
    """Refuses what mixes devices, numbers and copies aside, and float64, which MPS has not."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        aten, like = torch.ops.aten, args[0] if args else None
        if isinstance(like, Tensor) and like.is_meta:
            if func is aten._local_scalar_dense.default:
                return like.dtype == torch.bool or 1.0  # what Python asks: yes, or 1
            away = str((kwargs or {}).get("device", DEVICE)) != DEVICE
            if away and func.overloadpacket in (aten._to_copy, aten.to):
                return torch.ones(like.shape, dtype=kwargs.get("dtype"))
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        devices = {tensor.device.type for tensor in given if tensor.ndim}
        assert not any(tensor.is_meta and tensor.dtype == torch.float64 for tensor in given), func
        assert len(devices) < 2 or func is torch.ops.aten.copy_.default, func
        return func(*args, **kwargs or {})


@pytest.fixture
def accelerator(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let `meta` do what accelerators do, and be as strict."""
    fused = torch_optimizer._get_fused_kernels_supported_devices
    monkeypatch.setattr(
        torch_optimizer, "_get_fused_kernels_supported_devices", lambda: [*fused(), DEVICE]
    )
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())


def tensors(state: State) -> Iterator[Tensor]:
    for network in (state.generator, state.discriminator, state.ema):
        yield from network.state_dict().values()
    for optimizer in (state.generator_optimizer, state.discriminator_optimizer):
        for moments in optimizer.state.values():
            yield from (value for value in moments.values() if isinstance(value, Tensor))


@pytest.mark.parametrize(
    ("case", "game"),
    [(pair, ("every penalty", "both at once")[i % 2]) for i, pair in enumerate(pairs())],
)
def test_a_step_mixes_no_devices(case: tuple[str, str, str], game: str, accelerator: None) -> None:
    kind, generator, discriminator = case
    data = data_of(kind, conditional=game == "both at once" and kind != "table")
    networks = {"generator.network": generator, "discriminator.network": discriminator}
    recipe = recipe_of(data, networks, GAMES[game])
    data = with_representation(data, recipe)
    state = build_state(recipe, data.spec)
    batch = batches(data, recipe)(0, recipe.batch * recipe.discriminator_moves)
    for tensor in (*tensors(state), *batch):
        assert tensor is None or tensor.is_meta
    with OneDevice():
        train_step(state, build_game(recipe, data.spec), batch)


@pytest.mark.parametrize("kind", SOURCES)
def test_a_look_and_the_phase_before_the_game_mix_no_devices(kind: str, accelerator: None) -> None:
    data = data_of(kind, conditional=kind != "table")
    recipe = recipe_of(data, {"generator.network": "tabular"} if kind == "table" else {}, {})
    data = with_representation(data, recipe)
    state = build_state(recipe, data.spec)
    labels = labels_in_proportion(data, MAX_SCORED)
    with OneDevice():
        if phase := begin_phase(recipe, data, state):
            phase.take_step(state)
        discriminator_aucs(state, data, labels)
        fakes = list(sample(state.ema, 3, labels=None if labels is None else labels[:3]))
    assert [(len(fake), fake.device.type) for fake in fakes] == [(3, "cpu")]


def test_a_checkpoint_fits_a_state_on_any_device(accelerator: None) -> None:
    data = data_of("image", conditional=False)
    here, there = (
        build_state(recipe_of(data, {}, {}, device), data.spec) for device in ("cpu", DEVICE)
    )
    restore(there, model_tensors(here), train_tensors(here), {**counters(here), "images": 40})
    assert all(tensor.is_meta for tensor in tensors(there))
    assert there.samples_seen == 40


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_auto_is_the_fastest_that_is_there(
    cuda: bool, mps: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert Recipe().device == "auto"
    assert device_of(Recipe()) == expected
    assert device_of(Recipe(device="cuda:1")) == "cuda:1"


def test_the_arithmetic_follows_the_device_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    large = Recipe(size="large")
    assert autocast_type(large) is None
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert autocast_type(large) == torch.bfloat16


@pytest.mark.parametrize("kind", SOURCES)
def test_reals_are_the_same_on_every_device(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded on the CPU: not every device has the same sums, nor float64."""
    data, devices = data_of(kind, conditional=False), set()
    encode = plan.encode

    def watched(items: Tensor, spec: Spec) -> Tensor:
        devices.add(items.device.type)
        return encode(items, spec)

    monkeypatch.setattr(plan, "encode", watched)
    recipe = recipe_of(data, {}, {})
    assert batches(with_representation(data, recipe), recipe)(0, 4).x.is_meta
    assert devices == {"cpu"}
