//! What the process must be allowed to do.

use super::*;

const NET_ADMIN: u64 = 1 << 12;
const PERFMON: u64 = 1 << 38;
const BPF: u64 = 1 << 39;

/// `struct __user_cap_header_struct` of version 3, whose capabilities are two words each.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Leaves the calling thread these capabilities; `false` if it does not have them.
fn keep_only(set: u64) -> bool {
    let header = Header { version: 0x2008_0522, pid: 0 };
    let words = [set as u32, (set >> 32) as u32].map(|word| Word {
        effective: word,
        permitted: word,
        inheritable: 0,
    });
    // SAFETY: the kernel reads one header and two words, which are ours.
    unsafe { libc::syscall(libc::SYS_capset, &raw const header, words.as_ptr()) == 0 }
}

/// What a thread with these capabilities is told; `None` if it cannot have them.
fn load_with(set: u64) -> Option<Result<(), Unavailable>> {
    let load = move || {
        let config = OffloadConfig { interfaces: vec!["lo".into()], calls_max: 2 };
        let load =
            || Offload::load(&config, 1, OsInstant::now(), 46).and_then(|offload| offload.table(0).map(drop));
        keep_only(set).then(load)
    };
    std::thread::spawn(load).join().unwrap()
}

#[test]
fn three_capabilities_are_needed_and_enough() {
    let Some(with_all) = load_with(NET_ADMIN | BPF | PERFMON) else { return println!("skipped: not root") };
    with_all.unwrap();
    for missing in [NET_ADMIN | BPF, NET_ADMIN | PERFMON, PERFMON | BPF, 0] {
        let refused = load_with(missing).unwrap().unwrap_err();
        assert!(matches!(refused, Unavailable::Rights), "{missing:x}: {refused}");
    }
}
