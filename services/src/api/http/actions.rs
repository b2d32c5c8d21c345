//! What the methods of a path within a workspace do there.

use actix_web::HttpRequest;
use actix_web::http::Method;
use domain::workspace::WorkspaceAction;

/// The actions at a path within a workspace, by method. It stands with the resource.
#[derive(Default)]
pub struct Actions(pub Vec<(Method, WorkspaceAction)>);

impl Actions {
    /// Whether the path is for the members of a workspace.
    pub fn are_at(request: &HttpRequest) -> bool {
        request.app_data::<Self>().is_some()
    }

    /// The action that a request is for.
    pub fn of(request: &HttpRequest) -> Option<WorkspaceAction> {
        request.app_data::<Self>()?.get(request.method())
    }

    /// The action of a method; a HEAD is the action of its GET.
    pub fn get(&self, method: &Method) -> Option<WorkspaceAction> {
        let method = if method == Method::HEAD { &Method::GET } else { method };
        self.0.iter().find(|(of, _)| of == method).map(|(_, action)| *action)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_the_action_of_its_get() {
        let actions = Actions(vec![(Method::GET, WorkspaceAction::ShowWorkspace)]);
        assert_eq!(actions.get(&Method::HEAD), Some(WorkspaceAction::ShowWorkspace));
        assert_eq!(actions.get(&Method::POST), None);
    }
}
