"""Run in a process of its own: a search on 1, 2 and 8 devices, bit for bit."""

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)

import chex  # noqa: E402

from tests.tuning.processes import find  # noqa: E402


def main():
    for rungs in (None, (1, 3, 7)):
        one, *others = (find(rungs, None, devices=jax.devices()[:n]) for n in (1, 2, 8))
        for found in others:
            chex.assert_trees_all_equal(found.table, one.table)
            chex.assert_trees_all_equal(found.curves, one.curves)
    print("one table")


if __name__ == "__main__":
    main()
