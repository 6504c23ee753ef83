"""Where the public modules of version 0.1 are now: one table, followed with a warning.

An old module is imported as one without contents of its own, that looks names up in the new ones.
"""

import warnings
from collections.abc import Callable
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Old module -> new modules, in the order in which a name is looked up; all below `sparring`.
MODULES: dict[str, tuple[str, ...]] = {
    "assessment": ("evaluation.assess", "features.reference"),
    "augment": (
        "training.augmentation",
        "kinds.images.augmentation",
        "kinds.sounds.augmentation",
    ),
    "compare": ("evaluation.compare",),
    "conditional": ("kinds.tables.output",),
    "data.arrays": ("kinds.images.arrays",),
    "data.files": ("data.folders",),
    "data.image_codec": ("kinds.images.codec", "plotting"),
    "data.images": ("kinds.images.reader",),
    "data.kinds": ("kinds",),
    "data.named": (
        "kinds.images.named",
        "kinds.tables.named",
        "kinds.texts.named",
    ),
    "data.options": ("kinds",),
    "data.picture": ("kinds.images.picture",),
    "data.sound": ("kinds.sounds.recording",),
    "data.sound_sets": ("kinds.sounds.named",),
    "data.sounds": ("kinds.sounds.codec", "kinds.sounds.reader"),
    "data.speech": ("kinds.sounds.speech",),
    "data.table_columns": ("kinds.tables.columns",),
    "data.table_conditions": ("kinds.tables.conditions",),
    "data.table_files": ("kinds.tables.files",),
    "data.table_types": ("kinds.tables.types",),
    "data.tables": ("kinds.tables.codec", "kinds.tables.reader"),
    "data.target": ("kinds.images.target",),
    "data.text_files": ("kinds.texts.lines",),
    "data.texts": ("kinds.texts.codec", "kinds.texts.reader"),
    "data.vectors": ("kinds.points.codec", "kinds.points.reader"),
    "densities": ("kinds.points.densities",),
    "diagnosis": ("runs.diagnosis",),
    "engine": ("runs.device",),
    "evaluation": ("evaluation.card",),
    "exhibits": ("evaluation.figures",),
    "features.choose": ("evaluation.extractors",),
    "features.mel": ("kinds.sounds.features.mel",),
    "features.minilm": ("kinds.texts.features.minilm",),
    "features.ngrams": ("kinds.texts.features.ngrams",),
    "features.resemblyzer": ("kinds.sounds.features.resemblyzer",),
    "gallery": ("runs.previews",),
    "landscapes": ("kinds.points.figures",),
    "likelihood": ("kinds.texts.likelihood",),
    "marginals": ("kinds.tables.figures",),
    "metrics.known": ("kinds.points.known",),
    "metrics.table_models": ("kinds.tables.models",),
    "metrics.tables": ("kinds.tables.metrics", "metrics.marginals"),
    "metrics.texts": ("kinds.texts.metrics",),
    "networks.convolutional": ("kinds.images.networks.convolutional",),
    "networks.excitation": ("kinds.images.networks.excitation",),
    "networks.frames": ("kinds.sounds.networks.frames", "networks.conv1d"),
    "networks.recurrent": ("kinds.texts.networks.recurrent",),
    "networks.residual": ("kinds.images.networks.residual",),
    "networks.sequence": ("kinds.texts.networks.sequence", "networks.conv1d"),
    "networks.tabular": ("kinds.tables.networks", "networks.gumbel"),
    "networks.wave": ("kinds.sounds.networks.wave",),
    "notation": ("recipes.notation",),
    "observe": ("runs.monitor",),
    "plan": ("runs.plan",),
    "portraits": ("theory.figures",),
    "presets": ("recipes.named", "kinds.images.presets"),
    "profiling": ("training.profile",),
    "recipe": ("recipes.recipe", "recipes.sections"),
    "reference": ("features.reference",),
    "rivals": ("kinds.texts.baselines",),
    "runs": ("runs.folder",),
    "saving": ("data.output",),
    "scribe": ("runs.logger",),
    "session": ("runs.runner",),
    "shell": ("cli.options",),
    "sonograms": ("kinds.sounds.figures",),
    "sound_card": ("kinds.sounds.card",),
    "spec": (
        "kinds.images.spec",
        "kinds.points.spec",
        "kinds.tables.spec",
        "kinds.sounds.spec",
        "kinds.texts.spec",
    ),
    "spectrum": ("kinds.sounds.spectrum",),
    "statements": ("theory.statements",),
    "statements.augmentations": ("theory.statements.augmentations",),
    "statements.convergence": ("theory.statements.convergence",),
    "statements.distances": ("theory.statements.distances",),
    "statements.evaluation": ("theory.statements.evaluation",),
    "statements.families": ("theory.statements.families",),
    "statements.games": ("theory.statements.games",),
    "statements.statement": ("theory.statements.statement",),
    "symptoms": ("runs.symptoms",),
    "table_card": ("kinds.tables.card",),
    "terminal": ("cli.terminal",),
    "text_card": ("kinds.texts.card", "kinds.texts.figures"),
    "theory_commands": ("cli.theory",),
}
# Single names that have another one, or are elsewhere than the rest of their module.
NAMES = {
    "conditional.Wanted": "kinds.texts.options.TextRequests",
    "data.images.open_images": "kinds.images.reader.open_data",
    "data.kinds.open_data": "kinds.open_as_in_0_1",
    "data.sounds.open_sounds": "kinds.sounds.reader.open_data",
    "data.sounds.seen": "kinds.sounds.codec.to_spectra",
    "data.tables.Questions": "kinds.tables.condition_sampler.ConditionSampler",
    "data.tables.condition": "kinds.tables.condition_sampler.condition_vector",
    "data.texts.open_texts": "kinds.texts.reader.open_data",
    "data.texts.normalised": "kinds.texts.codec.normalise",
    "plan.Audience": "training.reporter.ProgressReporter",
    "plan.Rows": "training.reporter.PlanRows",
    "data.texts.cutter": "kinds.texts.codec.tokenizer",
}


