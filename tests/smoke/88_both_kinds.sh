#!/bin/bash
# RFC 6612, scenario B: a node that moves itself and one that the network moves, at one anchor and with each other.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
scenario_b
