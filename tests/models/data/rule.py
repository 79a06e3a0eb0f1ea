"""Deterministic synthetic weights / inputs for the parity fixtures (numpy only).

weight(name, shape) is the whole rule.  `name` is the MODULE-LOCAL state-dict
name: a leading "encoder." or "decoder." (pSp checkpoints) is stripped first, so
the decoder of a pSp fixture equals the stand-alone generator of the same size.
v below is the float32 cast of float64 draws of PCG64(crc32(local name)).
"""

import re
import zlib

import numpy as np


def local_name(name):
    for prefix in ("encoder.", "decoder."):
        if name.startswith(prefix):
            return name[len(prefix) :]
    return name


def draws(name, shape):
    bits = np.random.PCG64(zlib.crc32(name.encode("utf-8")))
    return np.random.Generator(bits).standard_normal(tuple(shape)).astype(np.float32)


# (pattern on the local name, multiplier, offset, use |v|); first match wins.
TABLE = [
    # ---- StyleGAN2 generator
    (r"style\.\d+\.weight", 100.0, 0.0, False),  # mapping net, lr_mul 0.01
    (r"style\.\d+\.bias", 10.0, 0.0, False),  # becomes 0.1 v after lr_mul
    (r"input\.input", 1.0, 0.0, False),
    (r"noises\.noise_\d+", 1.0, 0.0, False),
    (r".*\.noise\.weight", 0.1, 0.2, False),  # noise strength (1 scalar each)
    (r".*\.modulation\.weight", 1.0, 0.0, False),
    (r".*\.modulation\.bias", 0.1, 1.0, False),
    (r"(to_rgb1|to_rgbs\.\d+)\.conv\.weight", 0.25, 0.0, False),  # keeps image near [-1, 1]
    (r"(conv1|convs\.\d+)\.conv\.weight", 1.0, 0.0, False),
    (r".*\.activate\.bias", 0.1, 0.0, False),
    (r"(to_rgb1|to_rgbs\.\d+)\.bias", 0.1, 0.0, False),
    # ---- IR-SE encoder and style heads
    (r"(input_layer\.2|body\.\d+\.res_layer\.2)\.weight", 0.05, 0.25, False),  # PReLU
    (r"(linear|styles\.\d+\.linear)\.weight", 1.0, 0.0, False),  # equalised linear
    (r".*\.running_mean", 0.1, 0.0, False),
    (r".*\.running_var", 0.1, 1.0, True),
    (r"latent_avg", 0.5, 0.0, False),
]


def weight(name, shape):
    name = local_name(name)
    shape = tuple(int(n) for n in shape)
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    if name.endswith(".kernel"):  # blur / skip-upsample low-pass, not random
        taps = np.array([1, 3, 3, 1], np.float32)
        return np.outer(taps, taps) / np.float32(16)  # sums to 4 = factor**2, float32-exact
    v = draws(name, shape)
    for pattern, mul, off, absolute in TABLE:
        if re.fullmatch(pattern, name):
            return np.float32(off) + np.float32(mul) * (np.abs(v) if absolute else v)
    if name.endswith(".bias"):  # conv, linear and batch-norm biases
        return np.float32(0.1) * v
    if len(shape) == 1:  # batch-norm scale
        return np.float32(1.0) + np.float32(0.1) * v
    gain = 2.0 if name.startswith("styles.") else 1.0  # head convs: He-like gain
    return np.float32(np.sqrt(gain / np.prod(shape[1:]))) * v  # conv / plain linear


def normal(seed, shape):
    """Latent inputs (z, w, w+)."""
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(shape)).astype(np.float32)


def image(seed, channels=3, size=256):
    """Image-like encoder input in [-1, 1], shape (1, channels, size, size):
    8x8 blocks plus fine grain, clipped."""
    gen = np.random.Generator(np.random.PCG64(seed))
    coarse = gen.standard_normal((1, channels, size // 8, size // 8)).astype(np.float32)
    grain = gen.standard_normal((1, channels, size, size)).astype(np.float32)
    coarse = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return np.clip(np.float32(0.5) * coarse + np.float32(0.1) * grain, np.float32(-1), np.float32(1))


def grid(size, n):
    """Skewed sampling indices (cover every phase of the stride): k*s + (k mod s)."""
    step = size // n
    k = np.arange(n)
    return k * step + (k % step)


def sample(img, n):
    """(N, C, S, S) -> (N, C, n, n) on the skewed grid in both axes."""
    rows = grid(img.shape[-2], n)
    cols = grid(img.shape[-1], n)
    return np.ascontiguousarray(img[..., rows, :][..., cols])


def rel_err(got, want):
    """max |got - want| / rms(want): the number quoted in every json."""
    got = np.asarray(got, np.float64)
    want = np.asarray(want, np.float64)
    return float(np.max(np.abs(got - want)) / np.sqrt(np.mean(want**2)))
