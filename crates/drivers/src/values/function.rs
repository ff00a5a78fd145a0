//! The functions of a placeholder: `int`, `zipf`, `text`, `uuid`, `pick`, `schema` and `now`.

use std::f64;

use super::random::Random;
use super::{Slot, Traits, Values};
use crate::names;
use crate::values::Value;

/// A function in a placeholder, with its arguments.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// `int(a, b)`: a whole number from `a` to `b`, each as likely.
    Int(i64, i64),
    /// `zipf(a, b)`: a whole number from `a` to `b`, the first most often.
    Zipf(Zipf),
    /// `text(n)`: `n` printable ASCII characters.
    Text(u32),
    /// `uuid()`: a random UUID (RFC 9562, version 4).
    Uuid,
    /// `pick('a', 'b')`: one of the texts.
    Pick(Box<[Box<str>]>),
    /// `schema()`: arguments that a tool's `inputSchema` allows. The value is the seed they are made
    /// from.
    Schema,
    /// `now()`: the time, in RFC 3339.
    Now,
}

/// One argument of a function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    Number(i64),
    Text(Box<str>),
}

/// The most characters that `text` makes: it stands in memory for every user.
const LONGEST_TEXT: i64 = 16 << 20;

/// The functions that there are, by name.
const NAMES: [&str; 7] = ["int", "now", "pick", "schema", "text", "uuid", "zipf"];

impl Function {
    /// A function by its name. The error tells which name or which arguments were meant.
    pub(crate) fn new(name: &str, arguments: &[Argument]) -> Result<Self, String> {
        use Argument::{Number, Text};
        match (name, arguments) {
            ("int", [Number(from), Number(to)]) => {
                ordered(name, *from, *to).map(|()| Self::Int(*from, *to))
            }
            ("int", _) => Err("`int` takes two whole numbers, such as int(1, 5)".into()),
            ("zipf", [Number(from), Number(to)]) => {
                ordered(name, *from, *to).map(|()| Self::Zipf(Zipf::new(*from, *to)))
            }
            ("zipf", _) => Err("`zipf` takes two whole numbers, such as zipf(1, 10000)".into()),
            ("text", [Number(length)]) if (0..=LONGEST_TEXT).contains(length) => {
                Ok(Self::Text(*length as u32))
            }
            ("text", _) => {
                Err("`text` takes one whole number up to 16777216, such as text(64)".into())
            }
            ("uuid", []) => Ok(Self::Uuid),
            ("schema", []) => Ok(Self::Schema),
            ("now", []) => Ok(Self::Now),
            ("uuid" | "schema" | "now", _) => {
                Err(format!("`{name}` takes nothing: write {name}()"))
            }
            ("pick", []) => Err("`pick` takes texts, such as pick('a', 'b')".into()),
            ("pick", choices) => choices
                .iter()
                .map(|choice| match choice {
                    Text(text) => Ok(text.clone()),
                    Number(_) => Err("`pick` takes texts, such as pick('a', 'b')".into()),
                })
                .collect::<Result<_, String>>()
                .map(Self::Pick),
            _ => Err(names::unknown("function", name, "", NAMES)),
        }
    }

    pub(crate) fn traits(&self) -> Traits {
        match self {
            Self::Uuid => Traits::NAMES_RUN | Traits::VARIES,
            _ => Traits::VARIES,
        }
    }

    /// Draws a value. `now_us` tells the time in microseconds since 1970.
    pub(crate) fn draw(
        &self,
        slot: Slot,
        values: &mut Values,
        random: &mut Random,
        now_us: fn() -> i64,
    ) {
        match self {
            Self::Int(from, to) => {
                values.set(slot, Value::Int(uniform(*from, *to, random)));
            }
            Self::Zipf(zipf) => values.set(slot, Value::Int(zipf.draw(random))),
            Self::Text(length) => {
                values.set_with(slot, |out| printable(*length as usize, random, out));
            }
            Self::Uuid => values.set_with(slot, |out| uuid(random, out)),
            Self::Pick(choices) => {
                let choice = &choices[random.below(choices.len() as u64) as usize];
                values.set(slot, Value::Text(choice.as_bytes()));
            }
            Self::Schema => values.set(slot, Value::Int(random.bits() as i64)),
            Self::Now => values.set_with(slot, |out| rfc3339(now_us(), out)),
        }
    }
}