def contents(module: str) -> Callable[[str], Any]:
    """Return the `__getattr__` of a module that stays but has given names away."""

    def lookup(name: str) -> Any:
        home, value = _found(module, name)
        warnings.warn(f"{module}.{name} is now {home}", DeprecationWarning, stacklevel=2)
        return value

    return lookup


def _found(module: str, name: str) -> tuple[str, Any]:
    """Return the new dotted name of what an old module held, and its value."""
    if name.startswith("__"):
        raise AttributeError(f"module '{module}' has no attribute '{name}'")
    old = module.removeprefix("sparring.")
    if new := NAMES.get(f"{old}.{name}"):
        home, _, renamed = new.rpartition(".")
        return f"sparring.{new}", getattr(import_module(f"sparring.{home}"), renamed)
    for home in MODULES[old]:
        if hasattr(new_module := import_module(f"sparring.{home}"), name):
            return f"sparring.{home}.{name}", getattr(new_module, name)
    raise AttributeError(f"module '{module}' has no attribute '{name}'")


class _OldModule(Loader):
    """Loads an old module: one that looks names up in the new ones."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        homes = " and ".join(f"sparring.{home}" for home in MODULES[name.removeprefix("sparring.")])
        warnings.warn(f"{name} is now {homes}", DeprecationWarning, stacklevel=2)
        module.__getattr__ = lambda attribute: _found(name, attribute)[1]  # type: ignore[method-assign]


def find_spec(name: str) -> ModuleSpec | None:
    """Return how to import an old module; None if version 0.1 had none of this name."""
    old = name.removeprefix("sparring.")
    if old not in MODULES:
        return None
    package = any(other.startswith(f"{old}.") for other in MODULES)
    return ModuleSpec(name, _OldModule(), is_package=package)
