//! `[tunnel]`: what becomes of packets at both ends of every tunnel.

use super::reader::{Section, boolean, integer, string};
use super::render::{insert, table};
use super::section::{MTU_MAX, MTU_MIN};
use toml::Table;
use toml::de::DeValue;

/// What the operator wants of tunnels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tunnel {
    /// The largest tunnel packet, in bytes, where no `[[mag]]` says otherwise: to mobile nodes, and
    /// to gateways that are added in a run (RFC 4213 3.2.1).
    pub mtu: u16,
    /// Lower the Maximum Segment Size of TCP to what a tunnel carries.
    pub mss_clamping: bool,
    /// Whether ECN works inside tunnels.
    pub ecn: Ecn,
    /// DSCPs of tunnel packets, and of what comes out of them.
    pub dscp: Dscp,
}

/// What tunnel packets have for an ECN field (RFC 6040 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecn {
    /// That of the packet.
    Normal,
    /// Zero: for gateways that would lose a mark.
    Compatibility,
}

/// RFC 2983 section 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dscp {
    /// Packet and tunnel packet share theirs.
    Uniform,
    /// Each has its own; the tunnel packet's is this one, or begins as the packet's.
    Pipe(Option<u8>),
}

/// Reads the table.
pub(super) fn tunnel(s: &Section<'_, '_>) -> Tunnel {
    let ecn = |v: &DeValue<'_>| match string(v)?.as_str() {
        "normal" => Ok(Ecn::Normal),
        "compatibility" => Ok(Ecn::Compatibility),
        other => Err(format!("{other:?} is neither \"normal\" nor \"compatibility\"")),
    };
    let is_uniform = |v: &DeValue<'_>| match string(v)?.as_str() {
        "pipe" => Ok(false),
        "uniform" => Ok(true),
        other => Err(format!("{other:?} is neither \"pipe\" nor \"uniform\"")),
    };
    let uniform = s.or("dscp_model", false, &is_uniform);
    let dscp = s.get("dscp", &dscp_value);
    if uniform && dscp.is_some() {
        s.fault("dscp", "has no meaning with dscp_model = \"uniform\": leave it out");
    }
    Tunnel {
        mtu: s.integer("mtu", 1500, MTU_MIN..=MTU_MAX),
        mss_clamping: s.or("mss_clamping", false, &boolean),
        ecn: s.or("ecn", Ecn::Normal, &ecn),
        dscp: if uniform { Dscp::Uniform } else { Dscp::Pipe(dscp) },
    }
}

/// A Differentiated Services Code Point (RFC 2474).
pub(super) fn dscp_value(v: &DeValue<'_>) -> Result<u8, String> {
    integer(v, &(0..=63))
}

/// The table as a file would have it.
pub(super) fn render(tunnel: Tunnel) -> Table {
    let ecn = match tunnel.ecn {
        Ecn::Normal => "normal",
        Ecn::Compatibility => "compatibility",
    };
    let (model, dscp) = match tunnel.dscp {
        Dscp::Uniform => ("uniform", None),
        Dscp::Pipe(dscp) => ("pipe", dscp),
    };
    let mut rendered = table([
        ("mtu", i64::from(tunnel.mtu).into()),
        ("mss_clamping", tunnel.mss_clamping.into()),
        ("ecn", ecn.into()),
        ("dscp_model", model.into()),
    ]);
    insert(&mut rendered, "dscp", dscp.map(i64::from));
    rendered
}
