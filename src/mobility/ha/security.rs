//! Whose is a message, and may it be? The place where the state of IPsec decides, and where a
//! static table stands behind it.
//!
//! ```text
//!   home address, identifier, what the message proves  -->  node  |  silence  |  status
//! ```

use super::{HaConfig, HomeNode, Proof};
use crate::addr::{CustomerId, MnId, Protection};
use crate::mobility::auth::{Addresses, AuthKey};
use crate::mobility::message::UpdateMsg;
use crate::wire::mh::{AuthOption, MobilityOption, Status};
use hashbrown::HashMap;
use std::net::Ipv6Addr;

/// The nodes, by what their messages say of themselves.
#[derive(Debug, Default)]
pub(crate) struct NodeTable {
    nodes: Vec<HomeNode>,
    by_home: HashMap<Ipv6Addr, Vec<u32>>,
    by_id: HashMap<MnId, u32>,
}

/// Who sent a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) node: &'a HomeNode,
    /// The key by which the message is authentic, and by which it is answered.
    pub(crate) key: Option<&'a AuthKey>,
}

/// Why a message is nobody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unproven {
    /// It is discarded in silence.
    Silence,
    /// It is answered with this status: it is protected, or a key of ours is named.
    Refuse(Status),
}

impl NodeTable {
    pub(crate) fn new(config: &mut HaConfig) -> Self {
        let nodes = std::mem::take(&mut config.nodes);
        let (mut by_home, mut by_id) = (HashMap::<_, Vec<u32>>::new(), HashMap::new());
        for (place, node) in (0_u32..).zip(&nodes) {
            if let Some(home) = node.home_address {
                by_home.entry(home).or_default().push(place);
            }
            by_id.insert(node.mn_id.clone(), place);
        }
        Self { nodes, by_home, by_id }
    }

