//! `anchor-mag`: the mobile access gateway of RFC 5213 section 6.
fn main() {}
