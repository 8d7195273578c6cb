//! Raw bindings to DPDK (filled by its owner).
