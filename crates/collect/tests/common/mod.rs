//! Servers on loopback that behave as a test wants, and what a collection folder holds afterwards.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quintet_collect::backoff::Waits;
use quintet_collect::net::connect::ConnectOptions;
use quintet_collect::sources::X;
use quintet_collect::store::{StoreOptions, raw, recover};
use quintet_collect::{CollectOptions, CollectReport, collect};
use quintet_posts::progress::Silent;
use serde_json::Value;

/// A server; every connection gets a thread.
pub struct Server {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Starts one that answers connection `n` (from 0) after its request (head and body) was read.
    pub fn start(answer: impl Fn(usize, &str, &mut TcpStream) + Send + Sync + 'static) -> Server {
        Server::raw(move |n, requests, stream| {
            let request = read_request(stream);
            requests.lock().unwrap().push(request.clone());
            answer(n, &request, stream);
        })
    }

    /// Starts one that leaves even the request to `serve`.
    pub fn raw(serve: impl Fn(usize, &Mutex<Vec<String>>, &mut TcpStream) + Send + Sync + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (serve, seen, ended) = (Arc::new(serve), requests.clone(), over.clone());
        let count = AtomicUsize::new(0);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let (Ok(mut stream), serve, seen) = (stream, serve.clone(), seen.clone()) else { continue };
                let n = count.fetch_add(1, Ordering::SeqCst);
                std::thread::spawn(move || serve(n, &seen, &mut stream));
            }
        });
        Server { address, requests, over }
    }

    /// Its address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // Wakes the listener so that it sees that it is over.
        let _ = TcpStream::connect(self.address);
    }
}

/// Reads a request, head and body.
pub fn read_request(stream: &mut TcpStream) -> String {
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n > 0) {
        text.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&text).to_lowercase();
    let length = head.lines().find_map(|l| l.strip_prefix("content-length: ")).map_or(0, |n| n.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    text.extend(body);
    String::from_utf8(text).unwrap()
}

/// Sends the head of a chunked answer.
pub fn begin(stream: &mut TcpStream, headers: &str) {
    let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n{headers}\r\n");
    // Here and below the other side may have gone already, which is part of what is tested.
    let _ = stream.write_all(head.as_bytes());
}

/// Sends a chunk.
pub fn chunk(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    let coded = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    stream.write_all(&coded).is_ok()
}

/// Answers with a status and nothing else.
pub fn status(stream: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len());
    let _ = stream.write_all(text.as_bytes());
}

/// Keeps a connection open without a word until the other side goes.
pub fn hold(stream: &mut TcpStream) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(20)));
    let _ = stream.read(&mut [0]);
}

/// A post of X, API v2.
pub fn post(id: u64) -> String {
    format!("{{\"data\":{{\"id\":\"{id}\",\"text\":\"gr\u{fc}\u{df}e \u{1f600} {id}\"}}}}")
}

/// Posts, one a line.
pub fn lines(ids: impl IntoIterator<Item = u64>) -> String {
    ids.into_iter().map(|id| post(id) + "\r\n").collect()
}

/// The filtered stream of a server.
pub fn x(server: &Server) -> X {
    X { endpoint: server.url("/"), token: Some("secret-token".into()), backfill: 0, parameters: Vec::new() }
}

/// Options with times of milliseconds. A test that does not end by itself ends after half a minute, and fails.
pub fn quick() -> CollectOptions {
    let ms = Duration::from_millis;
    CollectOptions {
        waits: Waits {
            network_step: ms(2),
            network_most: ms(50),
            http_first: ms(10),
            http_most: ms(80),
            limited_first: ms(20),
            limited_most: ms(100),
            settled: ms(0),
        },
        connect: ConnectOptions { tick: ms(10), deadline: Duration::from_secs(10), ..ConnectOptions::default() },
        store: StoreOptions { sync_every: ms(20), ..StoreOptions::default() },
        stop_after: Some(Duration::from_secs(30)),
        ..CollectOptions::default()
    }
}

/// Collects until `lines` lines are in the folder, or for half a minute.
pub fn collect_lines(source: &dyn quintet_collect::sources::Source, lines: u64, into: &Path) -> CollectReport {
    collect_with(source, lines, into, &quick())
}

/// As [`collect_lines`], with options.
pub fn collect_with(
    source: &dyn quintet_collect::sources::Source,
    lines: u64,
    into: &Path,
    options: &CollectOptions,
) -> CollectReport {
    let stop = Silent::default();
    std::thread::scope(|scope| {
        let collector = scope.spawn(|| collect(source, options, into, &stop));
        while !collector.is_finished() && acknowledged(into) < lines {
            std::thread::sleep(Duration::from_millis(5));
        }
        stop.stop();
        collector.join().unwrap().unwrap()
    })
}

/// Lines that `cursor.json` acknowledges.
pub fn acknowledged(into: &Path) -> u64 {
    let text = std::fs::read(into.join("cursor.json")).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).ok().and_then(|v| v["lines"].as_u64()).unwrap_or(0)
}

/// Every line of the raw files, in their order.
pub fn collected(into: &Path) -> Vec<String> {
    let mut all = Vec::new();
    for (_, path) in raw::files(into).unwrap() {
        recover::each_line(&path, |line| all.push(String::from_utf8_lossy(line).into_owned())).unwrap();
    }
    all
}

/// The log.
pub fn log(into: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(into.join("log.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// Classes of the failures in the log, in their order.
pub fn classes(into: &Path) -> Vec<String> {
    let failures = log(into).into_iter().filter(|e| e["event"] == "failure");
    failures.map(|e| e["class"].as_str().unwrap_or_default().to_owned()).collect()
}
