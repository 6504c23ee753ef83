"""The shape of the house: imports point one way, gradients are taken in one place, no pickle.

Read off the source by `ast`, so that imports inside functions and for type checkers count too.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sparring

SOURCE = Path(sparring.__file__).parent

# Each module or package may import those above it, never those below. Modules of one package may
# import each other, without a cycle. A new module needs a row, and its reason.
ORDER = (
    ("errors", "what a user is told; needs nothing"),
    ("spec", "what one sample is; needs nothing"),
    ("runs", "the run folder: names and small files"),
    ("schedules", "functions of the images seen"),
    ("draws", "random numbers as a function of where they are used"),
    ("spectrum", "sound as spectra and back; pure functions of waves"),
    ("divergences", "f, its conjugate and its activation: pure functions of one number"),
    ("objectives", "pure functions of logits"),
    ("penalties", "pure functions of a scored batch; they draw, and follow schedules"),
    ("augment", "changes of images, drawn; pure functions of a batch"),
    ("theory", "what should hold: pure functions, of objectives and penalties too"),
    ("portraits", "pictures of the plane: fields, densities, samples"),
    ("densities", "data whose density is known: exact samplers and log-densities"),
    ("data", "files to tensors and back; knows no network and no game"),
    ("networks", "built from a spec; know no data and no game"),
    ("training", "the game: objectives and penalties on networks that come in as values"),
    ("profiling", "where the time of a step goes"),
    ("metrics", "pure functions of features; know no network"),
    ("features", "what metrics look at: items to numbers; fixed networks"),
    ("statements", "the theory checked on objectives, penalties, training and metrics"),
    ("sampling", "a trained generator; reads a state's networks"),
    ("conditional", "rows that satisfy conditions"),
    ("likelihood", "the likelihood model that texts are judged beside"),
    ("export", "a generator as one file; reads its networks and spec"),
    ("compare", "which of several sets of features is better; pure"),
    ("evaluation", "the card: which metrics, and their words; pure"),
    ("table_card", "what the card of a table says beside features; pure"),
    ("sound_card", "what the card of sounds says beside features; pure"),
    ("diagnosis", "what a run's measures say in words; pure"),
    ("reference", "features of real data, kept on disk"),
    ("symptoms", "what trouble shows in: a discriminator's ranking, samples alike"),
    ("observe", "what is measured while training: a sampler's output through the metrics"),
    ("landscapes", "pictures of points and of the discriminator on them"),
    ("marginals", "pictures of tables, a panel a column"),
    ("sonograms", "pictures of sounds, a wave and a spectrum each"),
    ("text_card", "what the card of texts says beside features, and its rivals"),
    ("rivals", "texts by everybody whom that card compares"),
    ("saving", "samples as files of the data's own kind"),
    ("gallery", "sample grids: a sampler's output through a codec into a run folder"),
    ("exhibits", "pictures of an evaluation: samples and data chosen by their features"),
    ("report", "pages from what lies in a run folder; touches no tensor"),
    ("notation", "budgets, schedules and horizons as people write them"),
    ("recipe", "every decision as plain values; needs the data's options"),
    ("presets", "recipes by name, size and shape"),
    ("build", "the one place where names become objects"),
    ("engine", "the machine it runs on"),
    ("plan", "all decisions, made before the first step"),
    ("scribe", "what is written while a run trains"),
    ("assessment", "a run's evaluation, from drawing to its file; and comparing runs"),
    ("session", "a run from its claim to its report"),
    ("api", "what Python users call"),
    ("terminal", "how it is shown"),
    ("shell", "what the command modules share"),
    ("theory_commands", "`sparring theory`: the table and the phase portrait"),
    ("cli", "what shell users call"),
    ("__main__", "`python -m sparring`"),
    ("__init__", "the public names, taken from anywhere, imported by none"),
)
RANK = {name: rank for rank, (name, _) in enumerate(ORDER)}

MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")
)
every_module = pytest.mark.parametrize("module", MODULES)


def tree(module: str) -> ast.Module:
    path = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def part(module: str) -> str:
    """Return the row of the table that a module belongs to."""
    return module.split(".")[0]


def located(dotted: str) -> str | None:
    """Return the module of ours that a dotted name lies in: `sparring.runs.find` in `runs`."""
    names = dotted.split(".")[1:]
    while names:
        for candidate in (".".join(names), ".".join([*names, "__init__"])):
            if candidate in MODULES:
                return candidate
        names.pop()
    return "__init__"


def imports(module: str) -> Iterator[tuple[str, int]]:
    """Yield each import of a module of ours, and its line."""
    package = ["sparring", *module.split(".")[:-1]]
    for node in ast.walk(tree(module)):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            targets = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and dotted_name(node.func).endswith("import_module"):
            targets = [a.value for a in node.args if isinstance(a, ast.Constant)][:1]  # type: ignore[misc]
        for target in targets:
            if target == "sparring" or target.startswith("sparring."):
                found = located(target)
                assert found is not None
                yield found, getattr(node, "lineno", 0)


def dotted_name(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def calls(module: str) -> Iterator[tuple[str, ast.Call]]:
    """Yield each call with the dotted name of what is called."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func) if isinstance(node.func, ast.Attribute) else ""
            yield name or dotted_name(node.func), node


