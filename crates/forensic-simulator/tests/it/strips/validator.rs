//! A validator of STRIPS plans that shares nothing with the crate: its own reader, and a state that
//! is a set of lists of words.

use std::collections::{BTreeMap, BTreeSet};

pub(crate) type Fact = Vec<String>;

pub(crate) struct Domain {
    above: BTreeMap<String, String>,
    pub(crate) actions: Vec<Action>,
}

pub(crate) struct Action {
    pub(crate) name: String,
    parameters: Vec<(String, String)>,
    needs: Vec<(bool, Fact)>,
    does: Vec<(bool, Fact)>,
}

#[derive(Clone)]
pub(crate) struct Problem {
    pub(crate) objects: Vec<(String, String)>,
    pub(crate) state: BTreeSet<Fact>,
    pub(crate) goal: Vec<Fact>,
}

pub(crate) type Call = Vec<String>; // the action, then the objects

enum Node {
    Leaf(String),
    Branch(Vec<Node>),
}

impl Node {
    fn leaf(&self) -> String {
        match self {
            Self::Leaf(word) => word.clone(),
            Self::Branch(_) => panic!("a word was expected"),
        }
    }

    fn branch(&self) -> &[Self] {
        match self {
            Self::Branch(nodes) => nodes,
            Self::Leaf(word) => panic!("a list was expected, not {word}"),
        }
    }
}

fn read(text: &str) -> Node {
    let text: String = text
        .lines()
        .map(|line| line.split(';').next().unwrap().to_owned() + "\n")
        .collect();
    let spaced = text.replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace();
    assert_eq!(words.next(), Some("("));
    list(&mut words)
}

fn list<'a>(words: &mut impl Iterator<Item = &'a str>) -> Node {
    let mut nodes = Vec::new();
    loop {
        match words.next().expect("a closing parenthesis") {
            "(" => nodes.push(list(words)),
            ")" => return Node::Branch(nodes),
            word => nodes.push(Node::Leaf(word.to_owned())),
        }
    }
}

fn typed(nodes: &[Node]) -> Vec<(String, String)> {
    let words: Vec<_> = nodes.iter().map(Node::leaf).collect();
    let mut pairs = Vec::new();
    let mut open = Vec::new();
    let mut index = 0;
    while index < words.len() {
        if words[index] == "-" {
            pairs.extend(open.drain(..).map(|name| (name, words[index + 1].clone())));
            index += 2;
        } else {
            open.push(words[index].clone());
            index += 1;
        }
    }
    pairs.extend(open.into_iter().map(|name| (name, "object".to_owned())));
    pairs
}

fn literals(node: &Node) -> Vec<(bool, Fact)> {
    let nodes = node.branch();
    match &nodes[0] {
        Node::Leaf(word) if word == "and" => nodes[1..].iter().flat_map(literals).collect(),
        Node::Leaf(word) if word == "not" => {
            let inner = literals(&nodes[1]);
            inner
                .into_iter()
                .map(|(holds, fact)| (!holds, fact))
                .collect()
        }
        _ => vec![(true, nodes.iter().map(Node::leaf).collect())],
    }
}

impl Domain {
    pub(crate) fn read(text: &str) -> Self {
        let (mut above, mut actions) = (BTreeMap::new(), Vec::new());
        for part in &read(text).branch()[2..] {
            let part = part.branch();
            match part[0].leaf().as_str() {
                ":types" => above.extend(typed(&part[1..])),
                ":action" => actions.push(Action {
                    name: part[1].leaf(),
                    parameters: typed(part[3].branch()),
                    needs: literals(&part[5]),
                    does: literals(&part[7]),
                }),
                _ => {}
            }
        }
        Self { above, actions }
    }

    fn is_a(&self, kind: &str, wanted: &str) -> bool {
        let mut kind = kind;
        while kind != wanted {
            match self.above.get(kind) {
                Some(next) => kind = next,
                None => return wanted == "object",
            }
        }
        true
    }

