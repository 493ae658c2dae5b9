//! The library uses no network: a program with all of its entry points does not even contain the calls that open a
//! connection. Collection is a crate of its own, which the library does not depend on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

/// The calls with which a program on Linux reaches another machine.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const CALLS: [&[u8]; 3] = [b"\0getaddrinfo\0", b"\0connect\0", b"\0sendto\0"];

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_library_cannot_connect() {
    // The two entry points that call all others; naming them brings their code into this program.
    let entries = [quintet::demo::demo as *const (), quintet::reproduce::reproduce as *const ()];
    let import = quintet::posts::import as *const ();
    assert!(std::hint::black_box(entries).iter().chain(&[import]).all(|entry| !entry.is_null()));

    let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(program.len() > 10 << 20, "the library is not in this program");
    // The names of the system calls a dynamically linked program imports stand in it, each between zero bytes;
    // `write` proves that they are found where they are.
    let imports = |name: &[u8]| program.windows(name.len()).any(|window| window == name);
    assert!(imports(b"\0write\0"), "the table of imported calls is not where this test looks");
    for call in CALLS {
        assert!(!imports(call), "the program imports {}", String::from_utf8_lossy(call));
    }
}
