//! Only `collect` and `import --fetch-images` use the network.
//!
//! The library that every other verb calls does not even contain the calls that open a connection
//! (`crates/quintet/tests/no_network.rs`), nor does the program built without the feature `collect`. In the whole program
//! only two files name the crate that has them, and a run of the other verbs asks the system for no socket.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "collect")]
mod common;

/// The calls with which a program on Linux reaches another machine.
#[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "collect")))]
const CALLS: [&str; 3] = ["getaddrinfo", "connect", "sendto"];

/// `cargo test -p quintet-cli --no-default-features --test no_network`
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu", not(feature = "collect")))]
fn the_program_without_collection_cannot_connect() {
    let program = std::fs::read(assert_cmd::cargo::cargo_bin("quintet")).unwrap();
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

#[test]
fn only_collection_and_the_fetching_of_images_name_the_crate_that_connects() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = Vec::new();
    for folder in [source.clone(), source.join("verbs")] {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && std::fs::read_to_string(&path).unwrap().contains("quintet_collect") {
                names.push(path.strip_prefix(&source).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    names.sort();
    assert_eq!(names, ["collect_args.rs", "verbs/collect.rs", "verbs/import.rs"]);
}

/// Runs verbs under strace and looks for calls that concern the network.
#[test]
#[cfg(all(target_os = "linux", feature = "collect"))]
fn the_other_verbs_ask_for_no_socket() {
    let traced = |arguments: &[&str], folder: &std::path::Path| {
        let log = folder.join("calls");
        let status = std::process::Command::new("strace")
            .args(["-f", "-qq", "-e", "trace=%network", "-o"])
            .arg(&log)
            .arg(assert_cmd::cargo::cargo_bin("quintet"))
            .args(arguments)
            .arg("--quiet")
            .current_dir(folder)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .status();
        status.ok().map(|status| (status.success(), std::fs::read_to_string(&log).unwrap_or_default()))
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let Some((true, _)) = traced(&["--version"], path) else {
        eprintln!("NOT CHECKED: strace is not there or may not trace, so no verb was watched for sockets");
        return;
    };
    std::fs::write(
        path.join("dump.jsonl"),
        "{\"id\":\"1\",\"text\":\"hello\",\"images\":[\"https://example.com/a.jpg\"]}\n",
    )
    .unwrap();
    let small = common::small();
    let features = [&["features", "town"][..], &small].concat();
    let train = [&["train", "town", "--into", "run"][..], &small].concat();
    let verbs: [&[&str]; 9] = [
        &["town", "--posts", "300", "--into", "town"],
        &["import", "dump.jsonl", "--into", "corpus"],
        &["check", "town"],
        &["split", "town", "--by-author", "0.8,0.1,0.1"],
        &features,
        &train,
        &["embed", "town", "--model", "run", "--into", "vectors.parquet"],
        &["eval", "retrieval", "town", "--model", "run"],
        &["completions", "bash"],
    ];
    for arguments in verbs {
        let (succeeded, calls) = traced(arguments, path).unwrap();
        assert!(succeeded, "{arguments:?} failed");
        // A thread that ends during a call which is not watched leaves a line without a name.
        let calls: Vec<&str> = calls.lines().filter(|l| l.contains('(') && !l.contains("???(")).collect();
        assert!(calls.is_empty(), "{arguments:?}: {calls:?}");
    }
    // The watch itself works: the verb whose purpose is the network is seen.
    let (_, calls) =
        traced(&["collect", "bluesky", "--endpoint", "ws://127.0.0.1:9/", "--into", "collection", "--for", "1s"], path)
            .unwrap();
    assert!(calls.contains("connect("), "{calls}");
}
