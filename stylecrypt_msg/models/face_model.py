"""One face model, whatever its family: pictures to latent codes and back.

What the families give is in the two protocols below; what everything above the models uses is ``FaceModel``.
Reading and writing files is left to ``store`` and ``checkpoints``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from stylecrypt_msg.errors import ModelError
from stylecrypt_msg.models.ops import resized
from stylecrypt_msg.models.refine import COARSE, FIRM, LOOSE, Directions, approach

__all__ = ["EncoderModule", "FaceModel", "GeneratorModule", "average_latent"]

# Pictures go through the networks in steps of this many pixels (one at 256 px and more). Bigger steps are no
# faster per picture on a CPU (measured: 0.54 s at 256 px, batches of 1, 2 and 4) and cost 130 MB more for
# each.
STEP_PIXELS = 256 * 256

AVERAGE_OF = 4096  # samples behind a computed latent average: its error is 1/64 of the spread of w


class NetworkModule(Protocol):
    """What is asked of both networks; a ``torch.nn.Module`` has it."""

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
        """What the generator makes of the codes, at ``size`` px, 128 or 256, or at its own where that is less: with
        gradients, and no dearer than it must be."""
        ...

    def suits(self, w: Tensor, codes: Tensor, /) -> Tensor:
        """Whether people that the mapping made, w (B, style_dim), can stand in for ``codes`` (n_styles,
        style_dim): (B,) bool."""
        ...

    def __call__(self, codes: Tensor, /) -> Any: ...


class EncoderModule(NetworkModule, Protocol):
    """An encoder: RGB pictures (B, 3, input_size, input_size) in [-1, 1] to *absolute* codes, ready for the
    generator, (B, n_styles, style_dim). An average that it adds to its predictions belongs to its own
    buffers."""

    n_styles: int
    input_size: int
    passes: int  # how often `FaceModel.encode` has it look
    steps: int  # of refinement, which `FaceModel.encode` takes after that

    @property
    def directions(self) -> Directions | None:
        """Those that refinement goes along; where there are none, it goes along W's axes."""
        ...

    def features(self, images: Tensor, /) -> list[Tensor]:
        """Feature maps (B, C, R, R) of the pictures: what they look like, in the encoder's eyes."""
        ...

    def __call__(self, images: Tensor, /) -> Any: ...


