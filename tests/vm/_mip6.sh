# shellcheck shell=bash
# A node of Mobile IPv6 that is Linux's, with mip6 and ip6_tunnel. What it sends from its home address gets a Home Address
# option, and what comes by a type 2 routing header is the home address's again: by XFRM states, as umip had them.
# Sourced by the cases that need it, after _home.sh.

mip6_states() { # mip6_states namespace peer care-of
    guest "ip -n $1 xfrm state add src $HOME_ADDRESS dst $2 proto hao mode ro coa $3 &&
        ip -n $1 xfrm state add src $2 dst $HOME_ADDRESS proto route2 mode ro coa $3"
}

# Of packets with this selector. Further templates by $template, for both directions.
mip6_policies() { # mip6_policies namespace peer [proto 135]
    guest "ip -n $1 xfrm policy add src $HOME_ADDRESS/128 dst $2/128 ${*:3} dir out
            tmpl src $HOME_ADDRESS dst $2 proto hao mode ro ${template:-} &&
        ip -n $1 xfrm policy add src $2/128 dst $HOME_ADDRESS/128 ${*:3} dir in ${template:-}
            tmpl src $2 dst $HOME_ADDRESS proto route2 mode ro"
}

# The message of an update, as its options are without a kernel.
update_of() { # update_of care-of seq [argument of bu.py ...]
    tests/lab/bu.py --message --home $HOME_ADDRESS --agent $LMA --care-of "$1" --seq "$2" --mn-id "$MN_ID" "${@:3}"
}

# Sent from the home address; the answer's status. A raw socket, whose kernel fills in and verifies checksums.
exchange() { # exchange namespace message
    local answer
    answer=$(guest "ip netns exec $1 python3 -I -S /exchange.py mh $HOME_ADDRESS $LMA $2") || return
    echo $((16#${answer:12:2}))
}
