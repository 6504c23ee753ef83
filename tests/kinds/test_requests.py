"""What may be asked of samples and of evaluations: each kind's own, and no other's unless empty."""

import pytest
import torch

from sparring.api import NullReporter, Silent
from sparring.errors import SparringError
from sparring.kinds import KINDS, kind_named, own_judging, own_requests
from sparring.kinds.kind import Kind
from sparring.kinds.texts.options import TextRequests
from sparring.sampling import SampleRequest, class_labels

TABLE, TEXT, SOUND, IMAGE = (kind_named(name) for name in ("table", "text", "audio", "image"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_asking_for_nothing_is_what_every_kind_understands(kind: Kind) -> None:
    nothing = {"where": (), "unique": False, "like": "", "temperature": 1.0, "bits": "16"}
    assert own_requests(kind, nothing) == own_requests(kind, {}) == kind.requests()
    assert own_judging(kind, {}) == kind.judging()


def test_a_kind_s_own_requests_are_its_fields() -> None:
    assert own_requests(TABLE, {"where": ["a=b"]}).where == ["a=b"]
    assert own_requests(TEXT, {"novel": True, "like": "mc"}) == TextRequests(novel=True, like="mc")
    assert own_requests(SOUND, {"bits": "24"}).bits == "24"


@pytest.mark.parametrize(
    ("kind", "request_", "complaint"),
    [
        (IMAGE, {"where": ["a=b"]}, "'where' is asked of rows; this run makes images"),
        (TABLE, {"temperature": 0.5}, "'temperature' is asked of texts; this run makes rows"),
        (TEXT, {"bits": "24"}, "'bits' is asked of sounds; this run makes texts"),
        (TEXT, {"unike": True}, "'unike' cannot be asked for; did you mean 'unique'?"),
    ],
    ids=["where", "temperature", "bits", "unknown"],
)
def test_what_another_kind_or_none_can_be_asked_is_refused_in_a_line(
    kind: Kind, request_: dict[str, object], complaint: str
) -> None:
    with pytest.raises(SparringError) as caught:
        own_requests(kind, request_)
    assert str(caught.value).startswith(complaint)


def test_a_dataclass_stands_for_what_it_asks_and_will_go() -> None:
    with pytest.warns(DeprecationWarning, match="'texts' will go: ask by its fields, unique"):
        own = own_requests(TEXT, {"texts": TextRequests(unique=True), "temperature": 0.5})
    assert own == TextRequests(unique=True, temperature=0.5)
    with pytest.warns(DeprecationWarning, match="'texts' will go"):
        assert own_requests(IMAGE, {"texts": TextRequests()}) == IMAGE.requests()


def test_an_evaluation_leaves_out_what_only_other_kinds_heed() -> None:
    assert own_judging(TEXT, {"baseline": False}).baseline is False
    assert own_judging(IMAGE, {"baseline": False}) == IMAGE.judging()
    with pytest.raises(SparringError, match="'base' cannot be asked for; did you mean 'baseline'"):
        own_judging(TEXT, {"base": False})


@pytest.mark.parametrize(
    "wrong",
    [{"n": 0}, {"n": 10_000_001}, {"n": 1, "seed": -1}, {"n": 1, "truncation": 2.1}],
    ids=str,
)
def test_what_cannot_be_drawn_is_refused_before_it_is(wrong: dict[str, float]) -> None:
    with pytest.raises(SparringError):
        SampleRequest(**wrong)  # type: ignore[arg-type]


def test_labels_are_all_classes_in_turn_one_of_them_or_the_first_between_two_samples() -> None:
    spec = IMAGE.spec(height=4, width=4, channels=1, classes=("cat", "dog"))
    for labels, expected in (
        (class_labels(spec, 3, None), [0, 1, 0]),
        (class_labels(spec, 3, "dog"), [1, 1, 1]),
        (class_labels(spec, 3, None, between=True), [0, 0, 0]),
        (class_labels(spec, 3, 1, between=True), [1, 1, 1]),
    ):
        assert torch.equal(labels, torch.tensor(expected))  # type: ignore[arg-type]
    with pytest.raises(SparringError, match=r"no class 'dig'.*did you mean 'dog'"):
        class_labels(spec, 3, "dig")


def test_the_reporter_that_hears_nothing_keeps_its_old_name() -> None:
    assert Silent is NullReporter
