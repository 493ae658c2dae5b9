//! The library uses no network: a program with all of its entry points does not even contain the calls that open a
//! connection. Collection is a crate of its own, which the library does not depend on.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

/// The calls with which a program on Linux reaches another machine. This test is part of the program it reads, so they
/// stand here without the zero bytes that surround an imported name.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const CALLS: [&str; 3] = ["getaddrinfo", "connect", "sendto"];

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
    let imports = |name: &str| {
        let name = format!("\0{name}\0").into_bytes();
        program.windows(name.len()).any(|window| window == name)
    };
    assert!(imports("write"), "the table of imported calls is not where this test looks");
    for call in CALLS {
        assert!(!imports(call), "the program imports {call}");
    }
}
