"""Values and gradients of layers against Flax's own capture and the chain rule."""

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx, traverse_util

from jaxtricks import initializers, models, probes
from tests.untyped import untyped

KEY = jax.random.key(0)
X = jax.random.normal(KEY, (6, 4, 4, 2))
NETS = {
    "MLP": models.MLP(
        (5, 4, 3), activation=jnp.tanh, block=models.batch_norm_block, dropout_rates=0.5
    ),
    "SmallCNN": models.SmallCNN((4,), hidden=6, classes=3, dropout_rate=0.5),
    "ResNet": models.ResNet(8, width=4, classes=3),
}


def variables_of(net, x=X):
    return jax.jit(net.init, static_argnames="train")(KEY, x, train=False)


def options(train):
    return {"train": train, "rngs": {"dropout": jax.random.key(1)} if train else {}}


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("name", NETS)
def test_outputs_are_those_that_flax_captures(name, train):
    net, variables = NETS[name], variables_of(NETS[name])

    @jax.jit
    def both(variables):
        _, state = net.apply(
            variables, X, capture_intermediates=True,
            mutable=nn.DenyList("params"), **options(train),
        )  # fmt: skip
        return state["intermediates"], probes.layer_values(net, variables, X, **options(train))

    captured, got = both(variables)
    flat = {"/".join(map(str, p)): v for p, v in traverse_util.flatten_dict(captured).items()}
    want = {k.removesuffix("/__call__"): v[0] for k, v in flat.items() if k != "__call__"}
    chex.assert_trees_all_equal(dict(got), {name: want[name] for name in got})
    assert set(got) == {name for name, value in want.items() if isinstance(value, jax.Array)}


@pytest.mark.slow
def test_layers_come_in_the_order_of_the_calls_even_compiled():
    net = models.deep_mlp(11, width=3)
    rows = X.reshape(6, -1)
    variables = variables_of(net, rows)
    got = jax.jit(lambda v: probes.layer_values(net, v, rows, train=False, layers=nn.Dense))(
        variables
    )
    assert list(got) == [f"Dense_{i}" for i in range(12)]


def test_the_input_of_a_layer_is_the_activation_before_it():
    net = NETS["MLP"]
    variables = variables_of(net)

    @jax.jit
    def both(variables):
        dense = {"layers": (nn.Dense,), "at": "input", "train": False}
        before = probes.layer_values(net, variables, X, **dense)
        return before, probes.layer_values(net, variables, X, train=False)

    before, after = both(variables)
    chex.assert_trees_all_close(before["Dense_1"], jnp.tanh(after["BatchNorm_0"]), rtol=1e-6)
    chex.assert_trees_all_equal(before["Dense_0"], X.reshape(6, -1))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["MLP", *(pytest.param(n, marks=pytest.mark.slow) for n in NETS if n != "MLP")]
)
def test_numpy_input_is_watched_like_jax_s(name):
    net, variables = NETS[name], variables_of(NETS[name])
    place = {"at": "input", "layers": (nn.Dense, nn.Conv, models.Conv), "train": False}

    def look(rows):
        return (
            probes.layer_values(net, variables, rows, **place),
            probes.layer_gradients(jnp.sum, net, variables, rows, **place),
            *(probes.dead_units(net, variables, rows, size, **place) for size in (4, 20)),
        )

    with untyped():
        got, want = (jax.jit(lambda rows=rows: look(rows))() for rows in (np.asarray(X), X))
    chex.assert_trees_all_close(got, want, rtol=1e-5)
    assert all(list(found) == list(want[0]) for found in got)


class Spoken(nn.Module):
    """Calls its layers by keyword, one of them with whole numbers."""

    @nn.compact
    def __call__(self, words):
        return nn.Dense(2)(inputs=nn.Embed(5, 3)(inputs=words))


