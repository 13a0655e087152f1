"""Run in a process of its own: the step on 1, 2 and 8 devices, sharded and under `pmap`."""

import functools

import jax

if __name__ == "__main__":  # not when tests are collected
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", 8)

import chex  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from jaxtricks import optimizers, training  # noqa: E402
from jaxtricks.data import epoch_order  # noqa: E402
from tests.training.nets import Net, examples, start  # noqa: E402

KEY = jax.random.key(5)
BATCH = {**examples(32), "weight": np.linspace(0, 2, 32, dtype=np.float32)}
TX = optimizers.momentum(0.1, decay=0.9)


def shifted(key, batch):
    """The images with noise: the same draws on any number of devices."""
    noise = jax.random.normal(key, batch["image"].shape)
    return {**batch, "image": batch["image"] + 0.1 * noise}


def three_steps(compile_step, axis_name=None, rate=0.0, accumulate=1):
    """Parameters, statistics and metrics after three steps, and how far the first one went."""
    net = Net(rate=rate, batch_norm=True, axis_name=axis_name)
    trainer, state = start(
        net,
        TX,
        penalty=lambda p: 0.01 * jnp.sum(p["Dense_0"]["kernel"] ** 2),
        axis_name=axis_name,
        augment=shifted if rate else None,
        accumulate=accumulate,
    )
    step, params = compile_step(trainer), [jax.device_get(state.params)]
    for _ in range(3):
        state, metrics = step(state, BATCH, KEY)
        params.append(jax.device_get(state.params))
    first = jax.tree.map(lambda before, after: before - after, *params[:2])
    return jax.device_get((training.variables(state), metrics)), first


def check(got, want):
    """The same numbers, and a first step as long: no gradient is summed or averaged twice."""
    chex.assert_trees_all_close(got[0], want[0], rtol=1e-5, atol=1e-6)
    ratios = jax.tree.map(lambda g, w: np.vdot(g, w) / np.vdot(w, w), got[1], want[1])
    for ratio in jax.tree.leaves(ratios):
        assert abs(ratio - 1) < 1e-4, ratios


def main():
    want = three_steps(training.jit_step, rate=0.5)
    for count in (1, 2, 8):
        sharding = training.data_sharding(jax.devices()[:count])
        got = three_steps(lambda t, sharding=sharding: training.shard_step(t, sharding), rate=0.5)
        check(got, want)
    want = three_steps(training.jit_step, rate=0.5, accumulate=2)
    sharding = training.data_sharding()
    check(three_steps(lambda t: training.shard_step(t, sharding), rate=0.5, accumulate=2), want)
    want = three_steps(training.jit_step)
    for count in (1, 2, 8):
        devices = jax.devices()[:count]
        check(three_steps(lambda s, d=devices: training.pmap_step(s, devices=d), "devices"), want)
    sharded_epoch()
    print("all agree")


def sharded_epoch():
    """A scan over divided batches equals the one-device epoch, masks included."""
    trainer, state = start(Net(rate=0.5, batch_norm=True), TX, augment=shifted)
    data, order = examples(40), epoch_order(KEY, 40, 16, remainder="weight")
    epoch = functools.partial(training.train_epoch, trainer)
    want = jax.jit(epoch)(state, data, order, key=KEY)
    sharding = training.data_sharding()
    everywhere = jax.device_put((state, data, order), training.replicated(sharding))
    sharded = jax.jit(functools.partial(epoch, sharding=sharding))
    got = jax.block_until_ready(sharded(*everywhere, key=KEY))
    chex.assert_trees_all_close(jax.device_get(got), jax.device_get(want), rtol=1e-5, atol=1e-6)


if __name__ == "__main__":
    main()
