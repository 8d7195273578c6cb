#!/bin/bash
# The same where gateways' tunnels are of GRE with keys and, in the other domain, of UDP over IPv4 besides: answers to
# the node find their way, too.
. "$(dirname "$0")/_init.sh"
. tests/smoke/_scenario.sh
LAB_IPV4=true MAG_GRE=keys MAG3_LMA=$LMA_IPV4 MAG3_FORCE_UDP=true
scenario_a1