    /// The step at which a plan goes wrong, or its length if only the goal is not reached.
    pub(crate) fn first_fault(&self, problem: &Problem, plan: &[Call]) -> Option<usize> {
        let mut state = problem.state.clone();
        for (index, call) in plan.iter().enumerate() {
            match self.apply(problem, &state, call) {
                Some(next) => state = next,
                None => return Some(index),
            }
        }
        let reached = problem.goal.iter().all(|fact| state.contains(fact));
        (!reached).then_some(plan.len())
    }

    pub(crate) fn apply(
        &self,
        problem: &Problem,
        state: &BTreeSet<Fact>,
        call: &[String],
    ) -> Option<BTreeSet<Fact>> {
        let action = self.actions.iter().find(|action| action.name == call[0])?;
        if action.parameters.len() != call.len() - 1 {
            return None;
        }
        let mut bound = BTreeMap::new();
        for ((name, wanted), object) in action.parameters.iter().zip(&call[1..]) {
            let kinds = problem.objects.iter();
            let mut kinds = kinds.filter(|(known, _)| known == object);
            if !kinds.any(|(_, kind)| self.is_a(kind, wanted)) {
                return None;
            }
            bound.insert(name.clone(), object.clone());
        }
        let ground = |fact: &Fact| -> Fact {
            let words = fact.iter();
            words
                .map(|word| bound.get(word).unwrap_or(word).clone())
                .collect()
        };
        let holds = |(wanted, fact): &(bool, Fact)| state.contains(&ground(fact)) == *wanted;
        if !action.needs.iter().all(holds) {
            return None;
        }
        let mut next = state.clone();
        for (_, fact) in action.does.iter().filter(|(adds, _)| !adds) {
            next.remove(&ground(fact));
        }
        let added = action.does.iter().filter(|(adds, _)| *adds);
        next.extend(added.map(|(_, fact)| ground(fact)));
        Some(next)
    }

    /// A call with objects of the right types, which may well be impossible.
    pub(crate) fn any_call(
        &self,
        problem: &Problem,
        random: &mut impl FnMut(usize) -> usize,
    ) -> Call {
        let action = &self.actions[random(self.actions.len())];
        let mut call = vec![action.name.clone()];
        for (_, wanted) in &action.parameters {
            let fitting: Vec<_> = problem
                .objects
                .iter()
                .filter(|(_, kind)| self.is_a(kind, wanted))
                .collect();
            call.push(fitting[random(fitting.len())].0.clone());
        }
        call
    }

    /// A plan that works: a random walk, whose end gives the goal.
    pub(crate) fn walk(
        &self,
        problem: &mut Problem,
        steps: usize,
        random: &mut impl FnMut(usize) -> usize,
    ) -> Vec<Call> {
        const TRIES: usize = 20_000;
        let mut plan = Vec::new();
        let mut state = problem.state.clone();
        for _ in 0..TRIES {
            if plan.len() == steps {
                break;
            }
            let call = self.any_call(problem, random);
            if let Some(next) = self
                .apply(problem, &state, &call)
                .filter(|next| *next != state)
            {
                plan.push(call);
                state = next;
            }
        }
        let new: Vec<_> = state.difference(&problem.state).cloned().collect();
        problem.goal = new.into_iter().filter(|_| random(3) > 0).collect();
        plan
    }
}

impl Problem {
    /// As PDDL.
    pub(crate) fn text(&self, domain: &str) -> String {
        let line = |fact: &Fact| format!("({})", fact.join(" "));
        let objects: Vec<_> = self
            .objects
            .iter()
            .map(|(name, kind)| format!("{name} - {kind}"))
            .collect();
        let state: Vec<_> = self.state.iter().map(line).collect();
        let goal: Vec<_> = self.goal.iter().map(line).collect();
        format!(
            "(define (problem p) (:domain {domain})\n(:objects {})\n(:init {})\n(:goal (and {})))",
            objects.join(" "),
            state.join(" "),
            goal.join(" ")
        )
    }
}
