//! How large the built-in scenarios are under given settings.

use std::num::{NonZeroU32, NonZeroU64};

use report::Settings;

/// The loads that settings come to.
pub(crate) trait Sizes {
    /// The load of a scenario whose full size is `users` times `each` iterations.
    fn load(&self, users: u32, each: u64) -> Load;

    /// As [`Sizes::load`], where the iterations of all users together follow from `total`.
    fn load_of_total(&self, users: u32, total: u64) -> Load;
}

impl Sizes for Settings {
    fn load(&self, users: u32, each: u64) -> Load {
        let (users, each) = if self.quick {
            (users / 5, each / 5)
        } else {
            (users, each)
        };
        Load {
            users: self
                .threads
                .or(NonZeroU32::new(users))
                .unwrap_or(NonZeroU32::MIN),
            each: self
                .iterations
                .or(NonZeroU64::new(each))
                .unwrap_or(NonZeroU64::MIN),
        }
    }

    fn load_of_total(&self, users: u32, total: u64) -> Load {
        let users = self.load(users, 1).users;
        let total = if self.quick { total / 10 } else { total };
        let each = total.div_ceil(u64::from(users.get()));
        Load {
            users,
            each: NonZeroU64::new(each).unwrap_or(NonZeroU64::MIN),
        }
    }
}

/// Users and the iterations of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) users: NonZeroU32,
    pub(crate) each: NonZeroU64,
}

impl Load {
    pub(crate) fn total(self) -> u64 {
        u64::from(self.users.get()).saturating_mul(self.each.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_goes_before_what_is_quick() {
        let load = |settings: &Settings| {
            let load = settings.load(100, 10);
            (load.users.get(), load.each.get())
        };
        assert_eq!(load(&Settings::default()), (100, 10));
        assert_eq!(load(&Settings::quick()), (20, 2));
        let settings = Settings {
            threads: NonZeroU32::new(7),
            ..Settings::quick()
        };
        assert_eq!(load(&settings), (7, 2));
    }

    #[test]
    fn a_total_is_reached_with_whatever_number_of_users() {
        let settings = Settings {
            threads: NonZeroU32::new(7),
            ..Settings::default()
        };
        let load = settings.load_of_total(100, 5000);
        assert_eq!((load.users.get(), load.each.get()), (7, 715));
    }
}
