//! Tools and calls of an MCP server.

use forensic_simulator::{McpTools, Simulator, Timestamp, World};

const TOOLS: &str = include_str!("../../samples/mcp-tools.json");
const CALLS: &str = include_str!("../../samples/mcp-calls.json");

#[test]
fn calls_are_judged_by_what_the_server_says_and_never_taken_for_harmless() {
    let tools = McpTools::parse(TOOLS).unwrap();
    let simulator = tools.register(Simulator::builder()).build().unwrap();
    let plan = simulator.check(tools.workflow(CALLS).unwrap()).unwrap();
    let report = simulator.simulate(&plan, &World::new(), Timestamp::default());
    let told: Vec<_> = report
        .steps
        .iter()
        .map(|step| format!("{} {} ({})", step.id, step.outcome, step.reason))
        .collect();
    assert_eq!(
        told,
        [
            r#""call 1" unknown (the server calls "read_file" read-only, and nothing shows it)"#,
            r#""call 2" would_fail (argument "path" is missing)"#,
            r#""call 3" unsafe (the server calls "delete_file" destructive)"#,
            r#""call 4" would_fail (argument "path" is 7, not of type "string")"#,
            r#""call 5" would_fail (argument "force" is not one of this tool)"#,
            r#""call 6" would_fail (the server has no tool "format_disk")"#,
            r#""call 7" unknown (what "write_file" does is not modelled; its server does not say that it is not destructive)"#,
        ]
    );
    assert!(
        report
            .steps
            .iter()
            .all(|step| !step.would_run && step.changes.is_empty())
    );
    let unknown: Vec<_> = report
        .not_modelled
        .iter()
        .map(|id| id.as_str().to_owned())
        .collect();
    assert_eq!(unknown, ["call 1", "call 3", "call 7"]);
}

#[test]
fn lists_that_are_none_are_refused_at_their_place() {
    for (text, message) in [
        ("[", "MCP tools/list, line 1, column 2: EOF"),
        ("{}", "MCP tools/list, tools: missing field `tools`"),
        (
            r#"{"tools": [{"name": "a", "inputSchema": {}}, {"name": "a", "inputSchema": {}}]}"#,
            "MCP tools/list, a: there are two tools of this name",
        ),
    ] {
        let error = McpTools::parse(text).unwrap_err().to_string();
        assert!(error.starts_with(message), "{error}");
    }
    let tools = McpTools::parse(TOOLS).unwrap();
    let error = tools
        .workflow(r#"[{"name": "a*"}]"#)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("MCP tools/call, call 1: invalid action path"),
        "{error}"
    );
}
