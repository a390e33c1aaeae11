//! [`Session`] to bytes.

use core::fmt::Write as _;
use core::net::IpAddr;

use bytes::Bytes;

use super::{Attribute, Origin, Session};

impl Session {
    /// The description as it goes into a body.
    pub fn to_bytes(&self) -> Bytes {
        let mut out = String::with_capacity(512);
        // Writing to a String cannot fail.
        let _ = self.print(&mut out);
        // A copy of the right size: a leg keeps it for as long as it lives.
        Bytes::copy_from_slice(out.as_bytes())
    }

    fn print(&self, out: &mut String) -> core::fmt::Result {
        let Origin { session_id, version, address } = &self.origin;
        write!(out, "v=0\r\no=- {session_id} {version} ")?;
        print_address(out, *address)?;
        out.write_str("\r\ns=-\r\n")?;
        if let Some(address) = self.connection {
            print_connection(out, address)?;
        }
        out.write_str("t=0 0\r\n")?;
        print_attributes(out, &self.attributes)?;
        for media in &self.media {
            write!(out, "m={} {} {}", media.kind, media.port, media.protocol)?;
            for format in &media.formats {
                write!(out, " {format}")?;
            }
            out.write_str("\r\n")?;
            if let Some(address) = media.connection {
                print_connection(out, address)?;
            }
            print_attributes(out, &media.attributes)?;
        }
        Ok(())
    }
}

fn print_address(out: &mut String, address: IpAddr) -> core::fmt::Result {
    let family = if address.is_ipv4() { "IP4" } else { "IP6" };
    write!(out, "IN {family} {address}")
}

fn print_connection(out: &mut String, address: IpAddr) -> core::fmt::Result {
    out.write_str("c=")?;
    print_address(out, address)?;
    out.write_str("\r\n")
}

fn print_attributes(out: &mut String, attributes: &[Attribute]) -> core::fmt::Result {
    for Attribute { name, value } in attributes {
        match value {
            Some(value) => write!(out, "a={name}:{value}\r\n")?,
            None => write!(out, "a={name}\r\n")?,
        }
    }
    Ok(())
}
