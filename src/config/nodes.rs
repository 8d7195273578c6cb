//! The file of nodes: what each node may do, one a line, up to millions of lines.
//!
//! ```text
//! # mn_id, enabled, pool, prefixes, max_lifetime, static prefixes and IPv4 address,
//! #     families, pool_ipv4, customer, home address, mobile networks, authentication, mip4
//! mn1@example.org
//! mn2@example.org, yes, business, 2, 8h
//! mn3@example.org, yes, , , , 2001:db8:4000:7::/64 2001:db8:4000:8::/64 10.0.0.7
//! mn4@example.org, no
//! mn5, , , , , , ipv4, private, acme
//! mn6, , , , , , , , , 2001:db8:4000:9::1, 2001:db8:9000::/56, 256:mn6.key
//! mn7@example.org, , , , , 10.0.0.7, , , , , 2001:db8:9100::/56, , 256:mn7.key:nonce implicit
//! ```
//! A field that is empty or left out is that of `[policy.default]`. Nothing is kept here: each node
//! is handed on as it is read, so that the only table of a million nodes is that of its user.

use super::check;
use super::section::{PREFIXES_MAX, families_of};
use super::value::{lifetime_of, node_prefix_of};
use super::{Config, Customer, Fault, Faults, HomeNode, Mip4Keys, Profile};
use crate::addr::{CustomerId, CustomerPrefix, HomePrefix, MnId};
use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;

/// Reads `policy.nodes_file`, if there is one, and hands each node, whose it is, its profile and
/// its home to `each`.
/// Returns how many there were.
///
/// `each` has seen the nodes of the good lines also when faults are returned.
pub fn load_nodes(
    config: &Config,
    each: impl FnMut(MnId, CustomerId, &Profile, &HomeNode),
) -> Result<usize, Faults> {
    let Some(path) = &config.policy.nodes_file else { return Ok(0) };
    let bytes =
        std::fs::read(path).map_err(|e| Faults::one(path, "", &format!("cannot be read: {e}")))?;
    read(&bytes, path, config, each)
}

/// The same, of the bytes that stand for the file `path`.
fn read(
    bytes: &[u8],
    path: &Path,
    config: &Config,
    mut each: impl FnMut(MnId, CustomerId, &Profile, &HomeNode),
) -> Result<usize, Faults> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()].split(|b| *b == b'\n').count();
        Faults::new(path, vec![fault(line, "is not UTF-8 text".into())])
    })?;
    let default = config.policy.default.clone().unwrap_or_else(super::section::default_profile);
    let dir = path.parent().unwrap_or(Path::new(""));
    let mut report = Report::default();
    let mut lines: HashMap<&str, usize> = HashMap::new();
    let mut owners: Vec<(CustomerPrefix, usize)> = Vec::new();
    let mut profile = default.clone();
    for (line, entry) in text.lines().enumerate().map(|(i, l)| (i + 1, l.trim())) {
        if entry.is_empty() || entry.starts_with('#') {
            continue;
        }
        let name = entry.split(',').next().unwrap_or_default().trim_end();
        if let Some(first) = lines.insert(name, line) {
            report.note(line, format!("{name} stands in line {first} already"));
        }
        let parsed = parse_entry(entry, &default, &mut profile).and_then(|parsed| {
            let (mn_id, customer, rest) = parsed;
            let customer = customer_of(config, &mn_id, customer)?;
            let name = customer.map(|c| c.name.as_str());
            let home = HomeNode::parse(rest.split(',').map(str::trim), dir, config)?;
            home.reserve(&mut profile, name, config)?;
            check::profile(&profile, name, config)?;
            if home.mip4.is_some() {
                Mip4Keys::check(&mn_id, &profile, name, config)?;
            }
            Ok((mn_id, customer.map_or(CustomerId(0), |c| c.id), home))
        });
        match parsed {
            Ok((mn_id, customer, home)) => {
                let ipv4 = profile.static_ipv4.map(host_prefix);
                let own = profile.static_prefixes.iter().copied().chain(ipv4);
                let own = own.chain(home.own(&profile));
                owners.extend(own.map(|p| (p.of(customer), line)));
                each(mn_id, customer, &profile, &home);
            }
            Err(what) => report.note(line, what),
        }
    }
    report.shared(owners);
    report.finish(path).map(|()| lines.len())
}

