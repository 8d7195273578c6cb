//! `anchor-mn`: a mobile node (RFC 6275 section 11).

use std::process::ExitCode;

fn main() -> ExitCode {
    anchord::mn::cli::main()
}
