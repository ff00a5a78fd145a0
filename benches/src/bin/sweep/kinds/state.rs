//! An agent's state over its size.

use memory_store::{AgentRun, Expected as Before, MemoryStore, Namespace, Timestamp};

use super::{Kind, MICROSECONDS, Measure, median, text, timed};
use crate::fit::Expected;

const TURNS: u64 = 40;

pub(super) const KIND: Kind = Kind {
    name: "state",
    varied: "bytes of state",
    sizes: &[1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000],
    measures: &[
        Measure::new(
            "write it, 1 % changed, durable, median",
            MICROSECONDS,
            Expected::Linear,
        ),
        Measure::new("read it, median", MICROSECONDS, Expected::Linear),
        Measure::new(
            "checkpoint, durable, median",
            MICROSECONDS,
            Expected::LessThanLinear,
        ),
    ],
    measure: |dir, bytes| {
        let store = MemoryStore::open(dir).map_err(text)?;
        let namespace = Namespace::new("sweep").map_err(text)?;
        let run = AgentRun::new(namespace, "agent", "run").map_err(text)?;
        let mut state: Vec<u8> = (0..bytes)
            .map(|place| (place * place % 251) as u8)
            .collect();
        let (mut writes, mut reads, mut checkpoints) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..TURNS {
            let part = (bytes / 100).max(1);
            let from = (turn * part % bytes) as usize;
            let until = (from + part as usize).min(state.len());
            for byte in &mut state[from..until] {
                *byte = byte.wrapping_add(1);
            }
            let write = || store.put_state(&run, "state", state.clone(), Before::Anything);
            writes.push(timed(|| write().map_err(text))?.1);
            let (found, time) = timed(|| store.state(&run, "state").map_err(text))?;
            if found.is_none_or(|found| found.value != state) {
                return Err("the state is not the one that was written".to_owned());
            }
            reads.push(time);
            let at = Timestamp::from_millis(1_700_000_000_000 + turn as i64);
            let checkpoint = || store.checkpoint(&run, format!("turn {turn}"), at);
            checkpoints.push(timed(|| checkpoint().map_err(text))?.1);
        }
        store.close().map_err(text)?;
        Ok(vec![median(writes), median(reads), median(checkpoints)])
    },
    planted: false,
};
