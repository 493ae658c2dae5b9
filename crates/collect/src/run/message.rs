//! What becomes of a message: known already, kept or left out, counted, obeyed.

use quintet_posts::formats::{self, Notes, Record};
use quintet_posts::summary::components;
use serde_json::json;

use super::{End, MAX_REASONS, Run};
use crate::failure::printable;
use crate::sources::{Look, Notice};

impl Run<'_> {
    /// Takes a message.
    pub(super) fn take(&mut self, message: &[u8]) -> Result<(), End> {
        let object = match formats::parse(message) {
            Ok(object) => object,
            Err(reason) => {
                self.day.unreadable += 1;
                if self.counts.unreadable + self.day.unreadable <= MAX_REASONS {
                    self.store.log.write(json!({"event": "unreadable", "reason": reason}))?;
                }
                return Ok(self.store.push(message)?);
            }
        };
        let Look { key, cursor, notice } = self.source.look(&object);
        if key.is_some_and(|key| !self.recent.is_new(&key)) {
            self.day.duplicates += 1;
        } else {
            self.day.messages += 1;
            // What no format knows is kept: a later version may read it.
            let mut records = Vec::new();
            if let Some(format) = formats::detect(&object) {
                format.read(&object, &mut self.notes, &mut records);
                self.notes = Notes::default();
            }
            if self.keeps(&records) {
                self.store.push(message)?;
            }
        }
        if let Some(cursor) = cursor {
            self.position.cursor = Some(self.source.later(self.position.cursor.take(), cursor));
        }
        match notice {
            Some(notice) => self.notice(notice),
            None => Ok(()),
        }
    }

    /// Counts what a message holds; false for a post that the filter leaves out.
    fn keeps(&mut self, records: &[Record]) -> bool {
        let (mut posts, mut kept) = (0, 0);
        for record in records {
            match record {
                Record::Post(found) => {
                    let has = components(&found.post);
                    let keeps = self.options.filter.keeps(&found.post, &has);
                    self.live.post(&has);
                    self.day.all += u64::from(has.0.iter().all(|h| *h));
                    for (count, has) in self.day.components.0.iter_mut().zip(has.0) {
                        *count += u64::from(has);
                    }
                    posts += 1;
                    kept += u64::from(keeps);
                }
                Record::Message(_) | Record::Rejected(_) => {}
                // Orders to forget a post, an account, or where posts came from.
                _ => self.day.deletes += 1,
            }
        }
        self.day.posts += posts;
        self.day.kept += kept;
        self.task.advance(posts);
        posts == 0 || kept > 0
    }

    fn notice(&mut self, notice: Notice) -> Result<(), End> {
        match notice {
            Notice::Limit(total) => {
                // The service counts since the connection was made.
                let new = total.saturating_sub(self.undelivered);
                self.undelivered = self.undelivered.max(total);
                self.day.undelivered += new;
                self.store.log.write(json!({"event": "limit", "undelivered": new, "since_connection": total}))?;
                Ok(())
            }
            Notice::Warning(what) => {
                self.store.log.write(json!({"event": "warning", "what": what}))?;
                self.progress.note(&format!("the service warns: {}", printable(&what)));
                Ok(())
            }
            Notice::Disconnect(failure) => Err(failure.into()),
        }
    }
}
