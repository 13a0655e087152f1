"""What the tables of measured costs found, in one sentence for each record."""

from collections.abc import Callable
from typing import Any

ALIKE = 0.05  # medians of ratios that differ less from 1 count as equal


def of_rules(record: dict[str, Any]) -> str:
    """Our update rules against optax's and PyTorch's; ratios are above 1 where ours is faster."""
    ratios = {name: found["over_ours"] for name, found in record["rules"].items()}
    optax = {name: found["optax"][1] for name, found in ratios.items()}
    faster = [name for name in optax if optax[name] > 1 + ALIKE]
    slower = [name for name in optax if optax[name] < 1 - ALIKE]
    text = (
        f"On {record['device']} {len(optax) - len(faster) - len(slower)} of {len(optax)} update "
        f"rules take as long as optax's, to {100 * ALIKE:.0f} %"
    )
    text += _named(faster, optax, "faster") + _named(slower, optax, "slower")
    torch = [found["torch"][1] for found in ratios.values() if "torch" in found]
    if torch:
        cpu = [found["cpu_over_ours"]["torch"][1] for found in record["rules"].values()]
        text += (
            f"; PyTorch's take {min(torch):.2f} to {max(torch):.2f} times as long as ours, and "
            f"{min(cpu):.2f} to {max(cpu):.2f} times the CPU time"
        )
    return text + "."


def _named(names: list[str], ratios: dict[str, float], word: str) -> str:
    told = ", ".join(f"{name} (optax takes {ratios[name]:.2f} times as long)" for name in names)
    return f"; {word}: {told}" if told else ""


def of_regularizers(record: dict[str, Any]) -> str:
    """How many of the bounds on the cost of regularisers hold, and which do not."""
    missed = [
        f"{row['case']} ({row['cpu_ratio'][1]:.2f}, where {row['bound']} is allowed)"
        for row in record["rows"]
        if not row["met"]
    ]
    count = len(record["rows"])
    text = f"Regularisers keep {count - len(missed)} of {count} bounds on their cost"
    return text + (f", but not {', '.join(missed)}." if missed else ".")


def of_epochs(record: dict[str, Any]) -> str:
    """The scan against the other ways to train a fully connected network."""
    loop, torch = record["over_ours"].get("host loop"), _torch(record)
    others = [f"a loop in Python takes {loop[1]:.1f} times as long"] if loop else []
    others += [f"PyTorch {torch:.1f} times"] if torch else []
    found = record["seconds"]["scan"][1]
    text = f"An epoch of a fully connected network as one scan takes {found:.1f} s"
    return "; ".join([text, " and ".join(others)] if others else [text]) + "."


def of_search(record: dict[str, Any]) -> str:
    """The search as one program against the same trials one by one."""
    others = [f"{over[1]:.1f} times ({name})" for name, over in record["over_ours"].items()]
    text = f"A search of {record['trials']} trials as one program takes "
    text += f"{record['seconds']['ours'][1]:.1f} s"
    return f"{text}; one by one they take {', '.join(others)} as long." if others else f"{text}."


def of_convolutions(record: dict[str, Any]) -> str:
    """The convolutional step against PyTorch's."""
    ours = record["milliseconds"][record["ours"]][1]
    text = f"A step of ResNet-{record['depth']} takes {ours:,.0f} ms"
    torch = _torch(record)
    if torch is None:
        return f"{text}."
    who = "is faster" if torch < 1 - ALIKE else "is slower" if torch > 1 + ALIKE else "is as fast"
    return f"{text}; PyTorch {who}, with {torch:.2f} times our time."


def of_imports(record: dict[str, Any]) -> str:
    """What the import costs."""
    added, theirs = (record["seconds"][name][1] for name in ("added", "theirs"))
    return f"Importing jaxtricks adds {added:.2f} s to the {theirs:.2f} s of what it imports."


def _torch(record: dict[str, Any]) -> float | None:
    """PyTorch's time over ours, with the number of threads that is best for it."""
    found = [over[1] for name, over in record["over_ours"].items() if name.startswith("torch")]
    return min(found) if found else None


FINDINGS: dict[str, Callable[[dict[str, Any]], str]] = {
    "update_rules": of_rules,
    "regularizers": of_regularizers,
    "epochs": of_epochs,
    "random_search": of_search,
    "conv_steps": of_convolutions,
    "imports": of_imports,
}
