#![no_main]

#[path = "../body/admin.rs"]
mod admin;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| admin::run(bytes));
