"""Importing the library loads neither plotting nor data packages."""

import subprocess
import sys

CODE = """
import sys, pkgutil, importlib, jaxtricks
for room in pkgutil.iter_modules(jaxtricks.__path__):
    importlib.import_module(f"jaxtricks.{room.name}")
heavy = {"matplotlib", "tensorflow", "tensorflow_datasets", "sklearn", "PIL"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""


def test_no_room_imports_a_heavy_package(request):
    done = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, cwd=request.config.rootpath
    )
    assert done.returncode == 0, done.stderr
