#![no_main]

#[path = "../body/dhcp.rs"]
mod dhcp;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| dhcp::run(bytes));
