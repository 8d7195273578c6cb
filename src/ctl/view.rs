//! Rows of the admin protocol as lines of a table: which columns, in which words and units.
//!
//! What an operator looks for first stands first: on a narrow screen the end of the line is cut.

use super::table::{Cells, Column, number, text};
use super::unit::{bytes, percent, seconds};
use crate::admin::api::{
    AdvertisementRow, BindingRow, CustomerRow, DropRow, MagRow, NeighborRow, PolicyRow, PoolRow,
    PortRow, StatRow, WorkerRow,
};
use crate::config::PortRole;

pub(super) fn binding_columns(counters: bool) -> Vec<Column> {
    let mut columns = vec![
        text("MN-ID"),
        text("KIND"),
        text("HOME"),
        text("CARE-OF"),
        text("STATE"),
        number("LEFT"),
        number("LIFETIME"),
        number("HANDOFFS"),
    ];
    if counters {
        columns.extend([
            number("DOWNLINK PKTS"),
            number("BYTES"),
            number("UPLINK PKTS"),
            number("BYTES"),
        ]);
    }
    columns.extend([
        text("ENCAP"),
        text("KEYS"),
        text("CUSTOMER"),
        text("SERVICE"),
        text("HI"),
        text("ATT"),
        text("MN-LL-ID"),
        text("LINK-LOCAL"),
        text("ACCESS NETWORK"),
        text("SEQ"),
        text("FLAGS"),
        text("PREFIXES TOLD"),
    ]);
    columns
}

/// A line for the home address, each prefix and the IPv4 home address; what is the session's own
/// stands in the first.
pub(super) fn binding(row: &BindingRow, counters: bool) -> Vec<Cells> {
    let address = row.home_address.map(|a| a.to_string());
    let prefixes = row.hnp.iter().map(ToString::to_string);
    let homes: Vec<String> =
        address.into_iter().chain(prefixes).chain(row.ipv4.map(|a| a.to_string())).collect();
    (0..homes.len().max(1))
        .map(|i| {
            let session = |cell: String| if i == 0 { cell } else { String::new() };
            let mut cells = vec![
                session(row.mn_id.to_string()),
                session(row.kind.clone()),
                homes.get(i).cloned().unwrap_or_else(dash),
                session(row.proxy_coa.to_string()),
                session(row.state.clone()),
                session(seconds(row.lifetime_left_s.into())),
                session(seconds(row.lifetime_s.into())),
                session(row.handoffs.to_string()),
            ];
            if counters {
                match row.counters.as_ref().and_then(|c| c.get(i)) {
                    Some(c) => cells.extend([
                        c.downlink_packets.to_string(),
                        bytes(c.downlink_bytes),
                        c.uplink_packets.to_string(),
                        bytes(c.uplink_bytes),
                    ]),
                    None => cells.extend([dash(), dash(), dash(), dash()]),
                }
            }
            cells.extend([
                session(encapsulation(row)),
                session(keys(row)),
                session(row.customer.clone().unwrap_or_else(dash)),
                session(row.service.clone().unwrap_or_else(dash)),
                session(handoff(row.handoff)),
                session(access_technology(row.att)),
                session(row.mn_ll_id.clone().unwrap_or_else(dash)),
                session(row.link_local.map_or_else(dash, |a| a.to_string())),
                session(row.access_network.clone().unwrap_or_else(dash)),
                session(row.seq.map_or_else(dash, |n| n.to_string())),
                session(row.flags.clone().unwrap_or_else(dash)),
                session(row.advertisement.map_or_else(dash, advertisement)),
            ]);
            cells
        })
        .collect()
}

/// When a node is told of its home link's prefixes, and how often it was in vain.
fn advertisement(a: AdvertisementRow) -> String {
    let due = format!("in {}", seconds(a.due_s));
    if a.unanswered == 0 { due } else { format!("{due}, {} unanswered", a.unanswered) }
}

fn encapsulation(row: &BindingRow) -> String {
    let port = row.udp_port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", row.encapsulation)
}

/// The gateway's GRE key, then ours.
fn keys(row: &BindingRow) -> String {
    let key = |key: Option<u32>| key.map_or_else(dash, |k| k.to_string());
    match (row.downlink_key, row.uplink_key) {
        (None, None) => dash(),
        (downlink, uplink) => format!("{}/{}", key(downlink), key(uplink)),
    }
}

/// RFC 5213 section 8.4.
fn handoff(indicator: u8) -> String {
    let name = match indicator {
        1 => "new-interface",
        2 => "other-interface",
        3 => "same-interface",
        4 => "unknown",
        5 => "unchanged",
        other => return other.to_string(),
    };
    format!("{indicator} {name}")
}

/// RFC 5213 section 8.5.
fn access_technology(att: u8) -> String {
    let name = match att {
        0 => "reserved",
        1 => "virtual",
        2 => "ppp",
        3 => "802.3",
        4 => "802.11",
        5 => "802.16e",
        other => return other.to_string(),
    };
    format!("{att} {name}")
}

pub(super) fn mag_columns() -> Vec<Column> {
    vec![
        text("ADDRESS"),
        text("NAME"),
        text("AUTHORIZED"),
        number("BINDINGS"),
        number("PBU RECEIVED"),
        number("PBA ACCEPTED"),
        number("PBA REFUSED"),
        text("PEER"),
        number("ANSWERED"),
        number("RESTARTS"),
        number("BUSY"),
        number("DROPPED"),
        number("MALFORMED"),
        number("TUNNEL MTU"),
    ]
}

