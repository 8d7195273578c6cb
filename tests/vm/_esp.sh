# shellcheck shell=bash
# anchord and two gateways inside the guest, whose kernel has ESP: what they say crosses the lab's switch.
# Sourced by the cases that need it.
#
#   guest                                                         switch (host)
#     gw1    (namespace): anchor-mag --- eth2 --- tap "guest2" ---+
#     gw2    (namespace): anchor-mag --- eth3 --- tap "guest3" ---+- transit --- mag2 (host): an intruder
#     anchor (namespace): anchord ------ eth1 --- tap "guest1" ---+
#
# $MAG1 and $MAG2 are gw1 and gw2 in here.

ESP_ADDRESSES=(2001:db8:a::21 2001:db8:a::22)
PATIENCE=60 # everything is in the emulated machine
ENC=000102030405060708090a0b0c0d0e0f                                    # AES-128
AUTH=202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f # HMAC-SHA-256

in_guest() { guest "ip netns exec $*"; } # in_guest namespace command ...

# anchorctl and anchor-mag talk to daemons of the guest.
ctl() { guest "anchorctl --socket $RUN/anchord.sock --json $*"; }
mag() { guest "anchor-mag $2 --socket $RUN/mag$1.sock ${*:3}"; }

put() { # put file: what stands on standard input
    guest "mkdir -p $RUN && echo $(base64 -w 0) | base64 -d >$1"
}

esp_lab() {
    MAG1=${ESP_ADDRESSES[0]} MAG2=${ESP_ADDRESSES[1]}
    MAG1_IPV4=192.0.2.21 MAG2_IPV4=192.0.2.22
    local n
    in_ns mag2 ip -6 neighbour flush all # another anchor had the address
    guest "rm -rf $RUN"                  # and kept its bindings
    for n in 1 2; do
        guest "ip netns add gw$n && ip link set eth$((n + 1)) netns gw$n name transit &&
            ip -n gw$n link set lo up && ip -n gw$n link set transit up && ip netns exec gw$n sysctl -qw net.ipv6.conf.all.accept_dad=0 &&
            ip -n gw$n address add ${ESP_ADDRESSES[n - 1]}/64 dev transit nodad &&
            ip -n gw$n address add 192.0.2.2$n/24 dev transit &&
            for m in 0 1; do ip -n gw$n link add access\$m type veth peer name node\$m &&
                ip -n gw$n link set node\$m up && ip -n gw$n link set access\$m up; done"
    done
    guest "ip netns add anchor && ip link set eth1 netns anchor name access-dpdk &&
        ip -n anchor link set lo up && ip -n anchor link add core-dpdk type veth peer name core-peer"
    for n in access-dpdk core-dpdk core-peer; do
        in_guest anchor "sysctl -qw net.ipv6.conf.$n.disable_ipv6=1 net.ipv4.conf.$n.rp_filter=1 net.ipv4.conf.$n.arp_ignore=1"
        guest ip -n anchor link set $n up
    done
}

case_down() {
    guest 'for p in $(ip netns pids anchor; ip netns pids gw1; ip netns pids gw2); do kill -9 $p; done; sleep 1;
        ip -n anchor link set access-dpdk netns 1 name eth1;
        ip -n gw1 link set transit netns 1 name eth2; ip -n gw2 link set transit netns 1 name eth3;
        for n in anchor gw1 gw2; do ip netns del $n; done' || true # not all was there
}

# The three daemons.
esp_start() {
    local n
    LAB_HUGEPAGES=false anchord_config | put "$RUN/anchord.toml"
    guest "mkdir -p $RUN/state"
    guest "ip netns exec anchor anchord --config $RUN/anchord.toml >$RUN/anchord.log 2>&1 &"
    eventually "anchord's control core answers" ctl port show
    for n in 1 2; do
        mag_config $n | put "$RUN/mag$n.toml"
        guest "ip netns exec gw$n anchor-mag run --config $RUN/mag$n.toml >$RUN/mag$n.log 2>&1 &"
        eventually "mag$n answers on its socket" mag $n show
    done
}

case_logs() { guest "tail -n 40 $RUN/*.log $RUN/*.charon" || true; }

# A security association by hand, one way. In every namespace that the arguments name. Of packets with $selector.
selector="proto 135"
sa() { # sa source destination spi authentication-key namespace ...
    local ns
    for ns in "${@:5}"; do
        guest "ip -n $ns xfrm state add src $1 dst $2 proto esp spi $3 reqid ${3:0:4} mode transport replay-window 32
            auth-trunc hmac'(sha256)' 0x$4 128 enc cbc'(aes)' 0x$ENC sel src $1 dst $2 $selector"
    done
}

policy() { # policy source destination reqid in|out namespace
    guest "ip -n $5 xfrm policy add src $1 dst $2 $selector dir $4 tmpl src $1 dst $2 proto esp reqid $3 mode transport"
}

# Both ways between a gateway and the anchor; the reqid is in the SPIs' first byte.
protect() { # protect 1
    local gw=${ESP_ADDRESSES[$1 - 1]}
    sa "$gw" $LMA 0x1${1}01 $AUTH anchor "gw$1"
    sa $LMA "$gw" 0x1${1}02 $AUTH anchor "gw$1"
    policy "$gw" $LMA 0x1$1 in anchor
    policy $LMA "$gw" 0x1$1 out anchor
    policy "$gw" $LMA 0x1$1 out "gw$1"
    policy $LMA "$gw" 0x1$1 in "gw$1"
}

# Keeps how often a kernel has refused something, and says whether it did so since.
xfrm_count() { # xfrm_count namespace XfrmInStateSeqError
    in_guest "$1" cat /proc/net/xfrm_stat | awk -v name="$2" '$1 == name { print $2 }'
}
xfrm_note() { noted=$(xfrm_count "$@"); }
xfrm_grew() { (($(xfrm_count "$@") > noted)); }

# What tshark reads of a capture once it has the keys.
decrypted() { # decrypted capture filter [field]
    local n gw uat=()
    for n in 1 2; do
        gw=${ESP_ADDRESSES[n - 1]}
        uat+=(-o "uat:esp_sa:\"IPv6\",\"$gw\",\"$LMA\",\"0x00001${n}01\",\"AES-CBC [RFC3602]\",\"0x$ENC\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$AUTH\"")
        uat+=(-o "uat:esp_sa:\"IPv6\",\"$LMA\",\"$gw\",\"0x00001${n}02\",\"AES-CBC [RFC3602]\",\"0x$ENC\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$AUTH\"")
    done
    tshark -n -r "$RUN/$1.pcap" -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE \
        "${uat[@]}" -Y "$2" -T fields -e "${3:-frame.number}" 2>/dev/null
}

# The same of mobile nodes, whatever addresses their packets have.
opened() { # opened capture filter [field]
    local spi uat=()
    for spi in 110{1..6} 120{1..6}; do
        uat+=(-o "uat:esp_sa:\"IPv6\",\"*\",\"*\",\"0x0000$spi\",\"AES-CBC [RFC3602]\",\"0x$ENC\",\"HMAC-SHA-256-128 [RFC4868]\",\"0x$AUTH\"")
    done
    tshark -n -r "$RUN/$1.pcap" -o esp.enable_encryption_decode:TRUE -o esp.enable_authentication_check:TRUE \
        "${uat[@]}" -Y "$2" -T fields -e "${3:-frame.number}" 2>/dev/null
}
opened_count() { opened "$@" | wc -l; }
