"""Dates as people write them: recognised in text or digits, read, and written back alike.

A form is that of `strftime`, with these beside it: `%-d %-m %-H %-I` without leading zeros, `%3f`
of so many digits, `%:z` as +01:00, `%P` as am, `%^b` as JAN, `Q%q` as Q1. Not inside: columns
(`columns`).
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import product
from typing import Any

import numpy as np

Series = Any
Strings = Any  # a series of text

MAX_ODD_SHARE = 0.05  # of cells that are no dates in a column of dates
SAMPLE = 200  # distinct cells, of which forms are collected
MIN_SHARE = 0.02  # of a sample, that a form must have to be tried
MIN_FIRST_SHARE = 0.3  # of distinct cells, in the form of most
MAX_OTHERS = 3  # forms beside that of most
NOTHING = "[0 T:./-]*"  # 0000-00-00
EXACT = "datetime64[us]"
MAX_DIGITS = 8  # of a number in a date
MIN_DIGITS = 10  # distinct whole numbers as 20240131: one number in 27 looks so by chance
MIN_SHORT_DIGITS = 100  # as 240131: of these hardly one is a date for sure
LENGTH = 8  # of 31012024, which may have lost a zero
OF_DIGITS: Mapping[int, tuple[str, ...]] = {
    6: ("%Y%m", "%y%m%d"),
    8: ("%Y%m%d", "%d%m%Y", "%m%d%Y"),
    12: ("%Y%m%d%H%M",),
    14: ("%Y%m%d%H%M%S",),
}
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
    r"(?P<time>(?P<hour>\d{1,2})(?P<minute>[:.]\d\d)?(?P<second>[:.]\d\d)?(?P<fraction>[.,]\d{1,9})?"
    r"(?P<half> ?[AaPp][Mm])?|(?P<packed>\d{4}(?:\d\d)?))"
    r"(?P<zone> ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?"
)
_PARTS = re.compile(r"[A-Za-z]+|\d+|[^A-Za-z\d]+")
_JOINED = re.compile(r"\d{8}|\d{1,2}[A-Za-z]{3}\d{4}")
_SEPARATOR = re.compile(r"[-/.:, 年月日]{1,2}")
_QUARTER = re.compile(r"(?P<year>\d{4})(?P<between>[-/: ]?)Q[1-4]|Q[1-4](?P<then>[-/: ]?)\d{4}")
_OWN = re.compile(r"(%-[dmHI]|%\df|%:z|%z|%P|%\^b|%q)")
_PLAIN = {"%:z": "%z", "%P": "%p", "%^b": "%b"}
_UNPADDED = (("%d", "%-d"), ("%m", "%-m"), ("%H", "%-H"), ("%I", "%-I"))


def recognised(cells: Strings) -> tuple[str, ...]:
    """Return the forms in which texts are dates, that of most first; () where they are none.

    One in twenty may be no date at all; those of nothing but zeros do not count. Where days and
    months cannot be told apart, months come first between slashes and days between all else.
    """
    counts = cells[~cells.str.fullmatch(NOTHING)].value_counts()
    distinct = _pandas().Series(counts.index.astype(object))
    first = _likeliest(distinct)
    if not first or read(distinct, first).notna().mean() < MIN_FIRST_SHARE:
        return ()
    forms = (first, *others(distinct, first))
    absent = instants(distinct, forms).isna().to_numpy()
    if counts.to_numpy()[absent].sum() > MAX_ODD_SHARE * counts.sum():
        return ()
    sample = _sample(distinct)
    return (_as_written(sample, _with_digits(sample, first)), *forms[1:])


def others(cells: Strings, form: str) -> tuple[str, ...]:
    """Return the forms of texts that are not in a form, each of the most that are left."""
    left = _pandas().Series(cells.dropna().unique(), dtype=object)
    left, forms = left[read(left, form).isna().to_numpy()], list[str]()
    while len(left) and len(forms) < MAX_OTHERS and (other := _likeliest(left)):
        forms.append(other)
        left = left[read(left, other).isna().to_numpy()]
    return tuple(forms)


def _likeliest(cells: Strings) -> str:
    """Return the form that most of some texts (n,), all different, are in; "" without one."""
    sample = _sample(cells)
    found = Counter(form for cell in sample for form in _forms(cell))
    likely = [form for form, count in found.most_common() if count > MIN_SHARE * len(sample)]
    shares = {form: read(cells, form).notna().mean() for form in likely}
    best = max(shares, key=shares.__getitem__, default="")
    return best if shares.get(best) else ""


def _sample(cells: Strings) -> Strings:
    return cells.iloc[:: max(len(cells) // SAMPLE, 1)]


def of_digits(values: Any) -> str:
    """Return the form of whole numbers as 20240131 or 202401; "" where they are not dates."""
    distinct = np.unique(values)
    if len(distinct) < MIN_DIGITS or distinct[0] < 10**5 or (distinct != np.floor(distinct)).any():
        return ""
    shortest, length = (len(str(int(value))) for value in (distinct[0], distinct[-1]))
    if length - shortest > (length == LENGTH):
        return ""
    texts = _pandas().Series(distinct.astype(np.int64).astype(str)).str.zfill(length)
    for form in OF_DIGITS.get(length, ()):
        moments = read(texts, form)
        within = moments.notna().all() and moments.dt.year.between(*YEARS).all()
        if within and (form != "%y%m%d" or len(distinct) >= MIN_SHORT_DIGITS):
            return form
    return ""


def is_of_digits(form: str) -> bool:
    """Tell whether a form has nothing but digits, so that numbers can be written in it."""
    return bool(re.fullmatch(r"(%[YymdHMS])+", form))


def length(form: str) -> int:
    """Return how many digits a form has that has nothing else."""
    return sum(4 if token == "Y" else 2 for token in form.replace("%", ""))


def is_ambiguous(cells: Strings, form: str) -> bool:
    """Tell whether all cells are dates with days and months exchanged, too."""
    swapped = re.sub("%-?[dm]", lambda found: {"d": "%m", "m": "%d"}[found[0][-1]], form)
    numbers = "d" in form and "m" in form and not form.startswith("%Y")
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
    if "%q" in form:
        cells = cells.str.replace("Q([1-4])", lambda q: str(3 * int(q[1]) - 2), regex=True)
        form = form.replace("Q%q", "%m")
    plain = _OWN.sub(lambda found: _plain(found[0]), form)
    moments = _pandas().to_datetime(cells, format=plain, errors="coerce", utc="%z" in plain)
    return moments.dt.tz_localize(None) if moments.dt.tz is not None else moments


def instants(cells: Strings, forms: Sequence[str], year: int = 0) -> Series:
    """Return moments (n,) of texts in some forms, as exact as the first of them writes.

    `year` is the first one of those of two digits, see `first_year`.
    """
    moments = read(cells, forms[0])
    for form in forms[1:]:
        odd = moments.isna() & cells.notna()
        if odd.any():
            moments = moments.astype(EXACT).mask(odd, read(cells[odd], form).astype(EXACT))
            moments = moments.dt.floor(_unit(forms[0]))
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
    if quarter := _QUARTER.fullmatch(cell.strip()):
        first, last = ("%Y", "Q%q") if quarter["year"] else ("Q%q", "%Y")
        yield f"{first}{quarter['between'] or quarter['then'] or ''}{last}"
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
    minute, second = found["minute"] or "", found["second"] or ""
    if "." in minute + second and not (found["date"] and minute[:1] == second[:1]):
        return ""
    form += f"{minute[:1]}%M" * bool(minute) + f"{second[:1]}%S" * bool(second)
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
    if any(len(number) > MAX_DIGITS for number in digits):
        return []
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
    digits = cells.str.extract(rf"([:.]\d\d){{2}}{re.escape(found[1])}(\d+)")[1].str.len().max()
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
        case "%q":
            return clock.quarter.astype(str)
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
