"""The phase before the game on texts: a recurrent generator starts as a likelihood model."""

from sparring.data.dataset import Dataset
from sparring.data.pack import Progress
from sparring.kinds.texts.likelihood import warm_start
from sparring.recipes.sections import GeneratorRecipe
from sparring.training.state import State


def prepare(state: State, data: Dataset, recipe: GeneratorRecipe, progress: Progress) -> None:
    """Train the generator by likelihood on as many texts as the recipe says."""
    warm_start(state, data, recipe.warm_start, progress)
