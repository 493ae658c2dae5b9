//! "Here is an address, give me its bytes": addresses, connections with TLS, HTTP/1.1 without surprises.

pub mod address;
pub mod chunked;
pub mod connect;
pub mod http1;
pub mod unpack;

pub use address::Address;
pub use connect::{Connector, Wire};
