//! A stream over HTTP from a server that misbehaves: nothing is lost, nothing comes twice, the waits are the documented
//! ones.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use common::*;
use quintet_collect::sources::X;
use quintet_collect::{CollectOptions, Filter, collect};
use quintet_posts::Component;
use quintet_posts::progress::Silent;

fn posts(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    ids.into_iter().map(post).collect()
}

#[test]
fn cuts_within_lines_and_characters_cost_nothing() {
    let text = lines(1..=4);
    let umlaut = text.find('\u{fc}').unwrap();
    let second = text.len() / 4;
    let cuts = [second + umlaut + 1, second + 5, second];
    let server = Server::start(move |n, _, stream| {
        begin(stream, "");
        match cuts.get(n) {
            // In pieces that split characters and the chunks' own lines, then cut off without an end.
            Some(cut) => text.as_bytes()[..*cut].chunks(3).for_each(|piece| _ = chunk(stream, piece)),
            None => {
                chunk(stream, text.as_bytes());
                hold(stream);
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&x(&server), 4, folder.path());
    assert_eq!(collected(folder.path()), posts(1..=4));
    assert_eq!(classes(folder.path()), ["dropped"; 3]);
    assert_eq!(report.run.duplicates, 3);
    let within = |e: &serde_json::Value| e["what"].as_str().is_some_and(|w| w.contains("within a message"));
    assert_eq!(log(folder.path()).iter().filter(|e| within(e)).count(), 2);
}

#[test]
fn a_stalled_stream_is_taken_up_again() {
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        chunk(stream, lines(1..=n as u64 + 1).as_bytes());
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let options = CollectOptions { stall: Some(Duration::from_millis(150)), ..quick() };
    collect_with(&x(&server), 3, folder.path(), &options);
    assert_eq!(collected(folder.path()), posts(1..=3));
    assert!(log(folder.path()).iter().any(|e| e["what"].as_str().is_some_and(|w| w.starts_with("stalled"))));
}

#[test]
fn keep_alives_hold_a_quiet_stream_and_a_drip_without_end_does_not() {
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        if n == 0 {
            // Bytes come all the time, but never a line.
            while chunk(stream, b"x") {
                std::thread::sleep(Duration::from_millis(5));
            }
            return;
        }
        for _ in 0..60 {
            chunk(stream, b"\r\n");
            std::thread::sleep(Duration::from_millis(20));
        }
        chunk(stream, lines([7]).as_bytes());
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    // Less than the quiet time, far more than the time between two signs of life.
    let options = CollectOptions { stall: Some(Duration::from_millis(600)), ..quick() };
    // Were the second connection not held, no post would ever come.
    collect_with(&x(&server), 1, folder.path(), &options);
    assert_eq!(collected(folder.path()), posts([7]));
    assert!(classes(folder.path()).iter().all(|c| c == "dropped"));
}

#[test]
fn a_slow_drip_arrives() {
    let server = Server::start(|_, _, stream| {
        begin(stream, "");
        for byte in lines(1..=2).as_bytes() {
            chunk(stream, &[*byte]);
            std::thread::sleep(Duration::from_millis(1));
        }
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&x(&server), 2, folder.path());
    assert_eq!((collected(folder.path()), report.run.connections), (posts(1..=2), 1));
}

#[test]
fn each_error_of_the_service_has_its_wait() {
    let server = Server::start(|n, _, stream| match n {
        0 => status(stream, "420 Enhance Your Calm", "", "slower"),
        1 => status(stream, "429 Too Many Requests", "Retry-After: 1\r\n", ""),
        2 => status(stream, "503 Service Unavailable", "", "{\"title\":\"Service Unavailable\"}"),
        3 => status(stream, "503 Service Unavailable", "", ""),
        4 => drop(stream.write_all(b"SMTP ready\r\n\r\n")),
        5 => {}
        _ => {
            begin(stream, "");
            chunk(stream, lines([1]).as_bytes());
            hold(stream);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    collect_lines(&x(&server), 1, folder.path());
    let expected = ["rate_limited", "rate_limited", "http", "http", "network", "network"];
    assert_eq!(classes(folder.path()), expected);
    let failures = log(folder.path()).into_iter().filter(|e| e["event"] == "failure");
    let waits: Vec<f64> = failures.map(|e| e["wait_s"].as_f64().unwrap()).collect();
    for (wait, least) in waits.iter().zip([0.02, 1.0, 0.01, 0.02, 0.002, 0.004]) {
        assert!((least..=least * 1.2501).contains(wait), "{wait} for {least}");
    }
    assert!(log(folder.path()).iter().any(|e| e["what"].as_str().is_some_and(|w| w.contains("slower"))));
}

#[test]
fn a_refusal_ends_the_collection_with_a_way_out_and_what_came_is_saved() {
    let server = Server::start(|n, _, stream| match n {
        0 => {
            begin(stream, "");
            chunk(stream, lines(1..=3).as_bytes());
        }
        _ => status(stream, "401 Unauthorized", "", "{\"title\":\"Unauthorized\"}"),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = collect(&x(&server), &quick(), folder.path(), &Silent::default()).unwrap_err();
    assert!(error.what().contains("401") && error.what().contains("Unauthorized"), "{error}");
    assert!(error.way_out().unwrap().contains("--token-env"));
    assert_eq!(collected(folder.path()), posts(1..=3));
    assert_eq!(acknowledged(folder.path()), 3);
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::start(|_, _, stream| status(stream, "200 OK", "", ""));
    let to = format!("Location: {}\r\n", other.url("/"));
    let server = Server::start(move |_, _, stream| status(stream, "302 Found", &to, ""));
    let folder = tempfile::tempdir().unwrap();
    let error = collect(&x(&server), &quick(), folder.path(), &Silent::default()).unwrap_err();
    assert!(error.to_string().contains("redirect"), "{error}");
    assert!(other.requests().is_empty(), "the token went to another host");
}

#[test]
fn packed_streams_arrive_line_by_line() {
    let server = Server::start(|_, request, stream| {
        assert!(request.contains("Accept-Encoding: gzip"));
        begin(stream, "Content-Encoding: gzip\r\n");
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        for id in 1..=3 {
            encoder.write_all(lines([id]).as_bytes()).unwrap();
            encoder.flush().unwrap();
            let packed = std::mem::take(encoder.get_mut());
            packed.chunks(2).for_each(|piece| _ = chunk(stream, piece));
        }
        // The stream is open: nothing more comes, and the lines must be there all the same.
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    collect_lines(&x(&server), 3, folder.path());
    assert_eq!(collected(folder.path()), posts(1..=3));
}

#[test]
fn wrong_json_is_kept_as_it_came_and_counted() {
    let odd = ["{\"data\":{\"id\":\"2\"", "<html>busy</html>", "\u{1}\u{2}", "[1]"];
    let sent = [post(1).as_str(), odd[0], odd[1], odd[2], odd[3], post(3).as_str()].join("\n") + "\n";
    let server = Server::start(move |_, _, stream| {
        begin(stream, "");
        chunk(stream, sent.as_bytes());
        chunk(stream, b"\"not UTF-8: \xff\"\n");
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&x(&server), 7, folder.path());
    let found = collected(folder.path());
    assert_eq!(found[..6], [post(1), odd[0].into(), odd[1].into(), odd[2].into(), odd[3].into(), post(3)]);
    assert_eq!((found.len(), report.run.unreadable), (7, 5));
    assert_eq!(log(folder.path()).iter().filter(|e| e["event"] == "unreadable").count(), 5);
}

#[test]
fn notices_are_counted_and_a_disconnect_is_obeyed() {
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        if n == 0 {
            chunk(stream, lines([1]).as_bytes());
            for track in [5, 9] {
                chunk(stream, format!("{{\"limit\":{{\"track\":{track}}}}}\r\n").as_bytes());
            }
            chunk(stream, b"{\"warning\":{\"code\":\"FALLING_BEHIND\",\"message\":\"60 % full\"}}\r\n");
            chunk(stream, b"{\"disconnect\":{\"code\":7,\"reason\":\"another login\"}}\r\n");
        } else {
            chunk(stream, b"{\"limit\":{\"track\":2}}\r\n");
            chunk(stream, b"{\"delete\":{\"status\":{\"id_str\":\"1\"}}}\r\n");
            chunk(stream, lines([2]).as_bytes());
        }
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&x(&server), 8, folder.path());
    assert_eq!(report.run.undelivered, 11, "limits count since the connection was made");
    assert_eq!(report.run.deletes, 1);
    assert_eq!(classes(folder.path()), ["rate_limited"], "the other login must not be thrown out again at once");
    assert_eq!(collected(folder.path()).len(), 8, "what the service says stands in the raw files too");
}

#[test]
fn a_gap_is_asked_for_again_where_the_service_has_it() {
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        let ids = if n == 0 { 1..=2 } else { 1..=3 };
        chunk(stream, lines(ids).as_bytes());
        if n > 0 {
            hold(stream);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let x = X { backfill: 5, ..x(&server) };
    let report = collect_lines(&x, 3, folder.path());
    let requests = server.requests();
    assert!(!requests[0].contains("backfill_minutes") && requests[1].contains("backfill_minutes=1"), "{requests:?}");
    assert_eq!((collected(folder.path()), report.run.duplicates), (posts(1..=3), 2));
    let gap = log(folder.path()).into_iter().find(|e| !e["gap"].is_null()).unwrap();
    assert_eq!(gap["gap"]["replayed"], true);
}

#[test]
fn stopping_loses_nothing_and_the_next_run_goes_on() {
    let server = Server::start(|n, _, stream| {
        begin(stream, "");
        let first = n as u64 * 1000;
        (first..first + 1000).for_each(|id| _ = chunk(stream, lines([id]).as_bytes()));
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    // Saving is left to the end: what is there after Ctrl-C was saved by it.
    let mut options = quick();
    options.store.sync_every = Duration::from_secs(1000);
    for run in 1..=2 {
        let stop = Silent::default();
        let report = std::thread::scope(|scope| {
            let collector = scope.spawn(|| collect(&x(&server), &options, folder.path(), &stop));
            // A file of its own appears with the first message of a run.
            let files = || std::fs::read_dir(folder.path().join("raw")).map_or(0, Iterator::count);
            while files() < run {
                std::thread::sleep(Duration::from_millis(1));
            }
            stop.stop();
            collector.join().unwrap().unwrap()
        });
        assert_eq!(report.ended, "stopped");
        assert_eq!(report.lines, acknowledged(folder.path()));
        assert_eq!(report.lines, collected(folder.path()).len() as u64);
        assert!(report.run.messages > 0 && report.rescued == 0, "run {run}: {report:?}");
    }
    // What was taken from each connection is there from its first post on, without a hole.
    let found = collected(folder.path());
    let (one, two): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|l| !l.contains("\"id\":\"1") || l.len() < post(1000).len());
    assert_eq!(one, posts(0..one.len() as u64));
    assert_eq!(two, posts(1000..1000 + two.len() as u64));
}

#[test]
fn no_secret_is_written_anywhere() {
    let server = Server::start(|_, request, stream| {
        assert!(request.contains("Authorization: Bearer secret-token\r\n"));
        begin(stream, "");
        chunk(stream, lines([1]).as_bytes());
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    collect_lines(&x(&server), 1, folder.path());
    for name in ["collect.json", "cursor.json", "log.jsonl"] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(!text.contains("secret-token"), "{name}");
    }
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let spot = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = spot.local_addr().unwrap();
    drop(spot);
    let folder = tempfile::tempdir().unwrap();
    let x = X { endpoint: format!("http://{address}/"), token: None, backfill: 0, parameters: Vec::new() };
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        let listener = std::net::TcpListener::bind(address).unwrap();
        let mut stream: TcpStream = listener.accept().unwrap().0;
        read_request(&mut stream);
        begin(&mut stream, "");
        chunk(&mut stream, lines([1]).as_bytes());
        hold(&mut stream);
    });
    collect_lines(&x, 1, folder.path());
    assert_eq!(collected(folder.path()), posts([1]));
    let classes = classes(folder.path());
    assert!(classes.len() > 2 && classes.iter().all(|c| c == "network"), "{classes:?}");
}

#[test]
fn two_collectors_do_not_share_a_folder_and_a_folder_keeps_its_collection() {
    let server = Server::start(|_, _, stream| {
        begin(stream, "");
        chunk(stream, lines([1]).as_bytes());
        hold(stream);
    });
    let folder = tempfile::tempdir().unwrap();
    let stop = Silent::default();
    std::thread::scope(|scope| {
        scope.spawn(|| collect(&x(&server), &quick(), folder.path(), &stop));
        while acknowledged(folder.path()) < 1 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let second = collect(&x(&server), &quick(), folder.path(), &Silent::default()).unwrap_err();
        assert!(second.what().contains("another collector"), "{second}");
        stop.stop();
    });
    let filter = Filter { components: vec![Component::Image], ..Filter::default() };
    let other = CollectOptions { filter, ..quick() };
    let error = collect(&x(&server), &other, folder.path(), &Silent::default()).unwrap_err();
    assert!(error.what().contains("another collection"), "{error}");
}
