"""Recipes: layers, the nearest key, one line for every mistake, and TOML that comes back."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from sparring.errors import SparringError
from sparring.recipes.notation import Budget, parse_budget, parse_horizon, parse_schedule
from sparring.recipes.recipe import (
    Recipe,
    keys,
    nested,
    parse_augmentations,
    penalties_in_use,
    read_recipe,
    resolve,
    to_toml,
)
from sparring.recipes.sections import merge


def refused(*layers: Any) -> str:
    with pytest.raises(SparringError) as caught:
        resolve(*layers)
    message = str(caught.value)
    assert "\n" not in message
    return message


# ---- layers


def test_no_layer_gives_the_defaults() -> None:
    assert resolve() == resolve({}) == Recipe()


def test_later_layers_lie_over_earlier_ones_key_by_key() -> None:
    recipe = resolve(
        {"batch": 8, "optimizer": {"lr": "1e-2", "beta1": 0.1}, "penalties": {"r1": {"every": 4}}},
        {"optimizer": {"lr": "1e-4"}, "penalties": {"r1": {"weight": "2"}}},
        {"seed": 5},
    )
    assert (recipe.batch, recipe.seed) == (8, 5)
    assert (recipe.optimizer.lr, recipe.optimizer.beta1) == ("1e-4", 0.1)
    assert (recipe.penalties.r1.weight, recipe.penalties.r1.every) == ("2", 4)
    assert recipe.optimizer.beta2 == Recipe().optimizer.beta2


def test_layers_are_not_changed_by_merging() -> None:
    below, above = {"optimizer": {"lr": "1"}}, {"optimizer": {"beta1": 0.5}}
    assert merge(below, above) == {"optimizer": {"lr": "1", "beta1": 0.5}}
    assert below == {"optimizer": {"lr": "1"}}
    assert above == {"optimizer": {"beta1": 0.5}}


def test_dotted_keys_become_tables() -> None:
    assert nested({"optimizer.lr": "1e-3", "optimizer.beta1": 0.5, "batch": 4}) == {
        "optimizer": {"lr": "1e-3", "beta1": 0.5},
        "batch": 4,
    }
    assert nested({"penalties.r1.weight": 1, "penalties.r1.every": 2}) == {
        "penalties": {"r1": {"weight": 1, "every": 2}}
    }
    assert nested({}) == {}


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().batch = 3  # type: ignore[misc]


def leaves(table: type, prefix: str = "") -> list[str]:
    found = []
    for field in dataclasses.fields(table):
        default = (
            field.default_factory()
            if field.default_factory is not dataclasses.MISSING
            else field.default
        )
        if dataclasses.is_dataclass(default):
            found += leaves(type(default), f"{prefix}{field.name}.")
        else:
            found.append(prefix + field.name)
    return found


def test_keys_lists_every_dotted_key_once() -> None:
    listed = list(keys())
    assert sorted(listed) == sorted(leaves(Recipe))
    assert len(set(listed)) == len(listed)
    for key in ("batch", "optimizer.lr", "penalties.finite_difference_r2.every", "data.crop"):
        assert key in listed


# ---- unknown keys


@pytest.mark.parametrize(
    ("options", "unknown", "near"),
    [
        ({"bacth": 1}, "bacth", "batch"),
        ({"label_smoothin": 1}, "label_smoothin", "label_smoothing"),
        ({"optimizer": {"lrr": 1}}, "optimizer.lrr", "optimizer.lr"),
        ({"optimizer": {"beta_1": 1}}, "optimizer.beta_1", "optimizer.beta1"),
        ({"penalties": {"r1": {"wieght": 1}}}, "penalties.r1.wieght", "penalties.r1.weight"),
        ({"penalties": {"r3": {"weight": 1}}}, "penalties.r3", "penalties.r"),
        ({"penalties": {"r3": {"every": 1}}}, "penalties.r3", "penalties.r2.every"),
        ({"penalties": {"r3": {"weight": 1}}}, "penalties.r3", "penalties.r2.weight"),
        ({"penalties": {"R1": {"weight": 1}}}, "penalties.R1", "penalties.r1.weight"),
        ({"optimiser": {"lr": 1}}, "optimiser", "optimizer.lr"),
        ({"data": {"resoluton": 64}}, "data.resoluton", "data.resolution"),
        ({"generator": {"widht": 64}}, "generator.widht", "generator.width"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_at_every_level(
    options: Any, unknown: str, near: str
) -> None:
    message = refused(options)
    assert f"'{unknown}'" in message
    assert f"did you mean '{near}" in message


def test_a_leaf_without_its_table_is_recognised() -> None:
    assert "optimizer.lr" in refused({"lr": "1e-3"})
    assert "optimizer.beta1" in refused({"beta1": 0.5})


def test_an_unknown_key_like_nothing_has_no_suggestion() -> None:
    assert "did you mean" not in refused({"zzzzzz": 1})


def test_unknown_keys_are_refused_in_every_layer() -> None:
    assert "bacth" in refused({"bacth": 1}, {"batch": 2})
    assert "bacth" in refused({"batch": 1}, {"bacth": 2})


@pytest.mark.parametrize("value", [3, "x", None, [1]])
def test_a_value_in_place_of_a_table_is_refused(value: Any) -> None:
    assert "'optimizer' is a table" in refused({"optimizer": value})
    assert "'penalties.r1' is a table" in refused({"penalties": {"r1": value}})


def test_a_table_in_place_of_a_value_is_refused() -> None:
    assert "'batch'" in refused({"batch": {"x": 1}})


# ---- values


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("batch", 0),
        ("batch", -1),
        ("batch", 2.5),
        ("batch", "abc"),
        ("batch", None),
        ("batch", 10**9),
        ("batch", float("nan")),
        ("seed", -1),
        ("seed", 2**70),
        ("seed", "x"),
        ("images", -1),
        ("size", "huge"),
        ("objective", "hinges"),
        ("order", "both"),
        ("discriminator_moves", 0),
        ("label_smoothing", 1.0),
        ("label_smoothing", -0.1),
        ("threads", -1),
        ("budget", "soon"),
        ("budget", 5),
        ("generator.latent", 0),
        ("generator.width", -3),
        ("generator.depth", 100),
        ("generator.network", "transformer"),
        ("discriminator.norm", "batch"),
        ("optimizer.name", "lion"),
        ("optimizer.lr", "fast"),
        ("optimizer.lr", "nan"),
        ("optimizer.lr", float("inf")),
        ("optimizer.lr", "1e999"),
        ("optimizer.lr", "-1e-3"),
        ("optimizer.lr", -0.5),
        ("optimizer.lr", "1e-3 to -1e-3 linear"),
        ("optimizer.lr", None),
        ("optimizer.beta1", 1),
        ("optimizer.beta1", -0.5),
        ("optimizer.beta2", 1.0),
        ("optimizer.beta2", "0.9 to 1 linear"),
        ("optimizer.beta2", "1 to 0.9 cosine 50%..100%"),
        ("optimizer.beta2", "0.9 to 1.5 linear 0..20M"),
        ("optimizer.beta2", -0.1),
        ("optimizer.beta2", "slow"),
        ("precision", "float16"),
        ("compile", "fast"),
        ("optimizer.betas", [0, 0.99]),
        ("optimizer.momentum", 1.5),
        ("optimizer.discriminator_lr_factor", 0),
        ("optimizer.discriminator_lr_factor", float("inf")),
        ("penalties.r1.weight", "heavy"),
        ("penalties.r1.weight", "-1"),
        ("penalties.r1.every", 0),
        ("ema.halflife_images", -1),
        ("ema.halflife_images", float("nan")),
        ("augment.kinds", ["flip"]),
        ("augment.kinds", "flip colr"),
        ("augment.probability", "often"),
        ("augment.probability", 0.9),
        ("augment.probability", "1.0 to 0.1 linear"),
        ("augment.target", 1.5),
        ("augment.horizon", "soon"),
        ("augment.horizon", "0"),
        ("augment.horizon", "0%"),
        ("augment.limit", 1),
        ("ema.ramp", 0),
        ("checkpoint.keep", 0),
        ("data.workers", -1),
        ("data.held_out", 0.9),
        ("data.channels", "5"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_refused_in_one_line(key: str, value: Any) -> None:
    message = refused(nested({key: value}))
    assert key.split(".")[-1] in message or repr(value) in message or str(value) in message


@pytest.mark.parametrize("odd", ["a\nb", "5m\nx", "\x1b[31m", "x" * 5])
@pytest.mark.parametrize(
    "key",
    [
        "budget",
        "optimizer.lr",
        "objective",
        "batch",
        "penalties.r1.weight",
        "augment.kinds",
        "augment.probability",
        "augment.horizon",
    ],
)
def test_odd_characters_do_not_break_the_line(key: str, odd: str) -> None:
    assert refused(nested({key: odd})).isprintable()


@pytest.mark.parametrize("key", ["un\nknown", "optimizer.l\x1br", "penalties.r1.we\night"])
def test_odd_characters_in_a_key_do_not_break_the_line(key: str) -> None:
    assert refused(nested({key: 1})).isprintable()


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("optimizer.beta1", "0.5", 0.5),
        ("optimizer.beta1", 0, 0.0),
        ("optimizer.beta2", "9e-1", "9e-1"),
        ("optimizer.beta2", 0.999, "0.999"),
        ("label_smoothing", "1e-1", 0.1),
        ("ema.halflife_images", "1e4", 10_000.0),
        ("batch", "16", 16),
        ("optimizer.lr", "1e-4", "1e-4"),
        ("optimizer.lr", 1e-4, "0.0001"),
        ("penalties.r1.weight", 2, "2"),
        ("optimizer.lr", 1e-05, "1e-05"),
    ],
)
def test_numbers_may_come_as_text_and_schedules_as_numbers(
    key: str, given: Any, expected: Any
) -> None:
    value: Any = resolve(nested({key: given}))
    for name in key.split("."):
        value = getattr(value, name)
    assert value == expected
    assert type(value) is type(expected)


def test_several_moves_need_alternating_play() -> None:
    message = refused({"order": "simultaneous", "discriminator_moves": 5})
    assert "--order alternating" in message
    assert resolve({"order": "alternating", "discriminator_moves": 5}).discriminator_moves == 5


@pytest.mark.parametrize("penalty", ["r1", "r2", "gradient"])
def test_what_is_differentiated_twice_is_not_compiled(penalty: str) -> None:
    message = refused({"compile": "on", "penalties": {penalty: {"weight": "1 to 0 linear"}}})
    assert f"penalties.{penalty}" in message
    assert "--compile off" in message


@pytest.mark.parametrize("penalty", ["finite_difference_r1", "finite_difference_r2"])
def test_finite_differences_are_not_rounded_to_bfloat16(penalty: str) -> None:
    options = {"penalties": {penalty: {"weight": 1}}}
    message = refused({"precision": "bfloat16"} | options)
    assert f"penalties.{penalty}" in message
    assert "--precision float32" in message
    assert resolve({"precision": "auto"} | options).precision == "auto"
    assert resolve({"precision": "bfloat16", "penalties": {"r1": {"weight": 1}}}) is not None


def test_finite_differences_and_no_penalty_may_be_compiled() -> None:
    assert resolve({"compile": "on"}).compile == "on"
    finite = {"finite_difference_r1": {"weight": 1}, "finite_difference_r2": {"weight": 1}}
    assert resolve({"compile": "on", "penalties": finite}).compile == "on"
    assert resolve({"compile": "off", "penalties": {"r1": {"weight": 1}}}).compile == "off"


def test_an_unknown_augmentation_names_the_nearest() -> None:
    message = refused({"augment": {"kinds": "flip translat"}})
    assert "unknown 'translat' in augment.kinds" in message
    assert "did you mean 'translate'?" in message


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("flip", ("flip",)),
        ("colour  flip", ("colour", "flip")),
        ("flip,rot90", ("flip", "rot90")),
    ],
)
def test_augmentations_are_names_with_spaces_or_commas(
    text: str, expected: tuple[str, ...]
) -> None:
    assert parse_augmentations(text) == expected


def test_a_horizon_is_a_number_of_images_or_a_share_of_the_budget() -> None:
    assert [parse_horizon(text)(8000) for text in ("25%", "500k", "2M", "70")] == [
        2e3,
        5e5,
        2e6,
        70,
    ]
    assert parse_horizon("25%")(1) == 1


def test_a_scheduled_augmentation_stays_below_its_limit() -> None:
    message = refused({"augment": {"probability": "0.1 to 0.5 cosine", "limit": 0.4}})
    assert "augment.probability reaches 0.5, beyond augment.limit 0.4" in message
    assert resolve({"augment": {"probability": "0.1 to 0.4 cosine", "limit": 0.4}})
    assert resolve({"augment": {"probability": 0.3}}).augment.probability == "0.3"


@pytest.mark.parametrize("objective", ["hinge", "wasserstein", "least-squares", "relativistic"])
def test_smoothing_needs_a_label_to_smooth(objective: str) -> None:
    assert "label smoothing" in refused({"objective": objective, "label_smoothing": 0.1})


@pytest.mark.parametrize("objective", ["minimax", "non-saturating", "mean-squared"])
def test_smoothing_goes_with_cross_entropy(objective: str) -> None:
    assert resolve({"objective": objective, "label_smoothing": 0.1}).label_smoothing == 0.1


# ---- TOML


ODD_STRINGS = [
    "plain",
    'with "quotes"',
    "back\\slash\\n",
    "über 猫 🐈",
    "tab\there",
    "line\nbreak",
    "carriage\rreturn",
    "bell\x07 escape\x1b delete\x7f nul\x00",
    "'single'",
    "# no comment",
    "[table]",
    "",
    " padded ",
    '"""',
    "C:\\Users\\new",
    "\u2028\u0085",
]


