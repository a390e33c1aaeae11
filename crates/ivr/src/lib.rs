//! Floor 1: runs a call flow, one verb at a time.
//!
//! A flow is data: named steps in a TOML file, each with one verb ([`Flows::parse`]), checked as a whole against the
//! prompts, queues and tiers that exist ([`Flows::check`]) before a call is taken. An [`Interpreter`] walks one caller
//! through it: what happened comes in as [`Input`], what must be done goes out as [`Output`], time is an argument.
//! [`say`] turns numbers, amounts, dates and waits into the names of recorded pieces.

mod check;
mod desk;
mod flows;
mod interpreter;
mod io;
mod parse;
mod read;
pub mod say;
mod vars;
mod verb;
mod words;

pub use flows::{Checked, Flows, Source, Vocabulary};
pub use interpreter::{Interpreter, STEPS_WITHOUT_INPUT_MAX};
pub use io::{
    CallbackKind, Class, Dequeue, Enqueue, HangupReason, HookFailure, Input, Items, LeftQueue, Name, Output,
    Timer, Token, TransferTo, Wait, WayOut,
};
pub use vars::{BUILT_IN, Caller, LocalTime, VALUE_BYTES_MAX, VARIABLES_MAX, Vars};
