"""What both checkouts are asked to do: runs of a few steps, what is done with them, and commands.

A source that begins with `./` is a file of `sources`; with `array:`, `frame:` or `list:` such a
file is read first, and given as a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Training:
    """A run of a few steps, and what is then done with it: names of `work.ACTS`."""

    source: str
    options: Options = field(default_factory=dict)
    then: Sequence[str] = ()
    label: str = ""  # a class to draw samples of
    where: Sequence[str] = ()  # conditions that rows shall satisfy
    root: str = "runs"  # the folder of runs below the case's own


@dataclass(frozen=True)
class Commands:
    """Command lines; what they print and how they end is compared."""

    lines: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Estimator:
    """The estimator of scikit-learn's manner, fitted and asked for samples."""

    source: str
    options: Options = field(default_factory=dict)


Action = Training | Commands | Estimator
Case = Sequence[Action]

OBJECTIVES = (
    "minimax",
    "non-saturating",
    "mean-squared",
    "least-squares",
    "hinge",
    "wasserstein",
    "relativistic",
    "total-variation",
    "kl",
    "reverse-kl",
    "pearson",
    "neyman",
    "squared-hellinger",
    "jensen-shannon",
    "gan",
)
PENALTIES = ("r1", "r2", "gradient", "finite_difference_r1", "finite_difference_r2")
ORDERS = ("simultaneous", "alternating")
ON_IMAGES = ("flip", "rot90", "translate", "scale", "rotate", "colour", "cutout")
ON_SOUNDS = ("gain", "noise", "polarity", "shift", "speed", "pitch")
SLIM: Options = {"batch": 8, "generator.width": 8, "discriminator.width": 8, "generator.latent": 8}
SAMPLED = ("samples", "saves")
MADE = (*SAMPLED, "resume", "onnx", "safetensors", "commands")
USED = (*MADE, "evaluate")


def all_cases() -> dict[str, Case]:
    """Return every case by its name, `kind/what`."""
    return {
        **_points(),
        **_images(),
        **_tables(),
        **_sounds(),
        **_texts(),
        **_commands(),
    }


def _sizes(kind: str, name: str, source: str, options: Options, **use: Any) -> dict[str, Case]:
    """Return the default recipe at both small sizes; what is made is used at the smallest."""
    then = {"tiny": use.pop("then", USED), "small": SAMPLED}
    return {
        f"{kind}/{name}-{size}": [Training(source, {"size": size, **options}, then[size], **use)]
        for size in then
    }


def _variants(
    kind: str, source: str, common: Options, variants: Mapping[str, Any], **use: Any
) -> dict[str, Case]:
    return {
        f"{kind}/{name}": [Training(source, {**common, **options}, ("samples",), **use)]
        for name, options in variants.items()
    }


def _points() -> dict[str, Case]:
    tiny = {"size": "tiny"}
    variants: dict[str, Options] = {
        "sgd": {"optimizer.name": "sgd", "optimizer.momentum": 0.9, "optimizer.lr": "1e-2"},
        "moves": {"discriminator_moves": 3, "order": "alternating"},
        "smoothing": {"label_smoothing": 0.1},
        "rates": {"optimizer.discriminator_lr_factor": 3, "optimizer.beta1": 0.5},
        "schedules": {
            "optimizer.lr": "1e-3 to 1e-4 cosine",
            "optimizer.beta2": "0.9 to 0.99 linear",
        },
        "average": {"ema.halflife_images": 16, "ema.ramp": 0.5},
        "no-average": {"ema.halflife_images": 0},
        "often": {"checkpoint.every_ticks": 2, "checkpoint.samples_every_ticks": 1, "seed": 9},
        "all-penalties": {f"penalties.{name}.weight": "0.1" for name in PENALTIES},
        "batch-norm": {"generator.norm": "batch", "generator.activation": "silu"},
        "glorot": {"generator.init": "glorot", "discriminator.init": "glorot"},
        "diverges": {"optimizer.lr": "1e30", "budget": "9-steps"},
        "refused-moves": {"discriminator_moves": 2, "order": "simultaneous"},
        "refused-network": {"generator.network": "convolutional"},
        "refused-augmentation": {"augment.kinds": "flip"},
        "refused-smoothing": {"label_smoothing": 0.1, "objective": "hinge"},
        "refused-batch": {"batch": 1, "generator.norm": "batch"},
        "refused-key": {"penalties.r3.weight": "1"},
        "refused-value": {"order": "both"},
    }
    return {
        **_sizes("points", "ring", "ring", {}, then=USED),
        **_sizes("points", "gaussian1d", "gaussian1d", {}, then=SAMPLED),
        **_sizes("points", "space", "./space.npy", {}, then=(*USED, "compare", "from")),
        **_sizes("points", "array", "array:plane.npy", {}, then=SAMPLED),
        "points/many": [Training("./many.npy", tiny, SAMPLED)],
        "points/estimator": [Estimator("array:plane.npy", SLIM)],
        **{f"points/{name}": [Training(name, tiny)] for name in ("grid", "spiral", "swissroll")},
        **_variants("points", "./plane.npy", tiny, variants),
        **{f"points/game-{name}": list(_games(name)) for name in OBJECTIVES},
    }


