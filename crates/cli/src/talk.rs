//! stderr is talk: bars on a terminal, plain lines elsewhere, nothing with `--quiet`; Ctrl-C asks work to save and stop.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use quintet::progress::{Progress, Task};

/// Reports to the person at the terminal.
pub struct Talk {
    bars: Option<MultiProgress>,
    quiet: bool,
    stop: Arc<AtomicBool>,
}

impl Talk {
    /// Bars if stderr is a terminal, plain lines otherwise, nothing if `quiet`. Takes over Ctrl-C:
    /// the first asks the work to save and stop, the second ends the program at once.
    pub fn new(quiet: bool) -> Talk {
        let stop = Arc::new(AtomicBool::new(false));
        let flag = stop.clone();
        // Failing to install the handler only means that Ctrl-C ends at once; work is crash-safe anyway.
        let _ = ctrlc::set_handler(move || {
            if flag.swap(true, Ordering::SeqCst) {
                std::process::exit(130);
            }
            eprintln!("\nstopping: saving the state (Ctrl-C again ends at once)");
        });
        let bars = (!quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Talk { bars, quiet, stop }
    }
}

impl Progress for Talk {
    fn task(&self, label: &str, total: Option<u64>, unit: &'static str) -> Box<dyn Task> {
        match &self.bars {
            Some(bars) => Box::new(Bar(bars.add(bar(label, total, unit)))),
            None => Box::new(Lines::new(label, total, unit, self.quiet)),
        }
    }

    fn note(&self, line: &str) {
        if self.quiet {
            return;
        }
        match &self.bars {
            // A line that cannot be printed has no reader.
            Some(bars) => drop(bars.println(line)),
            None => eprintln!("{line}"),
        }
    }

    fn interrupted(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn bar(label: &str, total: Option<u64>, unit: &str) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::new_spinner(),
    };
    let template = match total {
        Some(_) => {
            format!("{{prefix:<14}} {{bar:24}} {{human_pos}}/{{human_len}} {unit} {{per_sec}} {{eta}} left  {{msg}}")
        }
        None => format!("{{prefix:<14}} {{spinner}} {{human_pos}} {unit} {{per_sec}} {{elapsed}}  {{msg}}"),
    };
    // The templates above are constants of ours; a plain bar is the fallback.
    if let Ok(style) = ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_string());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

struct Bar(ProgressBar);

impl Task for Bar {
    fn advance(&self, n: u64) {
        self.0.inc(n);
    }
    fn message(&self, text: &str) {
        self.0.set_message(text.to_string());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Plain lines for logs and pipes: one at the start, one every ten seconds, one at the end.
struct Lines {
    label: String,
    total: Option<u64>,
    unit: &'static str,
    quiet: bool,
    done: AtomicU64,
    start: Instant,
    last: Mutex<(Instant, String)>,
}

impl Lines {
    fn new(label: &str, total: Option<u64>, unit: &'static str, quiet: bool) -> Lines {
        let now = Instant::now();
        Lines {
            label: label.to_string(),
            total,
            unit,
            quiet,
            done: AtomicU64::new(0),
            start: now,
            last: Mutex::new((now, String::new())),
        }
    }

    fn line(&self, message: &str) -> String {
        let (done, seconds) = (self.done.load(Ordering::Relaxed), self.start.elapsed().as_secs_f64());
        let rate = done as f64 / seconds.max(1e-3);
        let mut line = match self.total {
            Some(total) => format!("{}: {done}/{total} {}, {rate:.1}/s", self.label, self.unit),
            None => format!("{}: {done} {}, {rate:.1}/s", self.label, self.unit),
        };
        if let Some(total) = self.total.filter(|&t| done > 0 && done < t) {
            line += &format!(", {:.0} s left", (total - done) as f64 / rate.max(1e-9));
        }
        if !message.is_empty() {
            line += &format!("  {message}");
        }
        line
    }
}

impl Task for Lines {
    fn advance(&self, n: u64) {
        self.done.fetch_add(n, Ordering::Relaxed);
        if let Ok(mut last) = self.last.lock()
            && last.0.elapsed() > Duration::from_secs(10)
            && !self.quiet
        {
            last.0 = Instant::now();
            eprintln!("{}", self.line(&last.1));
        }
    }
    fn message(&self, text: &str) {
        if let Ok(mut last) = self.last.lock() {
            last.1 = text.to_string();
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.quiet {
            let message = self.last.lock().map(|l| l.1.clone()).unwrap_or_default();
            eprintln!("{} ({:.1} s)", self.line(&message), self.start.elapsed().as_secs_f64());
        }
    }
}
