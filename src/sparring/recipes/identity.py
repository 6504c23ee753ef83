"""Which runs follow the same recipe: what was asked for counts, what was measured does not."""

from dataclasses import replace

from sparring.data.options import LABELS_FILE
from sparring.recipes.notation import Budget, parse_budgets
from sparring.recipes.recipe import Recipe


def identity(recipe: Recipe) -> Recipe:
    """Return what runs of one recipe share, whatever their seeds, machines and speeds.

    It is the recipe with all else set alike: the seed; threads, device, memory and workers; where
    labels lie; the ticks and, of a budget in time, the samples that a measured speed led to. A
    budget in samples or steps stays, and so does what a resume added to a budget: its schedules are
    others than those of a run that was as long from the start.
    """
    budgets = parse_budgets(recipe.budget)
    timed = any(budget.unit == "seconds" for budget in budgets)
    labels = "a file" if LABELS_FILE.named_by(recipe.data.labels) else recipe.data.labels
    return replace(
        recipe,
        seed=0,
        threads=0,
        device="cpu",
        budget=" +".join(_amount(budget, recipe) for budget in budgets),
        images=0 if timed else recipe.images,
        data=replace(recipe.data, labels=labels, memory_share=1.0, workers=0),
        checkpoint=replace(recipe.checkpoint, ticks=0),
    )


def _amount(budget: Budget, recipe: Recipe) -> str:
    """Return a budget in seconds or samples, in one of the ways in which it can be written."""
    if budget.unit == "seconds":
        return f"{budget.amount:g}s"
    per_step = recipe.batch * recipe.discriminator_moves if budget.unit == "steps" else 1
    return f"{budget.amount * per_step:.0f}-samples"
