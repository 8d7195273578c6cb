#![no_main]

#[path = "../body/mip4.rs"]
mod mip4;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mip4::run(bytes));
