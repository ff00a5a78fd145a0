//! How long `can_execute` takes, as percentiles, among a thousand requests and among many.
//!
//! ```text
//! cargo run --release -p approval-workflow --example ask -- 1000000
//! ```
//!
//! Questions are timed in batches, in turns of both sizes, each about another request far away in the
//! table. The median of the batches is what a question takes when the machine does nothing else.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use action::{Action, ActionDigest, ActionPath, Timestamp};
use approval_workflow::{ApprovalWorkflow, Durability, NewRequest, PersonId, Policy, RequestId};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const BATCH: usize = 32;
const BATCHES: usize = 200_000 / BATCH;
const FEW: usize = 1_000;

struct Gate {
    workflow: ApprovalWorkflow,
    /// In the order in which they are asked, so that they come from the caller's cache.
    questions: Vec<(RequestId, ActionDigest)>,
    next: usize,
    nanos: Vec<f64>, // a question, one for each batch
    _dir: tempfile::TempDir,
}

fn main() -> Result<(), Box<dyn Error>> {
    let many = std::env::args()
        .nth(1)
        .map_or(Ok(100_000), |text| text.parse())?;
    let mut gates = [filled(FEW)?, filled(many)?];
    for _ in 0..BATCHES {
        for gate in &mut gates {
            gate.ask();
        }
    }
    for gate in &mut gates {
        gate.nanos.sort_by(f64::total_cmp);
        let at = |percent: usize| gate.nanos[(gate.nanos.len() - 1) * percent / 100];
        say(&format!(
            "{} requests: p10 {:.0} ns, p50 {:.0} ns, p90 {:.0} ns",
            gate.questions.len(),
            at(10),
            at(50),
            at(90)
        ));
    }
    Ok(())
}

impl Gate {
    fn ask(&mut self) {
        let (before, from) = self.questions.split_at(self.next);
        let questions = from.iter().chain(before).take(BATCH);
        let watch = Instant::now();
        for (id, digest) in questions {
            let permission = self.workflow.can_execute_digest(black_box(id), digest, NOW);
            assert!(permission.is_allowed());
        }
        self.nanos
            .push(watch.elapsed().as_nanos() as f64 / BATCH as f64);
        self.next = (self.next + BATCH) % self.questions.len();
    }
}

/// A workflow with so many approved requests.
fn filled(requests: usize) -> Result<Gate, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let text = "[[rules]]\npattern = \"**\"\nsensitivity = \"none\"";
    let workflow = ApprovalWorkflow::options()
        .durability(Durability::Buffered)
        .without_snapshots()
        .unchained()
        .open(dir.path(), Policy::from_toml(text)?)?;
    let (path, agent) = (
        ActionPath::new("payments/refund")?,
        PersonId::new("agent-7")?,
    );
    let mut asked = Vec::with_capacity(requests);
    for number in 0..requests {
        let action = Action::new(path.clone(), "Refund").with_parameter("number", number);
        let id = RequestId::new(&format!("request-{number:07}"))?;
        let new = NewRequest::new(action, agent.clone(), NOW).with_id(id.clone());
        asked.push((id, workflow.request(new)?.submission.digest));
    }
    let far = (0..requests).map(|number| &asked[number * 7_919 % requests]);
    let questions = far.map(|(id, digest)| Ok((RequestId::new(id.as_str())?, *digest)));
    Ok(Gate {
        workflow,
        questions: questions.collect::<Result<_, approval_workflow::Error>>()?,
        next: 0,
        nanos: Vec::with_capacity(BATCHES),
        _dir: dir,
    })
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
fn say(text: &str) {
    println!("{text}");
}
