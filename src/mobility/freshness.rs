//! The ordering of updates, RFC 5213 5.5: by timestamp where the message has one, else by sequence
//! number.
//!
//! The RFC says three things of a timestamp that do not quite meet: it must be greater than all
//! accepted ones *of the node* to be valid (6), one that is lower than the last accepted *of the
//! binding* is refused with 157 (8), one that is not valid with 156 (9). So, in this order:
//!
//! | timestamp                                            | status |
//! |------------------------------------------------------|--------|
//! | lower than the binding's last                        | 157    |
//! | outside of the validity window                       | 156    |
//! | not greater than the last of any session of the node | 156    |
//!
//! A byte-identical duplicate of the last accepted update never comes here.

use crate::mobility::binding::Bce;
use crate::mobility::config::LmaTimers;
use crate::mobility::lookup::Node;
use crate::time::MobTimestamp;
use crate::wire::mh::{SeqNo, Status};

/// When an update was sent, as far as it tells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) timestamp: Option<MobTimestamp>,
    pub(crate) seq: SeqNo,
}

impl Sent {
    /// Whether the other one of the same gateway was sent after this one.
    pub(crate) fn is_before(self, other: Self) -> bool {
        match (self.timestamp, other.timestamp) {
            (Some(ours), Some(theirs)) => theirs > ours,
            _ => other.seq.is_after(self.seq),
        }
    }
}

/// Checks a timestamp. `session` is the binding that the message is about, if it exists.
pub(crate) fn check_timestamp(
    timestamp: MobTimestamp,
    clock: MobTimestamp,
    timers: &LmaTimers,
    node: Node<'_>,
    session: Option<&Bce>,
) -> Result<(), Status> {
    // RFC 5213 5.5 (8)
    if session.is_some_and(|b| timestamp < b.timestamp) {
        return Err(Status::TIMESTAMP_LOWER_THAN_PREV_ACCEPTED);
    }
    // RFC 5213 5.5 (6), first part: not when the node generates the timestamps
    let near = timestamp.abs_diff(clock) <= timers.timestamp_validity_window;
    if !near && !timers.mn_generated_timestamp_in_use {
        return Err(Status::TIMESTAMP_MISMATCH);
    }
    // RFC 5213 5.5 (6), second part
    if node.all().any(|b| timestamp <= b.timestamp) {
        return Err(Status::TIMESTAMP_MISMATCH);
    }
    Ok(())
}
