//! A seed above 2⁶³ was taken by the record and by no way to set it again, so that a run could not be repeated.

use harness::{Overrides, ScenarioFile};

const HIGHEST: &str = "18446744073709551615";

fn seed(text: &str, overrides: &Overrides) -> u64 {
    let text = format!(
        "{text}name = \"x\"\ntarget.kind = \"agents\"\nmodel = {{ users = 1, iterations = 1 }}\n"
    );
    let file = ScenarioFile::parse("x.toml", &text, overrides).unwrap();
    file.plan().seed
}

#[test]
fn every_seed_can_be_set_by_the_file_a_setting_and_a_flag() {
    let by_file = seed(&format!("seed = {HIGHEST}\n"), &Overrides::default());
    let by_setting = seed("", &Overrides::set(&[format!("seed={HIGHEST}")]));
    let flag = Overrides {
        seed: Some(u64::MAX),
        ..Overrides::default()
    };
    assert_eq!(
        [by_file, by_setting, seed("", &flag)],
        [u64::MAX, u64::MAX, u64::MAX]
    );
    assert_eq!(flag.to_arguments(), format!(" --seed {HIGHEST}"));
}
