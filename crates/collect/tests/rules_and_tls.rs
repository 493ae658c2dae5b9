//! X's rules through a server that keeps them, and TLS: a certificate that is trusted, and one that is not.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use quintet_collect::net::Connector;
use quintet_collect::net::connect::ConnectOptions;
use quintet_collect::sources::X;
use quintet_collect::sources::x_rules::{Rule, Rules, parse};
use quintet_collect::{CollectOptions, collect};
use quintet_posts::progress::Silent;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

/// A server that keeps rules as the service does, and refuses a value that is there already or is empty of meaning.
fn rules_server() -> Server {
    let kept: Mutex<Vec<Value>> =
        Mutex::new(vec![json!({"id": "1", "value": "old"}), json!({"id": "2", "value": "#stay", "tag": "s"})]);
    Server::start(move |n, request, stream| {
        assert!(request.contains("Authorization: Bearer t\r\n"));
        let mut kept = kept.lock().unwrap();
        let body = request.split("\r\n\r\n").nth(1).unwrap_or_default();
        if request.starts_with("POST") {
            let body: Value = serde_json::from_str(body).unwrap();
            for rule in body["add"].as_array().into_iter().flatten() {
                let there = kept.iter().any(|k| k["value"] == rule["value"]);
                if there || rule["value"] == "(" {
                    let errors = json!({"errors": [{"title": "UnprocessableEntity", "value": rule["value"], "details": ["bad"]}]});
                    return status(stream, "200 OK", "", &errors.to_string());
                }
                let mut rule = rule.clone();
                rule["id"] = json!(format!("n{n}{}", kept.len()));
                kept.push(rule);
            }
            for id in body["delete"]["ids"].as_array().into_iter().flatten() {
                kept.retain(|k| k["id"] != *id);
            }
        }
        status(stream, "200 OK", "", &json!({"data": *kept, "meta": {}}).to_string());
    })
}

#[test]
fn rules_become_what_the_file_says() {
    let server = rules_server();
    let connector = Connector::new(ConnectOptions::default());
    let endpoint = server.url("/");
    let rules = Rules { endpoint: &endpoint, token: Some("t"), connector: &connector, stop: &|| false };
    assert_eq!(rules.list().unwrap().len(), 2);
    let changed = rules.set(&parse("s: #stay\nnew: #snow has:images\n")).unwrap();
    assert_eq!((changed.added, changed.removed), (1, 1));
    let values = |rules: Vec<Rule>| rules.into_iter().map(|r| (r.tag.unwrap_or_default(), r.value)).collect::<Vec<_>>();
    let of = |tag: &str, value: &str| (tag.to_owned(), value.to_owned());
    assert_eq!(values(changed.rules), [of("s", "#stay"), of("new", "#snow has:images")]);
    // The same text under another tag: the service refuses both at once.
    let changed = rules.set(&parse("t: #stay\nnew: #snow has:images\n")).unwrap();
    assert_eq!(values(changed.rules), [of("new", "#snow has:images"), of("t", "#stay")]);
    let refused = rules.set(&parse("(")).unwrap_err();
    assert!(refused.to_string().contains("UnprocessableEntity `(`"), "{refused}");
    assert!(rules.set(&[]).unwrap().rules.is_empty());
}

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A server behind TLS with the certificate of the fixtures.
fn tls_server() -> Server {
    let chain = CertificateDer::pem_file_iter(fixture("localhost.pem")).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(fixture("localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    Server::raw(move |n, _, stream| {
        let mut connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, stream);
        let mut request = vec![0; 4096];
        if tls.read(&mut request).is_err() {
            return;
        }
        let text = "HTTP/1.1 200 OK\r\n\r\n".to_owned() + &lines([n as u64 + 1]);
        // Pauses longer than a tick within a line.
        for piece in text.as_bytes().chunks(20) {
            let _ = tls.write_all(piece).and_then(|()| tls.flush());
            std::thread::sleep(Duration::from_millis(25));
        }
    })
}

#[test]
fn streams_come_through_tls_only_with_a_trusted_certificate() {
    let server = tls_server();
    let x = X {
        endpoint: format!("https://localhost:{}/", server.address.port()),
        token: Some("t".into()),
        backfill: 0,
        parameters: Vec::new(),
    };
    let trusting = |name: &str| CollectOptions {
        connect: ConnectOptions { trust: Some(fixture(name)), ..quick().connect },
        ..quick()
    };
    let folder = tempfile::tempdir().unwrap();
    let report = collect_with(&x, 2, folder.path(), &trusting("authority.pem"));
    assert!(report.run.messages >= 2 && classes(folder.path()).iter().all(|c| c == "dropped"), "{report}");

    let folder = tempfile::tempdir().unwrap();
    let options = CollectOptions { stop_after: Some(Duration::from_millis(300)), ..trusting("stranger.pem") };
    let error = collect(&x, &options, folder.path(), &Silent::default()).unwrap_err();
    assert!(error.what().starts_with("no connection came about") && error.way_out().is_some(), "{error}");
    let failures: Vec<Value> = log(folder.path()).into_iter().filter(|e| e["event"] == "failure").collect();
    assert!(failures[0]["what"].as_str().unwrap().contains("certificate"), "{failures:?}");
}
