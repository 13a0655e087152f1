"""Update rules against optax's and against the bandwidth of a large copy."""

from functools import partial

from experiments.performance._resnet50 import Shapes, random_tree, tree_bytes
from experiments.performance._rules import RULES
from experiments.performance.device._contest import Contest, Run
from experiments.performance.update_rules import COPY_MOVES, apply_rule, copying, on_jax


def update_rule(name: str, shapes: Shapes, copied_floats: int, calls: int) -> Contest:
    """Updates in flight together, `calls` of them, with parameters and state donated.

    The share of the copy compares bytes read and written in a second: parameters, gradients and
    moments by the rule, one large array by the copy.
    """
    rule, large = RULES[name], {"copied": (copied_floats,)}
    moved = rule.arrays_moved * tree_bytes(shapes) * calls
    copied = COPY_MOVES * tree_bytes(large) * calls

    def training(who: str) -> Run:
        tx = rule.ours() if who == "ours" else rule.optax()
        params = random_tree(shapes, 0)
        return on_jax(apply_rule(tx), (params, tx.init(params)), random_tree(shapes, 1), calls)

    return Contest(
        makers={
            "ours": partial(training, "ours"),
            "optax": partial(training, "optax"),
            "large copy": lambda: copying(random_tree(large, 0), calls),
        },
        ratios={
            "optax / ours": ("optax", "ours", 1.0),
            "share of copy bandwidth": ("large copy", "ours", moved / copied),
        },
        per_second={
            "gigabytes, ours": ("ours", 1e-9 * moved),
            "gigabytes, optax": ("optax", 1e-9 * moved),
            "gigabytes, copy": ("large copy", 1e-9 * copied),
        },
        about={
            "leaves": len(shapes),
            "floats": tree_bytes(shapes) // 4,
            "bytes of an update": moved // calls,
            "bytes of a copy": copied // calls,
            "calls": calls,
        },
        optional=("optax",),
    )
