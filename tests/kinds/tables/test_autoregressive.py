"""The autoregressive generator of tables: exact probabilities, exact conditions, exact resumes."""

from collections.abc import Iterator
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.optim import Adam

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.kinds.tables import preparation
from sparring.kinds.tables.autoregressive.codes import drawing_order
from sparring.kinds.tables.autoregressive.network import AutoregressiveGenerator
from sparring.kinds.tables.autoregressive.revealing import kept_units, revealed
from sparring.kinds.tables.options import TableOptions
from sparring.kinds.tables.preparation import ALONE, TOGETHER, Folds, LikelihoodPhase
from sparring.kinds.tables.reader import open_data
from sparring.recipes.sections import GeneratorRecipe
from sparring.sampling import sample
from sparring.training.state import State, new_state, restore, take_snapshot


def table(rows: int = 120) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    kind = generator.choice(["round", "square", "odd"], rows, p=[0.6, 0.3, 0.1])
    usual = np.select([kind == "round", kind == "square"], [1.5, 2.5], 5.0)
    size = np.where(generator.random(rows) < 0.1, 4.0, usual)
    frame = pd.DataFrame({"kind": kind, "size": size, "weight": generator.normal(50, 9, rows)})
    frame["weight"] = frame["weight"].round(1)
    frame["total"] = (frame["weight"] + frame["size"]).round(1)
    frame["code"] = frame["kind"].map({"round": 7, "square": 3, "odd": 1})
    frame.loc[::17, "weight"] = np.nan
    return frame


@pytest.fixture(scope="module")
def data() -> Dataset:
    return open_data(table(), TableOptions(rule=("total=weight+size",), held_out=0.0))


def network(data: Dataset, members: int = 1, laws: int = 0) -> AutoregressiveGenerator:
    torch.manual_seed(0)
    spec = data.spec
    made = AutoregressiveGenerator(spec, 6, 1, members=members, laws=laws)  # type: ignore[arg-type]
    return made.eval()


def drawn(network: nn.Module, n: int, given: Tensor | None = None, seed: int = 1) -> Tensor:
    return torch.cat(list(sample(network, n, seed=seed, labels=given)))


# ---- probabilities


@pytest.mark.parametrize(("members", "laws"), [(1, 0), (3, 2)])
def test_probabilities_of_all_rows_add_up_to_one(members: int, laws: int) -> None:
    frame = pd.DataFrame({"a": ["x", "y", "y", None] * 30, "b": np.repeat(np.arange(10.0), 12)})
    data = open_data(frame, TableOptions(held_out=0.0))
    model = network(data, members, laws)
    cells = torch.tensor([*product([0, 1, torch.nan], np.arange(10.0))], dtype=torch.float64)
    ln_p = model.log_likelihood(model.read(cells))
    assert torch.allclose(ln_p.sum(1).exp().sum(1), torch.ones(members), atol=1e-5)
    mask = torch.zeros(30, 2)
    mask[:, 1] = 1  # what is revealed changes the law of the other, which stays one
    (first,) = {model.modelled.index(0)}
    shown = model.log_likelihood(model.read(cells), mask)[:, first]
    by_b = shown.exp().view(members, 3, 10)
    assert torch.allclose(by_b.sum(1), torch.ones(members, 10), atol=1e-5)
    assert not torch.allclose(by_b[:, :, 0], by_b[:, :, 9], atol=1e-4)


def test_cells_are_drawn_as_often_as_their_probability_says(data: Dataset) -> None:
    model = network(data, members=2)
    first = model.codes[0]
    assert first.name == "kind"
    items = torch.tensor([[k, 1.5, 50, 51.5, 0] for k in range(3)], dtype=torch.float64)
    share = model.log_likelihood(model.read(items))[:, 0].exp().mean(0)
    latent = torch.zeros(1000, model.latent)
    latent[:, 0] = torch.special.ndtri((torch.arange(1000) + 0.5) / 1000)
    made = model(latent)[:, first.place].detach()
    assert [(made == k).float().mean().item() for k in range(3)] == pytest.approx(
        share.tolist(), abs=2e-3
    )


def test_a_fresh_network_starts_at_the_frequencies(data: Dataset) -> None:
    kinds = drawn(network(data), 640)[:, 0]
    counts = data.spec.columns[0].counts  # type: ignore[attr-defined]
    shares = [(kinds == place).double().mean().item() for place in range(3)]
    assert shares == pytest.approx([count / 120 for count in counts], abs=0.12)


def test_sources_are_drawn_before_what_follows_from_them(data: Dataset) -> None:
    names = [data.spec.learned[at].name for at in drawing_order(data.spec.learned)]  # type: ignore[attr-defined]
    assert names == ["kind", "code", "size", "weight", "total"]


# ---- rows


def test_relations_hold_in_all_rows_of_an_untrained_network(data: Dataset) -> None:
    rows = drawn(network(data), 500)
    kind, size, weight, total, code = rows.T
    whole = ~weight.isnan()
    assert torch.equal(total[whole], ((weight + size)[whole] * 10).round() / 10)
    assert len(torch.unique(torch.stack([kind, code], 1), dim=0)) == len(kind.unique()) == 3


