//! What the policy store says, in the numbers of the pure core.

use crate::addr::CustomerId;
use crate::config::{Families, NodeEntry};
use crate::mobility::config::{Profile, Source};
use crate::mobility::question::Grant;
use crate::mobility::{Lma, PoolUsage};

/// A node of this customer; what is left out is that of its default. `names` are those of the
/// pools, in the order of the pure core's.
pub(super) fn read(
    entry: &NodeEntry,
    home: CustomerId,
    lma: &Lma,
    names: &[String],
) -> Result<Grant, String> {
    let base = lma.base_profile(home).ok_or("nodes of this customer are not asked for")?;
    let pools = || {
        let all = names.iter().zip(lma.pools()).enumerate();
        all.filter(|(_, (_, pool))| pool.customer == home)
    };
    let source = |ipv4: bool, name: &Option<String>, base: Source| match name {
        Some(name) => {
            let fits = |p: &PoolUsage| p.prefix.to_ipv4().is_some() == ipv4;
            let place = pools().find(|(_, (n, pool))| *n == name && fits(pool));
            let place = place.map(|(place, _)| Source::Pool(place));
            place.ok_or_else(|| format!("{name:?} is no pool of this customer and family"))
        }
        // A family that the default denies, and this node is granted, comes from its first pool.
        None if base == Source::Denied => {
            let first = pools().find(|(_, (_, p))| p.prefix.to_ipv4().is_some() == ipv4);
            Ok(first.map_or(Source::Own, |(place, _)| Source::Pool(place)))
        }
        None => Ok(base),
    };
    let families = entry.families.unwrap_or(match (base.ipv6, base.ipv4) {
        (Source::Denied, _) => Families::Ipv4,
        (_, Source::Denied) => Families::Ipv6,
        _ => Families::Both,
    });
    let ipv6 = source(false, &entry.pool, base.ipv6)?;
    let ipv4 = source(true, &entry.pool_ipv4, base.ipv4)?;
    let services = match &entry.services {
        None => base.services.clone(),
        Some(named) => {
            let place =
                |n: &String| lma.service_place(n).ok_or_else(|| format!("{n:?} is no [[service]]"));
            named.iter().map(place).collect::<Result<_, _>>()?
        }
    };
    for own in &entry.own {
        let lies_in =
            |p: &PoolUsage| p.customer == home && (p.prefix.covers(*own) || own.covers(p.prefix));
        if let Some(pool) = lma.pools().find(lies_in).filter(|p| p.delegated_len != own.len()) {
            let what = "whose prefixes are of another length";
            return Err(format!("{own} lies in the pool {}, {what}", pool.prefix));
        }
    }
    let profile = Profile {
        enabled: entry.enabled.unwrap_or(base.enabled),
        ipv6: if families == Families::Ipv4 { Source::Denied } else { ipv6 },
        ipv4: if families == Families::Ipv6 { Source::Denied } else { ipv4 },
        prefixes: entry.prefixes.unwrap_or(base.prefixes),
        max_lifetime: entry.max_lifetime.unwrap_or(base.max_lifetime),
        refresh_percent: entry.refresh_percent.unwrap_or(base.refresh_percent),
        services,
    };
    Ok(Grant { profile, own: entry.own.as_slice().into() })
}
