"""Runs: planned, trained, watched and written down."""

from sparring.moved import contents

__getattr__ = contents(__name__)  # both a package and, in version 0.1, a module