/// Reads one line into `profile`; returns whose it is, the name of a customer if one is named, and
/// what is said of its home.
fn parse_entry<'e>(
    entry: &'e str,
    default: &Profile,
    profile: &mut Profile,
) -> Result<(MnId, Option<&'e str>, &'e str), String> {
    let mut whole = entry.splitn(FIELDS + 1, ',').map(str::trim);
    let mut fields = whole.by_ref().take(FIELDS);
    let name = fields.next().unwrap_or_default();
    let mn_id: MnId = name.parse().map_err(|e: crate::addr::MnIdError| e.to_string())?;
    let canonical = mn_id.to_string();
    if canonical != name {
        // One identifier, one spelling: else the same node could stand here twice.
        return Err(format!("{name:?} must be written as {canonical:?}"));
    }
    profile.clone_from(default);
    match fields.next().unwrap_or_default() {
        "" => {}
        "yes" => profile.enabled = true,
        "no" => profile.enabled = false,
        other => return Err(format!("enabled: {other:?} is neither yes nor no")),
    }
    match fields.next().unwrap_or_default() {
        "" => {}
        pool => profile.pool = Some(pool.into()),
    }
    match fields.next().unwrap_or_default() {
        "" => {}
        n => {
            profile.prefixes = (n.parse().ok().filter(|n| (1..=PREFIXES_MAX).contains(n)))
                .ok_or_else(|| format!("prefixes: {n:?} is not 1 to {PREFIXES_MAX}"))?;
        }
    }
    match fields.next().unwrap_or_default() {
        "" => {}
        time => {
            profile.max_lifetime = lifetime_of(time).map_err(|e| format!("max_lifetime: {e}"))?;
        }
    }
    for text in fields.next().unwrap_or_default().split_whitespace() {
        parse_static(text, profile)?;
    }
    if profile.static_prefixes.len() > usize::from(PREFIXES_MAX) {
        return Err(format!("has more than {PREFIXES_MAX} static prefixes"));
    }
    match fields.next().unwrap_or_default() {
        "" => {}
        text => profile.families = families_of(text).map_err(|e| format!("families: {e}"))?,
    }
    match fields.next().unwrap_or_default() {
        "" => {}
        pool => profile.pool_ipv4 = Some(pool.into()),
    }
    let customer = fields.next().filter(|name| !name.is_empty());
    let rest = whole.next().unwrap_or_default();
    if rest.split(',').count() > HOME_FIELDS {
        let most = FIELDS + HOME_FIELDS;
        return Err(format!("has more than {most} fields (static prefixes are parted by blanks)"));
    }
    Ok((mn_id, customer, rest))
}

/// Fields of a line before those of its home, and these.
const FIELDS: usize = 9;
const HOME_FIELDS: usize = 4;

/// Whose node it is: that of its realm, else of the customer who is named, else the operator's.
fn customer_of<'c>(
    config: &'c Config,
    mn_id: &MnId,
    named: Option<&str>,
) -> Result<Option<&'c Customer>, String> {
    let by_realm = config.customer_by_realm(mn_id);
    let Some(name) = named else { return Ok(by_realm) };
    let by_name = config.customers.iter().find(|c| c.name == name);
    match (by_name, by_realm) {
        (None, _) => Err(format!("customer: {name:?} is no [[customer]]")),
        (Some(c), Some(other)) if c.id != other.id => {
            Err(format!("customer: {mn_id} is of {}, by its realm, not of {name}", other.name))
        }
        (by_name, _) => Ok(by_name),
    }
}

