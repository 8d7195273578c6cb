//! Seeds and regressions of the fuzz targets, run as ordinary tests on every compiler.
//!
//! ```text
//!  body/NAME.rs          what is done with the bytes        targets/NAME.rs   the same for libFuzzer
//!  seeds/NAME/*          where the fuzzer begins            regressions/NAME/*   what once failed
//! ```
#![allow(missing_docs)]

#[path = "body/admin.rs"]
mod admin;
#[path = "body/core.rs"]
mod core_events;
#[path = "body/dhcp.rs"]
mod dhcp;
#[path = "body/fragments.rs"]
mod fragments;
#[path = "body/icmpv6.rs"]
mod icmpv6;
#[path = "body/ipv4.rs"]
mod ipv4;
#[path = "body/mag.rs"]
mod mag;
#[path = "body/mh_parse.rs"]
mod mh_parse;
#[path = "body/mip4.rs"]
mod mip4;
#[path = "body/policy.rs"]
mod policy;
#[path = "body/worker.rs"]
mod worker;

use std::fs;
use std::path::Path;

/// Runs all files of a target; a failure names its file.
fn replay(target: &str, run: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let mut files = 0;
    for directory in ["seeds", "regressions"] {
        let directory = root.join(directory).join(target);
        // A target without regressions has no directory.
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("an entry").path();
            eprintln!("{}", path.display());
            run(&fs::read(&path).expect("readable"));
            files += 1;
        }
    }
    assert!(files > 0, "{target} has no seeds");
}

#[test]
fn mobility_headers_that_once_failed_are_handled() {
    replay("mh_parse", mh_parse::run);
}

#[test]
fn ipv4_packets_that_once_failed_are_handled() {
    replay("ipv4", ipv4::run);
}

#[test]
fn icmpv6_messages_that_once_failed_are_handled() {
    replay("icmpv6", icmpv6::run);
}

#[test]
fn dhcp_messages_that_once_failed_are_handled() {
    replay("dhcp", dhcp::run);
}

#[test]
fn fragments_that_once_failed_are_handled() {
    replay("fragments", fragments::run);
}

#[test]
fn frames_that_once_failed_are_handled() {
    replay("worker", worker::run);
}

#[test]
fn event_sequences_that_once_failed_are_handled() {
    replay("core", core_events::run);
}

#[test]
fn admin_lines_that_once_failed_are_handled() {
    replay("admin", admin::run);
}

#[test]
fn answers_of_the_policy_store_that_once_failed_are_handled() {
    replay("policy", policy::run);
}

#[test]
fn gateway_events_that_once_failed_are_handled() {
    replay("mag", mag::run);
}

#[test]
fn messages_of_mobile_ipv4_that_once_failed_are_handled() {
    replay("mip4", mip4::run);
}