class FaceModel:
    """A generator of faces with (perhaps) an encoder, for inference.

    Images are (B, 3, H, W) float32, RGB in [-1, 1]; codes, the style vectors of W+, are
    (B, n_styles, style_dim) float32. The same input gives the same output on one machine; noise maps are
    fixed. Several threads may use one model at the same time; ``to`` must not run meanwhile.

    Attributes:
        generator, encoder: the networks, for training and refinement: gradients flow through both. Their own
            parameters have ``requires_grad`` off until switched on.
        latent_avg: average style of the generator, (n_styles, style_dim): the centre of truncation.
        family, name: which kind of network, and what the user calls this one.
        device: where the networks are, and where outputs are.
    """

    def __init__(
        self,
        generator: GeneratorModule,
        encoder: EncoderModule | None = None,
        latent_avg: Tensor | None = None,
        *,
        family: str,
        name: str,
        synthesis: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        """Takes the networks as they are (on the CPU).

        ``latent_avg`` is computed from fixed samples when absent (``average_latent``). ``synthesis`` is a
        faster runtime of the same function as ``generator``, codes on the CPU to images on the CPU; it must
        be safe to call from several threads, and is not used on other devices.

        Raises ModelError if encoder, generator and latent average do not belong together.
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
        if latent_avg is None:
            latent_avg = average_latent(generator)
        if latent_avg.shape != (generator.n_styles, generator.style_dim):
            raise ModelError(
                f"The average latent has shape {tuple(latent_avg.shape)}, "
                f"but the generator takes {(generator.n_styles, generator.style_dim)}."
            )
        self.generator = generator
        self.encoder = encoder
        self.latent_avg = latent_avg
        self.family = family
        self.name = name
        self.device = torch.device("cpu")
        self._synthesis = synthesis

    @property
    def n_styles(self) -> int:
        return self.generator.n_styles

    @property
    def style_dim(self) -> int:
        return self.generator.style_dim

    @property
    def image_size(self) -> int:
        """Pixels a side of the pictures that ``synthesize`` makes."""
        return self.generator.image_size

    @property
    def runtime(self) -> str:
        """What runs ``synthesize``: "torch", or "openvino" where it is installed and knows the model."""
        return "torch" if self._synthesis is None or self.device.type != "cpu" else "openvino"

    @cached_property
    def latent_std(self) -> Tensor:
        """Standard deviation of w per dimension, (style_dim,), over the samples of `average_latent`."""
        with torch.inference_mode(False):  # for gradients too, whoever asks first
            return _samples(self.generator, self.device).std(dim=0)

    @property
    def has_encoder(self) -> bool:
        return self.encoder is not None

    @cached_property
    def digest(self) -> str:
        """The model hash: hex SHA-256 over all that ``encode``, ``synthesize`` and the mapping depend on.

        Hashed are the family's name and a newline, then for every tensor of the two networks in the order of
        its name ("encoder.*" before "generator.*"): name, space, comma-separated shape, newline, values as
        little-endian float32 in row-major order. Integer counters of batch norm are left out. So is the
        centre of truncation, ``latent_avg``: it moves where samples are drawn, not what a code or a picture
        becomes (an average that the *encoder* adds is one of its buffers, and counts). The same weights
        therefore give the same hash from any kind of file; float16 files count as the float32 values they
        decode to. Computed once, on first use.
        """
        sha = hashlib.sha256(f"{self.family}\n".encode())
        for name, tensor in sorted(self.state()):
            if name != "latent_avg" and not name.endswith("num_batches_tracked"):
                sha.update(f"{name} {','.join(map(str, tensor.shape))}\n".encode())
                values = tensor.to("cpu", torch.float32).contiguous().numpy()
                sha.update(values.astype("<f4", copy=False).data)
        return sha.hexdigest()

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """All tensors by name: ``generator.*``, ``encoder.*``, ``latent_avg``; what ``store.save`` writes."""
        for prefix, network in (("generator", self.generator), ("encoder", self.encoder)):
            if network is not None:
                for name, tensor in network.state_dict().items():
                    yield f"{prefix}.{name}", tensor
        yield "latent_avg", self.latent_avg

    def to(self, device: str | torch.device) -> Self:
        """Moves the networks, in place. Raises ModelError if there is no such device.

        Moving to a GPU switches TF32 off for the process: cuDNN would round the inputs of convolutions to 10
        bits, which shows in the pictures.
        """
        try:
            target = torch.device(device)
            self.latent_avg = self.latent_avg.to(target)
            self.generator.to(target)
            if self.encoder is not None:
                self.encoder.to(target)
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise ModelError(f"The model cannot run on the device {str(device)!r} here.", hint='Use "cpu".') from error
        if target.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False
        self.device = target
        self.__dict__.pop("latent_std", None)  # of the device before
        return self

    def encode(
        self, images: Tensor, *, steps: int | None = None, start: Callable[[Tensor], Tensor] | None = None
    ) -> Tensor:
        """Inverts faces: images (B, 3, H, W), any square size, aligned as in FFHQ -> codes (B, n_styles,
        style_dim).

        Resized as the encoder needs: by area from larger, bilinearly from smaller ones. An encoder of several
        passes also reads what the generator makes of the codes; what it takes that for beside what it took the
        picture for is the correction. This is ReStyle's idea (Alaluf et al., arXiv 2104.02699), with an encoder
        that sees one picture at a time. ``steps`` of descent through 128 px follow (`refine`), by default as many as the
        encoder is made for. Who knows something of the person reads better with it: ``start`` gets what the encoder said,
        and returns where to start, from which the descent then goes no further than the picture shows. Without descent it
        is not asked.

        Raises ModelError if the model has no encoder, ValueError if the images are not as described.
        """
        if self.encoder is None:
            raise ModelError(
                f"The model {self.name!r} has no encoder, so it cannot read faces from pictures.",
                hint="Use a pSp or e4e file, which holds both encoder and generator.",
            )
        _check("images", images, "(B, 3, H, W)", ndim=4)
        if images.shape[1] != 3 or images.shape[2] != images.shape[3]:
            raise ValueError(f"images must be RGB and square, (B, 3, H, H), but have shape {tuple(images.shape)}")
        encoder, size = self.encoder, self.encoder.input_size

        def invert(part: Tensor) -> Tensor:
            codes: Tensor = encoder(resized(part, size))
            first = codes
            for _ in range(encoder.passes - 1):
                codes = codes + first - encoder(resized(self.preview(codes).clamp(-1, 1), size))
            return codes

        codes = self._in_steps(invert, images, (self.n_styles, self.style_dim), size)
        steps = encoder.steps if steps is None else steps
        if not steps:
            return codes
        codes, hold = (codes, LOOSE) if start is None else (start(codes), FIRM)
        return approach(self, images.to(self.device), codes, [COARSE] * steps, hold=hold)

    def synthesize(self, codes: Tensor) -> Tensor:
        """Codes (B, n_styles, style_dim) -> images (B, 3, image_size, image_size), not clamped to [-1, 1].

        Raises ModelError if the codes are those of another model, ValueError if they are no codes.
        """
        _check("codes", codes, "(B, n_styles, style_dim)", ndim=3)
        if codes.shape[1] != self.n_styles:
            raise ModelError(f"These codes have {codes.shape[1]} styles, this model has {self.n_styles}.")
        if codes.shape[2] != self.style_dim:
            raise ModelError(f"These codes have {codes.shape[2]} dimensions a style, this model has {self.style_dim}.")
        on_cpu = self.device.type == "cpu"
        synthesis = self._synthesis if self._synthesis is not None and on_cpu else self.generator
        return self._in_steps(synthesis, codes, (3, self.image_size, self.image_size), self.image_size)

    def map(self, z: Tensor, truncation: float = 1.0) -> Tensor:
        """z (B, style_dim), standard normal -> codes (B, n_styles, style_dim) of people who do not exist.

        ``truncation`` in [0, 1] pulls them towards the average: 1 leaves them, 0 gives the average
        (StyleGAN, Karras et al. 2019, arXiv 1812.04948, appendix B). Raises ValueError on other input.
        """
        _check("z", z, "(B, style_dim)", ndim=2)
        if z.shape[1] != self.style_dim:
            raise ValueError(f"z has {z.shape[1]} dimensions, this model takes {self.style_dim}")
        if not 0 <= truncation <= 1:
            raise ValueError(f"truncation must be between 0 and 1, not {truncation}")

        def mapping(part: Tensor) -> Tensor:
            w = self.generator.mapping(part)[:, None].expand(-1, self.n_styles, -1)
            return w if truncation == 1 else self.latent_avg.lerp(w, truncation)

        return self._in_steps(mapping, z, (self.n_styles, self.style_dim), pixels=1)

    @property
    def directions(self) -> Directions | None:
        """Those that refinement goes along, where the model's encoder has them."""
        return None if self.encoder is None else self.encoder.directions

    def preview(self, codes: Tensor, size: int = COARSE) -> Tensor:
        """As `synthesize`, scaled down to at most ``size`` px, 128 (nearly so) or 256, and with gradients: for `refine`."""
        return self.generator.preview(codes, size)

    def features(self, images: Tensor) -> list[Tensor]:
        """Maps (B, C, R, R) of what images (B, 3, H, H) look like to the encoder, with gradients.

        Raises ModelError if the model has no encoder.
        """
        if self.encoder is None:
            raise ModelError(f"The model {self.name!r} has no encoder, so it cannot compare pictures.")
        return self.encoder.features(resized(images, self.encoder.input_size))

    def suits(self, person: Tensor, codes: Tensor) -> bool:
        """Whether ``person`` from `map` can stand in for ``codes``, both (1, n_styles, style_dim).

        The embedded model passes over children, headgear, glasses and the other sex; models of others are taken as
        they are.
        """
        return bool(self.generator.suits(person[:, 0], codes[0]).all())

    def _in_steps(
        self, function: Callable[[Tensor], Tensor], batch: Tensor, shape: tuple[int, ...], pixels: int
    ) -> Tensor:
        """Runs ``function`` over the batch, a bounded number of pictures of ``pixels`` a side at a time."""
        # Made outside inference mode: an ordinary tensor, which the caller may use where gradients are
        # wanted.
        out = torch.empty((len(batch), *shape), device=self.device)
        step = max(1, STEP_PIXELS // pixels**2)
        with torch.inference_mode():
            for start in range(0, len(batch), step):
                part = batch[start : start + step].to(self.device)
                out[start : start + step] = function(part)
        return out


def average_latent(generator: GeneratorModule) -> Tensor:
    """The average of w over fixed samples of z, once for every style: (n_styles, style_dim).

    For files that hold none. Seeded, so that the same weights give the same average.
    """
    return _samples(generator, torch.device("cpu")).mean(dim=0).repeat(generator.n_styles, 1)


@torch.no_grad()
def _samples(generator: GeneratorModule, device: torch.device) -> Tensor:
    z = torch.randn(AVERAGE_OF, generator.style_dim, generator=torch.Generator().manual_seed(0))
    return generator.mapping(z.to(device))


def _check(what: str, value: Tensor, shape: str, *, ndim: int) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"{what} must be a torch tensor, not {type(value).__name__}")
    if value.ndim != ndim or 0 in value.shape:
        raise ValueError(f"{what} must have shape {shape}, not {tuple(value.shape)}")
    if value.dtype != torch.float32:
        raise ValueError(f"{what} must be float32, not {str(value.dtype).removeprefix('torch.')}")
    if not torch.isfinite(value).all():
        raise ValueError(f"{what} hold values that are not finite numbers")