/// A prefix or an IPv4 address that is the node's own.
fn parse_static(text: &str, profile: &mut Profile) -> Result<(), String> {
    let prefix = match text.parse::<Ipv4Addr>() {
        Ok(address) => node_prefix_of(&format!("{address}/32"))?,
        Err(_) => node_prefix_of(text)?,
    };
    match prefix.to_ipv4() {
        None if prefix.len() < 48 => Err(format!("static prefix {prefix} is larger than a /48")),
        None => {
            profile.static_prefixes.push(prefix);
            Ok(())
        }
        Some((address, 32)) if profile.static_ipv4.is_none() => {
            profile.static_ipv4 = Some(address);
            Ok(())
        }
        Some((_, 32)) => Err("has more than one IPv4 address".into()),
        Some(_) => Err(format!("{prefix} is no IPv4 address of one node")),
    }
}

/// An IPv4 address as the prefix that it is in every table.
fn host_prefix(address: Ipv4Addr) -> HomePrefix {
    HomePrefix::from_ipv4(address, 32).unwrap_or(HomePrefix::ALL_ZERO)
}

impl Config {
    /// The customer whose realm a node's identifier has.
    fn customer_by_realm(&self, mn_id: &MnId) -> Option<&Customer> {
        if mn_id.subtype() != MnId::NAI || self.customers.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(mn_id.bytes()).ok()?;
        let realm = text.rsplit_once('@')?.1.to_ascii_lowercase();
        self.customers.iter().find(|c| c.realms.contains(&realm))
    }
}

/// The first faults, and how many there were.
#[derive(Default)]
struct Report {
    first: Vec<Fault>,
    count: usize,
}

impl Report {
    /// The most faults that are reported with their line.
    const MAX: usize = 50;

    fn note(&mut self, line: usize, what: String) {
        self.count += 1;
        if self.first.len() < Self::MAX {
            self.first.push(fault(line, what));
        }
    }

    /// Notes each static prefix that overlaps another node's.
    fn shared(&mut self, mut owners: Vec<(CustomerPrefix, usize)>) {
        // By customer, first address, length: a prefix comes right before those it covers.
        owners.sort_unstable();
        let mut wide: Option<(CustomerPrefix, usize)> = None;
        for (owned @ CustomerPrefix { customer, prefix }, line) in owners {
            match wide {
                Some((CustomerPrefix { customer: c, prefix: other }, first))
                    if c == customer && other.covers(prefix) =>
                {
                    let (line, first) = (line.max(first), line.min(first));
                    let what = format!("static prefix {prefix} overlaps {other} of line {first}");
                    self.note(line, what);
                }
                _ => wide = Some((owned, line)),
            }
        }
    }

    fn finish(mut self, path: &Path) -> Result<(), Faults> {
        if self.count == 0 {
            return Ok(());
        }
        let more = self.count - self.first.len();
        if more > 0 {
            self.first.push(fault(usize::MAX, format!("{more} more faults")));
        }
        Err(Faults::new(path, self.first))
    }
}

