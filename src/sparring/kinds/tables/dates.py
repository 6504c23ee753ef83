"""Dates as people write them: recognised in text or digits, read, and written back alike.

A form is that of `strftime`, with these beside it: `%-d %-m %-H %-I` without leading zeros, `%3f`
of so many digits, `%:z` as +01:00, `%P` as am, `%^b` as JAN. Not inside: columns (`columns`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

Series = Any
Strings = Any  # a series of text

MAX_ODD_SHARE = 0.05  # of cells that are no dates in a column of dates
SAMPLE = 200  # distinct cells, of which forms are collected
MAX_ODD = 1_000  # distinct cells in other forms than the column's, that are read
MIN_DIGITS = 10  # distinct whole numbers as 20240131: one number in 27 looks so by chance
MIN_SHORT_DIGITS = 100  # as 240131: of these hardly one is a date for sure
YEARS = (1800, 2100)  # of dates written as whole numbers
LAST_YEAR = 2049  # of two digits, as spreadsheets have it
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONG_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LONG_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMED_MONTHS: Mapping[str, tuple[str, ...]] = {  # lengths of the numbers beside a month's name
    "4": ("%Y",),
    "2": ("%y",),
    "12": ("%d", "%y"),
    "22": ("%d", "%y"),
    "14": ("%d", "%Y"),
    "24": ("%d", "%Y"),
    "41": ("%Y", "%d"),
    "42": ("%Y", "%d"),
}
ZONES = (  # whose offsets are tried in this order
    *("Europe/Berlin", "Europe/London", "America/New_York", "America/Los_Angeles"),
    *("America/Chicago", "America/Denver", "Europe/Helsinki", "Australia/Sydney"),
    *("America/Sao_Paulo", "America/Halifax", "Pacific/Auckland", "Europe/Moscow"),
)
_MOMENT = re.compile(
    r"(?P<date>.*?)(?P<between>(?<=.)(?:, |T|[: ]))?"
    r"(?P<time>(?P<hour>\d{1,2})(?P<minute>:\d\d)?(?P<second>:\d\d)?(?P<fraction>[.,]\d{1,9})?"
    r"(?P<half> ?[AaPp][Mm])?|(?P<packed>\d{4}(?:\d\d)?))"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
)
_PARTS = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]+")
_JOINED = re.compile(r"\d{8}|\d{1,2}[A-Za-z]{3}\d{4}")
_SEPARATOR = re.compile(r"[-/.:, 年月日]{1,2}")
_OWN = re.compile(r"(%-[dmHI]|%\df|%:z|%z|%P|%\^b)")
_PLAIN = {"%:z": "%z", "%P": "%p", "%^b": "%b"}
_UNPADDED = (("%d", "%-d"), ("%m", "%-m"), ("%H", "%-H"), ("%I", "%-I"))


def recognised(cells: Strings) -> str:
    """Return the form in which most of some texts are dates; "" where they are none.

    Cells in other forms may be among them, one in twenty that are no dates, too. Where days and
    months cannot be told apart, months come first between slashes and days between all else.
    """
    counts = cells.value_counts()
    distinct = _pandas().Series(counts.index.astype(object))
    sample = distinct.iloc[:: max(len(distinct) // SAMPLE, 1)]
    found = Counter(form for cell in sample for form in _forms(cell))
    if 2 * max(found.values(), default=0) < len(sample) * 0.5:
        return ""
    likely = [form for form, count in found.most_common() if count > 0.02 * len(sample)]
    shares = {form: read(distinct, form).notna().mean() for form in likely}
    form = max(shares, key=shares.__getitem__)
    absent = instants(distinct, form).isna().to_numpy()
    if shares[form] < 0.5 or counts.to_numpy()[~absent].sum() < (1 - MAX_ODD_SHARE) * counts.sum():
        return ""
    return _as_written(sample, _with_digits(sample, form))


def of_digits(values: Any) -> str:
    """Return the form of whole numbers as 20240131 or 202401; "" where they are not dates."""
    distinct = np.unique(values)
    if len(distinct) < MIN_DIGITS or distinct[0] < 10**5 or (distinct != np.floor(distinct)).any():
        return ""
    length = len(str(int(distinct[0])))
    if length != len(str(int(distinct[-1]))):
        return ""
    forms = {8: ["%Y%m%d"], 6: ["%Y%m", "%y%m%d"], 12: ["%Y%m%d%H%M"], 14: ["%Y%m%d%H%M%S"]}
    texts = _pandas().Series(distinct.astype(np.int64).astype(str))
    for form in forms.get(length, []):
        moments = read(texts, form)
        within = moments.notna().all() and moments.dt.year.between(*YEARS).all()
        if within and (form != "%y%m%d" or len(distinct) >= MIN_SHORT_DIGITS):
            return form
    return ""


def is_of_digits(form: str) -> bool:
    """Tell whether a form has nothing but digits, so that numbers can be written in it."""
    return bool(re.fullmatch(r"(%[YymdHMS])+", form))


def is_ambiguous(cells: Strings, form: str) -> bool:
    """Tell whether all cells are dates with days and months exchanged, too."""
    swapped = re.sub("%-?[dm]", lambda found: {"d": "%m", "m": "%d"}[found[0][-1]], form)
    numbers = "d" in form and "m" in form and "%Y" + form[2:3] != form[:3]
    return numbers and bool(read(cells, swapped).notna().all())


def first_year(cells: Strings, form: str) -> int:
    """Return the first of a hundred years that two digits stand for; 0 where years have four.

    It comes after the longest run of years that no date has; the last one is 2049 at most.
    """
    if "%y" not in form:
        return 0
    years = np.unique(read(cells, form).dropna().dt.year.to_numpy() % 100)
    gaps = np.diff([*years, years[0] + 100])
    at = int(np.argmax(gaps))
    first, last = int(years[(at + 1) % len(years)]), int(years[at])
    end = (last if last >= first else last + 100) + 1900
    end += 100 * (end + 100 <= LAST_YEAR)
    return end - (last - first) % 100


def read(cells: Strings, form: str) -> Series:
    """Return moments (n,) of texts in a form, NaT of others; those with an offset in UTC."""
    plain = _OWN.sub(lambda found: _plain(found[0]), form)
    moments = _pandas().to_datetime(cells, format=plain, errors="coerce", utc="%z" in plain)
    return moments.dt.tz_localize(None) if moments.dt.tz is not None else moments


def instants(cells: Strings, form: str, year: int = 0) -> Series:
    """Return moments (n,) of texts in a form or others, as exact as the form writes them.

    Args:
        cells: texts, or missing.
        form: in which most are; others are read as dates of the same order of day and month.
        year: the first one of those of two digits, see `first_year`.
    """
    moments = read(cells, form)
    odd = moments.isna() & cells.notna()
    if odd.any() and (distinct := cells[odd].unique())[:MAX_ODD].size:
        others = {cell: _odd(cell, form) for cell in distinct[:MAX_ODD]}
        moments = moments.astype("datetime64[us]").mask(odd, cells.map(others, na_action="ignore"))
        moments = _pandas().to_datetime(moments).dt.floor(_unit(form))
    if not year:
        return moments
    years = moments.dt.year
    return moments.mask(
        (years < year) | (years > year + 99),
        _pandas().to_datetime(
            {
                "year": year + (years - year) % 100,
                "month": moments.dt.month,
                "day": moments.dt.day,
            },
            errors="coerce",
        )
        + (moments - moments.dt.normalize()),
    )


def written(moments: Series, form: str, zone: str = "") -> Strings:
    """Return dates (n,) as text; NaT stays missing. Offsets are those of the zone."""
    codes, distinct = _pandas().factorize(moments)
    distinct = _pandas().Series(distinct)
    texts = _pandas().Series("", index=distinct.index, dtype=object)
    for part in _OWN.split(form):
        if part:
            texts = texts + _piece(distinct, part, zone).astype(object)
    return _pandas().Series(texts.array.take(codes, allow_fill=True, fill_value=None), dtype=object)


def zone_of(cells: Strings, form: str) -> str:
    """Return the zone whose offsets all cells have; "" where they have none, or none is found."""
    if not form.endswith(("%z", "%:z")):
        return ""
    moments = read(cells, form).dropna()
    offsets = cells[moments.index].str.extract(r"([+-])(\d\d):?(\d\d)$")
    minutes = offsets[1].astype(float) * 60 + offsets[2].astype(float)
    local = moments + _pandas().to_timedelta(minutes.where(offsets[0] == "+", -minutes), "min")
    utc = moments.dt.tz_localize("UTC")
    fits = (z for z in ZONES if (utc.dt.tz_convert(z).dt.tz_localize(None) == local).all())
    return next(fits, "")


def _pandas() -> Any:
    return import_module("pandas")  # whose series these are


def _forms(cell: str) -> Iterator[str]:
    """Yield the forms in which a text may be a date, likelier ones first."""
    yield from _date_forms(cell.strip())
    if (found := _MOMENT.fullmatch(cell.strip())) and (time := _time_form(found)):
        zones = _zone_forms(found["zone"] or "")
        dates = _date_forms(found["date"]) if found["date"] else [""]
        if bool(found["date"]) == bool(found["between"]):
            between = found["between"] or ""
            yield from (f"{d}{between}{time}{zone}" for d, zone in product(dates, zones))


def _time_form(found: re.Match[str]) -> str:
    if packed := found["packed"]:
        return "%H%M%S"[: len(packed)] if found["between"] == "T" else ""
    if not (found["minute"] or found["half"]) or (found["fraction"] and not found["second"]):
        return ""
    form = "%I" if found["half"] else "%H"
    form += ":%M" * bool(found["minute"]) + ":%S" * bool(found["second"])
    if fraction := found["fraction"]:
        form += f"{fraction[0]}%{len(fraction) - 1}f"
    if half := found["half"]:
        form += half[:-2] + ("%p" if half[-1].isupper() else "%P")
    return form


def _zone_forms(zone: str) -> list[str]:
    """Return a zone as it is, and as one that differs from cell to cell."""
    if not re.search(r"\d", zone):
        return [zone]
    space = " " * zone.startswith(" ")
    return [zone, f"{space}%:z" if ":" in zone else f"{space}%z"]


def _date_forms(text: str) -> list[str]:
    parts = _PARTS.findall(text)
    words = [_word_forms(part) if part.isalpha() and part.isascii() else [] for part in parts]
    digits = [at for at, part in enumerate(parts) if part.isdecimal()]
    others = [p for p, w in zip(parts, words, strict=True) if not w and not p.isdecimal()]
    apart = len(others) >= (len(parts) - 1) // 2 and len(parts) != 2
    if not all(map(_SEPARATOR.fullmatch, others)) or not (apart or _JOINED.fullmatch(text)):
        return []
    named = [at for at, forms in enumerate(words) if any(f[-1] in "bB" for f in forms)]
    forms = []
    for numbers in _number_forms([parts[at] for at in digits], len(named), text):
        filled = [form or [part] for form, part in zip(words, parts, strict=True)]
        for at, form in zip(digits, numbers, strict=True):
            filled[at] = [form]
        forms += ["".join(chosen) for chosen in product(*filled)]
    return forms


def _word_forms(word: str) -> list[str]:
    lower, short = word.lower(), "%^b" if word.isupper() else "%b"
    names: Mapping[str, tuple[str, ...]] = {
        short: MONTHS,
        "%B": LONG_MONTHS,
        "%a": DAYS,
        "%A": LONG_DAYS,
    }
    return [form for form, words in names.items() if lower in words]


def _number_forms(digits: list[str], months: int, text: str) -> list[tuple[str, ...]]:
    """Return what the numbers of a date may be, given how many months are named in it."""
    lengths = "".join(str(len(number)) for number in digits)
    if months:
        forms = NAMED_MONTHS.get(lengths) if months == 1 else None
        return [forms] if forms else []
    if re.fullmatch("4[12][12]", lengths):
        return [("%Y", "%m", "%d")]
    if re.fullmatch("4[12]", lengths):
        return [("%Y", "%m")]
    if re.fullmatch("[12]4", lengths):
        return [("%m", "%Y")]
    if lengths == "8":
        return [("%Y%m%d",)]
    if not re.fullmatch("[12][12][24]", lengths):
        return []
    year = "%Y" if lengths[2] == "4" else "%y"
    orders: list[tuple[str, ...]] = [("%m", "%d", year), ("%d", "%m", year)]
    return orders[:: 1 if "/" in text else -1] + [("%y", "%m", "%d")] * (lengths == "222")


def _with_digits(cells: Strings, form: str) -> str:
    """Return the form with as many digits of seconds as the cells have at most."""
    if not (found := re.search(r"([.,])%\df", form)):
        return form
    digits = cells.str.extract(rf":\d\d{re.escape(found[1])}(\d+)")[0].str.len().max()
    return re.sub(r"%\df", f"%{int(digits)}f", form)


def _as_written(cells: Strings, form: str) -> str:
    """Return the form without leading zeros where most cells have none."""
    best, most = form, -1.0
    padded = [pair for pair in _UNPADDED if pair[0] in form]
    moments = read(cells, form)
    keys = [pair for pair in padded if pair[0] in ("%d", "%m")]
    times = [pair for pair in padded if pair not in keys]
    for chosen in ([], keys, times, padded, *([pair] for pair in keys)):
        tried = form
        for old, new in chosen:
            tried = tried.replace(old, new)
        if "z" in tried:
            same = cells.str.contains(r"\b0\d[-/.: ]").mean() if not chosen else 0.0
        else:
            same = (written(moments, tried).to_numpy() == cells.to_numpy()).mean()
        if same > most:
            best, most = tried, same
    return best


def _plain(token: str) -> str:
    """Return what `strptime` has for a token of our own."""
    return "%f" if token[-1] == "f" else _PLAIN.get(token, token.replace("-", ""))


def _odd(cell: str, form: str) -> Any:
    """Return the moment of a text that is not of a column's form; NaT where it is none."""
    first = form.find("d") < form.find("m")
    one = _pandas().Series([cell.strip()], dtype=object)
    for other in _forms(cell):
        same = (other.find("d") < other.find("m")) == first
        if (same or other.startswith("%Y")) and "%y" not in other:
            moment = read(one, other).iloc[0]
            if moment is not _pandas().NaT:
                return moment
    return _pandas().NaT


