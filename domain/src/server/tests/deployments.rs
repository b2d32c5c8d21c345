use super::{label, live};
use crate::DeploymentId;
use crate::privacy::{
    CommandLine, DeploymentConfig, DeploymentName, DeploymentStep, DeploymentSteps, Personal,
};
use crate::server::{ServerCommand, ServerError, ServerEvent};
use uuid::Uuid;

fn deployment(id: u128) -> DeploymentId {
    DeploymentId(Uuid::from_u128(id))
}

pub(super) fn configured(id: u128) -> ServerEvent {
    let (deployment, name, config) = site(id);
    ServerEvent::DeploymentConfigured { deployment, name, config }
}

fn create(id: u128) -> ServerCommand {
    let (deployment, name, config) = site(id);
    ServerCommand::CreateDeployment { deployment, name, config }
}

fn replace(id: u128) -> ServerCommand {
    let (deployment, name, config) = site(id);
    ServerCommand::ReplaceDeployment { deployment, name, config }
}

fn site(id: u128) -> (DeploymentId, Personal<DeploymentName>, Personal<DeploymentConfig>) {
    let step = DeploymentStep { name: label("pull"), command: CommandLine::parse("pull").unwrap() };
    let steps = DeploymentSteps::new(vec![step]).unwrap();
    (deployment(id), Personal::Clear(label("site")), Personal::Clear(steps))
}

#[test]
fn a_deployment_is_created_replaced_and_removed() {
    let remove = ServerCommand::DeleteDeployment { deployment: deployment(1) };
    let gone = ServerEvent::DeploymentDeleted { deployment: deployment(1) };
    live(vec![]).when(create(1)).then_expect_events(vec![configured(1)]);
    live(vec![configured(1)]).when(create(1)).then_expect_events(vec![]);
    live(vec![configured(1)]).when(replace(1)).then_expect_events(vec![configured(1)]);
    live(vec![configured(1)]).when(remove.clone()).then_expect_events(vec![gone.clone()]);
    live(vec![configured(1), gone]).when(remove).then_expect_error(ServerError::UnknownDeployment);
}

#[test]
fn a_deployment_that_was_removed_is_not_replaced() {
    let gone = ServerEvent::DeploymentDeleted { deployment: deployment(1) };
    live(vec![configured(1), gone])
        .when(replace(1))
        .then_expect_error(ServerError::UnknownDeployment);
}

#[test]
fn a_server_has_a_bounded_number_of_deployments() {
    let full: Vec<ServerEvent> = (0..32).map(configured).collect();
    live(full.clone()).when(create(32)).then_expect_error(ServerError::TooManyDeployments);
    live(full).when(replace(31)).then_expect_events(vec![configured(31)]);
}
