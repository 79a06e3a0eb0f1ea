"""Layer masks and equations (2) and (3)."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stylecrypt_msg.errors import LayerMaskError
from stylecrypt_msg.stylemix import REGIONS, LayerMask, mix

LAYERS = st.sets(st.integers(0, 13), min_size=1)


@pytest.mark.parametrize(
    ("text", "n_styles", "layers"),
    [
        ("paper", 14, {0, 1, 2, 4, 5, 8, 9, 10, 11, 12, 13}),
        ("photo", 16, {3, 4, 5, 6, 7}),
        ("all-but:3,6,7", 14, set(range(14)) - {3, 6, 7}),
        ("0-2,4,5,8-", 14, set(range(14)) - {3, 6, 7}),
        ("0-2,4,5,8-", 18, set(range(18)) - {3, 6, 7}),
        ("eyes", 14, {6, 7, 8}),
        ("Eyes, shape", 14, {3, 4, 5, 6, 7, 8}),
        ("color", 18, set(range(8, 18))),
        ("all-but:color", 14, set(range(8))),
        ("13", 14, {13}),
    ],
)
def test_parse(text: str, n_styles: int, layers: set[int]) -> None:
    assert LayerMask.parse(text, n_styles).layers == layers


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a layer"),
        ("3,,4", "not a layer"),
        ("nose", "'nose'"),
        ("-3", "not a layer"),
        ("7-3", "backwards"),
        ("14", "layers 0 to 13"),
        ("3-14", "layers 0 to 13"),
        ("14-", "layers 0 to 13"),
        ("all-but:0-", "no layer"),
        ("all-but:all-but:3", "not a layer"),
        ("³", "not a layer"),
        ("9" * 300, "longer"),
        ("9999999", "not a layer"),
    ],
)
def test_masks_that_mean_nothing_are_refused(text: str, says: str) -> None:
    with pytest.raises(LayerMaskError, match=says):
        LayerMask.parse(text, 14)


@given(LAYERS)
def test_a_mask_survives_its_text(layers: set[int]) -> None:
    mask = LayerMask.of(layers, 14)
    assert LayerMask.parse(str(mask), 14) == mask


def test_the_papers_regions_are_those_of_table_1() -> None:
    columns = {name: sorted(LayerMask.parse(name, 14).layers) for name in REGIONS}
    assert columns == {
        "direction": [0, 1, 2, 3], "shape": [3, 4, 5], "expressions": [4, 5],
        "hairstyle": [4, 5], "eyes": [6, 7, 8], "color": [8, 9, 10, 11, 12, 13],
    }  # fmt: skip


def two(*shape: int) -> NDArray[np.float32]:
    """Codes of one person and of another."""
    return np.random.default_rng(0).standard_normal((2, *shape), np.float32)


@given(LAYERS, st.floats(0, 1))
def test_mix_is_equation_2(layers: set[int], eta: float) -> None:
    content, style = two(2, 14, 8)
    mixed = mix(content, style, LayerMask.of(layers, 14), eta)
    for layer in range(14):
        wanted = content[:, layer]
        if layer in layers:
            wanted = wanted + eta * (style[:, layer] - wanted)
        np.testing.assert_allclose(mixed[:, layer], wanted, rtol=1e-5, atol=1e-6)
    # Networks in training mix tensors.
    as_tensors = mix(torch.from_numpy(content), torch.from_numpy(style), LayerMask.of(layers, 14), eta)
    np.testing.assert_allclose(as_tensors.numpy(), mixed, rtol=1e-5, atol=1e-6)
    assert mixed.dtype == np.float32


@given(LAYERS)
def test_mixing_back_with_the_original_restores_it_exactly(layers: set[int]) -> None:
    """Equation (3) and its inverse: the reason why eta is 1."""
    content, style = two(1, 14, 8)
    mask = LayerMask.of(layers, 14)
    fake = mix(content, style, mask)
    assert not np.array_equal(fake, content)
    np.testing.assert_array_equal(mix(fake, content, mask), content)


def test_mix_refuses_what_does_not_fit() -> None:
    mask = LayerMask.paper(14)
    codes, others = np.zeros((1, 14, 8), np.float32), np.zeros((1, 18, 8), np.float32)
    with pytest.raises(LayerMaskError, match="style codes"):
        mix(codes, others, mask)
    with pytest.raises(LayerMaskError, match="content codes"):
        mix(others, codes, mask)
    with pytest.raises(ValueError, match="eta"):
        mix(codes, codes, mask, 1.5)
    with pytest.raises(LayerMaskError, match="no layer"):
        LayerMask.of((), 14)
