//! What a Registration Request says, and who says it.
//!
//! ```text
//!   fixed | NAI, prefixes, UDP tunnel, revocation | Mobile-Home | UDP tunnel, revocation | Foreign-Home
//!         |<------------- the node's ------------------------->|<----- the foreign agent's ----->|
//! ```
//! What stands behind the Mobile-Home Authentication Extension is not the node's word (RFC 5944
//! 3.6.1.3, 3.7.2.2).

use crate::wire::mip4::{
    AuthKind, Extension, Extensions, Ipv6PrefixField, RegistrationRequest, UdpTunnelRequest,
};
use std::net::Ipv4Addr;

/// IPv6 Prefix Requests of a message that are looked at. Others get no reply, by which the node
/// knows that they are rejected (RFC 5454 3.5).
pub(super) const PREFIX_REQUESTS_MAX: usize = 16;

/// A Registration Request with all that it carries.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) fixed: RegistrationRequest,
    /// Who the node says it is (RFC 2794).
    pub(super) nai: Option<&'a [u8]>,
    /// What authenticates the node.
    pub(super) mobile_home: Option<Auth<'a>>,
    /// What authenticates the foreign agent.
    pub(super) foreign_home: ForeignHome<'a>,
    /// Of the node.
    pub(super) node: Wishes,
    /// Of the foreign agent.
    pub(super) agent: Wishes,
    /// IPv6 prefixes, each once.
    pub(super) prefixes: Vec<Ipv6PrefixField>,
    /// IPv6 may be tunnelled to the care-of address.
    pub(super) tunneling_mode: bool,
}

/// An authentication extension: where it begins, SPI, authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Auth<'a> {
    pub(super) at: usize,
    pub(super) spi: u32,
    pub(super) data: &'a [u8],
}

/// Foreign-Home Authentication Extensions: there may be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ForeignHome<'a> {
    None,
    One(Auth<'a>),
    Several,
}

/// What either side may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wishes {
    pub(super) udp_tunnel: Option<UdpTunnelRequest>,
    /// Revocation Support: the I bit, and the sender's time.
    pub(super) revocation: Option<(bool, u32)>,
}

impl<'a> Request<'a> {
    pub(super) fn read(fixed: RegistrationRequest, extensions: Extensions<'a>) -> Self {
        let mut request = Self {
            fixed,
            nai: None,
            mobile_home: None,
            foreign_home: ForeignHome::None,
            node: Wishes::default(),
            agent: Wishes::default(),
            prefixes: Vec::new(),
            tunneling_mode: false,
        };
        for (at, extension) in extensions.located() {
            request.take(at, extension);
        }
        request
    }

    fn take(&mut self, at: usize, extension: Extension<'a>) {
        let is_node = self.mobile_home.is_none();
        // What stands behind the last authentication is nobody's.
        let is_agent = !is_node && self.foreign_home == ForeignHome::None;
        let wishes = if is_node { &mut self.node } else { &mut self.agent };
        match extension {
            Extension::Auth(AuthKind::MobileHome, spi, data) if is_node => {
                self.mobile_home = Some(Auth { at, spi, data });
            }
            Extension::Auth(AuthKind::ForeignHome, spi, data) => {
                self.foreign_home = match self.foreign_home {
                    ForeignHome::None => ForeignHome::One(Auth { at, spi, data }),
                    _ => ForeignHome::Several,
                };
            }
            Extension::UdpTunnelRequest(request) if is_node || is_agent => {
                wishes.udp_tunnel.get_or_insert(request);
            }
            Extension::RevocationSupport(inform, time) if is_node || is_agent => {
                wishes.revocation.get_or_insert((inform, time));
            }
            Extension::MnNai(nai) if is_node => {
                self.nai.get_or_insert(nai);
            }
            Extension::PrefixRequest(prefix)
                if is_node
                    && self.prefixes.len() < PREFIX_REQUESTS_MAX
                    && !self.prefixes.contains(&prefix) =>
            {
                self.prefixes.push(prefix);
            }
            Extension::TunnelingMode if is_node => self.tunneling_mode = true,
            // Not about us (the delivery style, the Mobile-Foreign Authentication), of a reply, not
            // known, one too many, or where it has no say.
            _ => {}
        }
    }

    /// Whether it asks to end bindings.
    pub(super) fn ends(&self) -> bool {
        self.fixed.lifetime.0 == 0
    }

    /// Whether the node has this home address: what it asks for, or the one that it was given.
    pub(super) fn ends_all(&self, home: Ipv4Addr) -> bool {
        // RFC 5944 3.8.2.2
        self.ends() && (self.fixed.care_of == home || self.fixed.care_of == self.fixed.home_address)
    }
}
