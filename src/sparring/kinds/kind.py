"""What a kind of data is: a value, and the parts that lie in its own folder or plug-in.

Everything outside that folder knows only this protocol. A part is a module of the folder, imported
when it is first used, so that `--help`, recipes and presets load no torch. S is the kind's spec.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, cast

from sparring.data.options import CommonOptions, NoOptions
from sparring.errors import SparringError
from sparring.recipes.sections import DiscriminatorRecipe, GeneratorRecipe, Options, Size
from sparring.runs.folder import write_bytes
from sparring.spec import Spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sparring.data.dataset import Dataset
    from sparring.data.output import Media
    from sparring.data.pack import Progress
    from sparring.draws import Draw
    from sparring.features.extractor import Extractor, Extractors
    from sparring.features.reference import ReferenceSet
    from sparring.metrics.estimate import Estimate
    from sparring.metrics.line import CardLine
    from sparring.objectives import Objective
    from sparring.runs.folder import RunFolder
    from sparring.sampling import SampleRequest
    from sparring.schedules import Schedule
    from sparring.training.augmentation import Adaptive, Augmentation
    from sparring.training.phase import Phase
    from sparring.training.state import State

S = TypeVar("S", bound=Spec)
S_contra = TypeVar("S_contra", bound=Spec, contravariant=True)
Player = Literal["generator", "discriminator"]


@dataclass(frozen=True)
class Architecture:
    """A network that a recipe may name, for either player or both."""

    name: str
    depth: "int | Callable[[Any], int]"  # unless one is asked for; a function of the spec
    players: tuple[Player, ...] = ("generator", "discriminator")
    joint_scoring: bool = False  # as a discriminator: reals and fakes in one pass, which pays
    on_cpu: bool = False  # whether it needs float64, which not every accelerator has
    plays: bool = True  # as a generator: in the game; else it has learned all before, and is judged


MLP = Architecture("mlp", depth=2, joint_scoring=True)  # of every kind


class Presets(Protocol[S_contra]):
    """presets.py: which networks and rates suit this kind; loads no torch."""

    def preset(self, size: Size, spec: S_contra, items: int) -> Options:
        """Return the options of the default recipe for so many training items."""


class Reader(Protocol[S_contra]):
    """reader.py: from a source to items with their split."""

    def recognises(self, source: Any, others: frozenset[str] = frozenset()) -> bool:
        """Tell whether a source is of this kind; `others` are suffixes of the kinds asked later."""

    def open_data(
        self,
        source: Any,
        options: Any,
        *,
        spec: S_contra | None = None,
        cache: Path,
        progress: "Progress" = ...,
        sets: Sequence[str] = ...,
        rules: int = ...,
    ) -> "Dataset":
        """Read a source by the kind's own options; `sets` are the names to hint at.

        `rules` are those of the run (`runs.folder.RULES`): under 1, the split is by content alone.

        With a spec, that of a run, items are such as it says and labels are matched by the names
        of its classes; one line names each difference that stands in the way. The same source gives
        the same items and fingerprint with its own spec as without.
        """

    def decided(self, options: Any, spec: S_contra) -> Any:
        """Return options that say what reading by these has decided, in the place of `auto`."""

    def keep(self, source: Any, options: Any, folder: Path) -> str:
        """Return where a resume finds the source again; what has no path is written down.

        What is written into the folder, whole or not at all, is opened under the same options as
        the same data: items, split, spec and labels.
        """


class Together(Protocol):
    """together.py, of a kind that `reads_together`: several sources, none of which comes first."""

    def open_together(
        self,
        sources: Sequence[Any],
        options: Any,
        *,
        cache: Path,
        progress: "Progress" = ...,
        sets: Sequence[str] = ...,
    ) -> "Sequence[Dataset]":
        """Read sources as one kind of item, all under one spec, nothing held out.

        Which of them is real must not matter: what is decided by the data is decided by all, so
        that reading alone tells no two samples of one law apart, and what only one of them holds
        counts as a difference. Notes say what was done to which.
        """


class Codec(Protocol[S_contra]):
    """codec.py: from items to what networks see, and back, and to what people want."""

    def encode(self, items: "Tensor", spec: S_contra) -> "Tensor":
        """Turn items into samples, float32."""

    def decode(self, samples: "Tensor", spec: S_contra) -> "Tensor":
        """Turn what a generator makes into items."""

    def view(self, samples: "Tensor", spec: S_contra) -> "Tensor":
        """Return what a discriminator sees of what a generator makes."""

    def to_user_type(self, items: "Tensor", spec: S_contra) -> Any:
        """Return items as people want them: a tensor, a data frame, a list of texts."""

    def describe(self, spec: S_contra) -> str:
        """Say in a few words what one item is."""

    def facts(self, spec: S_contra) -> Sequence[tuple[str, str]]:
        """Return size and meaning, named: for the report and the model card."""


class ConditionSampler(Protocol):
    """What training asks samples by, where that is more than their labels."""

    def __call__(
        self, index: "NDArray[np.int64]", draw: "Draw"
    ) -> "tuple[NDArray[np.int64], Tensor]":
        """Return the items that take the place of these, and what each reveals."""

    def condition(self, samples: "Tensor", revealed: "Tensor") -> "Tensor":
        """Return the condition that reveals this of encoded items."""


class Play(Protocol[S]):
    """play.py: what the game on this kind of data is made of."""

    def with_representation(
        self, spec: S, generator: GeneratorRecipe, discriminator: DiscriminatorRecipe
    ) -> S:
        """Return the spec as the two networks need it; refuse two that do not go together."""

    @property
    def GENERATORS(self) -> "Mapping[str, Callable[[GeneratorRecipe, S], nn.Module]]":  # noqa: N802
        """By the names of the kind's own architectures, what makes one with fresh weights."""

    @property
    def DISCRIMINATORS(  # noqa: N802
        self,
    ) -> "Mapping[str, Callable[[DiscriminatorRecipe, S], nn.Module]]":
        """The same of discriminators."""

    def build_augmentation(
        self, kinds: tuple[str, ...], probability: "Schedule | Adaptive", limit: float, spec: S
    ) -> "Augmentation | None":
        """Return these changes of samples; None where this spec has none."""

    def condition_sampler(self, data: "Dataset") -> "ConditionSampler | None":
        """Return what training asks samples by beyond labels; None of most kinds."""


