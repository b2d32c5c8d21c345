//! Which events of the trail a request selects.

use chrono::{DateTime, Utc};
use domain::{ActorId, TenantId, newest_version};
use infra::log::Recorded;
use projections::audit_trail;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};
use uuid::Uuid;

use crate::api::http::answers::Unfit;
use crate::api::http::fields::{Fields, RUNS_BACKWARDS, digits, parsed, text, times};
use crate::api::http::listing::{ListFilter, Order};

/// Absent filters let everything through.
#[derive(Clone, Debug, Default, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// The workspace, or the account for an account's own streams.
    pub tenant_id: Option<Uuid>,
    /// Whoever caused it.
    pub actor_id: Option<Uuid>,
    pub stream_id: Option<Uuid>,
    /// Such as `account.registered`.
    #[serde(rename = "type")]
    #[param(rename = "type", required = false, schema_with = event_types)]
    pub event_type: Option<String>,
    /// Recorded then or later.
    pub from: Option<DateTime<Utc>>,
    /// Recorded before.
    pub to: Option<DateTime<Utc>>,
    /// Positions after this one.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    pub after: Option<i64>,
    /// Positions before this one.
    #[param(minimum = 0, maximum = 9_223_372_036_854_775_807i64)]
    pub before: Option<i64>,
}

/// What is refused though the schemas of the parameters admit it.
pub(super) const UNFIT: [Unfit; 2] = [RUNS_BACKWARDS, NOT_GREATER];
const NOT_GREATER: Unfit = ("before", "this must be greater than `after`");

impl ListFilter for Filter {
    const ORDERS: &'static [Order] = &[Order::Oldest, Order::Newest];

    fn read(fields: &mut Fields) -> Option<Self> {
        let tenant = fields.optional("tenant_id", parsed("an id"));
        let actor = fields.optional("actor_id", parsed("an id"));
        let stream = fields.optional("stream_id", parsed("an id"));
        let event_type = fields.optional("type", text(event_type));
        let times = times(fields);
        let after = fields.optional("after", digits(0, i64::MAX));
        let before = fields.optional("before", digits(0, i64::MAX));
        let (from, to) = times?;
        let filter = Self {
            tenant_id: tenant?,
            actor_id: actor?,
            stream_id: stream?,
            event_type: event_type?,
            from,
            to,
            after: after?,
            before: before?,
        };
        // What comes after `after` begins one further on.
        if filter.after.zip(filter.before).is_some_and(|(after, before)| before <= after) {
            let (name, why) = NOT_GREATER;
            return fields.refuse(name, why);
        }
        Some(filter)
    }
}

impl Filter {
    pub fn of_trail(&self) -> audit_trail::Filter {
        audit_trail::Filter {
            tenant: self.tenant_id.map(TenantId),
            stream: self.stream_id,
            actor: self.actor_id.map(ActorId),
            event_type: self.event_type.clone(),
            after: self.after,
            through: self.before.map(|before| before.saturating_sub(1)),
            since: self.from,
            until: self.to,
        }
    }

    /// The same, of an event as the log has it.
    pub fn lets_through(&self, event: &Recorded) -> bool {
        let at = event.recorded_at();
        let is = |wanted: Option<Uuid>, found: Uuid| wanted.is_none_or(|wanted| wanted == found);
        is(self.tenant_id, event.tenant().0)
            && is(self.stream_id, event.stream_id())
            && self.actor_id.is_none_or(|actor| event.actor().is_some_and(|found| found.0 == actor))
            && self.event_type.as_deref().is_none_or(|wanted| wanted == event.event_type())
            && self.from.is_none_or(|from| at >= from)
            && self.to.is_none_or(|to| at < to)
            && self.before.is_none_or(|before| event.position() < before)
    }
}

pub(super) fn event_type(text: &str) -> Result<String, &'static str> {
    if newest_version(text).is_some() {
        Ok(text.to_owned())
    } else {
        Err("this must be the type of an event, such as account.registered")
    }
}

/// Every type of event that there is.
pub(super) fn event_types() -> Object {
    let types = domain::event_types();
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(types)).build()
}
