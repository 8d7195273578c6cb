#![no_main]

#[path = "../body/mh_parse.rs"]
mod mh_parse;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mh_parse::run(bytes));
