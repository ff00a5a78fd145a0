//! Arithmetic on vectors, for any processor and, chosen at run time, for AVX2. Both versions give
//! the same bits, so a score does not depend on the machine.
#![expect(
    unsafe_code,
    reason = "a function compiled for AVX2 can only be called, and memory only be prefetched, in unsafe code"
)]

/// Partial sums that do not depend on each other: four AVX registers, which hides the latency of
/// the addition.
const LANES: usize = 32;

/// Products of codes are summed in 32 bits: as many as cannot overflow them.
const MAX_CODES_A_SUM: usize = 1 << 16; // 65,536 * 127 * 127 < 2^31

/// Calls the version of a function that suits the processor.
macro_rules! dispatch {
    ($with_avx2:path, $portable:path, $a:expr, $b:expr) => {{
        debug_assert_eq!($a.len(), $b.len());
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just asked; the function asks for no more.
            return unsafe { $with_avx2($a, $b) };
        }
        $portable($a, $b)
    }};
}

/// The scalar product of two vectors of equal length.
#[inline]
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    dispatch!(avx2::dot, portable::dot, a, b)
}

/// The square of the distance of two vectors of equal length.
#[inline]
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    dispatch!(avx2::squared_distance, portable::squared_distance, a, b)
}

/// The scalar product of two rows of codes of equal length, each code in [-127, 127].
#[inline]
pub(super) fn dot_codes(a: &[i8], b: &[i8]) -> f32 {
    if a.len() <= MAX_CODES_A_SUM {
        return dot_codes_chunk(a, b) as f32;
    }
    let chunks = a.chunks(MAX_CODES_A_SUM).zip(b.chunks(MAX_CODES_A_SUM));
    chunks.map(|(a, b)| dot_codes_chunk(a, b) as f32).sum()
}

#[inline]
fn dot_codes_chunk(a: &[i8], b: &[i8]) -> i32 {
    dispatch!(avx2::dot_codes, portable::dot_codes, a, b)
}

/// Asks for the cache lines of a row that will be read soon.
#[inline]
pub(super) fn prefetch(row: &[i8]) {
    #[cfg(target_arch = "x86_64")]
    for line in row.chunks(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch changes nothing that the program could see, and cannot fault; every
        // x86-64 processor has it.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = row;
}

/// Plain loops over lanes, which the compiler vectorises for whatever it compiles them for.
mod portable {
    use super::LANES;

    #[inline(always)]
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |a, b| a * b)
    }

    #[inline(always)]
    pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
        sum(a, b, |a, b| (a - b) * (a - b))
    }

    pub(super) fn dot_codes(a: &[i8], b: &[i8]) -> i32 {
        let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
        products.sum()
    }

    #[inline(always)]
    fn sum(a: &[f32], b: &[f32], term: impl Fn(f32, f32) -> f32) -> f32 {
        let (a_chunks, a_rest) = a.as_chunks::<LANES>();
        let (b_chunks, b_rest) = b.as_chunks::<LANES>();
        let mut sums = [0.0_f32; LANES];
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            for lane in 0..LANES {
                sums[lane] += term(a[lane], b[lane]);
            }
        }
        let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| term(*a, *b)).sum();
        sums.iter().sum::<f32>() + rest
    }
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use std::arch::x86_64::{
        __m256i, _mm256_abs_epi8, _mm256_add_epi32, _mm256_loadu_si256, _mm256_madd_epi16,
        _mm256_maddubs_epi16, _mm256_set1_epi16, _mm256_setzero_si256, _mm256_sign_epi8,
        _mm256_storeu_si256,
    };

    use super::portable;

    /// Codes in an AVX register.
    const WIDTH: usize = 32;

    #[target_feature(enable = "avx2")]
    pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
        portable::dot(a, b)
    }

    #[target_feature(enable = "avx2")]
    pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
        portable::squared_distance(a, b)
    }

    /// By hand, as the compiler takes 8 codes at a time where the processor can take 32.
    #[target_feature(enable = "avx2")]
    pub(super) fn dot_codes(a: &[i8], b: &[i8]) -> i32 {
        let (a_chunks, a_rest) = a.as_chunks::<WIDTH>();
        let (b_chunks, b_rest) = b.as_chunks::<WIDTH>();
        let ones = _mm256_set1_epi16(1);
        let mut sums = _mm256_setzero_si256();
        for (a, b) in a_chunks.iter().zip(b_chunks) {
            let (a, b) = (load(a), load(b));
            // Pairs of |a| * (b with a's sign): at most 2 * 127 * 127, so they fit 16 bits.
            let pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(a), _mm256_sign_epi8(b, a));
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, ones));
        }
        let mut lanes = [0_i32; 8];
        // SAFETY: the array has the register's 32 bytes, and the store needs no alignment.
        unsafe { _mm256_storeu_si256((&raw mut lanes).cast(), sums) };
        lanes.iter().sum::<i32>() + portable::dot_codes(a_rest, b_rest)
    }

    #[target_feature(enable = "avx2")]
    fn load(codes: &[i8; WIDTH]) -> __m256i {
        // SAFETY: the array has the register's 32 bytes, and the load needs no alignment.
        unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_summed_whole() {
        for length in 1..150_u16 {
            let ascending: Vec<f32> = (0..length).map(f32::from).collect();
            let expected: f32 = (0..length).map(f32::from).sum();
            let ones = vec![1.0; usize::from(length)];
            assert_eq!(dot(&ascending, &ones), expected, "{length}");
            let squares: f32 = (0..length).map(|n| f32::from(n).powi(2)).sum();
            let zeros = vec![0.0; usize::from(length)];
            assert_eq!(squared_distance(&zeros, &ascending), squares, "{length}");
            let codes: Vec<i8> = (0..length).map(|n| (n * 7 % 255) as i8).collect();
            let codes: Vec<i8> = codes.iter().map(|code| (*code).max(-127)).collect();
            let sum: i32 = codes.iter().map(|code| i32::from(*code)).sum();
            assert_eq!(dot_codes(&codes, &vec![1; codes.len()]), sum as f32);
            assert_eq!(dot_codes(&vec![-1; codes.len()], &codes), -sum as f32);
        }
    }

    #[test]
    fn the_largest_codes_do_not_overflow_at_any_length() {
        let length = 3 * MAX_CODES_A_SUM;
        let expected = length as f32 * 127.0 * 127.0;
        for sign in [1, -1] {
            let codes = vec![127 * sign; length];
            assert_eq!(dot_codes(&codes, &codes), expected);
        }
    }

    #[test]
    fn a_processor_without_avx2_gets_the_same_bits() {
        let component = |n: u32| (n.wrapping_mul(2_654_435_761) >> 8) as f32 / 8_388_608.0 - 1.0;
        let a: Vec<f32> = (0..383).map(component).collect();
        let b: Vec<f32> = (383..766).map(component).collect();
        assert_eq!(dot(&a, &b), portable::dot(&a, &b));
        assert_eq!(squared_distance(&a, &b), portable::squared_distance(&a, &b));
        let codes =
            |vector: &[f32]| -> Vec<i8> { vector.iter().map(|x| (x * 127.0) as i8).collect() };
        let (a, b) = (codes(&a), codes(&b));
        assert_eq!(dot_codes_chunk(&a, &b), portable::dot_codes(&a, &b));
    }
}
