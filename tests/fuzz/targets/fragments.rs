#![no_main]

#[path = "../body/fragments.rs"]
mod fragments;
#[allow(dead_code)] // a target of its own runs it
#[path = "../body/worker.rs"]
mod worker;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fragments::run(bytes));
