//! Lists of tokens: `Require`, `Supported`, `Allow`, `Proxy-Require`, `Unsupported`,
//! `Allow-Events`, `Recv-Info`.

use super::super::lex::{self, List};
use super::HeaderName;
use crate::message::{Message, Method};

/// The tokens over all fields of one header, in order. What is no token is skipped: an option tag
/// that cannot be written cannot be supported either, and `Require` is checked by
/// [`Message::required`].
#[derive(Clone)]
pub struct Tokens<I>(I);

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Tokens<I> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.by_ref().find(|token| lex::is_token(token))
    }
}

impl Message {
    /// The tokens of header `name`.
    pub fn tokens(&self, name: HeaderName) -> Tokens<impl Iterator<Item = &[u8]> + Clone> {
        Tokens(self.headers(name).flat_map(List::new))
    }

    /// Whether header `name` lists `token`, without case (option tags, event packages).
    pub fn lists(&self, name: HeaderName, token: &str) -> bool {
        self.tokens(name).any(|listed| listed.eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Everything `Require` lists, also what is no token.
    pub fn required(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.headers(HeaderName::Require).flat_map(List::new)
    }

    /// Whether the peer supports or requires extension `option` (an option tag).
    pub fn offers(&self, option: &str) -> bool {
        self.lists(HeaderName::Supported, option) || self.lists(HeaderName::Require, option)
    }

    /// Whether `Allow` lists `method`; `None` without that header.
    pub fn allows(&self, method: &Method) -> Option<bool> {
        self.header(HeaderName::Allow)?;
        Some(self.tokens(HeaderName::Allow).any(|token| token == method.as_bytes()))
    }
}
