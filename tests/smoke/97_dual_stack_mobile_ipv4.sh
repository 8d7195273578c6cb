#!/bin/bash
# A dual-stack node of Mobile IPv4 moves between networks of IPv4 while streams of both families run.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario4.sh
scenario_dsmip4
