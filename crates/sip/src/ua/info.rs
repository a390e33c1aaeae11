//! INFO inside a dialog (RFC 6086 and the DTMF relay that came before it).

use base::{Instant, LegKey, Pii};
use bytes::Bytes;

use super::read;
use crate::endpoint::request::Request;
use crate::endpoint::{Endpoint, Event};
use crate::transaction::Answer;

/// Bodies longer than this are no digits.
const BODY_MAX: usize = 1024;

impl Endpoint {
    pub(crate) fn on_info(&mut self, now: Instant, r: &Request<'_>, leg: LegKey) {
        let Some(value) = self.legs.get(&leg) else { return };
        let tag = value.dialog.local_tag;
        let body = r.message.body();
        if body.len() > BODY_MAX {
            return self.refuse(r, 413);
        }
        if self.answer(now, r, tag, &Answer::code(200)) && !body.is_empty() {
            let body = Pii::new(Bytes::copy_from_slice(body));
            self.layer.event(Event::Info { leg, content_type: read::content_type(r.message), body });
        }
    }
}
