//! The safe layer over DPDK, on virtual devices. EAL can be initialised once in a process, so every
//! test runs in a process of its own, one at a time.
#![cfg(feature = "dpdk")]

use anchord::addr::{PortId, WorkerId};
use anchord::dpdk::port::{Queues, Signaling, Spread, SpreadBy, Steering};
use anchord::dpdk::{Eal, EalError, Mbuf, Mempool, Port, PortConfig, PortError, TscClock};
use anchord::nic::{Burst, Frame, FramePool, RxQueue, TxQueue};
use std::net::Ipv6Addr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

const SCENARIO: &str = "ANCHORD_TEST_EAL_SCENARIO";
const PORT: PortId = PortId(7); // not DPDK's number, which is 0

/// Runs `body` in a fresh process: this test program again, with this one test.
fn in_own_process(name: &str, body: impl FnOnce()) {
    static ONE_AT_A_TIME: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    if std::env::var_os(SCENARIO).is_some() {
        return body();
    }
    let _one = ONE_AT_A_TIME.lock();
    let out = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(SCENARIO, name)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&out.stdout) + String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success() && text.contains("1 passed"), "{name}:\n{text}");
    if let Some(why) = text.lines().find(|l| l.starts_with("SKIPPED")) {
        eprintln!("{why}"); // aloud
    }
}

/// EAL without hugepages, which works everywhere.
fn eal(args: &[&str]) -> Eal {
    let prefix = format!("--file-prefix=anchord-test-{}", std::process::id());
    let plain = ["--no-huge", "-m", "64", "--no-pci", "--no-telemetry", "--lcores", "0@0,1@0"];
    Eal::init(&[&plain[..], &[prefix.as_str()], args].concat()).unwrap()
}

fn config(device: &str, workers: u16) -> PortConfig<'_> {
    PortConfig {
        id: PORT,
        device,
        mtu: 1500,
        rx_desc: 64,
        tx_desc: 64,
        workers,
        anchors: &[Ipv6Addr::LOCALHOST],
        jumbo: false,
        spread: Spread {
            key: &[0x6d; 40],
            table: &[WorkerId(0), WorkerId(1)],
            by: SpreadBy::Destination,
        },
    }
}

/// A looped port (what it sends it receives) and its pool.
fn looped(eal: &Eal) -> (Mempool, Port, Queues) {
    let pool = Mempool::new(eal, 4095, 1600).unwrap();
    let (port, queues) = Port::open(eal, &config("net_ring0", 1), &pool).unwrap();
    (pool, port, queues)
}

fn frame(pool: &Mempool, bytes: &[u8]) -> Mbuf {
    let mut frame = pool.alloc(PORT).unwrap();
    assert!(frame.append(bytes.len()));
    frame.data_mut().copy_from_slice(bytes);
    frame
}

