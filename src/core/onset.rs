//! When the trouble began: the change point of a series of slots, by the CUSUM path (Page 1954).

use super::time::UnixNanos;

/// One slot of the series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its start.
    pub from: UnixNanos,
    /// Judged in it.
    pub judged: u32,
    /// Failing in it.
    pub failing: u32,
}

/// The start of the first slot of the trouble. Each slot moves the path up by its failures and down by what half of
/// the worst slot's rate would have brought; the lowest point of the path is where the climb began. An empty series
/// gives the epoch.
#[must_use]
pub fn of(slots: &[Slot]) -> UnixNanos {
    let rate = |slot: &Slot| if slot.judged == 0 { 0.0 } else { f64::from(slot.failing) / f64::from(slot.judged) };
    let reference = slots.iter().map(rate).fold(0.0, f64::max) / 2.0;
    let (mut path, mut lowest) = (0.0, 0.0);
    let mut onset = slots.first().map_or(UnixNanos(0), |slot| slot.from);
    for (slot, next) in slots.iter().zip(slots.iter().skip(1)) {
        path += f64::from(slot.failing) - f64::from(slot.judged) * reference;
        if path <= lowest {
            (lowest, onset) = (path, next.from);
        }
    }
    onset
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(rates: &[(u32, u32)]) -> Vec<Slot> {
        (0..)
            .zip(rates)
            .map(|(n, (judged, failing))| Slot { from: UnixNanos(n), judged: *judged, failing: *failing })
            .collect()
    }

    /// Proves that the climb is found behind noise, behind silence, and when everything is trouble.
    #[test]
    fn finds_the_foot_of_the_climb() {
        let table = [
            (vec![(10, 1), (10, 0), (10, 1), (10, 6), (10, 7), (10, 5)], 3),
            (vec![(10, 0), (0, 0), (0, 0), (10, 8)], 3),
            (vec![(10, 6), (10, 7), (10, 6)], 0),
            (vec![(10, 0)], 0),
        ];
        for (rates, onset) in table {
            assert_eq!(of(&series(&rates)), UnixNanos(onset), "{rates:?}");
        }
    }
}
