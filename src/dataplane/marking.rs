//! DSCP and ECN at both ends of a tunnel (RFC 2983, RFC 6040).
//!
//! ```text
//!             entry: packet -> tunnel packet     exit: tunnel packet -> packet
//!   uniform   DSCP copied                        DSCP copied
//!   pipe      DSCP copied, or one for all        DSCP of the packet itself
//!   a customer with a DSCP of its own: as pipe, with that one
//!   ECN       copied, or (compatibility) zero    the table of RFC 6040
//! ```

use super::decap::ecn;
use super::worker::TunnelPolicy;
use crate::addr::CustomerId;

/// Whether routers on the way to a gateway may mark congestion (RFC 6040 section 4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EcnMode {
    /// They may: the ECN field is copied.
    #[default]
    Normal,
    /// They must not, since a gateway would lose the mark: the field is zero.
    Compatibility,
}

/// What the DSCPs of a packet and of the tunnel packet have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DscpModel {
    /// There is one, and a router in the tunnel changes both (RFC 2983 section 3.1).
    Uniform,
    /// There are two (RFC 2983 section 3.2): that of tunnel packets is this one or, without one,
    /// that of the packet; the packet's own comes out as it went in.
    Pipe(Option<u8>),
}

impl Default for DscpModel {
    fn default() -> Self {
        Self::Pipe(None)
    }
}

const DSCP: u8 = 0b1111_1100;
const ECN: u8 = 0b11;

/// What becomes of the traffic class (of IPv4 the type of service) of a customer's packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marking {
    /// Bits that a tunnel packet has from its packet.
    keep: u8,
    /// Bits that it has always.
    set: u8,
    /// Bits that a packet has from its tunnel packet.
    copy_back: u8,
}

impl Marking {
    fn new(ecn: EcnMode, dscp: DscpModel) -> Self {
        let ecn = if ecn == EcnMode::Normal { ECN } else { 0 };
        match dscp {
            DscpModel::Uniform => Self { keep: DSCP | ecn, set: 0, copy_back: DSCP },
            DscpModel::Pipe(None) => Self { keep: DSCP | ecn, set: 0, copy_back: 0 },
            DscpModel::Pipe(Some(dscp)) => Self { keep: ecn, set: dscp << 2, copy_back: 0 },
        }
    }

    /// The traffic class of a tunnel packet with a packet of this one.
    pub(super) const fn outer(self, inner: u8) -> u8 {
        inner & self.keep | self.set
    }

    /// That of a packet that comes out of a tunnel packet; `None`: it is dropped.
    pub(super) const fn inner(self, inner: u8, outer: u8) -> Option<u8> {
        let Some(ecn) = ecn(inner & ECN, outer & ECN) else { return None };
        Some(inner & DSCP & !self.copy_back | outer & self.copy_back | ecn)
    }

    /// Whether a packet comes out of a tunnel packet of the second one as it went in.
    #[inline(always)]
    #[allow(clippy::inline_always)] // half a dozen instructions
    pub(super) const fn keeps(self, inner: u8, outer: u8) -> bool {
        let both = (inner & ECN) << 2 | outer & ECN;
        (inner ^ outer) & self.copy_back == 0 && KEEPS_ECN >> both & 1 != 0
    }
}

/// By both ECN fields, the inner one first, whether that stays what it is ([`ecn`]).
const KEEPS_ECN: u16 = {
    let (mut keeps, mut both) = (0, 0);
    while both < 16 {
        let inner = both >> 2;
        if matches!(ecn(inner, both & ECN), Some(out) if out == inner) {
            keeps |= 1 << both;
        }
        both += 1;
    }
    keeps
};

/// The markings of all customers.
#[derive(Debug)]
pub(super) struct Markings {
    general: Marking,
    /// By the customer's number; those behind the end have the general one.
    of_customer: Box<[Marking]>,
}

