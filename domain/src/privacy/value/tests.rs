//! What is taken, what is refused, and that nothing is shown.

use std::collections::BTreeMap;

use super::*;

fn variables(name: &str, value: &str) -> BTreeMap<String, String> {
    [(name.to_owned(), value.to_owned())].into()
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
        assert_eq!(refused, Err(Invalid::NotAVariable), "{bad}");
    }
    assert_eq!(RunEnvironment::new(variables("TOKEN", "abc")), Err(Invalid::TooShort(4)));
    assert_eq!(RunEnvironment::new(variables("TOKEN", "ab\0cd")), Err(Invalid::Control));
    let many = |count: u8| (0..count).map(|n| (format!("TOKEN_{n}"), "four".to_owned())).collect();
    assert!(RunEnvironment::new(many(50)).is_ok());
    assert_eq!(RunEnvironment::new(many(51)), Err(Invalid::TooMany(50)));
}

#[test]
fn no_value_is_shown() {
    assert_eq!(format!("{:?}", IpAddress([192, 0, 2, 7].into())), "<IpAddress>");
    let environment = RunEnvironment::new(variables("TOKEN", "four")).unwrap();
    assert_eq!(format!("{environment:?}"), "<RunEnvironment>");
}
