"""A learning rate for every weight: AdaGrad, RMSProp, AdaDelta and Adam."""
