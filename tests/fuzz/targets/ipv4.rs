#![no_main]

#[path = "../body/ipv4.rs"]
mod ipv4;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ipv4::run(bytes));
