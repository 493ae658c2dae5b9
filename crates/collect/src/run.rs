//! The collector: connects, listens, keeps, and comes back, until it is told to stop.

use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use quintet_posts::error::{Error, Result};
use quintet_posts::formats::{self, Notes};
use quintet_posts::progress::{Progress, Task};
use serde_json::json;

use crate::backoff::{BackOff, Waits};
use crate::failure::{Failure, printable};
use crate::feeds::{Arrived, Feed};
use crate::filter::Filter;
use crate::live::Live;
use crate::net::Connector;
use crate::net::connect::ConnectOptions;
use crate::recent::Recent;
use crate::report::CollectReport;
use crate::sources::{Opening, Position, Source};
use crate::store::state::Counts;
use crate::store::{Store, StoreOptions, recover};

mod message;

/// How to collect.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// Which posts are kept.
    pub filter: Filter,
    /// When files are saved and begun anew.
    pub store: StoreOptions,
    /// How long to wait after failures.
    pub waits: Waits,
    /// How connections are made.
    pub connect: ConnectOptions,
    /// After so long without a sign of life a stream counts as stalled; `None`: as the service documents.
    pub stall: Option<Duration>,
    /// Stop after so long.
    pub stop_after: Option<Duration>,
    /// Stop after so many posts were kept.
    pub stop_posts: Option<u64>,
    /// Of how many messages the keys are remembered to tell duplicates.
    pub remember: usize,
}

impl Default for CollectOptions {
    fn default() -> Self {
        CollectOptions {
            filter: Filter::default(),
            store: StoreOptions::default(),
            waits: Waits::default(),
            connect: ConnectOptions::default(),
            stall: None,
            stop_after: None,
            stop_posts: None,
            remember: 200_000,
        }
    }
}

/// Reasons of unreadable messages that go into the log in a run.
const MAX_REASONS: u64 = 100;

/// Collects from `source` into the folder `into` until a limit is reached or the person stops it. Everything that was
/// received is saved, whatever ends it.
///
/// # Errors
/// If the service refuses for good, the folder belongs to another collection, or the disk refuses.
pub fn collect(
    source: &dyn Source,
    options: &CollectOptions,
    into: &Path,
    progress: &dyn Progress,
) -> Result<CollectReport> {
    let about = json!({"what": source.about(), "filter": options.filter});
    let store = Store::open(into, source.name(), &about, options.store.clone())?;
    let mut run = Run {
        source,
        options,
        progress,
        task: progress.task("collect", None, "posts"),
        position: Position { cursor: store.state.cursor.clone(), heard: store.state.heard },
        recent: Recent::new(options.remember),
        store,
        counts: Counts::default(),
        day: Counts::default(),
        live: Live::new(),
        begun: Instant::now(),
        last_failure: None,
        undelivered: 0,
        notes: Notes::default(),
    };
    run.remember()?;
    let ended = run.go();
    run.finish(ended, into)
}

/// A collection under way.
struct Run<'a> {
    source: &'a dyn Source,
    options: &'a CollectOptions,
    progress: &'a dyn Progress,
    task: Box<dyn Task>,
    store: Store,
    position: Position,
    recent: Recent,
    /// Of this run.
    counts: Counts,
    /// Since the last save.
    day: Counts,
    live: Live,
    begun: Instant,
    /// Why the last connection failed or ended.
    last_failure: Option<String>,
    /// What the service said on this connection that it did not deliver.
    undelivered: u64,
    notes: Notes,
}

/// Why listening ended.
enum End {
    /// The connection.
    Connection(Failure),
    /// The disk.
    Disk(Error),
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Disk(error)
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        End::Connection(failure)
    }
}