#[test]
fn mbuf_keeps_its_bytes_within_its_buffer_and_goes_back_to_its_pool() {
    in_own_process("mbuf_keeps_its_bytes_within_its_buffer_and_goes_back_to_its_pool", || {
        let eal = eal(&[]);
        let pool = Mempool::new(&eal, 255, 2048).unwrap();
        let mut f = frame(&pool, b"abcdef");
        assert_eq!((f.data(), f.frame_len(), f.port()), (&b"abcdef"[..], 6, PORT));
        assert!(!f.prepend(129) && !f.prepend(70_000) && f.prepend(128) && !f.prepend(1));
        f.data_mut()[..2].copy_from_slice(b"xy");
        assert_eq!((&f.data()[..2], f.frame_len()), (&b"xy"[..], 134));
        assert!(!f.trim_front(135) && f.trim_front(130));
        assert_eq!(f.data(), b"cdef");
        assert!(!f.truncate(5) && f.truncate(2));
        assert_eq!((f.data(), f.frame_len()), (&b"cd"[..], 2));
        assert!(!f.append(2045) && f.append(2044) && !f.append(1));
        assert_eq!(f.frame_len(), 2046);
        assert_eq!(pool.in_use(), 1);
        drop(f);
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn used_up_pool_gives_none_and_recovers() {
    in_own_process("used_up_pool_gives_none_and_recovers", || {
        let eal = eal(&[]);
        let pool = Mempool::new(&eal, 255, 2048).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| pool.alloc(PORT)).collect();
        assert_eq!((all.len(), pool.in_use()), (255, 255));
        drop(all);
        assert_eq!(pool.in_use(), 0);
        assert!(pool.alloc(PORT).is_some());
    });
}

#[test]
fn what_a_full_queue_refuses_stays_with_the_caller_in_order() {
    in_own_process("what_a_full_queue_refuses_stays_with_the_caller_in_order", || {
        let eal = eal(&["--vdev", "net_ring0"]);
        let (pool, port, Queues { mut rx, mut tx, .. }) = looped(&eal);
        let (rx, tx) = (&mut rx[0], &mut tx[0]);
        let mut sent = 0u32;
        let mut burst = Burst::new();
        loop {
            burst.extend((sent..).take(64).map(|i| frame(&pool, &i.to_be_bytes())));
            let n = tx.send(&mut burst);
            sent += u32::try_from(n).unwrap();
            if n < 64 {
                break;
            }
        }
        // The ring holds 1,023, so 63 of the last 64 went.
        assert_eq!((sent, burst.len()), (1023, 1));
        assert_eq!(burst[0].data(), 1023u32.to_be_bytes());
        assert_eq!((tx.send(&mut burst), burst.len()), (0, 1));

        let (mut received, mut next) = (Burst::new(), 0u32);
        while rx.recv(&mut received) > 0 {
            for f in received.drain(..) {
                assert_eq!((f.data(), f.port()), (&next.to_be_bytes()[..], PORT));
                next += 1;
            }
        }
        assert_eq!((next, tx.send(&mut burst)), (1023, 1));
        assert_eq!(rx.recv(&mut received), 1);
        let stats = port.stats();
        assert_eq!((stats.tx_packets, stats.rx_packets), (1024, 1024));
        drop(received);
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn received_frames_are_appended_up_to_the_bursts_capacity() {
    in_own_process("received_frames_are_appended_up_to_the_bursts_capacity", || {
        let eal = eal(&["--vdev", "net_ring0"]);
        let (pool, _port, Queues { mut rx, mut tx, .. }) = looped(&eal);
        let mut burst: Burst<Mbuf> = (0..10u8).map(|i| frame(&pool, &[i])).collect();
        assert_eq!((tx[0].send(&mut burst), burst.len()), (10, 0));
        burst.extend((0..60u8).map(|i| frame(&pool, &[100 + i])));
        assert_eq!((rx[0].recv(&mut burst), burst.len()), (4, 64));
        let firsts: Vec<u8> = burst.iter().map(|f| f.data()[0]).collect();
        assert_eq!((firsts[59], &firsts[60..]), (159, &[0, 1, 2, 3][..]));
        assert_eq!(rx[0].recv(&mut burst), 0);
        burst.clear();
        assert_eq!(rx[0].recv(&mut burst), 6);
        drop(burst);
        assert_eq!(pool.in_use(), 0);
    });
}

#[test]
fn port_tells_its_driver_link_and_steering() {
    in_own_process("port_tells_its_driver_link_and_steering", || {
        let eal = eal(&["--vdev", "net_null0,size=100", "--vdev", "net_null1,no-rx=1"]);
        let pool = Mempool::new(&eal, 4095, 1600).unwrap();
        let (port, mut queues) = Port::open(&eal, &config("net_null0,size=100", 2), &pool).unwrap();
        assert_eq!((port.driver(), port.link_up()), ("net_null", true));
        assert_eq!((port.signaling(), port.steering()), (Signaling::PuntRing, Steering::HandOff));
        assert_eq!((queues.rx.len(), queues.tx.len(), queues.signaling.is_none()), (2, 2, true));
        let mut burst = Burst::new();
        assert_eq!(queues.rx[1].recv(&mut burst), 64);
        assert!(burst.iter().all(|f| f.frame_len() == 100 && f.port() == PORT));
        assert_eq!(queues.tx[1].send(&mut burst), 64);

        let (single, _) = Port::open(&eal, &config("net_null1", 1), &pool).unwrap();
        assert_eq!(single.steering(), Steering::Single);
    });
}

#[test]
fn device_that_fails_to_probe_or_is_used_twice_is_named() {
    in_own_process("device_that_fails_to_probe_or_is_used_twice_is_named", || {
        let eal = eal(&["--vdev", "net_af_packet0,iface=no-such-if", "--vdev", "net_null0"]);
        let pool = Mempool::new(&eal, 1023, 1600).unwrap();
        let open = |device| Port::open(&eal, &config(device, 1), &pool);
        let missing = open("net_af_packet0,iface=no-such-if").unwrap_err();
        assert!(matches!(&missing, PortError::NotFound(d) if d.contains("no-such-if")));
        assert!(missing.to_string().contains("net_af_packet0"));
        let held = open("net_null0").unwrap();
        assert!(matches!(open("net_null0"), Err(PortError::InUse(_))));
        drop(held);
    });
}

#[test]
fn too_many_workers_for_a_device_are_refused() {
    in_own_process("too_many_workers_for_a_device_are_refused", || {
        let eal = eal(&["--vdev", "net_ring0"]);
        let pool = Mempool::new(&eal, 1023, 1600).unwrap();
        let refused = Port::open(&eal, &config("net_ring0", 500), &pool).unwrap_err();
        assert!(matches!(refused, PortError::TooFewQueues { workers: 500, max: 1..500, .. }));
    });
}

#[test]
fn eal_is_initialised_once_and_a_bad_argument_is_reported_with_all_of_them() {
    in_own_process(
        "eal_is_initialised_once_and_a_bad_argument_is_reported_with_all_of_them",
        || {
            let refused = Eal::init(&["--no-huge", "--vdev", "net_null0", "--lcores", "x"]);
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("--no-huge --vdev net_null0 --lcores x"), "{text}");
            assert!(matches!(Eal::init(&["--no-huge"]), Err(EalError::Again)));
        },
    );
}

#[test]
fn closures_run_on_lcores_and_are_waited_for() {
    in_own_process("closures_run_on_lcores_and_are_waited_for", || {
        let eal = eal(&[]);
        let (lcores, ran) = (eal.lcores(), Arc::new(AtomicU32::new(0)));
        assert_eq!(lcores.iter().map(|l| l.0).collect::<Vec<_>>(), [1]);
        let on_lcore = Arc::clone(&ran);
        let job = eal.launch(lcores[0], move || on_lcore.store(5, Ordering::Relaxed)).unwrap();
        job.wait().unwrap();
        assert_eq!(ran.load(Ordering::Relaxed), 5);
        assert!(eal.launch(anchord::dpdk::LcoreId(0), || ()).is_err());
        let panics = eal.launch(lcores[0], || panic!("on purpose")).unwrap();
        assert!(panics.wait().unwrap_err().to_string().contains("lcore 1 panicked"));
    });
}

#[test]
fn tsc_clock_agrees_with_the_kernels() {
    in_own_process("tsc_clock_agrees_with_the_kernels", || {
        let eal = eal(&[]);
        #[allow(clippy::disallowed_methods)] // the oracle
        let kernel = std::time::Instant::now();
        let clock = TscClock::new(&eal);
        while kernel.elapsed().as_millis() < 50 {
            std::thread::yield_now();
        }
        let (ours, theirs) = (clock.now_ns(), kernel.elapsed().as_nanos());
        let theirs = u64::try_from(theirs).unwrap();
        assert!(ours.abs_diff(theirs) < theirs / 20, "{ours} ns, kernel {theirs} ns");
    });
}

#[test]
fn frames_that_outlive_their_pool_keep_its_memory() {
    in_own_process("frames_that_outlive_their_pool_keep_its_memory", || {
        let eal = eal(&[]);
        let pool = Mempool::new(&eal, 255, 2048).unwrap();
        let mut late = frame(&pool, b"still here");
        drop(pool);
        drop(eal);
        late.data_mut()[0] = b'S';
        assert_eq!(late.data(), b"Still here");
    });
}

#[test]
fn pool_lies_in_hugepages_where_there_are_any() {
    in_own_process("pool_lies_in_hugepages_where_there_are_any", || {
        let free =
            std::fs::read_to_string("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
        if free.ok().and_then(|n| n.trim().parse::<u32>().ok()).unwrap_or(0) < 32 {
            eprintln!("SKIPPED pool_lies_in_hugepages: fewer than 32 free hugepages of 2 MiB");
            return;
        }
        // In memory: needs no mounted hugetlbfs and leaves no file.
        let eal = Eal::init(&["--in-memory", "-m", "32", "--no-pci", "--lcores", "0@0"]).unwrap();
        let pool = Mempool::new(&eal, 1023, 2048).unwrap();
        let f = frame(&pool, b"x");
        let address = f.data().as_ptr() as usize;
        assert!(page_kib(address) >= 2048, "page of {} KiB", page_kib(address));
    });
}

/// Page size of the mapping that holds `address`, by /proc/self/smaps.
fn page_kib(address: usize) -> u32 {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let mut inside = false;
    for line in smaps.lines() {
        if let Some((from, to)) = line.split(' ').next().and_then(|r| r.split_once('-')) {
            if let (Ok(from), Ok(to)) =
                (usize::from_str_radix(from, 16), usize::from_str_radix(to, 16))
            {
                inside = (from..to).contains(&address);
            }
        } else if inside && line.starts_with("KernelPageSize:") {
            return line.split_whitespace().nth(1).unwrap().parse().unwrap();
        }
    }
    0
}