@every_module
def test_every_module_has_a_place_in_the_order(module: str) -> None:
    assert part(module) in RANK, f"give sparring/{part(module)} a row in ORDER, with its reason"


def test_the_order_names_nothing_twice_and_gives_reasons() -> None:
    assert len(RANK) == len(ORDER)
    assert all(reason for _, reason in ORDER)


@every_module
def test_imports_point_to_what_stands_above(module: str) -> None:
    own = RANK.get(part(module), -1)
    offences = [
        f"sparring/{module.replace('.', '/')}.py:{line} imports {target}, which stands below"
        for target, line in imports(module)
        if RANK.get(part(target), len(ORDER)) >= own and part(target) != part(module)
    ]
    assert offences == []


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {
        module: {target for target, _ in imports(module) if target != module} for module in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" imports ".join(reversed(cycle.args[1])))


def test_imports_inside_functions_and_for_type_checkers_are_seen() -> None:
    """The reader itself is read: `training.step` really is seen to import what it imports."""
    seen = {target for target, _ in imports("training.step")}
    assert {"draws", "objectives", "penalties", "schedules", "training.state"} <= seen
    assert located("sparring.runs.find") == "runs"
    assert located("sparring.report.facts") == "report.facts"
    assert located("sparring.report.write_card") == "report.__init__"
    assert located("sparring.__version__") == "__init__"


@every_module
def test_recipes_presets_and_run_folders_load_without_torch(module: str) -> None:
    """A typing mistake on the command line must not take a second to be told."""
    if part(module) not in ("errors", "spec", "runs", "schedules", "recipe", "presets"):
        return
    closure, queue = set(), [module]
    while queue:
        current = queue.pop()
        if current in closure:
            continue
        closure.add(current)
        queue += [target for target, _ in imports(current) if target != "__init__"]
        parents = current.split(".")[:-1]
        queue += [f"{'.'.join(parents)}.__init__"] if parents else []
    heavy = {
        f"{name} imports {top}"
        for name in closure
        for top in foreign(name)
        if top in ("torch", "scipy", "sklearn", "pandas", "onnx", "onnxruntime")
    }
    assert heavy == set()


def test_importing_the_package_and_its_recipes_loads_no_torch() -> None:
    code = "import sys, sparring, sparring.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def foreign(module: str) -> set[str]:
    """Return the top names of what a module imports from elsewhere."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - {"sparring"}


# ---- gradients in one place

MAY = {  # what is called -> the modules in which it may be
    "backward": {"training.step", "features.classifier", "likelihood"},  # a judge may train itself
    # the state lets its optimisers allocate
    "step": {"training.step", "training.state", "features.classifier", "likelihood"},
    "grad": {"training.step", "penalties", "theory.dirac"},  # as torch.autograd.grad
}


@every_module
def test_gradients_are_taken_and_optimisers_step_where_they_should(module: str) -> None:
    offences = []
    for name, node in calls(module):
        *owner, method = name.rsplit(".", 1)
        if not owner or method not in MAY:
            continue
        if method == "grad" and not owner[0].endswith("autograd"):
            continue
        if module not in MAY[method]:
            offences.append(f"line {node.lineno}: {name}()")
    assert offences == []


def test_the_places_where_gradients_are_taken_are_still_there() -> None:
    """Otherwise the rule above would hold of nothing."""
    for method, modules in MAY.items():
        for module in modules:
            assert any(name.split(".")[-1] == method for name, _ in calls(module)), (method, module)


# ---- nothing pickled, nothing executed

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = ("torch.load", "torch.save", "torch.jit.load", "eval", "exec", "os.system")
# Weights published as .pth: opened only after the SHA-256 of the very bytes, and tensors only.
VERIFIED = {("features.weights", "torch.load")}


@every_module
def test_nothing_is_unpickled_or_executed(module: str) -> None:
    assert foreign(module) & UNSAFE_MODULES == set()
    for name, node in calls(module):
        if (module, name) in VERIFIED:
            assert any(
                k.arg == "weights_only" and ast.unparse(k.value) == "True" for k in node.keywords
            )
            continue
        assert name not in UNSAFE_CALLS, f"line {node.lineno}: {name}()"
        allowed = [k.value for k in node.keywords if k.arg == "allow_pickle"]
        assert all(isinstance(v, ast.Constant) and v.value is False for v in allowed)
    names = {
        f"{node.module}.{alias.name}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert names & {"torch.load", "torch.save", "os.system"} == set()


@every_module
def test_everything_read_by_numpy_refuses_pickles_aloud(module: str) -> None:
    for name, node in calls(module):
        if name in ("np.load", "numpy.load"):
            assert any(k.arg == "allow_pickle" for k in node.keywords), f"line {node.lineno}"
