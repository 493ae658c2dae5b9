//! A collector killed with -9 again and again under load: what was acknowledged is never lost, nothing comes out of order.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::*;
use quintet_collect::collect;
use quintet_collect::sources::{Jetstream, X};
use quintet_collect::store::StoreOptions;
use quintet_posts::progress::Silent;
use tungstenite::Message;

const FOLDER: &str = "QUINTET_TEST_COLLECT_INTO";
const SERVICE: &str = "QUINTET_TEST_COLLECT_FROM";

/// The collector that gets killed: this test again, in a process of its own.
#[test]
fn collector() {
    let (Ok(folder), Ok(service)) = (std::env::var(FOLDER), std::env::var(SERVICE)) else { return };
    let ms = Duration::from_millis;
    let mut options = quick();
    options.stop_after = Some(Duration::from_secs(60));
    // Saved and rotated all the time, so that kills fall into every step.
    options.store = StoreOptions { sync_every: ms(3), rotate_bytes: 6_000, rotate_age: Duration::from_secs(3600) };
    let folder = PathBuf::from(folder);
    if service.starts_with("ws") {
        let jetstream = Jetstream {
            endpoint: service,
            collections: vec!["app.bsky.feed.post".into()],
            dids: Vec::new(),
            dictionary: None,
            from: None,
        };
        collect(&jetstream, &options, &folder, &Silent::default()).unwrap();
    } else {
        let x = X { endpoint: service, token: None, backfill: 0, parameters: Vec::new() };
        collect(&x, &options, &folder, &Silent::default()).unwrap();
    }
}

fn start(folder: &Path, service: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "collector", "--nocapture"])
        .env(FOLDER, folder)
        .env(SERVICE, service)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Starts, waits for progress, kills; returns what was acknowledged then.
fn run_and_kill(folder: &Path, service: &str, after_lines: u64, extra_ms: u64) -> u64 {
    let before = acknowledged(folder);
    let mut child = start(folder, service);
    for _ in 0..6000 {
        if acknowledged(folder) >= before + after_lines {
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    std::thread::sleep(Duration::from_millis(extra_ms));
    child.kill().unwrap();
    child.wait().unwrap();
    let now = acknowledged(folder);
    assert!(now > before, "no progress within the time");
    now
}

const KILLS: u64 = 12;

fn number(line: &str) -> u64 {
    let at = line.find("\"time_us\":").map(|at| at + 10).or_else(|| line.find("\"id\":\"").map(|at| at + 6)).unwrap();
    line[at..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

fn event(n: u64) -> String {
    format!(
        "{{\"did\":\"did:plc:a\",\"time_us\":{n},\"kind\":\"commit\",\"commit\":{{\"rev\":\"{n}\",\"operation\":\"create\",\
         \"collection\":\"app.bsky.feed.post\",\"rkey\":\"{n}\",\"record\":{{\"$type\":\"app.bsky.feed.post\",\
         \"text\":\"{}\",\"createdAt\":\"2024-01-01T00:00:00Z\"}}}}}}",
        "words ".repeat((n % 40) as usize)
    )
}

#[test]
fn with_a_service_that_replays_there_is_neither_hole_nor_duplicate() {
    // Events are 100 ms apart on their own clock, so that the look-back of 5 s is 50 events.
    const APART: u64 = 100_000;
    let server = Server::raw(|_, _, stream| {
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
        let note = |request: &tungstenite::handshake::server::Request, response| {
            path = request.uri().to_string();
            Ok(response)
        };
        let Ok(mut socket) = tungstenite::accept_hdr(stream, note) else { return };
        let from = path.split("cursor=").nth(1).map_or(1000 * APART, |c| c.parse::<u64>().unwrap());
        let mut n = from.div_ceil(APART) * APART;
        while socket.send(Message::text(event(n))).is_ok() {
            n += APART;
            if n.is_multiple_of(20 * APART) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let service = format!("ws://{}/subscribe", server.address);
    for kill in 0..KILLS {
        let acknowledged = run_and_kill(folder.path(), &service, 100, kill % 5);
        let readable = collected(folder.path()).len() as u64;
        assert!(
            readable >= acknowledged,
            "kill {kill}: {readable} lines can be read, {acknowledged} were acknowledged"
        );
    }
    // One more start puts the last kill in order.
    run_and_kill(folder.path(), &service, 1, 0);
    let found: Vec<u64> = collected(folder.path()).iter().map(|l| number(l)).collect();
    let expected: Vec<u64> = (1000..1000 + found.len() as u64).map(|n| n * APART).collect();
    assert!(found.len() > 1000 && found == expected, "a hole or a duplicate among {} events", found.len());
    assert!(log(folder.path()).iter().any(|e| e["event"] == "recovered"), "no kill fell into open data");
    assert!(log(folder.path()).iter().all(|e| e["missing"].as_u64().unwrap_or(0) == 0));
}

#[test]
fn with_a_service_that_replays_nothing_all_that_was_acknowledged_stays() {
    // Each connection gets numbers of its own, so that nothing lost can be made up for.
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        let mut id = (n as u64 + 1) * 10_000_000;
        while chunk(stream, lines(id..id + 10).as_bytes()) {
            id += 10;
            std::thread::sleep(Duration::from_micros(300));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let service = server.url("/");
    let mut before: Vec<String> = Vec::new();
    for kill in 0..KILLS {
        let acknowledged = run_and_kill(folder.path(), &service, 100, kill % 7) as usize;
        let now = collected(folder.path());
        assert!(now.len() >= acknowledged, "kill {kill}: {} of {acknowledged} acknowledged lines", now.len());
        assert!(now.starts_with(&before), "kill {kill}: what was there before changed");
        // What is readable but not acknowledged may be torn; what was acknowledged may not.
        before = now[..acknowledged].to_vec();
    }
    // Within each connection there is no hole.
    run_and_kill(folder.path(), &service, 1, 0);
    let found: Vec<u64> = collected(folder.path()).iter().map(|l| number(l)).collect();
    for pair in found.windows(2) {
        let next_connection = pair[1] % 10_000_000 == 0 && pair[1] / 10_000_000 > pair[0] / 10_000_000;
        assert!(pair[1] == pair[0] + 1 || next_connection, "{pair:?}");
    }
}