pub(super) fn mag(row: &MagRow) -> Cells {
    vec![
        row.address.to_string(),
        row.name.clone(),
        yes_no(row.authorized),
        row.bindings.to_string(),
        row.pbu_received.to_string(),
        row.pba_accepted.to_string(),
        row.pba_refused.to_string(),
        row.peer.clone(),
        row.answered_s.map_or_else(dash, |s| format!("{} ago", seconds(s))),
        row.restart_counter.map_or_else(dash, |n| n.to_string()),
        row.refused_busy.to_string(),
        row.dropped.to_string(),
        row.malformed.to_string(),
        row.tunnel_mtu.to_string(),
    ]
}

pub(super) fn customer_columns() -> Vec<Column> {
    vec![text("NAME"), number("ID"), number("BINDINGS"), number("MOST"), text("POOLS")]
}

pub(super) fn customer(row: &CustomerRow) -> Cells {
    vec![
        row.name.clone(),
        row.id.to_string(),
        row.bindings.to_string(),
        row.max_bindings.map_or_else(dash, |n| n.to_string()),
        row.pools.join(" "),
    ]
}

pub(super) fn policy_columns() -> Vec<Column> {
    vec![
        text("SOCKET"),
        text("CONNECTED"),
        number("WAITING"),
        number("ASKED"),
        number("ANSWERED"),
        number("OVERDUE"),
        number("UNUSABLE"),
        number("STRAY"),
        number("CONNECTIONS"),
    ]
}

pub(super) fn policy(row: &PolicyRow) -> Cells {
    vec![
        row.socket.clone(),
        yes_no(row.connected),
        row.waiting.to_string(),
        row.asked.to_string(),
        row.answered.to_string(),
        row.overdue.to_string(),
        row.unusable.to_string(),
        row.stray.to_string(),
        row.connections.to_string(),
    ]
}

pub(super) fn pool_columns() -> Vec<Column> {
    vec![
        text("NAME"),
        text("CUSTOMER"),
        text("PREFIX"),
        text("DELEGATED"),
        number("USED"),
        number("CAPACITY"),
        number("FULL"),
    ]
}

pub(super) fn pool(row: &PoolRow) -> Cells {
    vec![
        row.name.clone(),
        row.customer.clone().unwrap_or_else(dash),
        row.prefix.to_string(),
        format!("/{}", row.delegated_len),
        row.used.to_string(),
        row.capacity.to_string(),
        percent(row.used, row.capacity),
    ]
}

pub(super) fn port_columns() -> Vec<Column> {
    vec![
        text("NAME"),
        text("ROLE"),
        text("LINK"),
        number("RX PKTS"),
        number("TX PKTS"),
        number("RX MISSED"),
        number("TX ERRORS"),
        text("SIGNALING"),
        text("STEERING"),
        number("MTU"),
        text("MAC"),
        text("DRIVER"),
        text("DEVICE"),
    ]
}

pub(super) fn port(row: &PortRow) -> Cells {
    vec![
        row.name.clone(),
        if row.role == PortRole::Access { "access" } else { "core" }.into(),
        if row.link_up { "up" } else { "down" }.into(),
        row.rx_packets.to_string(),
        row.tx_packets.to_string(),
        row.rx_missed.to_string(),
        row.tx_errors.to_string(),
        row.signaling.clone(),
        row.steering.clone(),
        row.mtu.to_string(),
        row.mac.to_string(),
        row.driver.clone(),
        row.device.clone(),
    ]
}

pub(super) fn worker_columns() -> Vec<Column> {
    vec![
        number("WORKER"),
        number("CPU"),
        number("BUSY POLLS"),
        number("ENTRIES"),
        number("RX PKTS"),
        number("TX PKTS"),
        number("DROPS"),
        number("PUNTED"),
        number("HANDED OFF"),
        number("APPLIED SEQ"),
    ]
}

pub(super) fn worker(row: &WorkerRow) -> Cells {
    vec![
        row.worker.to_string(),
        row.cpu.to_string(),
        percent(row.busy_polls, row.polls),
        row.entries.to_string(),
        row.rx_packets.to_string(),
        row.tx_packets.to_string(),
        row.drops.to_string(),
        row.punted.to_string(),
        row.handed_off.to_string(),
        row.applied_seq.to_string(),
    ]
}

pub(super) fn drop_columns() -> Vec<Column> {
    vec![number("PKTS"), text("REASON"), text("DESCRIPTION")]
}

pub(super) fn drop(row: &DropRow) -> Cells {
    vec![row.packets.to_string(), row.reason.clone(), row.description.clone()]
}

pub(super) fn stat_columns() -> Vec<Column> {
    vec![number("VALUE"), text("NAME")]
}

pub(super) fn stat(row: &StatRow) -> Cells {
    vec![row.value.to_string(), row.name.clone()]
}

pub(super) fn neighbor_columns() -> Vec<Column> {
    vec![text("PORT"), text("ADDRESS"), text("MAC"), text("STATE")]
}

pub(super) fn neighbor(row: &NeighborRow) -> Cells {
    vec![
        row.port.clone(),
        row.address.to_string(),
        row.mac.map_or_else(dash, |m| m.to_string()),
        row.state.clone(),
    ]
}

fn yes_no(b: bool) -> String {
    if b { "yes" } else { "no" }.into()
}

fn dash() -> String {
    "-".into()
}
