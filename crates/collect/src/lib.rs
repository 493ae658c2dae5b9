//! "Catch what streams by": the only part of the project that uses the network.
//!
//! In the order of the data:
//!
//! 1. [`sources`]: whom to ask and what an answer says - X, Jetstream, Mastodon.
//! 2. [`net`]: connections, TLS, HTTP. No other module opens a socket.
//! 3. [`feeds`]: bytes to messages - lines, server-sent events, WebSocket frames; testable without sockets.
//! 4. [`filter`]: which posts are kept; [`recent`]: what came twice.
//! 5. [`store`]: raw files and the place to go on from, safe against a kill at any moment.
//! 6. [`failure`] and [`backoff`]: what went wrong, and how long to wait.
//! 7. [`run`]: all of it together; [`live`] and [`report`] tell the person.
//! 8. [`images`]: the pictures that posts of a corpus refer to.
//!
//! ```no_run
//! use quintet_collect::{CollectOptions, collect, sources::Jetstream};
//!
//! let posts = Jetstream {
//!     endpoint: "wss://jetstream2.us-east.bsky.network/subscribe".into(),
//!     collections: vec!["app.bsky.feed.post".into()],
//!     dids: Vec::new(),
//!     dictionary: None,
//!     from: None,
//! };
//! let options = CollectOptions { stop_posts: Some(1000), ..CollectOptions::default() };
//! let report = collect(&posts, &options, "collection".as_ref(), &quintet_posts::progress::Silent::default())?;
//! println!("{report}");
//! # Ok::<(), quintet_posts::Error>(())
//! ```

pub mod backoff;
pub mod failure;
pub mod feeds;
pub mod filter;
pub mod images;
pub mod live;
pub mod net;
pub mod recent;
pub mod report;
pub mod run;
pub mod sources;
pub mod store;

pub use failure::Failure;
pub use filter::{Bounds, Filter};
pub use report::CollectReport;
pub use run::{CollectOptions, collect};
