//! Customers: whose node it is, in whose address space its session is, and what applies to it.
//!
//! ```text
//!   realm of the NAI, else the gateway    -> home      : its policy, gateways, keys
//!   service that was selected (RFC 5149)  -> customer  : address space, limit; else that of home
//! ```

use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId};
use crate::mobility::auth::AuthKey;
use crate::mobility::config::{CustomerConfig, GrePolicy, Profile, ServiceConfig, Standing};
use crate::mobility::question::Grant;
use crate::wire::mh::{DhcpSupportMode, Status};
use hashbrown::HashMap;
use std::net::Ipv6Addr;

/// All customers and services.
#[derive(Debug, Default)]
pub(crate) struct Customers {
    all: Vec<Customer>,
    /// By realm, in lower case.
    realms: HashMap<Box<[u8]>, CustomerId>,
    services: Vec<ServiceConfig>,
}

/// One customer, and how many sessions are in its address space.
#[derive(Debug, Default)]
struct Customer {
    config: CustomerConfig,
    bindings: usize,
}

/// What applies to a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    pub(crate) home: CustomerId,
    pub(crate) customer: CustomerId,
    pub(crate) service: Option<&'a ServiceConfig>,
    pub(crate) profile: &'a Profile,
    /// The node's own prefixes in this address space.
    pub(crate) own: &'a [HomePrefix],
    /// The policy store said so: nobody has kept its prefixes from being given to others.
    pub(crate) granted: bool,
}

impl Customers {
    pub(crate) fn new(customers: Vec<CustomerConfig>, services: Vec<ServiceConfig>) -> Self {
        let mut realms = HashMap::new();
        for (id, customer) in (0_u16..).zip(&customers) {
            for realm in &customer.realms {
                realms.insert(realm.to_ascii_lowercase().into_bytes().into(), CustomerId(id));
            }
        }
        let all = customers.into_iter().map(|config| Customer { config, bindings: 0 }).collect();
        Self { all, realms, services }
    }

    /// Goes on with the customers of `new`, which has the old ones afterwards.
    pub(crate) fn take_over(&mut self, new: &mut Self) {
        // Those that are nobody's any more have no nodes, but sessions that still end.
        let count = self.all.len().max(new.all.len());
        new.all.resize_with(count, Customer::default);
        for (new, old) in new.all.iter_mut().zip(&self.all) {
            new.bindings = old.bindings;
        }
        std::mem::swap(self, new);
    }

    /// Whose node it is: by the realm of its NAI, else `otherwise`.
    pub(crate) fn home(&self, mn_id: &MnId, otherwise: CustomerId) -> CustomerId {
        if self.realms.is_empty() {
            return otherwise;
        }
        let Some(realm) = mn_id.realm() else { return otherwise };
        let mut lower = [0; MnId::MAX_LEN];
        let Some(lower) = lower.get_mut(..realm.len()) else { return otherwise };
        lower.copy_from_slice(realm);
        lower.make_ascii_lowercase();
        self.realms.get(lower).copied().unwrap_or(otherwise)
    }

    /// Whether a gateway may register nodes of a customer.
    pub(crate) fn admits(&self, home: CustomerId, mag: Ipv6Addr) -> bool {
        let mags = self.get(home).map_or(&[][..], |c| &c.config.mags);
        mags.is_empty() || mags.contains(&mag)
    }

