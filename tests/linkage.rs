//! Who needs DPDK at run time: `anchord` does; `anchorctl` and `anchor-mag` must start on machines
//! that never heard of it, also when they were built beside it.
#![cfg(feature = "dpdk")]

use std::process::Command;

/// DPDK's libraries among those that the loader would load for a program.
fn dpdk_libraries(program: &str) -> Vec<String> {
    let out = Command::new("ldd").arg(program).output().unwrap();
    assert!(out.status.success(), "ldd {program}: {}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(text.contains("libc.so"), "{text}");
    text.lines().map(str::trim).filter(|l| l.starts_with("librte_")).map(str::to_owned).collect()
}

#[test]
fn anchord_loads_dpdk_and_the_tools_do_not() {
    assert!(!dpdk_libraries(env!("CARGO_BIN_EXE_anchord")).is_empty());
    let none: Vec<String> = Vec::new();
    assert_eq!(dpdk_libraries(env!("CARGO_BIN_EXE_anchorctl")), none);
    assert_eq!(dpdk_libraries(env!("CARGO_BIN_EXE_anchor-mag")), none);
}
