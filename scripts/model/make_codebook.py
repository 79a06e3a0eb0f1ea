"""Makes the codebook of covers (`stylecrypt_msg.codebook`): people who do not exist, and what moves their expression.

    python scripts/model/make_codebook.py [OUT.npz] [--people 2048]

Of the embedded model's people, sampled with truncation, those are left out whom its judge takes for children, or in hats or
glasses, or for neither clearly women nor clearly men; heads may be turned. All are rendered (at 128 px). Those in the hardest
light are left out, too, and 1,024 of the rest kept, so that turned heads and dark skins are not as rare as among all. Each of
these is read by the encoder, as senders are, and rendered again with the average person's styles 3 to 7, where covers have
their stand-in's; YuNet's landmarks are those of that picture.

What the encoder reads tells the mouth and the judge's score of sex, by ridge regression on the strongest principal directions.
Expression is nearly linear in W, too. Width and opening of the mouth are by dlib's landmarks, in standard deviations; the
direction that changes one of them is the most likely change of w, its covariance with it. How much of it is seen in a face of
three people's styles is fitted on renders of such faces.

Prints how well all this fits, by ten-fold cross-validation. Needs the extra ``identity``; takes ten minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from stylecrypt_lab.evaluation.looks import SIDE, Landmarks, Looks, looks_of, sixty_eight

from stylecrypt_msg import codebook
from stylecrypt_msg.cipher import to_pixels
from stylecrypt_msg.codebook import COLOUR, ENTRIES
from stylecrypt_msg.faces.detectors import YuNet
from stylecrypt_msg.models import load_model
from stylecrypt_msg.models.embedded import EmbeddedModel
from stylecrypt_msg.models.face_model import CLEARLY, Floats
from stylecrypt_msg.pictures import Pixels
from stylecrypt_msg.standins import stand_in

SEED, TRUNCATION = 20261130, 0.8
COLOUR_AXES, READ_AXES, W_AXES = 60, 120, 120  # principal directions kept
RIDGE = 0.01
COMPOSED = 400  # faces of three people's styles
SHAPE = slice(2, 8)  # styles
SOFT = 0.85  # of all, by how far lightness varies in the face
PRESENTABLE = 3  # of the judge's scores: a child, headgear, glasses
DETECTED = 320  # px, YuNet's own size
NOWHERE = 10.0  # of a landmark, so that nobody is near
LARGE = 9000  # values; larger arrays have half precision
BINS = 6  # of skin's lightness and of how far a head is turned, that should be equally frequent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=codebook.PATH)
    parser.add_argument("--people", type=int, default=2048)
    arguments = parser.parse_args()
    model, rng = load_model(), np.random.Generator(np.random.PCG64(SEED))
    assert isinstance(model, EmbeddedModel)  # noqa: S101 - for the checker
    landmarks = sixty_eight()

    people = sampled(model, arguments.people, rng)
    looks, lightness, hardness = [], [], []
    for w in track(people, "rendering"):
        picture = rendered(model, np.repeat(w[None], model.n_styles, axis=0))
        looks.append(looks_of(landmarks(picture)))
        face = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)[96:192, 88:168, 0].astype(np.float32) / 2.55
        lightness.append(float(np.median(face)))
        low, high = np.percentile(np.asarray(cv2.GaussianBlur(face, (0, 0), 8.0), np.float32), (5, 95))
        hardness.append(float(high - low))
    mouths = np.array([(one.smile, one.opening) for one in looks])
    centre, spread = mouths.mean(0), mouths.std(0)
    scores, score_bias, directions = expression((mouths - centre) / spread, people, model)

    soft = np.flatnonzero(hardness <= np.quantile(hardness, SOFT))
    kept = soft[evened([looks[i] for i in soft], [lightness[i] for i in soft], rng)]
    people, mouths = people[kept], ((mouths - centre) / spread)[kept]
    print(f"yaw {np.percentile([looks[i].yaw for i in kept], (1, 10, 90, 99)).round(0)} degrees")
    print(f"lightness {np.percentile(np.array(lightness)[kept], (1, 10, 90, 99)).round(0)}")

    codes, points = [], []
    for w in track(people, "reading"):
        whole = np.repeat(w[None], model.n_styles, axis=0)
        codes.append(model.encode(model.glimpse(whole[None]), steps=0)[0])
        whole[codebook.FACE] = model.latent_avg[codebook.FACE]
        points.append(detected(rendered(model, whole)))
    read = ((np.array(codes) - model.latent_avg) / model.latent_std).astype(np.float32)

    men = people @ model.judge[0][-1] + model.judge[1][-1]
    colour_axes, colour_centre, colour = principal(read[:, COLOUR].reshape(len(read), -1), COLOUR_AXES)
    axes, middle, seen = principal(read.reshape(len(read), -1), READ_AXES)
    wanted = np.column_stack([mouths, men])
    print("mouth and sex as read", correlations(seen, wanted))
    weights, bias = ridge(seen, wanted)
    reading, reading_bias = axes.T @ weights, bias - middle @ weights
    # In photos, the regression errs as often as the judge itself, which looks at the styles that shape the face, but elsewhere.
    judged = np.zeros((model.n_styles, model.style_dim))
    judged[SHAPE] = model.judge[0][-1] * model.latent_std / len(range(*SHAPE.indices(model.n_styles)))
    reading[:, -1] = (reading[:, -1] + judged.ravel()) / 2
    reading_bias[-1] = (
        reading_bias[-1] + model.latent_avg[SHAPE].mean(0) @ model.judge[0][-1] + model.judge[1][-1]
    ) / 2

    arrays = {
        "w": people,
        "mean": model.latent_avg,
        "std": model.latent_std,
        "men": men,
        "landmarks": np.array(points),
        "colour": colour,
        "colour_axes": colour_axes,
        "colour_centre": colour_centre,
        "reading": reading,
        "reading_bias": reading_bias,
        "scores": scores,
        "scores_bias": score_bias,
        "directions": directions,
    }
    arrays["seen"] = composed(model, people, landmarks, centre, spread, arrays, rng)
    made = {name: values.astype(np.float16 if values.size > LARGE else np.float32) for name, values in arrays.items()}
    np.savez_compressed(arguments.out, model=np.array(model.digest), **made)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


def sampled(model: EmbeddedModel, count: int, rng: np.random.Generator) -> Floats:
    """(count, style_dim): bare-headed adults without glasses, women and men."""
    weight, bias = model.judge
    found: list[Floats] = []
    while sum(map(len, found)) < count:
        w = model.map(rng.standard_normal((512, model.style_dim), np.float32), TRUNCATION)
        judged = w[:, 0] @ weight.T + bias
        found.append(w[(judged[:, :PRESENTABLE] < 0).all(1) & (abs(judged[:, -1]) > CLEARLY), 0])
    return np.concatenate(found)[:count]


def rendered(model: EmbeddedModel, codes: Floats) -> Pixels:
    """The preview of codes (n_styles, style_dim), `SIDE` px."""
    return np.asarray(
        cv2.resize(to_pixels(model.glimpse(codes[None]))[0], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8
    )


_yunet = YuNet()


def detected(picture: Pixels) -> NDArray[np.float32]:
    """The landmarks (5, 2) of the clearest face, in sides of the picture; `NOWHERE` if there is none."""
    large = cv2.resize(picture[..., ::-1], (DETECTED, DETECTED), interpolation=cv2.INTER_CUBIC)
    found = _yunet(np.asarray(large, np.uint8))
    if not found:
        return np.full((5, 2), NOWHERE, np.float32)
    return np.asarray(max(found, key=lambda one: one.score).landmarks / DETECTED, np.float32)


def evened(looks: list[Looks], lightness: list[float], rng: np.random.Generator) -> NDArray[np.int_]:
    """The numbers of `ENTRIES` people, drawn so that rare looks are less rare."""
    chances = np.ones(len(looks))
    for values in (np.array(lightness), abs(np.array([one.yaw for one in looks]))):
        low, high = np.percentile(values, (1, 99))
        bins = np.clip((values - low) / (high - low) * BINS, 0, BINS - 1).astype(int)
        chances /= np.sqrt(np.bincount(bins, minlength=BINS)[bins])
    return np.sort(rng.choice(len(looks), ENTRIES, replace=False, p=chances / chances.sum()))


def principal(values: Floats, count: int) -> tuple[Floats, Floats, Floats]:
    """The strongest directions (count, values), the mean's coordinates along them, and the rest's relative to it."""
    mean = values.mean(0)
    _, _, axes = np.linalg.svd(values - mean, full_matrices=False)
    axes = np.asarray(axes[:count], np.float32)
    return axes, axes @ mean, (values - mean) @ axes.T


def ridge(features: Floats, wanted: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (features, wanted) and biases (wanted,)."""
    spread = features.std(0)
    x, middle = (features - features.mean(0)) / spread, wanted.mean(0)
    weights = np.linalg.solve(x.T @ x + RIDGE * len(x) * np.eye(x.shape[1]), x.T @ (wanted - middle))
    weights /= spread[:, None]
    return weights, middle - features.mean(0) @ weights


