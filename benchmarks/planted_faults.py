"""Faults planted in the source one by one, and the test that sees each: what the tests are worth.

python -m benchmarks.planted_faults [CHECKOUT] [--jobs N] [--only WORD …] [--theory] [--control]

Works on copies; the checkout stays as it is. Each fault is a small change in one place, found by
what stands there and not by the file's name, and only the test files that ought to see it run. A
fault whose place or tests cannot be found is an error: adapt it. `--theory` runs `sparring theory`
in the place of tests, over the faults of what that is about, and names the row that sees each.
`--control` plants nothing and runs the same, which must then pass. The exit status is 0 if every
fault is caught.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info")
LEFT_OUT_ABOVE = shutil.ignore_patterns("runs", "build", "dist")  # beside the source, not in it
PATIENCE_SECONDS = 240  # a fault may make a test wait for ever
FAILED = 1  # pytest's status when a test has failed; others say that it could not run them
FIRST_FAILURE = re.compile(r"^(?:FAILED|ERROR) (?:tests/)?(?:.*/)?([^/]+\.py::[^\[\n]+?)(\[| - |$)")


@dataclass(frozen=True)
class Fault:
    """A change of the source, and where it ought to be seen.

    The first change of those whose old text stands in exactly one place is planted. Tests are
    patterns of names anywhere below `tests`; `|` parts those of which the first with a file counts.
    """

    area: str
    name: str
    changes: tuple[tuple[str, str], ...]  # old, new
    tests: tuple[str, ...]
    chosen: str = ""  # an expression for `pytest -k`: a few tests of a slow file


def fault(area: str, name: str, old: str, new: str, tests: str, chosen: str = "") -> Fault:
    """Return a fault of one change, its tests with spaces between them."""
    return Fault(area, name, ((old, new),), tuple(tests.split()), chosen)


# Faults of what the statements of the theory are about: `--theory` asks who of those sees them.
OF_THEORY: tuple[Fault, ...] = (
    fault(
        "objectives",
        "the generator wants to be found out",
        "lambda r, f: softplus(-f),",
        "lambda r, f: softplus(f),",
        "test_objectives.py",
    ),
    fault(
        "objectives",
        "an f-GAN's reals count for nothing",
        "lambda r, f: conjugate(f) - activation(r),",
        "lambda r, f: conjugate(f) - activation(f),",
        "test_objectives.py",
    ),
    fault(
        "objectives",
        "a relativistic generator wants what the discriminator wants",
        "lambda r, f: h(r - f),",
        "lambda r, f: h(f - r),",
        "test_objectives.py",
    ),
    fault(
        "objectives",
        "the ratio of the non-saturating game is turned over",
        "-torch.sigmoid(-f) / torch.sigmoid(f)",
        "-torch.sigmoid(f) / torch.sigmoid(-f)",
        "test_objectives.py",
    ),
    fault(
        "divergences",
        "Neyman's conjugate loses its root",
        "conjugate_of_activation=lambda v: -2 * (-v / 2).expm1(),",
        "conjugate_of_activation=lambda v: -2 * (-v).expm1(),",
        "test_f_gan_table.py",
    ),
    fault(
        "penalties",
        "squared gradients are averaged, not summed",
        "grad.flatten(1).square().sum(1)",
        "grad.flatten(1).square().mean(1)",
        "test_penalties.py",
    ),
    fault(
        "penalties",
        "a lazy penalty is not scaled up",
        "return self.every * self.weight(images) if",
        "return self.weight(images) if",
        "test_penalties.py",
    ),
    fault(
        "penalties",
        "R2 acts at the reals",
        "return _grad_sq_norm(fake) / 2",
        "return _grad_sq_norm(real) / 2",
        "test_penalties.py",
    ),
    fault(
        "penalties",
        "the gradient penalty never leaves the reals",
        "torch.lerp(real.x.detach(), fake.x.detach(), mix)",
        "torch.lerp(real.x.detach(), real.x.detach(), mix)",
        "test_penalties.py",
    ),
    fault(
        "step",
        "one pass for both forgets each sample's ratio",
        "ratio.view(-1, *[1] * (fake.ndim - 1)) * fake.grad",
        "-fake.grad",
        "test_step.py",
    ),
    fault(
        "step",
        "the generator moves before the discriminator",
        "logs = discriminator_step(state, game, part, move)\n",
        "logs = generator_step(state, game, part)\n"
        "            logs |= discriminator_step(state, game, part, move)\n",
        "test_step.py",
    ),
    fault(
        "step",
        "only fakes are augmented",
        "return score(state, game, augment_real(x), real.label)",
        "return score(state, game, x, real.label)",
        "test_step.py",
    ),
    fault(
        "step",
        "the generator learns at the discriminator's rate",
        "(state.generator_optimizer, game.generator_lr),",
        "(state.generator_optimizer, game.discriminator_lr),",
        "test_step.py",
    ),
    fault(
        "step",
        "each of several moves draws the same latents",
        "state.draw(offset=move * len(real.x))",
        "state.draw()",
        "test_step.py",
    ),
    fault(
        "step",
        "the average forgets too fast",
        "1 - 0.5 ** (images / halflife)",
        "1 - 0.25 ** (images / halflife)",
        "test_step.py",
    ),
    fault(
        "schedules",
        "a cosine comes back to its start",
        "(1 - cos(pi * ",
        "(1 - cos(2 * pi * ",
        "test_schedules.py",
    ),
    fault(
        "schedules",
        "the average remembers all the longer at first",
        "min(limit, share * images)",
        "max(limit, share * images)",
        "test_schedules.py",
    ),
    fault(
        "augmentation of images",
        "a quarter turn is half a turn",
        "x.rot90(1, (2, 3))",
        "x.rot90(2, (2, 3))",
        "test_augment.py",
    ),
    fault(
        "augmentation of images",
        "the turn by nothing is never drawn",
        "(amounts.u[0] * 4).long() if square",
        "(amounts.u[0] * 3).long() + 1 if square",
        "test_augment.py",
    ),
    fault(
        "augmentation of images",
        "changes come as often as they should stay away",
        "numbers[: len(kinds)] < p",
        "numbers[: len(kinds)] > p",
        "test_augment.py",
    ),
    fault(
        "augmentation of images",
        "the adaptive probability runs away",
        "(sign > target) - (sign < target)",
        "(sign < target) - (sign > target)",
        "test_augment.py test_step.py",
    ),
    fault(
        "metrics: transport",
        "the energy distance is that of squares",
        "np.negative(np.sqrt(values, out=values), out=values)",
        "np.negative(values, out=values)",
        "test_transport_metrics.py",
    ),
    fault(
        "metrics: transport",
        "the noise of two halves is taken off twice",
        "whole.value - noise / 4,",
        "whole.value - noise / 2,",
        "test_transport_metrics.py",
    ),
    fault(
        "metrics: kernels",
        "KID forgets how wide features are",
        "    values /= x.shape[1]\n",
        "",
        "test_kernels.py",
    ),
    fault(
        "metrics: kernels",
        "a sample is a pair of its own",
        "means = sums / (len(x) - 1)",
        "means = sums / len(x)",
        "test_kernels.py",
    ),
    fault(
        "metrics: Gaussians",
        "the correction forgets the covariances",
        "curved = (curvature - coupling.gains.sum() / 2) / 2",
        "curved = 0 * curvature",
        "test_gaussians.py",
    ),
    fault(
        "metrics: Gaussians",
        "what is left of the bias is taken to fall as 1/n",
        "ratio = (halves[0] ** 2 + halves[1] ** 2) / 2 / whole**2",
        "ratio = (halves[0] + halves[1]) / 2 / whole",
        "test_gaussians.py",
    ),
    fault(
        "metrics: Gaussians",
        "the influence of a sample has the wrong sign",
        "centred) - squares @ self.gains",
        "centred) + squares @ self.gains",
        "test_gaussians.py",
    ),
    fault(
        "metrics: neighbours",
        "a tie is always outside a ball",
        "tied[rows] & (self.turns[owners[rows]] < turns)",
        "tied[rows]",
        "test_neighbours.py",
    ),
    fault(
        "metrics: neighbours",
        "coverage of a perfect generator forgets k",
        "(len(x) - i) / (len(x) + fakes - i)",
        "(len(x) - 1) / (len(x) + fakes - 1)",
        "test_neighbours.py",
    ),
    fault(
        "metrics: diversity",
        "a sample is compared with itself",
        "rows = (_squared_sums(u) - 1) / (n - 1)",
        "rows = _squared_sums(u) / n",
        "test_diversity.py",
    ),
    fault(
        "metrics: permutation",
        "a p-value may be 0",
        "(1 + int(at_least)) / (1 + permutations)",
        "int(at_least) / permutations",
        "test_permutation.py",
    ),
    fault(
        "metrics: permutation",
        "ties count for a difference",
        "others >= observed - ROUNDING",
        "others > observed + ROUNDING",
        "test_permutation.py",
    ),
    fault(
        "metrics: classifier",
        "it is tested on what it was trained on",
        "return C2STClassifier(score, x[trained:], y[trained:], trained)",
        "return C2STClassifier(score, x[:trained], y[:trained], trained)",
        "test_classifier_test.py",
    ),
    fault(
        "metrics: copying",
        "a p-value may be 0",
        "np.searchsorted(np.sort(column), column - slack)",
        "np.searchsorted(np.sort(column), column + slack)",
        "test_copying.py",
    ),
)

FAULTS: tuple[Fault, ...] = (
    *OF_THEORY,
    Fault(
        "step",
        "a recovery does not lower the rates",
        (
            ("0.5**state.attempt", "1.0**state.attempt"),
            ("0.5**self.attempt", "1.0**self.attempt"),
        ),
        ("test_step.py",),
    ),
    fault(
        "phase",
        "what it remembers is not kept",
        "**_of_preparing(state),",
        "",
        "test_phase.py",
    ),
    fault(
        "phase",
        "the game does not start from its best",
        'copy_exactly(state.generator.state_dict(), state.ema.state_dict(), "average")',
        "pass",
        "test_phase.py",
    ),
    fault(
        "phase",
        "its seconds do not count",
        'if e["event"] in ("preparation", "tick")',
        'if e["event"] in ("tick",)',
        "test_likelihood.py",
    ),
    fault(
        "phase",
        "the game is given its time once more",
        "first.amount - before / TRAINING_SHARE",
        "first.amount",
        "test_plan.py",
    ),
    fault(
        "likelihood",
        "the model on the card is kept whatever time it had",
        "if kept.metadata() == basis:",
        "if kept.metadata():",
        "test_likelihood.py",
    ),
    fault(
        "loop",
        "a tick is missed by a step that passes it",
        "return before // every < after // every",
        "return after % every == 0",
        "test_loop.py",
    ),
    fault(
        "loop",
        "means are sums",
        "float(value) / self.steps for",
        "float(value) for",
        "test_loop.py",
    ),
    fault(
        "state",
        "the optimisers' moments start as they fell",
        "value.zero_()",
        "value.add_(1)",
        "test_state.py",
    ),
    fault(
        "checkpoint",
        "a file's content is not checked",
        " or _digest(file) != digest:",
        ":",
        "test_checkpoint.py",
    ),
    fault(
        "checkpoint",
        "the newest is the last by name",
        "key=lambda path: (int(found[path][1]), not found[path][2])",
        "key=lambda path: path.name",
        "test_checkpoint.py",
    ),
    fault(
        "draws",
        "samples that follow each other share numbers",
        "counter=self.start * counts",
        "counter=self.start",
        "test_draws.py",
    ),
    fault(
        "augmentation of images",
        "a shift goes to the wrong side",
        "w, device=x.device) - right[:, None]",
        "w, device=x.device) + right[:, None]",
        "test_augment.py",
    ),
    fault(
        "augmentation of sounds",
        "a gain forgets the floor",
        "gain * size + (1 - gain) * self.spec.floor + noise",
        "gain * size + noise",
        "test_augment_sounds.py",
    ),
    fault(
        "networks: dense",
        "the bias is left out in training",
        "product if self.bias is None else product + self.bias",
        "product",
        "test_dense.py",
    ),
    fault(
        "networks: convolutional",
        "a kernel is not turned",
        "self.weight.flip(2, 3).transpose(0, 1)",
        "self.weight.transpose(0, 1)",
        "test_pairs.py",
    ),
    fault(
        "networks: blocks",
        "a label shifts all of its logits alike",
        "(features * self.embed(label)).sum(1)",
        "self.embed(label).sum(1)",
        "test_blocks.py",
    ),
    fault(
        "networks: residual",
        "branches are too quiet in deep networks",
        "* blocks ** (-1 / 4)",
        "* blocks ** (-1 / 2)",
        "test_residual.py",
    ),
    fault(
        "networks: excitation",
        "two paths are louder than one",
        "return both / sqrt(2)",
        "return both",
        "test_excitation.py",
    ),
    fault(
        "networks: inverse transform",
        "a wave is twice as loud as its level",
        "* (self.framing.window / 4) * torch.rsqrt",
        "* (self.framing.window / 2) * torch.rsqrt",
        "test_sound_ends.py test_sound_pairs.py",
    ),
    Fault(
        "networks: wave",
        "phases are shuffled to one side only",
        (
            (", 2 * SHUFFLE + 1)", ", SHUFFLE + 1)"),
            (", 2 * MAX_SHIFT + 1)", ", MAX_SHIFT + 1)"),
        ),
        ("test_sound_pairs.py",),
    ),
    fault(
        "networks: sequence",
        "symbols are not one-hot in training",
        "return hard + (soft - soft.detach())",
        "return soft",
        "test_sequences.py",
    ),
    Fault(
        "networks: recurrent",
        "ends after the first count as symbols",
        (
            ("(each * (before == 0)).sum(1)", "each.sum(1)"),
            ("(log_p * (earlier_ends == 0)).sum(1)", "log_p.sum(1)"),
        ),
        ("test_sequences.py",),
    ),
    Fault(
        "networks: tabular",
        "the noise of categories is turned over",
        (
            ("-torch.log(-torch.log1p(-above))", "torch.log(-torch.log1p(-above))"),
            ("-torch.log(-torch.log1p(-upper_tail))", "torch.log(-torch.log1p(-upper_tail))"),
        ),
        ("test_tabular.py",),
    ),
    fault(
        "spectrum",
        "the constant bin counts twice",
        "weight[0] /= 2",
        "weight[0] /= 1",
        "test_spectrum.py test_sound_ends.py",
    ),
    fault(
        "spectrum",
        "mel bands above 1 kHz are misplaced",
        "above = 15 + 27 * torch.log(",
        "above = 15 + 25 * torch.log(",
        "test_spectrum.py",
    ),
    fault(
        "images",
        "white is not quite white",
        "samples / 127.5 - 1 if",
        "samples / 128 - 1 if",
        "test_image_codec.py",
    ),
    fault(
        "images",
        "arrays with channels first are read sideways",
        "images.transpose(0, 2, 3, 1)",
        "images.transpose(0, 3, 2, 1)",
        "test_arrays.py",
    ),
    fault(
        "sounds",
        "a lopsided sound loses its mean",
        "min(mean, median, key=abs) if mean * median > 0 else 0.0",
        "mean",
        "test_sound.py",
    ),
    fault(
        "sounds",
        "windows do not reach the end",
        "round(i * (samples - length) / (count - 1))",
        "round(i * (samples - length) / count)",
        "test_sound.py",
    ),
    fault(
        "texts",
        "a text goes on after its end",
        "row.index(0) if 0 in row else len(row)",
        "len(row)",
        "test_texts.py",
    ),
    fault(
        "tables: files",
        "codes that begin with 0 are taken for numbers",
        r'present.str.contains(r"^\s*[+-]?0\d", regex=True).any()',
        "False",
        "test_tables.py",
    ),
    fault(
        "points",
        "a constant coordinate divides by 0",
        "np.where(scale > 0, scale, 1)",
        "scale",
        "test_vectors.py",
    ),
    fault(
        "labels",
        "items outside of the label folders get one",
        "len(folders) >= 2 and not outside",
        "len(folders) >= 2",
        "test_labels.py",
    ),
    fault(
        "split",
        "duplicates are parted at the largest number held out",
        "return fractions < min(share, limit)",
        "return fractions <= min(share, limit)",
        "test_split.py",
    ),
    fault(
        "split",
        "the fingerprint does not know the labels",
        'b"unlabelled" if labels is None else labels.tobytes()',
        'b"unlabelled"',
        "test_split.py test_images.py",
    ),
    fault(
        "pack",
        "items fill the memory to the last byte",
        "if size <= share * available_memory():",
        "if size <= available_memory():",
        "test_files.py test_pack.py",
    ),
    fault(
        "listing",
        "names may lead out of an archive",
        ' or ".." in name.split("/")',
        "",
        "test_listing.py",
    ),
    fault(
        "tables: codec",
        "numbers come back narrower",
        "u = ndtr(3 * scores.astype(np.float64))",
        "u = ndtr(2.9 * scores.astype(np.float64))",
        "test_tables.py",
    ),
    fault(
        "tables: conditions",
        "larger and larger-or-equal change places",
        'ranks[at[0 if side == "left" else -1]]',
        'ranks[at[-1 if side == "left" else 0]]',
        "test_table_conditions.py",
    ),
    fault(
        "tables: conditions",
        "nothing is larger than a number",
        'elif condition.sign == ">":',
        'elif condition.sign == ">=":',
        "test_table_conditions.py",
    ),
    fault(
        "tables: types",
        "few whole numbers are no categories",
        '"category" if distinct <= MAX_INTEGER_CATEGORIES else "integer"',
        '"category" if distinct < MAX_INTEGER_CATEGORIES else "integer"',
        "test_tables.py",
    ),
    fault(
        "tables: types",
        "numbers and text may share a column",
        "0.5 <= numeric.mean() < 1",
        "1 <= numeric.mean() < 1",
        "test_tables.py",
    ),
    fault(
        "presets",
        "weights between two resolutions are on a line",
        "exp(log(first) + share * log(last / first))",
        "first + share * (last - first)",
        "test_presets.py",
    ),
    fault(
        "recipe",
        "a table of options replaces the one below",
        "merge(old, value) if both and old is not None else value",
        "value",
        "test_recipe.py",
    ),
    fault(
        "notation",
        "a share of the budget is a hundredth too large",
        "float(text[:-1]) / 100 * images",
        "float(text[:-1]) / 99 * images",
        "test_recipe.py",
    ),
    fault(
        "build",
        "the discriminator's own rate is forgotten",
        "discriminator_lr=lambda images: factor * rate(images)",
        "discriminator_lr=lambda images: rate(images)",
        "test_build.py",
    ),
    Fault(
        "plan",
        "a whole batch is tried however slow it is",
        (
            ("few if count / speed > ", "few if 0 * count / speed > "),
            ("small if count / speed > ", "small if 0 * count / speed > "),
        ),
        ("test_plan.py",),
    ),
    fault(
        "budget",
        "a run takes twice the time it was given",
        '"seconds": budget.amount * ',
        '"seconds": 2 * budget.amount * ',
        "test_train.py",
        "budget",
    ),
    Fault(
        "session",
        "two processes may train one run",
        (
            ("flock(file, LOCK_EX | LOCK_NB)", "flock(file, LOCK_NB | 1)"),
            ("FileLock(folder.path / file)", 'FileLock(folder.path / f"{file}{os.getpid()}")'),
        ),
        ("test_resume.py",),
        "second_process",
    ),
    Fault(
        "session",
        "other data pass for a run's own",
        (
            ('if data.fingerprint == about["data"]["fingerprint"]:', "if True:"),
            ("if changed := folder.changed(data.fingerprint):", 'if changed := "":'),
        ),
        ("test_resume.py",),
        "changed_data",
    ),
    fault(
        "session",
        "an extended run gets no more images",
        "images=recipe.images + more",
        "images=max(recipe.images, more)",
        "test_resume.py",
        "extended",
    ),
    fault(
        "runs",
        "a write that fails leaves half a file",
        "beside.unlink(missing_ok=True)",
        "beside.touch()",
        "test_runs.py",
    ),
    fault(
        "runs",
        "two runs get one number",
        "if number in _numbered(root):",
        "if number < 0:",
        "test_runs.py",
    ),
    fault(
        "runs",
        "what was discarded at a resume stays in the log",
        'e.get("images", 0) <= event["images"]',
        'e.get("images", 0) >= 0',
        "test_runs.py",
    ),
    Fault(
        "previews",
        "the strip of progress is as high as one picture",
        (
            ("sum(row.height for row in rows)", "rows[0].height"),
            ("sum(top.height for top in tops)", "tops[0].height"),
        ),
        ("test_points.py",),
        "side_by_side",
    ),
    fault(
        "saving",
        "labels are lost in an archive",
        'arrays["labels"] = labels.numpy()',
        'arrays["labels"] = 0 * labels.numpy()',
        "test_sample.py",
        "npz",
    ),
    Fault(
        "conditional sampling",
        "ranges that hardly any row hits stay hidden",
        (
            (
                "if len(good) < FEWEST * PART and len(shown) < len(groups):",
                "if len(good) < 0:",
            ),
            (
                "if len(hits) < MIN_HIT_SHARE * PROPOSED and len(revealed) < len(groups):",
                "if len(hits) < 0:",
            ),
        ),
        ("test_conditional.py",),
    ),
    Fault(
        "conditional sampling",
        "every part proposes the same rows",
        (
            ("groups, shown, seed, PART * tried, truncation", "groups, shown, seed, 0, truncation"),
            ("start = PROPOSED * proposals\n", "start = 0\n"),
        ),
        ("test_conditional.py",),
    ),
    fault(
        "sampling",
        "truncation does nothing",
        "generator(truncation * latent.to(device), label)",
        "generator(latent.to(device), label)",
        "test_sampling.py",
    ),
    fault(
        "sampling",
        "every batch has the samples of the first",
        "Draw(seed, start + done)",
        "Draw(seed, start)",
        "test_sampling.py",
    ),
    fault(
        "metrics: classes",
        "odd counts are corrected as even ones are",
        "np.where(counts % 2, -half, half)",
        "np.where(counts % 2, half, half)",
        "test_classes.py",
    ),
    fault(
        "metrics: tables",
        "total variation is twice what it is",
        "np.abs(gap).sum() / 2)",
        "np.abs(gap).sum())",
        "test_table_distances.py",
    ),
    Fault(
        "metrics: texts",
        "the shorter context counts once",
        (
            (
                "(after[unit] + different * found)",
                "(after[unit] + found)",
            ),
            (
                "(after[unit] + distinct * probability)",
                "(after[unit] + probability)",
            ),
        ),
        ("test_text_metrics.py",),
    ),
    fault(
        "metrics: frontiers",
        "a bias is removed the wrong way",
        "bias += others * (mean - whole)",
        "bias -= others * (mean - whole)",
        "test_frontiers.py",
    ),
    fault(
        "features",
        "what is transparent looks black",
        "1 - alpha * (1 - colours)",
        "alpha * colours",
        "test_pixels.py",
    ),
    fault(
        "features",
        "deeper maps of the random network are louder",
        "maps = (half + _layer(half, kernel)) / sqrt(2)",
        "maps = half + _layer(half, kernel)",
        "test_convolutions.py",
    ),
    fault(
        "features",
        "n-grams go on after a text's end",
        "(~ended[:, order - 1 :]).float()",
        "torch.ones_like(place).float()",
        "test_choose.py test_text_metrics.py test_text_card.py test_texts.py",
    ),
    Fault(
        "evaluation",
        "a card's tests are not corrected for their number",
        (("* np.arange(len(p_values), 0, -1)", "* np.ones(len(p_values))"),),
        ("test_verdict.py", "test_compare.py"),
    ),
    Fault(
        "evaluation",
        "a card that copies is said to differ",
        (
            (
                'order: tuple[Verdict, ...] = ("copies", "differs"',
                'order: tuple[Verdict, ...] = ("differs", "copies"',
            ),
        ),
        ("test_verdict.py",),
    ),
    Fault(
        "evaluation",
        "what could be seen forgets the number of tests",
        (("could_see(line, FAMILY_LEVEL / len(tested))", "could_see(line, FAMILY_LEVEL)"),),
        ("test_verdict.py",),
    ),
    Fault(
        "evaluation",
        "training data that judge are held against themselves",
        (("    if count >= MIN_ITEMS:\n        return by", "    if True:\n        return by"),),
        ("test_verdict.py", "test_evaluate.py"),
    ),
    Fault(
        "diagnosis",
        "one look of three is enough for a collapse",
        (
            (
                "min(shares) >= MANY_TWINS",
                "max(shares) >= MANY_TWINS",
            ),
            (
                "min(shares) >= MIN_DUPLICATE_SHARE",
                "max(shares) >= MIN_DUPLICATE_SHARE",
            ),
        ),
        ("test_diagnosis.py",),
    ),
    fault(
        "diagnosis",
        "what was measured past a rollback stays",
        'tick for tick in ticks if tick.images <= event["images"]',
        "tick for tick in ticks if tick.images",
        "test_diagnosis.py",
    ),
    Fault(
        "symptoms",
        "memory is turned upside down",
        (
            (
                '"memory": area(train, held)',
                '"memory": area(held, train)',
            ),
            (
                '"memory": auc_estimate(train, held_out)',
                '"memory": auc_estimate(held_out, train)',
            ),
        ),
        ("test_symptoms.py",),
    ),
    Fault(
        "observe",
        "labels come in the order of the data",
        (
            (
                'data.train[permutation(SEED, "labels", len(data.train))]',
                "data.train",
            ),
            (
                'data.train[permutation(LABEL_SEED, "labels", len(data.train))]',
                "data.train",
            ),
        ),
        ("test_observe.py",),
    ),
    fault(
        "report",
        "days are counted as hours",
        "whole // 3600 % 24",
        "whole // 3600",
        "test_report.py",
    ),
    fault(
        "report",
        "names in the card may be code",
        '.replace("<", "&lt;")',
        "",
        "test_report.py",
    ),
    fault(
        "scribe",
        "the best checkpoint is not spared",
        "checkpoint.save(state, folder, keep, spare)",
        "checkpoint.save(state, folder, keep)",
        "test_looks.py",
        "drift",
    ),
    fault(
        "scribe",
        "what cannot be written is told again and again",
        'if self.log.failure and "log" not in self.unwritten:',
        "if self.log.failure:",
        "test_faults.py",
        "log_that_cannot_be_written",
    ),
    fault(
        "export",
        "a model does not say what a sample is",
        '{"sparring": json.dumps(asdict(spec))}',
        '{"sparring": json.dumps({})}',
        "test_export.py",
    ),
    fault(
        "export",
        "a model takes one number of samples only",
        'free = {0: torch.export.Dim("n", min=1)}',
        "free: dict[int, object] = {}",
        "test_export.py",
    ),
    fault(
        "compare",
        "p-values are not corrected for their number",
        "* np.arange(len(p_values), 0, -1)",
        "* 1",
        "test_compare.py",
    ),
    fault(
        "theory: Dirac",
        "the generator moves first",
        "generator @ discriminator",
        "discriminator @ generator",
        "test_dirac.py test_convergence.py",
    ),
    fault(
        "theory: Gaussians",
        "a divergence is twice what it is",
        "float(trace + square - p.dimensions + volumes) / 2",
        "float(trace + square - p.dimensions + volumes)",
        "theory/test_gaussian.py",
    ),
    fault(
        "theory: best discriminators",
        "Pearson's best logit is half of it",
        "lambda rho: 2 * rho.expm1()",
        "lambda rho: rho.expm1()",
        "test_optimal.py",
    ),
    fault(
        "statements",
        "divergences agree locally with twice the curvature",
        "/ (curvature(kind) * epsilon**2 / 2)",
        "/ (curvature(kind) * epsilon**2)",
        "test_family_rows.py",
    ),
    Fault(
        "command line",
        "a bad command ends like a mistake in the data",
        (
            ("_fail(str(error), 2)", "_fail(str(error), 0)"),
            (" fail(str(error), 2)", " fail(str(error), 0)"),
        ),
        ("test_faults.py",),
        "bad_command",
    ),
    Fault(
        "command line",
        "a stopped run looks like a finished one to a shell",
        (("else 130)", "else 0)"), ("else INTERRUPTED)", "else 0)")),
        ("test_terminal.py",),
        "ctrl_c_once",
    ),
    fault(
        "terminal",
        "colours go into a pipe",
        'if self.console.is_terminal:\n            self._show("training"',
        'if True:\n            self._show("training"',
        "test_terminal.py",
        "behind_a_pipe",
    ),
    fault(
        "other data",
        "they are opened without the run's spec",
        "            spec=spec,\n            cache=cache,\n            progress=audience",
        "            cache=cache,\n            progress=audience",
        "test_table_runs.py",
        "other_rows",
    ),
    fault(
        "other data",
        "they must have labels because the run's had",
        'replace(self.recipe.data, labels="auto" if spec.classes else "none")',
        "self.recipe.data",
        "test_evaluate.py",
        "of_no_class",
    ),
    fault(
        "other data",
        "labels are matched by place",
        "labels=np.array(place)[loaded.labels]",
        "labels=loaded.labels",
        "test_given_spec.py",
        "labels",
    ),
    fault(
        "other data",
        "columns are matched by place",
        "_as_labelled(frame[c.name], c) for c in present",
        "_as_labelled(frame.iloc[:, i], c) for i, c in enumerate(present)",
        "test_given_spec.py",
        "columns",
    ),
    fault(
        "other data",
        "an unknown symbol is left out of a text",
        "return None if None in codes else",
        "return",
        "test_given_spec.py",
        "symbols",
    ),
    fault(
        "other data",
        "it is not told how they were read",
        'tuple(note.partition("; --")[0] for note in data.notes)',
        "()",
        "test_evaluate.py",
        "other_data",
    ),
    fault(
        "other data",
        "a run's own are read by what they look like now",
        "        spec=recorded_spec(folder),\n",
        "",
        "test_table_runs.py",
        "changed",
    ),
    fault(
        "other data",
        "most of a table may be left out",
        "odd.sum() > MAX_ODD_SHARE * len(frame)",
        "odd.all()",
        "test_given_spec.py",
        "odd or refused",
    ),
    fault(
        "other data",
        "the labels of other classes judge",
        "same = other.labels is not None and other.spec.classes == data.spec.classes",
        "same = other.labels is not None",
        "test_evaluation_card.py",
    ),
    fault(
        "recipes",
        "a size that was decided is left open",
        'resolution=f"{spec.height}x{spec.width}"',
        "resolution=options.resolution",
        "test_given_spec.py",
        "decided",
    ),
    fault(
        "recipes",
        "ticks that were measured make another recipe",
        "checkpoint=replace(recipe.checkpoint, ticks=0),",
        "",
        "test_identity.py",
    ),
    fault(
        "kept sources",
        "integers beside missing cells become floating point",
        "table.to_pandas(integer_object_nulls=True)",
        "table.to_pandas()",
        "test_kept_sources.py",
        "frame or nasty",
    ),
    fault(
        "kept sources",
        "an ordered category forgets its order",
        "table = pyarrow.Table.from_pandas(frame, preserve_index=False)",
        "table = pyarrow.Table.from_pandas(frame.apply(lambda c: c.cat.as_unordered() "
        'if c.dtype == "category" else c), preserve_index=False)',
        "test_kept_sources.py",
        "frame or nasty",
    ),
    fault(
        "kept sources",
        "a text with half a character cannot be kept",
        "escaped = HALF_CHARACTER.search(text) is not None",
        "escaped = False",
        "test_kept_sources.py",
        "text",
    ),
    fault(
        "kept sources",
        "waves come back in the order of their names",
        'f"{number:0{digits}d}.wav"',
        'f"{number}.wav"',
        "test_kept_sources.py",
        "waves or audio",
    ),
    fault(
        "kept sources",
        "the labels' file is found from one folder only",
        "decided(with_absolute_paths(recipe.data), data.spec)",
        "decided(recipe.data, data.spec)",
        "test_kept_sources.py",
        "moved and image",
    ),
    fault(
        "kept sources",
        "what a run keeps is looked for where the run was made",
        "str(Path(source).relative_to(home)) if kept else source,",
        "source,",
        "test_kept_sources.py",
        "moved and text",
    ),
    fault(
        "phase",
        "its counter is not restored",
        'state.prepared = counts["prepared"]',
        "pass",
        "test_phase.py",
    ),
    fault(
        "phase",
        "a checkpoint does not say that it lasts",
        'bool(stored.get("preparing", False))',
        "False",
        "test_phase.py",
    ),
    fault(
        "phase",
        "the game counts its time from the beginning",
        "self.seconds_before = max(self.seconds_before, self.seconds)",
        "pass",
        "test_text_runs.py",
        "time_of_the_run",
    ),
    fault(
        "phase",
        "the average does not follow",
        'copy_exactly(state.ema.state_dict(), model.state_dict(), "average")',
        "pass",
        "test_likelihood.py",
    ),
    fault(
        "phase",
        "the estimator goes without",
        "if phase := begin_phase(recipe, data, state):",
        "if phase := None:",
        "test_text_runs.py",
        "estimator",
    ),
    fault(
        "phase",
        "ticks that a resume goes back over stay",
        ' and e.get("prepared", 0) <= prepared',
        "",
        "test_runs.py",
        "resume",
    ),
    fault(
        "phase",
        "a recovery does not lower its rates",
        "rate = state.rate_factor * LEARNING_RATE * (1 - share)",
        "rate = LEARNING_RATE * (1 - share)",
        "test_text_runs.py",
        "taken_back",
    ),
    fault(
        "likelihood",
        "the model on the card is kept on other data",
        '"data": data.fingerprint,',
        '"data": "",',
        "test_likelihood.py",
    ),
    fault(
        "looks",
        "a resume remembers none",
        "remembered = read_looks(folder.looks, [seen for seen, _ in looks])",
        "remembered = read_looks(folder.looks, [])",
        "test_looks.py",
    ),
    fault(
        "looks",
        "those that a rollback took back stay",
        "self.monitor.forget_after(rollback.images)",
        "pass",
        "test_looks.py",
    ),
    fault(
        "looks",
        "one that is taken again is not written again",
        "if seen == max(looks) or not (folder / name).exists():",
        "if not (folder / name).exists():",
        "test_looks.py",
    ),
    fault(
        "looks",
        "those by other features are compared",
        "if one and other and one.digest == other.digest == self._digest:",
        "if one and other:",
        "test_looks.py",
    ),
    fault(
        "looks",
        "their samples are not paired",
        "np.var(a - b, ddof=1, dtype=np.float64)",
        "(np.var(a, ddof=1) + np.var(b, ddof=1))",
        "test_trend.py",
    ),
    fault(
        "looks",
        "an evaluation draws their latents",
        "for part in sample(generator, n, seed=SEED, labels=labels):",
        "for part in sample(generator, n, seed=1, labels=labels):",
        "test_observe.py",
    ),
    fault(
        "best",
        "it is not corrected for the number of looks",
        "return self.surely_worse(looks[i], looks[best], 1 - (1 - LEVEL) / max(i, 1))",
        "return self.surely_worse(looks[i], looks[best])",
        "test_looks.py",
        "luck",
    ),
    fault(
        "best",
        "the lowest look's checkpoint is dropped",
        "spared.add(min(looks, key=lambda look: look[1].value)[0])",
        "pass",
        "test_looks.py",
        "drift",
    ),
    fault(
        "best",
        "what was best at an earlier checkpoint is dropped",
        "spared = {self._best(kept, count) for count in kept[-self.recipe.checkpoint.keep :]}",
        "spared = {self._best(kept, count) for count in kept[-1:]}",
        "test_looks.py",
        "go_back_to",
    ),
    fault(
        "trend",
        "want of evidence is flat",
        "made = worse, over < 0 and fall > -FLAT * present, low > 0",
        "made = worse, low < 0 < gain.high(0.05), low > 0",
        "test_trend.py",
    ),
    fault(
        "trend",
        "a claim spends nothing",
        "self.gone += self.level(k)",
        "pass",
        "test_trend.py",
    ),
    fault(
        "export",
        "rows come two at a time",
        "latent.new_zeros(latent.shape[0], self.size + self.columns)",
        "latent.new_zeros(len(latent), self.size + self.columns)",
        "contract/test_contract.py",
        "exported and table",
    ),
    fault(
        "export",
        "a generator of a fixed number is written all the same",
        "    _refuse_fixed_batch(program)\n",
        "",
        "test_export.py",
        "refused",
    ),
    fault(
        "run folder",
        "what a newer version has written is read",
        '("format", FORMAT, "written in format"),',
        "",
        "test_runs.py",
        "newer",
    ),
    fault(
        "run folder",
        "its lock is not let go",
        "        lock.release()\n",
        '        globals().setdefault("held", []).append(lock)\n',
        "test_python_api.py",
        "resume_extends",
    ),
    fault(
        "JSON",
        "numbers that it does not know are written",
        "json.dumps(_plain(value), indent=2, ensure_ascii=ascii_only, allow_nan=False)",
        "json.dumps(value, indent=2, ensure_ascii=ascii_only)",
        "test_json.py",
        "cannot_say",
    ),
    fault(
        "devices",
        "conditions stay where they were made",
        "None if label is None else label.to(place)",
        "label",
        "test_placement.py",
        "step",
    ),
    fault(
        "devices",
        "samples' labels stay where they were made",
        "_padded(labels[done : done + MICRO_BATCH]).to(device)",
        "_padded(labels[done : done + MICRO_BATCH])",
        "test_placement.py",
        "look",
    ),
    fault(
        "devices",
        "a resume stays where the run was made",
        "_placed(recorded, device or recorded.device)",
        "_placed(recorded, recorded.device)",
        "test_devices.py",
        "resume",
    ),
    fault(
        "devices",
        "a recipe leaves open which it was",
        'resolve(defaults, options, {"device": chosen})',
        "resolve(defaults, options)",
        "test_devices.py",
        "default",
    ),
    fault(
        "plug-ins",
        "a broken one stops all",
        "except (Exception, SystemExit) as error:",
        "except ImportError as error:",
        "test_plugins.py",
        "loaded",
    ),
    fault(
        "plug-ins",
        "one that clashes is taken all the same",
        "fault = next(_faults(kind, (*built_in, *kinds)), None)",
        "fault = None",
        "test_plugins.py",
        "in_the_way",
    ),
    fault(
        "report",
        "a curve breaks wherever something else is logged",
        "elif kind in ROLLBACKS:",
        "else:",
        "test_curves_of_a_run.py",
    ),
    fault(
        "report",
        "a curve breaks where it is not measured",
        "for key, value in _values(event).items():",
        "for key, value in ({k: None for e, k in found if e == kind} | _values(event)).items():",
        "test_curves_of_a_run.py",
    ),
    fault(
        "samples",
        "a walk is forgotten beside conditions",
        'refuse_walk(request, "where")',
        "pass",
        "contract/test_contract.py",
        "heeded and table",
    ),
)


class NotPlanted(Exception):
    """The place of a fault, or a test that ought to see it, is not there."""


@dataclass(frozen=True)
class Outcome:
    """What became of one fault."""

    fault: Fault
    words: str
    seconds: float
    kind: str  # caught, survived or error


def main(arguments: Sequence[str] | None = None) -> None:
    """Plant every fault, print who sees it, and end with 1 unless all are caught."""
    parser = argparse.ArgumentParser(description="Who sees which planted fault.")
    parser.add_argument("checkout", type=Path, nargs="?", default=ROOT, help="default: this one")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--only", nargs="+", default=[], help="words of an area or a name")
    parser.add_argument("--theory", action="store_true", help="which of its rows sees it?")
    parser.add_argument("--control", action="store_true", help="plant nothing: all must pass")
    asked = parser.parse_args(arguments)
    table = OF_THEORY if asked.theory else FAULTS
    faults = [one for one in table if _is_meant(one, asked.only)]
    checkout, modes = asked.checkout.resolve(), {"control": asked.control, "theory": asked.theory}
    began, outcomes = time.monotonic(), []
    print(f"{'area':30} {'fault':62} {'s':>4}  seen by", flush=True)
    for outcome in judged(checkout, faults, asked.jobs, **modes):
        outcomes.append(outcome)
        one = outcome.fault
        print(f"{one.area:30} {one.name:62} {outcome.seconds:4.0f}  {outcome.words}", flush=True)
    print(summary(outcomes, time.monotonic() - began))
    wanted = "survived" if asked.control else "caught"
    raise SystemExit(any(outcome.kind != wanted for outcome in outcomes))


def _is_meant(one: Fault, words: Sequence[str]) -> bool:
    return not words or any(word in f"{one.area} {one.name}" for word in words)


def summary(outcomes: Sequence[Outcome], seconds: float) -> str:
    """Count what became of the faults, and how long it took."""
    kinds = [outcome.kind for outcome in outcomes]
    return (
        f"{len(kinds)} faults in {len({o.fault.area for o in outcomes})} areas: "
        f"{kinds.count('caught')} caught, {kinds.count('survived')} survived, "
        f"{kinds.count('error')} not planted or not run; {seconds / 60:.1f} minutes"
    )


def judged(
    checkout: Path,
    faults: Sequence[Fault],
    jobs: int,
    *,
    control: bool = False,
    theory: bool = False,
) -> Iterator[Outcome]:
    """Yield what becomes of each fault, in order; `jobs` of them are tried at a time."""
    copies: Queue[Path] = Queue()
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        for number in range(jobs):
            copy = Path(folder) / str(number)
            shutil.copytree(checkout, copy, ignore=partial(_left_out, checkout))
            copies.put(copy)

        def judge(one: Fault) -> Outcome:
            copy = copies.get()
            try:
                return _judge(one, copy, control=control, theory=theory)
            finally:
                copies.put(copy)

        with ThreadPoolExecutor(jobs) as pool:
            yield from pool.map(judge, faults)


def _judge(one: Fault, copy: Path, *, control: bool, theory: bool) -> Outcome:
    began = time.monotonic()
    try:
        tests = tests_of(one, copy / "tests")
        with planted(one, copy / "src" / "sparring", control=control):
            kind, words = run_theory(copy) if theory else run_tests(tests, one.chosen, copy)
    except NotPlanted as reason:
        kind, words = "error", f"NOT PLANTED: {reason}"
    return Outcome(one, words, time.monotonic() - began, kind)


def tests_of(one: Fault, folder: Path) -> list[Path]:
    """Return the test files that ought to see a fault, wherever below the folder they lie."""
    found: list[Path] = []
    for alternatives in one.tests:
        matches = (sorted(folder.rglob(pattern)) for pattern in alternatives.split("|"))
        files = next(filter(None, matches), None)
        if files is None:
            raise NotPlanted(f"there is no test file {alternatives}")
        found += files
    return found


def _left_out(checkout: Path, folder: str, names: list[str]) -> set[str]:
    """Return what of a folder is not copied."""
    above = LEFT_OUT_ABOVE(folder, names) if Path(folder) == checkout else set()
    return LEFT_OUT(folder, names) | above


@contextmanager
def planted(one: Fault, source: Path, *, control: bool = False) -> Iterator[None]:
    """Change the one place that a fault is for, and set it right again."""
    path, old, new = place_of(one, source)
    right = path.read_text(encoding="utf-8")
    try:
        path.write_text(right if control else right.replace(old, new), encoding="utf-8")
        yield
    finally:
        path.write_text(right, encoding="utf-8")


def place_of(one: Fault, source: Path) -> tuple[Path, str, str]:
    """Return the file of a fault, what stands there, and what is to stand there instead."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted(source.rglob("*.py"))}
    for old, new in one.changes:
        places = [path for path, text in texts.items() for _ in range(text.count(old))]
        if len(places) == 1:
            return places[0], old, new
    raise NotPlanted(f"no one place has {' or '.join(repr(old) for old, _ in one.changes)}")


