//! Server-sent events: `event:` and `data:` lines, comments as signs of life, a blank line after each event.

use super::lines::{Line, Lines, MAX_MESSAGE};

/// An event.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A line that begins with a colon, such as a heartbeat.
    Comment,
    /// An event with its name, empty if it has none, and its data.
    Whole {
        /// Name.
        name: &'a str,
        /// Data lines, joined by line ends.
        data: &'a [u8],
    },
    /// An event of so many bytes was too long.
    TooLong(u64),
}

/// Takes bytes as they come and gives events.
#[derive(Debug, Default)]
pub struct Events {
    lines: Lines,
    event: Begun,
}

/// The event that is not over yet.
#[derive(Debug, Default)]
struct Begun {
    name: String,
    data: Vec<u8>,
    has_data: bool,
    lost: u64,
}

impl Events {
    /// Takes bytes and gives each event they complete.
    pub fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Event)) {
        let event = &mut self.event;
        self.lines.push(bytes, |line| match line {
            Line::TooLong(bytes) => event.lost += bytes,
            Line::Text([]) => event.give(&mut each),
            Line::Text([b':', ..]) => each(Event::Comment),
            Line::Text(line) => event.take(line),
        });
    }

    /// Bytes of the event that is not complete yet.
    pub fn pending(&self) -> usize {
        self.lines.pending() + self.event.data.len()
    }
}

impl Begun {
    fn take(&mut self, line: &[u8]) {
        let at = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..at] {
            b"event" => self.name = String::from_utf8_lossy(value).into_owned(),
            b"data" if self.lost > 0 || self.data.len() + value.len() > MAX_MESSAGE => {
                self.lost += (self.data.len() + value.len()) as u64;
                self.data.clear();
            }
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            // `id`, `retry` and what is yet to be invented.
            _ => {}
        }
    }

    fn give(&mut self, each: &mut impl FnMut(Event)) {
        if self.lost > 0 {
            each(Event::TooLong(self.lost));
        } else if self.has_data {
            each(Event::Whole { name: &self.name, data: &self.data });
        } else {
            // A blank line on its own, or an event without data, which the standard tells to drop: a sign of life.
            each(Event::Comment);
        }
        *self = Begun::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events_of(text: &[u8], step: usize) -> Vec<String> {
        let (mut events, mut found) = (Events::default(), Vec::new());
        for piece in text.chunks(step) {
            events.push(piece, |event| {
                found.push(match event {
                    Event::Comment => "alive".to_owned(),
                    Event::TooLong(n) => format!("lost {n}"),
                    Event::Whole { name, data } => format!("{name}={}", String::from_utf8_lossy(data)),
                });
            });
        }
        found
    }

    #[test]
    fn any_cut_gives_the_same_events() {
        let text = ":)\nevent: update\ndata: {\"a\":\"\u{fc}\"}\n\n:thump\r\nevent:delete\r\ndata:12\r\n\r\n\
                    data: one\ndata:  two\nid: 7\nretry\n\nevent: update\ndata: cut";
        let text = text.as_bytes();
        let expected = ["alive", "update={\"a\":\"\u{fc}\"}", "alive", "delete=12", "=one\n two"];
        for step in 1..text.len() {
            assert_eq!(events_of(text, step), expected, "step {step}");
        }
    }
}
