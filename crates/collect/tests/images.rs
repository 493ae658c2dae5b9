//! Pictures from servers that misbehave: what counts as one, what is refused, and that nothing is fetched twice.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::time::{Duration, Instant};

use common::*;
use quintet_collect::images::{FetchOptions, FetchReport, fetch};
use quintet_posts::progress::Silent;
use quintet_posts::{Corpus, CorpusWriter, ErrorKind, ImageRef, Part, Post};

const PNG: &str = "\u{89}PNG\r\n\u{1a}\nsome pixels";

/// The bytes of a PNG; as text each of its characters is a byte.
fn png() -> Vec<u8> {
    PNG.chars().map(|c| c as u8).collect()
}

fn picture(stream: &mut std::net::TcpStream, bytes: &[u8]) {
    use std::io::Write;
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: {}\r\n\r\n", bytes.len());
    let _ = stream.write_all(&[head.as_bytes(), bytes].concat());
}

/// A corpus of one post an address.
fn corpus(folder: &Path, urls: &[String]) -> Corpus {
    let mut writer = CorpusWriter::create(&folder.join("corpus"), false, false).unwrap();
    for (n, url) in urls.iter().enumerate() {
        let image = ImageRef { url: Some(url.clone()), alt: Some("alt".into()), ..ImageRef::default() };
        let post = Post { id: format!("p,{n}"), text: "x".into(), images: vec![image], ..Post::default() };
        writer.push(post, Some(Part::Train)).unwrap();
    }
    writer.finish().unwrap()
}

fn quick(server: &Server) -> FetchOptions {
    FetchOptions {
        per_second: 1000.0,
        wait: Duration::from_millis(5),
        allow_private: vec![server.address.to_string()],
        ..FetchOptions::default()
    }
}

/// Path of the first image of each post.
fn paths(root: &Path) -> Vec<Option<String>> {
    let posts = Corpus::open(root).unwrap().posts().unwrap();
    posts.into_iter().map(|p| p.images[0].path.clone()).collect()
}

