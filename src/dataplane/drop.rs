//! Why a frame was discarded. Every discarded frame has exactly one reason, and every reason has a
//! counter and a test.

/// Declares a field-less enum whose variants carry a name for machines and a sentence for people.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal $describe:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[doc = $describe] $variant,)* }

        impl $name {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in metrics, CLI and documentation.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// What it means, in a sentence for operators.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $describe,)* }
            }
        }
    };
}
pub(super) use named_enum;

named_enum! {
    /// Why a frame was discarded.
    DropReason {
        FrameShort "frame_short" "Shorter than an Ethernet header, or than the IP header that it announces.",
        WrongMac "wrong_mac" "The destination MAC address is not the port's.",
        GroupMac "group_mac" "A unicast packet in a broadcast or multicast frame.",
        Vlan "vlan" "VLAN tagged, and the port has no such VLAN.",
        EtherType "ether_type" "Neither IPv6, IPv4 nor ARP.",
        IpVersion "ip_version" "The version field of an IPv6 frame is not 6, or of an IPv4 frame not 4.",
        Ipv4Header "ipv4_header" "The length fields of an IPv4 header, in a tunnel or not, contradict each other.",
        Ipv4Checksum "ipv4_checksum" "The checksum of an IPv4 header, in a tunnel or not, is wrong.",
        Truncated "truncated" "The packet is longer than the frame that carries it.",
        Segmented "segmented" "Headers or padding cannot be rewritten: the frame lies in several buffers, and fits no single one or there was none.",
        NoHeadroom "no_headroom" "The buffer has no room for the outer header.",
        SourceScope "source_scope" "The source address must not be forwarded: unspecified, loopback, link-local, multicast, or IPv4 in an IPv6 header.",
        DestinationScope "destination_scope" "The destination address must not be forwarded: unspecified, loopback, reserved, IPv4 in an IPv6 header, or from a node link-local or multicast.",
        NotAnchored "not_anchored" "A plain packet to an address that is neither in a pool nor ours; the anchor forwards no transit.",
        Unassigned "unassigned" "The address is in a pool, but no node holds it.",
        Held "held" "The binding waits for its deletion, or for the first keepalive of its node (RFC 3519 4.6).",
        HopLimit "hop_limit" "The hop limit or time to live ran out.",
        EncapLimit "encap_limit" "The packet's Tunnel Encapsulation Limit forbids another tunnel.",
        TunnelMtu "tunnel_mtu" "Larger than the tunnel's MTU; the sender was told, rate permitting.",
        TunnelFragment "tunnel_fragment" "Fits no tunnel packet although its sender may send it: IPv6 up to 1280 bytes, IPv4 without DF. It could not be fragmented: too many parts, or no buffer for them.",
        TunnelUnreachable "tunnel_unreachable" "No route to the gateway that serves the node.",
        NestedTunnel "nested_tunnel" "A third tunnel around the packet: its tunnel ends at a node, whose tunnel ends at a node.",
        TunnelLoop "tunnel_loop" "A tunnel packet to a node of Mobile IPv4 from that node's own care-of address, around a packet to the same node: it would come back for ever.",
        RoleTunnel "role_tunnel" "A tunnel packet on a port that is not an access port.",
        RoleSignaling "role_signaling" "A Mobility Header on a port that is not an access port.",
        OuterHeader "outer_header" "The extension headers of a packet to the anchor's address cannot be walked.",
        OuterOption "outer_option" "A packet to the anchor's address carries an option that must not be skipped.",
        OuterUdp "outer_udp" "The length of a tunnel packet's UDP header contradicts the packet's, or the UDP checksum is wrong.",
        TlvHeader "tlv_header" "The TLV-header of a tunnel packet is cut, contradicts the UDP length or announces no GRE.",
        GreHeader "gre_header" "The GRE header of a tunnel packet is cut, has a version or flags that are not known, or a wrong checksum.",
        OuterFragment "outer_fragment" "Put together from fragments, and a fragment again.",
        FragmentLength "fragment_length" "A fragment of a tunnel packet with a length or an offset that no fragment has; its sender was told, rate permitting.",
        FragmentOverlap "fragment_overlap" "A fragment of a tunnel packet that overlaps or contradicts another one, or one that is still to come of such a packet.",
        FragmentDuplicate "fragment_duplicate" "A fragment of a tunnel packet that was there already.",
        FragmentExcess "fragment_excess" "More fragments of one tunnel packet, or more bytes, than are put together.",
        TunnelError "tunnel_error" "An ICMP error about a tunnel packet of ours: taken note of, and passed on to the packet's sender where it concerns it, rate permitting.",
        TunnelErrorStray "tunnel_error_stray" "An ICMP error about a tunnel packet that was not sent so, or that says what cannot be.",
        SignalingFragment "signaling_fragment" "A fragment of a Mobility Header.",
        InnerVersion "inner_version" "The packet in the tunnel is neither IPv6 nor IPv4, or not the one that was announced.",
        InnerTruncated "inner_truncated" "The packet in the tunnel is longer than the tunnel packet.",
        InnerSource "inner_source" "The source of the packet in the tunnel is in no node's prefix.",
        NotServing "not_serving" "The tunnel packet does not come from the gateway that serves the node.",
        ReverseTunnel "reverse_tunnel" "The packet in the tunnel of a node of Mobile IPv4 has a source address that is not that node's, or it is in the name of such a node from elsewhere: a security exception (RFC 5454 4), which the log tells of.",
        Unprotected "unprotected" "A packet in a mobile node's plain tunnel that has to come in ESP (RFC 6275 10.4.6).",
        Encapsulation "encapsulation" "The tunnel packet has other headers than the binding's tunnel.",
        UdpPort "udp_port" "The tunnel packet comes from another UDP port than the binding's.",
        GreKey "gre_key" "The tunnel packet has another GRE key than the binding, or none.",
        EcnCongestion "ecn_congestion" "Marked Congestion Experienced in the tunnel, and the node's transport knows no ECN.",
        ToAnchor "to_anchor" "A node's packet to one of the anchor's own addresses.",
        NoRoute "no_route" "No route to the destination.",
        Blackhole "blackhole" "The route says to discard.",
        EgressMtu "egress_mtu" "Larger than the MTU of the port that it leaves by; the sender was told, rate permitting.",
        EgressFragment "egress_fragment" "An IPv4 packet without DF is larger than the MTU of the port that it leaves by; it could not be fragmented: its options cannot be read, too many parts, or no buffer for them.",
        SignalingPuntFull "signaling_punt_full" "The signaling ring to the control core was full.",
        ExceptionPuntFull "exception_punt_full" "The report ring to the control core had no room for frames of the kernel or of unresolved neighbours.",
        HandoffFull "handoff_full" "The ring to the worker that owns the node was full.",
        TxFull "tx_full" "The transmit queue refused the frame.",
        UnknownPort "unknown_port" "The control core asked for a port that does not exist.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_numbers_are_positions() {
        let names: HashSet<_> = DropReason::ALL.iter().map(|r| r.name()).collect();
        assert_eq!(names.len(), DropReason::ALL.len());
        assert!(DropReason::ALL.iter().enumerate().all(|(i, r)| *r as usize == i));
    }
}
