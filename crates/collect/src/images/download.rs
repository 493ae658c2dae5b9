//! One picture: asked for, followed through redirects, and looked at before it counts as one.

use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::net::connect::Stop;
use crate::net::http1::{self, Request};
use crate::net::{Address, Connector};

/// Redirects followed for a picture.
const MAX_HOPS: usize = 5;
/// Longest wait a server may ask for; a picture is not worth more.
const MAX_WAIT: Duration = Duration::from_secs(300);

/// A picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Image {
    /// As it came.
    pub bytes: Vec<u8>,
    /// Its type by its first bytes, as the ending of a file name.
    pub kind: &'static str,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// In words, without the address.
    pub reason: String,
    /// It may work later.
    pub passes: bool,
    /// How long the server asked to wait.
    pub wait: Option<Duration>,
}

/// Bounds of a picture.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Most bytes.
    pub bytes: usize,
    /// Most time.
    pub time: Duration,
}

impl Trouble {
    fn lasting(reason: impl Into<String>) -> Trouble {
        Trouble { reason: reason.into(), passes: false, wait: None }
    }

    fn passing(reason: impl Into<String>, wait: Option<Duration>) -> Trouble {
        Trouble { reason: reason.into(), passes: true, wait: wait.map(|w| w.min(MAX_WAIT)) }
    }
}

/// The host of an address, as far as it has one.
pub fn host(url: &str) -> &str {
    url.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default())
}

/// Fetches a picture. Every address on the way is checked before it is connected to. `None`: stopped.
pub fn download(connector: &Connector, url: &str, limits: &Limits, stop: Stop) -> Option<Result<Image, Trouble>> {
    let mut address = match Address::parse(url) {
        Ok(address) => address,
        Err(why) => return Some(Err(Trouble::lasting(why))),
    };
    let deadline = Instant::now() + limits.time;
    for _ in 0..=MAX_HOPS {
        match hop(connector, &address, limits, deadline, stop) {
            Ok(Hop::Image(image)) => return Some(Ok(image)),
            Ok(Hop::To(next)) => address = next,
            Err(None) => return None,
            Err(Some(trouble)) => return Some(Err(trouble)),
        }
    }
    Some(Err(Trouble::lasting(format!("more than {MAX_HOPS} redirects"))))
}

enum Hop {
    Image(Image),
    To(Address),
}

fn hop(
    connector: &Connector,
    address: &Address,
    limits: &Limits,
    deadline: Instant,
    stop: Stop,
) -> Result<Hop, Option<Trouble>> {
    let wire = connector.connect(address, stop).map_err(trouble)?;
    let headers = [("Accept", "image/*".to_owned())];
    let mut answer = http1::ask(wire, &Request::get(address, &headers), deadline, stop).map_err(trouble)?;
    let header = |name: &str| answer.headers.get(name).and_then(|v| v.to_str().ok());
    match answer.status {
        200 => {
            let kind = header("content-type").map(str::to_owned);
            if header("content-length").and_then(|l| l.parse::<u64>().ok()).is_some_and(|l| l > limits.bytes as u64) {
                return Err(Some(too_large(limits.bytes)));
            }
            let bytes = match answer.body.read_all(limits.bytes, false, deadline, stop) {
                Err(Failure::Refused { .. }) => return Err(Some(too_large(limits.bytes))),
                read => read.map_err(trouble)?,
            };
            look_at(bytes, kind.as_deref()).map(Hop::Image).map_err(Some)
        }
        301 | 302 | 303 | 307 | 308 => {
            let to = header("location").ok_or_else(|| Some(Trouble::lasting("a redirect to nowhere")))?;
            let next = address.join(to).map_err(|why| Some(Trouble::lasting(format!("a redirect: {why}"))))?;
            if address.tls && !next.tls {
                return Err(Some(Trouble::lasting("a redirect from an encrypted to an open address")));
            }
            Ok(Hop::To(next))
        }
        status => Err(trouble(Failure::of_status(status, &answer.headers, ""))),
    }
}

fn too_large(bytes: usize) -> Trouble {
    Trouble::lasting(format!("larger than {:.1} MiB", bytes as f64 / f64::from(1 << 20)))
}

/// The trouble a failure means; `None`: stopped.
fn trouble(failure: Failure) -> Option<Trouble> {
    match failure {
        Failure::Stopped => None,
        Failure::Refused { what, .. } => Some(Trouble::lasting(what)),
        Failure::Http { what, wait, .. } | Failure::Limited { what, wait } => Some(Trouble::passing(what, wait)),
        Failure::Dropped(what) | Failure::Network(what) | Failure::TooOld(what) => Some(Trouble::passing(what, None)),
    }
}

/// What the bytes are, whatever the server calls them.
fn look_at(bytes: Vec<u8>, called: Option<&str>) -> Result<Image, Trouble> {
    let kind = match bytes.as_slice() {
        [0xff, 0xd8, 0xff, ..] => "jpg",
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => "png",
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => "gif",
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "webp",
        [] => return Err(Trouble::lasting("empty")),
        _ => {
            let called = called.map_or(String::new(), |c| format!(", the server calls it {c:.60}"));
            return Err(Trouble::lasting(format!("neither JPEG, PNG, GIF nor WebP{called}")));
        }
    };
    Ok(Image { bytes, kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_decide_what_a_picture_is() {
        let kind = |bytes: &[u8]| look_at(bytes.to_vec(), Some("image/jpeg")).map(|i| i.kind);
        assert_eq!(kind(b"\xff\xd8\xff\xe0"), Ok("jpg"));
        assert_eq!(kind(b"\x89PNG\r\n\x1a\nrest"), Ok("png"));
        assert_eq!(kind(b"GIF89a"), Ok("gif"));
        assert_eq!(kind(b"RIFF1234WEBPVP8 "), Ok("webp"));
        assert!(kind(b"<html>").is_err_and(|t| t.reason.contains("image/jpeg") && !t.passes));
        assert!(kind(b"").is_err() && kind(b"RIFF1234WAVE").is_err());
    }

    #[test]
    fn hosts_are_found() {
        assert_eq!(host("https://a.b:8/x?y"), "a.b:8");
        assert_eq!(host("nonsense"), "");
    }
}