def test_the_default_recipe_comes_back_from_toml() -> None:
    text = to_toml(Recipe())
    assert resolve(tomllib.loads(text)) == Recipe()
    assert set(keys()) == set(flat(tomllib.loads(text)))


def flat(table: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key, value in table.items():
        found += flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


@pytest.mark.parametrize("odd", ODD_STRINGS, ids=repr)
def test_any_string_comes_back_from_toml(tmp_path: Path, odd: str) -> None:
    recipe = resolve({"data": {"labels": odd}, "device": odd, "preset": odd})
    path = tmp_path / "recipe.toml"
    path.write_bytes(to_toml(recipe).encode("utf-8"))
    assert resolve(read_recipe(path)) == recipe


@pytest.mark.parametrize("value", [1e-300, 1e22, 123456789.125, 0.1 + 0.2, 5e-324])
def test_any_number_comes_back_from_toml(value: float) -> None:
    recipe = resolve({"ema": {"halflife_images": value}, "seed": 2**63 - 1})
    assert resolve(tomllib.loads(to_toml(recipe))) == recipe


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        (b"batch = ", "is not TOML"),
        (b"\xff\xfe\x00", "is not TOML"),
        (b"batch = 1\nbatch = 2\n", "is not TOML"),
        (b"a = " + b"[" * 5000, "is not TOML"),
    ],
    ids=["missing", "cut", "binary", "twice", "nested"],
)
def test_a_recipe_file_that_cannot_be_read_is_one_line(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "recipe.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SparringError, match=said) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)
    assert "recipe.toml" in str(caught.value)


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    with pytest.raises(SparringError) as caught:
        read_recipe(tmp_path)
    assert "\n" not in str(caught.value)


# ---- budgets and schedules


@pytest.mark.parametrize(
    ("text", "amount", "unit"),
    [
        ("90s", 90, "seconds"),
        ("10m", 600, "seconds"),
        ("2h", 7200, "seconds"),
        ("1.5h", 5400, "seconds"),
        ("20k-images", 20_000, "images"),
        ("20k-samples", 20_000, "images"),
        ("1-sample", 1, "images"),
        ("20kimages", 20_000, "images"),
        ("2M-images", 2_000_000, "images"),
        ("1-image", 1, "images"),
        ("5k-steps", 5_000, "steps"),
        ("1-step", 1, "steps"),
        ("0.5k-steps", 500, "steps"),
        (" 5m ", 300, "seconds"),
    ],
)
def test_a_budget_is_an_amount_and_a_unit(text: str, amount: float, unit: Any) -> None:
    assert parse_budget(text) == Budget(amount, unit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "5",
        "m",
        "0m",
        "0-images",
        "0.0h",
        "-5m",
        "5k-m",
        "5ms",
        "5 minutes",
        "1e3-images",
        "5K-images",
        "inf",
        "nan-images",
        "5d",
        "images",
        "5m 3s",
        "0.4-images",
        "9" * 400 + "m",
    ],
)
def test_what_is_no_budget_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SparringError, match="20k-samples") as caught:
        parse_budget(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-3", {0: 1e-3, 500: 1e-3, 10**6: 1e-3}),
        ("0", {0: 0.0}),
        ("2", {0: 2.0}),
        ("1E-3", {0: 1e-3}),
        (".5", {0: 0.5}),
        ("+0.5", {0: 0.5}),
        (" 0.5 ", {0: 0.5}),
        ("1e+2", {0: 100.0}),
        ("1 to 0 linear", {0: 1.0, 500: 0.5, 1000: 0.0}),
        ("1 to 0 linear 50%..100%", {0: 1.0, 500: 1.0, 750: 0.5, 1000: 0.0, 2000: 0.0}),
        ("0 to 1 cosine 0%..50%", {0: 0.0, 250: 0.5, 500: 1.0, 1000: 1.0}),
        ("1  to  0   linear   0..2k", {0: 1.0, 1000: 0.5, 2000: 0.0}),
        ("1 to 0 linear 0..20M", {10**7: 0.5}),
        ("0.05 to 0.005 cosine 100..200", {100: 0.05, 150: 0.0275, 200: 0.005}),
        ("1 to 0 linear 12.5%..100%", {125: 1.0, 1000: 0.0}),
    ],
)
def test_a_schedule_has_the_values_it_says(text: str, expected: dict[int, float]) -> None:
    schedule = parse_schedule(text)(1000)
    assert {images: schedule(images) for images in expected} == pytest.approx(expected)


