"""Finds TRex's Python library in the installation that the environment variable TREX_HOME names."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
LIBRARY = "automation/trex_control_plane/interactive"  # below TREX_HOME


def find():
    """Makes `trex_stl_lib` and our profiles importable. Ends the program if there is no TRex."""
    sys.path.insert(0, str(HERE / "profiles"))
    home = os.environ.get("TREX_HOME")
    if home:
        sys.path.insert(0, str(pathlib.Path(home, LIBRARY)))
    try:
        import trex_stl_lib.api as api
    except ImportError as error:
        where = f"{home}/{LIBRARY}" if home else "TREX_HOME is not set, and Python's path"
        sys.exit(f"error: no TRex library: {where}: {error}\nperf/trex/README.md says how to install TRex")
    return api
