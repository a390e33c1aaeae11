//! What a leg plays: prompts one after the other, or music for ever, cut into frames of 20 ms.

use std::sync::Arc;

use crate::codec::{FRAME_BYTES, FRAME_BYTES_MAX};
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

/// 20 ms to send, and the token of the `Play` that ended with it.
pub(super) struct Played<'a> {
    /// As it lies in a prompt; or put together in the scratch frame, because a prompt ended in it.
    pub(super) frame: &'a [u8],
    /// Names what plays among all that this leg ever played.
    pub(super) number: u32,
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

    /// The next 20 ms in `codec`; `None` if nothing plays.
    #[inline]
    pub(super) fn next<'a>(
        &'a mut self,
        codec: Codec,
        scratch: &'a mut [u8; FRAME_BYTES_MAX],
    ) -> Option<Played<'a>> {
        if codec.info().bytes_per_ms.is_none() {
            return self.next_packet(codec, scratch);
        }
        let (scratch, _) = scratch.split_first_chunk_mut::<FRAME_BYTES>()?;
        if let Now::Prompts { .. } = self.now {
            return self.next_of_prompts(codec, scratch);
        }
        let Now::Music { music, offset } = &mut self.now else { return None };
        let frame = loop_of(music, offset, codec, scratch);
        Some(Played { frame, number: self.started, done: None })
    }

    fn next_of_prompts<'a>(
        &'a mut self,
        codec: Codec,
        scratch: &'a mut [u8; FRAME_BYTES],
    ) -> Option<Played<'a>> {
        let number = self.started;
        if let Now::Prompts { token, prompts, index, offset } = &mut self.now
            && is_last_frame(prompts, *index, *offset)
        {
            let done = Some(*token);
            fill(prompts, index, offset, codec, scratch);
            self.stop();
            return Some(Played { frame: scratch, number, done });
        }
        let Now::Prompts { prompts, index, offset, .. } = &mut self.now else { return None };
        let frame = next_of(prompts, index, offset, codec, scratch)?;
        Some(Played { frame, number, done: None })
    }

    /// The same in a codec whose packets are whole: each prompt ends with its last packet.
    fn next_packet<'a>(
        &'a mut self,
        codec: Codec,
        scratch: &'a mut [u8; FRAME_BYTES_MAX],
    ) -> Option<Played<'a>> {
        let silence = codec.info().silence;
        if let Now::Prompts { token, prompts, index, offset } = &mut self.now {
            while prompts.get(*index).is_some_and(|prompt| *offset >= prompt.bytes()) {
                *index = index.saturating_add(1);
                *offset = 0;
            }
            if is_last_frame(prompts, *index, *offset) {
                let (token, prompt) = (*token, prompts.get(*index));
                let last = prompt.and_then(|prompt| prompt.packet(codec, *offset / FRAME_BYTES));
                let last = last.unwrap_or(silence);
                let (frame, _) = scratch.split_at_mut_checked(last.len())?;
                frame.copy_from_slice(last);
                let number = self.started;
                self.stop();
                return Some(Played { frame, number, done: Some(token) });
            }
        }
        let (prompt, offset, is_music) = match &mut self.now {
            Now::Nothing => return None,
            Now::Music { music, offset } => (&**music, offset, true),
            Now::Prompts { prompts, index, offset, .. } => (&**prompts.get(*index)?, offset, false),
        };
        let frame = *offset / FRAME_BYTES;
        let then = frame.saturating_add(1).saturating_mul(FRAME_BYTES);
        *offset = if is_music && then >= prompt.bytes() { 0 } else { then };
        let frame = prompt.packet(codec, frame).unwrap_or(silence);
        Some(Played { frame, number: self.started, done: None })
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
    scratch: &'a mut [u8; FRAME_BYTES],
) -> Option<&'a [u8]> {
    let audio = prompts.get(*index)?.audio(codec);
    let end = offset.saturating_add(FRAME_BYTES);
    if let Some(slice) = audio.get(*offset..end) {
        *offset = end;
        return Some(slice);
    }
    fill(prompts, index, offset, codec, scratch);
    Some(scratch)
}

/// Puts a frame together across the ends of prompts, and silence after the last one.
fn fill(
    prompts: &[Arc<Prompt>],
    index: &mut usize,
    offset: &mut usize,
    codec: Codec,
    scratch: &mut [u8; FRAME_BYTES],
) {
    for (place, silence) in scratch.iter_mut().zip(codec.info().silence) {
        *place = *silence;
    }
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
#[inline]
fn loop_of<'a>(
    music: &'a Prompt,
    offset: &mut usize,
    codec: Codec,
    scratch: &'a mut [u8; FRAME_BYTES],
) -> &'a [u8] {
    let audio = music.audio(codec);
    let end = offset.saturating_add(FRAME_BYTES);
    if let Some(slice) = audio.get(*offset..end) {
        *offset = end;
        return slice;
    }
    wrap(audio, offset, scratch);
    scratch
}

/// Puts a frame of music together from its end and its beginning.
#[cold]
fn wrap(audio: &[u8], offset: &mut usize, scratch: &mut [u8; FRAME_BYTES]) {
    let from = audio.get(*offset..).unwrap_or_default().iter();
    for (place, byte) in scratch.iter_mut().zip(from.chain(audio.iter().cycle())) {
        *place = *byte;
    }
    *offset = offset.saturating_add(FRAME_BYTES) % audio.len().max(1);
}
