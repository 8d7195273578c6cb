//! Logs: `tracing` to standard error, as text or JSON, from a thread of its own.
//!
//! The control core must not wait for whoever reads our standard error: a log line goes into a
//! bounded channel, and what finds it full is dropped and counted; the count is logged.

mod writer;

use crate::config::Log;
use tracing::Subscriber;
use tracing_subscriber::filter::{EnvFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

pub use writer::LogDrain;

/// Why logging could not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` is not a filter.
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    /// Somebody else was first.
    #[error("log: {0}")]
    Taken(#[from] TryInitError),
    /// The thread was refused.
    #[error("log thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Changes the filter of a running process.
#[derive(Debug, Clone)]
pub struct LogHandle(reload::Handle<EnvFilter, Registry>);

impl LogHandle {
    /// Puts another filter in force; an error says what is wrong with it.
    pub fn set(&self, filter: &str) -> Result<(), String> {
        let filter = parse(filter).map_err(|e| e.to_string())?;
        self.0.reload(filter).map_err(|e| e.to_string())
    }
}

/// Starts logging for the whole process. The drain writes what is left when it is dropped.
pub fn init(log: &Log) -> Result<(LogHandle, LogDrain), TelemetryError> {
    let (filter, handle) = reload::Layer::new(parse(&log.filter)?);
    let (writer, drain) = writer::start()?;
    let lines = lines(log.json, writer);
    tracing_subscriber::registry().with(filter).with(lines).try_init()?;
    Ok((LogHandle(handle), drain))
}

/// Writes each event as one line: text, or a JSON object with `timestamp`, `level`, `target` and
/// `fields`.
pub(crate) fn lines<S, W>(json: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'w> fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    if json {
        fmt::layer().json().with_writer(writer).boxed()
    } else {
        fmt::layer().with_ansi(false).with_writer(writer).boxed()
    }
}

fn parse(filter: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(filter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_that_is_none_is_refused() {
        assert!(parse("info,anchord::control=debug").is_ok());
        assert!(parse("info,,=x=").is_err());
    }
}
