//! Random numbers that are a function of where they are drawn.

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators",
/// 2014): one addition and one mix a number, and any number of independent streams by their seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of one place: the parts are mixed one after the other, so that each of them counts.
    #[must_use]
    pub fn of(parts: &[u64]) -> Self {
        let mix_in = |state: u64, part: &u64| mix(state.wrapping_add(GOLDEN) ^ mix(*part));
        Self(parts.iter().fold(0, mix_in))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// A number in `0..n`, by D. Lemire, "Fast random integer generation in an interval", 2019.
    pub fn below(&mut self, n: u64) -> u64 {
        let mut wide = u128::from(self.bits()) * u128::from(n);
        if (wide as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (wide as u64) < threshold {
                wide = u128::from(self.bits()) * u128::from(n);
            }
        }
        (wide >> 64) as u64
    }

    /// A number in `0.0..1.0`, of 53 bits.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// 2⁶⁴ divided by the golden ratio, SplitMix64's increment.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A name as a number: FNV-1a of 64 bits, which stays the same on every machine and in every version.
pub(crate) fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_published_generator() {
        // The first outputs for seed 1234567, as in Rosetta Code's and Java's SplittableRandom.
        let mut random = Random(1_234_567);
        assert_eq!(random.bits(), 6_457_827_717_110_365_317);
        assert_eq!(random.bits(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn numbers_below_a_bound_are_uniform() {
        let mut random = Random::of(&[1, 2]);
        let mut counts = [0_u32; 6];
        for _ in 0..60_000 {
            counts[random.below(6) as usize] += 1;
        }
        // Five standard deviations of a binomial count with n = 60,000 and p = 1/6.
        assert!(
            counts.iter().all(|count| count.abs_diff(10_000) < 457),
            "{counts:?}"
        );
    }

    #[test]
    fn each_part_of_a_place_counts() {
        let first = |parts: &[u64]| Random::of(parts).bits();
        assert_ne!(first(&[1, 2]), first(&[2, 1]));
        assert_ne!(first(&[1, 0]), first(&[1]));
        assert_eq!(first(&[3, 4, 5]), first(&[3, 4, 5]));
    }
}
