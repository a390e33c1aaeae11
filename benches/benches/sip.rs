//! The message layer beside another parser on the same bytes; a transaction's life; a call's messages.
#![allow(missing_docs, reason = "criterion's macros")]
#![allow(clippy::unwrap_used, reason = "a bench that goes wrong must stop")]

use std::hint::black_box;

use benches::{CpuTime, config};
use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rsip::prelude::*;
use scenes::sip::{Asked, Crowd, INVITE, Pair, glimpsed, parsed, parsed_typed, printed};
use sip::message::{Limits, Message, Writer};

fn parsed_by_rsip(bytes: &[u8]) {
    let message = rsip::SipMessage::try_from(bytes).unwrap();
    let via = message.via_header().unwrap().typed().unwrap();
    let from = message.from_header().unwrap().typed().unwrap();
    let to = message.to_header().unwrap().typed().unwrap();
    let contact = message.contact_header().unwrap().typed().unwrap();
    let cseq = message.cseq_header().unwrap().typed().unwrap();
    black_box((via.branch(), from, to, contact, cseq, message.call_id_header().unwrap()));
}

fn messages(criterion: &mut Criterion<CpuTime>) {
    let bytes = Bytes::from_static(INVITE);
    let mut group = criterion.benchmark_group("invite_1223_bytes");
    group.throughput(Throughput::Bytes(INVITE.len() as u64));
    group.bench_function("parse", |b| b.iter(|| parsed(black_box(&bytes))));
    group.bench_function("glimpse", |b| b.iter(|| glimpsed(black_box(INVITE))));
    group.bench_function("parse_and_type", |b| b.iter(|| parsed_typed(black_box(&bytes))));
    group.bench_function("parse_and_type_by_rsip", |b| b.iter(|| parsed_by_rsip(black_box(INVITE))));
    let message = Message::parse(bytes.clone(), &Limits::default()).unwrap();
    let mut writer = Writer::new();
    group.bench_function("print", |b| b.iter(|| printed(&mut writer, black_box(&message))));
    let other = rsip::SipMessage::try_from(INVITE).unwrap();
    group.bench_function("print_by_rsip", |b| b.iter(|| black_box(&other).to_string().len()));
    group.finish();
}

fn lives(criterion: &mut Criterion<CpuTime>) {
    let mut asked = Asked::default();
    criterion.bench_function("sip/options_transaction_life", |b| b.iter(|| asked.options()));
    asked.check();
    let mut crowd = Crowd::default();
    criterion.bench_function("sip/invite_refused_in_a_crowd", |b| b.iter(|| crowd.refuse()));
    crowd.check();
    let mut pair = Pair::default();
    criterion.bench_function("sip/call_both_ends", |b| b.iter(|| pair.call()));
    pair.check();
}

criterion_group! { name = benches; config = config(); targets = messages, lives }
criterion_main!(benches);
