//! What is taken, what is refused, and that nothing is shown.

use std::collections::BTreeMap;

use super::*;

fn variables(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
}

/// The variable is refused; without a name all of them are.
fn unfit<T>(name: Option<&str>, why: Invalid) -> Result<T, UnfitVariable> {
    Err(UnfitVariable { name: name.map(str::to_owned), why })
}

#[test]
fn a_value_may_be_as_long_as_its_limit_and_no_longer() {
    assert!(PersonName::parse(&"a".repeat(200)).is_ok());
    assert_eq!(PersonName::parse(&"a".repeat(201)), Err(Invalid::TooLong(200)));
    assert!(CommandLine::parse(&"a".repeat(32_768)).is_ok());
    assert_eq!(CommandLine::parse(&"a".repeat(32_769)), Err(Invalid::TooLong(32_768)));
    assert!(SecretText::parse(&"a".repeat(16_384)).is_ok());
    assert_eq!(SecretText::parse(&"a".repeat(16_385)), Err(Invalid::TooLong(16_384)));
}

#[test]
fn a_host_is_a_name_or_an_address() {
    for good in ["db-1.example", "web", "web.example.", "10.0.0.1", "2001:db8::1"] {
        assert_eq!(HostName::parse(good).unwrap().expose(), good);
    }
    let long = format!("{}.example", "a".repeat(64));
    for bad in ["-web.example", "web-.example", "we_b.example", "web..example", &long] {
        assert_eq!(HostName::parse(bad), Err(Invalid::NotAHost), "{bad}");
    }
}

#[test]
fn a_login_begins_with_no_hyphen() {
    assert_eq!(LoginName::parse("deploy-1.x_y").unwrap().expose(), "deploy-1.x_y");
    for bad in ["-l", "ada lovelace", "ada;id"] {
        assert_eq!(LoginName::parse(bad), Err(Invalid::NotALogin), "{bad}");
    }
}

#[test]
fn a_deployment_has_its_steps_in_order() {
    let step = |name: &str| DeploymentStep {
        name: Label::parse(name).unwrap(),
        command: CommandLine::parse("true").unwrap(),
    };
    let two = vec![step("build"), step("start")];
    assert_eq!(DeploymentSteps::new(two.clone()).unwrap().steps(), two);
    assert!(DeploymentSteps::new(vec![step("build"); 50]).is_ok());
    assert_eq!(DeploymentSteps::new(vec![step("build"); 51]), Err(Invalid::TooMany(50)));
    assert_eq!(DeploymentSteps::new(vec![]), Err(Invalid::Empty));
    // A name of one byte, and a command that takes the rest.
    let long = |bytes: usize| DeploymentStep {
        name: Label::parse("a").unwrap(),
        command: CommandLine::parse(&"a".repeat(bytes - 1)).unwrap(),
    };
    let full = vec![long(32 * 1024); 4];
    assert!(DeploymentSteps::new(full.clone()).is_ok());
    let over = DeploymentSteps::new([full, vec![long(2)]].concat());
    assert_eq!(over, Err(Invalid::TooLong(128 * 1024)));
}

#[test]
fn a_secret_has_a_name_that_a_shell_takes_and_a_value_that_can_be_masked() {
    let given = variables("_TOKEN_1", "four");
    assert_eq!(*RunEnvironment::new(given.clone()).unwrap().expose(), given);
    assert!(RunEnvironment::new(variables(&"a".repeat(100), "four")).is_ok());
    for bad in ["", "1TOKEN", "TO-KEN", &"a".repeat(101)] {
        let refused = RunEnvironment::new(variables(bad, "four"));
        assert_eq!(refused, unfit(Some(bad), Invalid::NotAVariable), "{bad}");
    }
    for (bad, why) in [("abc", Invalid::TooShort(4)), ("ab\0cd", Invalid::Control)] {
        assert_eq!(RunEnvironment::new(variables("TOKEN", bad)), unfit(Some("TOKEN"), why));
    }
    let long = variables("TOKEN", &"a".repeat(16_385));
    assert_eq!(RunEnvironment::new(long), unfit(Some("TOKEN"), Invalid::TooLong(16_384)));
    let many = |count: u8| (0..count).map(|n| (format!("TOKEN_{n}"), "four".to_owned())).collect();
    assert!(RunEnvironment::new(many(50)).is_ok());
    assert_eq!(RunEnvironment::new(many(51)), unfit(None, Invalid::TooMany(50)));
}

