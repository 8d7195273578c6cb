//! Updates as bytes, beside what `tshark` reads in them. `tests/golden/mag/README.md` says how the
//! files were made.

use super::*;
use crate::wire::mh::{MAX_LEN, MessageData};

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
