//! The messages of another implementation, OPMIP: its gateway's PBUs are answered as the RFC says,
//! and where we accept, as OPMIP's own anchor answered. `tests/golden/README.md` says where the
//! capture is from.

use anchord::addr::{AnchorAddr, HomePrefix, MnId};
use anchord::mobility::Lma;
use anchord::mobility::action::Action;
use anchord::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use anchord::mobility::event::Event;
use anchord::mobility::message::{AckMsg, Transport, UpdateMsg};
use anchord::time::{Duration, Instant, Lifetime, MobTimestamp, Now};
use anchord::wire::mh::{Message, MobilityOption, NEXT_HEADER, Status};
use std::collections::BTreeMap;
use std::net::Ipv6Addr;
use std::path::Path;

const MAG: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 2);
const LMA: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 1);

/// A message of the capture, with the time that passed since its start.
enum Seen {
    Pbu(Duration, UpdateMsg),
    Pba(AckMsg),
}

/// All binding messages of the capture. Ethernet, IPv6, no extension headers; pcap as tcpdump
/// writes it, little-endian with microseconds.
fn messages() -> Vec<Seen> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/opmip-core.pcap");
    let bytes = std::fs::read(path).expect("the capture is there");
    let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    let time = |at| Duration::new(word(at).into(), word(at + 4) * 1000);
    let (mut at, start, mut seen) = (24, time(24), Vec::new());
    while at < bytes.len() {
        let (passed, len) = (time(at).saturating_sub(start), word(at + 8) as usize);
        let packet = &bytes[at + 16 + 14..at + 16 + len];
        at += 16 + len;
        if packet.get(6) != Some(&NEXT_HEADER) {
            continue;
        }
        let addr = |from: usize| {
            Ipv6Addr::from(<[u8; 16]>::try_from(&packet[from..from + 16]).expect("an address"))
        };
        let (src, dst) = (addr(8), addr(24));
        match Message::parse(&packet[40..], src, dst).expect("a good header") {
            Message::Bu(update, options) => {
                let msg = UpdateMsg {
                    home: None,
                    src,
                    dst,
                    transport: Transport::Ipv6,
                    update,
                    options: options.into(),
                    header: Box::default(),
                };
                seen.push(Seen::Pbu(passed, msg));
            }
            Message::Ba(ack, options) => {
                seen.push(Seen::Pba(AckMsg {
                    home: None,
                    src,
                    dst,
                    transport: Transport::Ipv6,
                    ack,
                    options: options.into(),
                }));
            }
            other => panic!("not a binding message: {other:?}"),
        }
    }
    seen
}

fn lma() -> Lma {
    let profile = Profile::ipv6(0, Duration::from_secs(3600));
    let prefix = |text: &str| -> HomePrefix { text.parse().expect("a prefix") };
    // OPMIP's gateway knows the prefixes of its nodes and asks for them.
    let mut policy = Policy::new(None);
    for n in 1..=2 {
        let own = prefix(&format!("2001:db8:aaaa:{n}::/64"));
        let mn_id = MnId::nai(&format!("mn{n}@example.org")).expect("short");
        policy.insert(mn_id, profile.clone(), &[own]);
    }
    Lma::new(LmaConfig {
        pools: vec![PoolConfig::new(prefix("2001:db8:aaaa::/48"), 64)],
        mags: vec![MagConfig::new(MAG)],
        ..LmaConfig::new(AnchorAddr(LMA), policy)
    })
}

/// The only reply in `actions`.
fn reply(actions: &[Action]) -> &AckMsg {
    let mut replies = actions.iter().filter_map(|a| match a {
        Action::Reply { ack, .. } => Some(ack),
        _ => None,
    });
    let first = replies.next().expect("an answer");
    assert!(replies.next().is_none(), "one answer to one update");
    first
}

// proves: PMIP6-5.5-23, PMIP6-5.5-24, PMIP6-5.5-25, PMIP6-5.3.6-5, PMIP6-5.3.6-10, MIP6-9.5.1-12
#[test]
fn updates_of_opmip_are_answered_as_the_rfc_says() {
    let mut lma = lma();
    // What the RFC's sequence numbers want, kept apart: the last update of each node, until when.
    let mut last: BTreeMap<MnId, (UpdateMsg, Duration)> = BTreeMap::new();
    let (mut accepted, mut repeated, mut out_of_window) = (0, 0, 0);
    let mut seen = messages().into_iter().peekable();
    while let Some(message) = seen.next() {
        let Seen::Pbu(at, msg) = message else { continue };
        let now = Now {
            mono: Instant::default() + at,
            wall: MobTimestamp::from_unix(Duration::from_secs(1_767_225_600) + at),
        };
        let mut actions = Vec::new();
        while lma.poll_timeout().is_some_and(|due| due <= now.mono) {
            lma.handle_timeout(now, &mut actions);
        }
        actions.clear();
        let id = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(subtype, id) => MnId::new(subtype, id),
            _ => None,
        });
        let id = id.expect("an identifier");
        lma.handle(Event::Pbu(msg.clone()), now, &mut actions);
        let ours = reply(&actions);

        let before = last.get(&id).filter(|(_, until)| at < *until).map(|(msg, _)| msg);
        let seq = before.map(|msg| msg.update.seq);
        if before == Some(&msg) {
            assert_eq!(ours.ack.status, Status::ACCEPTED, "the same bytes, the same answer");
            repeated += 1;
            continue;
        }
        if let Some(seq) = seq.filter(|seq| !msg.update.seq.is_after(*seq)) {
            assert_eq!(ours.ack.status, Status::SEQUENCE_NUMBER_OUT_OF_WINDOW);
            assert_eq!(ours.ack.seq, seq, "the last that was accepted");
            out_of_window += 1;
            continue;
        }
        assert_eq!(ours.ack.status, Status::ACCEPTED);
        let ends = match msg.update.lifetime {
            Lifetime::ZERO => Duration::from_secs(10),
            lifetime => lifetime.duration(),
        };
        last.insert(id, (msg.clone(), at + ends));
        // OPMIP's anchor answers every update at once, out of order or not.
        let theirs = seen.next_if(|next| matches!(next, Seen::Pba(_)));
        if let Some(Seen::Pba(theirs)) = theirs
            && theirs.ack.seq == msg.update.seq
        {
            assert_eq!(*ours, theirs, "the same acknowledgement, options in the same order");
            accepted += 1;
        }
    }
    // OPMIP numbers every attachment alike, so most are behind the last within the delete delay.
    assert_eq!((accepted, repeated, out_of_window), (15, 33, 44));
}
