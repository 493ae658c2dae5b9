//! Keeps requests apart: so many a second over all threads, and none to a host that asked for rest.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a thread sleeps before it looks again whether it may go on.
const LOOK: Duration = Duration::from_millis(50);

/// Gives out moments for requests.
#[derive(Debug)]
pub struct Pace {
    apart: Duration,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    next: Instant,
    resting: HashMap<String, Instant>,
}

impl Pace {
    /// At most `per_second` (above 0) requests a second.
    pub fn new(per_second: f64) -> Pace {
        // Slower than one request a day helps nobody and would overflow.
        let apart = Duration::from_secs_f64((1.0 / per_second).min(86_400.0));
        Pace { apart, inner: Mutex::new(Inner { next: Instant::now(), resting: HashMap::new() }) }
    }

    /// Waits until a request to `host` may go out; false if the person stopped it.
    pub fn wait(&self, host: &str, stop: &dyn Fn() -> bool) -> bool {
        loop {
            if stop() {
                return false;
            }
            let now = Instant::now();
            let until = {
                let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
                let rested = inner.resting.get(host).copied().unwrap_or(now);
                if rested <= now && inner.next <= now {
                    inner.next = now + self.apart;
                    return true;
                }
                rested.max(inner.next)
            };
            std::thread::sleep(until.saturating_duration_since(now).min(LOOK));
        }
    }

    /// No request goes to `host` for a while.
    pub fn rest(&self, host: &str, wait: Duration) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + wait;
        let known = inner.resting.entry(host.to_owned()).or_insert(until);
        *known = (*known).max(until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_keep_apart_and_hosts_rest() {
        let pace = Pace::new(100.0);
        let begun = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| (0..5).for_each(|_| assert!(pace.wait("a", &|| false))));
            }
        });
        assert!(begun.elapsed() >= Duration::from_millis(140), "15 requests leave 14 gaps of 10 ms");
        pace.rest("a", Duration::from_secs(60));
        assert!(pace.wait("b", &|| false));
        let begun = Instant::now();
        assert!(!pace.wait("a", &|| begun.elapsed() > Duration::from_millis(60)));
    }
}
