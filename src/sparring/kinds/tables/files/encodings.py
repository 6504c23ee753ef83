"""Bytes to text: UTF-8, else the encoding in which the text looks most like one that people write.

Rules, not a trained model, so that a file is read alike by every version of every library.
"""

import codecs
import math
import re
from collections.abc import Iterator

from sparring.errors import SparringError
from sparring.kinds.tables.options import AS_WRITTEN

MARKS = (  # of the byte order; UTF-32 before UTF-16, whose mark it begins with
    *((codecs.BOM_UTF32_LE, "UTF-32"), (codecs.BOM_UTF32_BE, "UTF-32")),
    *((codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16")),
)
PYTHON_NAMES = {"Shift-JIS": "cp932", "Big5": "cp950", "EUC-KR": "cp949", "GBK": "gb18030"}
LOOKED_AT = 200_000  # bytes
MAX_BROKEN = 0.01  # of the letters beyond ASCII, up to which it is UTF-8 with faults

# Nats that a character costs: the logarithm of how many are as frequent.
ASCII, RARE = 3.0, 14.0
HANZI, BIG5, KANJI, KANA, HANGUL, SIGN = map(math.log, (3800, 5400, 3800, 400, 2400, 200))
FREQUENT, LETTER, ODD_LETTER = 3.5, 4.5, 9.0
CAPITAL = 1.0  # more, of letters beyond ASCII and Latin
BESIDE = 7.0  # more, of one in a word of other letters that its language does not have there
UNUSUAL = 3.0  # more, of a whole text in an encoding that hardly anyone writes any more

# The more frequent letters first.
WESTERN = "äöüéßèàêçâîôáíóúãñåøëïùûœõæÄÖÜÉÈÀÂÇÊÎÔÁÍÓÚÑÃÕÅØÆ"
CENTRAL = "éáíěýžčřšůłąęóżśćńöőúňťďźüäűâăîôľĺŕşţđÁÉÍĚÝŽČŘŠŮÚŇŤĎŁÓŻŚĆŃŹĄĘÖÜÄŐŰÂĂÎÔĽŞŢĐ"
TURKISH = "ğışçöüİŞÇÖÜâîĞ"
SIGNS = "€£°§µ²³«»–’“”„…ªº¿¡\u00a0"
MOST_FREQUENT = 20
LATIN = {
    "cp1252": WESTERN,
    "mac_roman": WESTERN,
    "cp850": WESTERN,
    "cp1250": CENTRAL,
    "cp1254": TURKISH,
}
CYRILLIC = ("оеаинтсрвлкмд", "пуяыьгзбчйхжшюцщэфъёіїєґ")
OTHERS = {  # frequent and other letters
    "cp1251": CYRILLIC,
    "koi8_r": CYRILLIC,
    "cp866": CYRILLIC,
    "cp1253": ("αοιετσνηυρπκμ", "λωδγχθφβξζψςάέήίόύώϊϋ"),
    "cp1255": ("יוהלאמרתבשנ", "עםדקןחפכגטצסזךףץ"),
    "cp1256": ("ايلنمرتبوهدع", "فسكقحجشصطخضغذزثظءآأؤإئىةپچژگ"),
    "cp874": ("ารนกอเงมยลวดทสตะปบคหแจพช", "ขใไโผธฟฝฉซฐณญฎฏฑฒฌฆภศษฮฤำ่้๊๋์ัิีึืุู็ๆฯ"),
}


def decoded(raw: bytes, encoding: str, origin: str) -> tuple[str, tuple[str, ...]]:
    """Return a file's text, and a note if it is in no UTF-8.

    Args:
        raw: what the file holds.
        encoding: as a person tells it; `AS_WRITTEN`: to be found.
        origin: names the file.

    Raises:
        SparringError: there is no such encoding, or the file is not in it.
    """
    if encoding != AS_WRITTEN:
        return _as_told(raw, encoding, origin), ()
    name = next((name for mark, name in MARKS if raw.startswith(mark)), "") or _of_zeros(raw)
    if name:
        return raw.decode(name, errors="replace"), (f"read as {name}",)
    text = raw.decode("utf-8-sig", errors="replace")
    broken = text.count("\ufffd")
    if not broken:
        return text, ()
    if broken < MAX_BROKEN * sum(letter > "\x7f" for letter in text):
        return text, (f"UTF-8 but for {broken:,} letters, which are read as \ufffd",)
    name = likely_encoding(raw)
    text = raw.decode(PYTHON_NAMES.get(name, name), errors="replace")
    return text, (f"not UTF-8: read as {name}; if letters are wrong, say which by --encoding",)


def likely_encoding(raw: bytes) -> str:
    """Return the encoding in which bytes make the likeliest text; cp1252 if in none."""
    part = re.sub(rb"(?<=\d)[\x80-\xff](?=\d)", b"", raw[:LOOKED_AT])  # between thousands
    cells = {*re.split(rb"[,;\t\r\n ]+", part)}
    foreign = b"\n".join(sorted(cell for cell in cells if not cell.isascii()))
    costs = dict(_costs(foreign))
    return min(costs, key=lambda name: costs[name]) if costs else "cp1252"


def _as_told(raw: bytes, encoding: str, origin: str) -> str:
    try:
        text = raw.decode(PYTHON_NAMES.get(encoding, encoding))
    except LookupError:
        raise SparringError(
            f"no encoding is called '{encoding}'; expected utf-8, utf-16, cp1252, GB18030, Big5, "
            "Shift-JIS or another one of Python's"
        ) from None
    except UnicodeError as error:
        reason = str(error).split(" in position")[0]
        raise SparringError(f"{origin} is not in {encoding}: {reason}; try another") from None
    return text.removeprefix("\ufeff")


def _of_zeros(raw: bytes) -> str:
    """Return UTF-16 of a byte order if every other byte is mostly 0, as of Western text."""
    part = raw[:LOOKED_AT]
    for name, zeros in (("UTF-16-LE", part[1::2]), ("UTF-16-BE", part[::2])):
        if len(part) > 3 and 2 * zeros.count(0) > len(zeros) and 4 * part.count(0) < 3 * len(part):
            return name
    return ""


def _costs(raw: bytes) -> Iterator[tuple[str, float]]:
    """Yield the encodings that bytes are whole text in, with what the text costs, in nats."""
    for name, cost in SCRIPTS.items():
        if (text := _strictly(raw, name)) is not None:
            letters = (ASCII if letter.isascii() else cost(letter) for letter in text)
            yield name, sum(letters) + UNUSUAL * (name == "EUC-JP")
    for name in (*LATIN, *OTHERS):
        if (text := _strictly(raw, name)) is not None:
            cost_of = _cost_in_latin if name in LATIN else _cost_in_script
            yield name, cost_of(text, name) + UNUSUAL * (name in ("cp850", "mac_roman"))


def _strictly(raw: bytes, name: str) -> str | None:
    try:
        return raw.decode(PYTHON_NAMES.get(name, name))
    except UnicodeDecodeError:
        return None


def _lead(letter: str, encoding: str) -> tuple[int, int]:
    """Return the two bytes of a letter; (0, 0) if there are not two."""
    raw = letter.encode(encoding, errors="replace")
    return (raw[0], raw[1]) if len(raw) == 2 else (0, 0)


def _chinese(letter: str) -> float:
    lead, trail = _lead(letter, "gb18030")
    if trail < 0xA1 or lead > 0xD7:
        return RARE
    return HANZI if lead >= 0xB0 else SIGN if lead in (0xA1, 0xA3) else RARE  # level 1 of GB 2312


def _taiwanese(letter: str) -> float:
    lead, _ = _lead(letter, "cp950")
    return BIG5 if 0xA4 <= lead <= 0xC6 else SIGN if 0xA1 <= lead <= 0xA2 else RARE


def _japanese(letter: str) -> float:
    if "\u3041" <= letter <= "\u30ff":
        return KANA
    lead, _ = _lead(letter, "cp932")
    return SIGN if lead == 0x81 else KANJI if 0x88 <= lead <= 0x98 else RARE  # level 1 of JIS


def _korean(letter: str) -> float:
    lead, trail = _lead(letter, "cp949")
    return HANGUL if 0xB0 <= lead <= 0xC8 and trail >= 0xA1 else SIGN if lead == 0xA1 else RARE


SCRIPTS = {
    "GB18030": _chinese,
    "Big5": _taiwanese,
    "Shift-JIS": _japanese,
    "EUC-JP": _japanese,
    "EUC-KR": _korean,
}


def _cost_in_latin(text: str, encoding: str) -> float:
    """Return the cost of text that has letters of its own here and there between those of ASCII."""
    letters = LATIN[encoding]
    costs = dict.fromkeys(SIGNS, SIGN) | dict.fromkeys(letters, LETTER)
    costs |= dict.fromkeys(letters[:MOST_FREQUENT], FREQUENT)
    runs = sum(len(run) - 2 for run in re.findall(r"[^\x00-\x7f]{3,}", text))
    foreign = [letter for letter in text if not letter.isascii()]
    own = sum(costs.get(letter, ODD_LETTER) for letter in foreign)
    return ASCII * (len(text) - len(foreign)) + own + BESIDE * runs


def _cost_in_script(text: str, encoding: str) -> float:
    """Return the cost of text whose words are of letters of its own, or of ASCII, but not both."""
    frequent, others = OTHERS[encoding]
    costs = dict.fromkeys(others, math.log(2 * len(others)))
    costs |= dict.fromkeys(frequent, math.log(2 * len(frequent)))
    cost = 0.0
    for letter in text:
        known = costs.get(letter.lower(), ODD_LETTER)
        cost += ASCII if letter.isascii() else known + CAPITAL * letter.isupper()
    mixed = re.findall(r"[A-Za-z][^\x00-\x7f]|[^\x00-\x7f][A-Za-z]", text)
    words: list[str] = re.findall(r"[^\W\d_A-Za-z]{2,}", text)
    return cost + BESIDE * (len(mixed) + sum(word[1:] != word[1:].lower() for word in words))
