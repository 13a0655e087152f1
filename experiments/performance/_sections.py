"""The sections of the page of measured costs, each from one record whose strings are escaped."""

from collections.abc import Iterable
from typing import Any

from experiments import markup

ABOUT_RULES = """\
One update of a ResNet-50-shaped tree ({leaves} leaves, {floats:,} floats), parameters and state
donated; medians of {rounds} rounds in which all take turns, in milliseconds. The *floor* is a
program with the same reads and writes and next to no arithmetic; *torch* is PyTorch's fused
optimizer, its grouped one for RMSProp and AdaDelta; *copy* copies the parameters.
"""
ABOUT_RATIOS = """\
Ratios are formed within a round, above 1 where ours is faster, with their quartiles; those of *CPU*
time hardly see what else the machine was doing.
"""
ABOUT_TRAJECTORIES = """\
Adam on Beale's function, {rates} learning rates at once, {steps} steps: `surfaces.trajectory` under
`vmap`, against a compiled step called from Python. Both give the same points.
"""
ABOUT_REGULARIZERS = """\
Medians of {rounds} rounds in which all take turns, in milliseconds of CPU time. *Theirs* is Flax's
dropout, a dense layer without masks, Flax's max-pooling of 2 × 2 pixels to the same output, and
Adam alone on the parameters of ResNet-50. Ratios are formed within a round, with their quartiles; a
bound is met if these reach it.
"""


def middle(quartiles: list[float]) -> str:
    return f"{quartiles[1]:.3g}"


def ratio(quartiles: list[float]) -> str:
    low, median, high = quartiles
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    return "\n".join(markup.table(head, rows, numbers=True)) + "\n"


