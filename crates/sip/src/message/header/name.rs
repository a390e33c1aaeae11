//! The one table of header names.

use super::super::lex;

macro_rules! header_names {
    ($($name:ident $text:literal $(/ $compact:literal)?;)*) => {
        /// A header field's name (RFC 3261 §20 and its extensions). Compact forms are the same name.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum HeaderName {
            $(#[doc = concat!("`", $text, "`")] $name,)*
            /// Any other: its bytes are kept ([`Field::name_bytes`](super::super::Field::name_bytes)).
            Other,
        }

        impl HeaderName {
            /// Every name in the table.
            pub const ALL: &[HeaderName] = &[$(HeaderName::$name,)*];

            /// The name in full, as we print it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(HeaderName::$name => $text,)*
                    HeaderName::Other => "",
                }
            }
        }

        /// Every spelling, full and compact.
        const SPELLINGS: &[(&str, HeaderName)] =
            &[$(($text, HeaderName::$name), $(($compact, HeaderName::$name),)?)*];
    };
}

header_names! {
    Accept "Accept";
    AcceptContact "Accept-Contact" / "a";
    AcceptEncoding "Accept-Encoding";
    AcceptLanguage "Accept-Language";
    AlertInfo "Alert-Info";
    Allow "Allow";
    AllowEvents "Allow-Events" / "u";
    AuthenticationInfo "Authentication-Info";
    Authorization "Authorization";
    CallId "Call-ID" / "i";
    CallInfo "Call-Info";
    Contact "Contact" / "m";
    ContentDisposition "Content-Disposition";
    ContentEncoding "Content-Encoding" / "e";
    ContentLanguage "Content-Language";
    ContentLength "Content-Length" / "l";
    ContentType "Content-Type" / "c";
    CSeq "CSeq";
    Date "Date";
    Diversion "Diversion";
    ErrorInfo "Error-Info";
    Event "Event" / "o";
    Expires "Expires";
    From "From" / "f";
    HistoryInfo "History-Info";
    Identity "Identity" / "y";
    InReplyTo "In-Reply-To";
    InfoPackage "Info-Package";
    MaxForwards "Max-Forwards";
    MessageAccount "Message-Account";
    MimeVersion "MIME-Version";
    MinExpires "Min-Expires";
    MinSe "Min-SE";
    Organization "Organization";
    PAccessNetworkInfo "P-Access-Network-Info";
    PAssertedIdentity "P-Asserted-Identity";
    PChargingVector "P-Charging-Vector";
    PEarlyMedia "P-Early-Media";
    PPreferredIdentity "P-Preferred-Identity";
    Path "Path";
    Priority "Priority";
    Privacy "Privacy";
    ProxyAuthenticate "Proxy-Authenticate";
    ProxyAuthorization "Proxy-Authorization";
    ProxyRequire "Proxy-Require";
    RAck "RAck";
    RSeq "RSeq";
    Reason "Reason";
    RecordRoute "Record-Route";
    RecvInfo "Recv-Info";
    ReferSub "Refer-Sub";
    ReferTo "Refer-To" / "r";
    ReferredBy "Referred-By" / "b";
    RejectContact "Reject-Contact" / "j";
    RemotePartyId "Remote-Party-ID";
    Replaces "Replaces";
    ReplyTo "Reply-To";
    RequestDisposition "Request-Disposition" / "d";
    Require "Require";
    RetryAfter "Retry-After";
    Route "Route";
    Server "Server";
    ServiceRoute "Service-Route";
    SessionExpires "Session-Expires" / "x";
    SipEtag "SIP-ETag";
    SipIfMatch "SIP-If-Match";
    Subject "Subject" / "s";
    SubscriptionState "Subscription-State";
    Supported "Supported" / "k";
    TargetDialog "Target-Dialog";
    Timestamp "Timestamp";
    To "To" / "t";
    Unsupported "Unsupported";
    UserAgent "User-Agent";
    UserToUser "User-to-User";
    Via "Via" / "v";
    Warning "Warning";
    WwwAuthenticate "WWW-Authenticate";
}

impl HeaderName {
    /// The name spelled `text`, in any case, full or compact; [`HeaderName::Other`] if unknown.
    #[inline]
    pub fn from_bytes(text: &[u8]) -> HeaderName {
        let mut slot = slot_of(text);
        loop {
            match SLOTS.get(slot).copied() {
                Some(index) if index != EMPTY => {
                    if let Some((spelling, name)) = SPELLINGS.get(usize::from(index))
                        && lex::is_same(spelling.as_bytes(), text)
                    {
                        return *name;
                    }
                }
                _ => return HeaderName::Other,
            }
            slot = slot.wrapping_add(1) & SLOTS_MASK;
        }
    }
}

impl core::fmt::Display for HeaderName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Slots of an open-addressing table made at compile time; four times the spellings, so that a
/// look-up compares one name nearly always.
const SLOTS_LEN: usize = 512;
const SLOTS_MASK: usize = SLOTS_LEN.wrapping_sub(1);
const EMPTY: u8 = u8::MAX;
static SLOTS: [u8; SLOTS_LEN] = slots();

/// Where the search for `text` begins: length, first, middle and last letter without case.
const fn slot_of(text: &[u8]) -> usize {
    let (Some(first), Some(last)) = (text.first(), text.last()) else { return 0 };
    let middle = match text.split_at_checked(text.len() / 2) {
        Some((_, [middle, ..])) => *middle,
        _ => 0,
    };
    let mixed = (*first as usize | 0x20)
        .wrapping_mul(31)
        .wrapping_add(*last as usize | 0x20)
        .wrapping_mul(37)
        .wrapping_add(middle as usize | 0x20)
        .wrapping_mul(41)
        .wrapping_add(text.len().wrapping_mul(7));
    (mixed ^ (mixed >> 7)) & SLOTS_MASK
}

#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects, clippy::cast_possible_truncation)]
const fn slots() -> [u8; SLOTS_LEN] {
    assert!(SPELLINGS.len() < EMPTY as usize, "spellings are numbered by a byte");
    let mut slots = [EMPTY; SLOTS_LEN];
    let mut index = 0;
    while index < SPELLINGS.len() {
        let mut slot = slot_of(SPELLINGS[index].0.as_bytes());
        while slots[slot] != EMPTY {
            slot = (slot + 1) & SLOTS_MASK;
        }
        slots[slot] = index as u8;
        index += 1;
    }
    slots
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_in_any_case_finds_its_name() {
        for (spelling, name) in SPELLINGS {
            assert_eq!(HeaderName::from_bytes(spelling.as_bytes()), *name, "{spelling}");
            assert_eq!(HeaderName::from_bytes(spelling.to_uppercase().as_bytes()), *name, "{spelling}");
        }
        for unknown in ["", "z", "X-Trace", "Vias", "Call_ID"] {
            assert_eq!(HeaderName::from_bytes(unknown.as_bytes()), HeaderName::Other);
        }
    }

    #[test]
    fn no_spelling_is_far_from_its_slot() {
        let worst = SPELLINGS.iter().enumerate().map(|(index, (spelling, _))| {
            let home = slot_of(spelling.as_bytes());
            (0..SLOTS_LEN).find(|step| usize::from(SLOTS[(home + step) & SLOTS_MASK]) == index).unwrap()
        });
        assert!(worst.max().unwrap() <= 4);
    }
}
