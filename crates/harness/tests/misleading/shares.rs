//! `error_rate < 5` was taken for 500 %.

use harness::{Overrides, ScenarioFile};

fn mistake(threshold: &str) -> String {
    let text = format!(
        "name = \"x\"\nthresholds = ['{threshold}']\ntarget.kind = \"agents\"\n\
         model = {{ users = 1, iterations = 1 }}\n"
    );
    let parsed = ScenarioFile::parse("x.toml", &text, &Overrides::default());
    parsed.unwrap_err().to_string()
}

#[test]
fn shares_above_one_are_refused() {
    let told = mistake("error_rate < 5");
    assert!(told.ends_with("above 100 %; did you mean 5 %?"), "{told}");
    assert!(told.starts_with("x.toml:2:"), "{told}");
    assert!(mistake("error_rate < 150%").contains("above 100 %"));
}
