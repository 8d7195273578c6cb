//! IPv6 prefixes of a registration (RFC 5454).

use crate::addr::{CustomerId, HomePrefix};
use crate::mobility::mip4::request::Request;
use crate::mobility::mip4::{Homes, Mip4Node, NodeRef, RegisteredPrefix};
use crate::wire::mip4::{Ipv6PrefixField, PrefixCode, RequestFlags};

/// What a request does to the prefixes of a registration.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Those that it has from now on.
    pub(super) registered: Vec<RegisteredPrefix>,
    /// One reply for each prefix that was asked for (3.3).
    pub(super) replies: Vec<(PrefixCode, Ipv6PrefixField)>,
}

/// Decides about each prefix; takes what is new of the allocation, and gives back what was
/// registered and is left out (3.8).
pub(super) fn decide(
    node: &Mip4Node,
    request: &Request<'_>,
    current: &[RegisteredPrefix],
    homes: &mut dyn Homes,
) -> Outcome {
    let who = NodeRef { customer: node.customer, mn_id: &node.mn_id };
    // 3.3.2: a foreign agent would not know what to do with IPv6.
    let co_located = request.fixed.flags.contains(RequestFlags::D);
    let to_care_of = request.tunneling_mode && co_located;
    let mut outcome = Outcome::default();
    for asked in &request.prefixes {
        let code = match permitted(node, asked) {
            Err(code) => code,
            Ok(prefix) if outcome.registered.iter().any(|p| p.prefix == prefix) => continue,
            Ok(prefix) => {
                let kept = current.iter().any(|p| p.prefix == prefix);
                admit(prefix, kept, to_care_of, who, homes, &mut outcome.registered)
            }
        };
        outcome.replies.push((code, *asked));
    }
    // 1.4: without a request, by configuration.
    if request.prefixes.is_empty() && node.implicit {
        for prefix in &node.prefixes {
            let kept = current.iter().any(|p| p.prefix == *prefix);
            admit(*prefix, kept, false, who, homes, &mut outcome.registered);
        }
    }
    for old in current {
        if !outcome.registered.iter().any(|p| p.prefix == old.prefix) {
            homes.release(who, old.prefix);
        }
    }
    outcome
}

/// Whether a node may have the prefix that it asks for.
fn permitted(node: &Mip4Node, asked: &Ipv6PrefixField) -> Result<HomePrefix, PrefixCode> {
    match asked.prefix() {
        // 2.2, 3.7.1: a link-local address, for prefix delegation by DHCPv6, which is not done.
        None if asked.len == u8::MAX => Err(PrefixCode::PROHIBITED),
        None => Err(PrefixCode::REJECTED),
        Some(prefix) if node.prefixes.contains(&prefix) => Ok(prefix),
        Some(_) => Err(PrefixCode::PROHIBITED),
    }
}

/// Registers a prefix that the node may have, if nobody else has it (3.3) and its packets can be
/// carried. `kept`: it is registered already.
fn admit(
    prefix: HomePrefix,
    kept: bool,
    to_care_of: bool,
    node: NodeRef<'_>,
    homes: &mut dyn Homes,
    registered: &mut Vec<RegisteredPrefix>,
) -> PrefixCode {
    // Tunnels end in the operator's own address space: one to the home address of a customer's node
    // would not be found there.
    let carried = to_care_of || node.customer == CustomerId::default();
    if !carried || !(kept || homes.reserve_prefix(node, prefix).is_ok()) {
        return PrefixCode::REJECTED;
    }
    registered.push(RegisteredPrefix { prefix, to_care_of });
    if to_care_of { PrefixCode::TO_CARE_OF_ADDRESS } else { PrefixCode::TO_HOME_ADDRESS }
}

/// The replies to a request that was answered before: what it registered, and the rest.
pub(super) fn again(
    node: &Mip4Node,
    request: &Request<'_>,
    current: &[RegisteredPrefix],
) -> Vec<(PrefixCode, Ipv6PrefixField)> {
    let code = |asked: &Ipv6PrefixField| {
        let prefix = match permitted(node, asked) {
            Ok(prefix) => prefix,
            Err(code) => return code,
        };
        match current.iter().find(|p| p.prefix == prefix).map(|p| p.to_care_of) {
            Some(true) => PrefixCode::TO_CARE_OF_ADDRESS,
            Some(false) => PrefixCode::TO_HOME_ADDRESS,
            None => PrefixCode::REJECTED,
        }
    };
    request.prefixes.iter().map(|asked| (code(asked), *asked)).collect()
}
