"""Run in a process of its own: every rule on 1, 2 and 8 devices, sharded and under `pmap`."""

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

import chex  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402
from jax.sharding import Mesh, NamedSharding, PartitionSpec  # noqa: E402

from tests.cases.transforms import TRANSFORMS  # noqa: E402

STEPS = 3
PARAMS = {"Dense_0": {"kernel": jnp.linspace(-1, 1, 16).reshape(8, 2)}}


def run_all(params):
    """The parameters after a few updates of every rule, in one program."""
    rules = {
        name: case.make(**case.static, **{key: pair[0] for key, pair in case.hyper.items()})
        for name, case in TRANSFORMS.items()
    }

    def step(before, count):
        after = {}
        for name, (current, state) in before.items():
            gradients = jax.tree.map(lambda p: p * (1 + count) + 0.1, current)
            extra = TRANSFORMS[name].extra
            updates, state = rules[name].update(gradients, state, current, **extra)
            after[name] = optax.apply_updates(current, updates), state
        return after, None

    starts = {name: (params, tx.init(params)) for name, tx in rules.items()}
    ends, _ = jax.lax.scan(step, starts, jnp.arange(STEPS))
    return {name: end for name, (end, _) in ends.items()}


def main():
    want = jax.jit(run_all)(PARAMS)
    for devices in (2, 8):
        sharding = NamedSharding(Mesh(jax.devices()[:devices], ("data",)), PartitionSpec("data"))
        got = jax.block_until_ready(jax.jit(run_all)(jax.device_put(PARAMS, sharding)))
        chex.assert_trees_all_close(jax.device_get(got), want, rtol=1e-5, atol=1e-7)
        copies = jax.tree.map(lambda p, n=devices: jnp.stack([p] * n), PARAMS)
        mapped = jax.block_until_ready(jax.pmap(run_all, devices=jax.devices()[:devices])(copies))
        for device in range(devices):
            one = jax.tree.map(lambda p, d=device: p[d], jax.device_get(mapped))
            chex.assert_trees_all_close(one, want, rtol=1e-5, atol=1e-7)
    print(f"{len(want)} rules agree")


if __name__ == "__main__":
    main()
