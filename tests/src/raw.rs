//! SIP messages as bytes, for what no proper telephone sends.
