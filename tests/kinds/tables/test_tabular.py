"""The pair for tables: revealed columns are kept, categories are exact."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import chisquare, kstest

from sparring.draws import Draw
from sparring.kinds.tables.condition_sampler import condition_vector
from sparring.kinds.tables.networks import TabularDiscriminator, TabularGenerator
from sparring.kinds.tables.spec import TableSpec
from sparring.kinds.tables.types import infer
from sparring.networks.gumbel import gumbel


@pytest.fixture(scope="module")
def spec() -> TableSpec:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(60) < 0.2, np.nan, rng.normal(size=60)),
            "kind": rng.choice(["a", "b", "c"], 60),
            "row": range(60),
            "weight": rng.normal(size=60),
        }
    )
    return TableSpec(infer(frame))


@pytest.fixture(scope="module")
def generator(spec: TableSpec) -> TabularGenerator:
    torch.manual_seed(0)
    return TabularGenerator(spec, 8, 16, 2).eval()


def latents(generator: TabularGenerator, rows: int, seed: int = 0) -> torch.Tensor:
    return Draw(seed, 0).normal("test", (rows, generator.latent))


def test_a_latent_has_a_number_for_each_category_beside_its_own(generator: Any) -> None:
    assert generator.latent == 8 + 2 + 3  # present or missing; a, b, c


def test_groups_are_one_hot_in_evaluation_and_relaxed_in_training(
    spec: TableSpec, generator: TabularGenerator
) -> None:
    z = latents(generator, 50)
    row = generator(z)
    relaxed = generator.train()(z)
    generator.eval()
    for block in spec.blocks:
        group = row[:, block.start : block.start + block.width]
        soft = relaxed[:, block.start : block.start + block.width]
        if block.kind == "number":
            torch.testing.assert_close(group, soft)
        else:
            assert ((group == 0) | (group == 1)).all()
            torch.testing.assert_close(soft.sum(1), torch.ones(50))
            assert ((soft > 0.001) & (soft < 0.999)).any()
            assert (soft.argmax(1) == group.argmax(1)).all()


def test_revealed_columns_come_out_as_they_went_in_and_the_rest_is_drawn(
    spec: TableSpec, generator: TabularGenerator
) -> None:
    given, weight = np.arange(30) % 3, np.full(30, 0.25)
    told = condition_vector(spec, {"kind": given.astype(float), "weight": weight}, 30)
    row = generator(latents(generator, 30), told).detach()
    start = next(block.start for block in spec.blocks if block.column == "kind")
    assert (row[:, start : start + 3].numpy().argmax(1) == given).all()
    assert (row[:, -1] == told[0, spec.size - 1]).all()
    assert len(row[:, 0].unique()) == 30


def test_what_is_revealed_changes_the_rest(spec: TableSpec, generator: TabularGenerator) -> None:
    z = latents(generator, 20)
    a, b = (
        generator(
            z,
            condition_vector(spec, {"kind": np.full(20, float(i))}, 20),
        )
        for i in (0, 1)
    )
    assert (a[:, 0] != b[:, 0]).all()


def test_nothing_revealed_is_no_condition(spec: TableSpec, generator: TabularGenerator) -> None:
    z = latents(generator, 20)
    torch.testing.assert_close(generator(z), generator(z, condition_vector(spec, {}, 20)))


def test_categories_of_equal_logits_are_equally_likely(
    spec: TableSpec, generator: TabularGenerator
) -> None:
    head = {name: torch.zeros_like(p) for name, p in generator.head.state_dict().items()}
    before = {name: p.clone() for name, p in generator.head.state_dict().items()}
    generator.head.load_state_dict(head)
    start = next(block.start for block in spec.blocks if block.column == "kind")
    chosen = generator(latents(generator, 6000))[:, start : start + 3].sum(0)
    generator.head.load_state_dict(before)
    assert chisquare(chosen.detach().numpy()).pvalue > 0.001


def test_normal_numbers_become_gumbel_ones_and_stay_finite() -> None:
    noise = gumbel(Draw(0, 0).normal("noise", (20_000,)))
    assert kstest(noise.numpy(), "gumbel_r").pvalue > 0.01
    assert gumbel(torch.tensor([-40.0, 40.0])).isfinite().all()


def test_the_discriminator_sees_which_columns_were_revealed(spec: TableSpec) -> None:
    torch.manual_seed(0)
    judge = TabularDiscriminator(spec, 16, 2)
    x = torch.randn(10, spec.size)
    shown = condition_vector(spec, {"weight": x[:, -1].double().numpy()}, 10)
    assert judge(x).shape == (10,)
    torch.testing.assert_close(judge(x), judge(x, condition_vector(spec, {}, 10)))
    assert (judge(x, shown) != judge(x)).all()
