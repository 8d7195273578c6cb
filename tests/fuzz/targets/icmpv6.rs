#![no_main]

#[path = "../body/icmpv6.rs"]
mod icmpv6;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| icmpv6::run(bytes));
