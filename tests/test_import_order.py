"""The shape of the house: imports point one way, kinds stay at home, nothing is pickled.

Read off the source by `ast`, so that imports inside functions and for type checkers count too.
"""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sparring
from sparring.kinds import KINDS

SOURCE = Path(sparring.__file__).parent

# Each row may import those above it, never those below. A name is a module, a package, or a part of
# a package, which the longest name decides. Names of one row do not import each other; modules of
# one name may, without a cycle.
ORDER = (
    (("errors", "moved"), "what a user is told; where modules of 0.1 are now; need nothing"),
    (("spec", "draws", "schedules", "divergences"), "plain values and functions, of nothing"),
    (("objectives", "penalties"), "pure functions of logits, of a scored batch"),
    (("runs.folder",), "the run folder: names, small files, atomic writes"),
    (("networks", "plotting"), "layers, and figures, that know no kind of data"),
    (("training",), "the game: objectives and penalties on networks that come in as values"),
    (("sampling",), "a trained generator; reads a state's networks"),
    (("theory",), "what should hold: pure functions, of objectives and penalties too"),
    (("data",), "what all data share: listings, packs, labels, the split, the stream"),
    (("metrics",), "pure functions of features; know no network"),
    (("features",), "what metrics look at: items to numbers; fixed networks"),
    (("recipes.sections",), "every decision that no kind of data changes, as plain values"),
    (("recipes.notation", "recipes.common"), "how people write values; what kinds' recipes share"),
    (("kinds.kind",), "what a kind of data is: the protocol"),
    (("kinds.",), "the kinds, each in its folder"),
    (("kinds",), "the one list of kinds"),
    (("theory.statements",), "the theory checked on training, on changes of kinds, on metrics"),
    (("recipes",), "every decision as plain values; named recipes"),
    (("build",), "the one place where names become objects"),
    (("evaluation",), "the card, from features to its file; which of several runs is better"),
    (("report",), "pages from what lies in a run folder; touches no tensor"),
    (("runs",), "a run from its plan to its report"),
    (("export",), "a generator as one file; reads its networks and spec"),
    (("api",), "what Python users call"),
    (("cli",), "what shell users call"),
    (("testing",), "what must hold of every kind at every entry point, as tests"),
    (("__main__",), "`python -m sparring`"),
    (("__init__",), "the public names, taken from anywhere, imported by none"),
)
MAX_ROWS = 30
MAX_MODULES, MAX_FOLDERS = 15, 13  # on the top level
RANK = {name: rank for rank, (names, _) in enumerate(ORDER) for name in names}

MODULES = sorted(
    ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")
)
Def = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def tree(module: str) -> ast.Module:
    path = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


@cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(tree(module)))


def refuse(offences: Iterable[str]) -> None:
    found = sorted(offences)
    assert not found, "\n" + "\n".join(found)


def place(module: str, line: int) -> str:
    return f"sparring/{module.replace('.', '/')}.py:{line}"


def part(module: str) -> str:
    """Return the name in the table that a module belongs to."""
    name = module.removesuffix(".__init__")
    if name.startswith("kinds.") and name != "kinds.kind":
        return "kinds."
    while name not in RANK and "." in name:
        name = name.rpartition(".")[0]
    return name


def located(dotted: str) -> str | None:
    """Return the module of ours that a dotted name lies in: `sparring.runs.folder.find`."""
    names = dotted.split(".")[1:]
    while names:
        for candidate in (".".join(names), ".".join([*names, "__init__"])):
            if candidate in MODULES:
                return candidate
        names.pop()
    return "__init__"


def targets(node: ast.AST, module: str) -> list[str]:
    """Return the dotted names that a statement or a call of `import_module` imports."""
    package = ["sparring", *module.split(".")[:-1]]
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        return [f"{base}.{alias.name}" for alias in node.names]
    if isinstance(node, ast.Call) and dotted_name(node.func).endswith("import_module"):
        return [a.value for a in node.args if isinstance(a, ast.Constant)][:1]  # type: ignore[misc]
    return []


def ours(found: list[str]) -> Iterator[str]:
    """Yield the modules of ours among dotted names."""
    for target in found:
        if target == "sparring" or target.startswith("sparring."):
            module = located(target)
            assert module is not None
            yield module


@cache
def imports(module: str) -> tuple[tuple[str, int], ...]:
    """Return each import of a module of ours, and its line."""
    return tuple(
        (target, getattr(node, "lineno", 0))
        for node in nodes(module)
        for target in ours(targets(node, module))
    )


