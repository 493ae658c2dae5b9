//! `quintet collect`

use std::path::Path;

use quintet::posts::error::AtPath;
use quintet::{Component, Error, Progress, Result};
use quintet_collect::failure::printable;
use quintet_collect::net::Connector;
use quintet_collect::net::connect::ConnectOptions;
use quintet_collect::sources;
use quintet_collect::sources::mastodon::Transport;
use quintet_collect::sources::x_rules::{Changed, Rules, parse};
use quintet_collect::store::StoreOptions;
use quintet_collect::{CollectOptions, Failure, Filter, collect};

use super::print;
use crate::args;
use crate::collect_args::{Bluesky, Collect, Common, Mastodon, Source, X, XRules};
use crate::exit::Exit;
use crate::talk::Talk;

pub fn run(arguments: &Collect, common: &args::Common, talk: &Talk) -> Result<Exit> {
    match &arguments.source {
        Source::X(a) => stream(&x(a)?, &a.common, common, talk),
        Source::XRules(a) => rules(a, common, talk),
        Source::Bluesky(a) => stream(&bluesky(a)?, &a.common, common, talk),
        Source::Mastodon(a) => stream(&mastodon(a), &a.common, common, talk),
    }
}

fn stream(source: &dyn sources::Source, args: &Common, common: &args::Common, talk: &Talk) -> Result<Exit> {
    let options = options(args)?;
    let filter = &options.filter;
    let by_place = filter.within.is_some() || !filter.place_kinds.is_empty();
    if source.name() == "jetstream" && (by_place || filter.components.contains(&Component::Location)) {
        talk.note("posts of Bluesky have no places: with this filter none is kept");
    }
    let report = collect(source, &options, &args.into, talk)?;
    print(common, || serde_json::to_value(&report), || report.to_string())?;
    Ok(if talk.interrupted() { Exit::Interrupted } else { Exit::Done })
}

/// Options as the library wants them.
fn options(args: &Common) -> Result<CollectOptions> {
    let components = if args.require.iter().any(|name| name == "all") {
        Component::ALL.to_vec()
    } else {
        args.require.iter().map(|name| name.parse()).collect::<Result<_>>()?
    };
    Ok(CollectOptions {
        filter: Filter {
            components,
            within: args.within.as_deref().map(str::parse).transpose()?,
            place_kinds: args.place_kinds.clone(),
        },
        store: StoreOptions {
            sync_every: args.save_every,
            rotate_bytes: args.rotate_mb.max(1).saturating_mul(1 << 20),
            rotate_age: args.rotate_every,
        },
        connect: connect(args.trust.as_deref()),
        stall: args.stall,
        stop_after: args.stop_after,
        stop_posts: args.posts,
        ..CollectOptions::default()
    })
}

fn connect(trust: Option<&Path>) -> ConnectOptions {
    ConnectOptions { trust: trust.map(Path::to_owned), ..ConnectOptions::default() }
}

/// The token in an environment variable.
fn token(name: &str) -> Option<String> {
    std::env::var(name).ok().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty())
}

/// The token, which has to be there.
fn needed_token(name: &str) -> Result<String> {
    token(name).ok_or_else(|| {
        Error::config(format!("the environment variable {name} holds no token"))
            .help("put the bearer token of your app there, or name another variable with --token-env")
    })
}

fn x(args: &X) -> Result<sources::X> {
    Ok(sources::X {
        endpoint: args.endpoint.clone(),
        token: Some(needed_token(&args.token_env)?),
        backfill: args.backfill,
        parameters: args.parameters.clone(),
    })
}

fn bluesky(args: &Bluesky) -> Result<sources::Jetstream> {
    let dids = match &args.dids {
        Some(path) => std::fs::read_to_string(path).at(path)?,
        None => String::new(),
    };
    let dids: Vec<String> = dids.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned).collect();
    if let (Some(path), Some(bad)) = (&args.dids, dids.iter().position(|d| !d.starts_with("did:"))) {
        return Err(Error::input(format!("`{}` is no DID", dids[bad]))
            .at(path)
            .help("write one a line, such as did:plc:ewvi7nxzyoun6zhxrhs64oiz"));
    }
    let dictionary = args.zstd_dictionary.as_ref().map(|path| std::fs::read(path).at(path)).transpose()?;
    let collections = args.collections.clone();
    Ok(sources::Jetstream { endpoint: args.endpoint.clone(), collections, dids, dictionary, from: args.from })
}

fn mastodon(args: &Mastodon) -> sources::Mastodon {
    sources::Mastodon {
        endpoint: args.server.clone(),
        stream: args.stream.clone(),
        argument: args.tag.clone().or_else(|| args.list.clone()),
        transport: if args.transport == "websocket" { Transport::WebSocket } else { Transport::Sse },
        token: token(&args.token_env),
    }
}

fn rules(args: &XRules, common: &args::Common, talk: &Talk) -> Result<Exit> {
    let wished = match &args.set {
        Some(path) => Some(parse(&std::fs::read_to_string(path).at(path)?)),
        None => None,
    };
    let token = needed_token(&args.token_env)?;
    let connector = Connector::new(connect(args.trust.as_deref()));
    let stop = || talk.interrupted();
    let rules = Rules { endpoint: &args.endpoint, token: Some(&token), connector: &connector, stop: &stop };
    let done = match &wished {
        Some(wished) => rules.set(wished),
        None => rules.list().map(|rules| Changed { rules, ..Changed::default() }),
    };
    let done = done.map_err(|failure| match failure {
        Failure::Refused { what, help } => Error::input(printable(&what)).help(help),
        Failure::Stopped => Error::interrupted("stopped"),
        other => Error::input(other.to_string()).help("try again later"),
    })?;
    print(common, || serde_json::to_value(&done), || done.to_string())?;
    Ok(Exit::Done)
}
