"""The components of the losses of `train generator` and `train psp`, against computations by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from stylecrypt_lab.training import augment
from stylecrypt_lab.training.augment import Augmentation
from stylecrypt_lab.training.discriminator import Discriminator
from stylecrypt_lab.training.generator import channels_of, draw, new_generator, path_lengths, r1
from stylecrypt_lab.training.psp import AngularMargin
from stylecrypt_lab.training.runs import Dice
from torch import Tensor, nn

CPU = torch.device("cpu")


def dice(count: int, use: int = 0) -> Dice:
    return Dice(0, 0, use, range(count), CPU)


# ---- regularisation


def test_r1_is_the_squared_gradient_of_the_logit() -> None:
    """D(x) = a x + c x^2 / 2 has the gradient a + c x; of its square, the derivative by c is 2 (a + c x) x."""
    images = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    a = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(1))
    c = torch.tensor(0.7, requires_grad=True)
    found = r1(lambda x: (a * x + c * x.square() / 2).sum((1, 2, 3)), images)
    torch.testing.assert_close(found, (a + c * images).square().sum((1, 2, 3)))
    found.sum().backward()
    assert c.grad is not None
    torch.testing.assert_close(c.grad, (2 * (a + c.detach() * images) * images).sum())


def test_path_length_is_the_norm_of_the_projected_jacobian() -> None:
    """Pictures k A w: J^T y is k A^T y, and the length grows with k."""
    rng = torch.Generator().manual_seed(0)
    jacobian = torch.randn(3, 4, 4, 2, 5, generator=rng)
    codes = torch.randn(6, 2, 5, generator=rng, requires_grad=True)
    noise = torch.randn(6, 3, 4, 4, generator=rng)
    k = torch.tensor(1.5, requires_grad=True)
    lengths = path_lengths(k * torch.einsum("chwnt,bnt->bchw", jacobian, codes), codes, noise)
    by_hand = 1.5 * np.einsum("chwnt,bchw->bnt", jacobian.numpy(), noise.numpy()) / 4
    by_hand = np.sqrt((by_hand**2).sum(2).mean(1))
    torch.testing.assert_close(lengths.detach().numpy(), by_hand, rtol=1e-5, atol=1e-5)
    lengths.sum().backward()
    assert k.grad is not None
    assert float(k.grad) == pytest.approx(by_hand.sum() / 1.5, rel=1e-4)


def along(network: nn.Module, loss: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The derivative of a loss along its own gradient, and that direction, with length 1."""
    loss.backward()
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in network.parameters()]
    norm = torch.stack([g.square().sum() for g in gradients]).sum().sqrt()
    return norm, [g / norm for g in gradients]


@torch.no_grad()
def move(network: nn.Module, way: list[Tensor], by: float) -> None:
    for parameter, direction in zip(network.parameters(), way, strict=True):
        parameter += by * direction  # type: ignore[misc]


@pytest.mark.parametrize(("what", "step"), [("r1", 1e-3), ("path", 0.02)])
def test_gradients_of_gradients_pass_through_the_networks(what: str, step: float) -> None:
    """The networks' own derivative against differences: nothing is lost on the way or overwritten in place."""
    torch.manual_seed(0)
    channels = channels_of(32, 8)
    network = Discriminator(channels) if what == "r1" else new_generator(channels, 128)
    images = torch.rand(4, 3, 32, 32) * 2 - 1

    def loss() -> Tensor:
        if isinstance(network, Discriminator):
            return r1(network, images).mean()
        thrown = dice(4)
        codes, noise = draw(network, thrown)
        made = torch.func.functional_call(network, noise, (codes,))
        return path_lengths(made, codes, thrown.normal(3, 32, 32)).mean()

    slope, way = along(network, loss())
    move(network, way, step)
    above = loss().item()
    move(network, way, -2 * step)
    below = loss().item()
    assert slope > 1e-4
    assert (above - below) / (2 * step) == pytest.approx(float(slope), rel=0.03)


# ---- the angular margin


def angular(degrees: float, margin: float) -> float:
    """The loss of a feature at ``degrees`` from its class's weight, and perpendicular to that of the other class."""
    loss = AngularMargin(2, 3, 10.0, margin)
    loss.weight.data = torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.5]])  # lengths do not matter
    angle = math.radians(degrees)
    feature = 3 * torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])
    return loss(feature, torch.tensor([0])).item()


def test_the_angular_margin_is_equation_6() -> None:
    for degrees in (1.0, 20.0, 70.0, 140.0):
        right = math.exp(10 * math.cos(math.radians(degrees) + 0.5))
        assert angular(degrees, 0.5) == pytest.approx(-math.log(right / (right + 1)), rel=1e-2)


def test_the_margin_asks_for_more_than_being_right() -> None:
    """At 30 degrees a feature is by far nearest to its own class: good enough without a margin, but not with one."""
    assert angular(30, 0.5) > 20 * angular(30, 0)
    losses = [angular(degrees, 0.5) for degrees in range(0, 180, 5)]
    assert losses == sorted(losses)  # nearer is better, all the way from the other side