def _games(objective: str) -> Iterator[Training]:
    """Yield an objective with every penalty in both orders, on points; and once on a density."""
    off = {f"penalties.{name}.weight": "0" for name in PENALTIES}
    small = {**SLIM, "generator.depth": 1, "discriminator.depth": 1, "objective": objective}
    yield Training("gaussian1d", {**small, "size": "tiny"}, root="density")
    for penalty, order in product(("none", *PENALTIES), ORDERS):
        on = {} if penalty == "none" else {f"penalties.{penalty}.weight": "0.1"}
        every = {} if penalty == "none" else {f"penalties.{penalty}.every": 2}
        options = {**small, **off, **on, **every, "order": order}
        yield Training("./plane.npy", options, root=f"{penalty}-{order}")


def _images() -> dict[str, Case]:
    tiny = {"size": "tiny", "batch": 8}
    mnist = {"batch": 16}
    variants: dict[str, Options] = {
        "residual": {"generator.network": "residual", "discriminator.network": "residual"},
        "excitation": {"generator.network": "excitation", "discriminator.network": "excitation"},
        "excitation-no-norm": {"generator.network": "excitation", "generator.norm": "none"},
        "mlp": {"generator.network": "mlp", "discriminator.network": "mlp"},
        "transposed": {"generator.upsampling": "transposed", "generator.activation": "leaky_relu"},
        "no-norm": {"generator.norm": "none", "discriminator.activation": "silu"},
        "depths": {"generator.depth": 1, "discriminator.depth": 4},
        "glorot": {"generator.init": "glorot", "discriminator.init": "glorot"},
        "alternating": {"order": "alternating", "discriminator_moves": 2},
        "penalties": {"penalties.r2.weight": "1", "penalties.gradient.weight": "1"},
        "base": {"size": "base"},
        "large": {"size": "large"},
        "base-64": {"size": "base", "data.resolution": "64", "budget": "1-steps"},
    }
    augmented = {
        **{f"augment-{kind}": {"augment.kinds": kind} for kind in ON_IMAGES},
        "augment-all": {"augment.kinds": " ".join(ON_IMAGES)},
        "augment-adaptive": {
            "augment.probability": "adaptive",
            "augment.target": 0.1,
            "augment.horizon": "100",
            "budget": "10-steps",
        },
        "augment-schedule": {"augment.probability": "0 to 0.5 linear"},
    }
    data: dict[str, Options] = {
        "grey": {"data.channels": "1", "data.resolution": "24x20", "data.crop": "pad"},
        "alpha": {"data.channels": "4", "data.labels": "none", "data.crop": "stretch"},
        "range": {"data.value_range": "0..1", "data.held_out": 0.3},
        "ahead": {"data.workers": 2, "data.memory_share": 1e-9},
    }
    return {
        **_sizes("images", "digits", "digits", {}, then=(*USED, "compare")),
        **_sizes("images", "digits-labels", "digits", {"data.labels": "yes"}, label="3"),
        **_sizes("images", "folder", "./images", {}, label="red", then=(*MADE, "extractors")),
        **_sizes("images", "mnist", "mnist", {"data.labels": "none", **mnist}, then=SAMPLED),
        "images/article": [Training("mnist", {"preset": "article", **mnist}, ("samples",))],
        "images/article-mended": [
            Training("mnist", {"preset": "article-mended", **mnist}, ("samples",))
        ],
        "images/estimator": [Estimator("array:images.npy", {**SLIM, "batch": 4})],
        **_variants("images", "./images", {**tiny, **SLIM}, variants),
        **_variants("images", "./images", {**tiny, **SLIM}, augmented),
        **_variants("images", "./odd-images", {**tiny, **SLIM}, data),
        **_variants(
            "images",
            "./images.npz",
            {**tiny, **SLIM},
            {"archive": {"objective": "hinge"}, "unlabelled": {"data.labels": "none"}},
        ),
    }


