#![no_main]

#[path = "../body/core.rs"]
mod core;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| core::run(bytes));
