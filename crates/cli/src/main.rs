//! The `quintet` command: arguments as typed (`args.rs`), then one file a verb (`verbs/`).

mod args;
#[cfg(feature = "collect")]
mod collect_args;
mod exit;
mod talk;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, EvalTask, Verb};
use exit::Exit;
use talk::Talk;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(exit) => exit.into(),
        Err(error) => {
            eprintln!("error: {error}");
            Exit::from(&error).into()
        }
    }
}

fn run(arguments: &Arguments) -> quintet::Result<Exit> {
    let common = &arguments.common;
    if let Some(threads) = common.threads {
        quintet::set_threads(threads)?;
    }
    let talk = Talk::new(common.quiet);
    match &arguments.verb {
        #[cfg(feature = "collect")]
        Verb::Collect(a) => verbs::collect::run(a, common, &talk),
        Verb::Import(a) => verbs::import::run(a, common, &talk),
        Verb::Check(a) => verbs::check::run(a, common, &talk),
        Verb::Split(a) => verbs::split::run(a, common),
        Verb::Export(a) => verbs::export::run(a, common, &talk),
        Verb::Town(a) => verbs::town::run(a, common, &talk),
        Verb::Features(a) => verbs::features::run(a, common, &talk),
        Verb::Train(a) => verbs::train::run(a, common, &talk),
        Verb::Embed(a) => verbs::embed::run(a, common, &talk),
        Verb::Search(a) => verbs::search::run(a, common, &talk),
        Verb::Eval(a) => match &a.task {
            EvalTask::Retrieval(a) => verbs::retrieval::run(a, common, &talk),
            EvalTask::Hashtags(a) => verbs::task::eval("hashtags", a, common, &talk),
            EvalTask::Bots(a) => verbs::task::eval("bots", a, common, &talk),
            EvalTask::Location(a) => verbs::task::eval("location", a, common, &talk),
        },
        Verb::Fit(a) => verbs::task::fit(a, common, &talk),
        Verb::Predict(a) => verbs::task::predict(a, common, &talk),
        Verb::Demo(a) => verbs::demo::run(a, common, &talk),
        Verb::Reproduce(a) => verbs::reproduce::run(a, common, &talk),
        Verb::Completions(a) => {
            clap_complete::generate(
                a.shell,
                &mut <Arguments as clap::CommandFactory>::command(),
                "quintet",
                &mut std::io::stdout(),
            );
            Ok(Exit::Done)
        }
    }
}
