//! What a leg plays: prompts one after the other, or music for ever, cut into frames of 20 ms.

use std::sync::Arc;

use crate::codec::FRAME_BYTES;
use crate::{Codec, Prompt};

/// What plays now.
#[derive(Clone, Debug, Default)]
enum Now {
    #[default]
    Nothing,
    Prompts {
        token: u64,
        prompts: Vec<Arc<Prompt>>,
        index: usize,
        offset: usize,
    },
    Music {
        music: Arc<Prompt>,
        offset: usize,
    },
}

/// One leg's player.
#[derive(Clone, Debug, Default)]
pub(super) struct Player {
    now: Now,
    /// Where this leg's music stopped.
    paused: Option<(Arc<Prompt>, usize)>,
    /// Counts what was started: tells one source from the next.
    started: u32,
}

/// 20 ms to send.
pub(super) enum Frame<'a> {
    /// As it lies in a prompt.
    Slice(&'a [u8]),
    /// Put together in the scratch frame, because a prompt ended in it.
    Scratch,
}

/// A frame, and the token of the `Play` that ended with it.
pub(super) struct Played<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) done: Option<u64>,
}

impl Player {
    /// Starts prompts. The token comes back at once if there is nothing to play.
    pub(super) fn play(&mut self, token: u64, prompts: Vec<Arc<Prompt>>) -> Option<u64> {
        self.stop();
        if prompts.iter().all(|prompt| prompt.is_empty()) {
            return Some(token);
        }
        self.now = Now::Prompts { token, prompts, index: 0, offset: 0 };
        None
    }

    /// Starts music, where it stopped if it is the same.
    pub(super) fn music(&mut self, music: Arc<Prompt>) {
        if matches!(&self.now, Now::Music { music: playing, .. } if Arc::ptr_eq(playing, &music)) {
            return;
        }
        self.stop();
        if music.is_empty() {
            return;
        }
        let offset = match &self.paused {
            Some((paused, offset)) if Arc::ptr_eq(paused, &music) => *offset,
            _ => 0,
        };
        self.now = Now::Music { music, offset };
    }

    /// Ends what plays.
    pub(super) fn stop(&mut self) {
        self.started = self.started.wrapping_add(1);
        if let Now::Music { music, offset } = core::mem::take(&mut self.now) {
            self.paused = Some((music, offset));
        }
    }

    pub(super) const fn is_playing(&self) -> bool {
        !matches!(self.now, Now::Nothing)
    }

    /// Names what plays among all that this leg ever played.
    pub(super) const fn started(&self) -> u32 {
        self.started
    }

    /// The next 20 ms in `codec`; `None` if nothing plays.
    #[inline]
    pub(super) fn next(&mut self, codec: Codec, scratch: &mut [u8; FRAME_BYTES]) -> Option<Played<'_>> {
        if let Now::Prompts { token, prompts, index, offset } = &mut self.now
            && is_last_frame(prompts, *index, *offset)
        {
            let done = Some(*token);
            fill(prompts, index, offset, codec, scratch);
            self.stop();
            return Some(Played { frame: Frame::Scratch, done });
        }
        let frame = match &mut self.now {
            Now::Nothing => return None,
            Now::Prompts { prompts, index, offset, .. } => next_of(prompts, index, offset, codec, scratch)?,
            Now::Music { music, offset } => loop_of(music, offset, codec, scratch),
        };
        Some(Played { frame, done: None })
    }
}

/// Whether at most one frame is left.
fn is_last_frame(prompts: &[Arc<Prompt>], index: usize, offset: usize) -> bool {
    let mut left = 0usize;
    for prompt in prompts.iter().skip(index) {
        left = left.saturating_add(prompt.bytes());
        if left.saturating_sub(offset) > FRAME_BYTES {
            return false;
        }
    }
    true
}

/// A frame when more than one is left.
fn next_of<'a>(
    prompts: &'a [Arc<Prompt>],
    index: &mut usize,
    offset: &mut usize,
    codec: Codec,
    scratch: &mut [u8; FRAME_BYTES],
) -> Option<Frame<'a>> {
    let audio = prompts.get(*index)?.audio(codec);
    let end = offset.saturating_add(FRAME_BYTES);
    if let Some(slice) = audio.get(*offset..end) {
        *offset = end;
        return Some(Frame::Slice(slice));
    }
    fill(prompts, index, offset, codec, scratch);
    Some(Frame::Scratch)
}

/// Puts a frame together across the ends of prompts, and silence after the last one.
fn fill(
    prompts: &[Arc<Prompt>],
    index: &mut usize,
    offset: &mut usize,
    codec: Codec,
    scratch: &mut [u8; FRAME_BYTES],
) {
    scratch.copy_from_slice(codec.info().silence);
    let mut room = scratch.as_mut_slice();
    while let Some(prompt) = prompts.get(*index) {
        let rest = prompt.audio(codec).get(*offset..).unwrap_or_default();
        let take = rest.len().min(room.len());
        let (head, tail) = room.split_at_mut(take);
        head.copy_from_slice(rest.get(..take).unwrap_or_default());
        room = tail;
        *offset = offset.saturating_add(take);
        if take < rest.len() || room.is_empty() {
            return;
        }
        *index = index.saturating_add(1);
        *offset = 0;
    }
}

/// A frame of music, round its end.
fn loop_of<'a>(
    music: &'a Prompt,
    offset: &mut usize,
    codec: Codec,
    scratch: &mut [u8; FRAME_BYTES],
) -> Frame<'a> {
    let audio = music.audio(codec);
    let end = offset.saturating_add(FRAME_BYTES);
    if let Some(slice) = audio.get(*offset..end) {
        *offset = end;
        return Frame::Slice(slice);
    }
    let length = audio.len().max(1);
    let from = audio.get(*offset..).unwrap_or_default().iter();
    for (place, byte) in scratch.iter_mut().zip(from.chain(audio.iter().cycle())) {
        *place = *byte;
    }
    *offset = end % length;
    Frame::Scratch
}
