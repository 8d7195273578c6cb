//! Registrations of Mobile IPv4 as rows, one for each care-of address: they come behind all others.

use super::{Control, Filter, SLOTS_PER_PAGE, encapsulation};
use crate::addr::MnId;
use crate::admin::api::{BindingRow, Page};
use crate::mobility::action::{BindingId, BindingKind};
use crate::mobility::mip4::{CareOfBinding, Registration};
use crate::nic::FramePool;
use crate::time::Now;
use crate::wire::mip4::{RegistrationLifetime, RequestFlags};
use std::net::IpAddr;

impl<P: FramePool> Control<P> {
    /// Where a listing of all others goes on.
    pub(super) fn mip4_cursor(&self) -> Option<u64> {
        let first = BindingId::new(BindingKind::Home4, 0);
        (!self.anchor.mip4().is_empty()).then_some(first.0)
    }

    /// Of one node, whosever it is.
    pub(super) fn registrations_of(
        &self,
        mn_id: &MnId,
        filter: &Filter<'_>,
        now: Now,
    ) -> Vec<BindingRow> {
        let own = self.anchor.mip4().named(mn_id);
        own.flat_map(|r| self.mip4_rows(r, filter, now)).collect()
    }

    /// A page of them, behind the one that the cursor names.
    pub(super) fn mip4_page(
        &self,
        after: BindingId,
        limit: usize,
        filter: &Filter<'_>,
        now: Now,
    ) -> Page<BindingRow> {
        let mut rows = Vec::new();
        let mut last = after;
        for (seen, registration) in self.anchor.mip4().registrations(Some(after)).enumerate() {
            if rows.len() >= limit || seen == SLOTS_PER_PAGE {
                return Page { rows, next: Some(last.0) };
            }
            rows.extend(self.mip4_rows(registration, filter, now));
            last = registration.id;
        }
        Page { rows, next: None }
    }

    fn mip4_rows(&self, r: &Registration, filter: &Filter<'_>, now: Now) -> Vec<BindingRow> {
        let overlaps = |wanted| r.held().any(|p| p.covers(wanted) || wanted.covers(p));
        let passes = filter.customer.is_none_or(|customer| r.customer == customer)
            && filter.prefix.is_none_or(overlaps);
        let at = |b: &&CareOfBinding| {
            passes && filter.mag.is_none_or(|mag| b.care_of.to_ipv6_mapped() == mag)
        };
        r.bindings.iter().filter(at).map(|b| self.mip4_row(r, b, now)).collect()
    }

    fn mip4_row(&self, r: &Registration, b: &CareOfBinding, now: Now) -> BindingRow {
        let (encapsulation, udp_port) = encapsulation(b.encap);
        let udp_port = udp_port.filter(|_| !b.is_half_bound());
        let state = if b.is_half_bound() { "half-bound" } else { "active" };
        BindingRow {
            mn_id: r.mn_id.clone(),
            kind: "mip4".into(),
            home_address: None,
            customer: self.customers.get(&r.customer).cloned(),
            service: None,
            hnp: r.prefixes.iter().map(|p| p.prefix).collect(),
            ipv4: Some(r.home_address),
            default_router: None,
            proxy_coa: IpAddr::V4(b.care_of),
            mag: IpAddr::V4(b.src),
            encapsulation: encapsulation.into(),
            udp_port,
            downlink_key: None,
            uplink_key: None,
            access_network: None,
            state: state.into(),
            seq: None,
            flags: Some(flags(b.flags)),
            handoff: 0,
            att: 0,
            mn_ll_id: None,
            link_local: None,
            lifetime_s: seconds(b.lifetime),
            lifetime_left_s: seconds(b.remaining(now)),
            handoffs: 0,
            advertisement: None,
            counters: None,
        }
    }
}

fn seconds(lifetime: RegistrationLifetime) -> u32 {
    let time = lifetime.duration();
    time.map_or(u32::MAX, |t| u32::try_from(t.as_secs()).unwrap_or(u32::MAX))
}

/// The flags of a request by their letters (RFC 5944 3.3).
fn flags(flags: RequestFlags) -> String {
    let letters = [
        (RequestFlags::S, 'S'),
        (RequestFlags::B, 'B'),
        (RequestFlags::D, 'D'),
        (RequestFlags::M, 'M'),
        (RequestFlags::G, 'G'),
        (RequestFlags::T, 'T'),
    ];
    letters.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, letter)| letter).collect()
}