fn fault(line: usize, what: String) -> Fault {
    Fault { line, path: String::new(), what }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Families, GreUse, Pool};
    use crate::time::Duration;
    use std::fmt::Write;

    fn lab() -> Config {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("dpdk-config/lab.toml");
        super::super::load(&path).unwrap_or_else(|f| panic!("{f}"))
    }

    fn nodes(text: &str) -> Result<Vec<(String, Profile)>, String> {
        let mut found = Vec::new();
        let each = |id: MnId, _, p: &Profile, _: &HomeNode| found.push((id.to_string(), p.clone()));
        read(text.as_bytes(), Path::new("n.csv"), &lab(), each).map_err(|f| f.to_string())?;
        Ok(found)
    }

    #[test]
    fn empty_fields_are_those_of_the_default_profile() {
        let text = "# who may\n\n mn1@example.org \nmn2, no,lab, 2, 8h\n\
                    2:fe80, yes,,,,2001:db8:4000:7::/64 2001:db8:7777::/56\n";
        let nodes = nodes(text).expect("valid");
        let default = lab().policy.default.expect("the lab has one");
        assert_eq!(nodes[0], ("mn1@example.org".into(), default.clone()));
        let second = &nodes[1].1;
        assert!(!second.enabled && second.prefixes == 2);
        assert_eq!(second.max_lifetime, Duration::from_secs(8 * 3600));
        assert_eq!(nodes[2].0, "2:fe80");
        assert_eq!(nodes[2].1.static_prefixes.len(), 2);
        assert_eq!(nodes[2].1.max_lifetime, default.max_lifetime);
    }

    #[test]
    fn every_faulty_line_is_reported_with_its_number() {
        let text = "mn1\nmn1,yes\nmn2,maybe\nmn3,,nowhere\nmn4,,,0\nmn5,,,,soon\n\
                    mn6,,,,,2001:db8:4000::/60\nmn7,,,,,2001:db8:4000:1::/64\n\
                    mn8,,,,,2001:db8:4000:1::/64\n1:6d6e39\n,yes\nmn9,,,,,,,,,,,,,x\n\
                    mn10,,,,,2001:db8:5::/64 2001:db8:5::/56\nmn11,,,,,fe80::/64\n";
        let report = nodes(text).expect_err("faults");
        let expected = "\
n.csv:2: mn1 stands in line 1 already
n.csv:3: enabled: \"maybe\" is neither yes nor no
n.csv:4: \"nowhere\" is no pool (there is: lab)
n.csv:5: prefixes: \"0\" is not 1 to 16
n.csv:6: max_lifetime: \"soon\" is not a duration: a whole number with a unit (d, h, min, s, ms, us, ns), for instance \"1500ms\"
n.csv:7: static prefix 2001:db8:4000::/60 lies in pool lab (2001:db8:4000::/48), whose prefixes are /64
n.csv:9: static prefix 2001:db8:4000:1::/64 overlaps 2001:db8:4000:1::/64 of line 8
n.csv:10: \"1:6d6e39\" must be written as \"mn9\"
n.csv:11: \"\" is no node identifier (a NAI, imsi:digits, or subtype:hex, of 1 to 254 octets)
n.csv:12: has more than 13 fields (static prefixes are parted by blanks)
n.csv:13: its static prefixes 2001:db8:5::/64 and 2001:db8:5::/56 overlap
n.csv:14: fe80::/64 is not inside 2000::/3 (global) or fc00::/7 (unique local)";
        assert_eq!(report, expected);
    }

    /// The lab with a pool of IPv4 and two customers who have the same one.
    fn dual_stack() -> Config {
        let mut config = lab();
        let pool = |name: &str, customer: Option<&str>| Pool {
            name: name.into(),
            customer: customer.map(Into::into),
            prefix: "10.0.0.0/16".parse().expect("valid"),
            delegated_len: 128,
            default_router: Some(Ipv4Addr::new(10, 0, 0, 1)),
            route_table: None,
        };
        config.pools.push(pool("private", None));
        for (name, id) in [("acme", 1), ("beta", 2)] {
            config.pools.push(pool(&format!("{name}-private"), Some(name)));
            config.customers.push(Customer {
                name: name.into(),
                id: CustomerId(id),
                realms: vec![format!("{name}.example")],
                mags: vec![],
                dhcp: None,
                max_bindings: None,
                gre: GreUse::Allowed,
                dscp: None,
                auth: vec![],
            });
        }
        config
    }

    #[test]
    fn node_has_an_ipv4_address_families_and_a_customer() {
        let text = "mn1,,,,,10.0.0.7 2001:db8:7777::/64,both,private\n\
                    mn2@acme.example,,,,,10.0.0.7\nmn2@BETA.example,,,,,10.0.0.7/32,ipv4\n\
                    mn3,,,,,,ipv6,,beta\n";
        let mut found = Vec::new();
        let each =
            |id: MnId, c, p: &Profile, _: &HomeNode| found.push((id.to_string(), c, p.clone()));
        read(text.as_bytes(), Path::new("n.csv"), &dual_stack(), each).expect("valid");
        let customers: Vec<u16> = found.iter().map(|(_, c, _)| c.0).collect();
        assert_eq!(customers, [0, 1, 2, 2]);
        let addresses = found[..3].iter().map(|(_, _, p)| p.static_ipv4);
        assert!(addresses.into_iter().all(|a| a == Some(Ipv4Addr::new(10, 0, 0, 7))));
        assert_eq!(found[0].2.pool_ipv4.as_deref(), Some("private"));
        assert_eq!(found[2].2.families, Families::Ipv4);
        assert_eq!(found[3].2.families, Families::Ipv6);
    }

    #[test]
    fn faults_of_ipv4_and_of_customers_are_reported_with_their_lines() {
        let text = "mn1,,,,,10.0.0.7 10.0.0.8\nmn2,,,,,10.0.0.0/24\nmn3,,,,,224.0.0.1\n\
                    mn4,,,,,,none\nmn5,,,,,,,lab\nmn6,,,,,,,,gamma\n\
                    mn7@acme.example,,,,,,,,beta\nmn8,,,,,10.0.0.9\nmn9,,,,,10.0.0.9\n";
        let each = |_: MnId, _: CustomerId, _: &Profile, _: &HomeNode| ();
        let faults = read(text.as_bytes(), Path::new("n.csv"), &dual_stack(), each);
        let expected = "\
n.csv:1: has more than one IPv4 address
n.csv:2: 10.0.0.0/24 is no IPv4 address of one node
n.csv:3: 224.0.0.1 is a multicast address, not one that packets are routed to
n.csv:4: families: \"none\" is neither \"both\", \"ipv6\" nor \"ipv4\"
n.csv:5: \"lab\" is no pool of IPv4 (there is: private, acme-private, beta-private)
n.csv:6: customer: \"gamma\" is no [[customer]]
n.csv:7: customer: mn7@acme.example is of acme, by its realm, not of beta
n.csv:9: static prefix 10.0.0.9/32 overlaps 10.0.0.9/32 of line 8";
        assert_eq!(faults.expect_err("faults").to_string(), expected);
    }

    #[test]
    fn without_any_pool_a_node_needs_static_prefixes() {
        let mut config = Config { pools: vec![], ..lab() };
        config.policy.default = None;
        let text = b"mn1,,,,,2001:db8:7::/64\nmn2\n";
        let faults =
            read(text, Path::new("n.csv"), &config, |_, _, _, _| ()).expect_err("mn2 has none");
        assert!(faults.to_string().contains("n.csv:2: has neither static prefixes"), "{faults}");
    }

    #[test]
    fn report_of_many_faults_is_bounded() {
        let text = "bad,perhaps\n".repeat(1000);
        let report = nodes(&text).expect_err("faults");
        assert_eq!(report.lines().count(), Report::MAX + 1);
        assert!(report.ends_with("1949 more faults"), "{report}");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let each = |_: MnId, _: CustomerId, _: &Profile, _: &HomeNode| ();
        let faults = read(b"mn1\nmn\xff2\n", Path::new("n.csv"), &lab(), each);
        assert_eq!(faults.expect_err("not text").to_string(), "n.csv:2: is not UTF-8 text");
    }

    #[test]
    fn a_million_lines_are_read_one_at_a_time() {
        let mut text = String::new();
        for n in 0..1_000_000 {
            writeln!(text, "mn{n}@example.org,yes,lab,1,1h").expect("a string takes all");
        }
        let mut seen = 0;
        let each = |_: MnId, _: CustomerId, _: &Profile, _: &HomeNode| seen += 1;
        let count = read(text.as_bytes(), Path::new("n.csv"), &lab(), each);
        assert_eq!((count.map_err(|f| f.to_string()), seen), (Ok(1_000_000), 1_000_000));
    }
}
