//! WebSocket streams and server-sent events from servers that misbehave: cursors, packed messages, pings, closed doors.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use common::*;
use quintet_collect::sources::mastodon::Transport;
use quintet_collect::sources::{Jetstream, Mastodon};
use quintet_collect::store::raw;
use quintet_collect::{CollectOptions, collect};
use quintet_posts::progress::Silent;
use quintet_posts::{Corpus, ImportOptions};
use tungstenite::handshake::server::{Request, Response};
use tungstenite::{Message, WebSocket};

/// A server of WebSockets; `serve` gets the number of the connection and the address that was asked for.
fn sockets(serve: impl Fn(usize, &str, &mut WebSocket<&mut TcpStream>) + Send + Sync + 'static) -> Server {
    Server::raw(move |n, requests, stream| {
        let mut path = String::new();
        #[expect(clippy::result_large_err, reason = "the type is tungstenite's")]
        let note = |request: &Request, response: Response| {
            path = request.uri().to_string();
            let token = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
            requests.lock().unwrap().push(format!("{path} {}", token.unwrap_or_default()));
            Ok(response)
        };
        let Ok(mut socket) = tungstenite::accept_hdr(stream, note) else { return };
        serve(n, &path, &mut socket);
    })
}

/// Reads, and so answers pings, until the other side goes.
fn listen(socket: &mut WebSocket<&mut TcpStream>) {
    let _ = socket.get_ref().set_read_timeout(Some(Duration::from_secs(20)));
    while socket.read().is_ok() {}
}

fn jetstream(server: &Server) -> Jetstream {
    Jetstream {
        endpoint: format!("ws://{}/subscribe", server.address),
        collections: vec!["app.bsky.feed.post".into()],
        dids: Vec::new(),
        dictionary: None,
        from: None,
    }
}

/// An event at a second.
fn event(second: u64) -> String {
    format!(
        "{{\"did\":\"did:plc:a\",\"time_us\":{second}000000,\"kind\":\"commit\",\"commit\":{{\"rev\":\"r{second}\",\
         \"operation\":\"create\",\"collection\":\"app.bsky.feed.post\",\"rkey\":\"k{second}\",\"record\":{{\
         \"$type\":\"app.bsky.feed.post\",\"text\":\"post {second}\",\"createdAt\":\"2024-01-01T00:00:00Z\"}}}}}}"
    )
}

fn events(seconds: impl IntoIterator<Item = u64>) -> Vec<String> {
    seconds.into_iter().map(event).collect()
}

