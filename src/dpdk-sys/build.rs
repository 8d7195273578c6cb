//! Finds DPDK by pkg-config, makes the bindings of what `src/dpdk` uses and compiles the shim.

use std::path::PathBuf;
use std::process::{Command, exit};

/// The oldest DPDK that is built and tested against (Debian 12's).
const DPDK_MIN: &str = "22.11";

const FUNCTIONS: &[&str] = &[
    "shim_.*",
    "rte_eal_(init|cleanup|remote_launch|wait_lcore)",
    "rte_eth_dev_(adjust_nb_rx_tx_desc|close|configure|get_port_by_name|info_get)",
    "rte_eth_dev_(rss_reta_update|set_mtu|socket_id|start|stop)",
    "rte_eth_(allmulticast|promiscuous)_enable",
    "rte_eth_(macaddr_get|stats_get|rx_queue_setup|tx_queue_setup)",
    "rte_flow_flush",
    "rte_get_(main_lcore|next_lcore|tsc_hz)",
    "rte_mempool_(free|in_use_count)",
    "rte_pktmbuf_pool_create",
    "rte_strerror",
];

const CONSTANTS: &[&str] = &[
    "MBUF_.*",
    "RSS_.*",
    "RX_SCATTER",
    "TX_(FAST_FREE|MULTI_SEGS)",
    "RTE_ETH_RETA_GROUP_SIZE",
    "RTE_MAX_ETHPORTS",
    "RTE_MAX_LCORE",
    "RTE_PKTMBUF_HEADROOM",
];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=src/headers.h");
    println!("cargo:rerun-if-changed=src/shim.c");

    // Emits the libraries; the linker's --as-needed keeps those that are used. Drivers are no
    // libraries of ours: EAL loads them as plugins from the directory that the distribution built
    // in.
    if let Err(e) = pkg_config::Config::new().atleast_version(DPDK_MIN).probe("libdpdk") {
        println!("cargo:warning=DPDK {DPDK_MIN} or later was not found by pkg-config.");
        println!(
            "cargo:warning=Debian: apt-get install libdpdk-dev. Without it: --no-default-features."
        );
        eprintln!("{e}");
        exit(1);
    }
    let cflags = cflags();
    bindings(&cflags);
    shim(&cflags);
}

/// DPDK's compiler flags as they stand. The pkg-config crate keeps only `-I` and `-D`, and DPDK
/// also needs its `-include` and `-march`.
fn cflags() -> Vec<String> {
    let pkg_config = std::env::var_os("PKG_CONFIG").unwrap_or_else(|| "pkg-config".into());
    let out = Command::new(pkg_config).args(["--cflags", "libdpdk"]).output();
    let out = out.expect("pkg-config ran just before");
    String::from_utf8_lossy(&out.stdout).split_whitespace().map(str::to_owned).collect()
}

fn bindings(cflags: &[String]) {
    let mut builder = bindgen::Builder::default()
        .header("src/headers.h")
        .clang_args(cflags)
        .use_core()
        .generate_comments(false)
        .layout_tests(false)
        .derive_default(true)
        .prepend_enum_name(false)
        .default_enum_style(bindgen::EnumVariation::Consts)
        // Read by offset (MBUF_*), or never looked into.
        .opaque_type("rte_mbuf.*|rte_mempool.*");
    for f in FUNCTIONS {
        builder = builder.allowlist_function(f);
    }
    for c in CONSTANTS {
        builder = builder.allowlist_var(c);
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    builder
        .allowlist_var("RTE_ETH_MQ_RX_RSS")
        .generate()
        .expect("bindings of DPDK's headers")
        .write_to_file(out.join("bindings.rs"))
        .expect("write bindings.rs");
}

fn shim(cflags: &[String]) {
    let mut cc = cc::Build::new();
    cc.file("src/shim.c").std("gnu11").warnings(true);
    let features = std::env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "avx2") {
        cc.define("NEEDS_X86_64_V3", None);
    }
    for flag in cflags {
        cc.flag(flag);
    }
    cc.compile("dpdk_shim");
}
