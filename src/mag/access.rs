//! The access link: who is there, and what is sent to them (RFC 5213 6.6, 6.7; RFC 4861).

use crate::addr::{MacAddr, MnId};
use crate::config::mag::Config;
use crate::mobility::mag::action::Advert;
use crate::mobility::mag::event::{Attachment, HandoffHint, Link, LinkLayerId, NodeProfile};
use crate::wire;
use crate::wire::icmpv6::NEXT_HEADER as ICMPV6;
use crate::wire::icmpv6::ndp::{
    HOP_LIMIT, NeighborSolicitation, PrefixInformation, RouterAdvertisement,
};
use crate::wire::ipv6::{HEADER_LEN, Ipv6Header};
use std::net::Ipv6Addr;

/// ff02::1
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// What nodes are told to use as hop limit (RFC 4861 4.2).
const NODE_HOP_LIMIT: u8 = 64;

/// What was seen of a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen<'a> {
    /// The access link's interface.
    pub(super) interface: &'a str,
    /// The node's link-layer address.
    pub(super) mac: Option<MacAddr>,
    /// The identifier that a command gave.
    pub(super) mn_id: Option<&'a str>,
    /// The handoff that a command told of.
    pub(super) handoff: Option<HandoffHint>,
    /// The node's link-local address.
    pub(super) link_local: Option<Ipv6Addr>,
}

/// Finds the node's identifier and policy profile (RFC 5213 6.6, 6.2); `None` if no service is
/// configured for it.
pub(super) fn attachment(config: &Config, seen: Seen<'_>, link: Link) -> Option<Attachment> {
    let named = config.mobile_nodes.iter().find(|node| match seen.mn_id {
        Some(id) => MnId::nai(id).as_ref() == Some(&node.profile.mn_id),
        None => {
            node.interface.as_deref().is_none_or(|own| own == seen.interface)
                && node.mac.is_none_or(|own| seen.mac.is_none_or(|mac| mac == own))
                && (node.interface.is_some() || seen.mac.is_some())
        }
    });
    let mac = seen.mac.or_else(|| named?.mac);
    let (node, handoff): (NodeProfile, _) = match (named, seen.mn_id, &config.unknown_node) {
        (Some(node), ..) => (node.profile.clone(), node.handoff),
        (None, None, Some(unknown)) => (unknown.profile(mac?)?, config.handoff),
        (None, ..) => return None,
    };
    Some(Attachment {
        link,
        node,
        mn_ll_id: mac.and_then(|mac| LinkLayerId::new(&mac.0)),
        hint: seen.handoff.unwrap_or(handoff),
        last_seq: None,
        node_link_local: seen.link_local,
    })
}

/// The link-local address that an interface makes of its own (RFC 4291 appendix A).
pub(super) fn eui64_link_local(mac: MacAddr) -> Ipv6Addr {
    let MacAddr([o0, o1, o2, o3, o4, o5]) = mac;
    let id = u64::from_be_bytes([o0 ^ 2, o1, o2, 0xff, 0xfe, o3, o4, o5]);
    Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(id))
}

/// A Router Advertisement as a whole packet; `mac` is ours, `managed` says that there is DHCPv6.
pub(super) fn advertisement(
    advert: &Advert,
    mac: MacAddr,
    managed: bool,
) -> wire::Result<(Vec<u8>, Ipv6Addr)> {
    let prefixes: Vec<_> = (advert.prefixes.iter())
        .map(|p| PrefixInformation {
            prefix: p.prefix,
            valid_lifetime_s: p.valid_lifetime_s,
            preferred_lifetime_s: p.preferred_lifetime_s,
        })
        .collect();
    let message = RouterAdvertisement {
        hop_limit: NODE_HOP_LIMIT,
        router_lifetime_s: advert.router_lifetime_s,
        source_link_layer: mac,
        managed,
        mtu: advert.mtu,
        prefixes: &prefixes,
    };
    let dst = advert.dst.unwrap_or(ALL_NODES);
    let emit = |buf: &mut [u8]| message.emit(advert.src, dst, buf);
    Ok((packet(advert.src, dst, message.buffer_len(), emit)?, dst))
}

/// A Neighbor Solicitation as a whole packet: is the node still there (RFC 4861 7.3.3)?
pub(super) fn probe(src: Ipv6Addr, node: Ipv6Addr, mac: MacAddr) -> wire::Result<Vec<u8>> {
    let message = NeighborSolicitation { target: node, source_link_layer: Some(mac) };
    packet(src, node, NeighborSolicitation::LEN_MAX, |buf| message.emit(src, node, buf))
}

/// A neighbour discovery message as a whole packet.
pub(crate) fn packet(
    src: Ipv6Addr,
    dst: Ipv6Addr,
    len: usize,
    emit: impl Fn(&mut [u8]) -> wire::Result<usize>,
) -> wire::Result<Vec<u8>> {
    let mut packet = vec![0; HEADER_LEN + len];
    let header = Ipv6Header {
        traffic_class: 0,
        flow_label: 0,
        payload_len: u16::try_from(len).unwrap_or(u16::MAX),
        next_header: ICMPV6,
        hop_limit: HOP_LIMIT,
        src,
        dst,
    };
    header.emit(&mut packet)?;
    emit(packet.get_mut(HEADER_LEN..).unwrap_or_default())?;
    Ok(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mobility::mag::event::LinkId;
    use std::path::Path;

    const SAMPLE: &str = "tests/smoke/anchor-mag.toml";
    const MN1: MacAddr = MacAddr([2, 0, 0, 0, 1, 1]);
    const STRANGER: MacAddr = MacAddr([2, 0, 0, 0, 9, 9]);

    fn config() -> Config {
        crate::config::mag::load(Path::new(SAMPLE)).expect("sample is valid")
    }

    fn identified(config: &Config, mac: Option<MacAddr>, mn_id: Option<&str>) -> Option<String> {
        let link = Link { id: LinkId(7), mtu: 1500, link_local: Ipv6Addr::UNSPECIFIED };
        let seen = Seen { interface: "acc0", mac, mn_id, ..Seen::default() };
        attachment(config, seen, link).map(|a| a.node.mn_id.to_string())
    }

    // proves: PMIP6-6.6-1, PMIP6-6.6-8, PMIP6-6.9.1.1-1
    #[test]
    fn node_is_identified_by_its_link_layer_address_or_by_a_command() {
        let config = config();
        let id = |mac, mn_id| identified(&config, mac, mn_id);
        assert_eq!(id(Some(MN1), None).as_deref(), Some("mn1@example.org"));
        assert_eq!(id(None, Some("mn1@example.org")).as_deref(), Some("mn1@example.org"));
        assert_eq!(id(Some(STRANGER), None).as_deref(), Some("02:00:00:00:09:09@example.org"));
        assert_eq!(id(None, None), None, "nothing tells who it is");
        assert_eq!(id(Some(MN1), Some("nobody@example.org")), None);
    }

    // proves: PMIP6-6.14-1
    #[test]
    fn stranger_gets_no_service_where_unknown_nodes_are_not_configured() {
        let config = Config { unknown_node: None, ..config() };
        assert_eq!(identified(&config, Some(STRANGER), None), None);
        assert!(identified(&config, Some(MN1), None).is_some());
    }

    #[test]
    fn link_local_of_an_interface_is_the_modified_eui_64() {
        // RFC 6543: of the reserved link-layer address that of the reserved identifier.
        let reserved = MacAddr([0, 0, 0x5e, 0, 0x52, 0x13]);
        assert_eq!(eui64_link_local(reserved), crate::mobility::config::RESERVED_LINK_LOCAL);
    }
}
