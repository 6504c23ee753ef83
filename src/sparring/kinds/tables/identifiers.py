"""Which columns number or name rows and tell nothing of them: by what they are called, or by what
the other columns know of them.
"""

import re
from typing import Any

import numpy as np

from sparring.kinds.tables.columns import Floats, Frame, Series, is_number, plain_numbers

MIN_ROWS = 50  # with fewer, relations cannot be ruled out
MAX_ROWS = 5_000  # that are looked at
MAX_DENSITY = 1.5  # numbers there might be for each that there is, of rows numbered with gaps
YEARS = (1700, 2100)
BINS = 10
MAX_GROUPS = 50  # categories of a column that is compared
LEVEL = 0.05
GROUPS_AND_LETTERS = ((1.5, 0.1), (4, 0.5))  # groups of digits at least; letters a digit at most
WORDS = frozenset(
    (
        *("id", "ids", "uid", "uuid", "guid", "key", "pk", "index", "idx", "nr", "no", "num"),
        *("number", "row", "rowid", "rowname", "rownames", "rownum", "seqno", "serial", "obs"),
        *("observation", "case", "patient", "subject", "respondent", "record"),
        *("nummer", "kennung"),
    )
)
GLUED = re.compile(
    r"(row|rec|record|case|customer|client|user|person|patient|member|order|product|item|account|"
    r"employee|student|house|household|hh|transaction|invoice|session|subject|sample|station|"
    r"school|dist|policy|claim|device|visit|trip|doc|seq|obs|kunden|p|u|g|s)"
    r"(id|no|nr|num|number|key|code|idx|nummer)|id(case|num|no)|code|unnamed: ?\d+|"
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_called_one(name: str) -> bool:
    """Tell whether a column is called an identifier: id, customer_id, orderNo, obs, or nothing."""
    last = ["", *_WORD.findall(name)][-1].lower()
    return last in WORDS or bool(GLUED.fullmatch(name.strip().lower()))


def is_key(frame: Frame, name: str) -> bool:
    """Tell whether whole numbers that all differ number the rows.

    They do if the column is called so, but for names of rows that are all years; or if they ascend
    from 0 or 1 with few gaps, and no other column has to do with them.
    """
    values = plain_numbers(frame[name])
    if is_called_one(name):
        return bool(name or not ((values >= YEARS[0]) & (values <= YEARS[1])).all())
    ascending = values[0] in (0, 1) and (np.diff(values) > 0).all()
    dense = values[-1] - values[0] + 1 <= MAX_DENSITY * len(values)
    return bool(ascending and dense and len(values) >= MIN_ROWS and not _is_related(frame, name))


def _is_related(frame: Frame, name: str) -> bool:
    """Tell whether another column differs along the values of this one, more than by chance."""
    frame = frame.iloc[:: max(len(frame) // MAX_ROWS, 1)]
    ranks = plain_numbers(frame[name]).argsort().argsort()
    others = [other for other in frame.columns if other != name]
    return any(_chance(frame[other], ranks) * len(others) < LEVEL for other in others)


def _chance(series: Series, ranks: Any) -> float:
    """Return how likely it is that a column differs as much along ranks (n,), by chance alone."""
    from scipy import stats

    bins = ranks * BINS // len(ranks)
    present = series.notna().to_numpy()
    if is_number(series):
        values: Floats = plain_numbers(series)[present]
        groups = [values[bins[present] == b] for b in np.unique(bins[present])]
        if len(groups) < 2 or len(np.unique(values)) < 2:
            return 1.0
        trend = stats.spearmanr(values, ranks[present]).pvalue
        return 2 * float(min(stats.kruskal(*groups).pvalue, trend))
    counts = series[present].groupby([series[present].astype(str), bins[present]]).size()
    table = counts.unstack(fill_value=0)
    if not 2 <= len(table) <= MAX_GROUPS or table.shape[1] < 2:
        return 1.0
    return float(stats.chi2_contingency(table.to_numpy()).pvalue)


def is_mostly_digits(texts: Series) -> bool:
    """Tell whether texts are groups of digits, as dates are, that are not numbered on."""
    groups = texts.str.count(r"\d+").mean()
    letters = texts.str.count("[A-Za-z]").sum() / max(texts.str.count(r"\d").sum(), 1)
    if not any(groups >= least and letters <= most for least, most in GROUPS_AND_LETTERS):
        return False
    parts = texts.str.extract(r"^(.*?)(\d+)$", flags=re.DOTALL)
    numbered = parts[0].nunique(dropna=False) == 1 and parts[1].notna().all()
    if numbered and parts[1].str.len().nunique() > 1:
        numbers = plain_numbers(parts[1])
        numbered = np.ptp(numbers) + 1 <= MAX_DENSITY * len(numbers)
    return not numbered
