//! What the command lines of `anchor-mag` and `anchor-mn` do alike.

use crate::config;
use serde::Serialize;
use std::error::Error;
use std::future::Future;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

/// The status to exit with; says on standard error why the command failed.
pub(crate) fn exit(program: &str, outcome: Result<(), Box<dyn Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            // Nowhere to say it if that fails too.
            drop(writeln!(io::stderr(), "{program}: {e}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs a task, and whatever it spawns, on this thread.
pub(crate) fn block_on<T>(task: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(task))
}

/// Logs to standard error as `[log]` says.
pub(crate) fn log(config: &config::Log) -> Result<(), Box<dyn Error>> {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.filter)?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr);
    if config.json {
        log.json().init();
    } else {
        log.init();
    }
    Ok(())
}

/// Prints an answer as one JSON object, or as `render` does.
pub(crate) fn print<S: Serialize>(
    shown: &S,
    json: bool,
    render: impl FnOnce(&S, &mut StdoutLock<'static>) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let mut out = io::stdout().lock();
    if json {
        return Ok(writeln!(out, "{}", serde_json::to_string(shown)?)?);
    }
    Ok(render(shown, &mut out)?)
}