@pytest.mark.slow
def test_layers_called_by_keyword_are_watched():
    words = np.array([[0, 4], [2, 2]])
    variables = Spoken().init(KEY, words)
    inputs = probes.layer_values(Spoken(), variables, words, at="input")
    chex.assert_trees_all_equal(dict(inputs)["Embed_0"], words)
    kernel = variables["params"]["Dense_0"]["kernel"]
    chex.assert_trees_all_equal(
        inputs["Dense_0"], variables["params"]["Embed_0"]["embedding"][words]
    )
    gradients = probes.layer_gradients(jnp.sum, Spoken(), variables, words, at="input")
    want = jnp.broadcast_to(jnp.sum(kernel, axis=1), (2, 2, 3))
    chex.assert_trees_all_close(dict(gradients), {"Dense_0": want}, rtol=1e-6)
    with pytest.raises(ValueError, match="layers must include one with a floating input"):
        probes.layer_gradients(jnp.sum, Spoken(), variables, words, at="input", layers=nn.Embed)


@pytest.mark.slow
def test_gradients_obey_the_chain_rule_at_every_dense_layer():
    """d loss / d kernel = input^T (d loss / d output), d loss / d bias = its sum."""
    net = NETS["MLP"]
    variables = variables_of(net)

    def loss(logits):
        return jnp.sum(jnp.sin(logits))

    def whole(params):
        state = {**variables, "params": params}
        return loss(net.apply(state, X, mutable=nn.DenyList("params"), **options(True))[0])

    want = jax.jit(jax.grad(whole))(variables["params"])
    places = {"layers": nn.Dense, **options(True)}

    @jax.jit
    def watched(variables):
        inputs = probes.layer_values(net, variables, X, at="input", **places)
        back = probes.layer_gradients(loss, net, variables, X, **places)
        return inputs, back, probes.layer_gradients(loss, net, variables, X, at="input", **places)

    inputs, back, at_input = jax.device_get(watched(variables))
    for name in inputs:
        got = {"kernel": inputs[name].T @ back[name], "bias": back[name].sum(axis=0)}
        chex.assert_trees_all_close(got, want[name], rtol=1e-4, atol=1e-6)
    kernel = np.asarray(variables["params"]["Dense_2"]["kernel"])
    chex.assert_trees_all_close(at_input["Dense_2"], back["Dense_2"] @ kernel.T, rtol=1e-5)


class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(x.shape[-1])
        return layer(layer(x))


@pytest.mark.slow
def test_a_layer_that_is_called_twice_has_two_values_and_two_gradients():
    x = jnp.ones((2, 3))
    variables = Twice().init(KEY, x)
    values = probes.layer_values(Twice(), variables, x)
    back = probes.layer_gradients(jnp.sum, Twice(), variables, x)
    assert list(values) == list(back) == ["Dense_0#0", "Dense_0#1"]
    kernel = jnp.asarray(variables["params"]["Dense_0"]["kernel"])
    chex.assert_trees_all_close(values["Dense_0#1"], values["Dense_0#0"] @ kernel, rtol=1e-5)
    chex.assert_trees_all_close(back["Dense_0#0"], back["Dense_0#1"] @ kernel.T, rtol=1e-5)


@pytest.mark.slow
def test_both_map_over_seeds():
    net = models.MLP((5, 3))
    rows = X.reshape(6, -1)

    def one(key):
        variables = net.init(key, rows, train=False)
        place = {"train": False, "at": "input"}
        values = probes.layer_values(net, variables, rows, **place)
        return values, probes.layer_gradients(jnp.sum, net, variables, rows, **place)

    keys = jax.random.split(KEY, 3)
    got = jax.jit(jax.vmap(one))(keys)
    alone = jax.jit(one)
    for i in range(3):
        chex.assert_trees_all_close(
            jax.tree.map(lambda x, i=i: x[i], got), alone(keys[i]), rtol=1e-4, atol=1e-6
        )


@pytest.mark.slow
def test_dead_units_are_those_that_no_example_of_the_set_switches_on():
    """A unit that only the last, ragged batch switches on lives."""
    net = models.MLP((4, 2))
    x = np.full((7, 2), 1.0, np.float32)
    x[6] = [1.0, 50.0]
    kernel = jnp.array([[1.0, -1.0, -1.0, 0.0], [0.0, 0.0, 0.1, 0.0]])
    variables = variables_of(net, x)
    variables["params"]["Dense_0"] = {"kernel": kernel, "bias": jnp.zeros(4)}
    x = jnp.asarray(x)
    for at, name in (("output", "Dense_0"), ("input", "Dense_1")):
        for batch_size in (3, 7, 20):
            dead = jax.jit(
                lambda x, at=at, size=batch_size: probes.dead_units(
                    net, variables, x, size, at=at, train=False
                )
            )(x)
            assert dead[name].tolist() == [False, True, False, True]
    few = probes.dead_units(net, variables, x[:6], 3, train=False)
    assert few["Dense_0"].tolist() == [False, True, True, True]


