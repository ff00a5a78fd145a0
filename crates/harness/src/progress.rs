use load_engine::{Plan, Progress as RunProgress, Threshold};

use report::ScenarioResult;

/// Who is told while a suite runs, from the thread that runs it.
pub trait Progress {
    /// A scenario begins.
    fn scenario_began(&mut self, name: &str, load: &str) {
        let _ = (name, load);
    }

    /// What the next scenario's load will be held to, if it brings thresholds of its own.
    fn will_be_judged(&mut self, thresholds: &[Threshold]) {
        let _ = thresholds;
    }

    /// A load is about to begin.
    fn load_planned(&mut self, plan: &Plan) {
        let _ = plan;
    }

    /// Whether to bring the [record so far](load_engine::Progress::record), which costs the thread
    /// that runs the suite a few milliseconds each second.
    fn wants_record(&self) -> bool {
        false
    }

    /// A load is under way; called about ten times a second.
    fn load_goes_on(&mut self, name: &str, progress: &RunProgress) {
        let _ = (name, progress);
    }

    /// The load is over, and what it left behind is being read again.
    fn verification_began(&mut self, name: &str) {
        let _ = name;
    }

    /// A scenario is over.
    fn scenario_ended(&mut self, result: &ScenarioResult) {
        let _ = result;
    }

    /// Whether to end the suite with what it has. Asked as often as the load goes on.
    fn is_interrupted(&self) -> bool {
        false
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {}
