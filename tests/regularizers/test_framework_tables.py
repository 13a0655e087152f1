"""The dropout family and fractional pooling against PyTorch, Keras and TensorFlow.

The golden tables hold what the frameworks computed, and what they drew for it. Here our layers get
these draws in place of their own, so that what is compared is all the rest.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks.regularizers import AlphaDropout, Dropout, GaussianDropout, fractional_max_pool
from jaxtricks.regularizers._bernoulli_mask import keep_probability
from jaxtricks.regularizers._fractional_max_pool import draw_borders
from tests.golden import dropout_tables

KEY = jax.random.key(0)
LAYERS = {
    ("torch", "Dropout"): lambda p: Dropout(p),
    ("torch", "Dropout2d"): lambda p: Dropout(p, mask_axes=(0, 3)),
    ("torch", "AlphaDropout"): lambda p: AlphaDropout(p),
    ("keras", "Dropout"): lambda rate, noise_shape=None: Dropout(rate, noise_shape and (0, 3)),
    ("keras", "SpatialDropout2D"): lambda rate: Dropout(rate, mask_axes=(0, 3)),
    ("keras", "GaussianDropout"): lambda rate: GaussianDropout(rate),
    ("tensorflow", "nn.dropout"): lambda rate: Dropout(rate),
    ("tensorflow", "compat.v1.nn.dropout"): lambda keep_prob: Dropout(1 - keep_prob),
}
CASES = [
    pytest.param(framework, number, id=f"{framework}-{number}-{case.name}")
    for framework, cases in dropout_tables.CASES.items()
    for number, case in enumerate(cases)
]


def table(framework, prefix):
    path = Path(dropout_tables.__file__).parent / f"{framework}_dropout.npz"
    with np.load(path) as file:
        names = [name for name in file.files if name.startswith(prefix)]
        return {name.removeprefix(prefix): file[name] for name in names}


def drawing(mask):
    """Stands for `bernoulli_mask`, and demands that the framework shares draws as we do."""

    def draw(key, shape, rate):
        own = mask[tuple(slice(size) for size in shape)]
        np.testing.assert_array_equal(np.broadcast_to(own, mask.shape), mask)
        return jnp.asarray(own), keep_probability(rate)

    return draw


def allowed(layer):
    """What float32 and the rounding of the probability to 2^-16 may change."""
    keep = 1 - layer.rate
    exact = keep * 2**16 == round(keep * 2**16)
    return 1e-6 if exact or isinstance(layer, GaussianDropout) else 1e-6 + 2 * 2**-17 / keep


@pytest.mark.parametrize("framework, number", CASES)
def test_outputs_are_the_framework_s_on_its_own_draws(framework, number, monkeypatch):
    case = dropout_tables.CASES[framework][number]
    golden = table(framework, f"{number}_")
    layer = LAYERS[framework, case.name](**case.arguments)
    if "mask" in golden:
        for room in ("_dropout", "_alpha_dropout"):
            place = f"jaxtricks.regularizers.{room}.bernoulli_mask"
            monkeypatch.setattr(place, drawing(golden["mask"]))
    else:
        noise = golden["noise"]
        monkeypatch.setattr(jax.random, "normal", lambda key, shape, dtype: noise.astype(dtype))
    wide = case.dtype == "float64"
    with jax.enable_x64(wide):
        x = jnp.asarray(golden["x"])
        y = np.asarray(layer.apply({}, x, train=True, rngs={"dropout": KEY}))
        np.testing.assert_array_equal(layer.apply({}, x, train=False), x)
    assert y.dtype == case.dtype == golden["output"].dtype
    within = 1e-14 if wide else allowed(layer)
    np.testing.assert_allclose(y, golden["output"], rtol=within, atol=within)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(dropout_tables.POOLINGS)))
def test_regions_are_pytorch_s_from_each_start_to_the_next(number, monkeypatch):
    """For PyTorch's random samples, of which the first is that of the width.

    Our draw is a whole number below the last border, of which a sample is the share.
    """
    case, golden = dropout_tables.POOLINGS[number], table("torch", f"pooling_{number}_")
    last = [size - case.overlapping for size in case.size]
    ratio = tuple(way / regions for way, regions in zip(last, case.regions, strict=True))
    drawn = [np.floor(golden["samples"][:, 1 - axis, None] * last[axis]) for axis in (0, 1)] * 2
    draws = iter(jnp.asarray(draw, int) for draw in drawn)
    monkeypatch.setattr(jax.random, "randint", lambda key, shape, low, high: next(draws))
    how = {"overlapping": case.overlapping, "pseudo_random": True}

    @jax.jit
    def ours(x):
        borders = [
            draw_borders(KEY, len(x), size, way, **how)
            for size, way in zip(case.size, ratio, strict=True)
        ]
        return *borders, *fractional_max_pool(KEY, x, ratio, return_indices=True, **how)

    rows, columns, maxima, indices = ours(golden["x"][..., None])
    np.testing.assert_array_equal(rows, golden["rows"])
    np.testing.assert_array_equal(columns, golden["columns"])
    np.testing.assert_array_equal(maxima[..., 0], golden["output"])
    np.testing.assert_array_equal(indices[..., 0], golden["indices"])