def dotted_name(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


@cache
def calls(module: str) -> tuple[tuple[str, ast.Call], ...]:
    """Return each call with the dotted name of what is called."""
    return tuple(
        (dotted_name(node.func), node) for node in nodes(module) if isinstance(node, ast.Call)
    )


# ---- imports point one way


def test_every_module_has_a_place_in_the_order() -> None:
    strangers = {part(module) for module in MODULES} - RANK.keys()
    assert strangers == set(), "give each a row in ORDER, with its reason"


def test_the_order_fits_one_screen_names_nothing_twice_and_gives_reasons() -> None:
    assert len(ORDER) <= MAX_ROWS
    assert len(RANK) == sum(len(names) for names, _ in ORDER)
    assert all(reason for _, reason in ORDER)
    assert RANK.keys() <= {part(module) for module in MODULES}, "a row of which there is no module"


def test_the_top_level_is_small() -> None:
    modules = [path.name for path in SOURCE.glob("*.py")]
    folders = {path.parent.relative_to(SOURCE).parts[0] for path in SOURCE.glob("*/**/*.py")}
    assert len(modules) <= MAX_MODULES, sorted(modules)
    assert len(folders) <= MAX_FOLDERS, sorted(folders)


def test_imports_point_to_what_stands_above() -> None:
    offences = {
        f"{module} imports {target}"
        for module in MODULES
        for target, _ in imports(module)
        if part(target) != part(module)
        and RANK.get(part(target), len(ORDER)) >= RANK.get(part(module), -1)
    }
    refuse(offences)


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
    assert located("sparring.runs.folder.find") == "runs.folder"
    assert located("sparring.report.facts") == "report.facts"
    assert located("sparring.report.write_card") == "report.__init__"
    assert located("sparring.__version__") == "__init__"


# ---- kinds of data stay at home

HOMES = {kind.home.removeprefix("sparring.") for kind in KINDS}
SPECS = re.compile("|".join([*(kind.spec.__name__ for kind in KINDS), "is_frame"]))
# Every picture that we draw is a PNG; the formats of tables and texts are in no kind's list.
SUFFIXES = {suffix for kind in KINDS for suffix in kind.suffixes} - {".png"}
SUFFIXES |= {".csv", ".tsv", ".parquet", ".txt", ".jsonl"}
WORDS = SUFFIXES.union(  # but "images", which also counts the samples of any kind
    *((kind.name, kind.noun, kind.plural, *kind.named) for kind in KINDS),
    *({network.name for network in kind.architectures} - {"mlp"} for kind in KINDS),
) - {"images"}
ALLOWED = {  # (module, word) -> why it is not about a kind of data
    ("__init__", "kinds.points.densities"): "a public name of 0.1",
    ("recipes.sections", "convolutional"): "the default of a recipe that names no network",
    ("data.options", ".csv"): "labels.csv, beside files of any kind",
}


def home(module: str) -> str | None:
    """Return the folder of the kind that a module lies in."""
    return next((home for home in HOMES if f"{module}.".startswith(f"{home}.")), None)


def test_no_kind_imports_another() -> None:
    offences = {
        f"{module} imports {target}"
        for module in MODULES
        for target, _ in imports(module)
        if home(module) and home(target) and home(module) != home(target)
    }
    refuse(offences)


def kinds_named(module: str) -> set[str]:
    """Return what a module names of one kind: its folder, spec, name, formats, networks, sets."""
    path = SOURCE.joinpath(*module.split(".")).with_suffix(".py")
    named = {target for target, _ in imports(module) if home(target)}
    named |= set(SPECS.findall(path.read_text(encoding="utf-8")))
    strings = [node.value for node in nodes(module) if isinstance(node, ast.Constant)]
    return named | {value for value in strings if isinstance(value, str) and value in WORDS}


def test_nothing_outside_the_kinds_names_one() -> None:
    found = {
        (module, word)
        for module in MODULES
        if not module.startswith("kinds.")
        for word in kinds_named(module)
    }
    refuse({f"{module}: {word}" for module, word in found - ALLOWED.keys()})
    assert ALLOWED.keys() <= found, "an exception that is no longer needed"


def test_the_report_s_template_names_no_kind() -> None:
    for path in SOURCE.rglob("*.jinja"):
        source = re.sub('class="[^"]*"', "", path.read_text(encoding="utf-8"))
        quoted = set(re.findall(r"""['"]([^'"\s]+)['"]""", source))
        assert quoted & WORDS == set(), path
    assert list(SOURCE.rglob("*.jinja"))


# ---- functions are short

MEDIAN_LINES, TALL_LINES, MAX_LINES = 8, 20, 60
SHARE_NOT_TALL = 0.9


def test_functions_are_short() -> None:
    """Lines run from `def` to the last one: docstring, comments and blank lines count too."""
    lengths = {
        f"{place(module, node.lineno)} {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, Def)
    }
    long = {where.split()[1] for where, lines in lengths.items() if lines > MAX_LINES}
    refuse(long)
    assert statistics.median(lengths.values()) <= MEDIAN_LINES
    not_tall = sum(lines <= TALL_LINES for lines in lengths.values())
    assert not_tall >= SHARE_NOT_TALL * len(lengths)


# ---- a typing mistake on the command line must not take a second to be told

HEAVY = {"torch", "scipy", "sklearn", "pandas", "onnx", "onnxruntime", "matplotlib", "soundfile"}
LIGHT = ("errors", "spec", "schedules", "runs.folder", "kinds", "kinds.kind", "recipes")
LIGHT_PARTS = ("__init__", "options", "presets", "spec")  # of a kind


def run_at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run when a module is imported, inside classes and branches too."""
    for node in body:
        yield node
        branches = ["body", "orelse", "finalbody"]
        if isinstance(node, Def):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            branches.remove("body")
        for branch in branches:
            yield from run_at_import(getattr(node, branch, []))
        for handler in getattr(node, "handlers", []):
            yield from run_at_import(handler.body)


def loaded(module: str) -> set[str]:
    """Return a module, what it loads when it is imported, and the packages around them."""
    closure: set[str] = set()
    queue = [module]
    while queue:
        current = queue.pop()
        if current in closure or current == "__init__":
            continue
        closure.add(current)
        for node in run_at_import(tree(current).body):
            queue += ours(targets(node, current))
        parents = current.split(".")[:-1]
        packages = (".".join(parents[: n + 1]) for n in range(len(parents)))
        queue += [f"{package}.__init__" for package in packages]
    return closure


def foreign(body: Iterable[ast.AST]) -> set[str]:
    """Return the top names of what statements import from elsewhere."""
    found = set()
    for node in body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found - {"sparring"}


def test_recipes_kinds_options_and_run_folders_load_without_torch() -> None:
    light = {
        module
        for module in MODULES
        if part(module) in LIGHT or module.startswith("recipes.")
        if home(module) is None
    }
    light |= {f"{home}.{name}" for home in HOMES for name in LIGHT_PARTS} & set(MODULES)
    assert len(light) > len(HOMES) * 3
    offences = {
        f"{module} loads {name}, which imports {top}"
        for module in light
        for name in loaded(module)
        for top in foreign(run_at_import(tree(name).body)) & HEAVY
    }
    refuse(offences)


def test_importing_the_package_its_recipes_and_its_help_loads_no_torch() -> None:
    code = (
        "import sys, sparring, sparring.recipes.recipe, sparring.cli\n"
        "sys.argv = ['sparring', 'train', '--help']\n"
        "try:\n    sparring.cli.main()\nexcept SystemExit as end:\n    assert not end.code\n"
        f"assert not {HEAVY} & sys.modules.keys(), {HEAVY} & sys.modules.keys()\n"
    )
    command = [sys.executable, "-c", code]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "--budget" in ended.stdout


# ---- gradients in one place

MAY = {  # what is called -> the modules in which it may be
    "backward": {
        "training.step",
        "features.classifier",
        "kinds.texts.likelihood",
    },  # a judge may train itself
    # the state lets its optimisers allocate
    "step": {
        "training.step",
        "training.state",
        "features.classifier",
        "kinds.texts.likelihood",
        "kinds.tables.preparation",
    },
    "grad": {"training.step", "penalties", "theory.dirac"},  # as torch.autograd.grad
}


def test_gradients_are_taken_and_optimisers_step_where_they_should() -> None:
    found: dict[str, set[str]] = {method: set() for method in MAY}
    for module in MODULES:
        for name, _ in calls(module):
            *owner, method = name.rsplit(".", 1)
            if owner and method in MAY and (method != "grad" or owner[0].endswith("autograd")):
                found[method].add(module)
    assert found == MAY


# ---- nothing that only Unix has

ONLY_UNIX = {"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "syslog", "posix"}
GUARDED = {("runs.device", "resource")}


def test_no_module_imports_what_only_unix_has() -> None:
    found = {(module, name) for module in MODULES for name in foreign(nodes(module)) & ONLY_UNIX}
    assert found == GUARDED


# ---- nothing pickled, nothing executed

UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"torch.load", "torch.save", "torch.jit.load", "eval", "exec", "os.system"}
# Weights published as .pth: opened only after the SHA-256 of the very bytes, and tensors only.
VERIFIED = {("features.weights", "torch.load")}


def keyword(call: ast.Call, name: str) -> str | None:
    """Return an argument of a call as it is written."""
    return next((ast.unparse(k.value) for k in call.keywords if k.arg == name), None)


def test_nothing_is_unpickled_or_executed() -> None:
    offences = []
    for module in MODULES:
        names = {name for node in nodes(module) for name in targets(node, module)}
        unsafe = names & UNSAFE_CALLS | foreign(nodes(module)) & UNSAFE_MODULES
        offences += [f"{module} imports {name}" for name in unsafe]
        for name, call in calls(module):
            if (module, name) in VERIFIED:
                safe = keyword(call, "weights_only") == "True"
            else:
                safe = name not in UNSAFE_CALLS
            if not safe or keyword(call, "allow_pickle") not in (None, "False"):
                offences.append(f"{place(module, call.lineno)}: {ast.unparse(call)}")
    refuse(offences)


def test_everything_read_by_numpy_refuses_pickles_aloud() -> None:
    offences = [
        f"{place(module, call.lineno)}: {ast.unparse(call)}"
        for module in MODULES
        for name, call in calls(module)
        if name in ("np.load", "numpy.load") and keyword(call, "allow_pickle") != "False"
    ]
    refuse(offences)
