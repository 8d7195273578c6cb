#!/bin/bash
# The same in combined mode, with two workers.
# workers: 2
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
INTERWORKING=combined
scenario_b
