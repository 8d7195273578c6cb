//! A binding as it stands in the journal, of the kind that its number says.
//!
//! Proxy bindings: fixed fields first, then those of variable length, all little-endian. Written
//! for every update, so by hand: it takes a few hundred instructions, where the derived text form
//! of a prefix alone takes thousands. Nodes that register themselves are fewer: their bindings are
//! in the derived form.

use crate::addr::{CustomerId, Encap, GreKeys, HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::anchor::Record;
use crate::mobility::binding::{Bce, BceState, Granted, Ipv4HomeAddress, LinkLayerId};
use crate::mobility::message::Transport;
use crate::time::{Instant, Lifetime, MobTimestamp};
use crate::wire::mh::{AccessTech, HandoffIndicator, Ipv4Home, SeqNo, Status};
use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Appends a record.
pub(super) fn write(record: &Record<'_>, out: &mut Vec<u8>) {
    match record {
        Record::Proxy(bce) => write_bce(bce, out),
        // Numbers, addresses and bounded lists of them: they always encode.
        Record::Home(binding) => {
            out.extend(postcard::to_stdvec(binding.as_ref()).unwrap_or_default());
        }
        Record::Home4(registration) => {
            out.extend(postcard::to_stdvec(registration.as_ref()).unwrap_or_default());
        }
    }
}

/// Reads the record of a binding; `None` if it is not one, whole.
pub(super) fn read(id: BindingId, record: &[u8]) -> Option<Record<'static>> {
    let read = match id.kind() {
        BindingKind::Proxy => Record::Proxy(Cow::Owned(read_bce(record)?)),
        BindingKind::Home => Record::Home(Cow::Owned(postcard::from_bytes(record).ok()?)),
        BindingKind::Home4 => Record::Home4(Cow::Owned(postcard::from_bytes(record).ok()?)),
    };
    Some(read).filter(|record| number(record) == id)
}

/// What a record's binding is named by.
pub(super) fn number(record: &Record<'_>) -> BindingId {
    match record {
        Record::Proxy(bce) => bce.id,
        Record::Home(binding) => binding.id,
        Record::Home4(registration) => registration.id,
    }
}

fn write_bce(bce: &Bce, out: &mut Vec<u8>) {
    let (transport, transport_port) = match bce.transport {
        // No gateway is reached by the last one.
        Transport::Ipv6 | Transport::Dsmip { .. } => (0, 0),
        Transport::Udp(port) => (1, port),
        Transport::Ipv6Esp => (2, 0),
        Transport::UdpEsp(port) => (3, port),
    };
    let (encap, encap_port) = match bce.encap {
        // No proxy binding has the last two.
        Encap::Ip => (0, 0),
        Encap::Gre => (1, 0),
        Encap::Udp(port) => (2, port),
        Encap::UdpGre(port) => (3, port),
        Encap::Mip4Udp(port) => (4, port),
        Encap::Mip6Udp(port) => (5, port),
    };
    let state = match bce.state {
        BceState::Active => 0,
        BceState::Deleting => 1,
    };
    let there = [
        (bce.gre_keys.downlink.is_some(), DOWNLINK_KEY),
        (bce.gre_keys.uplink.is_some(), UPLINK_KEY),
        (bce.replay.is_some(), REPLAY),
        (bce.granted.is_some(), GRANTED),
        (bce.ipv4.is_some(), IPV4),
        (bce.service.is_some(), SERVICE),
        (bce.access_network.is_some(), ACCESS_NETWORK),
    ];
    let flags = there.iter().filter(|(is, _)| *is).fold(0, |flags, (_, flag)| flags | flag);
    out.extend_from_slice(&bce.id.0.to_le_bytes());
    out.extend_from_slice(&bce.home.0.to_le_bytes());
    out.extend_from_slice(&bce.customer.0.to_le_bytes());
    out.extend_from_slice(&bce.proxy_coa.0.octets());
    out.extend_from_slice(&bce.mag.octets());
    out.extend_from_slice(&bce.link_local.octets());
    out.extend_from_slice(&[
        flags,
        transport,
        encap,
        state,
        bce.att.0,
        bce.handoff.0,
        bce.answer.0,
    ]);
    out.extend_from_slice(&transport_port.to_le_bytes());
    out.extend_from_slice(&encap_port.to_le_bytes());
    out.extend_from_slice(&bce.seq.0.to_le_bytes());
    out.extend_from_slice(&bce.lifetime.0.to_le_bytes());
    out.extend_from_slice(&bce.handoffs.to_le_bytes());
    for word in [bce.timestamp.0, bce.created.0, bce.ends.0, bce.last_update] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for key in [bce.gre_keys.downlink, bce.gre_keys.uplink].into_iter().flatten() {
        out.extend_from_slice(&key.to_le_bytes());
    }
    if let Some(replay) = bce.replay {
        out.extend_from_slice(&replay.to_le_bytes());
    }
    if let Some(Granted { max_lifetime, refresh_percent }) = bce.granted {
        out.extend_from_slice(&max_lifetime.0.to_le_bytes());
        out.push(refresh_percent);
    }
    if let Some(Ipv4HomeAddress { home, default_router }) = bce.ipv4 {
        out.extend_from_slice(&home.addr().octets());
        out.push(home.prefix_len());
        out.extend_from_slice(&default_router.octets());
    }
    out.push(bce.mn_id.subtype());
    bytes(bce.mn_id.bytes(), out);
    bytes(bce.mn_ll_id.bytes(), out);
    let texts = [bce.service.as_deref().map(str::as_bytes), bce.access_network.as_deref()];
    for text in texts.into_iter().flatten() {
        bytes(text, out);
    }
    for prefix in &bce.hnp {
        out.extend_from_slice(&prefix.addr().octets());
        out.push(prefix.len());
    }
}