def test_given_cells_are_kept(data: Dataset) -> None:
    model = network(data)
    items = torch.from_numpy(data.items[:100, :5])
    mask = torch.rand(100, 5, generator=torch.Generator().manual_seed(0)) < 0.5
    rows = drawn(model, 100, torch.cat([items, mask.double()], 1))
    assert torch.equal(rows[mask].nan_to_num(-7), items[mask].nan_to_num(-7))
    unseen = torch.cat([torch.full_like(items, -1.0), torch.zeros(100, 5).double()], 1)
    unseen[:, 5] = 1  # a category that training has never seen
    assert (drawn(model, 100, unseen)[:, 0] == -1).all()


def test_a_row_is_a_function_of_its_seed_and_place(data: Dataset) -> None:
    model = network(data, members=2)
    rows = drawn(model, 150)
    assert torch.equal(drawn(model, 70).nan_to_num(), rows[:70].nan_to_num())
    later = torch.cat(list(sample(model, 86, seed=1, start=64)))
    assert torch.equal(later.nan_to_num(), rows[64:].nan_to_num())


@pytest.mark.slow
def test_onnx_makes_the_same_rows(data: Dataset) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    from sparring.export import to_onnx

    model = network(data, members=2, laws=2)
    session = onnxruntime.InferenceSession(to_onnx(model, data.spec))
    latent = torch.randn(200, model.latent, generator=torch.Generator().manual_seed(0))
    (made,) = session.run(None, {"latent": latent.numpy()})
    assert made.dtype == np.float64
    np.testing.assert_array_equal(made, model(latent).detach().numpy())


# ---- learning


def test_half_of_revealing_rows_reveal_one_cell() -> None:
    counts = revealed(Draw(0), 4000, 8).sum(1)
    shares = [(counts == count).double().mean().item() for count in range(9)]
    expected = [0.9 * 2.0**-n for n in range(1, 4)]
    assert shares[1:4] == pytest.approx([e + 0.1 / 8 for e in expected], abs=0.02)
    kept = kept_units(Draw(0), (4, 1000), 0.3)
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 256 / 179])
    assert kept.mean().item() == pytest.approx(1, abs=0.05)


def test_no_member_learns_from_its_own_fold() -> None:
    train = np.arange(100, 153)
    folds = Folds(train, 5)
    owned = folds.owned(folds.learned)
    assert len(folds.learned) == len(folds.aside) == 53
    assert (owned.sum(0) == 1).all()
    assert owned.sum(1).tolist() == [11, 11, 11, 10, 10]
    alone = Folds(train, 1)
    assert not {*alone.learned} & {*alone.aside}
    assert len(alone.aside) == 3


def fresh(data: Dataset, members: int, steps: int) -> tuple[State, LikelihoodPhase]:
    model, judge = network(data, members), nn.Linear(1, 1)
    optimizers = [Adam(player.parameters(), fused=True) for player in (model, judge)]
    state = new_state(model, judge, *optimizers)
    pace = ALONE if members == 1 else TOGETHER
    phase = preparation.phase(state, data, GeneratorRecipe(warm_start=steps * pace.batch))
    assert phase is not None
    phase.begin(state)
    return state, phase


def go_on(state: State, phase: LikelihoodPhase, steps: int) -> None:
    for _ in range(steps):
        phase.take_step(state)
        state.prepared += phase.batch


def test_a_phase_goes_on_bit_for_bit(data: Dataset) -> None:
    state, phase = fresh(data, 2, 24)
    go_on(state, phase, 5)
    kept = take_snapshot(state)
    go_on(state, phase, 4)
    other, again = fresh(data, 2, 24)
    restore(other, kept.model, kept.train, kept.counts)
    go_on(other, again, 4)
    for one, two in zip(*map(tensors, (state, other)), strict=True):
        assert torch.equal(one, two)


def tensors(state: State) -> Iterator[Tensor]:
    snapshot = take_snapshot(state)
    yield from (*snapshot.model.values(), *snapshot.train.values())


def test_each_member_keeps_the_weights_that_its_fold_likes_best(data: Dataset) -> None:
    state, phase = fresh(data, 2, 20)
    assert state.preparing
    memory, seen = state.preparing.memory, []
    for step in range(10):
        if step == 5:  # the first member forgets what it knew
            memory["average.first.bias"].view(2, -1)[0] += 50
            state.generator.first.bias.data.view(2, -1)[0] += 50  # type: ignore[union-attr, operator]
            kept = state.ema.first.bias.view(2, -1).clone()  # type: ignore[union-attr, operator]
        go_on(state, phase, 1)
        seen.append(memory["loss"].clone())
    assert all((after <= before).all() for before, after in pairwise(seen))
    assert memory["fruitless"].tolist() == [5, 0]
    now = state.ema.first.bias.view(2, -1)  # type: ignore[union-attr, operator]
    assert torch.equal(now[0], kept[0])
    assert not torch.equal(now[1], kept[1])
    assert not phase.is_settled(state)
    memory["fruitless"][1] = 5
    assert phase.is_settled(state)


def test_likelihood_of_rows_rises(data: Dataset) -> None:
    state, phase = fresh(data, 1, 40)
    before = phase._judged(state)
    go_on(state, phase, 40)
    assert phase._judged(state) < before - 0.3
