//! How evenly users were served, in a summary that is no longer for many users than for few.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::numbers::rounded;

/// Below this share of the median user's rate a user counts as behind. Of users who take their turns one
/// after the other, all equally long, the last one still has half of the median.
const BEHIND: f64 = 1.0 / 3.0;

/// How far apart the users of a closed model were. All of them ask for the same, so who gets much less
/// is served worse.
///
/// Users are compared by their rates: iterations, failed ones included, by the time from the start of
/// the load to the end of the user's last one. So users who stop after a number of iterations can be
/// compared as well as those who stop after a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Fairness {
    /// Users that are compared.
    pub users: u32,
    /// Iterations of the median user.
    pub median_iterations: u64,
    /// Time of the median user, from the start of the load to the end of its last iteration.
    pub median_time_ns: u64,
    /// Iterations a second of the slowest user.
    pub min_per_s: f64,
    /// Iterations a second of the median user: of an even number, the faster one in the middle.
    pub median_per_s: f64,
    /// Iterations a second of the fastest user.
    pub max_per_s: f64,
    /// The standard deviation of the rates over their mean; 0 if nobody did anything.
    pub coefficient_of_variation: f64,
    /// The fairness index of the rates (Jain, Chiu and Hawe, 1984), (Σx)² / n·Σx²: 1 if all are the
    /// same, 1/n if one user has everything.
    pub jain_index: f64, // in (0, 1]
    /// Users that came to less than a third of the median user's rate.
    pub behind: u32,
    /// The user with the lowest rate.
    pub least: UserTally,
}

/// What one user came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct UserTally {
    /// Its number, from 0.
    pub user: u32,
    /// Its iterations, failed ones included.
    pub iterations: u64,
    /// From the start of the load to the end of its last iteration.
    pub time_ns: u64,
}

impl UserTally {
    /// Iterations a second; 0 if it took no time.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        match self.time_ns {
            0 => 0.0,
            ns => self.iterations as f64 * 1e9 / ns as f64,
        }
    }
}

impl Fairness {
    /// Sums these users up; none of none.
    ///
    /// ```
    /// use load_engine::{Fairness, UserTally};
    ///
    /// let users = (0..4).map(|user| {
    ///     let mut tally = UserTally::default();
    ///     tally.user = user;
    ///     tally.iterations = if user == 2 { 10 } else { 100 };
    ///     tally.time_ns = 1_000_000_000;
    ///     tally
    /// });
    /// let fairness = Fairness::of(users.collect()).expect("four users");
    /// assert_eq!((fairness.behind, fairness.least.user), (1, 2));
    /// assert_eq!((fairness.min_per_s, fairness.median_per_s), (10.0, 100.0));
    /// ```
    #[must_use]
    pub fn of(mut users: Vec<UserTally>) -> Option<Self> {
        users.sort_unstable_by(|a, b| {
            let rates = a.per_second().total_cmp(&b.per_second());
            rates.then(a.user.cmp(&b.user))
        });
        let (least, most) = (*users.first()?, users.last()?);
        let median_per_s = users[users.len() / 2].per_second();
        let behind = users.partition_point(|user| user.per_second() < BEHIND * median_per_s);
        let (coefficient_of_variation, jain_index) = evenness(&users);
        Some(Self {
            users: users.len() as u32,
            median_iterations: median(users.iter().map(|user| user.iterations)),
            median_time_ns: median(users.iter().map(|user| user.time_ns)),
            min_per_s: rounded(least.per_second(), DECIMALS),
            median_per_s: rounded(median_per_s, DECIMALS),
            max_per_s: rounded(most.per_second(), DECIMALS),
            coefficient_of_variation: rounded(coefficient_of_variation, DECIMALS),
            jain_index: rounded(jain_index, DECIMALS),
            behind: behind as u32,
            least,
        })
    }
}

const DECIMALS: i32 = 6;

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    let middle = values.len() / 2;
    *values.select_nth_unstable(middle).1
}

/// The coefficient of variation of the rates, and their fairness index.
fn evenness(users: &[UserTally]) -> (f64, f64) {
    let count = users.len() as f64;
    let mean = users.iter().map(UserTally::per_second).sum::<f64>() / count;
    if mean <= 0.0 {
        return (0.0, 1.0);
    }
    // Over the mean, so that large rates lose no digits; the index is 1 / (1 + CV²).
    let squares = users
        .iter()
        .map(|user| (user.per_second() / mean - 1.0).powi(2));
    let variance = squares.sum::<f64>() / count;
    (variance.sqrt(), 1.0 / (1.0 + variance))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn tally(user: u32, iterations: u64, time_ns: u64) -> UserTally {
        UserTally {
            user,
            iterations,
            time_ns,
        }
    }

    #[test]
    fn users_are_told_apart_by_their_rate() {
        let users = (0..1000).map(|user| match user {
            700 => tally(user, 100, 4 * SECOND), // 25 a second
            701 => tally(user, 20, SECOND),
            _ => tally(user, 100, SECOND),
        });
        let fairness = Fairness::of(users.collect()).unwrap();
        assert_eq!((fairness.users, fairness.behind), (1000, 2));
        assert_eq!(
            (fairness.median_iterations, fairness.median_time_ns),
            (100, SECOND)
        );
        let rates = (
            fairness.min_per_s,
            fairness.median_per_s,
            fairness.max_per_s,
        );
        assert_eq!(rates, (20.0, 100.0, 100.0));
        assert_eq!(fairness.least, tally(701, 20, SECOND));
    }

    #[test]
    fn the_index_is_jains() {
        let of = |rates: &[u64]| {
            let users = (0..)
                .zip(rates)
                .map(|(user, &rate)| tally(user, rate, SECOND));
            Fairness::of(users.collect()).unwrap()
        };
        assert_eq!(of(&[7, 7, 7, 7]).jain_index, 1.0);
        assert_eq!(of(&[0, 0, 0, 9]).jain_index, 0.25);
        // (1 + 2 + 3 + 4)² / (4 · (1 + 4 + 9 + 16)).
        let spread = of(&[1, 2, 3, 4]);
        assert_eq!(spread.jain_index, rounded(100.0 / 120.0, DECIMALS));
        assert_eq!(
            spread.coefficient_of_variation,
            rounded(0.2_f64.sqrt(), DECIMALS)
        );
    }

    #[test]
    fn nobody_has_no_fairness_and_who_did_nothing_no_rate() {
        assert_eq!(Fairness::of(Vec::new()), None);
        let fairness = Fairness::of(vec![tally(0, 0, 0)]).unwrap();
        assert_eq!((fairness.median_per_s, fairness.behind), (0.0, 0));
        assert_eq!(
            (fairness.coefficient_of_variation, fairness.jain_index),
            (0.0, 1.0)
        );
    }
}
