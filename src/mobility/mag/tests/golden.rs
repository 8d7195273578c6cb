//! Messages as bytes, beside what `tshark` reads in them. `tests/golden/mag/README.md` says how the
//! files were made.

use super::*;
use crate::wire::mh::{
    BindingRevocationIndication, Heartbeat, HeartbeatFlags, MAX_LEN, MessageData, RevocationFlags,
    RevocationTrigger,
};

fn bytes(pbu: &UpdateMsg) -> Vec<u8> {
    let mut buf = [0; MAX_LEN];
    let len = pbu.update.emit(pbu.options.options(), pbu.src, pbu.dst, &mut buf).expect("fits");
    buf[..len].to_vec()
}

fn golden(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let octet = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ASCII"), 16).expect("hex")
    };
    digits.chunks_exact(2).map(octet).collect()
}

// proves: PMIP6-6.9.1.5-1, PMIP6-6.9.1.5-2
#[test]
fn registration_refresh_and_deregistration_are_the_bytes_that_tshark_dissected() {
    let mut w = World::new();
    let registration = only_pbu(&w.attach(attachment()));
    w.accept(&registration);
    w.wait(secs(300));
    let refresh = only_pbu(&w.present());
    w.accept(&refresh);
    w.wait(secs(10));
    let deregistration = only_pbu(&w.detach(false));
    for (pbu, hex) in [
        (registration, include_str!("../../../../tests/golden/mag/registration.hex")),
        (refresh, include_str!("../../../../tests/golden/mag/refresh.hex")),
        (deregistration, include_str!("../../../../tests/golden/mag/deregistration.hex")),
    ] {
        let made: Vec<String> = bytes(&pbu).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(bytes(&pbu), golden(hex), "{}", made.concat());
    }
}

// proves: PMIP4-4.2.2.1-1, PMIP4-3.2.3.1-6, PMIP4-3.3.1-1, PMIP4-3.3.1-2, GREKEY-6.1-1
#[test]
fn update_in_udp_with_address_key_and_service_is_the_bytes_that_tshark_dissected() {
    let config = MagConfig { ipv4_proxy_coa: Some(COA4), force_udp: true, ..config() };
    let mut at = dual_stack();
    at.node.lma = LMA4;
    at.node.gre = Gre::Keys;
    at.node.service = Some("ims".into());
    let pbu = only_pbu(&World::with(config).attach(at));
    let mut buf = [0; MAX_LEN];
    let len = pbu.update.emit_in_udp(pbu.options.options(), &mut buf).expect("fits");
    let hex = include_str!("../../../../tests/golden/mag/dual-stack.hex");
    assert_eq!(buf[..len], golden(hex));
}

// proves: REVOKE-5.2-1, HEARTBEAT-3.3-1, HEARTBEAT-3.4-1
#[test]
fn answers_to_revocation_and_heartbeat_are_the_bytes_that_tshark_dissected() {
    let mut w = World::bound();
    w.event(Event::Started { restart_counter: 7, lost: vec![] });
    // Reserved bits are not copied.
    let flags = RevocationFlags(RevocationFlags::P.0 | 0x1fff);
    let trigger = RevocationTrigger::ADMINISTRATIVE;
    let bri = BindingRevocationIndication { trigger, seq: SeqNo(77), flags };
    let named = [MobilityOption::MnId(1, b"mn1@example.org")];
    let beat = Heartbeat { flags: HeartbeatFlags::default(), seq: 99 };
    for (event, hex) in [
        (
            from_lma(PeerBody::Bri(bri), &named),
            include_str!("../../../../tests/golden/mag/revoked.hex"),
        ),
        (
            from_lma(PeerBody::Heartbeat(beat), &[]),
            include_str!("../../../../tests/golden/mag/heartbeat.hex"),
        ),
    ] {
        let answer = &sent(&w.event(event))[0];
        let (src, dst, mut buf) = (answer.src, answer.dst, [0; MAX_LEN]);
        let options = answer.options.options();
        let len = match answer.body {
            PeerBody::Bra(m) => m.emit(options, src, dst, &mut buf),
            PeerBody::Heartbeat(m) => m.emit(options, src, dst, &mut buf),
            other => unreachable!("{other:?}"),
        };
        assert_eq!(buf[..len.expect("fits")], golden(hex));
    }
}
