//! A caller's variables: what the flow knows about him.

use std::collections::BTreeMap;

use base::Pii;

use crate::io::Name;

/// What is known of the caller when the flow starts; each field is a variable of the flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// `${tier}`.
    pub tier: String,
    /// `${language}`: `zh` or `en`; anything else is spoken to in Mandarin.
    pub language: String,
    /// `${senior}`: `yes` or `no`.
    pub senior: bool,
    /// `${known}`: whether the directory knows him, `yes` or `no`.
    pub known: bool,
    /// `${caller}`: his number, empty if withheld.
    pub number: Pii<String>,
    /// `${dialled}`.
    pub dialled: String,
    /// `${time}` and `${weekday}` when the call came in.
    pub local_time: Option<LocalTime>,
}

/// Local wall time, for opening hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// 0-23.
    pub hour: u8,
    /// 0-59.
    pub minute: u8,
    /// 1 = Monday … 7 = Sunday.
    pub weekday: u8,
}

/// Names of the variables that no step needs to set.
pub const BUILT_IN: &[&str] = &[
    "tier",
    "language",
    "senior",
    "known",
    "caller",
    "dialled",
    "time",
    "weekday",
    "queue",
    "agent",
    "wait",
    "position",
    "hook_status",
    "recorded_ms",
];

/// Most variables of one caller; a new one beyond is not stored.
pub const VARIABLES_MAX: usize = 64;

/// Longest value in bytes; the rest is cut off at a character.
pub const VALUE_BYTES_MAX: usize = 256;

/// Variables by name. All are private: `Debug` shows names only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vars {
    values: BTreeMap<Name, Pii<String>>,
    refused: u64,
}

impl Vars {
    /// The variables of a new caller.
    pub fn new(caller: &Caller) -> Self {
        let yes_no = |yes: bool| if yes { "yes" } else { "no" };
        let mut vars = Vars::default();
        vars.set("tier", &caller.tier);
        vars.set("language", &caller.language);
        vars.set("senior", yes_no(caller.senior));
        vars.set("known", yes_no(caller.known));
        vars.set("caller", caller.number.reveal());
        vars.set("dialled", &caller.dialled);
        if let Some(LocalTime { hour, minute, weekday }) = caller.local_time {
            vars.set("time", &format!("{hour:02}{minute:02}"));
            vars.set("weekday", &weekday.to_string());
        }
        vars
    }

    /// The value of `name`, empty if it was never set.
    pub fn get(&self, name: &str) -> &str {
        self.values.get(name).map_or("", |value| value.reveal().as_str())
    }

    /// Sets `name`. At [`VARIABLES_MAX`] a new name is refused and counted.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = Pii::new(cut(value).to_owned());
        if let Some(old) = self.values.get_mut(name) {
            *old = value;
        } else if self.values.len() < VARIABLES_MAX {
            self.values.insert(Name::from(name), value);
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// How many values were refused because there were too many.
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

fn cut(value: &str) -> &str {
    let end = (0..=VALUE_BYTES_MAX.min(value.len())).rev().find(|&end| value.is_char_boundary(end));
    end.and_then(|end| value.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_value_is_cut_at_a_character_and_too_many_are_refused() {
        let mut vars = Vars::new(&Caller::default());
        vars.set("long", &"百".repeat(100));
        assert_eq!(vars.get("long"), "百".repeat(85));
        for n in 0..100 {
            vars.set(&format!("v{n}"), "x");
        }
        assert_eq!(vars.values.len(), VARIABLES_MAX);
        assert!(vars.refused() > 0);
        vars.set("tier", "gold");
        assert_eq!(vars.get("tier"), "gold", "an old name may still change");
    }

    #[test]
    fn nothing_private_is_printed() {
        let caller = Caller { number: Pii::new("13800138000".into()), ..Caller::default() };
        assert!(!format!("{:?}", Vars::new(&caller)).contains("138"));
    }
}
