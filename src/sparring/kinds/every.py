"""Every kind of data there is: those that come with the package, then those of plug-ins.

Loaded when a list is first asked for, not with the protocol (`kind`): a plug-in may be imported
first, and loads that before it has its kind.
"""

from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from sparring.data.options import CommonOptions
from sparring.kinds import plugins
from sparring.kinds.images import IMAGES
from sparring.kinds.kind import Kind
from sparring.kinds.points import POINTS
from sparring.kinds.sounds import SOUNDS
from sparring.kinds.tables import TABLES
from sparring.kinds.texts import TEXTS

# In the order in which they are asked whether they recognise a source; the last takes what is left.
BUILT_IN: tuple[Kind[Any], ...] = (POINTS, TEXTS, TABLES, SOUNDS, IMAGES)
PLUGGED_IN = plugins.plugged_in(plugins.found(), BUILT_IN)
KINDS = (*PLUGGED_IN, *BUILT_IN)
LISTED = (*BUILT_IN[::-1], *PLUGGED_IN)  # in help and messages
NAMED = tuple(name for kind in LISTED for name in kind.named)  # all data sets that have a name

if TYPE_CHECKING:
    DataOptions = CommonOptions
else:
    DataOptions = make_dataclass(
        "DataOptions",
        [
            (
                "kind",
                Annotated[
                    Literal[("auto", *(kind.name for kind in LISTED))],
                    "kind of data; auto: by what the files are",
                ],
                "auto",
            )
        ],
        bases=tuple(kind.options for kind in KINDS if kind.options is not CommonOptions),
        frozen=True,
        namespace={
            "__doc__": "How data is read: the options of all kinds.",
            "__module__": "sparring.kinds",
        },
    )
