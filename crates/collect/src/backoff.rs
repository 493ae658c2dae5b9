//! How long to wait before the next connection: the documented rule of each class of failure, with jitter.
//!
//! The rules are those of the documentation of Twitter's streams, old and new, and harmless to other services: a stream
//! that stood and dropped is taken up again at once, once; where the network is at fault the wait grows by 250 ms up to
//! 16 s; after an error of the service it doubles from 5 s to 320 s; after too many requests it doubles from 60 s.

use std::time::Duration;

use crate::failure::Failure;

/// The times of the rules. Jitter adds up to a quarter and never shortens a wait.
#[derive(Clone, Debug)]
pub struct Waits {
    /// By how much the wait grows after each failure of the network.
    pub network_step: Duration,
    /// Longest wait after failures of the network.
    pub network_most: Duration,
    /// First wait after an error of the service; the next ones double.
    pub http_first: Duration,
    /// Longest wait after errors of the service.
    pub http_most: Duration,
    /// First wait after too many requests; the next ones double.
    pub limited_first: Duration,
    /// Longest wait after too many requests, unless the service asks for more.
    pub limited_most: Duration,
    /// A connection that carried data for so long clears what went wrong before. A shorter one does not: a service that
    /// sends a little and drops must not be called without pause.
    pub settled: Duration,
}

impl Default for Waits {
    fn default() -> Self {
        Waits {
            network_step: Duration::from_millis(250),
            network_most: Duration::from_secs(16),
            http_first: Duration::from_secs(5),
            http_most: Duration::from_secs(320),
            limited_first: Duration::from_secs(60),
            limited_most: Duration::from_secs(960),
            settled: Duration::from_secs(10),
        }
    }
}

/// Failures since the last connection that settled.
#[derive(Debug)]
pub struct BackOff {
    waits: Waits,
    at_once: bool,
    network: u32,
    http: u32,
    limited: u32,
}

impl BackOff {
    /// No failures yet.
    pub fn new(waits: Waits) -> Self {
        BackOff { waits, at_once: true, network: 0, http: 0, limited: 0 }
    }

    /// Data came over a connection that has stood for `age`.
    pub fn data_after(&mut self, age: Duration) {
        if age >= self.waits.settled {
            *self = BackOff::new(self.waits.clone());
        }
    }

    /// How long to wait after `failure`; `None` if trying again would not help.
    pub fn after(&mut self, failure: &Failure) -> Option<Duration> {
        let w = &self.waits;
        let (wait, asked) = match failure {
            Failure::Stopped | Failure::Refused { .. } => return None,
            Failure::TooOld(_) => return Some(Duration::ZERO),
            Failure::Dropped(_) if self.at_once => {
                self.at_once = false;
                return Some(Duration::ZERO);
            }
            Failure::Dropped(_) | Failure::Network(_) => {
                self.at_once = false;
                self.network = self.network.saturating_add(1);
                (w.network_step.saturating_mul(self.network).min(w.network_most), None)
            }
            Failure::Http { wait, .. } => {
                self.http = self.http.saturating_add(1);
                (doubled(w.http_first, self.http, w.http_most), *wait)
            }
            Failure::Limited { wait, .. } => {
                self.limited = self.limited.saturating_add(1);
                (doubled(w.limited_first, self.limited, w.limited_most), *wait)
            }
        };
        let wait = wait.max(asked.unwrap_or_default());
        Some(wait + wait.mul_f64(0.25 * fastrand::f64()))
    }
}

/// `first` doubled for each time after the first, at most `most`.
fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2u32.saturating_pow(times - 1)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped() -> Failure {
        Failure::Dropped("cut".into())
    }
    fn network() -> Failure {
        Failure::Network("refused".into())
    }
    fn http() -> Failure {
        Failure::Http { status: 503, what: String::new(), wait: None }
    }
    fn limited(wait: Option<u64>) -> Failure {
        Failure::Limited { what: String::new(), wait: wait.map(Duration::from_secs) }
    }

    /// Waits after the same failure again and again lie between the rule and a quarter more.
    #[track_caller]
    fn follows(failure: &Failure, rule: &[f64]) {
        let mut backoff = BackOff::new(Waits::default());
        for (time, expected) in rule.iter().enumerate() {
            let wait = backoff.after(failure).map(|w| w.as_secs_f64()).unwrap_or(-1.0);
            assert!((*expected..=expected * 1.25).contains(&wait), "time {time}: {wait} for {expected}");
        }
    }

    #[test]
    fn each_class_has_its_rule() {
        follows(&network(), &[0.25, 0.5, 0.75, 1.0]);
        follows(&dropped(), &[0.0, 0.25, 0.5]);
        follows(&http(), &[5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 320.0]);
        follows(&limited(None), &[60.0, 120.0, 240.0, 480.0, 960.0, 960.0]);
        follows(&limited(Some(100)), &[100.0, 120.0]);
        follows(&network(), &(1..200).map(|n| f64::min(f64::from(n) * 0.25, 16.0)).collect::<Vec<_>>());
    }

    #[test]
    fn only_a_connection_that_lasted_clears_the_record() {
        let mut backoff = BackOff::new(Waits::default());
        assert_eq!(backoff.after(&dropped()), Some(Duration::ZERO));
        backoff.data_after(Duration::from_secs(1));
        assert!(backoff.after(&dropped()).is_some_and(|w| w >= Duration::from_millis(250)));
        backoff.data_after(Duration::from_secs(10));
        assert_eq!(backoff.after(&dropped()), Some(Duration::ZERO));
    }

    #[test]
    fn what_cannot_get_better_is_not_tried_again() {
        let mut backoff = BackOff::new(Waits::default());
        assert_eq!(backoff.after(&Failure::Refused { what: String::new(), help: String::new() }), None);
        assert_eq!(backoff.after(&Failure::Stopped), None);
    }
}
