use super::*;

fn uri(text: &str) -> Uri<'_> {
    Uri::parse(text.as_bytes()).unwrap_or_else(|_| panic!("{text}"))
}

#[test]
fn the_parts_of_a_sip_uri() {
    let uri = uri("sip:alice;x=1:pw@[2001:db8::1]:5061;transport=tcp;lr?Subject=a%20b&To=c");
    assert_eq!(uri.scheme(), Scheme::Sip);
    assert_eq!(uri.user(), Some(&b"alice;x=1"[..]));
    assert_eq!(uri.password(), Some(&b"pw"[..]));
    assert_eq!(uri.host().unwrap().to_string(), "[2001:db8::1]");
    assert_eq!(uri.port(), Some(5061));
    assert_eq!(uri.transport(), Some(&b"tcp"[..]));
    assert!(uri.is_loose());
    assert_eq!(uri.header(b"subject").as_deref(), Some(&b"a b"[..]));
}

#[test]
fn what_is_no_uri() {
    for bad in [
        "",
        "sip",
        "sip:",
        "sip:@host",
        "sip:a@",
        "sip:a@b@c",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b:",
        "sip:a@b:-1",
        "sip:a b@c",
        "<sip:a@b>",
        "sip:a@[::1",
        "sip:a@::1",
        "sip:2001:db8::10",
        "sip:a%2@b",
        "sip:a%zz@b",
        "sip:a@b;;x",
        "sip:a@b;=x",
        "sip:a@1.2.3",
        "sip:a@1.2.3.400",
        "1sip:a@b",
        "tel:",
        "tel:abcxyz",
        "tel:+",
        "sip:a@b%20c",
        "sip:a@b/c",
        "sip:a@b\r\nX: y",
        "sip:a\0@b",
    ] {
        assert_eq!(Uri::parse(bad.as_bytes()).err(), Some(BadUri), "{bad:?}");
    }
}

#[test]
fn unknown_schemes_are_kept() {
    let uri = uri("soap.beep://192.0.2.103:3002");
    assert_eq!((uri.scheme(), uri.host()), (Scheme::Other, None));
    assert_eq!(uri.as_bytes(), b"soap.beep://192.0.2.103:3002");
}

#[test]
fn what_was_dialled() {
    for (text, dialled) in [
        ("tel:+1-201-555-0123;phone-context=x", "+12015550123"),
        ("sip:+1(201)555.0123;phone-context=+1@gw;user=phone", "+12015550123"),
        ("sip:*72%23138@switch", "*72#138"),
        ("sip:400-820-8820@switch", "4008208820"),
        ("sip:anna-maria.k@switch", "anna-maria.k"),
        ("sip:%61lice@switch", "alice"),
    ] {
        assert_eq!(uri(text).dialled().as_deref(), Some(dialled), "{text}");
    }
    assert_eq!(uri("sip:switch").dialled(), None);
}

/// The lists of RFC 3261 §19.1.4.
#[test]
fn equivalence() {
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0::0:1]"),
        ("tel:+1-201-555-0123", "tel:+12015550123"),
        ("tel:7042;phone-context=Example.com", "tel:70-42;phone-context=example.com"),
    ] {
        assert_eq!(uri(a), uri(b));
        assert_eq!(uri(b), uri(a));
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a@b", "sips:a@b"),
        ("sip:a@b", "sip:b"),
        ("tel:+1201", "tel:1201"),
    ] {
        assert_ne!(uri(a), uri(b));
        assert_ne!(uri(b), uri(a));
    }
}

#[test]
fn nobody_is_named_in_debug_output() {
    let text = format!("{:?} {:?}", uri("sip:13800138000@h"), UriBuf::parse(b"tel:13800138000").unwrap());
    assert!(!text.contains("1380"), "{text}");
}
