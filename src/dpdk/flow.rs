//! Signaling to a queue of its own, by the NIC (`rte_flow`).

use super::errno::Errno;
use core::ffi::{CStr, c_char};
use std::net::Ipv6Addr;

/// Next header of the Mobility Header (RFC 6275 section 6.1.1).
const MOBILITY_HEADER: u8 = 135;
/// Next header of ESP (RFC 4303 section 2), which protects it.
const ESP: u8 = 50;

/// Makes rules on a started port: Mobility Headers and ESP to an anchor's address go to `queue`.
/// (Mobility Headers over IPv4 are in UDP, to a port that tunnel packets may go to as well: which
/// it is a worker tells.) The driver is asked first (`rte_flow_validate`); its refusal is no fault:
/// signaling then comes with the data, and the workers punt it.
pub(super) fn steer_signaling(port: u16, anchors: &[Ipv6Addr], queue: u16) -> Result<(), Refused> {
    for anchor in anchors {
        if let Some(ipv4) = anchor.to_ipv4_mapped() {
            to_queue(port, ESP, &ipv4.octets(), queue)?;
        } else {
            to_queue(port, MOBILITY_HEADER, &anchor.octets(), queue)?;
            to_queue(port, ESP, &anchor.octets(), queue)?;
        }
    }
    Ok(())
}

/// Makes a rule that comes after all others: frames go to the first queue.
pub(super) fn steer_rest(port: u16) -> Result<(), Refused> {
    to_queue(port, 0, &[], 0)
}

/// Removes all rules.
pub(super) fn flush(port: u16) {
    // SAFETY: the port is the caller's; no error structure is wanted. A driver without rules has
    // none to remove.
    let _ = unsafe { dpdk_sys::rte_flow_flush(port, core::ptr::null_mut()) };
}

/// `dst`: 16 bytes of IPv6, 4 of IPv4, or none for all frames.
fn to_queue(port: u16, proto: u8, dst: &[u8], queue: u16) -> Result<(), Refused> {
    let mut why: [c_char; 128] = [0; 128];
    // SAFETY: `dst` has the bytes and `why` the room that the shim is told of; it ends `why` with a
    // zero.
    let (ret, why) = unsafe {
        let ret = dpdk_sys::shim_flow_to_queue(
            port,
            proto,
            dst.as_ptr(),
            dst.len(),
            queue,
            why.as_mut_ptr(),
            why.len(),
        );
        (ret, CStr::from_ptr(why.as_ptr()))
    };
    let why = || why.to_string_lossy().into_owned();
    Errno::check(ret).map(drop).map_err(|errno| Refused::Rule { errno, why: why() })
}

/// Why signaling comes with the data.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("no flow rule: {errno}: {why}")]
    Rule { errno: Errno, why: String },
    #[error("{0}: {1}")]
    Setup(&'static str, Errno),
}

impl From<(&'static str, Errno)> for Refused {
    fn from((step, errno): (&'static str, Errno)) -> Self {
        Self::Setup(step, errno)
    }
}
