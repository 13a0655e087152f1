"""Schedules: pure functions of the update's number, counted from 0."""

from jaxtricks.schedules._constant import constant as constant
from jaxtricks.schedules._cosine_decay import cosine_decay as cosine_decay
from jaxtricks.schedules._schedule import ScalarOrSchedule as ScalarOrSchedule
from jaxtricks.schedules._schedule import Schedule as Schedule
from jaxtricks.schedules._schedule import value_at as value_at
