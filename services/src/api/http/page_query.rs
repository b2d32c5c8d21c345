//! The page of a list that is asked for, and how it is made of what is found.

use infra::postgres::TimeOrder;
use serde::Serialize;
use uuid::Uuid;

use crate::api::http::cursor::{Cursors, Page};
use crate::api::http::listing::{Order, Place};
use crate::api::http::problem::{Problem, ProblemKind};

/// A page that is asked for. `K` says where a thing stands in the list.
pub struct PageQuery<'a, K> {
    pub(super) cursors: Cursors<'a>,
    pub(super) order: Order,
    pub(super) limit: i64,
    /// Where the page before ended.
    pub after: Option<K>,
}

impl<K: Copy> PageQuery<'_, K> {
    /// Of a list that is kept by time: its order, and where the page before ended.
    pub fn by_time(&self) -> (TimeOrder, Option<K>) {
        (self.order.by_time(), self.after)
    }
}

impl<K: Serialize> PageQuery<'_, K> {
    /// How many rows to look up: one more than are shown says whether there is another page.
    pub const fn rows(&self) -> i64 {
        self.limit + 1
    }

    /// The page of so many rows.
    ///
    /// # Errors
    /// The keyring is not reached.
    pub async fn of<T>(&self, rows: Vec<T>, at: impl Fn(&T) -> K) -> Result<Page<T>, Problem> {
        self.cursors.page(rows, self.limit, at).await
    }

    /// As [`Self::of`], where only a part of the list was looked through for them: as far as `end`, unless that was
    /// the end of the list.
    ///
    /// # Errors
    /// The keyring is not reached.
    pub async fn of_part<T>(
        &self,
        rows: Vec<T>,
        at: impl Fn(&T) -> K,
        end: Option<K>,
    ) -> Result<Page<T>, Problem> {
        let mut page = self.of(rows, at).await?;
        if let (None, Some(end)) = (&page.next, end) {
            page.next = Some(self.cursors.sign(&end).await?);
        }
        Ok(page)
    }
}

impl PageQuery<'_, (i64, Uuid)> {
    /// The page of a list that is held in memory, in whatever order it is given. No name stands in the cursor:
    /// in the order of names the page goes on after the same thing, which must be there still.
    ///
    /// # Errors
    /// The last thing of the page before is not among them any more, or the keyring is not reached.
    pub async fn of_all<T>(&self, mut all: Vec<(Place, T)>) -> Result<Page<T>, Problem> {
        self.order.sort(&mut all);
        let start = self.order.start(&all, self.after);
        let start = start.ok_or_else(|| Problem::of(ProblemKind::BadCursor))?;
        let limit = usize::try_from(self.limit).unwrap_or_default();
        let rest = all.into_iter().skip(start).take(limit + 1).collect();
        let page = self.of(rest, |(place, _)| (place.number, place.id)).await?;
        let items = page.items.into_iter().map(|(_, item)| item).collect();
        Ok(Page { items, next: page.next })
    }
}