#[test]
fn jetstream_goes_on_a_little_before_the_last_event_and_tells_what_comes_twice() {
    let server = sockets(|n, path, socket| {
        let from = path.split("cursor=").nth(1).map_or(100, |c| c.parse::<u64>().unwrap() / 1_000_000);
        for second in from..from + 20 {
            socket.send(Message::text(event(second))).unwrap();
        }
        match n {
            0 => drop(socket.close(None)),
            1 => {}
            _ => listen(socket),
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&jetstream(&server), 40, folder.path());
    let found = collected(folder.path());
    assert_eq!(found, events(100..100 + found.len() as u64));
    let requests = server.requests();
    assert_eq!(requests[0], "/subscribe?wantedCollections=app.bsky.feed.post ");
    assert!(requests[1].ends_with("&cursor=114000000 "), "{requests:?}");
    assert!(report.run.duplicates >= 10 && report.run.gap_seconds == 0);
    assert_eq!(report.run.posts, report.run.messages);
    // A later run goes on there too, and knows what it has.
    let again = collect_lines(&jetstream(&server), found.len() as u64 + 14, folder.path());
    assert_eq!(again.run.duplicates, 6);
    let found = collected(folder.path());
    assert_eq!(found, events(100..100 + found.len() as u64));
}

#[test]
fn packed_messages_are_unpacked_with_the_dictionary() {
    let samples: Vec<String> = (0..2000).map(event).collect();
    let dictionary = zstd::dict::from_samples(&samples, 4096).unwrap();
    let ours = dictionary.clone();
    let server = sockets(move |_, path, socket| {
        assert!(path.contains("compress=true"));
        let mut packer = zstd::bulk::Compressor::with_dictionary(3, &ours).unwrap();
        for second in 1..=5 {
            socket.send(Message::binary(packer.compress(event(second).as_bytes()).unwrap())).unwrap();
        }
        listen(socket);
    });
    let folder = tempfile::tempdir().unwrap();
    let source = Jetstream { dictionary: Some(dictionary), ..jetstream(&server) };
    collect_lines(&source, 5, folder.path());
    assert_eq!(collected(folder.path()), events(1..=5));

    let wrong = zstd::dict::from_samples(&(0..2000).map(post).collect::<Vec<_>>(), 4096).unwrap();
    let source = Jetstream { dictionary: Some(wrong), ..jetstream(&server) };
    let folder = tempfile::tempdir().unwrap();
    let error = collect(&source, &quick(), folder.path(), &Silent::default()).unwrap_err();
    assert!(error.to_string().contains("--zstd-dictionary"), "{error}");
}

#[test]
fn pings_keep_a_quiet_socket_and_tell_a_dead_one() {
    let pings = Arc::new(AtomicU64::new(0));
    let seen = pings.clone();
    let server = sockets(move |n, _, socket| {
        socket.send(Message::text(event(n as u64))).unwrap();
        if n == 0 {
            // Open, but never reads: no ping is answered.
            std::thread::sleep(Duration::from_secs(30));
            return;
        }
        // Without a word for longer than the stall time; reading answers the pings.
        while socket.read().is_ok_and(|m| m.is_ping()) {
            if seen.fetch_add(1, Ordering::SeqCst) == 6 {
                socket.send(Message::text(event(1000))).unwrap();
            }
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let options = CollectOptions { stall: Some(Duration::from_millis(450)), ..quick() };
    collect_with(&jetstream(&server), 3, folder.path(), &options);
    assert!(pings.load(Ordering::SeqCst) >= 6, "a ping every 150 ms");
    let found = collected(folder.path());
    assert!(found.contains(&event(1000)) && found.contains(&event(0)), "{found:?}");
    assert!(log(folder.path()).iter().any(|e| e["what"].as_str().is_some_and(|w| w.starts_with("stalled"))));
}

#[test]
fn closed_doors_keep_their_class() {
    let server = Server::start(|n, _, stream| match n {
        0 => status(stream, "503 Service Unavailable", "", "restarting"),
        1 => status(stream, "429 Too Many Requests", "", ""),
        2 => status(stream, "400 Bad Request", "", "{\"error\":\"CursorTooOld\",\"message\":\"floor 12\"}"),
        _ => status(stream, "200 OK", "", "a page"),
    });
    let folder = tempfile::tempdir().unwrap();
    let error = collect(&jetstream(&server), &quick(), folder.path(), &Silent::default()).unwrap_err();
    assert!(error.what().contains("is no WebSocket"), "{error}");
    assert_eq!(classes(folder.path()), ["http", "rate_limited", "cursor_too_old", "refused"]);
}

fn mastodon(server: &Server, transport: Transport) -> Mastodon {
    Mastodon {
        endpoint: server.url(""),
        stream: "public:local".into(),
        argument: None,
        transport,
        token: Some("mastodon-token".into()),
    }
}

fn status_text(id: u64) -> String {
    format!(
        "{{\"id\":\"{id}\",\"created_at\":\"2024-01-01T00:00:00.000Z\",\"content\":\"<p>gr\u{fc}n {id}</p>\",\
         \"visibility\":\"public\",\"account\":{{\"id\":\"1\",\"acct\":\"a\"}},\"media_attachments\":[],\"tags\":[]}}"
    )
}

#[test]
fn server_sent_events_become_lines() {
    let server = Server::start(|n, request, stream| {
        if request.contains("/api/v2/instance") {
            return status(stream, "404 Not Found", "", "");
        }
        assert!(request.starts_with("GET /api/v1/streaming/public/local HTTP/1.1"), "{request}");
        assert!(request.contains("Authorization: Bearer mastodon-token"));
        begin(stream, "Content-Type: text/event-stream\r\n");
        let events: String =
            (1..=2).map(|id| format!("event: update\ndata: {}\n\n:thump\n", status_text(id))).collect();
        let all = events + "event: delete\ndata: 1\n\nevent: filters_changed\n\nevent: update\ndata: {\"id\":\"3";
        all.as_bytes().chunks(7).for_each(|piece| _ = chunk(stream, piece));
        // The first connection is cut within an event.
        if n > 1 {
            chunk(stream, &status_text(3).as_bytes()[8..]);
            chunk(stream, b"\n\n");
            hold(stream);
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&mastodon(&server, Transport::Sse), 4, folder.path());
    let found: Vec<serde_json::Value> =
        collected(folder.path()).iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    let kinds: Vec<&str> = found.iter().map(|e| e["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["update", "update", "delete", "update"]);
    assert_eq!(found[1]["payload"], status_text(2));
    assert_eq!(found[3]["payload"], status_text(3));
    assert_eq!((report.run.posts, report.run.deletes, report.run.duplicates), (3, 1, 3));
    let gap = log(folder.path()).into_iter().find(|e| !e["gap"].is_null()).unwrap();
    assert_eq!(gap["gap"]["replayed"], false, "the log says what is lost");
}

#[test]
fn mastodons_websocket_is_found_through_its_instance() {
    let streams = sockets(|_, _, socket| {
        let event = serde_json::json!({"stream": ["public:local"], "event": "update", "payload": status_text(5)});
        socket.send(Message::text(event.to_string())).unwrap();
        listen(socket);
    });
    let told = format!("{{\"configuration\":{{\"urls\":{{\"streaming\":\"ws://{}\"}}}}}}", streams.address);
    let server = Server::start(move |_, request, stream| {
        assert!(request.starts_with("GET /api/v2/instance HTTP/1.1"), "{request}");
        assert!(!request.contains("mastodon-token"), "the token is for the stream only");
        status(stream, "200 OK", "", &told);
    });
    let folder = tempfile::tempdir().unwrap();
    let report = collect_lines(&mastodon(&server, Transport::WebSocket), 1, folder.path());
    assert_eq!(report.run.posts, 1);
    assert_eq!(streams.requests(), ["/api/v1/streaming?stream=public%3Alocal Bearer mastodon-token"]);
}

#[test]
fn many_accounts_go_in_a_message() {
    let server = sockets(|_, path, socket| {
        assert!(path.contains("requireHello=true") && !path.contains("wantedDids"));
        let hello: serde_json::Value = serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap();
        assert_eq!(hello["type"], "options_update");
        assert_eq!(hello["payload"]["wantedDids"].as_array().unwrap().len(), 80);
        socket.send(Message::text(event(1))).unwrap();
        listen(socket);
    });
    let folder = tempfile::tempdir().unwrap();
    let source = Jetstream { dids: (0..80).map(|n| format!("did:plc:{n}")).collect(), ..jetstream(&server) };
    collect_lines(&source, 1, folder.path());
    assert_eq!(collected(folder.path()), events(1..=1));
}

#[test]
fn raw_files_import_and_deletes_are_honoured() {
    let server = sockets(|_, _, socket| {
        for second in 1..=5 {
            socket.send(Message::text(event(second))).unwrap();
        }
        let delete = "{\"did\":\"did:plc:a\",\"time_us\":6000000,\"kind\":\"commit\",\"commit\":{\"rev\":\"r6\",\
                      \"operation\":\"delete\",\"collection\":\"app.bsky.feed.post\",\"rkey\":\"k3\"}}";
        socket.send(Message::text(delete)).unwrap();
        listen(socket);
    });
    let folder = tempfile::tempdir().unwrap();
    let stream = folder.path().join("stream");
    let report = collect_lines(&jetstream(&server), 6, &stream);
    assert_eq!((report.run.posts, report.run.deletes), (5, 1));
    let corpus = folder.path().join("corpus");
    let import = |into: &std::path::Path| {
        quintet_posts::import(&[stream.join("raw")], &ImportOptions::default(), into, &Silent::default()).unwrap()
    };
    let report = import(&corpus);
    assert_eq!((report.rows.imported, report.rows.deleted), (5, 1));
    let ids: Vec<String> = Corpus::open(&corpus).unwrap().posts().unwrap().into_iter().map(|p| p.id).collect();
    assert_eq!(ids, [1, 2, 4, 5].map(|n| format!("at://did:plc:a/app.bsky.feed.post/k{n}")));
    // A file as a kill leaves it: what is whole in it can be imported before the next start too.
    let (_, file) = raw::files(&stream).unwrap().pop().unwrap();
    let length = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(length - 5).unwrap();
    let report = import(&folder.path().join("torn"));
    assert!(report.rows.imported >= 4 && report.problems.iter().any(|p| p.contains("breaks off")), "{report}");
}
