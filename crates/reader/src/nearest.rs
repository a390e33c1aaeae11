//! The nearest known word to a mistyped one.

/// `"; did you mean `menu`?"` for `manu`, or the whole list (up to 16 words) when nothing is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let mut known: Vec<&str> = known.into_iter().collect();
    known.sort_unstable();
    let best = known.iter().map(|candidate| (distance(word, candidate), *candidate)).min();
    match best {
        Some((distance, candidate)) if distance <= 1 + word.chars().count() / 3 => {
            format!("; did you mean `{candidate}`?")
        }
        Some(_) if known.len() <= 16 => format!("; known are: {}", known.join(", ")),
        _ => String::new(),
    }
}

/// Levenshtein distance over characters; words longer than 64 characters are far from everything.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().take(65).collect();
    if b.len() > 64 || a.chars().count() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for ((to, above), diagonal) in b.iter().zip(row.iter().skip(1)).zip(row.iter()) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(from != *to)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_named() {
        assert_eq!(nearest("manu", ["menu", "play"]), "; did you mean `menu`?");
        assert_eq!(nearest("xyz", ["menu", "play"]), "; known are: menu, play");
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
    }
}
