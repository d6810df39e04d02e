//! The time axis of a timeline: instants become places.
//!
//! Documented times range from a millisecond to twenty minutes, so no axis to scale shows a case. Each
//! stretch between two neighbouring instants is drawn by the root of its length, and a long one is cut
//! and says how long it is. Not responsible for what happens at an instant.
//!
//! Invariant: later is never further left, every instant is within the axis, and the place of a tick is
//! that of its instant.

use super::markup::width;
use crate::text;
use stateline_core::time::Micros;

/// A stretch longer than this is cut.
const LONGEST: Micros = Micros::from_secs(8);
/// The room of a stretch, however short it is, while there are few of them.
const LEAST: i32 = 7;
/// The room of a cut: its mark, and how long it is.
const CUT: i32 = 52;
/// How much more room a stretch has that matters most.
const FOCUS: f64 = 4.0;

/// Instants with their places.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    /// In order, each once, with their places.
    stops: Vec<(Micros, i32)>,
    /// The stretches that were cut.
    pub(super) cuts: Vec<Cut>,
}

/// A stretch that is not drawn to its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) from: i32,
    pub(super) to: i32,
    /// How long it is.
    pub(super) length: String,
}

/// A place with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) x: i32,
    pub(super) at: Micros,
    /// Where the middle of its label stands.
    pub(super) middle: i32,
    pub(super) label: String,
}

impl Axis {
    /// An axis between two places for these instants; what lies within the `focus` has more room.
    pub(super) fn new(
        mut instants: Vec<Micros>,
        focus: Option<(Micros, Micros)>,
        left: i32,
        right: i32,
    ) -> Self {
        instants.sort_unstable();
        instants.dedup();
        let stretches: Vec<Micros> =
            instants.windows(2).map(|pair| pair[1].since(pair[0])).collect();
        let n = i32::try_from(stretches.len()).unwrap_or(i32::MAX).max(1);
        let is_cut = |length: Micros| length > LONGEST;
        let n_cut = i32::try_from(stretches.iter().filter(|length| is_cut(**length)).count());
        let n_cut = n_cut.unwrap_or(n);
        let room = right - left;
        // With many stretches or many cuts, what each has for certain shrinks.
        let least = LEAST.min(room / 2 / n);
        let cut = CUT.min(room / 3 / n_cut.max(1)).max(least);
        let free = f64::from(room - (n - n_cut) * least - n_cut * cut);
        #[expect(
            clippy::cast_precision_loss,
            reason = "no stretch that is drawn is longer than LONGEST"
        )]
        let root = |length: Micros| (length.min(LONGEST).0 as f64).sqrt();
        let weights: Vec<f64> = instants
            .windows(2)
            .map(|pair| {
                let matters = focus.is_some_and(|(from, to)| from <= pair[0] && pair[1] <= to);
                root(pair[1].since(pair[0])) * if matters { FOCUS } else { 1.0 }
            })
            .collect();
        let total: f64 = weights.iter().sum();
        // A short case need not fill the axis: 1 ms is no canyon.
        let scale = if total > 0.0 { (free / total).min(0.4) } else { 0.0 };

        let mut place = f64::from(left);
        let mut stops: Vec<(Micros, i32)> =
            instants.first().map(|first| (*first, left)).into_iter().collect();
        let mut cuts = Vec::new();
        for ((length, weight), end) in stretches.iter().zip(weights).zip(instants.iter().skip(1)) {
            let from = stops.last().map_or(left, |(_, x)| *x);
            place += weight * scale + f64::from(if is_cut(*length) { cut } else { least });
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a place is between left and right"
            )]
            let x = (place.round() as i32).clamp(from, right);
            stops.push((*end, x));
            if is_cut(*length) {
                cuts.push(Cut { from, to: x, length: text::duration(length.as_ms()) });
            }
        }
        Self { stops, cuts }
    }

    /// The place of an instant; between two stops by its share of the stretch.
    pub(super) fn x(&self, at: Micros) -> i32 {
        let after = self.stops.partition_point(|(stop, _)| *stop < at);
        match (
            after.checked_sub(1).map(|before| self.stops[before]),
            self.stops.get(after).copied(),
        ) {
            (None, None) => 0,
            (None, Some((_, x))) | (Some((_, x)), None) => x,
            (Some((from, left)), Some((to, right))) => {
                let share = at.since(from).as_ms() / to.since(from).as_ms();
                #[expect(clippy::cast_possible_truncation, reason = "it is between two places")]
                let x = (share * f64::from(right - left)).round() as i32 + left;
                x
            }
        }
    }

    /// The last place.
    pub(super) fn end(&self) -> i32 {
        self.stops.last().map_or(0, |(_, x)| *x)
    }

    /// Ticks with times, as many as have room and that much space between them; the `first` ones come
    /// before all others.
    pub(super) fn ticks(&self, first: &[Micros], within: i32, apart: i32) -> Vec<Tick> {
        let mut taken: Vec<(i32, i32)> = Vec::new();
        let mut ticks = Vec::new();
        let ends = self.stops.first().into_iter().chain(self.stops.last()).map(|(at, _)| *at);
        let rest = self.stops.iter().map(|(at, _)| *at);
        for at in first.iter().copied().chain(ends).chain(rest) {
            let (x, label) = (self.x(at), told(at));
            let half = (width(&label) + apart) / 2;
            let middle = x.clamp(width(&label) / 2, within - width(&label) / 2);
            let (from, to) = (middle - half, middle + half);
            if taken.iter().all(|(left, right)| to <= *left || from >= *right) {
                taken.push((from, to));
                ticks.push(Tick { x, at, middle, label });
            }
        }
        ticks.sort_by_key(|tick| tick.at);
        ticks.dedup_by_key(|tick| tick.at);
        ticks
    }
}

