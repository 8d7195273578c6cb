//! Home Agent Switch, MH type 12 (RFC 5142 section 4).
//!
//! ```text
//!                                  +---------------+---------------+
//!                                  |# of Addresses |   Reserved    |
//!  +---------------+---------------+---------------+---------------+
//!  |              Home Agent Addresses, 16 bytes each              |
//! ```

use super::MessageData;
use crate::wire::{Result, field, octet};
use serde::{Deserialize, Serialize};
use std::net::Ipv6Addr;

/// A Home Agent Switch without its options: the node has to look for another home agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HomeAgentSwitch {
    /// How many addresses there are on the wire; we keep the first ones.
    count: u8,
    agents: [Option<Ipv6Addr>; HomeAgentSwitch::AGENTS_MAX],
}

impl HomeAgentSwitch {
    /// Addresses that are named at most, and kept of those that are read: a node takes the first.
    pub const AGENTS_MAX: usize = 4;

    /// Names other home agents, the best first; those beyond [`Self::AGENTS_MAX`] are left out.
    #[must_use]
    pub fn new(agents: &[Ipv6Addr]) -> Self {
        let mut this = Self::default();
        for (place, agent) in this.agents.iter_mut().zip(agents) {
            *place = Some(*agent);
            this.count += 1;
        }
        this
    }

    /// The home agents that it names; none: the node has to discover one.
    pub fn agents(&self) -> impl Iterator<Item = Ipv6Addr> + '_ {
        self.agents.iter().flatten().copied()
    }
}

impl MessageData for HomeAgentSwitch {
    const MH_TYPE: u8 = 12;
    const LEN: usize = 2;

    fn parse_data(data: &[u8]) -> Result<Self> {
        let count = octet(data, 0)?;
        let mut agents = [None; Self::AGENTS_MAX];
        for (n, place) in agents.iter_mut().enumerate().take(count.into()) {
            *place = Some(field::<16>(data, Self::LEN + ADDRESS_LEN * n)?.into());
        }
        Ok(Self { count, agents })
    }

    fn emit_data(&self, data: &mut [u8]) {
        if let [count, _reserved, addresses @ ..] = data {
            *count = self.count;
            for (place, agent) in addresses.chunks_exact_mut(ADDRESS_LEN).zip(self.agents()) {
                place.copy_from_slice(&agent.octets());
            }
        }
    }

    fn data_len(&self) -> usize {
        Self::LEN + ADDRESS_LEN * usize::from(self.count)
    }
}

const ADDRESS_LEN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Lifetime;
    use crate::wire::ErrorKind;
    use crate::wire::mh::{Message, MobilityOption};

    const AGENT: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);

    // proves: HASWITCH-4-2, HASWITCH-4-3, HASWITCH-5.1-1, HASWITCH-5.1-3, HASWITCH-5.1-4
    #[test]
    fn message_has_as_many_addresses_as_it_says_and_options_behind_them() {
        let mut buf = [0xa5; 64];
        let empty = HomeAgentSwitch::new(&[]);
        assert_eq!(empty.emit_in_udp(&[], &mut buf), Ok(8));
        assert_eq!(buf[..8], [59, 0, 12, 0, 0, 0, 0, 0]);
        let one = HomeAgentSwitch::new(&[AGENT]);
        let options = [MobilityOption::RefreshAdvice(Lifetime(15))];
        let len = one.emit_in_udp(&options, &mut buf).expect("fits");
        let mut expected = vec![59, 3, 12, 0, 0, 0, 1, 0];
        expected.extend(AGENT.octets());
        expected.extend([2, 2, 0, 15, 1, 2, 0, 0]);
        assert_eq!(buf[..len], expected);
        let read = Message::parse_in_udp(&expected).expect("valid");
        assert!(matches!(read, Message::Switch(m, o) if m == one && o.iter().eq(options)));
        expected[7] = 0xff;
        let read = Message::parse_in_udp(&expected).expect("reserved bits are ignored");
        assert!(matches!(read, Message::Switch(m, _) if m == one));
    }

    #[test]
    fn addresses_beyond_those_that_are_kept_are_stepped_over_and_cut_ones_refused() {
        let many = HomeAgentSwitch::new(&[AGENT; 9]);
        assert_eq!(many.agents().count(), HomeAgentSwitch::AGENTS_MAX);
        let mut bytes = vec![59, 12, 12, 0, 0, 0, 6, 0];
        (0..6).for_each(|_| bytes.extend(AGENT.octets()));
        let read = Message::parse_in_udp(&bytes).expect("valid");
        assert!(matches!(read, Message::Switch(m, _) if m.agents().count() == 4));
        bytes[6] = 7;
        let e = Message::parse_in_udp(&bytes).map_err(|e| e.kind);
        assert_eq!(e, Err(ErrorKind::HeaderLen));
        bytes[6] = 255;
        bytes.truncate(24);
        bytes[1] = 2;
        assert!(Message::parse_in_udp(&bytes).is_err());
    }
}
