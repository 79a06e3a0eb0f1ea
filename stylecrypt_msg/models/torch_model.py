"""A face model as PyTorch modules: any that users bring, and the embedded one where gradients are needed.

The families implement the two protocols below. `weights` and `checkpoints` read and write files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ModelError
from . import weights
from .face_model import FaceModel, Floats
from .ops import resized
from .refine import COARSE, Directions, approach, refine

__all__ = ["EncoderModule", "GeneratorModule", "TorchModel", "average_latent"]

AVERAGE_OF = 4096  # samples behind a computed latent average: its error is 1/64 of the spread of w


class NetworkModule(Protocol):
    """Required of both networks; any ``torch.nn.Module`` has it."""

    def state_dict(self) -> dict[str, Any]: ...
    def to(self, device: torch.device, /) -> Any: ...
    def eval(self) -> Any: ...
    def requires_grad_(self, requires_grad: bool = ..., /) -> Any: ...


class GeneratorModule(NetworkModule, Protocol):
    """A generator: codes (B, n_styles, style_dim) to RGB pictures (B, 3, image_size, image_size) about [-1,
    1]."""

    n_styles: int
    style_dim: int
    image_size: int

    def mapping(self, z: Tensor, /) -> Tensor:
        """z (B, style_dim), standard normal -> w (B, style_dim)."""
        ...

    def preview(self, codes: Tensor, size: int, /) -> Tensor:
        """The picture of the codes at ``size`` px, 128 or 256, or at the generator's own size if that is less: with
        gradients, as cheaply as possible."""
        ...

    def suits(self, w: Tensor, codes: Tensor, /) -> Tensor:
        """Whether people from the mapping, w (B, style_dim), can stand in for ``codes`` (n_styles, style_dim): (B,) bool."""
        ...

    def __call__(self, codes: Tensor, /) -> Any: ...


class EncoderModule(NetworkModule, Protocol):
    """An encoder: RGB pictures (B, 3, input_size, input_size) in [-1, 1] to *absolute* codes, ready for the
    generator, (B, n_styles, style_dim). An average that it adds to its predictions belongs to its own
    buffers."""

    n_styles: int
    input_size: int
    passes: int  # passes of the encoder in `FaceModel.encode`
    steps: int  # of the refinement that follows in `FaceModel.encode`

    @property
    def directions(self) -> Directions | None:
        """The directions of refinement; None: W's axes."""
        ...

    def features(self, images: Tensor, /) -> list[Tensor]:
        """Feature maps (B, C, R, R) of the pictures, for comparing what they show."""
        ...

    def __call__(self, images: Tensor, /) -> Any: ...


