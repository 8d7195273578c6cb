//! The same nodes by Mobile IPv4: each has an address of the pool, or its session's.

use crate::case::{LMA_IPV4, mn_id};
use anchord::addr::CustomerId;
use anchord::mobility::event::Event;
use anchord::mobility::mip4::{
    Algorithm, Mip4Config, Mip4Msg, Mip4Node, Replay, SecurityAssociation,
};
use anchord::time::Now;
use anchord::wire::mip4::{
    Body, Extension, Identification, RegistrationLifetime, RegistrationRequest, RequestFlags,
};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use std::net::Ipv4Addr;

const SECRET: [u8; 16] = [0x5a; 16];

pub(super) fn config() -> Mip4Config {
    let node = |n: u8| Mip4Node {
        mn_id: mn_id(&format!("mn{n}@example.org")),
        customer: CustomerId(0),
        home_address: None,
        prefixes: Vec::new(),
        implicit: false,
        associations: vec![SecurityAssociation {
            spi: 256,
            algorithm: Algorithm::HmacMd5,
            secret: SECRET.into(),
            replay: Replay::default(),
        }],
    };
    let max_lifetime = RegistrationLifetime(60);
    let nodes = (0..3).map(node).collect();
    Mip4Config { address: LMA_IPV4, nodes, max_lifetime, ..Mip4Config::default() }
}

/// An authentic request of a node for any home address.
pub(super) fn request(node: u8, care_of: u8, ends: bool, now: Now, count: &mut u64) -> Event {
    *count += 1;
    // 1900 is where RFC 5944 5.7.1 counts from.
    let seconds = now.wall.to_unix().as_secs() + 2_208_988_800;
    let care_of = Ipv4Addr::new(203, 0, 113, care_of + 1);
    let body = Body::Request(RegistrationRequest {
        flags: RequestFlags::D,
        lifetime: RegistrationLifetime(if ends { 0 } else { 40 }),
        home_address: Ipv4Addr::UNSPECIFIED,
        home_agent: LMA_IPV4,
        care_of,
        identification: Identification((seconds << 32) + *count),
    });
    let id = format!("mn{node}@example.org");
    let nai = Extension::MnNai(id.as_bytes());
    let mut payload = vec![0; body.buffer_len() + nai.buffer_len()];
    body.emit(&mut payload).expect("fits");
    nai.emit(&mut payload[body.buffer_len()..]).expect("fits");
    payload.extend([32, 20, 0, 0, 1, 0]);
    let mut mac = Hmac::<Md5>::new_from_slice(&SECRET).expect("a key");
    mac.update(&payload);
    payload.extend(mac.finalize().into_bytes());
    Event::Mip4(Mip4Msg { src: care_of, dst: LMA_IPV4, port: 5000, payload })
}
