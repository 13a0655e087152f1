"""A search that optuna and pandas open."""

import math
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxtricks import tuning

SPACE = {
    "rule": {"rate": tuning.log_uniform(1e-3, 1.0)},
    "layers": tuning.integers(1, 4),
    "decay": tuning.choice((0.0, 0.1)),
    "activation": tuning.choice((jax.nn.relu, jnp.tanh, None, "linear")),
}


def run(key, trial, position, epochs):
    """The rate decides; above a half it diverges."""
    begun = jnp.zeros(()) if position is None else position
    idle = 0 * (trial["layers"] + trial["decay"])
    rate = trial["rule"]["rate"] + idle
    losses = (jnp.log10(rate) + 2) ** 2 / (1 + begun + jnp.arange(epochs))
    losses = jnp.where(rate > 0.5, jnp.nan, losses)
    return {"loss": losses, "accuracy": -losses[-1]}, begun + epochs


@pytest.fixture(scope="module")
def found():
    key = jax.random.key(0)
    return tuning.search(key, run, SPACE, 30, rungs=(1, 3), progress=False)


def study_of(file, name="search"):
    optuna = pytest.importorskip("optuna")
    from optuna.storages.journal import JournalFileBackend

    storage = optuna.storages.JournalStorage(JournalFileBackend(str(file)))
    return optuna.load_study(study_name=name, storage=storage)


@pytest.mark.slow
def test_optuna_reads_every_trial(found, tmp_path):
    tuning.export_study(found, SPACE, tmp_path / "study.log")
    study, table = study_of(tmp_path / "study.log"), found.table
    assert len(study.trials) == 30
    assert study.best_trial.number == tuning.best(found).trial
    for i, trial in enumerate(study.trials):
        assert trial.params["rule.rate"] == pytest.approx(table["rule.rate"][i])
        assert trial.params["layers"] == table["layers"][i]
        assert trial.params["decay"] == table["decay"][i]
        name = table["activation"][i]
        assert trial.params["activation"] == getattr(name, "__qualname__", name)
        epochs = table["epochs"][i]
        assert trial.user_attrs["epochs"] == epochs
        if not math.isfinite(table["loss"][i]):
            assert trial.state.name == "FAIL" and trial.value is None
            continue
        assert trial.state.name == ("COMPLETE" if epochs == 3 else "PRUNED")
        assert trial.value == table["loss"][i]
        curve = found.curves["loss"][i, :epochs].tolist()
        assert trial.intermediate_values == dict(enumerate(curve, 1))
    rate = study.trials[0].distributions["rule.rate"]
    assert (rate.low, rate.high, rate.log) == (1e-3, 1.0, True)


@pytest.mark.slow
def test_optuna_finds_what_matters_and_goes_on(found, tmp_path):
    tuning.export_study(found, SPACE, tmp_path / "study.log", name="a", by="accuracy", largest=True)
    study = study_of(tmp_path / "study.log", "a")
    assert study.direction.name == "MAXIMIZE"
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importances = optuna.importance.get_param_importances(study)
        assert max(importances, key=lambda name: importances[name]) == "rule.rate"
        more = study.ask(study.trials[0].distributions)
        study.tell(more, 0.0)
    assert len(study.trials) == 31


def test_pandas_opens_the_table(found):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(found.table)
    assert frame.shape == (30, len(found.table))
    assert frame["loss"].idxmin() == np.nanargmin(found.table["loss"])
    assert frame.groupby("activation", dropna=False, sort=False).size().sum() == 30


def test_what_does_not_fit_is_named(found, tmp_path):
    file = tmp_path / "study.log"
    for change, message in (
        ({"by": "no"}, "by must be a column"),
        ({"by": "activation"}, "by must be a column"),
        ({"space": {"other": tuning.uniform(0, 1)}}, "its table has no column 'other'"),
        ({"space": {"layers": tuning.uniform(0, 1)}}, "as 'layers'"),
    ):
        with pytest.raises(ValueError, match=message):
            tuning.export_study(found, **{"space": SPACE, "file": file, **change})
        assert not file.exists()
    file.touch()
    with pytest.raises(FileExistsError):
        tuning.export_study(found, SPACE, file)
