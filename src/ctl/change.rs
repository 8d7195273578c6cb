//! What a reload of the configuration changes, as lines.
//!
//! ```text
//! ~ timer.heartbeat_interval: "1min" -> "30s"
//! + mag[mag3]: { name = "mag3", .. }
//! - pool[old]: { name = "old", .. }
//! ! worker.cpus: [1] -> [1, 2]  (needs a restart)
//! nodes: 3 added, 1 removed, 2 changed
//! ```

use crate::admin::api::ConfigChanges;
use crate::config::{Difference, NodeChanges};

/// All of them; empty if there is none.
pub(super) fn lines(ConfigChanges { changes, nodes }: &ConfigChanges) -> String {
    let NodeChanges { added, removed, changed } = *nodes;
    let nodes = format!("nodes: {added} added, {removed} removed, {changed} changed\n");
    let nodes = Some(nodes).filter(|_| added + removed + changed > 0);
    changes.iter().map(line).chain(nodes).collect()
}

fn line(Difference { key, running, file, restart }: &Difference) -> String {
    let (mark, what) = match (running, file) {
        (Some(running), Some(file)) => ('~', format!("{running} -> {file}")),
        (None, Some(file)) => ('+', file.clone()),
        (Some(running), None) => ('-', running.clone()),
        (None, None) => (' ', String::new()),
    };
    if *restart {
        format!("! {key}: {what}  (needs a restart)\n")
    } else {
        format!("{mark} {key}: {what}\n")
    }
}
