//! The operator revokes the sessions of a realm (RFC 5846 8.1): the gateways that serve some are
//! looked for, each is told, and the sessions are deleted when it has answered, or will not.

use super::Lma;
use crate::addr::{MnId, ProxyCoa};
use crate::mobility::action::{Action, AuditKind};
use crate::mobility::message::PeerMsg;
use crate::mobility::peer::Peer;
use crate::mobility::revoke::{self, Subject};
use crate::mobility::sweep::Search;
use crate::time::Now;
use crate::wire::mh::MobilityOption;
use std::net::Ipv6Addr;

impl Lma {
    /// Begins: `realm` is a NAI of nothing but an `@` and a realm; with `mag`, of the sessions at
    /// that gateway alone.
    pub(super) fn revoke_realm(&mut self, realm: MnId, mag: Option<Ipv6Addr>) {
        let mag = mag.map(ProxyCoa);
        let same = |s: &Search| s.realm == realm && s.mag == mag;
        if !self.searches.iter().any(same) {
            self.searches.push_back(Search::new(realm, mag));
        }
    }

    /// Looks for some more of the gateways; `false` if there is nothing to look for.
    pub(super) fn search(&mut self, now: Now, actions: &mut Vec<Action>) -> bool {
        let Some(search) = self.searches.front_mut() else { return false };
        if search.step(&self.cache)
            && let Some(Search { realm, mag, found, .. }) = self.searches.pop_front()
        {
            for coa in found {
                self.tell_of_realm(&realm, coa, mag.is_some(), now, actions);
            }
        }
        true
    }

    /// A subgroup is told apart by its care-of address. So are the sessions of a gateway that has
    /// its messages sent to another address than theirs.
    fn tell_of_realm(
        &mut self,
        realm: &MnId,
        coa: ProxyCoa,
        subgroup: bool,
        now: Now,
        actions: &mut Vec<Action>,
    ) {
        let to = self.contact_of_gateway(coa.0);
        let revocable = self.mags.peer(to.remote).is_some_and(Peer::is_revocable);
        let seq = revocable.then(|| self.revocations.next_seq()).flatten();
        let Some(seq) = seq else {
            let kind = AuditKind::Revoked;
            return self.sweeps.begin_realm(coa, Some(realm.clone()), now.mono, kind, None);
        };
        // The option has no form for an IPv4 address (5.1).
        let is_ipv4 = coa.0.to_ipv4_mapped().is_some();
        let named = Some(coa).filter(|_| (subgroup || coa.0 != to.remote) && !is_ipv4);
        let msg = revoke::of_realm(realm, named, seq, &to);
        self.send_indication(Subject::Realm(coa), seq, msg, false, now, actions);
    }

    /// A gateway has ended the sessions of the realm that it was told, or it will not: ours end.
    pub(super) fn sweep_realm(&mut self, coa: ProxyCoa, told: &PeerMsg, now: Now) {
        let realm = told.options.iter().find_map(|o| match o {
            MobilityOption::MnId(subtype, id) => MnId::new(subtype, id),
            _ => None,
        });
        // It stands in every such message; without it all of the gateway's would be meant.
        if realm.is_some() {
            self.sweeps.begin_realm(coa, realm, now.mono, AuditKind::Revoked, None);
        }
    }
}
