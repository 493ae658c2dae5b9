//! The command: `cargo run --release -p quintet-fuzz -- TARGET SECONDS`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use quintet_fuzz::run::{Limits, run};
use quintet_fuzz::{seeds, targets};

const HELP: &str = "\
Looks for inputs that make a reader of posts panic.

quintet-fuzz TARGET SECONDS [SEED]   run a target (or `all`, each so long); status 1 if something failed
quintet-fuzz replay TARGET FILE      run one saved input
quintet-fuzz trace TARGET SECONDS SEED
                                     the same inputs again, each written to fuzz/failures/TARGET-current before it is
                                     run: finds the one that made the whole process crash
quintet-fuzz list                    name the targets

Inputs that failed are saved in fuzz/failures/. Equal seeds give equal inputs.
Seeds are the files in fuzz/seeds and crates/posts/tests/fixtures.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => {
            targets::ALL.iter().for_each(|t| println!("{:10} {}", t.name, t.about));
            ExitCode::SUCCESS
        }
        ["replay", name, file] => replay(name, file),
        [name, seconds] => fuzz(name, seconds, "1", false),
        ["trace", name, seconds, seed] => fuzz(name, seconds, seed, true),
        [name, seconds, seed] => fuzz(name, seconds, seed, false),
        _ => {
            eprint!("{HELP}");
            ExitCode::from(2)
        }
    }
}

fn refused(what: &str) -> ExitCode {
    let known: Vec<&str> = targets::ALL.iter().map(|t| t.name).collect();
    eprintln!("error: {what}\n  help: targets are {}, all", known.join(", "));
    ExitCode::from(2)
}

fn replay(name: &str, file: &str) -> ExitCode {
    let Some(target) = targets::by_name(name) else { return refused(&format!("`{name}` is no target")) };
    match std::fs::read(file) {
        Ok(input) => {
            println!("{name}: outcome {:016x}", (target.run)(&input));
            ExitCode::SUCCESS
        }
        Err(error) => refused(&format!("{file}: {error}")),
    }
}

fn fuzz(name: &str, seconds: &str, seed: &str, trace: bool) -> ExitCode {
    let chosen: Vec<&targets::Target> = targets::ALL.iter().filter(|t| name == "all" || t.name == name).collect();
    let (Ok(seconds), Ok(seed)) = (seconds.parse::<u32>(), seed.parse::<u64>()) else {
        return refused("seconds and seed are whole numbers");
    };
    if chosen.is_empty() {
        return refused(&format!("`{name}` is no target"));
    }
    let failures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("failures");
    let limits = Limits { time: Duration::from_secs(seconds.into()), executions: u64::MAX, seed, failures, trace };
    // Panics are counted and saved; a message each would hide the result.
    std::panic::set_hook(Box::new(|_| {}));
    let mut failed = false;
    for target in chosen {
        match seeds::of(target).and_then(|seeds| run(target, seeds, &limits)) {
            Ok(outcome) => {
                let (seconds, count) = (outcome.time.as_secs_f64(), outcome.failures.len());
                println!(
                    "{}: {} executions in {seconds:.1} s, {} outcomes, {count} failures",
                    target.name, outcome.executions, outcome.outcomes
                );
                outcome.failures.iter().for_each(|(path, what)| println!("  {}: {what}", path.display()));
                failed |= count > 0;
            }
            Err(error) => {
                eprintln!("error: {}: {error}", target.name);
                return ExitCode::FAILURE;
            }
        }
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