@pytest.mark.slow
def test_the_angular_margin_is_kept() -> None:
    """Each feature trained with it is nearer to its own class than to any other by the margin; without it, not."""
    labels = torch.arange(4).repeat(3)
    nearer = {}
    for margin in (0.0, 0.5):
        torch.manual_seed(0)
        features = torch.randn(12, 8, requires_grad=True)
        loss = AngularMargin(4, 8, 64.0, margin)
        optimiser = torch.optim.Adam([features, *loss.parameters()], 0.05)
        for _ in range(200):
            optimiser.zero_grad()
            loss(features, labels).backward()
            optimiser.step()
        unit, classes = (nn.functional.normalize(x.detach()) for x in (features, loss.weight))
        angles = (unit @ classes.T).acos()  # (12, 4)
        own = angles.gather(1, labels[:, None])
        others = angles.scatter(1, labels[:, None], math.inf).amin(1, keepdim=True)
        nearer[margin] = (others - own).min().item()
    assert nearer[0.0] < 0.4
    assert nearer[0.5] > 0.5


# ---- augmentation


def test_augmentation_with_p_0_changes_nothing() -> None:
    images = torch.rand(4, 3, 16, 16)
    assert Augmentation()(images, dice(4)) is images


def test_augmented_pictures_keep_shape_and_range(monkeypatch: pytest.MonkeyPatch) -> None:
    augmentation = Augmentation()
    augmentation.p.fill_(1.0)
    plain = torch.tensor([0.5, -0.25, 0.0])[:, None, None].expand(64, 3, 16, 16)
    changed = augmentation(plain, dice(64))
    assert changed.shape == plain.shape
    assert changed.std((2, 3)).max() < 1e-5  # one colour stays one colour, wherever it is moved
    assert (changed.mean((2, 3)) - plain.mean((2, 3))).abs().amax(1).min() > 1e-3  # but hardly ever the same one
    monkeypatch.setattr(augment, "_colours", lambda _, dice: torch.eye(4).repeat(len(dice.normal()), 1, 1))
    images = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    moved = augmentation(images, dice(64))
    assert moved.min() >= images.min() - 1e-5
    assert moved.max() <= images.max() + 1e-5
    assert ((moved - images).abs().mean((1, 2, 3)) > 0.1).all()


def test_p_says_how_often_pictures_are_changed() -> None:
    images = torch.rand(200, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    shares = []
    for p in (0.02, 0.1, 0.3):
        augmentation = Augmentation()
        augmentation.p.fill_(p)
        difference = (augmentation(images, dice(200)) - images).abs().amax((1, 2, 3))
        shares.append(float((difference > 1e-3).float().mean()))
    # Of 13 transformations, some are nothing by half or a quarter of the draws.
    assert shares[0] == pytest.approx(0.2, abs=0.1)
    assert shares[0] < shares[1] < shares[2]


def test_gradients_pass_through_augmentation() -> None:
    augmentation = Augmentation()
    augmentation.p.fill_(1.0)
    images = torch.rand(4, 3, 16, 16, requires_grad=True)
    (gradient,) = torch.autograd.grad(augmentation(images, dice(4)).square().sum(), images)
    assert (gradient.abs().sum((1, 2, 3)) > 0).all()


def test_p_rises_when_the_discriminator_is_too_sure() -> None:
    augmentation = Augmentation()
    seen = []
    for step, r_t in enumerate([0.9] * 8 + [0.7, 0.7, 0.1, 0.1] + [0.0] * 8):
        augmentation.adjust(step, torch.tensor(r_t), batch=50)
        seen.append(round(float(augmentation.p) / (4 * 50 / 500_000), 3))
    assert seen == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0, 0]


# ---- the discriminator


@pytest.mark.parametrize("size", [32, 64])
def test_the_discriminator_sees_the_spread_of_groups_of_four(size: int) -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(channels_of(size, 8))
    images = torch.rand(8, 3, 4, 4).repeat_interleave(size // 4, 2).repeat_interleave(size // 4, 3)
    whole = discriminator(images)
    assert whole.shape == (8,)
    # Each process of two sees what one sees.
    torch.testing.assert_close(torch.cat([discriminator(images[:4]), discriminator(images[4:])]), whole)
    alike = discriminator(images[:1].repeat(4, 1, 1, 1))
    assert (alike[0] - whole[0]).abs() > 1e-3


def test_the_networks_take_half_precision() -> None:
    """As on GPUs; the quality of training there is not tested here."""
    torch.manual_seed(0)
    channels = channels_of(32, 8)
    generator, discriminator = new_generator(channels, 128), Discriminator(channels)
    codes, noise = draw(generator, dice(4))
    exact = torch.func.functional_call(generator, noise, (codes,))
    with torch.autocast("cpu", torch.bfloat16):
        made = torch.func.functional_call(generator, noise, (codes,))
        logits = discriminator(made)
    assert logits.dtype == torch.float32
    assert (made.float() - exact).abs().mean() < 0.05 * exact.abs().mean()
    logits.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in generator.parameters())
    assert sum(p.grad is not None for p in generator.parameters()) > 40
