"""The first loss is ln C with weights near 0 and larger with large ones."""

import jax
import numpy as np
import pytest

from experiments.tuning import is_the_first_loss_log_c as script


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 10])
def test_the_loss_is_ln_c_near_0_and_larger_with_large_weights(classes):
    config = script.Config(scales=(1e-6, 1e-3, 1.0), classes=(classes,))
    images = np.asarray(jax.random.uniform(jax.random.key(0), (200, 8, 8, 1)))
    zero, small, large = script.first_losses((), classes, images, config)
    assert zero == pytest.approx(np.log(classes), abs=1e-4)
    assert abs(small - np.log(classes)) < abs(large - np.log(classes))
    assert large > np.log(classes) + 1
