#![no_main]

#[path = "../body/mag.rs"]
mod mag;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mag::run(bytes));
