//! `anchor-mag`: the mobile access gateway of RFC 5213 section 6.

use std::process::ExitCode;

fn main() -> ExitCode {
    anchord::mag::cli::main()
}