fn read_bce(record: &[u8]) -> Option<Bce> {
    let mut r = Reader(record);
    let id = BindingId(r.u64()?);
    let (home, customer) = (CustomerId(r.u16()?), CustomerId(r.u16()?));
    let (proxy_coa, mag, link_local) = (ProxyCoa(r.ipv6()?), r.ipv6()?, r.ipv6()?);
    let [flags, transport, encap, state, att, handoff, answer] = r.array()?;
    let (transport_port, encap_port) = (r.u16()?, r.u16()?);
    let (seq, lifetime, handoffs) = (SeqNo(r.u16()?), Lifetime(r.u16()?), r.u32()?);
    let [timestamp, created, ends] =
        [MobTimestamp(r.u64()?), MobTimestamp(r.u64()?), MobTimestamp(r.u64()?)];
    let last_update = r.u64()?;
    let has = |flag: u8| flags & flag != 0;
    let transport = match transport {
        0 => Transport::Ipv6,
        1 => Transport::Udp(transport_port),
        2 => Transport::Ipv6Esp,
        3 => Transport::UdpEsp(transport_port),
        _ => return None,
    };
    let encap = match encap {
        0 => Encap::Ip,
        1 => Encap::Gre,
        2 => Encap::Udp(encap_port),
        3 => Encap::UdpGre(encap_port),
        4 => Encap::Mip4Udp(encap_port),
        5 => Encap::Mip6Udp(encap_port),
        _ => return None,
    };
    let state = match state {
        0 => BceState::Active,
        1 => BceState::Deleting,
        _ => return None,
    };
    let gre_keys = GreKeys {
        downlink: if has(DOWNLINK_KEY) { Some(r.u32()?) } else { None },
        uplink: if has(UPLINK_KEY) { Some(r.u32()?) } else { None },
    };
    let replay = if has(REPLAY) { Some(r.u64()?) } else { None };
    let granted = if has(GRANTED) {
        let max_lifetime = Lifetime(r.u16()?);
        Some(Granted { max_lifetime, refresh_percent: r.u8()? })
    } else {
        None
    };
    let ipv4 = if has(IPV4) {
        let home = Ipv4Home::new(r.array()?.into(), r.u8()?)?;
        Some(Ipv4HomeAddress { home, default_router: Ipv4Addr::from(r.array()?) })
    } else {
        None
    };
    let subtype = r.u8()?;
    let mn_id = MnId::new(subtype, r.bytes()?)?;
    let mn_ll_id = LinkLayerId::new(r.bytes()?);
    let service =
        if has(SERVICE) { Some(std::str::from_utf8(r.bytes()?).ok()?.into()) } else { None };
    let access_network = if has(ACCESS_NETWORK) { Some(r.bytes()?.into()) } else { None };
    let mut hnp = Vec::new();
    while !r.0.is_empty() {
        hnp.push(HomePrefix::new(r.ipv6()?, r.u8()?).ok()?);
    }
    Some(Bce {
        id,
        mn_id,
        home,
        customer,
        service,
        hnp: hnp.into(),
        ipv4,
        proxy_coa,
        mag,
        transport,
        encap,
        gre_keys,
        att: AccessTech(att),
        handoff: HandoffIndicator(handoff),
        mn_ll_id,
        link_local,
        access_network,
        seq,
        timestamp,
        replay,
        answer: Status(answer),
        lifetime,
        state,
        handoffs,
        created,
        ends,
        deadline: Instant::default(),
        timer: None,
        last_update,
        granted,
    })
}

/// Bytes of a length that an option's length field could carry.
fn bytes(bytes: &[u8], out: &mut Vec<u8>) {
    let len = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    out.push(len);
    out.extend_from_slice(bytes.get(..len.into()).unwrap_or_default());
}