def run_tests(tests: Sequence[Path], chosen: str, copy: Path) -> tuple[str, str]:
    """Run test files up to the first failure; return what became of the fault, and words."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
    command += [*(["-k", chosen] if chosen else []), *map(str, tests)]
    code, out, _ = _ended(command, copy)
    if code is None:
        return "caught", f"no end within {PATIENCE_SECONDS} s"
    if code == 0:
        return "survived", "SURVIVED"
    first = next((m[1] for line in out.splitlines() if (m := FIRST_FAILURE.match(line))), "")
    if code == FAILED and first:
        return "caught", first
    last = (out.strip().splitlines() or ["nothing said"])[-1]
    return "error", f"NOT RUN: pytest ended with {code}: {last}"


def run_theory(copy: Path) -> tuple[str, str]:
    """Check all statements; return what became of the fault, and the check that fails first."""
    code, out, err = _ended([sys.executable, "-m", "sparring", "theory", "--json"], copy)
    if code is None:
        return "caught", f"no end within {PATIENCE_SECONDS} s"
    if code == 0:
        return "survived", "SURVIVED"
    try:
        failed = [row for row in json.loads(out) if not row["passed"]]
    except json.JSONDecodeError:
        return "caught", f"an error: {(err.strip().splitlines() or ['nothing said'])[-1]}"
    first = next(check["what"] for check in failed[0]["checks"] if not check["passed"])
    others = ", ".join(str(row["number"]) for row in failed[1:])
    return "caught", f"{failed[0]['number']}: {first}{f'; {others} too' if others else ''}"


def _ended(command: Sequence[str], copy: Path) -> tuple[int | None, str, str]:
    """Run a command to its end; return its status, None if it had to be killed, and its words."""
    process = subprocess.Popen(
        command,
        cwd=copy,
        env=_environment(copy),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, "", ""
    return process.returncode, out, err


def _environment(copy: Path) -> dict[str, str]:
    """Let the copy's source be imported, and never as it was compiled before a change."""
    own = {"PYTHONPATH": str(copy / "src"), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return os.environ | own


if __name__ == "__main__":
    main()