class Preparation(Protocol):
    """preparation.py, where a kind has one: a phase before the game, a part of the run."""

    def phase(self, state: "State", data: "Dataset", recipe: GeneratorRecipe) -> "Phase | None":
        """Return what a generator learns before it plays; None if there is nothing for this one."""


class Output(Protocol[S_contra]):
    """output.py: samples as people ask for them, see them and keep them; and data beside them."""

    @property
    def MEDIA(self) -> "Media":  # noqa: N802
        """What of a run's folder of samples a report shows beside previews."""

    @property
    def PREVIEW_ROWS(self) -> int:  # noqa: N802
        """Rows of samples of a preview's sheet; 1 where it is one picture of all."""

    def sample(
        self,
        generator: "nn.Module",
        spec: S_contra,
        request: "SampleRequest",
        *,
        data: "Callable[[], Dataset] | None",
        progress: "Progress",
    ) -> Any:
        """Return items that satisfy a request; `data` opens what was trained on, if it is there.

        What only people's own types can hold comes as they get it, and is not a tensor.
        """

    def write_real(self, folder: Path, data: "Dataset", spec: S_contra, seed: int) -> None:
        """Write training items, the same for one seed, as `real.png` or the like."""

    def write_fake(
        self, path: Path, state: "State", data: "Dataset", spec: S_contra, seed: int
    ) -> Path:
        """Write what the latents of all previews have become; return the path with its suffix."""

    def write_picture(
        self, items: "NDArray[Any]", spec: S_contra, path: Path, columns: int | None = None
    ) -> None:
        """Write one picture of items, of so many columns if it is a sheet."""

    def save(
        self, samples: Any, spec: S_contra, path: Path, labels: "Tensor | None", own: Any
    ) -> None:
        """Write items, or what people got of them, where the suffix of the path says.

        Without a suffix it is a folder with a picture. `own` is an instance of `Kind.requests`;
        labels are kept where the format can. Raises SparringError for other suffixes.
        """


@dataclass(frozen=True)
class QuickFeatures:
    """What samples are compared by while training, where it must not take long."""

    extractor: str  # its name
    words: str  # what it looks at, for people
    item_size: "Callable[[Any], int] | None" = None  # numbers of an item of the spec; None: few


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """The run that made samples; those of other origin have none."""

    folder: "RunFolder"
    generator: "nn.Module"  # averaged, in evaluation mode
    data: "Dataset"  # that it was trained on
    discriminator: "Callable[[], nn.Module] | None" = None  # opens it; None: it is not there


@dataclass(frozen=True, eq=False)
class EvaluatedRun:
    """What a kind of data measures its own lines of the card on: samples, and what judges them."""

    spec: Any  # of all items here
    train: "ReferenceSet | None"  # what the generator was trained on; None where nobody says
    reference: "ReferenceSet"  # the real data to judge by
    extractor: str  # of the features, by name
    real_features: "NDArray[np.float32]"  # of the reference set, (n, d)
    fake_features: "NDArray[np.float32]"  # of samples, (m, d)
    fake: "NDArray[Any]"  # the first of these samples, as items, in no particular order
    trained: TrainedRun | None  # what may draw more of them; None of samples from elsewhere
    given: "ReferenceSet | None"  # these, as data that was read; None of a run's own
    pictures: Path | None  # where figures are kept; None where none are wanted
    options: Any  # of the kind's `judging`
    progress: "Progress"
    notes: list[str]  # what people should know beside the lines

    def note(self, sentence: str) -> None:
        """Add what people should know."""
        self.notes.append(sentence)

    def begin(self, measurement: str) -> None:
        """Show which measurement comes next."""
        self.progress(measurement, 0, 1)

    def picture(self, name: str, draw: Callable[[], bytes]) -> None:
        """Keep a figure under a name, if any are wanted."""
        if self.pictures is not None:
            write_bytes(self.pictures / name, draw())


