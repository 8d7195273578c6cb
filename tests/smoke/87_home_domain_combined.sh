#!/bin/bash
# The same with one binding of both protocols (section 4.3 of the draft before RFC 6612).
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
INTERWORKING=combined
scenario_a2
