//! No command uses the network: the program does not even contain the calls that open a connection.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

/// The calls with which a program on Linux reaches another machine.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const CALLS: [&[u8]; 3] = [b"\0getaddrinfo\0", b"\0connect\0", b"\0sendto\0"];

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn the_program_cannot_connect() {
    let program = std::fs::read(assert_cmd::cargo::cargo_bin("quintet")).unwrap();
    // The names of the system calls a dynamically linked program imports stand in it, each between zero bytes;
    // `write` proves that they are found where they are.
    let imports = |name: &[u8]| program.windows(name.len()).any(|window| window == name);
    assert!(imports(b"\0write\0"), "the table of imported calls is not where this test looks");
    for call in CALLS {
        assert!(!imports(call), "the program imports {}", String::from_utf8_lossy(call));
    }
}
