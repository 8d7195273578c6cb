//! Why a process could not start, or had to end.

use std::io;

/// What the kernel refused, and what it was for.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub(crate) struct Failure {
    what: String,
    source: io::Error,
}

/// Adds what was being done to an error.
pub(crate) fn doing(what: impl Into<String>) -> impl FnOnce(io::Error) -> Failure {
    let what = what.into();
    move |source| Failure { what, source }
}
