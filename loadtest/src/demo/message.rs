//! SIP messages as the demo's telephones write and read them: by `rsip`, which knows nothing of the
//! switch's own parser and printer.

use std::net::SocketAddr;

use rsip::headers::auth::{Algorithm, AuthQop, Qop, Scheme};
use rsip::headers::{
    Allow, CSeq, CallId, Contact, ContentLength, ContentType, Expires, From, Header, MaxForwards, To,
    UserAgent, Via,
};
use rsip::message::{HasHeaders, HeadersExt};
use rsip::prelude::{ToTypedHeader, UntypedHeader};
use rsip::services::DigestGenerator;
use rsip::typed;
use rsip::{Method, Request, Response, StatusCode, Uri, Version};

const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO";

/// What identifies a dialog (RFC 3261 §12), from the telephone's side.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// `From` of our requests, tag included.
    pub(crate) local: String,
    /// `To` of our requests; its tag comes with the first answer.
    pub(crate) remote: String,
    /// Where our requests within the dialog go.
    pub(crate) target: String,
    /// Of our latest request.
    pub(crate) cseq: u32,
}

impl Dialog {
    /// The dialog that `invite` opens at the telephone that was called.
    pub(crate) fn called(invite: &Request, tag: &str) -> Option<Dialog> {
        Some(Dialog {
            call_id: invite.call_id_header().ok()?.value().to_owned(),
            local: format!("{};tag={tag}", invite.to_header().ok()?.value()),
            remote: invite.from_header().ok()?.value().to_owned(),
            target: contact(invite)?,
            cseq: 0,
        })
    }
}

/// One request to be written.
pub(crate) struct Draft<'a> {
    pub(crate) method: Method,
    pub(crate) uri: &'a str,
    pub(crate) dialog: &'a Dialog,
    pub(crate) cseq: u32,
    pub(crate) branch: &'a str,
    /// The telephone's own address.
    pub(crate) here: SocketAddr,
    /// User of the telephone's Contact.
    pub(crate) user: &'a str,
    /// SDP, or nothing.
    pub(crate) body: &'a str,
}

impl Draft<'_> {
    /// The request; `None` if the URI is none.
    pub(crate) fn request(&self) -> Option<Request> {
        let via = format!("SIP/2.0/UDP {};branch={};rport", self.here, self.branch);
        let mut headers: Vec<Header> = vec![
            Via::new(via).into(),
            MaxForwards::new("70").into(),
            From::new(&self.dialog.local).into(),
            To::new(&self.dialog.remote).into(),
            CallId::new(&self.dialog.call_id).into(),
            CSeq::new(format!("{} {}", self.cseq, self.method)).into(),
            UserAgent::new("usher-load").into(),
        ];
        if matches!(self.method, Method::Invite | Method::Register) {
            headers.push(Contact::new(self.contact()).into());
            headers.push(Allow::new(ALLOW).into());
        }
        close(&mut headers, self.body);
        let uri = Uri::try_from(self.uri).ok()?;
        let body = self.body.as_bytes().to_vec();
        Some(Request { method: self.method, uri, version: Version::V2, headers: headers.into(), body })
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.here)
    }
}

/// The answer to a request, its identifying headers copied as RFC 3261 §8.2.6.2 says.
pub(crate) fn answer(request: &Request, code: u16, tag: &str, contact: Option<&str>, body: &str) -> Response {
    let mut headers = Vec::new();
    for header in request.headers.iter() {
        match header {
            Header::Via(_)
            | Header::From(_)
            | Header::CallId(_)
            | Header::CSeq(_)
            | Header::RecordRoute(_) => {
                headers.push(header.clone());
            }
            Header::To(to) if code > 100 && !to.value().contains("tag=") => {
                headers.push(To::new(format!("{};tag={tag}", to.value())).into());
            }
            Header::To(_) => headers.push(header.clone()),
            _ => {}
        }
    }
    if let Some(contact) = contact {
        headers.push(Contact::new(contact).into());
    }
    headers.push(Allow::new(ALLOW).into());
    close(&mut headers, body);
    Response {
        status_code: StatusCode::from(code),
        version: Version::V2,
        headers: headers.into(),
        body: body.as_bytes().to_vec(),
    }
}

fn close(headers: &mut Vec<Header>, body: &str) {
    if !body.is_empty() {
        headers.push(ContentType::new("application/sdp").into());
    }
    headers.push(ContentLength::new(body.len().to_string()).into());
}

/// Adds how long a registration is asked for.
pub(crate) fn with_expires(mut request: Request, expires_s: u32) -> Request {
    request.headers_mut().push(Expires::new(expires_s.to_string()).into());
    request
}

/// The URI of the Contact.
pub(crate) fn contact(message: &impl HeadersExt) -> Option<String> {
    let typed = message.contact_header().ok()?.clone().typed().ok()?;
    Some(typed.uri.to_string())
}

/// Method and number of the CSeq.
pub(crate) fn cseq(message: &impl HeadersExt) -> Option<(Method, u32)> {
    let typed = message.cseq_header().ok()?.clone().typed().ok()?;
    Some((typed.method, typed.seq))
}

/// Who the telephone says it is.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) user: String,
    pub(crate) host: String,
    /// Password of the digest; a carrier's caller has none.
    pub(crate) secret: Option<String>,
}

/// `request` again, with the credentials that `challenge` asks for (RFC 2617 MD5: the one algorithm of
/// RFC 8760 whose name `rsip` reads).
pub(crate) fn with_credentials(
    mut request: Request,
    challenge: &Response,
    identity: &Identity,
    cnonce: &str,
) -> Option<Request> {
    let secret = identity.secret.as_deref()?;
    let proxy = challenge.status_code.code() == 407;
    let asked = challenge.headers.iter().find_map(|header| challenge_of(header, proxy))?;
    let qop = asked.qop.as_ref().filter(|qop| **qop == Qop::Auth);
    let mut authorization = typed::Authorization {
        scheme: Scheme::Digest,
        username: identity.user.clone(),
        realm: asked.realm,
        nonce: asked.nonce,
        uri: request.uri.clone(),
        response: String::new(),
        algorithm: Some(Algorithm::Md5),
        opaque: asked.opaque,
        qop: qop.map(|_| AuthQop::Auth { cnonce: cnonce.to_owned(), nc: 1 }),
    };
    authorization.response = DigestGenerator::from(&authorization, secret, &request.method).compute();
    let header = if proxy {
        rsip::headers::ProxyAuthorization::new(authorization.to_string()).into()
    } else {
        rsip::headers::Authorization::new(authorization.to_string()).into()
    };
    request.headers_mut().push(header);
    Some(request)
}

fn challenge_of(header: &Header, proxy: bool) -> Option<typed::WwwAuthenticate> {
    let asked = match header {
        Header::WwwAuthenticate(header) if !proxy => header.clone().typed().ok()?,
        Header::ProxyAuthenticate(header) if proxy => header.clone().typed().ok()?.0,
        _ => return None,
    };
    matches!(asked.algorithm, None | Some(Algorithm::Md5)).then_some(asked)
}