/// What is left of a record.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (front, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*front)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn ipv6(&mut self) -> Option<Ipv6Addr> {
        self.array::<16>().map(Ipv6Addr::from)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u8()?;
        let (bytes, rest) = self.0.split_at_checked(len.into())?;
        self.0 = rest;
        Some(bytes)
    }
}

// Which fields there are.
const DOWNLINK_KEY: u8 = 1;
const UPLINK_KEY: u8 = 2;
const REPLAY: u8 = 4;
const GRANTED: u8 = 8;
const IPV4: u8 = 16;
const SERVICE: u8 = 32;
const ACCESS_NETWORK: u8 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Bindings of every shape, by the form in which the tests' records are written.
    fn bindings() -> impl Strategy<Value = Bce> {
        let text = || prop::collection::vec(any::<u8>(), 0..=254);
        let transport = prop_oneof![
            Just(Transport::Ipv6),
            any::<u16>().prop_map(Transport::Udp),
            Just(Transport::Ipv6Esp),
            any::<u16>().prop_map(Transport::UdpEsp),
        ];
        let encap = prop_oneof![
            Just(Encap::Ip),
            Just(Encap::Gre),
            any::<u16>().prop_map(Encap::Udp),
            any::<u16>().prop_map(Encap::UdpGre),
            any::<u16>().prop_map(Encap::Mip6Udp),
            any::<u16>().prop_map(Encap::Mip4Udp),
        ];
        let ids = (any::<[u64; 4]>(), any::<[u16; 4]>(), any::<[u8; 4]>(), any::<u32>());
        let optional = (
            any::<[Option<u32>; 2]>(),
            any::<Option<u64>>(),
            any::<Option<(u16, u8)>>(),
            prop::option::of((any::<[u8; 4]>(), 0..=32_u8, any::<[u8; 4]>())),
            prop::option::of("[a-z]{0,254}"),
            prop::option::of(text()),
        );
        let prefixes = prop::collection::vec((any::<u128>(), 48..=128_u8), 0..=8);
        let addresses = any::<[u128; 3]>();
        (ids, optional, prefixes, addresses, transport, encap, text(), text()).prop_map(
            |(ids, optional, prefixes, addresses, transport, encap, mn_id, ll_id)| {
                let (words, halves, octets, handoffs) = ids;
                let (keys, replay, granted, ipv4, service, access_network) = optional;
                let json = json!({
                    "id": words[0],
                    "mn_id": "mn1",
                    "home": halves[0],
                    "customer": halves[1],
                    "service": service,
                    "hnp": [],
                    "proxy_coa": Ipv6Addr::from_bits(addresses[0]),
                    "mag": Ipv6Addr::from_bits(addresses[1]),
                    "transport": transport,
                    "encap": encap,
                    "gre_keys": GreKeys { downlink: keys[0], uplink: keys[1] },
                    "att": octets[0],
                    "handoff": octets[1],
                    "mn_ll_id": ll_id,
                    "link_local": Ipv6Addr::from_bits(addresses[2]),
                    "access_network": access_network,
                    "seq": halves[2],
                    "timestamp": words[1],
                    "replay": replay,
                    "answer": octets[2],
                    "lifetime": halves[3],
                    "state": if octets[3] & 1 == 0 { "Active" } else { "Deleting" },
                    "handoffs": handoffs,
                    "created": words[2],
                    "ends": words[3],
                    "last_update": words[0] ^ words[1],
                });
                let mut bce: Bce = serde_json::from_value(json).expect("a binding");
                bce.mn_id = MnId::new(octets[3], &mn_id).expect("short");
                let prefix = |(bits, len): (u128, u8)| HomePrefix::truncating(bits.into(), len);
                bce.hnp = prefixes.into_iter().map(prefix).collect::<Result<_, _>>().expect("fits");
                bce.granted = granted.map(|(max_lifetime, refresh_percent)| Granted {
                    max_lifetime: Lifetime(max_lifetime),
                    refresh_percent,
                });
                bce.ipv4 = ipv4.map(|(address, len, router)| Ipv4HomeAddress {
                    home: Ipv4Home::new(address.into(), len).expect("a length"),
                    default_router: router.into(),
                });
                bce
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_was_written(bce in bindings()) {
            let mut record = Vec::new();
            write_bce(&bce, &mut record);
            prop_assert_eq!(read_bce(&record), Some(bce));
        }

        #[test]
        fn any_bytes_give_a_binding_or_none(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            bce in bindings(),
            cut in any::<prop::sample::Index>(),
        ) {
            let home = BindingId::new(BindingKind::Home, 1);
            let _ = (read_bce(&bytes), read(home, &bytes));
            let mut record = Vec::new();
            write_bce(&bce, &mut record);
            record.truncate(cut.index(record.len()));
            // What is cut between two prefixes cannot be told; the log's digest does.
            prop_assert!(read_bce(&record).is_none_or(|b| b.hnp.len() < bce.hnp.len()));
        }
    }
}
