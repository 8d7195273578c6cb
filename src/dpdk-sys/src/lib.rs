//! Raw bindings to DPDK 22.11 and later: what `src/dpdk` of `anchord` uses, made at build time from
//! the headers that are installed, and `shim_*` for static inlines.
//!
//! Per-packet fields of an mbuf are read at the offsets `MBUF_*`; only what happens once a burst or
//! rarer goes through a shim.
#![no_std]
#![allow(non_camel_case_types, non_snake_case, non_upper_case_globals, missing_docs)]
#![allow(clippy::all, clippy::pedantic)] // generated code

include!(concat!(env!("OUT_DIR"), "/bindings.rs"));
