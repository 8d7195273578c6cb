//! What the sockets for ESP are told of what they receive and send: policies by linux/xfrm.h, and
//! options of RFC 3542.

use super::ESP;
use crate::wire::ipv6::{HomeAddressHeader, HomeRoute};
use nix::sys::socket::sockopt::{SetBool, SetStruct};

/// What may be received, by linux/xfrm.h: a `struct xfrm_userpolicy_info`, one template behind it,
/// or two.
pub(super) type Ipv4Policy = [u8; TEMPLATE_AT + TEMPLATE_LEN];
pub(super) type Ipv6Policy = [u8; TEMPLATE_AT + 2 * TEMPLATE_LEN];

/// In ESP, in transport mode, of any security association.
pub(super) fn in_policy4() -> Ipv4Policy {
    let mut policy = [0; TEMPLATE_AT + TEMPLATE_LEN];
    let (front, templates) = policy.split_at_mut(TEMPLATE_AT);
    allow_inwards(front, libc::AF_INET);
    template(templates, ESP, libc::AF_INET);
    policy
}

/// The same; and before the ESP header there may be a Home Address option that a state allows.
pub(super) fn in_policy6() -> Ipv6Policy {
    let mut policy = [0; TEMPLATE_AT + 2 * TEMPLATE_LEN];
    let (front, templates) = policy.split_at_mut(TEMPLATE_AT);
    let (esp, option) = templates.split_at_mut(TEMPLATE_LEN);
    allow_inwards(front, libc::AF_INET6);
    template(esp, ESP, libc::AF_INET6);
    template(option, HomeAddressHeader::NEXT_HEADER, libc::AF_INET6);
    option[MODE_AT] = ROUTE_OPTIMIZATION;
    option[OPTIONAL_AT] = 1;
    policy
}

/// All other fields are zero: inwards, allow, any selector.
fn allow_inwards(policy: &mut [u8], family: libc::c_int) {
    policy[SELECTOR_FAMILY_AT..][..2].copy_from_slice(&family_bytes(family));
    policy[LIMITS_AT..][..LIMITS_LEN].fill(0xff);
}

/// All other fields are zero: any peer, transport mode, not optional.
fn template(template: &mut [u8], protocol: u8, family: libc::c_int) {
    template[PROTOCOL_AT] = protocol;
    template[FAMILY_AT..][..2].copy_from_slice(&family_bytes(family));
    template[ALGORITHMS_AT..].fill(0xff);
}

fn family_bytes(family: libc::c_int) -> [u8; 2] {
    u16::try_from(family).unwrap_or_default().to_ne_bytes()
}

nix::setsockopt_impl!(
    Ipv6InPolicy,
    libc::IPPROTO_IPV6,
    libc::IPV6_XFRM_POLICY,
    Ipv6Policy,
    SetStruct<'_, Ipv6Policy>
);
nix::setsockopt_impl!(
    Ipv4InPolicy,
    libc::IPPROTO_IP,
    libc::IP_XFRM_POLICY,
    Ipv4Policy,
    SetStruct<'_, Ipv4Policy>
);
nix::setsockopt_impl!(
    Ipv6RecvDestinationOptions,
    libc::IPPROTO_IPV6,
    libc::IPV6_RECVDSTOPTS,
    bool,
    SetBool
);
nix::setsockopt_impl!(
    Ipv6RoutingHeader,
    libc::IPPROTO_IPV6,
    libc::IPV6_RTHDR,
    [u8; HomeRoute::LEN],
    SetStruct<'_, [u8; HomeRoute::LEN]>
);
// RFC 3542 6: of no length, to have none any more.
nix::setsockopt_impl!(
    Ipv6NoRoutingHeader,
    libc::IPPROTO_IPV6,
    libc::IPV6_RTHDR,
    [u8; 0],
    SetStruct<'_, [u8; 0]>
);

// linux/icmpv6.h.
nix::setsockopt_impl!(
    Icmpv6Filter,
    libc::IPPROTO_ICMPV6,
    ICMPV6_FILTER,
    TypeFilter,
    SetStruct<'_, TypeFilter>
);

/// `struct icmp6_filter`: a bit for each type of message, set for those that are not wanted.
pub(super) type TypeFilter = [u32; 8];

/// That one type alone is wanted.
pub(super) fn filter_of(kind: u8) -> TypeFilter {
    let mut filter = [u32::MAX; 8];
    if let Some(word) = filter.get_mut(usize::from(kind >> 5)) {
        *word &= !(1 << (kind & 31));
    }
    filter
}

/// The option of a socket of ICMPv6.
#[derive(Debug, Clone)]
pub(super) struct Icmpv6Filter;

/// The option of a socket of IPv6.
#[derive(Debug, Clone)]
pub(super) struct Ipv6InPolicy;

/// The option of a socket of IPv4.
#[derive(Debug, Clone)]
pub(super) struct Ipv4InPolicy;

/// Whether a socket of IPv6 hands over Destination Options headers (RFC 3542 6).
#[derive(Debug, Clone)]
pub(super) struct Ipv6RecvDestinationOptions;

/// The routing header of what a socket of IPv6 sends.
#[derive(Debug, Clone)]
pub(super) struct Ipv6RoutingHeader;

/// That there is none.
#[derive(Debug, Clone)]
pub(super) struct Ipv6NoRoutingHeader;

/// Offsets and lengths in bytes. In the policy: `sel.family`, the first four limits of `lft`.
const SELECTOR_FAMILY_AT: usize = 40;
const LIMITS_AT: usize = 56;
const LIMITS_LEN: usize = 32;
pub(super) const TEMPLATE_AT: usize = 168;
/// In the template: `id.proto`, `family`, `mode`, `optional`, `aalgos` and the other two.
pub(super) const PROTOCOL_AT: usize = 20;
const FAMILY_AT: usize = 24;
pub(super) const MODE_AT: usize = 48;
pub(super) const OPTIONAL_AT: usize = 50;
const ALGORITHMS_AT: usize = 52;
pub(super) const TEMPLATE_LEN: usize = 64;
/// `XFRM_MODE_ROUTEOPTIMIZATION`.
const ROUTE_OPTIMIZATION: u8 = 2;
/// Of `struct icmp6_filter`, at the level of ICMPv6.
const ICMPV6_FILTER: libc::c_int = 1;