#[test]
fn a_variable_has_no_name_that_the_shell_or_lethe_sets_itself() {
    for reserved in RunEnvironment::RESERVED.iter().copied() {
        let refused = Invalid::ReservedVariable(reserved);
        let secret = RunEnvironment::new(variables(reserved, "four"));
        assert_eq!(secret, unfit(Some(reserved), refused), "{reserved}");
        let clear = ClearVariables::new(variables(reserved, "1"));
        assert_eq!(clear, unfit(Some(reserved), refused), "{reserved}");
        assert!(refused.to_string().contains(reserved));
    }
    assert!(RunEnvironment::new(variables("UID_", "four")).is_ok());
    assert!(RunEnvironment::new(variables("uid", "four")).is_ok());
}

#[test]
fn a_clear_variable_may_be_short_and_all_of_them_have_a_bound() {
    for value in ["", "80", "main"] {
        assert!(ClearVariables::new(variables("PORT", value)).is_ok(), "{value}");
    }
    for (name, value, why) in [("A-B", "1", Invalid::NotAVariable), ("A", "a\0b", Invalid::Control)]
    {
        assert_eq!(ClearVariables::new(variables(name, value)), unfit(Some(name), why));
    }
    let full = "a".repeat(32 * 1024 - 1);
    assert!(ClearVariables::new(variables("A", &full)).is_ok());
    let over = ClearVariables::new(variables("AB", &full));
    assert_eq!(over, unfit(None, Invalid::TooLong(32 * 1024)));
    let many = |count: u8| (0..count).map(|n| (format!("A{n}"), String::new())).collect();
    assert!(ClearVariables::new(many(50)).is_ok());
    assert_eq!(ClearVariables::new(many(51)), unfit(None, Invalid::TooMany(50)));
}

#[test]
fn names_say_which_of_the_secrets_are_missing() {
    let secrets = |names: &[&str]| {
        let all = names.iter().map(|name| ((*name).to_owned(), "four".to_owned()));
        RunEnvironment::new(all.collect()).unwrap()
    };
    let names = secrets(&["TOKEN", "KEY"]).names();
    assert_eq!(names.missing_in(&secrets(&["TOKEN"])), ["KEY"]);
    assert!(names.missing_in(&secrets(&["KEY", "MORE", "TOKEN"])).is_empty());
    assert_eq!(names.expose().len(), 2);
}

#[test]
fn of_what_is_left_only_names_of_printable_ascii_are_kept() {
    let long = format!("unit:{}", "a".repeat(Leftovers::NAME_BYTES_MAX - 5));
    let given = ["unit:a.service", "", "a b", "ä", "a\x1b[2J", &long, &format!("{long}a")];
    let left = Leftovers::new(LeftCause::Alive, 3, given.map(str::to_owned));
    assert_eq!(left.names(), ["unit:a.service", &long]);
    assert_eq!((left.why(), left.processes()), (LeftCause::Alive, 3));
    let many = (0..20).map(|n| n.to_string());
    assert_eq!(Leftovers::new(LeftCause::Alive, 20, many).names().len(), 16);
}

#[test]
fn no_value_is_shown() {
    assert_eq!(format!("{:?}", IpAddress([192, 0, 2, 7].into())), "<IpAddress>");
    let environment = RunEnvironment::new(variables("TOKEN", "four")).unwrap();
    assert_eq!(format!("{environment:?}"), "<RunEnvironment>");
    assert_eq!(format!("{:?}", environment.names()), "<VariableNames>");
    let clear = ClearVariables::new(variables("PORT", "8080")).unwrap();
    assert_eq!(format!("{clear:?}"), "<ClearVariables>");
    let left = Leftovers::new(LeftCause::Alive, 1, ["unit:a.service".to_owned()]);
    assert_eq!(format!("{left:?}"), "<Leftovers>");
    let refused = RunEnvironment::new(variables("TO-KEN", "four")).unwrap_err();
    assert_eq!(format!("{refused:?}"), "UnfitVariable { why: NotAVariable, .. }");
}
