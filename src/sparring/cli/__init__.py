"""What shell users call: `sparring`, and `python -m sparring`."""

from sparring.cli.app import main as main