@pytest.mark.slow
def test_a_unit_that_is_nan_is_not_dead():
    net, x = models.MLP((3, 2)), jnp.full((4, 2), jnp.nan)
    dead = probes.dead_units(net, variables_of(net, x), x, 2, train=False)
    assert not any(jnp.any(units) for units in dead.values())


@pytest.mark.slow
def test_a_channel_is_alive_where_it_is_alive_anywhere():
    net = nn.Sequential([nn.Conv(2, (1, 1))])
    x = jnp.zeros((3, 4, 4, 1)).at[2, 3, 0].set(1.0)
    params = {"layers_0": {"kernel": jnp.array([[[[1.0, -1.0]]]]), "bias": jnp.zeros(2)}}
    dead = probes.dead_units(net, {"params": params}, x, 2)
    assert dead["layers_0"].tolist() == [False, True]


@pytest.mark.slow
def test_bad_input_is_named():
    net, rows = models.MLP((5, 3)), X.reshape(6, -1)
    variables = variables_of(net, rows)
    with untyped():
        with pytest.raises(ValueError, match="at must be one of 'input', 'output', got 'inside'"):
            probes.layer_values(net, variables, rows, at="inside", train=False)
        with pytest.raises(ValueError, match="must have a layer of .*Conv.*classes .*'Dense'"):
            probes.layer_values(net, variables, rows, layers=nn.Conv, train=False)
        for layers in ("Dense", [nn.Dense], nn.Dense(2), None):
            with pytest.raises(TypeError, match="layers must be a class of Flax modules or a"):
                probes.layer_values(net, variables, rows, layers=layers, train=False)
        with pytest.raises(TypeError, match="loss must return a scalar, got an array"):
            probes.layer_gradients(jnp.tanh, net, variables, rows, train=False)
        with pytest.raises(TypeError, match="examples must be an array .*, got a dict with"):
            probes.dead_units(net, variables, {"image": rows}, 2, train=False)
        with pytest.raises(TypeError, match="model must be a flax.linen Module, .* got"):
            probes.layer_values(net.apply, variables, rows)
        with pytest.raises(TypeError, match="model must be a flax.linen Module, .* Linear"):
            probes.dead_units(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), variables, rows, 2)
        with pytest.raises(TypeError, match="loss must be a function, got 1.0"):
            probes.layer_gradients(1.0, net, variables, rows, train=False)
        with pytest.raises(ValueError, match="batch_size must be at least 1, got 0"):
            probes.dead_units(net, variables, rows, 0, train=False)
        with pytest.raises(ValueError, match=r"examples must be .* got the shape \(0, 32\)"):
            probes.dead_units(net, variables, rows[:0], 2, train=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    "init, per_layer",
    [
        (initializers.xavier(), 1.0),
        (initializers.lecun(3**-0.5, distribution="uniform"), 1 / 3),
    ],
)
def test_gradients_of_linear_networks_are_those_of_glorot_and_bengio(init, per_layer):
    """Their section 4.2: the variance is kept by the normalised initialisation, and shrinks to a
    third a layer, forward and back, for the usual U(+-1/sqrt(n))."""
    net = models.deep_mlp(5, width=400, activation=jax.nn.identity, kernel_init=init, classes=400)
    x = jax.random.normal(KEY, (100, 400))

    @jax.jit
    def variances(key):
        variables = net.init(key, x, train=False)
        place = {"at": "input", "layers": nn.Dense, "train": False}
        back = jax.random.normal(jax.random.key(3), x.shape)
        values = probes.layer_values(net, variables, x, **place)
        gradients = probes.layer_gradients(lambda y: jnp.sum(y * back), net, variables, x, **place)
        return [jnp.stack([jnp.var(a) for a in some.values()]) for some in (values, gradients)]

    forward, backward = variances(jax.random.key(2))
    np.testing.assert_allclose(forward[1:] / forward[:-1], per_layer, rtol=0.1)
    np.testing.assert_allclose(backward[:-1] / backward[1:], per_layer, rtol=0.1)