@pytest.mark.parametrize(
    ("weight", "used"),
    [
        ("0", False),
        ("0.00", False),
        ("0e5", False),
        (".0", False),
        ("0 to 0 linear", False),
        ("1 to 0 linear", True),
        ("0 to 1 linear 50%..100%", True),
        ("1e-9", True),
    ],
)
def test_a_penalty_is_in_use_unless_its_weight_is_always_zero(weight: str, used: bool) -> None:
    recipe = resolve({"penalties": {"r2": {"weight": weight}}})
    assert ("r2" in penalties_in_use(recipe)) is used


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "1e",
        "e-3",
        "1 to",
        "1 to 0",
        "1 to 0 square",
        "1 to 0 linear 50%",
        "1 to 0 linear 50%..",
        "1 to 0 linear ..50%",
        "1 to 0 linear 50%-100%",
        "1 to 0 linear -10%..50%",
        "1 to 0 linear 80%..20%",
        "1 to 0 linear 2k..1k",
        "1to0linear",
        "nan",
        "inf",
        "1e999",
        "1,5",
        "0x10",
        "1_000",
    ],
)
def test_what_is_no_schedule_is_refused_with_examples(text: str) -> None:
    with pytest.raises(SparringError, match="schedule") as caught:
        parse_schedule(text)
    assert "\n" not in str(caught.value)