fn ordered(name: &str, from: i64, to: i64) -> Result<(), String> {
    match from <= to {
        true => Ok(()),
        false => Err(format!(
            "`{name}` takes the smaller number first: {name}({to}, {from})"
        )),
    }
}

fn uniform(from: i64, to: i64, random: &mut Random) -> i64 {
    // The width of the whole range of 64 bits is 2⁶⁴, which is no u64: then any bits will do.
    let width = to.wrapping_sub(from) as u64;
    let above = match width.checked_add(1) {
        Some(count) => random.below(count),
        None => random.bits(),
    };
    from.wrapping_add(above as i64)
}

/// Eight characters of each 64 random bits: of 256 values of a byte, the 95 characters get two or
/// three each, which is as even as eight bits can be.
fn printable(length: usize, random: &mut Random, out: &mut Vec<u8>) {
    out.reserve(length);
    let mut left = length;
    while left > 0 {
        let bytes = random.bits().to_le_bytes();
        let chars = bytes.map(|byte| b' ' + ((u16::from(byte) * 95) >> 8) as u8);
        let taken = left.min(8);
        out.extend_from_slice(&chars[..taken]);
        left -= taken;
    }
}

fn uuid(random: &mut Random, out: &mut Vec<u8>) {
    let mut bytes = (u128::from(random.bits()) << 64 | u128::from(random.bits())).to_be_bytes();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    for (i, byte) in bytes.iter().enumerate() {
        if matches!(i, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        let hex = b"0123456789abcdef";
        out.extend_from_slice(&[hex[usize::from(byte >> 4)], hex[usize::from(byte & 15)]]);
    }
}

fn rfc3339(now_us: i64, out: &mut Vec<u8>) {
    use std::io::Write as _;
    let now = jiff::Timestamp::from_microsecond(now_us).unwrap_or_default();
    write!(out, "{now:.6}").expect("a Vec takes every write");
}

/// A Zipf distribution with exponent 0.99, YCSB's, sampled by rejection-inversion (W. Hörmann and
/// G. Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions",
/// 1996): nothing is added up beforehand, however wide the range.
#[derive(Clone, Debug, PartialEq)]
pub struct Zipf {
    first: i64,
    count: u64,
    /// The integrals of the density at the ends of the range, and the bound for quick acceptance.
    at_first: f64,
    at_last: f64,
    quick: f64,
}

const EXPONENT: f64 = 0.99;

impl Zipf {
    fn new(from: i64, to: i64) -> Self {
        let count = (to.wrapping_sub(from) as u64).saturating_add(1);
        Self {
            first: from,
            count,
            at_first: integral(1.5) - 1.0,
            at_last: integral(count as f64 + 0.5),
            quick: 2.0 - inverse(integral(2.5) - density(2.0)),
        }
    }

    fn draw(&self, random: &mut Random) -> i64 {
        loop {
            let area = self.at_last + random.unit() * (self.at_first - self.at_last);
            let exact = inverse(area);
            let rank = (exact + 0.5).clamp(1.0, self.count as f64).floor();
            if rank - exact <= self.quick || area >= integral(rank + 0.5) - density(rank) {
                return self.first.wrapping_add((rank as u64 - 1) as i64);
            }
        }
    }
}

fn density(x: f64) -> f64 {
    (-EXPONENT * x.ln()).exp()
}

fn integral(x: f64) -> f64 {
    let log = x.ln();
    let scaled = (1.0 - EXPONENT) * log;
    scaled.exp_m1() / scaled_or_one(scaled) * log
}

fn inverse(area: f64) -> f64 {
    let scaled = (area * (1.0 - EXPONENT)).max(-1.0);
    (scaled.ln_1p() / scaled_or_one(scaled) * area).exp()
}

/// Both quotients tend to 1 at 0, where numerator and denominator are 0; then the factor does not count,
/// since it is multiplied by a logarithm or an area of 0.
fn scaled_or_one(scaled: f64) -> f64 {
    if scaled == 0.0 { 1.0 } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(function: &Function, place: u64) -> String {
        let mut values = Values::default();
        function.draw(Slot::ID, &mut values, &mut Random::of(&[place]), || {
            1_764_363_559_123_456
        });
        let text = values.get(Slot::ID).unwrap().text().unwrap().into_owned();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn every_function_draws_what_it_says() {
        for place in 0..1000 {
            let int: i64 = drawn(&Function::Int(-2, 2), place).parse().unwrap();
            assert!((-2..=2).contains(&int));
            let zipf = Function::Zipf(Zipf::new(10, 12));
            assert!((10..=12).contains(&drawn(&zipf, place).parse::<i64>().unwrap()));
            let text = drawn(&Function::Text(13), place);
            assert_eq!(text.len(), 13);
            assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            let uuid = drawn(&Function::Uuid, place);
            assert_eq!(uuid.len(), 36);
            assert_eq!(&uuid[14..15], "4");
            assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"));
        }
        assert_eq!(drawn(&Function::Now, 0), "2025-11-28T20:59:19.123456Z");
        assert_eq!(drawn(&Function::Text(0), 0), "");
        let pick = Function::Pick(["a".into(), "b".into()].into());
        let picked: Vec<String> = (0..100).map(|place| drawn(&pick, place)).collect();
        assert!(picked.contains(&"a".to_owned()) && picked.contains(&"b".to_owned()));
    }

    #[test]
    fn all_characters_of_a_text_come() {
        let text = drawn(&Function::Text(10_000), 1);
        let mut seen: Vec<u8> = text.bytes().collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 95);
    }

    #[test]
    fn the_widest_ranges_do_not_overflow() {
        for place in 0..100 {
            drawn(&Function::Int(i64::MIN, i64::MAX), place);
            drawn(&Function::Zipf(Zipf::new(i64::MIN, i64::MAX)), place);
            assert_eq!(drawn(&Function::Zipf(Zipf::new(5, 5)), place), "5");
        }
    }

    #[test]
    fn a_zipf_draw_is_as_frequent_as_the_law_says() {
        let zipf = Zipf::new(1, 1000);
        let mut random = Random::of(&[7]);
        let draws = 200_000;
        let mut counts = vec![0_u32; 1001];
        for _ in 0..draws {
            counts[zipf.draw(&mut random) as usize] += 1;
        }
        let total: f64 = (1..=1000).map(|k| f64::from(k).powf(-EXPONENT)).sum();
        for rank in [1_u32, 2, 3, 10, 100] {
            let expected = f64::from(draws) * f64::from(rank).powf(-EXPONENT) / total;
            let found = f64::from(counts[rank as usize]);
            // Five standard deviations of a Poisson count.
            assert!(
                (found - expected).abs() < 5.0 * expected.sqrt(),
                "{rank}: {found} of {expected}"
            );
        }
    }

    #[test]
    fn wrong_names_and_arguments_are_told() {
        let told = |name, arguments: &[Argument]| Function::new(name, arguments).unwrap_err();
        assert_eq!(
            told("zip", &[]),
            "there is no function `zip`, there is `int`, `now`, `pick`, `schema`, `text`, `uuid`, \
             `zipf`; did you mean `zipf`?"
        );
        let one = [Argument::Number(1)];
        assert_eq!(
            told("zipf", &one),
            "`zipf` takes two whole numbers, such as zipf(1, 10000)"
        );
        assert_eq!(
            told("int", &one),
            "`int` takes two whole numbers, such as int(1, 5)"
        );
        let falling = [Argument::Number(5), Argument::Number(1)];
        assert_eq!(
            told("int", &falling),
            "`int` takes the smaller number first: int(1, 5)"
        );
        assert_eq!(
            told("text", &[Argument::Number(-1)]),
            "`text` takes one whole number up to 16777216, such as text(64)"
        );
        assert_eq!(told("uuid", &one), "`uuid` takes nothing: write uuid()");
        assert_eq!(
            told("pick", &one),
            "`pick` takes texts, such as pick('a', 'b')"
        );
        assert_eq!(
            told("pick", &[]),
            "`pick` takes texts, such as pick('a', 'b')"
        );
    }
}
