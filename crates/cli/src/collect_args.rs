//! Arguments of what uses the network: `quintet collect` and `quintet import --fetch-images`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use quintet_collect::images::FetchOptions;

/// `quintet collect`
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:
  quintet collect bluesky --into bluesky
  X_BEARER_TOKEN=... quintet collect x-rules --set rules.txt
  X_BEARER_TOKEN=... quintet collect x --into x --require all --within -170,15,-50,72 --place-kinds city,poi
  MASTODON_TOKEN=... quintet collect mastodon --server https://example.social --stream public:local --into fedi
  quintet import bluesky/raw --into corpus

Ctrl-C stops; what came is saved, and the same command goes on. docs/collect.md says what is guaranteed."
)]
pub struct Collect {
    /// From where.
    #[command(subcommand)]
    pub source: Source,
}

/// Services.
#[derive(Debug, Subcommand)]
pub enum Source {
    /// X: the filtered stream of API v2; its rules decide what comes (x-rules).
    X(X),
    /// List X's rules, or make them what a file says.
    XRules(XRules),
    /// Bluesky: all public posts, through a Jetstream server.
    Bluesky(Bluesky),
    /// Mastodon and what speaks like it: a stream of one server.
    Mastodon(Mastodon),
}

/// `quintet collect x`
#[derive(Debug, Args)]
pub struct X {
    /// Host of the API, or the whole address of a stream of JSON lines.
    #[arg(long, default_value = "https://api.x.com", value_name = "URL")]
    pub endpoint: String,
    /// Environment variable that holds the bearer token.
    #[arg(long, default_value = "X_BEARER_TOKEN", value_name = "NAME")]
    pub token_env: String,
    /// Ask again for up to so many minutes missed during a gap (0 to 5); not every access level may.
    #[arg(long, default_value_t = 0, value_name = "MINUTES", value_parser = clap::value_parser!(u8).range(0..=5))]
    pub backfill: u8,
    /// Replace a parameter of the request, such as user.fields=name; an empty value takes it away.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    pub parameters: Vec<(String, String)>,
    /// What all services have.
    #[command(flatten)]
    pub common: Common,
}

/// `quintet collect x-rules`
#[derive(Debug, Args)]
#[command(after_help = "A file has one rule a line, `TAG: RULE` or `RULE`; lines that begin with // are comments.")]
pub struct XRules {
    /// Host of the API.
    #[arg(long, default_value = "https://api.x.com", value_name = "URL")]
    pub endpoint: String,
    /// Environment variable that holds the bearer token.
    #[arg(long, default_value = "X_BEARER_TOKEN", value_name = "NAME")]
    pub token_env: String,
    /// Make the rules what this file says: add what is missing, remove what is not in it.
    #[arg(long, value_name = "FILE")]
    pub set: Option<PathBuf>,
    /// Trust the certificates of this file (PEM) instead of the machine's.
    #[arg(long, value_name = "FILE")]
    pub trust: Option<PathBuf>,
}

/// `quintet collect bluesky`
#[derive(Debug, Args)]
pub struct Bluesky {
    /// Address of the subscription, v1 (/subscribe) or v2 (/xrpc/network.bsky.jetstream.subscribeEvents).
    #[arg(long, default_value = "wss://jetstream2.us-east.bsky.network/subscribe", value_name = "URL")]
    pub endpoint: String,
    /// Collections of records, with commas.
    #[arg(long, default_value = "app.bsky.feed.post", value_delimiter = ',', value_name = "NAMES")]
    pub collections: Vec<String>,
    /// A file of accounts (DIDs), one a line, instead of all.
    #[arg(long, value_name = "FILE")]
    pub dids: Option<PathBuf>,
    /// Have messages packed with zstd; FILE is the service's dictionary (docs/collect.md).
    #[arg(long, value_name = "FILE")]
    pub zstd_dictionary: Option<PathBuf>,
    /// Begin in the past: microseconds since 1970, or a number of v2's events. A folder that holds a cursor goes on there.
    #[arg(long, value_name = "CURSOR")]
    pub from: Option<u64>,
    /// What all services have.
    #[command(flatten)]
    pub common: Common,
}

/// `quintet collect mastodon`
#[derive(Debug, Args)]
pub struct Mastodon {
    /// The server, such as https://example.social; an address that begins with wss:// is that of the streams themselves.
    #[arg(long, alias = "endpoint", value_name = "URL")]
    pub server: String,
    /// public, public:local, public:remote (each also with :media), hashtag, hashtag:local, list, user.
    #[arg(long, default_value = "public", value_name = "STREAM")]
    pub stream: String,
    /// The hashtag of the stream hashtag.
    #[arg(long, value_name = "TAG")]
    pub tag: Option<String>,
    /// The number of the stream list.
    #[arg(long, value_name = "ID", conflicts_with = "tag")]
    pub list: Option<String>,
    /// How events come: sse (server-sent events) or websocket.
    #[arg(long, default_value = "sse", value_parser = ["sse", "websocket"], value_name = "HOW")]
    pub transport: String,
    /// Environment variable that holds the access token; servers from 4.2 on want one.
    #[arg(long, default_value = "MASTODON_TOKEN", value_name = "NAME")]
    pub token_env: String,
    /// What all services have.
    #[command(flatten)]
    pub common: Common,
}

