//! Signaling to a queue of its own, by the NIC (`rte_flow`).

use super::errno::Errno;
use core::ffi::{CStr, c_char};
use std::net::Ipv6Addr;

/// Next header of the Mobility Header (RFC 6275 section 6.1.1).
const MOBILITY_HEADER: u8 = 135;

/// Makes the rule "Mobility Headers to `anchor` go to `queue`" on a started port. The driver is
/// asked first (`rte_flow_validate`); its refusal is no fault: signaling then comes with the data,
/// and the workers punt it.
pub(super) fn steer_signaling(port: u16, anchor: Ipv6Addr, queue: u16) -> Result<(), Refused> {
    let dst = anchor.octets();
    let mut why: [c_char; 128] = [0; 128];
    // SAFETY: `dst` has the 16 bytes and `why` the room that the shim is told of; it ends `why`
    // with a zero.
    let (ret, why) = unsafe {
        let ret = dpdk_sys::shim_flow_to_queue(
            port,
            MOBILITY_HEADER,
            dst.as_ptr(),
            queue,
            why.as_mut_ptr(),
            why.len(),
        );
        (ret, CStr::from_ptr(why.as_ptr()))
    };
    let why = || why.to_string_lossy().into_owned();
    Errno::check(ret).map(drop).map_err(|errno| Refused { errno, why: why() })
}

/// The port does not steer signaling.
#[derive(Debug, thiserror::Error)]
#[error("{errno}: {why}")]
pub(super) struct Refused {
    errno: Errno,
    why: String,
}
