"""The phase before the game on texts: a recurrent generator starts as a likelihood model."""

from dataclasses import dataclass

from torch.optim import Adam

from sparring.data.dataset import Dataset
from sparring.draws import Draw
from sparring.kinds.texts.likelihood import (
    BATCH,
    LEARNING_RATE,
    SEED,
    ascent,
    likelihood_step,
)
from sparring.kinds.texts.networks.recurrent import RecurrentGenerator
from sparring.recipes.sections import GeneratorRecipe
from sparring.training.state import State, begin_preparing, copy_exactly
from sparring.training.step import Logs


@dataclass(frozen=True, eq=False)
class LikelihoodPhase:
    """Steps up the likelihood of training texts, at a rate that falls to zero."""

    data: Dataset
    samples: int
    batch: int = BATCH
    method: str = "by likelihood"

    def begin(self, state: State) -> None:
        """Give the state an optimiser of its own."""
        begin_preparing(state, ascent(state.generator))

    def take_step(self, state: State) -> Logs:
        """Take a step; the average follows."""
        model, preparing = state.generator, state.preparing
        assert isinstance(model, RecurrentGenerator)
        assert preparing
        assert isinstance(preparing.optimizer, Adam)
        share = state.prepared / self.samples
        rate = state.rate_factor * LEARNING_RATE * (1 - share)
        draw = Draw(SEED, state.prepared, state.attempt)
        logs = likelihood_step(model, preparing.optimizer, self.data, draw, rate)
        copy_exactly(state.ema.state_dict(), model.state_dict(), "average")
        return logs

    def is_settled(self, state: State) -> bool:
        """Go on to the last text."""
        return False


def phase(state: State, data: Dataset, recipe: GeneratorRecipe) -> LikelihoodPhase | None:
    """Return the phase on as many texts as the recipe says; None for other generators."""
    if not isinstance(state.generator, RecurrentGenerator) or not recipe.warm_start:
        return None
    return LikelihoodPhase(data, -(-recipe.warm_start // BATCH) * BATCH)