/// What `--require` takes.
const COMPONENTS: [&str; 6] = ["text", "image", "hashtags", "location", "user", "all"];
/// The kinds of places that X has.
const PLACE_KINDS: [&str; 5] = ["country", "admin", "city", "neighborhood", "poi"];

/// What all services have.
#[derive(Debug, Args)]
pub struct Common {
    /// The collection's folder; one that is there goes on.
    #[arg(long, value_name = "FOLDER")]
    pub into: PathBuf,
    /// Keep only posts with these components: text, image, hashtags, location, user, or all.
    #[arg(long, value_delimiter = ',', value_name = "COMPONENTS", value_parser = COMPONENTS, hide_possible_values = true)]
    #[arg(help_heading = "Which posts")]
    pub require: Vec<String>,
    /// Keep only posts from inside a box, by coordinates, or else by the middle of the place.
    #[arg(long, value_name = "W,S,E,N", allow_hyphen_values = true, help_heading = "Which posts")]
    pub within: Option<String>,
    /// Keep only posts from places of these kinds: country, admin, city, neighborhood, poi.
    #[arg(long, value_delimiter = ',', value_name = "KINDS", value_parser = PLACE_KINDS, hide_possible_values = true)]
    #[arg(help_heading = "Which posts", ignore_case = true)]
    pub place_kinds: Vec<String>,
    /// Stop after a time, such as 90s, 30m, 8h, 7d.
    #[arg(long = "for", value_name = "TIME", value_parser = duration, help_heading = "How long")]
    pub stop_after: Option<Duration>,
    /// Stop after so many posts were kept.
    #[arg(long, value_name = "N", help_heading = "How long")]
    pub posts: Option<u64>,
    /// Put what came on disk at least this often.
    #[arg(long, default_value = "5s", value_name = "TIME", value_parser = duration, help_heading = "Files")]
    pub save_every: Duration,
    /// Begin a new raw file at this size...
    #[arg(long, default_value_t = 64, value_name = "MB", help_heading = "Files")]
    pub rotate_mb: u64,
    /// ... or this age.
    #[arg(long, default_value = "1d", value_name = "TIME", value_parser = duration, help_heading = "Files")]
    pub rotate_every: Duration,
    /// Take a stream for dead after so long without a sign of life [default: three of the service's heartbeats].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Connection")]
    pub stall: Option<Duration>,
    /// Trust the certificates of this file (PEM) instead of the machine's.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub trust: Option<PathBuf>,
}

/// Fetching images.
#[derive(Debug, Args)]
pub struct Fetch {
    /// Download the images that posts refer to by address. Uses the network. Stopped, the same command without files
    /// goes on.
    #[arg(long, help_heading = "Images by address")]
    pub fetch_images: bool,
    /// Requests a second, at most.
    #[arg(
        long,
        default_value_t = 5.0,
        value_name = "N",
        requires = "fetch_images",
        help_heading = "Images by address"
    )]
    pub fetch_rate: f64,
    /// Requests at a time.
    #[arg(long, default_value_t = 4, value_name = "N", requires = "fetch_images", help_heading = "Images by address")]
    pub fetch_at_once: usize,
    /// Largest image in MB.
    #[arg(
        long,
        default_value_t = 20,
        value_name = "MB",
        requires = "fetch_images",
        help_heading = "Images by address"
    )]
    pub fetch_max_mb: usize,
    /// Try again what failed for good in an earlier call.
    #[arg(long, requires = "fetch_images", help_heading = "Images by address")]
    pub fetch_again: bool,
    /// A host (HOST or HOST:PORT) that may be asked although its address is private; may be given several times.
    #[arg(long, value_name = "HOST", requires = "fetch_images", help_heading = "Images by address")]
    pub fetch_private: Vec<String>,
}

impl Fetch {
    /// As the library wants it.
    pub fn options(&self) -> FetchOptions {
        FetchOptions {
            per_second: self.fetch_rate,
            connections: self.fetch_at_once,
            most_bytes: self.fetch_max_mb.saturating_mul(1 << 20),
            again: self.fetch_again,
            allow_private: self.fetch_private.clone(),
            ..FetchOptions::default()
        }
    }
}

/// A time such as 90s, 30m, 8h, 7d.
fn duration(text: &str) -> Result<Duration, String> {
    let refused = || "give a number and s, m, h or d, such as 90s or 7d".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1.0,
        Some('m') => 60.0,
        Some('h') => 3600.0,
        Some('d') => 86_400.0,
        _ => return Err(refused()),
    };
    let number: f64 = text[..text.len() - 1].parse().map_err(|_| refused())?;
    Duration::try_from_secs_f64(number * unit).ok().filter(|d| !d.is_zero()).ok_or_else(refused)
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "write NAME=VALUE".to_owned())?;
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_secs(5400)));
        for bad in ["", "s", "0s", "-1s", "5", "5y", "nand", "1e300d", "5\u{fc}"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }
}
