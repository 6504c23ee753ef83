"""Named sets of series, from statsmodels."""

from typing import Any

from sparring.errors import SparringError

Frame = Any


def named_frame(name: str) -> Frame:
    """Return a named set as a frame of a column for each channel."""
    try:
        from statsmodels.datasets import fertility, macrodata
    except ImportError:
        raise SparringError(f"'{name}' comes with statsmodels: pip install statsmodels") from None
    if name == "us-macro":
        return _growth(macrodata.load_pandas().data)
    return _long(fertility.load_pandas().data)


def _growth(levels: Frame) -> Frame:
    """Return quarterly changes of the economy of the United States from 1959 to 2009, in %."""
    import numpy as np

    columns = {"realgdp": "gdp", "realcons": "consumption", "realinv": "investment"}
    growth = 100 * np.log(levels[list(columns)]).diff().rename(columns=columns)
    growth["unemployment"] = levels["unemp"].diff()
    return growth.iloc[1:].reset_index(drop=True)


def _long(wide: Frame) -> Frame:
    """Return births per woman in each country, year after year; only countries without gaps."""
    years = wide.set_index("Country Name").filter(regex=r"^(19|20)\d\d$")
    whole = years.dropna(axis="columns", how="all").dropna()
    long = whole.stack().rename("births").reset_index()
    return long.rename(columns={"Country Name": "series"})[["series", "births"]]
