#!/bin/bash
# RFC 6612, scenario A.2: the home link is a domain of Proxy Mobile IPv6. The node leaves it, visits another such domain
# and returns; two bindings of it stand beside each other.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
scenario_a2