class Measures(Protocol):
    """measures.py: what samples are looked at through, and what the card says beside features."""

    @property
    def EXTRACTORS(self) -> Mapping[str, str]:  # noqa: N802
        """Names of extractors, each with a description in one line."""

    def default_extractor(self, data: "Dataset") -> str:
        """Return the name of the best extractor for the data that needs no download."""

    def build_extractor(
        self, name: str, data: "Dataset", cache: Path, progress: "Progress"
    ) -> "Extractor":
        """Return an extractor by its name, fitted to the training part of the data if need be."""

    def with_companions(self, extractor: "Extractor", data: "Dataset", cache: Path) -> "Extractors":
        """Return the extractor, and what beside it judges copying and recognises classes."""

    def card_lines(self, run: EvaluatedRun) -> "Iterable[CardLine]":
        """Yield lines of the card, and keep their figures; none of many kinds."""


class QuickMetrics(Protocol[S_contra]):
    """quick.py, of a kind without `quick_features`: what is measured of it while training."""

    def quick_metrics(
        self, state: "State", data: "Dataset", objective: "Objective"
    ) -> "dict[str, float | Estimate]":
        """Return what can be told of the generator as it is."""

    def quick_words(
        self, metrics: "Mapping[str, float | Estimate]", spec: S_contra
    ) -> Iterable[str]:
        """Say it in a few words each."""

    def known_modes(self, spec: S_contra) -> int:
        """Return how many modes the data are known to have; 0 where nobody knows."""


@dataclass(frozen=True)
class Kind(Generic[S]):
    """A kind of data. `home` is its folder; its parts are the modules of these names there."""

    name: str  # as in data.kind: "image"
    noun: str  # what people call one item: "image", "row"
    home: str  # "sparring.kinds.images"
    spec: type[S]
    options: type[CommonOptions]  # how it is read: its own fields join the table [data]
    architectures: tuple[Architecture, ...]
    sources: str  # what may be trained on, in a line of --help
    augmentations: tuple[str, ...] = ()
    advised_augmentations: tuple[str, ...] = ()  # against a discriminator with a long memory
    named: tuple[str, ...] = ()  # data sets that stand in the place of a path
    examples: tuple[str, ...] = ()  # commands, for the --help of each
    telling: tuple[str, ...] = ()  # own options that, set, have this kind asked first
    suffixes: frozenset[str] = frozenset()  # of files of which a folder or an archive is a set
    formats: tuple[str, ...] = ()  # suffixes that samples can be written with
    requests: type = NoOptions  # what may be asked of samples: a dataclass, its fields are options
    judging: type = NoOptions  # what may be asked of an evaluation, likewise
    printed: bool = False  # whether samples are printed, one a line, where no file is named
    quick_features: QuickFeatures | None = None  # without, quick.py says what is measured
    shows_items: bool = True  # whether a single item makes a picture
    prepares: bool = False  # whether a phase before the game lies in preparation.py
    reads_together: bool = False  # whether together.py reads several sources by what all hold

    @property
    def plural(self) -> str:
        """What people call several items."""
        return f"{self.noun}s"

    @cached_property
    def presets(self) -> Presets[S]:
        """Options by size."""
        return cast("Presets[S]", self._part("presets"))

    @cached_property
    def reader(self) -> Reader[S]:
        """From sources to items."""
        return cast("Reader[S]", self._part("reader"))

    @cached_property
    def codec(self) -> Codec[S]:
        """Between items and samples."""
        return cast("Codec[S]", self._part("codec"))

    @cached_property
    def play(self) -> Play[S]:
        """Networks and what else the game is made of."""
        return cast("Play[S]", self._part("play"))

    @cached_property
    def measures(self) -> Measures:
        """Extractors of features, and lines of the card."""
        return cast(Measures, self._part("measures"))

    @cached_property
    def quick(self) -> QuickMetrics[S] | None:
        """What is measured while training; None of kinds that are compared by quick features."""
        return None if self.quick_features else cast("QuickMetrics[S]", self._part("quick"))

    @cached_property
    def preparation(self) -> Preparation | None:
        """The phase before the game; None of most kinds."""
        return cast(Preparation, self._part("preparation")) if self.prepares else None

    @cached_property
    def together(self) -> Together | None:
        """How several sources are compared; None where the first one's spec does for all."""
        return cast(Together, self._part("together")) if self.reads_together else None

    @cached_property
    def output(self) -> Output[S]:
        """Samples as people ask for them, see them and keep them."""
        return cast("Output[S]", self._part("output"))

    def _part(self, name: str) -> Any:
        try:
            return import_module(f"{self.home}.{name}")
        except ImportError as error:  # of a plug-in: a package that it needs is not there
            raise SparringError(f"'{self.home}.{name}' cannot be loaded: {error}") from error
