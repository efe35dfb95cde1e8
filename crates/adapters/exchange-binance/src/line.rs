//! A line of numbered things (trades by id, candles by time) that must be delivered whole and in order: a gap is found,
//! asked for, and filled before what comes after it. Pure: the caller fetches.

use std::collections::VecDeque;

use nightdesk_market::{Candle, Trade};

/// Something with a place in a line.
pub(crate) trait Numbered: Clone {
    /// Its place.
    fn number(&self) -> i64;
}

impl Numbered for Trade {
    fn number(&self) -> i64 {
        i64::try_from(self.id).unwrap_or(i64::MAX)
    }
}

impl Numbered for Candle {
    fn number(&self) -> i64 {
        self.open_at.0
    }
}

/// What is missing: from `first` to just before `end`, or to the newest there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gap {
    pub(crate) first: i64,
    pub(crate) end: Option<i64>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    Nothing,
    /// Fetch this and bring it to [`Line::fill`].
    Fill(Gap),
    /// More is held back than a line may hold: the gap must be given up.
    Overflow,
}

/// The most that is held back behind a gap.
const MAX_HELD: usize = 50_000;

/// The line.
#[derive(Debug, Clone)]
pub(crate) struct Line<T> {
    step: i64,
    last: Option<i64>,
    gap: Option<Gap>,
    held: VecDeque<T>,
}

impl<T: Numbered> Line<T> {
    /// An empty line; neighbours are `step` apart.
    pub(crate) fn new(step: i64) -> Self {
        Self { step, last: None, gap: None, held: VecDeque::new() }
    }

    /// The newest number seen, delivered or held back.
    pub(crate) fn newest(&self) -> Option<i64> {
        self.held.back().map(Numbered::number).or(self.last)
    }

    /// Takes in what the stream brought.
    pub(crate) fn take(&mut self, item: T, out: &mut Vec<T>) -> Need {
        if self.gap.is_some() {
            self.held.push_back(item);
            return if self.held.len() > MAX_HELD { Need::Overflow } else { Need::Nothing };
        }
        self.deliver(item, out)
    }

    fn deliver(&mut self, item: T, out: &mut Vec<T>) -> Need {
        let number = item.number();
        if let Some(last) = self.last {
            if number <= last {
                return Need::Nothing;
            }
            if number > last.saturating_add(self.step) {
                let gap = Gap { first: last.saturating_add(self.step), end: Some(number) };
                self.gap = Some(gap);
                self.held.push_front(item);
                return Need::Fill(gap);
            }
        }
        self.last = Some(number);
        out.push(item);
        Need::Nothing
    }

    /// The stream is back after a cut: what came in between is asked for at once, not when the next one shows the gap.
    /// Whatever was being fetched before the cut no longer counts.
    pub(crate) fn resume(&mut self) -> Need {
        self.gap = None;
        self.held.clear();
        let Some(last) = self.last else { return Need::Nothing };
        let gap = Gap { first: last.saturating_add(self.step), end: None };
        self.gap = Some(gap);
        Need::Fill(gap)
    }

    /// Takes in what was fetched for the gap, in order; a number that is missing in it does not exist.
    pub(crate) fn fill(&mut self, items: Vec<T>, out: &mut Vec<T>) -> Need {
        let Some(gap) = self.gap.take() else { return Need::Nothing };
        for item in items {
            let number = item.number();
            let fits = number >= gap.first && gap.end.is_none_or(|end| number < end);
            if fits && self.last.is_none_or(|last| number > last) {
                self.last = Some(number);
                out.push(item);
            }
        }
        if let Some(end) = gap.end {
            self.last = self.last.max(Some(end.saturating_sub(self.step)));
        }
        self.release(out)
    }

    /// Gives the gap up: the line goes on with what is held back.
    pub(crate) fn give_up(&mut self, out: &mut Vec<T>) -> Need {
        self.gap = None;
        self.last = None;
        self.release(out)
    }

    fn release(&mut self, out: &mut Vec<T>) -> Need {
        while let Some(item) = self.held.pop_front() {
            match self.deliver(item, out) {
                Need::Nothing => {}
                need => return need,
            }
        }
        Need::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Numbered for i64 {
        fn number(&self) -> i64 {
            *self
        }
    }

    /// Runs a script on a line of step 1: `5` arrives from the stream, `fill 6 7` was fetched, `cut`, `lost`.
    fn check(script: &str, expected: &str) {
        let (mut line, mut told) = (Line::new(1), Vec::new());
        for word in script.split(", ") {
            let mut out = Vec::new();
            let need = match word.split_once(' ').unwrap_or((word, "")) {
                ("fill", items) => line.fill(items.split_whitespace().map(|n| n.parse().unwrap()).collect(), &mut out),
                ("cut", _) => line.resume(),
                ("lost", _) => line.give_up(&mut out),
                (number, _) => line.take(number.parse::<i64>().unwrap(), &mut out),
            };
            told.extend(out.iter().map(ToString::to_string));
            match need {
                Need::Nothing => {}
                Need::Fill(Gap { first, end: Some(end) }) => told.push(format!("[{first}..{end}]")),
                Need::Fill(Gap { first, end: None }) => told.push(format!("[{first}..]")),
                Need::Overflow => told.push("overflow".to_owned()),
            }
        }
        assert_eq!(told.join(" "), expected, "{script}");
    }

    #[test]
    fn a_line_without_gaps_passes_and_repeats_are_dropped() {
        check("5, 6, 6, 5, 7", "5 6 7");
    }

    #[test]
    fn a_gap_is_filled_before_what_comes_after_it() {
        check("5, 8, 9, fill 6 7", "5 [6..8] 6 7 8 9");
        check("5, 8, fill 4 5 6 7 8 9, 9", "5 [6..8] 6 7 8 9");
    }

    #[test]
    fn a_number_that_even_the_exchange_lacks_does_not_exist() {
        check("5, 9, fill 6 8, 10", "5 [6..9] 6 8 9 10");
        check("5, 9, fill, 10", "5 [6..9] 9 10");
    }

    #[test]
    fn a_second_gap_behind_the_first_is_found_on_release() {
        check("5, 8, 11, fill 6 7, fill 9 10, 12", "5 [6..8] 6 7 8 [9..11] 9 10 11 12");
    }

    #[test]
    fn after_a_cut_the_missing_part_is_asked_for_at_once() {
        check("5, cut, 9, fill 6 7 8 9 10, 11", "5 [6..] 6 7 8 9 10 11");
        check("5, cut, 9, fill 6 7, fill 8", "5 [6..] 6 7 [8..9] 8 9");
        check("cut, 9", "9");
    }

    #[test]
    fn a_cut_while_fetching_starts_over() {
        check("5, 8, cut, fill 6 7 8, 9", "5 [6..8] [6..] 6 7 8 9");
    }

    #[test]
    fn a_gap_given_up_goes_on_with_what_is_held_back() {
        check("5, 8, 9, lost, 10", "5 [6..8] 8 9 10");
        check("5, cut, 3, 4, lost, 5", "5 [6..] 3 4 5");
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let (mut line, mut out) = (Line::new(1), Vec::new());
        line.take(1, &mut out);
        assert!(matches!(line.take(3, &mut out), Need::Fill(_)));
        let needs: Vec<_> = (4..).take(MAX_HELD + 1).map(|n| line.take(n, &mut out)).collect();
        assert_eq!(needs.last(), Some(&Need::Overflow));
    }
}
