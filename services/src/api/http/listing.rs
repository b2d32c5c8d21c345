//! One page of a list: how many, after what, in which order, and of what. A cursor belongs to one order and to
//! one set of filters, and is refused with others.

use chrono::{DateTime, Utc};
use domain::TenantId;
use domain::privacy::composed;
use futures_util::{StreamExt, TryStreamExt, stream};
use infra::postgres::TimeOrder;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use utoipa::IntoParams;
use utoipa::openapi::Required;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use uuid::Uuid;

use crate::api::Api;
use crate::api::http::cursor::Cursors;
use crate::api::http::fields::{Fields, FromFields, digits, text};
use crate::api::http::page_query::PageQuery;
use crate::api::http::problem::{At, FieldError, Problem, ProblemKind};

const LIMIT_DEFAULT: i64 = 50;
const LIMIT_MAX: i64 = 200;
/// How many things are opened at once.
const AT_ONCE: usize = 16;
/// Names are sealed, so a list is sorted by them once all are opened.
pub const SORTED_BY_NAME_MAX: i64 = 1000;
/// How a list is refused that would have more of them opened.
pub const TOO_MANY_NAMES: &str = "there are more than 1000 names here: leave it out";

/// In which order a list comes. Things of the same place come in the order of their ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    Newest,
    Oldest,
    /// Capital and small letters are the same.
    Name,
    /// Owners first.
    Role,
    /// What ends first comes first.
    Expiry,
}

impl Order {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Oldest => "oldest",
            Self::Name => "name",
            Self::Role => "role",
            Self::Expiry => "expiry",
        }
    }

    pub(super) fn sort<T>(self, all: &mut [(Place, T)]) {
        all.sort_by(|(a, _), (b, _)| if self == Self::Newest { b.cmp(a) } else { a.cmp(b) });
    }

    /// How many of the sorted things come before what follows `last`. `None`: it is not among them, and its name
    /// is not known.
    pub(super) fn start<T>(
        self,
        sorted: &[(Place, T)],
        last: Option<(i64, Uuid)>,
    ) -> Option<usize> {
        let Some((number, id)) = last else { return Some(0) };
        if self == Self::Name {
            return Some(sorted.iter().position(|(place, _)| place.id == id)? + 1);
        }
        let (last, newest) = (Place::by_number(number, id), self == Self::Newest);
        Some(sorted.partition_point(|(at, _)| if newest { *at >= last } else { *at <= last }))
    }

    /// Whether things come by when they began.
    pub const fn is_by_begin(self) -> bool {
        matches!(self, Self::Newest | Self::Oldest)
    }

    /// Of a list that is kept by time.
    pub const fn by_time(self) -> TimeOrder {
        match self {
            Self::Oldest => TimeOrder::Oldest,
            Self::Newest | Self::Name | Self::Role | Self::Expiry => TimeOrder::Newest,
        }
    }
}

/// What a list can be asked for beside the page.
pub trait ListFilter: Sized + Serialize + IntoParams {
    /// The orders that the list has: it comes in the first one unless another is asked for.
    const ORDERS: &'static [Order];

    fn read(fields: &mut Fields) -> Option<Self>;
}

/// The query of a list.
pub struct Listing<F> {
    pub filter: F,
    pub order: Order,
    pub limit: i64,
    cursor: Option<String>,
}

impl<F: ListFilter> FromFields for Listing<F> {
    const PAGED: bool = true;

    fn read(fields: &mut Fields) -> Option<Self> {
        let filter = F::read(fields);
        let order = fields.optional("order", |value| order_of(F::ORDERS, value));
        let limit = fields.optional("limit", digits(1, LIMIT_MAX));
        let cursor = fields.optional("cursor", text(|text| Ok::<_, String>(text.to_owned())));
        Some(Self {
            filter: filter?,
            order: order?.or(F::ORDERS.first().copied())?,
            limit: limit?.unwrap_or(LIMIT_DEFAULT),
            cursor: cursor?,
        })
    }
}

fn names(orders: &[Order]) -> Vec<&'static str> {
    orders.iter().map(|order| order.as_str()).collect()
}

fn order_of(orders: &[Order], value: &Value) -> Result<Order, String> {
    let order = orders.iter().find(|order| value.as_str() == Some(order.as_str()));
    order.copied().ok_or_else(|| format!("this must be one of {}", names(orders).join(", ")))
}

impl<F: ListFilter> IntoParams for Listing<F> {
    fn into_params(within: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut all = F::into_params(within);
        if let [default, ..] = F::ORDERS {
            let text = format!("`{}` by default.", default.as_str());
            let schema = ObjectBuilder::new().schema_type(Type::String);
            let schema = schema.enum_values(Some(names(F::ORDERS)));
            all.push(parameter("order", &text, schema));
        }
        let limit = ObjectBuilder::new().schema_type(Type::Integer);
        let limit = limit.minimum(Some(1)).maximum(Some(LIMIT_MAX));
        all.push(parameter("limit", "How many at most; 50 by default.", limit));
        let cursor = ObjectBuilder::new().schema_type(Type::String);
        let cursor = cursor.min_length(Some(1)).max_length(Some(512));
        let cursor = cursor.pattern(Some("^[A-Za-z0-9_-]+$"));
        all.push(parameter("cursor", "`next` of the page before, with the same filters.", cursor));
        all
    }
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema.build()))
        .build()
}

/// Where a thing stands in a list that is held in memory: by a number, or by a name, and then by its id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub(super) number: i64,
    name: String,
    pub(super) id: Uuid,
}

impl Place {
    pub const fn by_number(number: i64, id: Uuid) -> Self {
        Self { number, name: String::new(), id }
    }