impl Markings {
    pub(super) fn new(policy: &TunnelPolicy) -> Self {
        let general = Marking::new(policy.ecn, policy.dscp);
        let count = policy.customer_dscp.iter().map(|(c, _)| usize::from(c.0) + 1).max();
        let mut of_customer = vec![general; count.unwrap_or(0)];
        for (customer, dscp) in &policy.customer_dscp {
            let own = Marking::new(policy.ecn, DscpModel::Pipe(Some(*dscp)));
            of_customer[usize::from(customer.0)] = own;
        }
        Self { general, of_customer: of_customer.into_boxed_slice() }
    }

    pub(super) fn of(&self, customer: CustomerId) -> Marking {
        self.of_customer.get(usize::from(customer.0)).copied().unwrap_or(self.general)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marking(ecn: EcnMode, dscp: DscpModel) -> Marking {
        Marking::new(ecn, dscp)
    }

    // proves: ECN-4.1-1, ECN-4.1-2, ECN-4.3-1, ECN-4.3-2
    #[test]
    fn entry_copies_ecn_in_normal_mode_and_clears_it_in_compatibility_mode() {
        for class in 0..=255 {
            let normal = marking(EcnMode::Normal, DscpModel::Uniform);
            assert_eq!(normal.outer(class), class);
            let compatible = marking(EcnMode::Compatibility, DscpModel::Uniform);
            assert_eq!(compatible.outer(class), class & DSCP);
        }
    }

    #[test]
    fn packet_is_kept_if_it_comes_out_with_the_traffic_class_that_it_had() {
        for model in [DscpModel::Uniform, DscpModel::Pipe(None), DscpModel::Pipe(Some(7))] {
            let marking = marking(EcnMode::Normal, model);
            for (inner, outer) in (0..=255).flat_map(|inner| (0..=255).map(move |o| (inner, o))) {
                let is_kept = marking.inner(inner, outer) == Some(inner);
                assert_eq!(marking.keeps(inner, outer), is_kept, "{model:?} {inner:x} {outer:x}");
            }
        }
    }

    // RFC 2983 3.1, 3.2
    #[test]
    fn dscp_is_one_in_the_uniform_model_and_two_in_the_pipe_model() {
        let (inner, outer) = (0x28 << 2, 0x2e << 2);
        for (model, down, up) in [
            (DscpModel::Uniform, inner, outer),
            (DscpModel::Pipe(None), inner, inner),
            (DscpModel::Pipe(Some(0x0a)), 0x0a << 2, inner),
            (DscpModel::Pipe(Some(0)), 0, inner),
        ] {
            let marking = marking(EcnMode::Normal, model);
            for ecn in 0..4 {
                assert_eq!(marking.outer(inner | ecn), down | ecn, "{model:?}");
                assert_eq!(marking.inner(inner | ecn, outer | ecn), Some(up | ecn), "{model:?}");
            }
        }
    }

    // The mode is the entry's: the exit is the same in both (RFC 6040 4.2).
    #[test]
    fn exit_follows_the_ecn_table_in_every_mode_and_model() {
        for mode in [EcnMode::Normal, EcnMode::Compatibility] {
            for model in [DscpModel::Uniform, DscpModel::Pipe(None), DscpModel::Pipe(Some(7))] {
                for (inner, outer) in (0..4).flat_map(|inner| (0..4).map(move |o| (inner, o))) {
                    let out = marking(mode, model).inner(inner, outer);
                    assert_eq!(
                        out,
                        ecn(inner, outer),
                        "{mode:?} {model:?} {inner:02b} {outer:02b}"
                    );
                }
            }
        }
    }

    #[test]
    fn customer_with_a_dscp_of_its_own_has_it_in_the_tunnel_alone() {
        let policy = TunnelPolicy {
            dscp: DscpModel::Uniform,
            customer_dscp: vec![(CustomerId(2), 0x12)],
            ..TunnelPolicy::default()
        };
        let markings = Markings::new(&policy);
        let class = 0x2e << 2 | 1;
        for other in [0, 1, 3, 9] {
            assert_eq!(markings.of(CustomerId(other)).outer(class), class);
        }
        assert_eq!(markings.of(CustomerId(2)).outer(class), 0x12 << 2 | 1);
        assert_eq!(markings.of(CustomerId(2)).inner(class, 0x12 << 2 | 1), Some(class));
    }
}
