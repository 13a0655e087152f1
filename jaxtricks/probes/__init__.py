"""Measurements of a network: values and gradients of its layers, dead units, loss curvature."""

from jaxtricks.probes._dead_units import dead_units as dead_units
from jaxtricks.probes._filter_normalized import filter_normalized as filter_normalized
from jaxtricks.probes._hessian_eigenvalues import hessian_eigenvalues as hessian_eigenvalues
from jaxtricks.probes._hessian_trace import hessian_trace as hessian_trace
from jaxtricks.probes._layer_gradients import layer_gradients as layer_gradients
from jaxtricks.probes._layer_values import layer_values as layer_values
from jaxtricks.probes._loss_slice import loss_slice as loss_slice
from jaxtricks.probes._statistics import Statistics as Statistics
from jaxtricks.probes._statistics import statistics as statistics

__all__ = [name for name in dir() if not name.startswith("_")]  # for help()
