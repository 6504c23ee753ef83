"""What the default recipes of several kinds of data share."""

from sparring.recipes.sections import Options, Size

FEW_ITEMS, MANY_ITEMS = 500, 3_000  # with fewer, the discriminator learns them by heart


FULLY_CONNECTED_WIDTHS: dict[Size, int] = {"tiny": 64, "small": 128, "base": 512, "large": 1024}


def augment_few(items: int, kinds: str) -> Options:
    """Augment few items: half of the time, or of some thousand more and more of it.

    Chosen on clothes by what the test for copying says; docs/images.md has the figures.
    """
    if items >= MANY_ITEMS:
        return {}
    probability = "0.5" if items < FEW_ITEMS else "0 to 0.5 linear"
    return {"augment": {"kinds": kinds, "probability": probability}}


def learning_rate(width: int) -> str:
    """Return the learning rate that networks of this width bear: wider ones collapse sooner."""
    return f"{1e-3 * min(1.0, 64 / width):.2g} to 0 linear 50%..100%"
