"""What the command modules share: numbers as they stand, examples, options that several have."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, Token


def whole_number(kind: Any, tokens: Sequence[Token]) -> int:
    """Read an integer as it stands; cyclopts would round 1.5."""
    return int(tokens[0].value)


def examples(*commands: str) -> str:
    """Return the examples below a command's help."""
    return "\n\n".join(["Examples:", *(f"  {command}" for command in commands)])


AsJson = Annotated[bool, Parameter(name="--json", help="everything, as JSON")]
Checkpoint = Annotated[str, Parameter(help="best, latest, or images seen")]
Extractor = Annotated[
    str, Parameter(help="of features: auto, a name, or an .onnx or .safetensors file")
]
Number = Annotated[
    int, Parameter(name=["-n", "--number"], help="samples to draw", converter=whole_number)
]
RunName = Annotated[str, Parameter(help="a run's folder, number, name, or latest")]
RunsFolder = Annotated[Path, Parameter(name="--runs", help="the folder of runs")]
