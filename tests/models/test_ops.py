"""The fast forms of the shared operations against plain ones, written as the papers have them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from stylecrypt_msg.models.ops import ModulatedConv, blur, conv_layout, upsample

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0])
KERNEL = torch.outer(TAPS, TAPS) / 16


def zeros_between(x: Tensor) -> Tensor:
    B, C, H, W = x.shape
    out = x.new_zeros(B, C, H, 2, W, 2)
    out[:, :, :, 0, :, 0] = x
    return out.reshape(B, C, 2 * H, 2 * W)


def low_pass(x: Tensor) -> Tensor:
    return F.conv2d(x, KERNEL.to(x).expand(x.shape[1], 1, 4, 4), groups=x.shape[1])


def plain_modulated_conv(conv: ModulatedConv, x: Tensor, w: Tensor) -> Tensor:
    """Equations (1) and (3) literally: separate weights for every sample, one grouped convolution."""
    B, C, H, W = x.shape
    style = F.linear(w, conv.modulation.weight / math.sqrt(w.shape[1]), conv.modulation.bias)
    weight = conv.weight / math.sqrt(C * 9) * style[:, None, :, None, None]  # (B, O, C, 3, 3)
    weight = weight * torch.rsqrt(weight.square().sum((2, 3, 4), keepdim=True) + 1e-8)
    x = x.reshape(1, B * C, H, W)
    if conv.up:
        x = F.conv_transpose2d(x, weight.transpose(1, 2).reshape(B * C, -1, 3, 3), stride=2, groups=B)
        x = x.reshape(B, -1, 2 * H + 1, 2 * W + 1)
        return low_pass(F.pad(x, (1, 1, 1, 1)))
    return F.conv2d(x, weight.reshape(-1, C, 3, 3), padding=1, groups=B).reshape(B, -1, H, W)


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(1, 4),
    c_in=st.integers(1, 9),
    c_out=st.integers(1, 9),
    side=st.integers(1, 9),
    style_dim=st.integers(1, 9),
    up=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_modulated_conv_equals_its_definition(
    batch: int, c_in: int, c_out: int, side: int, style_dim: int, up: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    conv = ModulatedConv(c_in, c_out, style_dim, up=up).double()
    for parameter in conv.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(batch, c_in, side, side, dtype=torch.float64, requires_grad=True)
    w = torch.randn(batch, style_dim, dtype=torch.float64, requires_grad=True)
    want = plain_modulated_conv(conv, x, w)
    out, demodulation = conv(x, w)
    torch.testing.assert_close(out * demodulation, want)

    # Gradients agree too: refinement goes through this.
    probe = torch.randn_like(want)
    got = torch.autograd.grad((out * demodulation * probe).sum(), (x, w))
    torch.testing.assert_close(got, torch.autograd.grad((want * probe).sum(), (x, w)))

    with torch.inference_mode():
        out, demodulation = conv(x.detach().clone(), w.detach())
    torch.testing.assert_close(out * demodulation, want.detach())


@settings(max_examples=20, deadline=None)
@given(channels=st.integers(1, 5), height=st.integers(2, 9), width=st.integers(2, 9))
def test_filters_equal_zero_insertion_and_low_pass(channels: int, height: int, width: int) -> None:
    x = torch.randn(2, channels, height, width)
    torch.testing.assert_close(blur(x), low_pass(F.pad(x, (1, 1, 1, 1))))
    torch.testing.assert_close(upsample(x), low_pass(F.pad(zeros_between(x), (2, 1, 2, 1))))


def test_conv_layout_keeps_values_and_owns_its_memory() -> None:
    base = torch.arange(40.0)
    view = base.as_strided((3, 4, 3, 3), (1, 2, 3, 1))  # overlapping, as in tiny checkpoints
    copy = conv_layout(view)
    assert torch.equal(copy, view)
    assert copy.is_contiguous(memory_format=torch.channels_last)
    assert copy.untyped_storage().nbytes() == view.numel() * 4
    assert conv_layout(view[None])[0].is_contiguous(memory_format=torch.channels_last)
