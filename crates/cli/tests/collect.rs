//! The command line of collection: a stream into a folder, the folder into a corpus with its images, Ctrl-C, errors.

#![cfg(feature = "collect")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use common::{json, quintet};

/// A Mastodon server with a stream of three statuses, the second with an image, which it has as well.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap(), address));
        }
    });
    address
}

fn serve(mut stream: TcpStream, address: SocketAddr) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let request = lines.next().unwrap().unwrap();
    while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
    if request.contains("/picture") {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n\x89PNG\r\n\x1a\nxyz");
        return;
    }
    if !request.contains("/api/v1/streaming/public") {
        let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
        return;
    }
    let status = |id: u32, media: &str| {
        format!(
            "event: update\ndata: {{\"id\":\"{id}\",\"created_at\":\"2024-01-01T00:00:00.000Z\",\"content\":\"<p>snow {id}</p>\",\
             \"visibility\":\"public\",\"account\":{{\"id\":\"1\",\"acct\":\"a\"}},\"media_attachments\":[{media}],\"tags\":[]}}\n\n"
        )
    };
    let media = format!("{{\"id\":\"9\",\"type\":\"image\",\"url\":\"http://{address}/picture.png\"}}");
    let events = status(1, "") + &status(2, &media) + &status(3, "");
    let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{events}").as_bytes());
    while stream.write_all(b":thump\n").is_ok() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_stream_becomes_a_corpus_with_images() {
    let address = server();
    let url = format!("http://{address}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let report = json(path, &["collect", "mastodon", "--server", &url, "--into", "fedi", "--posts", "3"]);
    assert_eq!((&report["run"]["posts"], &report["lines"]), (&3.into(), &3.into()), "{report:#}");
    assert_eq!(report["ended"], "done");

    // Its own network is private: without leave nothing is fetched.
    let report = json(path, &["import", "fedi/raw", "--into", "corpus", "--fetch-images"]);
    assert_eq!(report["rows"]["imported"], 3, "{report:#}");
    assert_eq!((&report["fetched_images"]["fetched"], &report["fetched_images"]["failed"]), (&0.into(), &1.into()));
    let host = address.to_string();
    let again = ["import", "--into", "corpus", "--fetch-images", "--fetch-again", "--fetch-private", &host];
    let report = json(path, &again);
    assert_eq!(report["fetched_images"]["fetched"], 1, "{report:#}");
    let check = json(path, &["check", "corpus"]);
    assert!(check.is_object());

    let filtered = ["collect", "mastodon", "--server", &url, "--into", "images", "--posts", "1", "--require", "image"];
    let report = json(path, &filtered);
    assert_eq!((&report["run"]["kept"], &report["lines"]), (&1.into(), &1.into()), "{report:#}");
    let table = quintet(path, &filtered[..6]).args(["--for", "1s"]).assert().failure();
    let error = String::from_utf8(table.get_output().stderr.clone()).unwrap();
    assert!(error.contains("another collection"), "{error}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_says_so() {
    let url = format!("http://{}", server());
    let folder = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("quintet"))
        .args(["collect", "mastodon", "--server", &url, "--into", "fedi", "--save-every", "1h", "--json", "--quiet"])
        .current_dir(folder.path())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let raw = folder.path().join("fedi/raw");
    while std::fs::read_dir(&raw).map_or(0, Iterator::count) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    // The three statuses come at once; the file appears with the first.
    std::thread::sleep(Duration::from_millis(500));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["ended"], &report["lines"]), (&"stopped".into(), &3.into()));
}

#[test]
fn what_is_missing_or_wrong_is_said_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], code: i32, says: &[&str]| {
        let run = quintet(folder.path(), arguments).env_remove("X_BEARER_TOKEN").assert().code(code);
        let error = String::from_utf8(run.get_output().stderr.clone()).unwrap();
        assert!(says.iter().all(|s| error.contains(s)), "{arguments:?}: {error}");
    };
    fails(&["collect", "x", "--into", "c"], 2, &["X_BEARER_TOKEN", "--token-env"]);
    fails(&["collect", "x-rules"], 2, &["X_BEARER_TOKEN"]);
    fails(&["collect", "bluesky", "--into", "c", "--require", "txt"], 2, &["possible values", "hashtags"]);
    fails(&["collect", "bluesky", "--into", "c", "--place-kinds", "cty"], 2, &["possible values", "city"]);
    std::fs::create_dir(folder.path().join("other")).unwrap();
    std::fs::write(folder.path().join("other/notes.txt"), "mine").unwrap();
    fails(&["collect", "bluesky", "--into", "other"], 1, &["other", "holds other files", "does not exist yet"]);
    assert_eq!(std::fs::read_dir(folder.path().join("other")).unwrap().count(), 1, "it is left alone");
    fails(&["collect", "bluesky", "--into", "c", "--within", "1,2"], 2, &["four numbers", "-170,15,-50,72"]);
    fails(&["collect", "bluesky", "--into", "c", "--for", "7"], 2, &["90s"]);
    fails(&["collect", "bluesky", "--into", "c", "--endpoint", "jetstream"], 1, &["jetstream", "--endpoint"]);
    fails(
        &["collect", "mastodon", "--server", "https://m.example", "--stream", "hashtag", "--into", "h"],
        1,
        &["--tag"],
    );
    // Nobody listens at the port of a listener that is gone.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("ws://{closed}/subscribe");
    fails(
        &["collect", "bluesky", "--into", "n", "--endpoint", &endpoint, "--for", "1s"],
        1,
        &["no connection came about", "refused", "run the command again"],
    );
    fails(&["import", "--into", "c"], 2, &["FILES|FOLDERS"]);
    fails(&["import", "x.jsonl", "--into", "c", "--fetch-rate", "1"], 2, &["--fetch-images"]);
}
