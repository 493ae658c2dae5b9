//! Why a connection could not be made or ended: the classes between which services tell how long to wait.

use std::fmt;
use std::time::Duration;

/// Why there is no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It stood, and ended: cut, closed, stalled.
    Dropped(String),
    /// It did not come to stand: no such host, no route, refused, timed out, no valid certificate.
    Network(String),
    /// The service answered with an error that may pass.
    Http {
        /// Status of the answer.
        status: u16,
        /// What it said.
        what: String,
        /// How long it asked to wait.
        wait: Option<Duration>,
    },
    /// The service said that there were too many requests (420, 429) or connections.
    Limited {
        /// What it said.
        what: String,
        /// How long it asked to wait.
        wait: Option<Duration>,
    },
    /// The place to go on from is no longer kept by the service.
    TooOld(String),
    /// Trying again would not help.
    Refused {
        /// What was said.
        what: String,
        /// The way out.
        help: String,
    },
    /// The person stopped it.
    Stopped,
}

impl Failure {
    /// The class by name, for the log.
    pub fn class(&self) -> &'static str {
        match self {
            Failure::Dropped(_) => "dropped",
            Failure::Network(_) => "network",
            Failure::Http { .. } => "http",
            Failure::Limited { .. } => "rate_limited",
            Failure::TooOld(_) => "cursor_too_old",
            Failure::Refused { .. } => "refused",
            Failure::Stopped => "stopped",
        }
    }

    /// The failure an answer other than the wished one stands for. `text` is the beginning of its body.
    pub fn of_status(status: u16, headers: &http::HeaderMap, text: &str) -> Failure {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        let mut what = format!("HTTP status {status}");
        if !text.is_empty() {
            what += &format!(": {text}");
        }
        let help = match status {
            420 | 429 => return Failure::Limited { what, wait: wait_asked(headers) },
            400 if text.contains("CursorTooOld") => return Failure::TooOld(what),
            408 | 500.. => return Failure::Http { status, what, wait: wait_asked(headers) },
            300..=399 => {
                let to = headers.get("location").and_then(|v| v.to_str().ok()).unwrap_or("elsewhere");
                what += &format!(" (to {to})");
                "streams do not follow redirects, so that no token goes to another host; give the new address with --endpoint"
            }
            401 => "the token is missing, wrong or expired; see --token-env",
            403 => "the account or token may not read this stream",
            404 | 410 => "there is no such stream at this address; see --endpoint",
            413 => "fewer or shorter rules are allowed",
            _ => "the service does not accept this request; see what it says, and the options",
        };
        Failure::Refused { what, help: help.to_owned() }
    }
}

/// How long an answer asks to wait: `Retry-After` in seconds or `x-rate-limit-reset` as seconds since 1970.
fn wait_asked(headers: &http::HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<u64>().ok();
    // A day at most: a broken header must not end a collection.
    let bounded = |seconds: u64| Duration::from_secs(seconds.min(86_400));
    if let Some(seconds) = number("retry-after") {
        return Some(bounded(seconds));
    }
    let reset = number("x-rate-limit-reset")?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    Some(bounded(reset.saturating_sub(now)))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(match self {
            Failure::Dropped(what) | Failure::Network(what) | Failure::TooOld(what) => what,
            Failure::Http { what, .. } | Failure::Limited { what, .. } | Failure::Refused { what, .. } => what,
            Failure::Stopped => "stopped",
        }))
    }
}

/// Text of a service as it may go to a terminal: without the characters that steer one, and not without end.
pub fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> http::HeaderMap {
        pairs.iter().filter_map(|(name, value)| Some((name.parse().ok()?, value.parse().ok()?))).collect()
    }

    #[test]
    fn statuses_fall_into_the_documented_classes() {
        let class = |status| Failure::of_status(status, &headers(&[]), "").class();
        for (status, expected) in [
            (420, "rate_limited"),
            (429, "rate_limited"),
            (503, "http"),
            (500, "http"),
            (401, "refused"),
            (403, "refused"),
            (404, "refused"),
            (406, "refused"),
            (413, "refused"),
            (301, "refused"),
            (400, "refused"),
        ] {
            assert_eq!(class(status), expected, "{status}");
        }
        assert_eq!(Failure::of_status(400, &headers(&[]), r#"{"error":"CursorTooOld"}"#).class(), "cursor_too_old");
    }

    #[test]
    fn a_service_cannot_steer_the_terminal() {
        assert_eq!(Failure::Dropped("gone \u{1b}[2J\u{7}now".into()).to_string(), "gone [2Jnow");
    }

    #[test]
    fn the_wait_asked_for_is_read_and_bounded() {
        let wait = |pairs: &[(&'static str, &str)]| match Failure::of_status(429, &headers(pairs), "") {
            Failure::Limited { wait, .. } => wait,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "99999999999")]), Some(Duration::from_secs(86_400)));
        assert_eq!(wait(&[("x-rate-limit-reset", "1")]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "Wed, 21 Oct")]), None);
    }
}
