"""Numbers as people write them: `1.234,50 EUR`, `(13,639)`, `1,39,040`, `66.3%`, `3.10`.

A column is one of numbers where all its cells agree: on the decimal mark, on what stands between
thousands, on a currency or unit. Inside: its form read off its cells, and numbers written in it.
Not inside: which text counts as missing (`missing`).
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from sparring.kinds.tables.columns import Floats, Frame, Series, pandas, plain_numbers
from sparring.kinds.tables.options import AS_WRITTEN
from sparring.kinds.tables.spec import Column, NumberForm

Mark = tuple[str, str]  # between thousands, and before decimals
Around = tuple[str, str]  # what stands before digits, and what after them

SPACES = "\u00a0\u202f\u2009 "
GROUPING = f",.'’{SPACES}"  # marks that stand between thousands
MINUS = "-−–－△▲"
SIDES = {"dr": True, "cr": False, "s": True, "h": False}  # debit is negative; Soll, Haben
CORE = rf"(?:(?<![^\W\d_])[.,])?\d(?:[\d{GROUPING}]*\d)?(?:[eE][+-]?\d+)?"
PARTS = re.compile(rf"(\D*?)({CORE})(\D*)")
EXPONENT = r"(?:[eE][+-]?\d+)?"
CURRENCIES = frozenset(
    (
        *("aud", "brl", "cad", "chf", "cny", "czk", "dkk", "eur", "gbp", "hkd", "huf", "inr"),
        *("jpy", "krw", "mxn", "nok", "nzd", "pln", "rmb", "ron", "rub", "sek", "sgd", "thb"),
        *("try", "twd", "usd", "zar", "dm", "fr", "fr.", "ft", "kr", "kr.", "kč", "lei", "zł"),
        *("rs", "rs.", "руб", "руб.", "р.", "元", "円", "원", "万元"),
    )
)
UNIT = re.compile(r"%|‰|°?[^\W\d_]{1,8}\.?[²³]?(?:/[^\W\d_]{1,4}[²³]?)?")
PLAIN_NUMBER = rf"[+-]?(?:\d+\.?\d*|\.\d+){EXPONENT}"
PREVIEWED = 1_000  # cells that tell whether the others need be looked at
MAX_AROUND = 40  # different things that stand around digits; more are text
MAX_DIGITS = 15  # that a float64 holds
FEW = 10  # different numbers with a unit that are as good as names: "5 %", "10 %"
LOOKED_AT = 100_000  # cells, for the number of their decimals
MIN_MARKED, MIN_UNMARKED = 30, 3  # cells, that say of 1.234 that it is above a thousand
CODE_LIKE = r"\s*[+-]?0\d.*"  # 007: digits that are no number


@dataclass(frozen=True)
class Evidence:
    """What is known of a file's numbers beside a column's own cells."""

    decimal: str = AS_WRITTEN  # as it is told, or as other columns have it
    thousands: str = AS_WRITTEN  # as it is told; "none"
    delimiter: str = ","
    told: bool = False  # whether a person says so


@dataclass(frozen=True, eq=False)
class Written:
    """Cells of a column that are all numbers, taken apart."""

    cells: Series  # as they are, without missing ones
    cores: Series  # digits and marks
    negative: Any  # (n,) truths
    form: NumberForm  # what stands around them
    marks: tuple[Mark, ...]  # that all cores may be written with


def taken_apart(cells: Series) -> Written | None:
    """Return text cells taken apart if all are numbers of one form, else None."""
    cells = cells.str.strip()
    is_plain = _all(cells, PLAIN_NUMBER)
    around = _plain(cells) if is_plain else _around(cells)
    if around is None or cells.str.fullmatch(CODE_LIKE).any():
        return None
    cores, negative, form = around
    marks = tuple(_possible_of_plain(cores) if is_plain else _possible(cores))
    return Written(cells, cores, negative, form, marks) if marks else None


def _all(cells: Series, pattern: str) -> bool:
    """Tell whether all cells are of a pattern; where the first are not, the rest is not asked."""
    return bool(cells.iloc[:PREVIEWED].str.fullmatch(pattern).all()) and bool(
        cells.str.fullmatch(pattern).all()
    )


def decimal_marks(columns: Iterable[Written]) -> set[str]:
    """Return the decimal marks of columns whose cells say which that is."""
    decided = (written for written in columns if len(written.marks) == 1)
    return {of.marks[0][1] for of in decided if _shows(of.cores, of.marks[0][1])}


def read(written: Written, evidence: Evidence) -> tuple[Series, NumberForm] | None:
    """Return the numbers (n,) of cells and their form; None where they are to stay text.

    Those stay whose marks are not those that are told, and a few different ones with a unit.
    """
    mark = _decided(written, evidence)
    if mark is None or (written.form.positive != "{}" and _are_names(written.cells)):
        return None
    values = _values(written.cores, mark)
    is_exact = values.dtype.kind in "iu" or (values.dtype.kind == "f" and not _loses(written.cores))
    if not is_exact or values.isna().any():  # full-width digits are none
        return None
    values = values.where(~written.negative, 0 - values)
    return values, _with_digits(written, mark)


def look_like_numbers(cells: Series) -> Any:
    """Tell which text cells (n,) are numbers in some form, with the currency or unit of most."""
    before, core, after = _parts(cells.str.strip())
    pairs = Counter(pair for pair in zip(before, after, strict=True) if None not in pair)
    affixes = {pair: left for pair, (_, left) in _signs(pairs).items()}
    counts = Counter(affixes[pair] for pair in pairs.elements())
    usual = counts.most_common(1)[0][0] if counts else ("", "")
    if not (_is_prefix(usual[0]) and _is_suffix(usual[1])):
        usual = ("", "")
    alike = [affixes.get(pair) == usual for pair in zip(before, after, strict=True)]
    marks = [(t, d) for t in ("", *GROUPING) for d in ".," if t != d]
    fits = core.str.fullmatch("|".join(map(_pattern, marks))).fillna(False).astype(bool)
    return fits.to_numpy() & np.array(alike, bool)


def read_as(cells: Series, form: NumberForm) -> Series:
    """Return the numbers (n,) of text cells in a known form, NaN where they are not in it."""
    parts = _parts(cells.str.strip())
    thousands = form.thousands or ("," if form.decimal == "." else ".")
    fitting = parts[1].str.fullmatch(_pattern((thousands, form.decimal))).fillna(False)
    values = _values(parts[1].where(fitting, None), (thousands, form.decimal))
    around = pandas().Series(list(zip(parts[0], parts[2], strict=True)), index=cells.index)
    negative = around.map({pair: _negative(*pair)[0] for pair in {*around} if None not in pair})
    return values.where(negative != True, -values)  # noqa: E712


def texts(values: Floats, form: NumberForm) -> list[str | None]:
    """Return numbers (n,) as a form writes them, None where missing."""
    unique, places = np.unique(values, return_inverse=True)
    written = np.array([None if np.isnan(value) else text(value, form) for value in unique], object)
    chosen: list[str | None] = written[places].tolist()
    return chosen


def in_form(frame: Frame, columns: Iterable[Column], *, files: bool = True) -> Frame:
    """Return rows whose numbers and missing cells are written as their columns write them.

    Without `files`, only those are that are text in data frames too.
    """
    written = {}
    for column in columns:
        form = column.form
        if column.name in frame.columns and (files or (form and form.dtype)):
            written[column.name] = _in_form(frame[column.name], column)
    return frame.assign(**written)


def _in_form(cells: Series, column: Column) -> Series:
    form = column.form
    if form and pandas().api.types.is_numeric_dtype(cells.dtype):
        values = plain_numbers(cells)
        values = values if column.decimals is None else np.round(values, column.decimals)
        cells = pandas().Series(texts(values, form), cells.index, dtype=form.dtype or object)
    if column.missing_word and cells.isna().any():
        cells = cells.astype(object).where(cells.notna(), column.missing_word)
    return cells


def text(value: float, form: NumberForm) -> str:
    """Return a number as a form writes it."""
    digits = _digits(abs(float(value)), form)
    whole, point, decimals = digits.partition(".")
    if len(whole) >= form.grouped_from and form.thousands:
        whole = _grouped(whole, form)
    if form.bare and whole == "0" and point:
        whole = ""
    around = form.negative if value < 0 else form.positive
    around = around.replace("+", "") if value == 0 else around
    return around.replace("{}", f"{whole}{form.decimal * bool(point)}{decimals}")


def _digits(size: float, form: NumberForm) -> str:
    """Return a number from 0 on with a point, in the fewest digits that tell it."""
    trim: Any = "k" if form.places else "-"
    plain = np.format_float_positional(size, trim=trim, min_digits=form.places)
    if not form.exponent:
        return plain
    digits = np.format_float_scientific(size, trim=trim, min_digits=form.places, exp_digits=2)
    has_one = len(digits) < len(plain) if form.shortest else "e" in repr(size)
    return digits.replace("e", form.exponent) if form.scientific or has_one else plain


def _grouped(whole: str, form: NumberForm) -> str:
    """Return digits in groups."""
    head, last = whole[:-3], whole[-3:]
    width = 2 if form.indian else 3
    first = len(head) % width
    groups = [head[:first]] * bool(first)
    groups += [head[start : start + width] for start in range(first, len(head), width)]
    return form.thousands.join([*groups, last])


def _parts(cells: Series) -> tuple[Series, Series, Series]:
    """Return what stands before the digits, these with their marks, and what stands after."""
    codes, unique = pandas().factorize(cells)
    found = [PARTS.fullmatch(cell) for cell in unique]
    groups = [(m[1], m[2], m[3]) if m else (None, None, None) for m in found] + [(None,) * 3]
    columns = (np.array(column, object)[codes] for column in zip(*groups, strict=True))
    before, core, after = (pandas().Series(of, cells.index, dtype=object) for of in columns)
    return before, core, after


def _plain(cells: Series) -> tuple[Series, Any, NumberForm]:
    """Take apart cells that are numbers as Python writes them."""
    signs = cells.str.slice(0, 1)
    positives, plus = ~signs.eq("-"), signs.eq("+")
    numbers = cells.str.replace(r"^[+-]", "", regex=True)
    positive = "+{}" if plus.any() and (plus | ~positives | _is_zero(numbers)).all() else "{}"
    return numbers, signs.eq("-"), NumberForm(positive=positive)


def _is_zero(numbers: Series) -> Series:
    return numbers.str.fullmatch(r"0+\.?0*")


def _around(cells: Series) -> tuple[Series, Any, NumberForm] | None:
    """Take apart cells with a sign, a currency or a unit around their digits, if all agree."""
    before, core, after = _parts(cells)
    if core.isna().any():
        return None
    pairs = Counter(zip(before, after, strict=True))
    if len(pairs) > MAX_AROUND:
        return None
    signs = _signs(pairs)
    if len({affixes for _, affixes in signs.values()}) > 1:
        return None
    prefix, suffix = next(iter(signs.values()))[1]
    if not (_is_prefix(prefix) and _is_suffix(suffix)) or _is_code(prefix, before, core):
        return None
    usual = [f"{a}{{}}{b}" for (a, b), _ in pairs.most_common() if not signs[a, b][0]]
    below = [f"{a}{{}}{b}" for (a, b), _ in pairs.most_common() if signs[a, b][0]]
    positive = usual[0] if usual else f"{prefix}{{}}{suffix}"
    form = NumberForm(
        positive=positive, negative=below[0] if below else "-" + positive.replace("+", "")
    )
    negative = [signs[pair][0] for pair in zip(before, after, strict=True)]
    return core, np.array(negative, bool), form


def _is_code(prefix: str, before: Series, core: Series) -> bool:
    """Tell whether letters stand before whole numbers without a space: rs1090, CAD12."""
    joined = prefix.isalpha() and before.str.endswith(prefix[-1:]).all()
    return bool(joined and core.str.fullmatch(r"\d+").all())


def _signs(pairs: Iterable[Around]) -> dict[Around, tuple[bool, Around]]:
    """Tell of all that stands around digits whether it makes them negative, and what is left."""
    sides = {pair: pair[1].strip().lower().rstrip(".") for pair in pairs}
    if {*sides.values()} in ({"dr", "cr"}, {"s", "h"}):
        return {pair: (SIDES[side], (pair[0].strip(), "")) for pair, side in sides.items()}
    return {pair: _negative(*pair) for pair in pairs}


def _negative(before: str, after: str) -> tuple[bool, Around]:
    """Tell whether what stands around digits makes them negative; what is left of it."""
    if "(" in before and ")" in after:
        return True, (before.replace("(", "", 1).strip(), after.replace(")", "", 1).strip())
    if signs := [sign for sign in MINUS if sign in before]:
        return True, (before.replace(signs[0], "", 1).strip(), after.strip())
    if after.rstrip()[-1:] in {*MINUS}:
        return True, (before.strip(), after.rstrip()[:-1].strip())
    return False, (before.replace("+", "", 1).strip(), after.strip())


def _is_currency(affix: str) -> bool:
    symbols = [letter for letter in affix if unicodedata.category(letter) == "Sc"]
    rest = affix.strip("".join(symbols)) if symbols else affix
    return affix.lower() in CURRENCIES or (len(symbols) == 1 and len(rest) <= 2)


def _is_prefix(affix: str) -> bool:
    return not affix or _is_currency(affix)


def _is_suffix(affix: str) -> bool:
    return not affix or _is_currency(affix) or UNIT.fullmatch(affix) is not None


def _pattern(mark: Mark) -> str:
    """Return the form of digits with these marks; groups of three, or Indian ones."""
    thousands, decimal = map(re.escape, mark)
    whole = r"0|[1-9]\d*"
    if thousands:
        whole += rf"|[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+"
        whole += rf"|[1-9]\d?(?:{thousands}\d\d)*{thousands}\d{{3}}"
    return rf"(?:{whole})?(?:{decimal}\d*)?{EXPONENT}"


def _possible_of_plain(cores: Series) -> Iterator[Mark]:
    """Yield the marks that numbers may be written with which Python can read."""
    yield "", "."
    if _shows(cores, ".") and _all(cores, _pattern((".", ","))):
        yield ".", ","


def _possible(cores: Series) -> Iterator[Mark]:
    """Yield the marks that all numbers may be written with."""
    bare = cores.str.replace(r"[eE][+-]?\d+$|\d+", "", regex=True)
    marks = {*"".join(bare.unique())}
    for thousands in ("", *sorted(marks)):
        rest = marks - {thousands}
        if len(rest) > 1 or not rest <= {".", ","}:
            continue
        decimal = next(iter(rest), "," if thousands == "." else ".")
        pattern = _pattern((thousands, decimal))
        if _all(cores, pattern):
            yield thousands, decimal


def _decided(written: Written, evidence: Evidence) -> Mark | None:
    """Return the marks that cells are written with; None if those are not what is told."""
    marks = [mark for mark in written.marks if _agrees(written, mark, evidence)]
    if len(marks) < 2:
        return marks[0] if marks else None
    plain, grouped = marks
    if evidence.decimal == plain[1] or evidence.thousands == "none":
        return plain
    if evidence.decimal == grouped[1] or evidence.thousands == grouped[0]:
        return grouped
    return grouped if _looks_grouped(written.cores, grouped[0], evidence.delimiter) else plain


def _agrees(written: Written, mark: Mark, evidence: Evidence) -> bool:
    """Tell whether marks are those that a person has told, where one has."""
    if not evidence.told:
        return True
    thousands, decimal = mark
    decimal_fits = evidence.decimal in (AS_WRITTEN, decimal) or not _shows(written.cores, decimal)
    told = {"none": "", " ": SPACES, "'": "'’"}.get(evidence.thousands, evidence.thousands)
    return decimal_fits and (evidence.thousands == AS_WRITTEN or thousands in told)


def _shows(cores: Series, mark: str) -> bool:
    return bool(cores.str.contains(mark, regex=False).any())


def _looks_grouped(cores: Series, thousands: str, delimiter: str) -> bool:
    """Tell whether 1,234 is rather above a thousand than above one.

    Where numbers below a thousand have no mark and all others exactly three digits behind it, it
    is; else a comma is in a file whose delimiter is one, as in English, and a point never is.
    """
    marked = cores.str.contains(thousands, regex=False)
    short = cores[~marked & (cores.str.len() <= 3)]
    shown = marked.sum() >= MIN_MARKED and short.nunique() >= MIN_UNMARKED
    if shown and len(short) == (~marked).sum():
        return True
    return thousands == "," and delimiter != ";"


def _are_names(cells: Series) -> bool:
    return bool(cells.nunique() <= FEW and 2 * cells.nunique() <= len(cells))


def _values(cores: Series, mark: Mark) -> Series:
    thousands, decimal = mark
    plain = cores.str.replace(thousands, "", regex=False) if thousands else cores
    plain = plain if decimal == "." else plain.str.replace(decimal, ".", regex=False)
    return pandas().to_numeric(plain, errors="coerce")


def _loses(cores: Series) -> bool:
    """Tell whether there are whole numbers of more digits than a float64 holds."""
    return bool(cores.str.fullmatch(rf"\d{{{MAX_DIGITS + 1},}}").any())


def _with_digits(written: Written, mark: Mark) -> NumberForm:
    """Return the form with what the digits of cells show: groups, decimals and exponents."""
    step = -(-len(written.cores) // LOOKED_AT)
    cores = written.cores.iloc[::step]
    thousands, decimal = mark
    has = partial(cores.str.contains, regex=True)
    exponents = has("[eE]")
    mantissas = cores.str.replace(r"[eE].*", "", regex=True)
    wholes, decimals = mantissas.str.split(decimal, n=1, regex=False).str[0], mantissas
    decimals = mantissas.str.len() - wholes.str.len() - mantissas.str.contains(decimal, regex=False)
    form = replace(
        written.form,
        decimal=decimal,
        places=int(decimals.min()),
        bare=bool((wholes == "").any()),
        exponent=("E" if has("E").any() else "e") if exponents.any() else "",
        scientific=bool(exponents.all()),
        shortest=any("e" not in repr(float(core)) for core in cores[exponents & (decimal == ".")]),
    )
    return _with_groups(form, wholes, thousands) if thousands else form


def _with_groups(form: NumberForm, wholes: Series, thousands: str) -> NumberForm:
    marked = wholes.str.contains(thousands, regex=False)
    sizes = wholes.str.replace(thousands, "", regex=False).str.len()
    if ((sizes > 4) & ~marked).sum() > marked.sum():
        return form
    mark = re.escape(thousands)
    late = bool((marked & (sizes > 4)).any() and (~marked & (sizes == 4)).any())
    return replace(
        form,
        thousands=thousands,
        grouped_from=5 if late and not (marked & (sizes == 4)).any() else 4,
        indian=bool(wholes.str.fullmatch(rf"\d\d?({mark}\d\d)+{mark}\d{{3}}").any()),
    )
