//! Who may do what, as data.

use actix_web::HttpResponse;
use domain::workspace::{Right, Role};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::http::routes::Routes;

pub fn routes(routes: &mut Routes) {
    routes.add(__path_list, list).add(__path_list_rights, list_rights);
}

#[derive(Serialize, ToSchema)]
pub struct Roles {
    items: Vec<RoleView>,
}

#[derive(Serialize, ToSchema)]
pub struct Rights {
    items: Vec<RightView>,
}

/// A role, and everything that it may do.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub struct RoleView {
    role: &'static str,
    rights: Vec<&'static str>,
}

/// A right, and the roles that have it.
#[derive(Serialize, ToSchema)]
#[schema(as = Right)]
pub struct RightView {
    right: &'static str,
    roles: Vec<&'static str>,
    /// Whether it can be a scope of an API token.
    tokens: bool,
}

/// The roles in a workspace and what each may do: the table that every request is decided by.
#[utoipa::path(
    get, path = "/v1/roles", tag = "workspaces", responses((status = 200, body = Roles)),
)]
async fn list() -> HttpResponse {
    let roles = Role::ALL.iter().map(|role| RoleView {
        role: role.as_str(),
        rights: role.rights().map(Right::as_str).collect(),
    });
    HttpResponse::Ok().json(Roles { items: roles.collect() })
}

/// The rights in a workspace: which roles have each, and whether a token may have it as a scope.
#[utoipa::path(
    get, path = "/v1/rights", tag = "workspaces", responses((status = 200, body = Rights)),
)]
async fn list_rights() -> HttpResponse {
    let rights = Right::ALL.iter().map(|right| RightView {
        right: right.as_str(),
        roles: right.roles().iter().map(|role| role.as_str()).collect(),
        tokens: right.is_for_tokens(),
    });
    HttpResponse::Ok().json(Rights { items: rights.collect() })
}
