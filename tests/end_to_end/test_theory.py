"""`sparring theory`: the table, its exit code, and the Dirac-GAN's portrait."""

import json
from pathlib import Path

import pytest
from commands import CommandLine, strictly

from sparring.cli import theory as theory_commands
from sparring.cli.theory import PenaltyName
from sparring.theory import figures as portraits


def test_the_table_names_statement_source_expected_computed_and_error(cli: CommandLine) -> None:
    ended = cli("theory", "--only", "2,26")
    assert ended.code == 0, ended.err
    for text in ("Goodfellow 2014", "-1.1634513968"[:10], "1.00124922", "✓", "all 2 hold"):
        assert text in ended.out
    assert "✗" not in ended.out


def test_json_holds_every_check(cli: CommandLine) -> None:
    rows = strictly(cli("theory", "--only", "25", "--json").out)
    assert [row["number"] for row in rows] == [25]
    assert rows[0]["passed"] is True
    assert {"what", "expected", "computed", "error", "tolerance", "passed"} == set(
        rows[0]["checks"][0]
    )


def test_a_statement_that_fails_is_named_and_sets_the_exit_code(cli: CommandLine) -> None:
    planted = "import sparring.penalties as p; p.r1 = lambda r, f, w: 2 * p.r2(r, f, w)"
    command = cli.start("theory", "--only", "28,26", prelude=planted)
    ended = command.wait()
    assert ended.code == 1
    assert "statements 28 fail" in ended.out
    assert "✗" in ended.out


def test_unknown_numbers_are_refused(cli: CommandLine) -> None:
    assert "no statement '99'" in cli("theory", "--only", "1,99").complaint


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_dirac_prints_the_spectrum_and_writes_the_portrait(suffix: str, cli: CommandLine) -> None:
    damped = ("--objective", "relativistic", "--penalty", "r1", "--gamma", "0.6", "--lr", "0.1")
    ended = cli("theory", "dirac", *damped, "--out", f"deep/p.{suffix}", "--rounds", "50")
    assert ended.code == 0, ended.err
    for text in ("-0.3 + 0.4i", "converges", "2.4", f"deep/p.{suffix}"):
        assert text in ended.out
    assert (cli.folder / f"deep/p.{suffix}").stat().st_size > 5000


def test_dirac_in_json_has_the_numbers(cli: CommandLine) -> None:
    ended = cli("theory", "dirac", "--order", "alternating", "--rounds", "9", "--json")
    facts = strictly(ended.out)
    assert facts["verdict"] == "circles"
    assert facts["eigenvalues"] == [pytest.approx([0.0, 0.5]), pytest.approx([0.0, -0.5])]
    assert facts["circles_for_lr_below"] == pytest.approx(4)
    assert (cli.folder / "dirac.svg").exists()


def test_dirac_judges_a_game_without_eigenvalues_by_its_path(cli: CommandLine) -> None:
    damped = ("--objective", "wasserstein", "--penalty", "gradient", "--steps", "300")
    ended = cli("theory", "dirac", *damped, "--json")
    facts = strictly(ended.out)
    assert (facts["eigenvalues"], facts["verdict"]) == ([], "circles")
    assert "gradient penalty, λ = 0.6" in (cli.folder / facts["picture"]).read_text()


@pytest.mark.parametrize(
    ("penalty", "trace"),
    [
        ("none", 0),
        ("r1", -0.6),
        ("r2", -0.6),
        ("r1+r2", -1.2),
        ("finite-difference-r1", -0.6),
        ("finite-difference-r2", -0.6),
        ("instance-noise", -(0.6**2) / 2),
        ("consensus", -0.6 / 2),
    ],
)
def test_each_penalty_shifts_the_eigenvalues_as_it_should(
    penalty: PenaltyName,
    trace: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the command's function itself, without the picture."""
    monkeypatch.setattr(portraits, "phase_portrait", lambda *arguments: b"")
    theory_commands.dirac(penalty=penalty, out=tmp_path / "p.svg", rounds=1, as_json=True)
    facts = json.loads(capsys.readouterr().out)
    assert sum(real for real, _ in facts["eigenvalues"]) == pytest.approx(trace, abs=1e-12)
    assert facts["verdict"] == ("converges" if trace else "diverges")


def test_dirac_says_never_and_undecided_in_words(cli: CommandLine) -> None:
    ended = cli("theory", "dirac", "--objective", "least-squares", "--rounds", "1")
    told = dict(line.strip().split("  ", 1) for line in ended.out.splitlines())
    assert told["verdict"] == "undecided"
    assert told["converges for lr below"] == told["circles for lr below"] == "never"
    assert told["eigenvalues"] == "0 + 0i, 0 + 0i"


def test_numbers_that_are_not_finite_are_null_in_json(cli: CommandLine) -> None:
    planted = "import sparring.penalties as p; p.r1 = lambda r, f, w: float('nan') * p.r2(r, f, w)"
    ended = cli.start("theory", "--only", "34", "--json", prelude=planted).wait()
    assert ended.code == 1
    assert "NaN" not in ended.out
    assert strictly(ended.out)[0]["checks"][0]["computed"] is None
    ended = cli.start("theory", "--only", "34", prelude=planted).wait()
    assert ended.code == 1
    assert "not finite" in ended.out


def test_dirac_refuses_what_it_cannot_do(cli: CommandLine) -> None:
    assert "use .svg or .png" in cli("theory", "dirac", "--out", "x.gif").complaint
    assert "expected lr above 0" in cli("theory", "dirac", "--lr", "-1").complaint
    assert "1.5" in cli("theory", "dirac", "--rounds", "1.5").complaint
    assert "hing" in cli("theory", "dirac", "--objective", "hing").complaint