    pub fn by_name(name: &str, id: Uuid) -> Self {
        Self { number: 0, name: comparable(name), id }
    }
}

/// A part of names that is looked for; names are compared with it by [`comparable`].
///
/// # Errors
/// It is empty, or has more than 100 characters.
pub fn part_of_name(text: &str) -> Result<String, &'static str> {
    let fits = (1..=100).contains(&text.chars().count());
    fits.then(|| comparable(text)).ok_or("this must have 1 to 100 characters")
}

/// What names are compared by: capital and small letters are the same, and a letter with its mark is one or two.
pub fn comparable(name: &str) -> String {
    composed(name).to_lowercase()
}

impl<F: ListFilter> Listing<F> {
    /// Where a thing stands in the order that was asked for, by its time or by its name.
    pub fn place(&self, at: DateTime<Utc>, name: &str, id: Uuid) -> Place {
        match self.order {
            Order::Name => Place::by_name(name, id),
            Order::Newest | Order::Oldest | Order::Role | Order::Expiry => {
                Place::by_number(at.timestamp_micros(), id)
            }
        }
    }

    /// The page that is asked for of the list at `path`, which the tenant's callers are given. To be called before
    /// anything that costs more: its cursor is read here.
    ///
    /// # Errors
    /// The cursor was not given for this list, in this order and with these filters, or is a day old.
    pub async fn page<'a, K: DeserializeOwned>(
        &self,
        api: &'a Api,
        of: TenantId,
        path: &str,
    ) -> Result<PageQuery<'a, K>, Problem> {
        let filter = serde_json::to_string(&self.filter);
        let filter = filter.map_err(|error| Problem::internal(&error))?;
        let scope = format!("{path}?order={}&{filter}", self.order.as_str());
        let cursors = Cursors { keys: &api.app.keyring.request_macs, of, scope };
        let after = match &self.cursor {
            Some(cursor) => Some(cursors.read(cursor).await?),
            None => None,
        };
        Ok(PageQuery { cursors, order: self.order, limit: self.limit, after })
    }
}

/// The rows whose names are to be opened.
///
/// # Errors
/// There are more than [`SORTED_BY_NAME_MAX`]: the parameter that needs the names is refused.
pub fn few_enough<T>(rows: Vec<T>, parameter: &str) -> Result<Vec<T>, Problem> {
    if i64::try_from(rows.len()).is_ok_and(|rows| rows <= SORTED_BY_NAME_MAX) {
        return Ok(rows);
    }
    let error = FieldError::new(At::Parameter(parameter.to_owned()), TOO_MANY_NAMES);
    Err(Problem::invalid(ProblemKind::BadQuery, vec![error]))
}

/// Opens each of the things, several at once, and keeps their order.
///
/// # Errors
/// The first one of `open`.
pub async fn open_all<T, V, O: Future<Output = Result<V, Problem>>>(
    things: impl IntoIterator<Item = T>,
    open: impl FnMut(T) -> O,
) -> Result<Vec<V>, Problem> {
    stream::iter(things.into_iter().map(open)).buffered(AT_ONCE).try_collect().await
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[derive(Serialize, IntoParams)]
    struct OfTests {}

    impl ListFilter for OfTests {
        const ORDERS: &'static [Order] = &[Order::Newest, Order::Name];

        fn read(_: &mut Fields) -> Option<Self> {
            Some(Self {})
        }
    }

    #[test]
    fn a_list_comes_in_its_first_order_unless_another_of_its_own_is_asked_for() {
        let order = |query: &str| Fields::query::<Listing<OfTests>>(query).map(|it| it.order);
        assert_eq!(order("").unwrap(), Order::Newest);
        assert_eq!(order("order=name").unwrap(), Order::Name);
        assert!(order("order=role").is_err());
        assert!(order("limit=201").is_err());
    }

    proptest! {
        /// Also where the last thing of a page is gone by the next one, unless it is the order of names.
        #[test]
        fn every_page_goes_on_after_the_one_before(
            of in vec((0..5_i64, "[a-cA-C]{0,2}"), 0..12), size in 1..4_usize,
        ) {
            for order in [Order::Newest, Order::Oldest, Order::Name] {
                let things = of.iter().zip(1..).map(|((number, name), id)| {
                    let id = Uuid::from_u128(id);
                    let by_name = order == Order::Name;
                    let place =
                        if by_name { Place::by_name(name, id) } else { Place::by_number(*number, id) };
                    (place, id)
                });
                let mut sorted: Vec<(Place, Uuid)> = things.collect();
                order.sort(&mut sorted);
                let whole: Vec<Uuid> = sorted.iter().map(|(_, id)| *id).collect();
                let (mut found, mut last) = (vec![], None);
                while let Some(start) = order.start(&sorted, last)
                    && start < sorted.len()
                {
                    let end = sorted.len().min(start + size);
                    found.extend(sorted[start..end].iter().map(|(_, id)| *id));
                    last = Some((sorted[end - 1].0.number, sorted[end - 1].0.id));
                    if order != Order::Name {
                        sorted.remove(end - 1);
                    }
                }
                prop_assert_eq!(&found, &whole);
            }
        }
    }

    #[test]
    fn names_are_sorted_whatever_their_letters_are() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert!(Place::by_name("alpha", second) < Place::by_name("Beta", first));
        assert!(Place::by_name("Beta", first) < Place::by_name("beta", second));
    }

    #[test]
    fn a_letter_that_a_keyboard_composes_of_two_is_the_same() {
        let (one, two) = ("Caf\u{c9}", "cafe\u{301}");
        assert_ne!(one.to_lowercase(), two.to_lowercase());
        assert_eq!(comparable(one), comparable(two));
        assert!(comparable("Le Cafe\u{301} noir").contains(&comparable("F\u{c9}")));
    }
}
