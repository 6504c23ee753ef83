"""How good a generator is: the card, comparisons, their pictures."""

from sparring.moved import contents

__getattr__ = contents(__name__)  # both a package and, in version 0.1, a module
