"""The contract that every kind of data keeps, on each of those that come with the package."""

import examples

from sparring.testing.contract import *  # noqa: F403

EXAMPLES = examples.EXAMPLES
