//! Request methods.

use bytes::Bytes;

macro_rules! methods {
    ($($name:ident $text:literal $doc:literal;)*) => {
        /// A request method (RFC 3261 §7.1). Methods are case-sensitive.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Method {
            $(#[doc = $doc] $name,)*
            /// A method we have no name for; a valid token. Answered 405 or 501 by the user agent.
            Other(Bytes),
        }

        impl Method {
            /// Every method we have a name for.
            pub const KNOWN: &[Method] = &[$(Method::$name,)*];

            /// The method called `name`, which must be a token (RFC 3261 §25.1).
            pub fn from_bytes(name: &[u8]) -> Option<Method> {
                Some(match name {
                    $($text => Method::$name,)*
                    _ if super::lex::is_token(name) => Method::Other(Bytes::copy_from_slice(name)),
                    _ => return None,
                })
            }

            /// The method as it stands on the wire.
            pub fn as_bytes(&self) -> &[u8] {
                match self {
                    $(Method::$name => $text,)*
                    Method::Other(name) => name,
                }
            }
        }
    };
}

methods! {
    Invite b"INVITE" "RFC 3261 §13.";
    Ack b"ACK" "RFC 3261 §17.";
    Bye b"BYE" "RFC 3261 §15.";
    Cancel b"CANCEL" "RFC 3261 §9.";
    Options b"OPTIONS" "RFC 3261 §11.";
    Register b"REGISTER" "RFC 3261 §10.";
    Prack b"PRACK" "RFC 3262.";
    Update b"UPDATE" "RFC 3311.";
    Info b"INFO" "RFC 6086.";
    Refer b"REFER" "RFC 3515.";
    Notify b"NOTIFY" "RFC 6665.";
    Subscribe b"SUBSCRIBE" "RFC 6665.";
    Message b"MESSAGE" "RFC 3428.";
    Publish b"PUBLISH" "RFC 3903.";
}

impl core::fmt::Display for Method {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&self.as_bytes().escape_ascii(), f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_case_matters() {
        for method in Method::KNOWN {
            assert_eq!(Method::from_bytes(method.as_bytes()).as_ref(), Some(method));
        }
        assert_eq!(Method::from_bytes(b"invite").unwrap().to_string(), "invite");
        assert_eq!(Method::from_bytes(b"IN VITE"), None);
        assert_eq!(Method::from_bytes(b""), None);
    }
}
