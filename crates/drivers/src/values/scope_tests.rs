use super::*;
use crate::values::{DrawContext, Value, Values};

fn scope() -> Scope {
    let constants = Constants::new("k3v9q2xz")
        .with_dir("/tmp/run")
        .with_environment(|name| (name == "TOKEN").then(|| "s3cret".to_owned()));
    Scope::new(constants)
}

fn told(text: &str, scope: &mut Scope) -> String {
    let error = Template::text(text, scope).unwrap_err();
    format!("{}: {}", error.inside, error.problem)
}

const CONTEXT: DrawContext = DrawContext {
    seed: 7,
    who: 3,
    iteration: 5,
    now_us: || 0,
};

fn filled(text: &str, vars: &[(&str, &str)], context: &DrawContext) -> String {
    let mut scope = scope();
    scope.begin_step("step");
    let vars: Vec<Var<'_>> = vars
        .iter()
        .map(|&(name, text)| Var { name, text })
        .collect();
    scope.vars(&vars).unwrap();
    let template = Template::text(text, &mut scope).unwrap();
    let mut values = Values::default();
    values.set(Slot::ID, Value::Text(b"k3v9q2xz-3-5"));
    for draw in scope.take_draws() {
        draw.draw(context, &mut values).unwrap();
    }
    let mut out = Vec::new();
    template.render(&values, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn vars_may_use_each_other_in_any_order() {
    let vars = [("c", "${b}-${a}"), ("b", "<${a}>"), ("a", "${pick('x')}")];
    assert_eq!(filled("${c} ${id}", &vars, &CONTEXT), "<x>-x k3v9q2xz-3-5");
}

#[test]
fn a_var_that_is_one_placeholder_keeps_its_type() {
    let mut scope = scope();
    let vars = [
        Var {
            name: "n",
            text: "${int(5, 5)}",
        },
        Var {
            name: "m",
            text: "${n}",
        },
        Var {
            name: "text",
            text: "${n} ",
        },
    ];
    scope.vars(&vars).unwrap();
    let json = Template::json(r"[${n}, ${m}, ${text}]", "the body", &mut scope).unwrap();
    let mut values = Values::default();
    for draw in scope.take_draws() {
        draw.draw(&CONTEXT, &mut values).unwrap();
    }
    let mut out = Vec::new();
    json.render(&values, &mut out).unwrap();
    assert_eq!(out, br#"[5, 5, "5 "]"#);
}

#[test]
fn a_value_is_a_function_of_its_place_alone() {
    let text = [("t", "${text(20)}")];
    let one = filled("${t}", &text, &CONTEXT);
    let among_others = [
        ("a", "${int(1, 9)}"),
        ("t", "${text(20)}"),
        ("z", "${uuid()}"),
    ];
    assert_eq!(filled("${t}", &among_others, &CONTEXT), one);
    for other in [
        DrawContext { seed: 8, ..CONTEXT },
        DrawContext { who: 4, ..CONTEXT },
        DrawContext {
            iteration: 6,
            ..CONTEXT
        },
    ] {
        assert_ne!(filled("${t}", &text, &other), one);
    }
    let named_otherwise = [("u", "${text(20)}")];
    assert_ne!(filled("${u}", &named_otherwise, &CONTEXT), one);
    // Two functions in one request are two places.
    let twice = filled("${text(9)}${text(9)}", &[], &CONTEXT);
    assert_ne!(twice[..9], twice[9..]);
}

#[test]
fn vars_that_cannot_be_made_are_told() {
    let told = |vars: &[(&str, &str)]| {
        let vars: Vec<Var<'_>> = vars
            .iter()
            .map(|&(name, text)| Var { name, text })
            .collect();
        scope().vars(&vars).unwrap_err().to_string()
    };
    assert_eq!(
        told(&[("a", "${b}"), ("b", "x${a}")]),
        "b, byte 3: `a` and `b` are made of each other"
    );
    assert_eq!(told(&[("a", "${a}")]), "a, byte 2: `a` is made of itself");
    assert_eq!(
        told(&[("id", "x")]),
        "id, byte 0: `id` is a value of Proofload: take another name"
    );
    assert_eq!(
        told(&[("a", "${")]),
        "a, byte 0: the placeholder is not closed: `}` is missing"
    );
    assert_eq!(
        told(&[("a", "${schema()}")]),
        "a, byte 2: `schema()` belongs to the `args` of a `call`"
    );
}

#[test]
fn a_name_that_is_not_known_here_is_told_with_those_that_are() {
    let mut scope = scope();
    scope
        .define("order", Reach::Iteration, Traits::CAPTURED)
        .unwrap();
    assert_eq!(
        told("a ${ordr}", &mut scope),
        "4: there is no value `ordr` here, there is `id`, `run`, `user`, `iteration`, `order`; did \
         you mean `order`?"
    );
    assert_eq!(
        told("${key}", &mut scope),
        "2: `key` is known in `read` and `delete` only"
    );
    assert_eq!(
        told("${dir}", &mut scope),
        "2: `dir` is known in `start`, `restart`, `command` and `path` only"
    );
    let mark = scope.mark();
    scope.define_key_and_cursor();
    scope.show_dir(true);
    assert!(Template::text("${key}${cursor}${dir}", &mut scope).is_ok());
    scope.forget_after(mark);
    assert!(Template::text("${key}", &mut scope).is_err());
}

#[test]
fn an_environment_variable_that_is_not_set_is_told() {
    let mut scope = scope();
    assert_eq!(
        told("${env.CHAT_TOKEN}", &mut scope),
        "2: the environment variable `CHAT_TOKEN` is not set, and has no default here"
    );
    let filled = |text, scope: &mut Scope| Template::constant(text, scope).unwrap();
    assert_eq!(
        filled("${env.CHAT_TOKEN:-x}${env.TOKEN}", &mut scope),
        "xs3cret"
    );
    assert_eq!(scope.constants().secrets().redact("s3cret"), "s3cret");
    assert_eq!(filled("${secret.TOKEN:-x}", &mut scope), "s3cret");
    assert_eq!(scope.constants().secrets().redact("s3cret"), "***");
}

#[test]
fn what_runs_once_for_all_cannot_use_what_is_one_users() {
    let mut scope = scope();
    scope
        .define("token", Reach::User, Traits::CAPTURED)
        .unwrap();
    scope
        .define("order", Reach::Iteration, Traits::CAPTURED)
        .unwrap();
    scope.limit(Reach::Run);
    for name in ["token", "user", "order"] {
        assert_eq!(
            told(&format!("${{{name}}}"), &mut scope),
            format!("2: `{name}` is a value of one user, and this runs once for all")
        );
    }
    assert!(Template::text("${id}${run}", &mut scope).is_ok());
    scope.limit(Reach::User);
    assert!(Template::text("${token}${user}", &mut scope).is_ok());
    assert_eq!(
        told("${iteration}", &mut scope),
        "2: `iteration` is a value of one iteration, and this runs once for each user"
    );
}

#[test]
fn what_a_text_depends_on_is_known_through_its_vars() {
    let mut scope = scope();
    scope
        .define("token", Reach::User, Traits::CAPTURED)
        .unwrap();
    let vars = [
        Var {
            name: "named",
            text: "pl:${run}:${int(1, 9)}",
        },
        Var {
            name: "plain",
            text: "${int(1, 9)}",
        },
    ];
    scope.vars(&vars).unwrap();
    let mut traits = |text: &str| Template::text(text, &mut scope).unwrap().traits();
    assert!(traits("${named}").has(Traits::NAMES_RUN));
    assert!(!traits("${plain}").has(Traits::NAMES_RUN));
    assert!(traits("${uuid()}").has(Traits::NAMES_RUN));
    assert!(traits("${token}").has(Traits::OF_USER | Traits::NAMES_RUN | Traits::CAPTURED));
    assert!(!traits("${id}").has(Traits::OF_USER));
    assert!(traits("${secret.TOKEN}").has(Traits::SECRET));
    assert_eq!(traits("nothing"), Traits::default());
}
