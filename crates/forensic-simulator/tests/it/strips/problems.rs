//! Starts of problems, a generator for each domain.

use std::collections::BTreeSet;

use super::validator::Problem;

type Random<'a> = &'a mut dyn FnMut(usize) -> usize;
type Make = fn(&mut Start, Random<'_>);

/// Each domain: its name, its text, and what makes a start.
pub(crate) const DOMAINS: [(&str, &str, Make); 12] = [
    (
        "blocks",
        include_str!("../../../samples/strips/blocks.pddl"),
        blocks,
    ),
    (
        "briefcase",
        include_str!("../../../samples/strips/briefcase.pddl"),
        briefcase,
    ),
    (
        "depot",
        include_str!("../../../samples/strips/depot.pddl"),
        depot,
    ),
    (
        "ferry",
        include_str!("../../../samples/strips/ferry.pddl"),
        ferry,
    ),
    (
        "gripper",
        include_str!("../../../samples/strips/gripper.pddl"),
        gripper,
    ),
    (
        "hanoi",
        include_str!("../../../samples/strips/hanoi.pddl"),
        hanoi,
    ),
    (
        "logistics",
        include_str!("../../../samples/strips/logistics.pddl"),
        logistics,
    ),
    (
        "miconic",
        include_str!("../../../samples/strips/miconic.pddl"),
        miconic,
    ),
    (
        "rover",
        include_str!("../../../samples/strips/rover.pddl"),
        rover,
    ),
    (
        "satellite",
        include_str!("../../../samples/strips/satellite.pddl"),
        satellite,
    ),
    (
        "sokoban",
        include_str!("../../../samples/strips/sokoban.pddl"),
        sokoban,
    ),
    (
        "visitall",
        include_str!("../../../samples/strips/visitall.pddl"),
        visitall,
    ),
];

#[derive(Default)]
pub(crate) struct Start {
    objects: Vec<(String, String)>,
    state: BTreeSet<Vec<String>>,
}

impl Start {
    pub(crate) fn problem(self) -> Problem {
        Problem {
            objects: self.objects,
            state: self.state,
            goal: Vec::new(),
        }
    }

    fn some(&mut self, kind: &str, count: usize) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|n| format!("{kind}{n}")).collect();
        let objects = names.iter().map(|name| (name.clone(), kind.to_owned()));
        self.objects.extend(objects);
        names
    }

    fn fact(&mut self, words: &str) {
        let words = words.split(' ').map(str::to_owned).collect();
        self.state.insert(words);
    }
}

fn blocks(start: &mut Start, random: Random<'_>) {
    let count = 3 + random(3);
    let blocks = start.some("block", count);
    start.fact("handempty");
    for (index, block) in blocks.iter().enumerate() {
        let free: Vec<_> = blocks[..index]
            .iter()
            .filter(|below| {
                start
                    .state
                    .contains(&vec!["clear".to_owned(), (*below).clone()])
            })
            .cloned()
            .collect();
        match free.get(random(free.len() + 1)) {
            Some(below) => {
                start.state.remove(&vec!["clear".to_owned(), below.clone()]);
                start.fact(&format!("on {block} {below}"));
            }
            None => start.fact(&format!("ontable {block}")),
        }
        start.fact(&format!("clear {block}"));
    }
}

fn briefcase(start: &mut Start, random: Random<'_>) {
    let places = start.some("place", 3);
    start.fact(&format!("case-at {}", places[random(3)]));
    for item in start.some("item", 3) {
        start.fact(&format!("at {item} {}", places[random(3)]));
    }
}

fn depot(start: &mut Start, random: Random<'_>) {
    let places = start.some("place", 3);
    for (name, place) in start.some("hoist", 3).iter().zip(&places) {
        start.fact(&format!("at-hoist {name} {place}"));
        start.fact(&format!("available {name}"));
    }
    let truck = start.some("truck", 1).remove(0);
    start.fact(&format!("at-truck {truck} {}", places[random(3)]));
    let mut tops = start.some("pallet", 3);
    for (pallet, place) in tops.iter().zip(&places) {
        start.fact(&format!("at-surface {pallet} {place}"));
    }
    for item in start.some("crate", 3) {
        let at = random(3);
        start.fact(&format!("on {item} {}", tops[at]));
        start.fact(&format!("at-surface {item} {}", places[at]));
        tops[at] = item;
    }
    for top in tops {
        start.fact(&format!("clear {top}"));
    }
}

fn ferry(start: &mut Start, random: Random<'_>) {
    let ports = start.some("port", 3);
    start.fact("empty-ferry");
    start.fact(&format!("at-ferry {}", ports[random(3)]));
    for car in start.some("car", 3) {
        start.fact(&format!("at {car} {}", ports[random(3)]));
    }
}

fn gripper(start: &mut Start, random: Random<'_>) {
    let rooms = start.some("room", 3);
    start.fact(&format!("at-robby {}", rooms[random(3)]));
    for gripper in start.some("gripper", 2) {
        start.fact(&format!("free {gripper}"));
    }
    for ball in start.some("ball", 4) {
        start.fact(&format!("at {ball} {}", rooms[random(3)]));
    }
}