def _tables() -> dict[str, Case]:
    slim = {**SLIM, "size": "tiny"}
    chosen = {"data.column": ("count=category", "id=text", "price=real")}
    return {
        **_sizes(
            "tables", "penguins", "penguins", {}, where=("species=Adelie", "year>2007"), then=MADE
        ),
        **_sizes(
            "tables",
            "columns",
            "./table.csv",
            {},
            where=("grade=high", "price>20", "day<2022-01-01"),
            then=(*USED, "compare"),
        ),
        "tables/frame": [Training("frame:table.csv", slim, SAMPLED)],
        "tables/estimator": [Estimator("frame:table.csv", SLIM)],
        **_variants(
            "tables",
            "./table.csv",
            slim,
            {
                "chosen": chosen,
                "mlp": {"generator.network": "mlp", "discriminator.network": "mlp"},
                "simultaneous": {"order": "simultaneous", "objective": "hinge"},
                "gradient": {"penalties.gradient.weight": "1", "objective": "wasserstein"},
                "depth": {"generator.depth": 1, "discriminator.depth": 2},
                "refused-column": {"data.column": ("colour=category",)},
                "refused-network": {"generator.network": "sequence"},
            },
        ),
    }


def _sounds() -> dict[str, Case]:
    slim = {**SLIM, "size": "tiny", "batch": 4}
    wave = {"generator.network": "wave", "discriminator.network": "wave"}
    networks = {
        "frames": {"generator.network": "frames"},
        "wave": {**wave, "augment.kinds": ""},
        "refused-augmentation": wave,
        "wave-frames": {"generator.network": "wave"},
        "refused-pair": {"discriminator.network": "wave"},
        "depth": {"generator.depth": 1, "discriminator.depth": 1},
        "alternating": {"order": "alternating", "objective": "non-saturating"},
    }
    augmented = {
        **{f"augment-{kind}": {"augment.kinds": kind} for kind in ON_SOUNDS},
        "augment-frames": {"augment.kinds": " ".join(ON_SOUNDS), "generator.network": "frames"},
        "augment-adaptive": {"augment.probability": "adaptive", "augment.horizon": "100"},
    }
    data: dict[str, Options] = {
        "rate": {"data.rate": 4000, "data.seconds": 0.2, "data.level": "kept"},
        "auto": {},
    }
    return {
        **_sizes(
            "sounds", "folder", "./sounds", {"batch": 8}, label="low", then=(*USED, "compare")
        ),
        "sounds/unlabelled": [Training("./sounds", {**slim, "data.labels": "none"}, SAMPLED)],
        "sounds/array": [
            Training("array:waves.npy", {**slim, "data.kind": "audio", "data.rate": 8000}, SAMPLED)
        ],
        "sounds/estimator": [
            Estimator("array:waves.npy", {**SLIM, "data.kind": "audio", "data.rate": 8000})
        ],
        **_variants("sounds", "./sounds", slim, networks),
        **_variants("sounds", "./sounds", slim, augmented),
        **_variants("sounds", "./odd-sounds", slim, data),
    }


def _texts() -> dict[str, Case]:
    slim = {**SLIM, "size": "tiny"}
    recurrent = {"generator.network": "recurrent", "generator.warm_start": 256}
    return {
        **_sizes("texts", "names", "./names.txt", {}, then=(*USED, "wanted", "compare")),
        **_sizes("texts", "labels", "./names.csv:name:sort", {}, label="long", then=MADE),
        "texts/recurrent": [
            Training("./names.txt", {**slim, **recurrent}, (*USED, "wanted", "temperature"))
        ],
        "texts/recurrent-labels": [
            Training("./names.jsonl:name:sort", {**slim, **recurrent}, SAMPLED, "short")
        ],
        "texts/folder": [Training("./sorts", slim, SAMPLED, "short")],
        "texts/list": [Training("list:names.txt", slim, SAMPLED)],
        "texts/estimator": [Estimator("list:names.txt", SLIM)],
        **_variants(
            "texts",
            "./sentences.txt",
            slim,
            {
                "words": {"data.units": "words"},
                "pieces": {"data.units": "pieces", "data.vocabulary": 80},
                "length": {"data.length": 90, "data.units": "characters"},
                "mlp": {"generator.network": "mlp", "discriminator.network": "mlp"},
                "simultaneous": {"order": "simultaneous", "objective": "hinge"},
                "refused-discriminator": {"discriminator.network": "recurrent"},
            },
        ),
    }


