//! Time as the harness counts it: whole microseconds from the start of a case.
//!
//! Not responsible for reading any clock; every instant comes in from outside.
//!
//! Invariant: arithmetic saturates, so no scripted duration can wrap a deadline.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// An instant (since the start of the case) or a duration, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub u64);

impl Micros {
    /// The start of the case, or no time at all.
    pub const ZERO: Self = Self(0);
    /// Later than every instant of a case.
    pub const MAX: Self = Self(u64::MAX);

    /// `n` milliseconds.
    #[must_use]
    pub const fn from_millis(n: u64) -> Self {
        Self(n.saturating_mul(1_000))
    }

    /// `n` seconds.
    #[must_use]
    pub const fn from_secs(n: u64) -> Self {
        Self(n.saturating_mul(1_000_000))
    }

    /// Milliseconds with the microseconds as fraction: the unit of `run.json`.
    #[must_use]
    pub fn as_ms(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a case is far shorter than 2^53 us")]
        let us = self.0 as f64;
        us / 1_000.0
    }

    /// The instant that `as_ms` gave. Negative and non-finite numbers give zero.
    #[must_use]
    pub fn from_ms(ms: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a float-to-int cast saturates, and the sign is clamped"
        )]
        Self((ms.max(0.0) * 1_000.0).round() as u64)
    }

    /// `self - other`, zero when that would be negative.
    #[must_use]
    pub const fn since(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Reads `250ms`, `4s`, `2m`, `1.5s`, `40us`; units: us, ms, s, m, h. A bare `0` is allowed.
    ///
    /// # Errors
    /// Says what is missing, as a fragment for "`x` is no duration: …".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        if number.is_empty() {
            return Err("it starts with no number");
        }
        let scale: u64 = match unit.trim() {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" | "min" => 60_000_000,
            "h" => 3_600_000_000,
            "" => return Err("it has no unit (us, ms, s, m, h)"),
            _ => return Err("its unit is none of us, ms, s, m, h"),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty()
            || fraction.contains('.')
            || (number.contains('.') && fraction.is_empty())
        {
            return Err("its number is malformed");
        }
        let whole: u64 = whole.parse().map_err(|_| "its number is too large")?;
        let mut total = whole.checked_mul(scale).ok_or("its number is too large")?;
        let mut unit_left = scale;
        for digit in fraction.bytes() {
            if !unit_left.is_multiple_of(10) {
                return Err("it is finer than a microsecond");
            }
            unit_left /= 10;
            total = total
                .checked_add(u64::from(digit - b'0') * unit_left)
                .ok_or("its number is too large")?;
        }
        Ok(Self(total))
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Micros {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sub for Micros {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.since(other)
    }
}

impl fmt::Display for Micros {
    /// The shortest exact form: `4s`, `250ms`, `3.98s`, `40us`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = self.0;
        if us == 0 {
            return write!(f, "0s");
        }
        let (scale, unit) = match us {
            1_000_000.. => (1_000_000, "s"),
            1_000.. => (1_000, "ms"),
            _ => (1, "us"),
        };
        let (whole, rest) = (us / scale, us % scale);
        if rest == 0 {
            return write!(f, "{whole}{unit}");
        }
        let width = if scale == 1_000_000 { 6 } else { 3 };
        let digits = format!("{rest:0width$}");
        write!(f, "{whole}.{}{unit}", digits.trim_end_matches('0'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_exactly() {
        for (text, us) in [
            ("4s", 4_000_000),
            ("250ms", 250_000),
            ("1.5s", 1_500_000),
            ("2m", 120_000_000),
            ("40us", 40),
            ("0", 0),
            ("3.000001s", 3_000_001),
        ] {
            assert_eq!(Micros::parse(text), Ok(Micros(us)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_says_why() {
        for text in [
            "",
            "4",
            "s",
            "4 parsecs",
            "1.s",
            ".5s",
            "1.2.3s",
            "0.5us",
            "99999999999999999999s",
            "9999999999999999h",
        ] {
            assert!(Micros::parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn display_and_parse_agree(us in 0u64..10_000_000_000) {
            let text = Micros(us).to_string();
            proptest::prop_assert_eq!(Micros::parse(&text), Ok(Micros(us)));
        }

        #[test]
        fn milliseconds_round_trip(us in 0u64..1u64 << 50) {
            proptest::prop_assert_eq!(Micros::from_ms(Micros(us).as_ms()), Micros(us));
        }
    }
}