def _unit(form: str) -> str:
    """Return what a form writes at least: a day, an hour, …, in pandas' words."""
    if re.search(r"%\d?f", form):
        return "us"
    units = {"%S": "s", "%M": "min", "%H": "h", "%-H": "h", "%I": "h", "%-I": "h"}
    return next((unit for token, unit in units.items() if token in form), "D")


def _piece(moments: Series, part: str, zone: str) -> Series:
    """Return what a part of a form becomes of each moment."""
    clock = moments.dt
    match part:
        case "%-d" | "%-m" | "%-H":
            return {"d": clock.day, "m": clock.month, "H": clock.hour}[part[-1]].astype(str)
        case "%-I":
            return ((clock.hour - 1) % 12 + 1).astype(str)
        case "%P":
            return clock.strftime("%p").str.lower()
        case "%^b":
            return clock.strftime("%b").str.upper()
        case "%z" | "%:z":
            offsets = localised(moments, zone or "UTC").dt.strftime("%z")
            return offsets if part == "%z" else offsets.str[:3] + ":" + offsets.str[3:]
        case _ if _OWN.fullmatch(part):
            digits = clock.strftime("%f") + "000"
            return digits.str[: int(part[1])]
        case _:
            return clock.strftime(part)


def localised(moments: Series, zone: Any) -> Series:
    """Return times of a zone's clocks; of the two that a clock shows twice, the first is meant."""
    first = np.ones(len(moments), bool)
    return moments.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
