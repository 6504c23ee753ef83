"""The voice encoder: its arithmetic on made weights, and the package's own where it is there."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sparring.data.dataset import Dataset
from sparring.errors import SparringError
from sparring.kinds import DataOptions
from sparring.kinds.sounds.features import resemblyzer
from sparring.kinds.sounds.features.resemblyzer import (
    BANDS,
    FRAMES,
    WIDTH,
    VoiceEncoder,
    mel_power,
    network_of,
    voice_encoder,
)
from sparring.kinds.sounds.reader import open_data as open_sounds

RATE = 16_000
packaged = pytest.mark.skipif(find_spec(resemblyzer.PACKAGE) is None, reason="no weights here")


def tones(*hertz: float, seconds: float = 0.5, rate: int = RATE) -> Any:
    time = np.arange(round(seconds * rate)) / rate
    return 0.5 * np.sin(2 * np.pi * np.array(hertz)[:, None] * time).astype(np.float32)


def data_of(waves: Any, tmp_path: Path, rate: int = RATE) -> Dataset:
    return open_sounds(waves, DataOptions(kind="audio", rate=rate), cache=tmp_path)


@pytest.fixture
def network() -> VoiceEncoder:
    torch.manual_seed(0)
    return VoiceEncoder().eval()


@torch.no_grad()
def test_a_voice_is_the_last_state_through_a_layer_cut_at_zero(network: VoiceEncoder) -> None:
    """The three layers longhand, by the equations of Hochreiter and Schmidhuber's cell."""
    mel = torch.rand(2, 7, BANDS)
    steps = mel
    for layer in range(3):
        into, back, *biases = (
            getattr(network.lstm, f"{name}_l{layer}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        hidden = cell = torch.zeros(2, WIDTH)
        outs = []
        for step in steps.unbind(1):
            gates = (step @ into.T + hidden @ back.T + sum(biases)).chunk(4, 1)
            enter, forget, leave = (gates[k].sigmoid() for k in (0, 1, 3))
            cell = forget * cell + enter * gates[2].tanh()
            hidden = leave * cell.tanh()
            outs.append(hidden)
        steps = torch.stack(outs, 1)
    wanted = (hidden @ network.linear.weight.T + network.linear.bias).clamp_min(0)
    wanted = wanted / wanted.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network(mel), wanted)


@torch.no_grad()
def test_long_sounds_are_heard_in_parts_whose_voices_are_averaged(network: VoiceEncoder) -> None:
    waves = torch.from_numpy(tones(200, 700, seconds=3.3))
    mel = mel_power(waves, RATE)
    assert mel.shape == (2, 331, BANDS)
    padded = torch.cat([mel, torch.zeros(2, 3 * FRAMES - 331, BANDS)], 1)
    parts = torch.stack([network(part) for part in padded.split(FRAMES, 1)])
    wanted = parts.mean(0) / parts.mean(0).norm(dim=1, keepdim=True)
    found = network_of(network, waves, RATE)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


@torch.no_grad()
def test_sounds_of_another_rate_are_heard_at_16_kilohertz() -> None:
    here, there = (torch.from_numpy(tones(300, 900, rate=rate)) for rate in (RATE, 8000))
    a, b = mel_power(here, RATE), mel_power(there, 8000)
    assert a.shape == b.shape
    middle = slice(10, -10)
    torch.testing.assert_close(a[:, middle].argmax(2), b[:, middle].argmax(2))
    torch.testing.assert_close(a[:, middle].sum(2), b[:, middle].sum(2), rtol=0.01, atol=0)


@torch.no_grad()
def test_int16_and_float_are_heard_alike(network: VoiceEncoder) -> None:
    quiet = torch.from_numpy(0.05 * tones(300, 900, seconds=1.59))  # nothing is padded
    whole = torch.round(quiet * 32767).to(torch.int16)
    found, wanted = (network_of(network, x, RATE) for x in (whole, quiet))
    torch.testing.assert_close(found, wanted, atol=1e-3, rtol=0)


def test_loud_sounds_keep_their_level_and_silence_stays_finite() -> None:
    loud = torch.from_numpy(tones(1000))
    power = [float(mel_power(gain * loud, RATE)[0, 20].sum()) for gain in (1.0, 0.5)]
    assert power[0] / power[1] == pytest.approx(4, rel=1e-3)  # −9 and −15 dB: above −30
    assert mel_power(torch.zeros(1, 4000), RATE).isfinite().all()


def test_made_weights_give_their_own_voices_and_others_are_refused(
    network: VoiceEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "made_voices"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(resemblyzer, "PACKAGE", package.name)
    data = data_of(tones(200, 300, 400), tmp_path)
    state = dict(network.state_dict(), similarity_weight=torch.ones(1))

    def install(tensors: dict[str, torch.Tensor]) -> None:
        monkeypatch.setattr(resemblyzer, "read_pickled", lambda *_: {"model_state": tensors})

    install(state)
    eye = voice_encoder(data)
    with torch.no_grad():
        wanted = network_of(network, torch.from_numpy(data.items), RATE).numpy()
    np.testing.assert_allclose(eye.run(data.items), wanted, atol=1e-5)
    assert (eye.name, eye.width) == ("resemblyzer", WIDTH)
    install({**state, "linear.weight": torch.zeros(4, WIDTH)})
    with pytest.raises(SparringError, match=r"linear\.weight") as refused:
        voice_encoder(data)
    assert "\n" not in str(refused.value)
    install({name: tensor for name, tensor in state.items() if name != "linear.bias"})
    with pytest.raises(SparringError, match=r"linear\.bias"):
        voice_encoder(data)


def test_a_file_that_is_not_the_known_one_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "false_voices"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    torch.save({"model_state": {}}, package / resemblyzer.FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(resemblyzer, "PACKAGE", package.name)
    with pytest.raises(SparringError, match="it is another file than the known one"):
        voice_encoder(data_of(tones(200, 300, 400), tmp_path))


@packaged
def test_the_packaged_weights_tell_pitches_apart_and_takes_of_one_together(tmp_path: Path) -> None:
    """Buzzes of two pitches, each twice from another phase on."""
    time = np.arange(RATE) / RATE
    takes = [
        sum(np.sin(2 * np.pi * k * hertz * (time + late)) / k for k in range(1, 12))
        for hertz in (110, 260)
        for late in (0.0, 0.0031)
    ]
    waves = np.stack(takes).astype(np.float32)
    data = data_of(0.5 * waves / np.abs(waves).max(1, keepdims=True), tmp_path)
    eye = voice_encoder(data)
    voices = eye.run(data.items)
    assert voices.shape == (4, WIDTH)
    assert (voices >= 0).all()
    alike = voices @ voices.T
    np.testing.assert_allclose(np.diag(alike), 1, atol=1e-5)
    assert min(alike[0, 1], alike[2, 3]) > alike[:2, 2:].max() + 0.05
    assert eye.digest == voice_encoder(data).digest
