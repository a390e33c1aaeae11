//! Call records for people: a list, and one call's journey step by step.

use core::fmt::Write;

use base::UnixMillis;
use call::explain::Explained;
use call::record::CallRecord;

use crate::callbacks::CallbackRow;

/// A number with its middle masked: enough to recognise, not enough to call. Short ones vanish whole.
pub fn mask_number(number: &str) -> String {
    let len = number.chars().count();
    if len == 0 {
        return "withheld".to_owned();
    }
    if len < 8 {
        return "•".repeat(len);
    }
    let tail: String = number.chars().skip(len - 2).collect();
    let head: String = number.chars().take(3).collect();
    format!("{head}{}{tail}", "•".repeat(len - 5))
}

/// `2026-11-22 03:14:07.123Z`.
pub fn utc(at: UnixMillis) -> String {
    let (days, ms) = (at.0 / 86_400_000, at.0 % 86_400_000);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar: shifted so that
/// years begin in March, the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Calls as a table, one line each under a line of titles.
pub fn calls_table(records: &[CallRecord]) -> String {
    let mut out = format!(
        "{:<18} {:<24} {:<10} {:<12} {:<8} {:<13} {:>8} {:>8}\n",
        "CALL", "STARTED", "TIER", "QUEUE", "AGENT", "OUTCOME", "WAIT", "TALK"
    );
    for record in records {
        let _ = writeln!(
            out,
            "{:<18} {:<24} {:<10} {:<12} {:<8} {:<13} {:>8} {:>8}",
            record.key.to_string(),
            utc(record.started),
            printable(&record.tier_name),
            printable(record.queue.as_deref().unwrap_or("-")),
            printable(record.agent.as_deref().unwrap_or("-")),
            record.outcome.word(),
            seconds(record.wait_ms),
            seconds(record.talk_ms),
        );
    }
    out
}

/// Promised callbacks as a table. The numbers are masked unless `reveal`.
pub fn callbacks_table(rows: &[CallbackRow], reveal: bool) -> String {
    let mut out = format!(
        "{:<18} {:<24} {:<20} {:<10} {:<12} {:<12} {:>5} {}\n",
        "CALLBACK", "PROMISED", "NUMBER", "TIER", "QUEUE", "STATE", "TRIED", "SINCE"
    );
    for CallbackRow { callback, state, changed } in rows {
        let number = callback.number.reveal();
        let number = if reveal { printable(number) } else { mask_number(number) };
        let _ = writeln!(
            out,
            "{:<18} {:<24} {:<20} {:<10} {:<12} {:<12} {:>5} {}",
            callback.key.to_string(),
            utc(callback.promised),
            number,
            printable(&callback.tier_name),
            printable(if callback.queue.is_empty() { "-" } else { &callback.queue }),
            state.word(),
            callback.attempts,
            utc(*changed),
        );
    }
    out
}

/// One call, step by step. The caller's number is masked unless `reveal`.
pub fn journey(record: &CallRecord, reveal: bool) -> String {
    let caller = record.caller.reveal();
    let caller = if reveal && !caller.is_empty() { printable(caller) } else { mask_number(caller) };
    let mut out = String::new();
    let mut line = |title: &str, value: &str| {
        let _ = writeln!(out, "{title:<10} {value}");
    };
    line("call", &record.key.to_string());
    line("caller", &caller);
    line("dialled", &printable(&record.dialled));
    line("source", &printable(&record.source));
    line("tier", &printable(&record.tier_name));
    line("queue", &printable(record.queue.as_deref().unwrap_or("-")));
    line("agent", &printable(record.agent.as_deref().unwrap_or("-")));
    line("started", &utc(record.started));
    line("answered", &record.answered.map_or_else(|| "-".to_owned(), utc));
    line("ended", &utc(record.ended));
    line("wait", &seconds(record.wait_ms));
    line("talk", &seconds(record.talk_ms));
    line("outcome", record.outcome.word());
    line("survey", &record.survey.map_or_else(|| "-".to_owned(), |score| score.to_string()));
    out.push('\n');
    for step in &record.steps {
        let _ = writeln!(
            out,
            "{:>10}  {:<15} {}",
            seconds(step.at_ms),
            step.what.word(),
            printable(&step.detail)
        );
    }
    out
}

/// Why a call went to whom it went, decision by decision.
pub fn explanation(record: &CallRecord, decisions: &[Explained]) -> String {
    let queue = record.queue.as_deref().unwrap_or("no queue");
    let mut out = format!(
        "call {}, {}, {}: {} after {} in line\n\n",
        record.key,
        printable(&record.tier_name),
        printable(queue),
        record.outcome.word(),
        seconds(record.wait_ms)
    );
    if decisions.is_empty() {
        out.push_str("No decision of the distributor was about this call.\n");
    }
    for decision in decisions {
        out.push_str(
            &decision.tell(record.key).lines().map(|line| printable(line) + "\n").collect::<String>(),
        );
        out.push('\n');
    }
    out
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03}s", ms / 1000, ms % 1000)
}

/// A peer's text must not steer the reader's terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::call_record;

    #[test]
    fn dates_are_those_of_the_calendar() {
        assert_eq!(utc(UnixMillis(0)), "1970-01-01 00:00:00.000Z");
        assert_eq!(utc(UnixMillis(951_827_696_789)), "2000-02-29 12:34:56.789Z");
        assert_eq!(utc(UnixMillis(4_107_542_400_000)), "2100-03-01 00:00:00.000Z");
    }

    #[test]
    fn numbers_are_masked() {
        assert_eq!(mask_number("13800138000"), "138••••••00");
        assert_eq!(mask_number("110"), "•••");
        assert_eq!(mask_number(""), "withheld");
    }

    #[test]
    fn a_journey_reads_from_top_to_bottom() {
        let mut record = call_record(7);
        record.steps[1].detail = "gold\x1b[2J".to_owned();
        let text = journey(&record, false);
        assert!(text.contains("caller     138••••••07\n"), "{text}");
        assert!(text.contains("\n    0.003s  identified      gold\u{fffd}[2J\n"), "{text}");
        assert!(text.ends_with("   72.060s  hung-up         caller\n"), "{text}");
        assert!(journey(&record, true).contains("caller     13800000007\n"));
        assert_eq!(calls_table(&[record]).lines().count(), 2);
    }
}