def correlations(features: Floats, wanted: NDArray[np.float64]) -> list[float]:
    """Of predictions with ``wanted``, by ten-fold cross-validation."""
    guessed = np.empty_like(wanted)
    for fold in range(10):
        out = np.arange(len(features)) % 10 == fold
        weights, bias = ridge(features[~out], wanted[~out])
        guessed[out] = features[out] @ weights + bias
    return [round(float(np.corrcoef(a, b)[0, 1]), 2) for a, b in zip(guessed.T, wanted.T, strict=True)]


def expression(
    mouths: NDArray[np.float64], people: Floats, model: EmbeddedModel
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What w says of the mouth, (style_dim, 2) and (2,), and the changes of w, (2, style_dim), by one standard deviation.

    They leave the judge's score of sex as it is: women smile more, and a smile taken away would leave a beard.
    """
    x = (people - model.latent_avg[0]) / model.latent_std
    mean = x.mean(0)
    _, sizes, axes = np.linalg.svd(x - mean, full_matrices=False)
    axes = axes[:W_AXES]
    coordinates = (x - mean) @ axes.T
    print("mouth from w", correlations(coordinates, mouths))
    weights, bias = ridge(coordinates, mouths)
    variances = sizes[:W_AXES] ** 2 / len(x)
    held = np.column_stack([weights, axes @ (model.judge[0][-1] * model.latent_std)])
    likely = variances[:, None] * held  # the covariances
    steps = np.linalg.solve(held.T @ likely, likely.T)[:2]  # each moves its own score by 1, and neither of the others
    scores = axes.T @ weights / model.latent_std[:, None]
    return scores, bias - mean @ axes.T @ weights - model.latent_avg[0] @ scores, steps @ axes * model.latent_std


def composed(
    model: EmbeddedModel,
    people: Floats,
    landmarks: Landmarks,
    centre: NDArray[np.float64],
    spread: NDArray[np.float64],
    arrays: dict[str, NDArray[np.float64]],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """What is seen of the scores of the three whose styles make a face, and a constant: (7, 2)."""
    said, shown = [], []
    scores = people @ arrays["scores"] + arrays["scores_bias"]
    for number in track(range(COMPOSED), "composing"):
        pose, colour = rng.integers(ENTRIES, size=2)
        codes = np.repeat(people[pose][None], model.n_styles, axis=0)
        codes[COLOUR] = people[colour]
        somebody = stand_in(model, number, codes[None])[0, 0]
        codes[codebook.FACE] = somebody
        said.append([*scores[pose], *(somebody @ arrays["scores"] + arrays["scores_bias"]), *scores[colour], 1])
        looks = looks_of(landmarks(rendered(model, codes)))
        shown.append((np.array((looks.smile, looks.opening)) - centre) / spread)
    weights, *_ = np.linalg.lstsq(np.array(said), np.array(shown), rcond=None)
    made = np.array(said) @ weights
    print(
        "mouth composed",
        [round(float(np.corrcoef(a, b)[0, 1]), 2) for a, b in zip(made.T, np.array(shown).T, strict=True)],
    )
    return np.asarray(weights)


if __name__ == "__main__":
    main()
