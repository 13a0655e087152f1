"""What experiments that train share: images, training, and arms that are tuned and judged alike."""

from experiments.lab.images import Examples as Examples
from experiments.lab.images import Images as Images
from experiments.lab.images import read as read
from experiments.lab.images import split as split
from experiments.lab.images import subset as subset
from experiments.lab.race import Rule as Rule
from experiments.lab.race import best as best
from experiments.lab.race import held_back as held_back
from experiments.lab.race import over as over
from experiments.lab.race import racer as racer
from experiments.lab.race import tested as tested
from experiments.lab.race import tune as tune
from experiments.lab.recipes import Recipe as Recipe
from experiments.lab.recipes import large_fully_connected as large_fully_connected
from experiments.lab.recipes import small_data as small_data
from experiments.lab.starts import one_of as one_of
from experiments.lab.train import error_at_once as error_at_once
from experiments.lab.train import first_variables as first_variables
from experiments.lab.train import measure as measure
from experiments.lab.train import momentum_to_zero as momentum_to_zero
from experiments.lab.train import order_of as order_of
from experiments.lab.train import resume as resume
from experiments.lab.train import train as train
from experiments.lab.train import train_in_parts as train_in_parts
from experiments.lab.train import trainer as trainer
