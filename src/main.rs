//! `anchord`: the mobility anchor daemon.
fn main() {}
