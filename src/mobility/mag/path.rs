//! Which tunnel a granted session uses, and what it leaves of a packet (RFC 5844 4.2.2, RFC 5845
//! 7.3, RFC 7389).

use crate::addr::{AnchorAddr, Encap, GreKey, GreKeys, ProxyCoa};
use crate::mobility::mag::MagConfig;
use crate::mobility::mag::ack::TunnelGrant;
use crate::mobility::mag::action::Path;
use crate::time::Duration;
use crate::wire::mh::{NatDetection, Status};
use crate::wire::udp::TUNNEL_PORT;
use crate::wire::{gre, ipv4, ipv6, tlv, udp};

/// `NATKATIMEOUT` (RFC 5555 section 6).
const NAT_KEEPALIVE: Duration = Duration::from_secs(110);
/// A GRE header with a key.
const GRE_LEN: usize = gre::HEADER_LEN + 4;

impl MagConfig {
    /// Our address towards an anchor, of its family; `None` if we have none of it.
    #[must_use]
    pub fn coa_to(&self, lma: AnchorAddr) -> Option<ProxyCoa> {
        match lma.0.to_ipv4_mapped() {
            Some(_) => self.ipv4_proxy_coa,
            None => Some(self.proxy_coa),
        }
    }

    /// Our end of the tunnels to an anchor, where it is not [`Self::coa_to`] (RFC 7389).
    pub(super) fn user_plane_to(&self, lma: AnchorAddr) -> Option<ProxyCoa> {
        self.user_plane.filter(|coa| is_ipv4(coa.0) == is_ipv4(lma.0))
    }
}

impl Path {
    /// The tunnel that the anchor granted; `downlink` is the key that we asked with.
    // Outer: whether the option is there; inner: whether it has a key (RFC 5845 6.1).
    #[allow(clippy::option_option)]
    pub(super) fn granted(
        config: &MagConfig,
        lma: AnchorAddr,
        grant: &TunnelGrant,
        asked: Option<Option<GreKey>>,
    ) -> Option<(Self, GreKeys)> {
        let user_plane = grant.user_plane.iter().find(|a| a.is_ipv4() == is_ipv4(lma.0));
        let far = user_plane.map_or(lma, |a| match a {
            std::net::IpAddr::V4(a) => AnchorAddr(a.to_ipv6_mapped()),
            std::net::IpAddr::V6(a) => AnchorAddr(*a),
        });
        let coa = config.user_plane_to(lma).or(config.coa_to(lma))?;
        let refused = grant.status == Status::GRE_KEY_OPTION_NOT_REQUIRED;
        let granted = grant.gre.filter(|_| asked.is_some() && !refused);
        let force_udp = is_ipv4(lma.0) && grant.nat.is_some_and(|nat| nat.force_udp);
        let encap = match granted {
            // RFC 5845 7.3: the TLV-header if the anchor says so, else GRE without UDP.
            Some(_) if is_ipv4(lma.0) && grant.tlv_header => Encap::UdpGre(TUNNEL_PORT),
            Some(_) => Encap::Gre,
            None if force_udp => Encap::Udp(TUNNEL_PORT),
            None => Encap::Ip,
        };
        // Keys are exchanged in pairs (RFC 5845 3.3.1).
        let keys = match (granted.flatten(), asked.flatten()) {
            (Some(uplink), Some(downlink)) => {
                GreKeys { downlink: Some(downlink.0), uplink: Some(uplink.0) }
            }
            _ => GreKeys::default(),
        };
        Some((Self { coa, lma: far, encap }, keys))
    }

    /// Bytes before the inner packet.
    pub(super) fn overhead(self) -> u16 {
        let outer = if is_ipv4(self.lma.0) { ipv4::HEADER_LEN } else { ipv6::HEADER_LEN };
        let between = match self.encap {
            // A gateway has none of mobile nodes'.
            Encap::Ip | Encap::Mip4Udp(_) | Encap::Mip6Udp(_) => 0,
            Encap::Gre => GRE_LEN,
            Encap::Udp(_) => udp::HEADER_LEN,
            Encap::UdpGre(_) => udp::HEADER_LEN + tlv::HEADER_LEN + GRE_LEN,
        };
        u16::try_from(outer + between).unwrap_or(u16::MAX)
    }
}

/// How often a NAT on the way has to see a packet of ours (RFC 5555 4.3).
pub(super) fn keepalive(nat: Option<NatDetection>) -> Option<Duration> {
    match nat?.refresh_time_s {
        NatDetection::NO_KEEPALIVE => None,
        0 => Some(NAT_KEEPALIVE),
        s => Some(Duration::from_secs(s.into())),
    }
}

fn is_ipv4(address: std::net::Ipv6Addr) -> bool {
    address.to_ipv4_mapped().is_some()
}