impl Run<'_> {
    /// Learns the keys of the last saved messages, so that what the service sends again is known.
    fn remember(&mut self) -> Result<()> {
        let files = self.store.raw_files()?;
        // Replays are short; the last two files hold more than any.
        for path in files.iter().rev().take(2).rev() {
            let (source, recent) = (self.source, &mut self.recent);
            recover::each_line(path, |line| {
                if let Ok(object) = formats::parse(line)
                    && let Some(key) = source.look(&object).key
                {
                    recent.is_new(&key);
                }
            })?;
        }
        Ok(())
    }

    /// Connects and listens until told to stop; why it ended.
    fn go(&mut self) -> Result<Option<Failure>> {
        let connector = Connector::new(self.options.connect.clone());
        let mut backoff = BackOff::new(self.options.waits.clone());
        loop {
            if self.is_over() {
                return Ok(None);
            }
            let failure = match self.connect(&connector) {
                Err(failure) => failure,
                Ok(mut feed) => match self.listen(feed.as_mut(), &mut backoff) {
                    Ok(never) => match never {},
                    Err(End::Disk(error)) => return Err(error),
                    Err(End::Connection(failure)) => failure,
                },
            };
            self.save()?;
            if failure == Failure::Stopped {
                return Ok(None);
            }
            let wait = backoff.after(&failure);
            self.log_failure(&failure, wait)?;
            match wait {
                None => return Ok(Some(failure)),
                Some(wait) => self.pause(wait)?,
            }
            if let Failure::TooOld(_) = failure {
                self.position.cursor = None;
                self.store.state.cursor = None;
            }
        }
    }

    /// Whether a limit is reached or the person wants to stop.
    fn is_over(&self) -> bool {
        self.progress.interrupted()
            || self.options.stop_after.is_some_and(|limit| self.begun.elapsed() >= limit)
            || self.options.stop_posts.is_some_and(|limit| self.counts.kept + self.day.kept >= limit)
    }

    fn stall(&self) -> Duration {
        self.options.stall.unwrap_or_else(|| self.source.stall())
    }

    fn connect(&self, connector: &Connector) -> Result<Box<dyn Feed>, Failure> {
        let (progress, begun, limit) = (self.progress, self.begun, self.options.stop_after);
        let stop = move || progress.interrupted() || limit.is_some_and(|limit| begun.elapsed() >= limit);
        let opening = Opening { connector, position: &self.position, stall: self.stall(), stop: &stop };
        self.source.open(&opening)
    }

    /// Takes what comes over a connection until it ends.
    fn listen(&mut self, feed: &mut dyn Feed, backoff: &mut BackOff) -> Result<std::convert::Infallible, End> {
        self.connected()?;
        let connected = Instant::now();
        let mut alive = connected;
        loop {
            if self.is_over() {
                return Err(Failure::Stopped.into());
            }
            let arrived = feed.next()?;
            if arrived != Arrived::Idle {
                alive = Instant::now();
                self.position.heard = Some(Timestamp::now());
                backoff.data_after(alive - connected);
            }
            match arrived {
                Arrived::Message(message) => self.take(&message)?,
                Arrived::TooLong(bytes) => {
                    self.day.too_long += 1;
                    self.store.log.write(json!({"event": "too_long", "bytes": bytes}))?;
                }
                Arrived::Alive => {}
                Arrived::Idle if alive.elapsed() > self.stall() => {
                    let what = format!("stalled: no sign of life for {:.0} s", alive.elapsed().as_secs_f64());
                    return Err(Failure::Dropped(what).into());
                }
                Arrived::Idle => {}
            }
            if let Some(line) = self.live.line_if_due() {
                self.task.message(&line);
            }
            if self.store.is_due() {
                self.save()?;
            }
        }
    }

    /// Notes a connection, and the gap before it.
    fn connected(&mut self) -> Result<()> {
        self.day.connections += 1;
        self.undelivered = 0;
        let now = Timestamp::now();
        let mut event = json!({"event": "connected", "cursor": self.position.cursor});
        if let Some(heard) = self.position.heard {
            let gap = Duration::try_from(now.duration_since(heard)).unwrap_or_default();
            let replayed = self.source.replays(gap);
            if !replayed {
                self.day.gap_seconds += gap.as_secs();
            }
            event["gap"] = json!({"from": format!("{heard:.3}"), "seconds": gap.as_secs_f64(), "replayed": replayed});
        }
        self.position.heard = Some(now);
        self.store.log.write(event)
    }

    fn log_failure(&mut self, failure: &Failure, wait: Option<Duration>) -> Result<()> {
        let seconds = wait.map(|w| w.as_secs_f64());
        let event =
            json!({"event": "failure", "class": failure.class(), "what": failure.to_string(), "wait_s": seconds});
        self.store.log.write(event)?;
        self.last_failure = Some(failure.to_string());
        match seconds {
            Some(s) if s >= 1.0 => self.progress.note(&format!("{failure}; next try in {s:.0} s")),
            Some(_) => self.progress.note(&format!("{failure}; trying again")),
            None => {}
        }
        Ok(())
    }

    /// Waits, but not past a limit or the person's patience.
    fn pause(&self, wait: Duration) -> Result<()> {
        let until = Instant::now() + wait;
        while !self.is_over() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(left.min(self.options.connect.tick));
        }
        Ok(())
    }

    /// Acknowledges what came.
    fn save(&mut self) -> Result<()> {
        self.counts.add(&self.day);
        let state = &mut self.store.state;
        state.cursor.clone_from(&self.position.cursor);
        state.heard = self.position.heard;
        if self.day != Counts::default() {
            let today = Timestamp::now().strftime("%Y-%m-%d").to_string();
            state.days.entry(today).or_default().add(&self.day);
            self.day = Counts::default();
        }
        self.store.save()
    }

    /// Closes the folder and says what came of it.
    fn finish(mut self, ended: Result<Option<Failure>>, into: &Path) -> Result<CollectReport> {
        // After an error of the disk nothing more can be saved; the folder is put in order at the next start.
        let ended = ended?;
        self.save()?;
        let why = match &ended {
            Some(failure) => format!("ended: {failure}"),
            None if self.progress.interrupted() => "stopped".to_owned(),
            None => "done".to_owned(),
        };
        self.store.log.write(json!({"event": "ended", "why": why}))?;
        let (rescued, missing) = (self.store.rescued, self.store.missing);
        let state = self.store.close()?;
        if let Some(Failure::Refused { what, help }) = &ended {
            return Err(Error::input(printable(what)).help(help));
        }
        if ended.is_none()
            && self.counts.connections == 0
            && let Some(failure) = self.last_failure.filter(|_| !self.progress.interrupted())
        {
            let help = "see whether the network is there and the address is right, and run the command again";
            return Err(Error::input(format!("no connection came about: {}", printable(&failure))).help(help));
        }
        let mut total = Counts::default();
        state.days.values().for_each(|day| total.add(day));
        Ok(CollectReport {
            folder: into.display().to_string(),
            ended: why,
            seconds: self.begun.elapsed().as_secs_f64(),
            run: self.counts,
            total,
            lines: state.lines,
            rescued,
            missing,
            cursor: state.cursor,
        })
    }
}