def _commands() -> dict[str, Case]:
    tiny = ("--size", "tiny", "--budget", "3-steps", "--threads", "1", "--dry-run")
    helps = ("train", "resume", "sample", "evaluate", "compare", "export", "data", "runs", "theory")
    return {
        "commands/help": [Commands([["--help"], *([name, "--help"] for name in helps)])],
        "commands/data": [
            Commands([["data", source, *options] for source, *options in _described()])
        ],
        "commands/data-json": [
            Commands([["data", source, *options, "--json"] for source, *options in _described()])
        ],
        "commands/dry-runs": [
            Commands(
                [
                    ["train", "ring", *tiny, "--objective", "reverse-kl"],
                    ["train", "digits", *tiny, "--penalties.r1.weight", "0.5"],
                    ["train", "penguins", *tiny, "--column", "year=integer"],
                    ["train", "./names.txt", *tiny, "--units", "characters"],
                    ["train", "./sounds", *tiny, "--seconds", "0.2"],
                ]
            )
        ],
        "commands/refused": [Commands(_mistakes())],
        "commands/theory": [
            Commands(
                [
                    ["theory", "dirac", "--json"],
                    [
                        "theory",
                        "dirac",
                        "--penalty",
                        "r1+r2",
                        "--objective",
                        "relativistic",
                        "--json",
                    ],
                    ["theory", "--only", "99"],
                ]
            )
        ],
    }


def _described() -> Iterator[Sequence[str]]:
    """Yield sources and options of data, those that are refused too."""
    named = ("digits", "mnist", "emoji", "penguins", "names", "first-names", "idioms", "ring")
    yield from ((name,) for name in named)
    files = (
        *("images", "images.npy", "images.npz", "images.zip", "odd-images", "space.npy"),
        *("many.npy", "points.npz", "broken-points.npy", "few-points.npy", "table.csv"),
        *("few-rows.csv", "constant.csv", "semicolons.csv", "latin.csv", "sounds", "odd-sounds"),
        *("names.txt", "names.csv", "names.csv:name", "names.csv:nome", "names.jsonl:name:sort"),
        *("sorts", "sentences.txt", "odd.txt", "labels.csv", "missing.png", "missing.csv"),
    )
    yield from ((f"./{name}",) for name in files)
    yield "./odd-images", "--resolution", "16x20", "--crop", "pad", "--channels", "1"
    yield "./odd-images", "--labels", "./labels.csv"
    yield "./images", "--labels", "none", "--data.held-out", "0.5"
    yield "./images", "--resolution", "huge"
    yield "./images", "--data.memory-share", "1e-9"
    yield "./sounds", "--rate", "4000", "--seconds", "0.1", "--level", "kept"
    yield "./odd-sounds", "--data.memory-share", "1e-9", "--labels", "none"
    yield "./sounds", "--rate", "3"
    yield "./table.csv", "--column", "price=category", "--column", "id=text"
    yield "./table.csv", "--column", "prize=category"
    yield "./sentences.txt", "--units", "words", "--length", "12"
    yield "./sentences.txt", "--units", "pieces", "--data.vocabulary", "60"
    yield "./names.txt", "--data.kind", "image"
    yield "./plane.npy", "--data.kind", "table"


def _mistakes() -> Sequence[Sequence[str]]:
    """Return commands that are refused, each with a line of its own."""
    budget = ("--budget", "2-steps", "--threads", "1")
    return (
        ("train", "nothing-of-this-name"),
        ("train", "ring", "--budget", "soon"),
        ("train", "ring", "--objectiv", "hinge"),
        ("train", "ring", "--objective", "hingee"),
        ("train", "ring", "--optimizer.lr", "fast", *budget),
        ("train", "ring", "--optimizer.beta2", "1", *budget),
        ("train", "ring", "--preset", "articles", *budget),
        ("train", "ring", "--device", "cuda", *budget),
        ("train", "ring", "--compile", "on", *budget),
        ("train", "ring", "--augment.kinds", "flop", *budget),
        ("train", "ring", "--augment.probability", "1", *budget),
        ("train", "ring", "--augment.horizon", "0", *budget),
        ("train", "ring", "--batch", "0", *budget),
        (
            "train",
            "ring",
            "--precision",
            "bfloat16",
            "--penalties.finite-difference-r1.weight",
            "1",
        ),
        ("train", "ring", "--recipe", "missing.toml"),
        ("train", "ring", "--from", "7", *budget),
        ("train", "digits", "--generator.network", "frames", *budget),
        ("train", "digits", "--augment.kinds", "gain", *budget),
        ("resume", "7"),
        ("sample", "7"),
        ("evaluate", "7"),
        ("compare", "7"),
        ("export", "7"),
        ("runs",),
        ("frobnicate",),
    )
