"""A stream gives the batches of examples in memory, whatever reads them and wherever it begins."""

import threading

import jax
import numpy as np
import pytest

from jaxtricks import data

KEY = jax.random.key(3)
OPTIONS = {"key": KEY, "batch_size": 16, "epochs": 3}
STEPS = 4


@pytest.fixture
def source(tiny):
    return data.TfdsSource("tiny", "train", data_dir=tiny)


@pytest.fixture
def in_memory(tiny):
    return data.load("tiny", data_dir=tiny, validation=0, cache=False).train


def by_hand(examples, order="reshuffle"):
    """The batches of the training loop on arrays in memory."""
    for epoch in range(OPTIONS["epochs"]):
        key = jax.random.fold_in(KEY, epoch)
        places = data.epoch_order(key, 60, 16, order=order, remainder="weight")
        for indices, weights in zip(*jax.device_get(places), strict=True):
            yield {**{k: v[indices] for k, v in examples.items()}, "weight": weights}


def assert_same(left, right):
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert a[name].dtype == b[name].dtype and np.array_equal(a[name], b[name])


@pytest.mark.slow
@pytest.mark.parametrize("order", ["reshuffle", "cyclic", "with_replacement"])
def test_equals_arrays_in_memory(source, in_memory, order):
    want = list(by_hand(in_memory, order))
    assert len(want) == 3 * STEPS
    assert_same(data.stream(source, order=order, **OPTIONS), want)
    assert_same(data.stream(in_memory, order=order, **OPTIONS), want)


@pytest.mark.slow
@pytest.mark.parametrize("threads, ahead", [(1, 1), (8, 8), (3, 50)])
def test_threads_do_not_matter(source, in_memory, threads, ahead):
    got = data.stream(source, threads=threads, ahead=ahead, **OPTIONS)
    assert_same(got, list(by_hand(in_memory)))


def test_every_example_counts_once_in_each_epoch(source):
    batches = list(data.stream(source, **OPTIONS))
    for epoch in range(3):
        part = batches[epoch * STEPS : (epoch + 1) * STEPS]
        numbers = np.concatenate([batch["image"][:, 0, 0, 0] for batch in part])
        weights = np.concatenate([batch["weight"] for batch in part])
        assert np.bincount(numbers, weights).tolist() == [1.0] * 60


class Counting:
    """Remembers what was asked for."""

    def __init__(self):
        self.asked = []

    def __len__(self):
        return 60

    def __getitem__(self, indices):
        self.asked.append(np.array(indices))
        return {"label": np.array(indices)}


@pytest.mark.parametrize("first_step", [0, 1, 3, 4, 7, 11, 12, 99])
def test_goes_on_from_a_step_without_reading_what_came_before(first_step):
    whole = list(data.stream(Counting(), **OPTIONS))
    source = Counting()
    rest = list(data.stream(source, first_step=first_step, **OPTIONS))
    assert_same(rest, whole[first_step:])
    assert len(source.asked) == max(0, 12 - first_step)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_processes_read_only_their_rows(count):
    want = list(data.stream(Counting(), **OPTIONS))
    sources = [Counting() for _ in range(count)]
    parts = [
        list(data.stream(source, process_index=i, process_count=count, **OPTIONS))
        for i, source in enumerate(sources)
    ]
    joined = [
        {name: np.concatenate([rows[name] for rows in batch]) for name in batch[0]}
        for batch in zip(*parts, strict=True)
    ]
    assert_same(joined, want)
    assert all(len(asked) == 16 // count for source in sources for asked in source.asked)


def test_the_processes_are_those_of_jax(monkeypatch):
    want = list(data.stream(Counting(), process_index=1, process_count=2, **OPTIONS))
    monkeypatch.setattr(jax, "process_index", lambda: 1)
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    assert_same(data.stream(Counting(), **OPTIONS), want)


def test_weights_of_the_examples_are_multiplied():
    examples = {"weight": np.array([2.0, 3.0, 5.0], np.float32)}
    batches = data.stream(examples, key=KEY, batch_size=2, epochs=1, order="cyclic")
    assert [batch["weight"].tolist() for batch in batches] == [[2, 3], [5, 0]]


def test_reading_stays_only_so_far_ahead():
    source = Counting()
    batches = data.stream(
        source, key=KEY, batch_size=1, epochs=1, threads=1, ahead=2, order="cyclic"
    )
    next(batches)
    batches.close()
    assert len(source.asked) <= 5


def test_abandoned_streams_end_their_threads():
    before = threading.active_count()
    for _ in range(5):
        batches = data.stream(Counting(), **OPTIONS)
        next(batches)
        batches.close()
    deadline = threading.Event()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        deadline.wait(0.02)
    assert threading.active_count() <= before


def test_errors_of_the_source_arrive():
    class Broken(Counting):
        def __getitem__(self, indices):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        next(data.stream(Broken(), **OPTIONS))


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"key": 0}, TypeError, "key must be a typed key"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
        ({"epochs": 1.0}, TypeError, "epochs must be an integer, got 1.0"),
        ({"first_step": -1}, ValueError, "first_step must be at least 0, got -1"),
        ({"threads": 0}, ValueError, "threads must be at least 1, got 0"),
        ({"ahead": 0}, ValueError, "ahead must be at least 1, got 0"),
        ({"ahead": 3, "threads": 4}, ValueError, "ahead must be at least the 4 threads, got 3"),
        ({"order": "random"}, ValueError, "order must be one of .*, got 'random'"),
        ({"process_count": 3}, ValueError, "multiple of process_count, 3, got 16"),
        ({"process_index": 1}, ValueError, "process_index must be under process_count, 1, got"),
        ({"examples": {}}, ValueError, "arrays of one length"),
        ({"examples": {"x": np.zeros(0)}}, ValueError, "examples must not be empty"),
        ({"examples": {"x": np.zeros(1), "y": np.ones(2)}}, ValueError, "of one length.*'y': 2"),
        ({"examples": np.zeros(3)}, TypeError, "examples must be a dict of arrays.*ndarray"),
        ({"examples": 3}, TypeError, "examples must be a dict of arrays.*int"),
    ],
)
def test_bad_stream_is_refused_at_once(changes, error, message, monkeypatch):
    import jaxtyping

    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(error, match=message):
        data.stream(**{"examples": Counting(), **OPTIONS, **changes})
