//! `interworking = "combined"`: a node has one entry, found by home address and identifier, which
//! either protocol takes over (section 4.3 of the draft before RFC 6612). Here it has two halves,
//! and its P flag says which of them is in force.
//!
//! ```text
//!                         P clear                     P set
//!   binding update        care-of address changes     P is cleared: all of its prefixes move
//!   proxy update          P is set: to the gateway    to the gateway
//!   node de-registers     the entry ends              it stays, the home agent's half ends
//!   gateway de-registers  ignored: it serves no more  the entry ends as RFC 5213 5.3.5 says
//! ```

use super::Anchor;
use crate::addr::{CustomerId, HomePrefix, MnId, ProxyCoa};
use crate::mobility::action::{Action, Audit, AuditKind, HomeAudit, Ignored, Publication};
use crate::mobility::message::UpdateMsg;
use crate::mobility::request::Fields;
use crate::time::{Lifetime, Now};
use std::collections::BTreeSet;

impl Anchor {
    /// Whether a gateway de-registers a node that has left it for another network by itself.
    pub(super) fn is_of_node_away(&self, msg: &UpdateMsg) -> bool {
        if !self.ha.is_combined() || msg.update.lifetime != Lifetime::ZERO {
            return false;
        }
        let Some(mn_id) = Fields::read(msg).mn_id else { return false };
        let mut sessions = self.lma.cache().of_node(&mn_id);
        sessions.any(|b| !self.ha.away(b.customer, &mn_id, &b.hnp).is_empty())
    }

    /// The nodes that gateways have registered, as the actions from `from` on say.
    pub(super) fn taken_over(
        &self,
        from: usize,
        actions: &[Action],
    ) -> Vec<(CustomerId, MnId, Box<[HomePrefix]>)> {
        let registered = actions.iter().skip(from).filter_map(|action| match action {
            Action::Audit(Audit { kind, mn_id: Some(mn_id), proxy_coa }) => {
                let accepted = matches!(
                    kind,
                    AuditKind::Created
                        | AuditKind::Refreshed
                        | AuditKind::HandedOff
                        | AuditKind::Revived
                );
                accepted.then_some((mn_id, *proxy_coa))
            }
            _ => None,
        });
        let sessions = registered.flat_map(|(mn_id, coa)| {
            let all = self.lma.cache().of_node(mn_id);
            all.filter(move |b| Some(b.proxy_coa) == coa)
        });
        sessions.map(|b| (b.customer, b.mn_id.clone(), b.hnp.clone())).collect()
    }

    /// The entries that ended with the home agent's half: the other half ends with it.
    pub(super) fn end_with(&mut self, from: usize, now: Now, actions: &mut Vec<Action>) {
        let own = actions.get(from..).unwrap_or_default();
        let ends = own.iter().any(|action| match action {
            Action::Audit(Audit { kind: AuditKind::Home(kind), .. }) => {
                use HomeAudit::{Deleted, Deregistered, Expired, PrefixGone};
                matches!(kind, Deregistered | Expired | Deleted | PrefixGone)
            }
            _ => false,
        });
        if !ends {
            return;
        }
        // With its P flag set it forwarded nothing, and nothing is withdrawn.
        let withdrawn: BTreeSet<_> = own
            .iter()
            .filter_map(|action| match action {
                Action::Publish(Publication::Withdraw(key)) => Some(*key),
                _ => None,
            })
            .collect();
        let mut more = Vec::new();
        for key in &withdrawn {
            self.lma.end_session(*key, now, &mut more);
        }
        super::drop_yielding(0, &mut more, |key| {
            withdrawn.contains(&key) || self.ha.holds(key) || self.mip4.holds(key)
        });
        actions.append(&mut more);
    }
}

/// RFC 5213 5.3.5 (1), of the one entry: that gateway does not serve the node any more.
pub(super) fn ignore(msg: &UpdateMsg, actions: &mut Vec<Action>) {
    let kind = AuditKind::Ignored(Ignored::NotServing);
    let (mn_id, proxy_coa) = (Fields::read(msg).mn_id, Some(ProxyCoa(msg.src)));
    actions.push(Action::Audit(Audit { kind, mn_id, proxy_coa }));
}