    /// What is known of a node.
    fn standing(&self, home: CustomerId, mn_id: &MnId) -> Standing<'_> {
        // An identifier of zero length identifies nobody.
        let policy = self.get(home).filter(|_| !mn_id.bytes().is_empty()).map(|c| &c.config.policy);
        policy.map_or(Standing::Unserved, |p| p.lookup(mn_id))
    }

    /// The prefixes that are a node's own by configuration.
    pub(crate) fn own(&self, home: CustomerId, mn_id: &MnId) -> &[HomePrefix] {
        match self.standing(home, mn_id) {
            Standing::Known(_, own) => own,
            Standing::Unserved | Standing::Asked => &[],
        }
    }

    /// Whether the policy store has to be asked for a node.
    pub(crate) fn is_asked(&self, home: CustomerId, mn_id: &MnId) -> bool {
        // Where there is none, no time is spent to know it.
        self.get(home).is_some_and(|c| c.config.policy.asks())
            && self.standing(home, mn_id) == Standing::Asked
    }

    /// In whose address space a session is for which `service` is selected, if that is allowed.
    pub(crate) fn space(&self, home: CustomerId, service: Option<&[u8]>) -> CustomerId {
        let service = service.and_then(|name| self.services.get(self.service_place(name)?));
        service.and_then(|s| s.customer).unwrap_or(home)
    }

    /// The place of a service among all.
    pub(crate) fn service_place(&self, name: &[u8]) -> Option<usize> {
        self.services.iter().position(|s| s.name.as_bytes() == name)
    }

    /// The places of all services.
    pub(crate) fn service_places(&self) -> impl Iterator<Item = u16> {
        (0..).take(self.services.len())
    }

    /// What answers of the policy store about a customer's nodes begin with.
    pub(crate) fn base_profile(&self, home: CustomerId) -> Option<&Profile> {
        self.get(home)?.config.policy.for_unnamed()
    }

    /// What applies to a node that selected `service`, or none (RFC 5213 5.3.1 (7), (8), RFC 5149
    /// 4.2); `grant` is what the policy store said of it.
    pub(crate) fn terms<'a>(
        &'a self,
        home: CustomerId,
        mn_id: &MnId,
        service: Option<&[u8]>,
        grant: Option<&'a Grant>,
    ) -> Result<Terms<'a>, Status> {
        let (profile, own, granted) = match (grant, self.standing(home, mn_id)) {
            (Some(grant), _) => (&grant.profile, &*grant.own, true),
            (None, Standing::Known(profile, own)) => (profile, own, false),
            (None, Standing::Unserved) => return Err(Status::NOT_LMA_FOR_THIS_MOBILE_NODE),
            // Whoever comes here has not asked, and cannot wait.
            (None, Standing::Asked) => return Err(Status::INSUFFICIENT_RESOURCES),
        };
        if !profile.enabled {
            return Err(Status::PROXY_REG_NOT_ENABLED);
        }
        let plain = Terms { home, customer: home, service: None, profile, own, granted };
        let Some(name) = service else { return Ok(plain) };
        let may = |place: &u16| self.services.get(usize::from(*place));
        let service = profile.services.iter().filter_map(may).find(|s| s.name.as_bytes() == name);
        let service = service.ok_or(Status::SERVICE_AUTHORIZATION_FAILED)?;
        let customer = service.customer.unwrap_or(home);
        let of_customer = self.get(customer).and_then(|c| c.config.policy.for_unnamed());
        let profile = match (&service.profile, customer == home) {
            (Some(profile), _) => profile,
            (None, true) => profile,
            (None, false) => of_customer.ok_or(Status::SERVICE_AUTHORIZATION_FAILED)?,
        };
        let own = if customer == home { own } else { &[] };
        Ok(Terms { customer, service: Some(service), profile, own, ..plain })
    }

    /// Whether a policy store has to be asked for nodes of any customer.
    pub(crate) fn asks(&self) -> bool {
        self.all.iter().any(|c| c.config.policy.asks())
    }

    /// The prefixes that belong to nodes by configuration.
    pub(crate) fn own_prefixes(&self) -> impl Iterator<Item = CustomerPrefix> + '_ {
        (0_u16..).zip(&self.all).flat_map(|(id, customer)| {
            let own = customer.config.policy.static_prefixes();
            own.map(move |prefix| prefix.of(CustomerId(id)))
        })
    }

    /// Whether a customer has room for another session.
    pub(crate) fn has_room(&self, customer: CustomerId) -> bool {
        self.get(customer).is_some_and(|c| c.bindings < c.config.max_bindings)
    }

    /// How many sessions each customer has in its address space, and how many it may have.
    pub(crate) fn usage(&self) -> impl Iterator<Item = (CustomerId, usize, usize)> + '_ {
        let usage = |(id, c): (u16, &Customer)| (CustomerId(id), c.bindings, c.config.max_bindings);
        (0..).zip(&self.all).map(usage)
    }

    /// Notes that a session begins in a customer's address space; one that was restored may be of a
    /// customer who is not there any more, or again later.
    pub(crate) fn enter(&mut self, customer: CustomerId) {
        let place = usize::from(customer.0);
        if place >= self.all.len() {
            self.all.resize_with(place + 1, Customer::default);
        }
        if let Some(c) = self.get_mut(customer) {
            c.bindings += 1;
        }
    }

    /// Notes that one ends.
    pub(crate) fn leave(&mut self, customer: CustomerId) {
        if let Some(c) = self.get_mut(customer) {
            c.bindings = c.bindings.saturating_sub(1);
        }
    }

    pub(crate) fn gre(&self, customer: CustomerId) -> GrePolicy {
        self.get(customer).map_or_else(GrePolicy::default, |c| c.config.gre)
    }

    pub(crate) fn auth(&self, home: CustomerId) -> &[AuthKey] {
        self.get(home).map_or(&[], |c| &c.config.auth)
    }

    pub(crate) fn dhcp_mode(&self, customer: CustomerId) -> Option<DhcpSupportMode> {
        self.get(customer)?.config.dhcp_mode
    }

    fn get(&self, id: CustomerId) -> Option<&Customer> {
        self.all.get(usize::from(id.0))
    }

    fn get_mut(&mut self, id: CustomerId) -> Option<&mut Customer> {
        self.all.get_mut(usize::from(id.0))
    }
}