    /// Who sent `msg` about the binding of `home` to `care_of`. `owner` tells whose prefix an
    /// address lies in by the local mobility anchor's sessions: a node without a home address of
    /// its own is known by it.
    ///
    /// RFC 6275 5.1: the home address identifies the security association; RFC 4285 5.1: the SPI
    /// and the identifier identify the key.
    pub(crate) fn sender<'a>(
        &'a self,
        msg: &UpdateMsg,
        home: Ipv6Addr,
        care_of: Ipv6Addr,
        owner: impl Fn(Ipv6Addr) -> Option<(CustomerId, MnId)>,
    ) -> Result<Sender<'a>, Unproven> {
        let signed = msg.options.iter().any(|o| matches!(o, MobilityOption::MessageAuth(..)));
        let Some(node) = self.claimant(msg, home, &owner) else {
            // Someone with a security association, of whom we know nothing.
            let protected = msg.transport.is_protected();
            let status = Status::NOT_HOME_AGENT_FOR_THIS_MOBILE_NODE;
            return Err(if protected { Unproven::Refuse(status) } else { Unproven::Silence });
        };
        match &node.proof {
            Proof::Keys(keys) => {
                let key = verify(msg, keys, &Addresses { care_of, home })?;
                Ok(Sender { node, key: Some(key) })
            }
            // It claims to be authenticated by a key that we do not have (RFC 4285 5.1.1).
            _ if signed => Err(Unproven::Silence),
            Proof::Esp(_) if !msg.transport.is_protected() => Err(Unproven::Silence),
            // The association is that of the home address, not of the identifier.
            Proof::Esp(_) if node.home_address != Some(home) => {
                let its = owner(home).is_some_and(|(c, m)| c == node.customer && m == node.mn_id);
                if its { Ok(Sender { node, key: None }) } else { Err(Unproven::Silence) }
            }
            Proof::Esp(_) | Proof::Nothing => Ok(Sender { node, key: None }),
        }
    }

    /// Who a message says that it is from: what it says counts only if it proves that it may.
    fn claimant(
        &self,
        msg: &UpdateMsg,
        home: Ipv6Addr,
        owner: impl Fn(Ipv6Addr) -> Option<(CustomerId, MnId)>,
    ) -> Option<&HomeNode> {
        let named = msg.options.iter().find_map(|o| match o {
            MobilityOption::MnId(subtype, id) => MnId::new(subtype, id),
            _ => None,
        });
        match &named {
            Some(mn_id) => self.by_id(mn_id),
            None => self.by_home(home, owner),
        }
    }

    /// The key by which an answer to a message is authenticated, whatever else is wrong with it:
    /// the one that it names.
    pub(crate) fn key(
        &self,
        msg: &UpdateMsg,
        (home, spi): (Ipv6Addr, u32),
        owner: impl Fn(Ipv6Addr) -> Option<(CustomerId, MnId)>,
    ) -> Option<&AuthKey> {
        match &self.claimant(msg, home, owner)?.proof {
            Proof::Keys(keys) => keys.iter().find(|k| k.spi == spi),
            Proof::Esp(_) | Proof::Nothing => None,
        }
    }

    /// Whether a home address is that of another of a customer's nodes by configuration.
    pub(crate) fn is_of_another(&self, customer: CustomerId, mn_id: &MnId, home: Ipv6Addr) -> bool {
        let places = self.by_home.get(&home).map_or(&[][..], Vec::as_slice);
        let nodes = places.iter().filter_map(|place| self.nodes.get(usize::try_from(*place).ok()?));
        let mut of_customer = nodes.filter(|n| n.customer == customer);
        of_customer.any(|n| n.mn_id != *mn_id)
    }

    /// What of a node's tunnel is in ESP.
    pub(crate) fn protection(&self, mn_id: &MnId) -> Option<Protection> {
        match self.by_id(mn_id)?.proof {
            Proof::Esp(protection) => protection,
            Proof::Keys(_) | Proof::Nothing => None,
        }
    }

    /// A node by its identifier.
    pub(crate) fn by_id(&self, mn_id: &MnId) -> Option<&HomeNode> {
        self.nodes.get(usize::try_from(*self.by_id.get(mn_id)?).ok()?)
    }

    fn by_home(
        &self,
        home: Ipv6Addr,
        owner: impl Fn(Ipv6Addr) -> Option<(CustomerId, MnId)>,
    ) -> Option<&HomeNode> {
        // Customers may have the same addresses: then only an identifier tells them apart.
        if let Some([place]) = self.by_home.get(&home).map(Vec::as_slice) {
            return self.nodes.get(usize::try_from(*place).ok()?);
        }
        let (customer, mn_id) = owner(home)?;
        self.by_id(&mn_id).filter(|n| n.customer == customer)
    }
}

/// RFC 4285 5, 5.1.1: the key that the message names, if it is authentic by it.
fn verify<'a>(
    msg: &UpdateMsg,
    keys: &'a [AuthKey],
    about: &Addresses,
) -> Result<&'a AuthKey, Unproven> {
    let spi = msg.options.iter().find_map(|o| match o {
        MobilityOption::MessageAuth(AuthOption::MN_HA, spi, _) => Some(spi),
        _ => None,
    });
    let key = keys.iter().find(|k| Some(k.spi) == spi).ok_or(Unproven::Silence)?;
    let option = AuthOption::find(&msg.header, AuthOption::MN_HA).ok().flatten();
    let option = option.filter(|o| o.is_last).ok_or(Unproven::Silence)?;
    if !key.verifies(&option, &msg.header, about) {
        return Err(Unproven::Refuse(Status::MIPV6_AUTH_FAIL));
    }
    let replay = msg.options.iter().any(|o| matches!(o, MobilityOption::ReplayProtection(_)));
    if key.replay_window.is_some() && !replay {
        return Err(Unproven::Refuse(Status::MIPV6_MESG_ID_REQD));
    }
    Ok(key)
}
