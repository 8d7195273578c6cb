//! Customers: whom each name, service, realm and gateway belongs to.

use super::{Root, each, unique};
use crate::config::{Customer, Mag, Pool, Port, PortRole, Service};
use std::collections::HashMap;

/// Names and numbers are there once, what selects a customer selects one, and whoever is named is
/// there.
pub(in crate::config) fn customers(
    root: Root<'_, '_>,
    customers: &[Option<Customer>],
    ports: &[Option<Port>],
    pools: &[Option<Pool>],
    services: &[Option<Service>],
    mags: &[Option<Mag>],
) {
    unique(root, customers, "customer", "name", |c| Some(c.name.clone()));
    unique(root, customers, "customer", "id", |c| Some(c.id.0));
    unique(root, services, "service", "name", |s| Some(s.name.clone()));
    realms(root, customers);
    if mags.iter().all(Option::is_some) {
        for (i, customer) in each(customers) {
            for (k, name) in customer.mags.iter().enumerate() {
                if !each(mags).any(|(_, m)| m.name == *name) {
                    let path = format!("customer[{i}].mags[{k}]");
                    root.fault(&path, format!("{name:?} is no [[mag]]"));
                }
            }
        }
    }
    for (i, port) in each(ports) {
        let path = format!("port[{i}].customer");
        if port.customer.is_some() && port.role == PortRole::Access {
            root.fault(&path, "stands at a port with role access: gateways are in our own network");
        }
        exists(root, customers, &path, port.customer.as_deref());
    }
    for (i, pool) in each(pools) {
        exists(root, customers, &format!("pool[{i}].customer"), pool.customer.as_deref());
    }
    for (i, service) in each(services) {
        exists(root, customers, &format!("service[{i}].customer"), service.customer.as_deref());
    }
    for (i, mag) in each(mags) {
        exists(root, customers, &format!("mag[{i}].customer"), mag.customer.as_deref());
    }
}

/// Each realm is one customer's.
fn realms(root: Root<'_, '_>, customers: &[Option<Customer>]) {
    let mut first: HashMap<&str, String> = HashMap::new();
    for (i, customer) in each(customers) {
        for (k, realm) in customer.realms.iter().enumerate() {
            let path = format!("customer[{i}].realms[{k}]");
            if let Some(first) = first.get(realm.as_str()) {
                root.fault(&path, format!("{realm} is already at {first}"));
            } else {
                first.insert(realm, path);
            }
        }
    }
}

fn exists(root: Root<'_, '_>, customers: &[Option<Customer>], path: &str, name: Option<&str>) {
    // One that could not be read may be the one that is named.
    if let Some(name) = name
        && customers.iter().all(Option::is_some)
        && !each(customers).any(|(_, c)| c.name == name)
    {
        let names: Vec<&str> = each(customers).map(|(_, c)| c.name.as_str()).collect();
        root.fault(path, format!("{name:?} is no customer (there is: {})", names.join(", ")));
    }
}