class TorchModel(FaceModel):
    """A generator of faces with (perhaps) an encoder. ``to`` must not run while another thread uses the model.

    Attributes:
        generator, encoder: the networks, for training and refinement: gradients flow through both. Their own parameters have
            ``requires_grad`` off until switched on.
        average, deviation: ``latent_avg`` and ``latent_std`` as tensors.
        device: where the networks are.
    """

    def __init__(
        self,
        generator: GeneratorModule,
        encoder: EncoderModule | None = None,
        average: Tensor | None = None,
        *,
        family: str,
        name: str,
    ) -> None:
        """Takes the networks as they are (on the CPU).

        ``average``, (n_styles, style_dim), is computed from fixed samples when absent (`average_latent`).
        Raises ModelError if encoder, generator and average do not belong together.
        """
        if encoder is not None and encoder.n_styles != generator.n_styles:
            raise ModelError(
                f"The encoder makes {encoder.n_styles} styles, but the generator takes {generator.n_styles}.",
                hint="Use an encoder that was trained with this generator.",
            )
        for network in (generator, encoder):
            if network is not None:
                network.eval()
                network.requires_grad_(False)
        if average is None:
            average = average_latent(generator)
        if average.shape != (generator.n_styles, generator.style_dim):
            raise ModelError(
                f"The average latent has shape {tuple(average.shape)}, "
                f"but the generator takes {(generator.n_styles, generator.style_dim)}."
            )
        self.generator = generator
        self.encoder = encoder
        self.average = average
        self.family = family
        self.name = name
        self.n_styles, self.style_dim = generator.n_styles, generator.style_dim
        self.image_size = generator.image_size
        self.input_size = 0 if encoder is None else encoder.input_size
        self.steps = 0 if encoder is None else encoder.steps
        self.latent_avg = average.numpy()
        self.device = torch.device("cpu")

    @property
    def runtime(self) -> str:
        return "torch"

    @cached_property
    def deviation(self) -> Tensor:
        """(style_dim,): the generator's own, or that of the samples of `average_latent`."""
        known: Tensor | None = getattr(self.generator, "w_std", None)
        if known is not None:
            return known
        with torch.inference_mode(False):  # usable with gradients, whoever asks first
            return _samples(self.generator, self.device).std(dim=0)

    @property
    def latent_std(self) -> Floats:  # type: ignore[override]
        return self.deviation.cpu().numpy()

    @cached_property
    def digest(self) -> str:
        """Computed once, on first use."""
        arrays = ((name, tensor.cpu().float().contiguous().numpy()) for name, tensor in sorted(self.state()))
        return weights.digest(self.family, arrays)

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors by name: ``generator.*``, ``encoder.*``, ``latent_avg``; what `save` writes."""
        for prefix, network in (("generator", self.generator), ("encoder", self.encoder)):
            if network is not None:
                for name, tensor in network.state_dict().items():
                    yield f"{prefix}.{name}", tensor
        yield "latent_avg", self.average

    def to(self, device: str | torch.device) -> Self:
        """Moves the networks, in place. Raises ModelError if there is no such device.

        Moving to a GPU switches TF32 off for the process: cuDNN would round the inputs of convolutions to 10
        bits, which shows in the pictures.
        """
        try:
            target = torch.device(device)
            self.average = self.average.to(target)
            self.generator.to(target)
            if self.encoder is not None:
                self.encoder.to(target)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ModelError(f"The model cannot run on the device {str(device)!r} here.", hint='Use "cpu".') from error
        if target.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False
        self.device = target
        self.__dict__.pop("deviation", None)  # of the device before
        return self

    @property
    def directions(self) -> Directions | None:
        """The directions of refinement, if the model's encoder has them."""
        return None if self.encoder is None else self.encoder.directions

    def preview(self, codes: Tensor, size: int = COARSE) -> Tensor:
        """As `synthesize`, scaled down to at most ``size`` px, 128 (approximately) or 256, and with gradients: for
        `refine`."""
        return self.generator.preview(codes, size)

    def glimpse(self, codes: Floats) -> Floats:
        with torch.inference_mode():
            return self.preview(torch.from_numpy(codes).to(self.device)).cpu().numpy()

    def features(self, images: Tensor) -> list[Tensor]:
        """The encoder's feature maps (B, C, R, R) of images (B, 3, H, H), with gradients.

        Raises ModelError if the model has no encoder.
        """
        if self.encoder is None:
            raise ModelError(f"The model {self.name!r} has no encoder, so it cannot compare pictures.")
        return self.encoder.features(resized(images, self.encoder.input_size))

    def refine(
        self, images: Floats, codes: Floats, steps: int, progress: Callable[[int, int], None] | None = None
    ) -> Floats:
        pictures, start = (torch.from_numpy(part).to(self.device) for part in (images, codes))
        return refine(self, pictures, start, steps, progress).cpu().numpy()

    def _look(self, images: Floats) -> Floats:
        assert self.encoder is not None  # noqa: S101 - `encode` has checked
        encoder, size = self.encoder, self.encoder.input_size
        with torch.inference_mode():
            pictures = torch.from_numpy(images).to(self.device)
            codes: Tensor = encoder(resized(pictures, size))
            first = codes
            for _ in range(encoder.passes - 1):
                codes = codes + first - encoder(resized(self.preview(codes).clamp(-1, 1), size))
            return codes.cpu().numpy()

    def _descend(self, images: Floats, codes: Floats, steps: int, hold: float) -> Floats:
        pictures, start = (torch.from_numpy(part).to(self.device) for part in (images, codes))
        return approach(self, pictures, start, [COARSE] * steps, hold=hold).cpu().numpy()

    def _make(self, codes: Floats) -> Floats:
        with torch.inference_mode():
            images: Tensor = self.generator(torch.from_numpy(codes).to(self.device))
            return images.cpu().numpy()

    def _map(self, z: Floats) -> Floats:
        with torch.inference_mode():
            return self.generator.mapping(torch.from_numpy(z).to(self.device)).cpu().numpy()

    def suits(self, people: Floats, codes: Floats) -> NDArray[np.bool_]:
        w, original = (torch.from_numpy(part).to(self.device) for part in (people[:, 0], codes))
        return self.generator.suits(w, original).cpu().numpy()


def average_latent(generator: GeneratorModule) -> Tensor:
    """The average of w over fixed samples of z, repeated for every style: (n_styles, style_dim).

    For files without one. Seeded, so that the same weights give the same average.
    """
    return _samples(generator, torch.device("cpu")).mean(dim=0).repeat(generator.n_styles, 1)


@torch.no_grad()
def _samples(generator: GeneratorModule, device: torch.device) -> Tensor:
    z = torch.randn(AVERAGE_OF, generator.style_dim, generator=torch.Generator().manual_seed(0))
    return generator.mapping(z.to(device))
