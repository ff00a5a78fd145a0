//! Randomness whose values never change: a seed printed in a report must replay for ever.

/// The xoshiro256++ generator of Blackman and Vigna, seeded by SplitMix64.
///
/// It is written here, rather than taken from a crate, because its stream is part of the meaning of
/// a saved seed. Not for secrets.
///
/// ```
/// use load_engine::Rng;
///
/// let mut a = Rng::for_iteration(42, 3, 17);
/// let mut b = Rng::for_iteration(42, 3, 17);
/// assert_eq!(a.next_u64(), b.next_u64());
/// ```
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4], // not all zero: SplitMix64 gives four different words
}

impl Rng {
    /// A generator for a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut split = seed;
        Self {
            state: std::array::from_fn(|_| split_mix(&mut split)),
        }
    }

    /// The generator of one iteration of one user: the same for the same three numbers, and
    /// unrelated to that of any other.
    #[must_use]
    pub fn for_iteration(seed: u64, user: u32, iteration: u64) -> Self {
        let mut state = seed;
        let mut mixed = split_mix(&mut state) ^ u64::from(user);
        mixed = split_mix(&mut mixed) ^ iteration;
        Self::new(split_mix(&mut mixed))
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let (c, d) = (c ^ a, d ^ b);
        self.state = [a ^ d, b ^ c, c ^ (self.state[1] << 17), d.rotate_left(45)];
        result
    }

    /// A number below `bound`, each as likely, by Lemire's multiplication.
    ///
    /// # Panics
    ///
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "no number is below 0");
        // Values under the threshold would make some results likelier than others.
        let threshold = bound.wrapping_neg() % bound;
        loop {
            let wide = u128::from(self.next_u64()) * u128::from(bound);
            if wide as u64 >= threshold {
                return (wide >> 64) as u64;
            }
        }
    }

    /// A number in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// True with the given probability; never for 0, always for 1.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// An exponentially distributed number with mean 1: the time between two Poisson arrivals at
    /// rate 1.
    pub fn exponential(&mut self) -> f64 {
        // 1 - unit() is in (0, 1], so that the logarithm is finite.
        -(1.0 - self.unit()).ln()
    }

    /// One element, or none of an empty slice.
    pub fn choose<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            None
        } else {
            from.get(self.below(from.len() as u64) as usize)
        }
    }

    /// Fills a buffer with random bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// Steele, Lea and Flood's SplitMix64: moves the state on and gives the next word.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the authors' C code, as published with `rand_xoshiro`.
    #[test]
    fn the_stream_is_that_of_the_reference_implementation() {
        let mut rng = Rng {
            state: [1, 2, 3, 4],
        };
        let expected = [
            41_943_041,
            58_720_359,
            3_588_806_011_781_223,
            3_591_011_842_654_386,
            9_228_616_714_210_784_205,
            9_973_669_472_204_895_162,
            14_011_001_112_246_962_877,
            12_406_186_145_184_390_807,
        ];
        for value in expected {
            assert_eq!(rng.next_u64(), value);
        }
    }

    #[test]
    fn split_mix_is_that_of_the_reference_implementation() {
        let mut state = 1_234_567;
        assert_eq!(split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(split_mix(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn neighbouring_users_and_iterations_get_unrelated_streams() {
        let mut firsts = std::collections::HashSet::new();
        for user in 0..100 {
            for iteration in 0..100 {
                firsts.insert(Rng::for_iteration(1, user, iteration).next_u64());
            }
        }
        assert_eq!(firsts.len(), 10_000);
        assert_ne!(
            Rng::for_iteration(1, 2, 3).next_u64(),
            Rng::for_iteration(2, 2, 3).next_u64()
        );
    }

    #[test]
    fn numbers_below_a_bound_reach_every_value_about_equally() {
        let mut rng = Rng::new(7);
        let mut counts = [0u32; 6];
        for _ in 0..60_000 {
            counts[rng.below(6) as usize] += 1;
        }
        assert!(
            counts.iter().all(|&count| (9_500..10_500).contains(&count)),
            "{counts:?}"
        );
    }

    #[test]
    fn the_exponential_has_mean_one_and_is_finite() {
        let mut rng = Rng::new(7);
        let sum: f64 = (0..100_000).map(|_| rng.exponential()).sum();
        assert!((0.99..1.01).contains(&(sum / 100_000.0)), "{sum}");
    }
}
