"""Train generative adversarial networks on your own images; see `sparring --help`."""

from importlib.metadata import version

__version__ = version("sparring")