/// A time at a tick: seconds, to the millisecond.
fn told(at: Micros) -> String {
    Micros::from_millis((at.0 + 500) / 1_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_long_stretch_is_cut_and_says_so() {
        let axis = Axis::new([0, 1, 1_201].map(Micros::from_secs).to_vec(), None, 0, 800);
        assert_eq!(axis.cuts.len(), 1);
        assert_eq!(axis.cuts[0].length, "20 min");
        assert_eq!(axis.cuts[0].from, axis.x(Micros::from_secs(1)));
        let ticks: Vec<String> =
            axis.ticks(&[], 800, 6).into_iter().map(|tick| tick.label).collect();
        assert_eq!(ticks, ["0s", "1s", "1201s"]);
    }

    #[test]
    fn one_instant_or_none_is_an_axis() {
        assert_eq!(Axis::new(Vec::new(), None, 10, 90).x(Micros::from_secs(3)), 0);
        assert_eq!(Axis::new(vec![Micros::ZERO], None, 10, 90).x(Micros::from_secs(3)), 10);
    }

    #[test]
    fn an_important_instant_has_its_tick() {
        let crowd: Vec<Micros> = (0..200).map(Micros::from_millis).collect();
        let axis = Axis::new(crowd, None, 0, 600);
        let wanted = Micros::from_millis(77);
        let ticks = axis.ticks(&[wanted], 600, 6);
        assert!(ticks.iter().any(|tick| tick.at == wanted && tick.label == "77ms"), "{ticks:?}");
        assert!(ticks.len() < 20, "{ticks:?}");
    }

    proptest! {
        #[test]
        fn later_is_never_further_left(
            instants in prop::collection::vec(0u64..1_300_000_000, 0..300),
            asked in prop::collection::vec(0u64..1_400_000_000, 0..40),
        ) {
            let stops: Vec<Micros> = instants.iter().copied().map(Micros).collect();
            let axis = Axis::new(stops.clone(), None, 80, 1_000);
            let mut all: Vec<Micros> = asked.into_iter().map(Micros).chain(stops.clone()).collect();
            all.sort_unstable();
            for pair in all.windows(2) {
                prop_assert!(axis.x(pair[0]) <= axis.x(pair[1]), "{pair:?}");
            }
            for at in &stops {
                prop_assert!((80..=1_000).contains(&axis.x(*at)));
            }
            let ticks = axis.ticks(&stops[..stops.len().min(3)], 1_040, 6);
            for pair in ticks.windows(2) {
                prop_assert!(pair[0].at < pair[1].at);
            }
            for tick in &ticks {
                prop_assert!(stops.contains(&tick.at) && tick.x == axis.x(tick.at));
            }
        }
    }
}
