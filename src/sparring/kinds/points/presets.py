"""The default recipe of points."""

from sparring.kinds.points.spec import VectorSpec
from sparring.recipes.common import FULLY_CONNECTED_WIDTHS
from sparring.recipes.sections import Options, Size

MAX_LATENT = 64  # for points of more coordinates


def preset(size: Size, spec: VectorSpec, items: int) -> Options:
    """Alternating play; R1 and R2 fade out, for modes far narrower than the data are wide."""
    width = FULLY_CONNECTED_WIDTHS[size] // 2
    fading = {"weight": "0.1 to 0.0003 cosine", "every": 8}
    return {
        "objective": "non-saturating",
        "order": "alternating",
        "batch": 64,
        "generator": {
            "network": "mlp",
            "latent": min(spec.size, MAX_LATENT),
            "width": width,
            "depth": 3,
            "norm": "none",
        },
        "discriminator": {"network": "mlp", "width": width, "depth": 3},
        "optimizer": {"lr": "2e-3 to 0 linear"},
        "penalties": {"r1": fading, "r2": fading},
    }
