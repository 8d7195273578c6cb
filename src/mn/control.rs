//! What a running node can be asked over its control socket.

use crate::mobility::mn::row::BindingRow;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do", deny_unknown_fields)]
pub(super) enum Request {
    /// The Binding Update List and the counters.
    Show,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reply {
    Shown(Shown),
    Error(String),
}

impl From<String> for Reply {
    fn from(error: String) -> Self {
        Self::Error(error)
    }
}

/// The answer to [`Request::Show`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) binding: BindingRow,
    /// Those that are not zero.
    pub(super) counters: BTreeMap<String, u64>,
}
