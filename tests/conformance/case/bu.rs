//! The binding update of a node that moves by itself, and what the anchor is told of such nodes.

use super::{LMA, mn_id};
use crate::render::address;
use anchord::addr::{CustomerId, HomePrefix, MnId};
use anchord::mobility::ha::{
    HaConfig, HomeLink, HomeNode, Interworking, LinkAddress, LinkId, LinkPrefix, Proof,
};
use anchord::mobility::message::{OwnedOptions, Transport, UpdateMsg};
use anchord::time::{Duration, Lifetime};
use anchord::wire::mh::{BindingUpdate, BuFlags, MobilityOption, SeqNo};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A Binding Update without the P flag: a home registration of 60 seconds.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Bu {
    from: String,
    /// The Home Address option; empty: there is none.
    home: String,
    seq: u16,
    /// Seconds.
    lifetime: u32,
    /// Of A, H, L, K, R and F.
    flags: String,
    mn_id: Option<String>,
    alternate_coa: Option<String>,
    networks: Vec<HomePrefix>,
}

impl Default for Bu {
    fn default() -> Self {
        Self {
            from: "2001:db8:60::1".into(),
            home: "2001:db8:100::10".into(),
            seq: 1,
            lifetime: 60,
            flags: "AH".into(),
            mn_id: None,
            alternate_coa: None,
            networks: Vec::new(),
        }
    }
}

impl Bu {
    pub(super) fn message(&self) -> UpdateMsg {
        let id: Option<MnId> = self.mn_id.as_deref().map(mn_id);
        let id = id.as_ref().map(|m| MobilityOption::MnId(m.subtype(), m.bytes()));
        let care_of =
            self.alternate_coa.as_deref().map(|a| MobilityOption::AlternateCoa(address(a)));
        let networks = self.networks.iter().map(|p| MobilityOption::MobileNetworkPrefix(*p));
        let options: Vec<_> = id.into_iter().chain(care_of).chain(networks).collect();
        UpdateMsg {
            src: address(&self.from),
            dst: address(LMA),
            home: (!self.home.is_empty()).then(|| address(&self.home)),
            transport: Transport::Ipv6,
            update: BindingUpdate {
                seq: SeqNo(self.seq),
                flags: self.flags(),
                lifetime: Lifetime::at_most(Duration::from_secs(self.lifetime.into())),
            },
            options: OwnedOptions::from_options(&options).expect("options that fit"),
            header: Box::default(),
        }
    }

    fn flags(&self) -> BuFlags {
        let given = self.flags.chars().map(|f| match f {
            'A' => BuFlags::A,
            'H' => BuFlags::H,
            'L' => BuFlags::L,
            'K' => BuFlags::K,
            'R' => BuFlags::R,
            'F' => BuFlags::F,
            other => panic!("{other} is no flag of a case"),
        });
        given.fold(BuFlags::default(), |all, f| all | f)
    }
}

/// What the home link says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Probed {
    address: String,
    taken: bool,
}

impl Probed {
    pub(super) fn address(&self) -> LinkAddress {
        LinkAddress { link: LinkId(0), address: address(&self.address) }
    }

    pub(super) const fn taken(&self) -> bool {
        self.taken
    }
}

/// The `[config.home]` of a case: a home agent with one home link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Home {
    link: HomePrefix,
    /// Whether a port has the link: then it is probed and defended.
    attached: bool,
    combined: bool,
    /// Seconds.
    valid: Option<u32>,
    preferred: Option<u32>,
    /// Node to its home address; empty: any in a prefix of its own.
    nodes: BTreeMap<String, String>,
    /// Node to the networks that move with it.
    networks: BTreeMap<String, Vec<HomePrefix>>,
}

impl Default for Home {
    fn default() -> Self {
        Self {
            link: "2001:db8:100::/64".parse().expect("a prefix"),
            attached: false,
            combined: false,
            valid: None,
            preferred: None,
            nodes: BTreeMap::new(),
            networks: BTreeMap::new(),
        }
    }
}

impl Home {
    pub(super) fn config(&self) -> HaConfig {
        let node = |(name, home): (&String, &String)| HomeNode {
            mn_id: mn_id(name),
            customer: CustomerId(0),
            home_address: (!home.is_empty()).then(|| address(home)),
            ipv4_home_address: None,
            mobile_networks: self.networks.get(name).cloned().unwrap_or_default(),
            proof: Proof::Nothing,
        };
        let link = HomeLink {
            customer: CustomerId(0),
            prefixes: vec![LinkPrefix {
                prefix: self.link,
                address: None,
                valid_lifetime_s: self.valid,
                preferred_lifetime_s: self.preferred,
            }],
            per_node_len: None,
            id: self.attached.then_some(LinkId(0)),
            preference: 0,
        };
        HaConfig {
            enabled: true,
            address: address(LMA),
            links: vec![link],
            nodes: self.nodes.iter().map(node).collect(),
            interworking: if self.combined {
                Interworking::Combined
            } else {
                Interworking::Independent
            },
            ..HaConfig::default()
        }
    }
}
