"""A size that no machine has is an error that names the argument, and never the end of the process.

The compiler ends the process over arrays of more bytes than an integer counts, so that these calls
must be refused before it sees them.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxtricks import averaging, data, initializers, models, regularizers, surfaces, training

KEY = jax.random.key(0)
IMAGES = np.zeros((2, 4, 4, 1), np.uint8)
NUMBERS = {"x": np.arange(4, dtype=np.float32)}


def distance(params, model_state, batch, keys, *, train):
    return (params - batch["x"]) ** 2, (model_state, {})


OURS = training.trainer(distance, optax.sgd(0.1))


def start(model):
    return model.init(KEY, jnp.ones((2, 4, 4, 1)), train=False)


def loop(**changes):
    options = {"epochs": 1, "batch_size": 2, **changes}
    state = OURS.init({"params": jnp.zeros(())})
    return training.fit(OURS, state, NUMBERS, NUMBERS, key=KEY, progress=False, **options)


def stream(**changes):
    options = {"key": KEY, "batch_size": 2, "epochs": 1, **changes}
    return data.stream(NUMBERS, **options)


CASES = {
    "epoch_order size": ("size", lambda n: data.epoch_order(KEY, n, 4)),
    "epoch_order batch_size": (
        "batch_size",
        lambda n: data.epoch_order(KEY, 10, n, remainder="weight"),
    ),
    "stream batch_size": ("batch_size", lambda n: stream(batch_size=n)),
    "stream epochs": ("epochs", lambda n: stream(epochs=n)),
    "stream first_step": ("first_step", lambda n: stream(first_step=n)),
    "stream threads": ("threads", lambda n: stream(threads=n, ahead=n)),
    "one_hot": ("classes", lambda n: data.one_hot(np.array([1, 2]), n)),
    "resize": ("size", lambda n: data.resize(IMAGES, (n, 4))),
    "grid": ("size", lambda n: surfaces.grid(surfaces.saddle(), size=n)),
    "random_goe": ("dimension", lambda n: surfaces.random_goe(KEY, n)),
    "sparse examples": (
        "examples",
        lambda n: surfaces.random_sparse_features(KEY, examples=n, features=3),
    ),
    "sparse features": (
        "features",
        lambda n: surfaces.random_sparse_features(KEY, examples=3, features=n),
    ),
    "he": ("shape", lambda n: initializers.he()(KEY, (n, n))),
    "MLP": ("features", lambda n: start(models.MLP((n, n)))),
    "linear_model": ("classes", lambda n: start(models.linear_model(n))),
    "Maxout": ("features", lambda n: regularizers.Maxout(n).init(KEY, jnp.ones((2, 3)))),
    "Maxout pieces": ("pieces", lambda n: regularizers.Maxout(3, n).init(KEY, jnp.ones((2, 3)))),
    "DropConnectDense": (
        "features",
        lambda n: regularizers.DropConnectDense(n).init(KEY, jnp.ones((2, 3)), train=False),
    ),
    "DropConnectDense samples": (
        "samples",
        lambda n: regularizers.DropConnectDense(3, samples=n),
    ),
    "fit epochs": ("epochs", lambda n: loop(epochs=n)),
    "fit batch_size": ("batch_size", lambda n: loop(batch_size=n)),
    "cycle_ends": ("first_steps", lambda n: averaging.cycle_ends(n)),
}


@pytest.mark.parametrize("size", [2**31, 2**40, 2**62, 10**30])
@pytest.mark.parametrize("case", CASES)
def test_a_size_that_no_machine_has_is_refused_by_name(case, size):
    name, call = CASES[case]
    with pytest.raises(ValueError, match=f"{name}.* must .*got "):
        call(size)


@pytest.mark.parametrize(
    "name, call",
    [
        ("batch_size", lambda n: data.epoch_order(KEY, n, 2**30, remainder="weight")),
        ("size", lambda n: surfaces.grid(surfaces.saddle(), size=n)),
        ("dimension", lambda n: surfaces.random_goe(KEY, n)),
        ("shape", lambda n: initializers.he()(KEY, (n, n))),
        ("size", lambda n: data.resize(IMAGES, (n, n))),
        ("classes", lambda n: data.one_hot(np.zeros(1000, np.int32), n)),
    ],
)
def test_products_are_bounded_too(name, call):
    with pytest.raises(ValueError, match=f"{name} must give .*at most [0-9]+ .*, got "):
        call(2**31 - 1)