def made_on(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return f"On {record['device']}; {versions}; load at the start {record['load']}.\n"


def rules_section(record: dict[str, Any]) -> str:
    rules = record["rules"]
    rivals = [
        name
        for name in ("optax", "floor", "torch")
        if name in next(iter(rules.values()))["over_ours"]
    ]
    times = table(
        ("rule", "ours", *rivals, "copy", "GB/s (over the copy's)"),
        (
            (
                name,
                *(middle(result["milliseconds"][who]) for who in ("ours", *rivals, "copy")),
                f"{middle(result['gigabytes_per_second'])} ({middle(result['share_of_copy'])})",
            )
            for name, result in rules.items()
        ),
    )
    ratios = table(
        ("rule", *(f"{name} / ours" for name in rivals), *(f"{name}, CPU" for name in rivals)),
        (
            (
                name,
                *(ratio(result["over_ours"][who]) for who in rivals),
                *(middle(result["cpu_over_ours"][who]) for who in rivals),
            )
            for name, result in rules.items()
        ),
    )
    about = ABOUT_RULES.format(**record)
    about = f"{about}\n{times}\n{ABOUT_RATIOS}\n{ratios}"
    return f"## Update rules\n\n{about}\n{made_on(record)}"


def trajectories_section(record: dict[str, Any]) -> str:
    rows = (
        (
            name,
            f"{record['compile_seconds'][key]:.2f}",
            middle(record["microseconds_per_step"][key]),
        )
        for name, key in (("one scan", "scan"), ("a loop in Python", "loop"))
    )
    head = ("", "seconds to trace and compile", "microseconds per step")
    about = ABOUT_TRAJECTORIES.format(**record)
    gain = f"Loop over scan, within a round: {ratio(record['loop_over_scan'])}.\n"
    return f"## Scanned trajectories\n\n{about}\n{table(head, rows)}\n{gain}\n{made_on(record)}"


def epochs_section(record: dict[str, Any]) -> str:
    rows = (
        (
            name,
            middle(seconds),
            ratio(record["over_ours"][name]) if name in record["over_ours"] else "",
        )
        for name, seconds in record["seconds"].items()
        if name != "product"
    )
    about = (
        "An epoch of the notes' network 784-256-128-64-32-10 (dropout, Adam, batches of 128) on "
        f"{record['examples']:,} images; {record['rounds']} rounds. *Seeds* are {record['seeds']} "
        f"seeds as one program on {record['devices']} devices, *one seed* one of them; *products "
        "alone* is a scan of the step's matrix products and nothing else.\n"
    )
    text = (
        f"The scan reaches {ratio(record['share_of_peak'])} of a large matrix product's "
        f"{middle(record['peak_gigaflops'])} Gflop/s. {record['seeds']} seeds cost "
        f"{ratio(record['seeds_over_one'])} times one.\n"
    )
    head = ("", "seconds", "over the scan")
    return f"## An epoch\n\n{about}\n{table(head, rows)}\n{text}\n{made_on(record)}"


def search_section(record: dict[str, Any]) -> str:
    ours = ("ours", middle(record["seconds"]["ours"]), "", "")
    rows = (
        (
            name,
            middle(record["seconds"][name]),
            ratio(over),
            ratio(record["over_first_call"][name]),
        )
        for name, over in record["over_ours"].items()
    )
    about = (
        f"{record['trials']} settings of rate and weight decay, {record['epochs']} epochs each, of "
        "a 64-128-128-10 network on digits (Adam, batches of 32), by `tuning.search` on "
        f"{record['devices']} devices of {record['cores']} cores. Its first call, tracing and "
        f"compilation included, took {record['first_call_seconds']:.2f} s. It takes "
        f"{ratio(record['search_over_population'])} of what `train_population` does "
        f"({record['overhead_rounds']} rounds), and the process had at most "
        + " and ".join(f"{m} MiB after {n} trials" for n, m in record["peak_mebibytes"].items())
        + ".\n"
    )
    head = ("", "seconds", "over ours", "over our first call")
    return f"## Random search\n\n{about}\n{table(head, (ours, *rows))}\n{made_on(record)}"


def conv_section(title: str, record: dict[str, Any]) -> str:
    rows = (
        (
            name,
            middle(record["milliseconds"][name]),
            middle(record["images_per_second"][name]),
            ratio(record["over_ours"][name]) if name != record["ours"] else "",
        )
        for name in record["milliseconds"]
    )
    about = (
        f"One step of ResNet-{record['depth']} of width {record['width']} on {record['batch']} "
        "images of 32 x 32 x 3; *patches* and *native* are the two algorithms of our convolution.\n"
    )
    head = ("", "milliseconds", "images per second", f"over {record['ours']}")
    return f"## {title}\n\n{about}\n{table(head, rows)}\n{made_on(record)}"


def streams_section(record: dict[str, Any]) -> str:
    rows = (
        (
            way,
            f"{found['images_per_second'][1]:,.0f}",
            str(found["peak_host_megabytes"]),
            str(found["peak_device_megabytes"] or ""),
        )
        for way, found in record["ways"].items()
    )
    about = (
        f"An epoch of batches of {record['batch']} of {record['data_set']}, without training: on "
        "the device in a scan, on the host by NumPy, through `data.stream`, and through it from "
        "files.\n"
    )
    head = ("", "images per second", "peak host MB", "peak device MB")
    return f"## Reading\n\n{about}\n{table(head, rows)}\n{made_on(record)}"


def regularizers_section(record: dict[str, Any]) -> str:
    rows = (
        (
            f"{row['part']}: {row['case']}, {row['way']}",
            *(middle(times) for times in row["cpu_milliseconds"]),
            ratio(row["cpu_ratio"]),
            f"{row['bound']}",
            "yes" if row["met"] else "**no**",
        )
        for row in record["rows"]
    )
    head = ("", "ours", "theirs", "ours / theirs", "at most", "met")
    about = ABOUT_REGULARIZERS.format(**record)
    return f"## Regularisers\n\n{about}\n{table(head, rows)}\n{made_on(record)}"


def imports_section(record: dict[str, Any]) -> str:
    added, theirs = (record["seconds"][name] for name in ("added", "theirs"))
    text = (
        f"`import jaxtricks` adds {added[1]:.3f} s ({added[0]:.3f} to {added[2]:.3f}) to the "
        f"{theirs[1]:.2f} s of jax, flax and optax; {record['rounds']} fresh processes.\n"
    )
    return f"## Import\n\n{text}\n{made_on(record)}"


def device_section(found: dict[str, Any]) -> str:
    """All that `experiments.performance.device` measured on one device."""
    rows = [(name, *device_row(record)) for name, record in found["records"].items()]
    rehearsal = "A rehearsal in tiny sizes, which says nothing about the device.\n\n"
    about = (
        "Quartiles of ratios formed within a round, in which all take turns; medians of what is "
        "done in a second. The *share of copy bandwidth* compares the bytes that an update reads "
        "and writes in a second with those of one large copy. *Seeds* train under `vmap`.\n"
    )
    text = about if found["sizes"] == "full" else rehearsal + about
    head = ("measurement", "ratios", "per second", "of what")
    made = made_on(next(iter(found["records"].values())))
    title = f"## All checks on {found['device']} ({found['platform']})"
    lines = "\n".join(markup.table(head, rows))
    return f"{title}\n\n{text}\n{lines}\n\n{made}"


def device_row(record: dict[str, Any]) -> tuple[str, str, str]:
    if record["status"] == "failed":
        return f"failed: {record['error']}", "", ""
    ratios = [f"{name} {ratio(found)}" for name, found in record["ratios"].items()]
    ratios += [f"{name} left out: {why}" for name, why in record["left_out"].items()]
    rates = [f"{name} {found[1]:,.4g}" for name, found in record["per_second"].items()]
    about = [f"{name} {value}" for name, value in record["about"].items()]
    return "; ".join(ratios), "; ".join(rates), "; ".join(about)
