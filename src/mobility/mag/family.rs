//! What happens to a session while it is bound, beside refreshing and leaving: one family comes or
//! goes (RFC 5844 3.2.3.3), or the anchor's state is gone (RFC 5847 3).

use crate::mobility::mag::ack::Verdict;
use crate::mobility::mag::action::{Action, AuditKind};
use crate::mobility::mag::event::Family;
use crate::mobility::mag::exchange::{Ask, Exchange, Release};
use crate::mobility::mag::session::{Binding, Care, OfBinding, State};
use crate::mobility::mag::transition::Cx;

impl Cx<'_> {
    pub(super) fn of_binding(&mut self, mut b: Binding, care: Care, what: OfBinding) -> State {
        match what {
            OfBinding::WantIpv4 => self.want_ipv4(b, care),
            OfBinding::Release(family) => self.release(b, care, family),
            OfBinding::Revoked => {
                self.audit(AuditKind::Revoked);
                self.unbind(&b, true);
                State::Gone
            }
            OfBinding::Ipv4Revoked => {
                self.audit(AuditKind::Revoked);
                self.s.want.ipv4 = None;
                if b.prefixes.is_empty() {
                    self.unbind(&b, true);
                    return State::Gone;
                }
                self.unbind_family(&mut b, Family::Ipv4);
                State::Bound(b, care)
            }
            OfBinding::Challenged(challenge) => self.challenged(b, care, challenge),
            // RFC 5847 3.2: established again, while the packets still go where they went.
            OfBinding::AnchorRestarted => {
                let mut x = Exchange::new(self.registration(), self.now.mono);
                self.transmit_if_due(&mut x);
                State::Bound(b, Care::Refreshing(x))
            }
            // RFC 5847 3: the entry is invalid; it is asked for until the anchor is back.
            OfBinding::AnchorLost => {
                self.unbind(&b, true);
                self.registering()
            }
        }
    }

    /// RFC 5844 3.2.3.3: asked for later than the prefixes.
    fn want_ipv4(&mut self, b: Binding, care: Care) -> State {
        let allowed = self.s.attachment.node.ipv4.filter(|_| !self.s.want.ipv4_denied);
        match allowed {
            Some(home) if b.ipv4.is_none() && self.s.want.ipv4.is_none() => {
                self.s.want.ipv4 = Some(home);
                self.refreshing(b, None)
            }
            _ => State::Bound(b, care),
        }
    }

    fn release(&mut self, mut b: Binding, care: Care, family: Family) -> State {
        let (release, is_all) = match (family, b.ipv4) {
            (Family::Ipv4, Some(lease)) => (Release::Ipv4(lease.home), b.prefixes.is_empty()),
            (Family::Ipv6, ipv4) if !b.prefixes.is_empty() => (Release::Ipv6, ipv4.is_none()),
            (Family::Ipv4 | Family::Ipv6, _) => return State::Bound(b, care),
        };
        if is_all {
            self.unbind(&b, true);
            return self.deregistering();
        }
        self.unbind_family(&mut b, family);
        match family {
            Family::Ipv4 => self.s.want.ipv4 = None,
            Family::Ipv6 => self.s.want.ipv6 = false,
        }
        let mut x = Exchange::new(Ask::deregistration(Some(release)), self.now.mono);
        self.transmit_if_due(&mut x);
        State::Bound(b, Care::Refreshing(x))
    }

    pub(super) fn release_answered(
        &mut self,
        b: Binding,
        x: Exchange,
        family: Family,
        verdict: &Verdict,
    ) -> State {
        match verdict {
            Verdict::Accepted(_) => {
                self.audit(AuditKind::Released(family));
                State::Bound(b, Care::Steady)
            }
            Verdict::Refused(_) => {
                self.audit_unaccepted(verdict);
                State::Bound(b, Care::Steady)
            }
            Verdict::EchoDiffers | Verdict::Ignored(_) => {
                self.audit_unaccepted(verdict);
                State::Bound(b, Care::Refreshing(x))
            }
        }
    }

    /// The tunnel carries longer or shorter packets: the node is told (RFC 5213 6.9.5).
    pub(super) fn follow_mtu(&mut self, b: &mut Binding) {
        let link = self.s.attachment.link;
        let mtu = self.shared.tunnel_mtu(b.path).min(link.mtu);
        if let Some(lease) = &mut b.ipv4
            && lease.mtu != mtu
        {
            lease.mtu = mtu;
            self.actions.push(Action::ConfigureIpv4 { link: link.id, lease: *lease });
        }
        self.advertise(b);
    }
}