#[test]
fn pictures_are_checked_and_failures_stand_by_their_posts() {
    let elsewhere = Server::start(|_, _, stream| picture(stream, &png()));
    let away = elsewhere.url("/secret");
    let server = Server::start(move |n, request, stream| match request.split(' ').nth(1).unwrap() {
        "/a" | "/b" => picture(stream, &png()),
        "/other" => picture(stream, &[png(), png()].concat()),
        "/to-a" => status(stream, "302 Found", "Location: a\r\n", ""),
        "/loop" => status(stream, "302 Found", "Location: /loop\r\n", ""),
        "/away" => status(stream, "302 Found", &format!("Location: {away}\r\n"), ""),
        "/metadata" => status(stream, "302 Found", "Location: http://169.254.169.254/latest\r\n", ""),
        "/file" => status(stream, "302 Found", "Location: file:///etc/passwd\r\n", ""),
        "/page" => status(stream, "200 OK", "Content-Type: image/jpeg\r\n", "<html>gone</html>"),
        "/gone" => status(stream, "404 Not Found", "", ""),
        "/cut" => {
            use std::io::Write;
            let _ = stream.write_all(&[b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", &png()[..]].concat());
        }
        "/large" => {
            // Without a length: the limit has to be kept while it comes.
            begin(stream, "");
            while chunk(stream, &[0xff; 50_000]) {}
        }
        "/busy" if n % 2 == 0 => status(stream, "503 Service Unavailable", "Retry-After: 0\r\n", ""),
        "/busy" => picture(stream, &png()),
        other => panic!("{other}"),
    });
    let names = [
        "/a",
        "/b",
        "/a",
        "/other",
        "/to-a",
        "/loop",
        "/away",
        "/metadata",
        "/file",
        "/page",
        "/gone",
        "/cut",
        "/large",
    ];
    let mut urls: Vec<String> = names.iter().map(|n| server.url(n)).collect();
    urls.push(elsewhere.url("/direct"));
    urls.push("no address".into());
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path(), &urls);
    let options = FetchOptions { most_bytes: 100_000, ..quick(&server) };
    let report = fetch(&corpus, &options, &Silent::default()).unwrap();
    assert_eq!((report.addresses, report.fetched, report.failed, report.left), (14, 4, 10, 0), "{report}");
    assert!(elsewhere.requests().is_empty(), "a private address was reached");

    let paths = paths(corpus.root());
    assert!(paths[..5].iter().all(Option::is_some) && paths[5..].iter().all(Option::is_none), "{paths:?}");
    assert!(paths[0] == paths[1] && paths[0] == paths[2] && paths[0] == paths[4] && paths[0] != paths[3]);
    assert_eq!(std::fs::read(corpus.root().join(paths[0].as_deref().unwrap())).unwrap(), png());
    let failures = std::fs::read_to_string(corpus.root().join("images/fetched/failures.csv")).unwrap();
    for (at, reason) in [
        (5, "redirects"),
        (6, "private address"),
        (7, "private address"),
        (8, "not an address"),
        (9, "neither JPEG"),
        (10, "404"),
        (11, "cut"),
        (12, "larger than"),
        (13, "private address"),
        (14, "not an address"),
    ] {
        let line = failures
            .lines()
            .find(|l| l.starts_with(&format!("\"p,{at}\",")))
            .unwrap_or_else(|| panic!("{at}: {failures}"));
        assert!(line.contains(reason), "{line}");
    }
    let asked = |name: &str| server.requests().iter().filter(|r| r.starts_with(&format!("GET {name} "))).count();
    assert_eq!((asked("/a"), asked("/gone"), asked("/cut")), (2, 1, 3), "once; what may pass three times");

    // A later call asks only for what may have passed.
    let again = fetch(&Corpus::open(corpus.root()).unwrap(), &options, &Silent::default()).unwrap();
    assert_eq!((again.fetched, asked("/a"), asked("/gone")), (0, 2, 1));
    assert_eq!(asked("/cut"), 6);
}

#[test]
fn a_picture_that_drips_in_is_given_up_in_time() {
    let server = Server::start(|_, _, stream| {
        begin(stream, "");
        while chunk(stream, b"\x89") {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path(), &[server.url("/slow")]);
    let options = FetchOptions { deadline: Duration::from_millis(300), tries: 2, ..quick(&server) };
    let report = fetch(&corpus, &options, &Silent::default()).unwrap();
    assert_eq!((report.fetched, report.failed), (0, 1));
    assert!(report.reasons[0].0.contains("in time"), "{report}");
}

#[test]
fn what_is_busy_is_tried_again() {
    let server = Server::start(|n, _, stream| match n {
        0 => status(stream, "503 Service Unavailable", "", ""),
        1 => status(stream, "429 Too Many Requests", "", ""),
        _ => picture(stream, &png()),
    });
    let folder = tempfile::tempdir().unwrap();
    let corpus = corpus(folder.path(), &[server.url("/x")]);
    let report = fetch(&corpus, &quick(&server), &Silent::default()).unwrap();
    assert_eq!((report.fetched, report.failed, server.requests().len()), (1, 0, 3));
}

#[test]
fn a_stopped_fetch_goes_on_and_keeps_the_pace() {
    let server = Server::start(|_, request, stream| {
        picture(stream, &[png(), request.as_bytes()[..30].to_vec()].concat());
    });
    let folder = tempfile::tempdir().unwrap();
    let urls: Vec<String> = (0..40).map(|n| server.url(&format!("/{n:03}"))).collect();
    let corpus = corpus(folder.path(), &urls);
    let options = FetchOptions { per_second: 100.0, ..quick(&server) };
    let stop = Silent::default();
    let begun = Instant::now();
    let stopped = std::thread::scope(|scope| {
        let fetching = scope.spawn(|| fetch(&corpus, &options, &stop));
        while server.requests().len() < 10 {
            std::thread::sleep(Duration::from_millis(1));
        }
        stop.stop();
        fetching.join().unwrap()
    });
    let error = stopped.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let first = paths(corpus.root()).iter().flatten().count();
    assert!((6..40).contains(&first), "{first} were fetched and entered before the stop");
    // A kill may cut the last line of the ledger.
    let ledger = corpus.root().join("images/fetched/ledger.jsonl");
    let text = std::fs::read_to_string(&ledger).unwrap();
    std::fs::write(&ledger, text + "{\"url\":\"http://cu").unwrap();
    let report: FetchReport = fetch(&Corpus::open(corpus.root()).unwrap(), &options, &Silent::default()).unwrap();
    assert_eq!(report.fetched as usize + first, 40);
    assert!(paths(corpus.root()).iter().all(Option::is_some));
    // The stop may have come between an answer and its entry for as many as were under way.
    let asked = server.requests().len();
    assert!((40..=44).contains(&asked), "{asked} requests");
    assert!(begun.elapsed() >= Duration::from_millis(390), "40 requests at 100 a second");
}
