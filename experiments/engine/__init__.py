"""What every experiment script shares: running, verdicts, one look for all figures, the ledger."""

from experiments.engine._animation import Animation as Animation
from experiments.engine._contour import draw_path as draw_path
from experiments.engine._contour import draw_surface as draw_surface
from experiments.engine._contour import surface_grid as surface_grid
from experiments.engine._script import Script as Script
from experiments.engine._script import find_scripts as find_scripts
from experiments.engine._style import COLOURS as COLOURS
from experiments.engine._style import LITERAL as LITERAL
from experiments.engine._style import RIGHT as RIGHT
from experiments.engine._style import band as band
from experiments.engine._style import figure as figure
from experiments.engine._style import method as method
from experiments.engine._tuning import Arm as Arm
from experiments.engine._tuning import Tuned as Tuned
from experiments.engine._tuning import repeat as repeat
from experiments.engine._tuning import tune as tune
from experiments.engine._verdict import Verdict as Verdict
from experiments.engine._verdict import combine as combine
from experiments.engine._verdict import exact as exact
from experiments.engine._verdict import interval as interval
from experiments.engine._verdict import paired as paired
