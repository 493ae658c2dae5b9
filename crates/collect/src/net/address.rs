//! Addresses as typed or found in posts, and which machines they may lead to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use http::Uri;

/// Where to connect and what to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Through TLS.
    pub tls: bool,
    /// Name or number of the host, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}

impl Address {
    /// Reads `http://`, `https://`, `ws://` or `wss://`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Address, String> {
        let uri: Uri = text.trim().parse().map_err(|e| format!("`{text}` is not an address: {e}"))?;
        let tls = match uri.scheme_str() {
            Some("https" | "wss") => true,
            Some("http" | "ws") => false,
            Some(other) => return Err(format!("`{text}` is an address of the kind {other}, not http or ws")),
            None => return Err(format!("`{text}` lacks its beginning, such as https://")),
        };
        let authority = uri.authority().ok_or_else(|| format!("`{text}` names no host"))?;
        if authority.as_str().contains('@') {
            return Err(format!("the address of {} holds a user's name or password", authority.host()));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(format!("`{text}` names no host"));
        }
        let port = match (authority.port_u16(), authority.as_str().len() > authority.host().len()) {
            (Some(port), _) => port,
            (None, true) => return Err(format!("`{text}` has no valid port")),
            (None, false) if tls => 443,
            (None, false) => 80,
        };
        let path = uri.path_and_query().map_or("/", |p| p.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Address { tls, host, port, path })
    }

    /// The address a redirect to `location` leads to.
    ///
    /// # Errors
    /// As [`Address::parse`].
    pub fn join(&self, location: &str) -> Result<Address, String> {
        let location = location.split('#').next().unwrap_or_default();
        let scheme = if self.tls { "https" } else { "http" };
        if location.contains("://") {
            return Address::parse(location);
        }
        if location.starts_with("//") {
            return Address::parse(&format!("{scheme}:{location}"));
        }
        let path = if location.starts_with('/') {
            location.to_owned()
        } else {
            let folder = self.path.split('?').next().unwrap_or_default();
            let end = folder.rfind('/').map_or(0, |at| at + 1);
            format!("{}{location}", &folder[..end])
        };
        // Read again as a whole, so that no odd character of the location slips into the request.
        Address::parse(&format!("{scheme}://{}{path}", self.authority()))
    }

    /// Adds parameters to the query; values are escaped.
    #[must_use]
    pub fn with_query<'a>(mut self, pairs: impl IntoIterator<Item = (&'a str, String)>) -> Address {
        for (name, value) in pairs {
            self.path.push(if self.path.contains('?') { '&' } else { '?' });
            self.path += name;
            self.path.push('=');
            self.path += &escape(&value);
        }
        self
    }

    /// Host and port, the port left out where it is the usual one.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual { host } else { format!("{host}:{}", self.port) }
    }

    /// Whether the host is this machine by name or number.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// The machines behind the host. With `public_only`, none that only this machine or its own network can reach.
    ///
    /// # Errors
    /// If there is no such host or it may not be reached.
    pub fn resolve(&self, public_only: bool) -> Result<Vec<SocketAddr>, Unreachable> {
        let found = (self.host.as_str(), self.port).to_socket_addrs();
        let found: Vec<SocketAddr> = found.map_err(|e| Unreachable::NotFound(format!("{}: {e}", self.host)))?.collect();
        if found.is_empty() {
            return Err(Unreachable::NotFound(format!("{} has no number", self.host)));
        }
        // One private number among public ones is refused as well: the connection would go where the name's owner wants.
        if let Some(private) = found.iter().find(|a| public_only && !is_public(a.ip())) {
            return Err(Unreachable::Private(format!("{} leads to {}, a private address", self.host, private.ip())));
        }
        Ok(found)
    }
}

/// Why a host cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreachable {
    /// The name is unknown.
    NotFound(String),
    /// It leads into a private network.
    Private(String),
}

/// Whether an address is one of the public Internet: neither private, loopback, link-local, shared, reserved, a
/// documentation range, multicast, nor one of these inside an IPv6 address.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        // Shared address space of providers, protocol assignments, 6to4 relays, benchmarks.
        || (a == 100 && (64..128).contains(&b))
        || (a, b, c) == (192, 0, 0)
        || (a, b, c) == (192, 88, 99)
        || (a == 198 && (18..20).contains(&b));
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    let inner = |high: u16, low: u16| is_public_v4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match s {
        // The ways to write an IPv4 address as an IPv6 one: mapped, compatible, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, high, low] => inner(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => inner(high, low),
        [0x2002, high, low, ..] => inner(high, low),
        // Only 2000::/3 is given out; of it Teredo, ORCHID and documentation are none.
        [0x2001, second, ..] => !(second == 0 || second == 0xdb8 || (0x10..0x30).contains(&second)),
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

/// Percent-encodes all but unreserved characters.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out += &format!("%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_joined() {
        let a = Address::parse("https://api.example.com/2/stream?x=1").unwrap();
        assert_eq!((a.tls, a.host.as_str(), a.port, a.path.as_str()), (true, "api.example.com", 443, "/2/stream?x=1"));
        let b = a.clone().with_query([("tag", "a b&c".to_owned())]);
        assert_eq!(b.path, "/2/stream?x=1&tag=a%20b%26c");
        let to = |l: &str| a.join(l).map(|a| format!("{} {}{}", a.tls, a.authority(), a.path));
        assert_eq!(to("/y"), Ok("true api.example.com/y".into()));
        assert_eq!(to("y?z"), Ok("true api.example.com/2/y?z".into()));
        assert_eq!(to("//b.example:81/y"), Ok("true b.example:81/y".into()));
        assert_eq!(to("http://[::1]/y#z"), Ok("false [::1]/y".into()));
        assert!(to("file:///etc/passwd").is_err());
        assert!(to("/a b\r\nX: y").is_err());
        for bad in ["example.com", "ftp://x/", "https://u:p@x/", "https:///x", "http://x:99999/", ""] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn private_networks_are_recognised_in_every_writing() {
        for private in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "192.0.0.8",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2001:db8::1",
            "2001::1",
            "::7f00:1",
            "3fff:fff::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "2001:4860::8888"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[test]
    fn odd_writings_of_loopback_are_refused_after_resolution() {
        for host in ["localhost", "127.1", "2130706433", "0x7f.1", "[::1]", "[::ffff:7f00:1]"] {
            let address = Address::parse(&format!("http://{host}/")).unwrap();
            // A resolver may not know an odd writing; what it must not do is lead there.
            assert!(address.resolve(true).is_err(), "{host}");
        }
    }
}
