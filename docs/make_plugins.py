"""Write the table of `plugins.md`: how many lines each part of the plug-in in tests/plugins has.

python docs/make_plugins.py [FILE]

Lines of code are those that are not blank, comments or docstrings.
"""

import ast
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "plugins.md"
PACKAGE = ROOT / "tests" / "plugins" / "series" / "src" / "sparring_series"
BEGIN, END = "<!-- lines: python docs/make_plugins.py -->\n", "<!-- end of lines -->\n"
SILENT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENCODING,
    tokenize.ENDMARKER,
}
Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def lines_of_code(path: Path) -> int:
    """Count the lines of a module that hold code."""
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in SILENT]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, Documented) and ast.get_docstring(node) is not None:
            docstring = node.body[0]
            lines -= set(range(docstring.lineno, (docstring.end_lineno or 0) + 1))
    return len(lines)


def table() -> str:
    """Return a row for each module, with the first line of its docstring, and the sum."""
    rows = ["| module | what is in it | lines | of code |", "|---|---|--:|--:|"]
    total, of_code = 0, 0
    for path in sorted(PACKAGE.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        says = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0].rstrip(".")
        lines, code = len(text.splitlines()), lines_of_code(path)
        rows.append(f"| `{path.name}` | {says} | {lines} | {code} |")
        total, of_code = total + lines, of_code + code
    return "\n".join([*rows, f"| all | | {total:,} | {of_code:,} |"]) + "\n"


def main(path: Path) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n{table()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE)