fn hanoi(start: &mut Start, random: Random<'_>) {
    let discs = 2 + random(3);
    let mut pegs: Vec<_> = (0..3).map(|n| format!("peg{n}")).collect();
    let names: Vec<_> = (0..discs).map(|n| format!("disc{n}")).collect();
    for name in pegs.iter().chain(&names) {
        start.objects.push((name.clone(), "object".to_owned()));
    }
    for (index, disc) in names.iter().enumerate() {
        for larger in pegs.iter().chain(&names[index + 1..]) {
            start.fact(&format!("smaller {disc} {larger}"));
        }
    }
    // The largest disc first, each onto one of the pegs' tops.
    for disc in names.iter().rev() {
        let at = random(3);
        start.fact(&format!("on {disc} {}", pegs[at]));
        pegs[at].clone_from(disc);
    }
    for top in pegs {
        start.fact(&format!("clear {top}"));
    }
}

fn logistics(start: &mut Start, random: Random<'_>) {
    let cities = start.some("city", 2);
    let airports = start.some("airport", 2);
    let depots = start.some("depot", 2);
    let places = [airports.clone(), depots].concat();
    for (index, place) in places.iter().enumerate() {
        start.fact(&format!("in-city {place} {}", cities[index % 2]));
    }
    for truck in start.some("truck", 2) {
        start.fact(&format!("at {truck} {}", places[random(4)]));
    }
    let plane = start.some("airplane", 1).remove(0);
    start.fact(&format!("at {plane} {}", airports[random(2)]));
    for package in start.some("package", 3) {
        start.fact(&format!("at {package} {}", places[random(4)]));
    }
}

fn miconic(start: &mut Start, random: Random<'_>) {
    let floors = start.some("floor", 4);
    for (low, floor) in floors.iter().enumerate() {
        for higher in &floors[low + 1..] {
            start.fact(&format!("above {floor} {higher}"));
        }
    }
    start.fact(&format!("lift-at {}", floors[random(4)]));
    for passenger in start.some("passenger", 3) {
        start.fact(&format!("origin {passenger} {}", floors[random(4)]));
        start.fact(&format!("destin {passenger} {}", floors[random(4)]));
    }
}

fn rover(start: &mut Start, random: Random<'_>) {
    let waypoints = start.some("waypoint", 4);
    let rovers = start.some("rover", 2);
    let stores = start.some("store", 2);
    for (index, waypoint) in waypoints.iter().enumerate() {
        for other in [(index + 1) % 4, (index + 3) % 4] {
            start.fact(&format!("visible {waypoint} {}", waypoints[other]));
            // The first one goes round, so that there is always something to do.
            let onwards = other == (index + 1) % 4;
            let rover = &rovers[if onwards { 0 } else { random(2) }];
            start.fact(&format!("can-go {rover} {waypoint} {}", waypoints[other]));
        }
        if random(3) > 0 {
            start.fact(&format!("soil {waypoint}"));
        }
    }
    start.fact(&format!("lander {}", waypoints[random(4)]));
    for (rover, store) in rovers.iter().zip(stores) {
        start.fact(&format!("at {rover} {}", waypoints[random(4)]));
        start.fact(&format!("store-of {store} {rover}"));
        start.fact(&format!("empty {store}"));
    }
}

fn satellite(start: &mut Start, random: Random<'_>) {
    let satellites = start.some("satellite", 2);
    let directions = start.some("direction", 3);
    let modes = start.some("mode", 2);
    for satellite in &satellites {
        start.fact(&format!("power-avail {satellite}"));
        start.fact(&format!("pointing {satellite} {}", directions[random(3)]));
    }
    for instrument in start.some("instrument", 3) {
        start.fact(&format!("on-board {instrument} {}", satellites[random(2)]));
        start.fact(&format!("supports {instrument} {}", modes[random(2)]));
        start.fact(&format!(
            "calibration-target {instrument} {}",
            directions[random(3)]
        ));
    }
}

/// The cells of a grid of three by three, with their neighbours to the right and below.
fn grid(start: &mut Start) -> (Vec<String>, Vec<(String, String, bool)>) {
    let cells = start.some("cell", 9);
    let mut neighbours = Vec::new();
    for (index, cell) in cells.iter().enumerate() {
        if index % 3 < 2 {
            neighbours.push((cell.clone(), cells[index + 1].clone(), true));
        }
        if index < 6 {
            neighbours.push((cell.clone(), cells[index + 3].clone(), false));
        }
    }
    (cells, neighbours)
}

fn sokoban(start: &mut Start, random: Random<'_>) {
    let (cells, neighbours) = grid(start);
    let ways = start.some("way", 4);
    for (one, other, across) in neighbours {
        let (there, back) = if across { (0, 1) } else { (2, 3) };
        start.fact(&format!("next {one} {other} {}", ways[there]));
        start.fact(&format!("next {other} {one} {}", ways[back]));
    }
    let first = random(9);
    start.fact(&format!("player {}", cells[first]));
    let mut taken = vec![first];
    for stone in start.some("stone", 2) {
        let at = (0..9)
            .cycle()
            .skip(random(9))
            .find(|at| !taken.contains(at));
        taken.extend(at);
        start.fact(&format!(
            "stone-at {stone} {}",
            cells[taken[taken.len() - 1]]
        ));
    }
    for (index, cell) in cells.iter().enumerate() {
        if !taken.contains(&index) {
            start.fact(&format!("free {cell}"));
        }
    }
}

fn visitall(start: &mut Start, random: Random<'_>) {
    let (cells, neighbours) = grid(start);
    for (one, other, _) in neighbours {
        start.fact(&format!("next {one} {other}"));
        start.fact(&format!("next {other} {one}"));
    }
    start.fact(&format!("robot {}", cells[random(9)]));
}
