# shellcheck shell=bash
# strongSwan in namespaces of the guest, as docs/operation.md configures it. Sourced by the case that needs it.

IKE_PLUGINS="random nonce aes sha1 sha2 hmac kdf gmp pem pkcs1 pubkey x509 constraints kernel-netlink socket-default vici"

swan() { guest "STRONGSWAN_CONF=$RUN/$1.strongswan /usr/sbin/swanctl $2 --uri unix://$RUN/$1.vici ${*:3}"; } # swan namespace --command ...

ike_start() { # ike_start namespace id address peer-id peer-address
    put "$RUN/$1.strongswan" <<END
charon-systemd {
    load = $IKE_PLUGINS
    plugins { vici { socket = unix://$RUN/$1.vici } }
    filelog {
        run {
            path = $RUN/$1.charon
            default = 1
        }
    }
}
swanctl { load = random pem pkcs1 x509 }
END
    put "$RUN/$1.swanctl" <<END
connections {
  peer {
    version = 2
    local_addrs = $3
    remote_addrs = $5
    proposals = aes128-sha256-modp2048
    local { auth = psk
            id = $2 }
    remote { auth = psk
             id = $4 }
    children {
      signaling {
        mode = transport
        local_ts = dynamic[135]
        remote_ts = dynamic[135]
        esp_proposals = aes128-sha256
        start_action = trap
      }
    }
  }
}
secrets { ike-peer { id-1 = $2
                     id-2 = $4
                     secret = "only of this laboratory" } }
END
    guest "STRONGSWAN_CONF=$RUN/$1.strongswan ip netns exec $1 /usr/sbin/charon-systemd >$RUN/$1.log 2>&1 &"
    eventually "charon of $1 takes its configuration" swan "$1" --load-all --file "$RUN/$1.swanctl"
}
