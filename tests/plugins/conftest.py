"""The plug-in below has tests of its own, which need it to be installed: see `test_series.py`."""

collect_ignore = ["series"]
