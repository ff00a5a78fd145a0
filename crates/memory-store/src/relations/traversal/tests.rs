use action::Timestamp;

use super::*;
use crate::model::edge::Edge;
use crate::model::names::Namespace;

fn id(id: u64) -> MemoryId {
    MemoryId::new(id).unwrap()
}

fn graph(edges: &[(u64, &str, u64, f64)]) -> Graph {
    let mut graph = Graph::default();
    for (source, relation, target, weight) in edges {
        let relation = Relation::new(relation).unwrap();
        let namespace = Namespace::new("n").unwrap();
        let edge = Edge::new(
            namespace,
            id(*source),
            relation,
            id(*target),
            Timestamp::default(),
        );
        graph.insert(&edge.weight(*weight));
    }
    graph
}

/// One line a visit: the path and its strength.
fn render(graph: &Graph, traversal: &Traversal) -> String {
    let line = |visit: &Visit| {
        let path: Vec<String> = visit.path.iter().map(ToString::to_string).collect();
        format!("{} ({})", path.join(">"), visit.strength)
    };
    run(graph, traversal, usize::MAX, |_| true)
        .unwrap()
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join(", ")
}

fn hops(hops: u32) -> NonZeroU32 {
    NonZeroU32::new(hops).unwrap()
}

#[test]
fn the_strongest_of_the_shortest_paths_is_told() {
    let graph = graph(&[
        (1, "r", 2, 0.5),
        (1, "r", 3, 0.9),
        (2, "r", 4, 1.0),
        (3, "r", 4, 0.8),
    ]);
    let walk = Traversal::new(id(1)).hops(hops(2));
    assert_eq!(
        render(&graph, &walk),
        "1>3 (0.9), 1>2 (0.5), 1>3>4 (0.7200000000000001)"
    );
}

#[test]
fn a_cycle_is_walked_once() {
    let graph = graph(&[
        (1, "r", 2, 1.0),
        (2, "r", 3, 1.0),
        (3, "r", 1, 1.0),
        (2, "r", 2, 1.0),
    ]);
    let walk = Traversal::new(id(1)).hops(hops(9));
    assert_eq!(render(&graph, &walk), "1>2 (1), 1>2>3 (1)");
}

#[test]
fn only_the_relation_and_the_direction_asked_for_are_followed() {
    let graph = graph(&[(1, "a", 2, 1.0), (1, "b", 3, 1.0), (4, "a", 1, 1.0)]);
    let relation = |name| Relation::new(name).unwrap();
    let walk = Traversal::new(id(1));
    assert_eq!(
        render(&graph, &walk.clone().relation(relation("a"))),
        "1>2 (1)"
    );
    assert_eq!(render(&graph, &walk.clone().relation(relation("c"))), "");
    assert_eq!(
        render(&graph, &walk.clone().direction(Direction::Incoming)),
        "1>4 (1)"
    );
    assert_eq!(
        render(&graph, &walk.clone().direction(Direction::Both).limit(2)),
        "1>2 (1), 1>3 (1)"
    );
}

#[test]
fn a_walk_as_of_a_moment_follows_what_held_then() {
    let namespace = Namespace::new("n").unwrap();
    let at = Timestamp::from_millis;
    let relation = Relation::new("r").unwrap();
    let edge = |source, target, from| {
        Edge::new(
            namespace.clone(),
            id(source),
            relation.clone(),
            id(target),
            at(from),
        )
    };
    let mut graph = Graph::default();
    graph.insert(&edge(1, 2, 10).valid_until(at(20)));
    graph.insert(&edge(1, 2, 30).weight(0.5));
    graph.insert(&edge(2, 3, 10));
    let as_of = |millis| {
        let walk = Traversal::new(id(1))
            .hops(hops(2))
            .when(When::AsOf(at(millis)));
        render(&graph, &walk)
    };
    assert_eq!(as_of(9), "");
    assert_eq!(as_of(15), "1>2 (1), 1>2>3 (1)");
    assert_eq!(as_of(20), "");
    assert_eq!(as_of(30), "1>2 (0.5), 1>2>3 (0.5)");
    assert_eq!(graph.len(), 3);
    graph.remove(id(1), &relation, id(2));
    assert_eq!(graph.len(), 1);
}

#[test]
fn the_way_to_a_target_is_the_shortest() {
    let graph = graph(&[
        (1, "r", 2, 1.0),
        (2, "r", 3, 1.0),
        (3, "r", 4, 1.0),
        (1, "r", 4, 0.1),
    ]);
    let to = |target, far| {
        let walk = Traversal::new(id(1)).hops(hops(far));
        let visit = run_to(&graph, &walk, id(target)).unwrap();
        visit.map(|visit| visit.path.iter().map(|id| id.get()).collect::<Vec<_>>())
    };
    assert_eq!(to(4, 9), Some(vec![1, 4]));
    assert_eq!(to(3, 2), Some(vec![1, 2, 3]));
    assert_eq!(to(3, 1), None);
    assert_eq!(to(5, 9), None);
    assert_eq!(to(1, 1), Some(vec![1]));
}

#[test]
fn a_removed_node_leaves_no_edge_behind() {
    let mut graph = graph(&[
        (1, "r", 2, 1.0),
        (2, "r", 2, 1.0),
        (3, "r", 2, 1.0),
        (2, "r", 3, 1.0),
    ]);
    graph.remove_node(id(2));
    assert_eq!(graph.len(), 0);
    let mut left = 0;
    graph.for_each(&Namespace::new("n").unwrap(), &mut |_| left += 1);
    assert_eq!(left, 0);
    assert_eq!(
        render(&graph, &Traversal::new(id(3)).direction(Direction::Both)),
        ""
    );
}
