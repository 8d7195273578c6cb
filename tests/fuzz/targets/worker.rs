#![no_main]

#[path = "../body/worker.rs"]
mod worker;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| worker::run(bytes));
