"""Tests that hold for every kind of data, for those who write one.

A test module of a plug-in inherits them all by one import and one list:

    from sparring.testing.contract import *

    EXAMPLES = [Example(kind=..., sources={...}, ...)]

Not imported by anything else; needs pytest and onnxruntime.
"""

import pytest

pytest.register_assert_rewrite("sparring.testing.contract")
