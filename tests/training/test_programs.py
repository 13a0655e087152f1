"""How often `fit` compiles and traces: what a user waits for before the first epoch."""

import jax
import pytest

from jaxtricks import control, models, optimizers, training
from tests.training.small_run import BATCH, examples

COMPILED = "/jax/core/compile/backend_compile_duration"
KEY = jax.random.key(0)
TRAIN, VALIDATION = examples(40, 0), examples(20, 1)


@pytest.fixture
def compiled():
    """The programs that were compiled, or read from the cache, since the test began."""
    found = []

    def listen(event, duration, **attributes):
        del duration
        if event == COMPILED:
            found.append(attributes)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield found
    jax.monitoring.unregister_event_duration_listener(listen)


def counting(loss, traces):
    """Notes each trace of the loss in training."""

    def counted(params, model_state, batch, keys, *, train):
        traces.append(train)
        return loss(params, model_state, batch, keys, train=train)

    return counted


@pytest.mark.slow
@pytest.mark.parametrize("loop, most", [(None, 6), ("host", 16)])
def test_a_run_compiles_few_programs_and_traces_its_step_twice(compiled, loop, most):
    traces = []
    model = models.MLP((16, 3), dropout_rates=0.2, block=models.batch_norm_block)
    loss = counting(training.classification_loss(model), traces)
    trainer = training.trainer(loss, optimizers.adam(1e-2))
    init = jax.jit(lambda key, x: model.init(key, x, train=False))
    image, rules = (
        jax.numpy.zeros((1, 4, 4, 1)),
        {
            "plateau": control.plateau(),
            "stopping": control.early_stopping(3),
        },
    )
    variables = init(KEY, image)
    del compiled[:]
    state = trainer.init(variables)
    assert len(compiled) == 1
    del compiled[:]
    options = {"key": KEY, "epochs": 2, "batch_size": BATCH, "loop": loop, **rules}
    training.fit(trainer, state, TRAIN, VALIDATION, **options)
    assert 0 < len(compiled) <= most, [one["fun_name"] for one in compiled]
    if loop is None:
        del compiled[:]
        training.fit(trainer, state, TRAIN, VALIDATION, **options)
        assert compiled == []  # the same trainer and rules: nothing new
    assert traces.count(True) <= 2
