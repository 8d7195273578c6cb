//! Registration Requests (RFC 5944 3.6.1, RFC 5454 3.5, RFC 3519 4.5).

use super::Mn4;
use crate::mobility::mip4::{Mip4Msg, append};
use crate::mobility::mn::row::Delivery;
use crate::wire::mip4::{
    AuthKind, Body, Extension, Identification, PORT, RegistrationLifetime, RegistrationRequest,
    RequestFlags, UdpTunnelRequest,
};
use std::net::Ipv4Addr;

impl Mn4 {
    /// The request to register this care-of address; the home address ends all that is registered.
    pub(super) fn request(
        &self,
        care_of: Ipv4Addr,
        lifetime: RegistrationLifetime,
        identification: Identification,
    ) -> Mip4Msg {
        let config = &self.config;
        let fixed = RegistrationRequest {
            flags: self.flags(care_of),
            lifetime,
            home_address: self.home_address.unwrap_or(Ipv4Addr::UNSPECIFIED),
            home_agent: config.home_agent,
            care_of,
            identification,
        };
        let body = Body::Request(fixed);
        let mut payload = vec![0; body.buffer_len()];
        // As long as the fixed fields are.
        if body.emit(&mut payload).is_err() {
            payload.clear();
        }
        if let Some(mn_id) = &config.mn_id {
            append(&Extension::MnNai(mn_id.bytes()), &mut payload);
        }
        if lifetime != RegistrationLifetime::ZERO {
            self.ask_for_ipv6(&mut payload);
            self.ask_for_udp(&mut payload);
        }
        config.association.append(AuthKind::MobileHome, &mut payload);
        Mip4Msg { src: care_of, dst: config.home_agent, port: PORT, payload }
    }

    fn flags(&self, care_of: Ipv4Addr) -> RequestFlags {
        if self.home_address == Some(care_of) {
            return RequestFlags::default();
        }
        let mut flags = RequestFlags::D;
        if self.config.delivery == Delivery::Gre {
            flags = flags | RequestFlags::G;
        }
        if self.config.reverse_tunnel {
            flags = flags | RequestFlags::T;
        }
        flags
    }

    fn ask_for_ipv6(&self, payload: &mut Vec<u8>) {
        let ipv6 = &self.config.ipv6;
        if !ipv6.explicit || ipv6.prefixes.is_empty() {
            return;
        }
        for prefix in &ipv6.prefixes {
            append(&Extension::PrefixRequest((*prefix).into()), payload);
        }
        if ipv6.to_care_of {
            append(&Extension::TunnelingMode, payload);
        }
    }

    fn ask_for_udp(&self, payload: &mut Vec<u8>) {
        let force = self.config.delivery == Delivery::Udp;
        if force || self.config.nat_detection {
            // RFC 5454 3.9: the G bit says in what, and IPv6 is not told.
            let request = UdpTunnelRequest { force, through_agent: false, encapsulation: 0 };
            append(&Extension::UdpTunnelRequest(request), payload);
        }
    }
}
