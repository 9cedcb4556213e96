//! What every list does: order, cursors, limits, keys, and pages while others write.

use std::collections::BTreeSet;
use std::pin::Pin;

use async_trait::async_trait;
use ff_core::call::{Call, Method, Reply};
use ff_core::dispatch::Dispatch;
use ff_core::engine_error::EngineError;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::{Value, json};

use crate::stage::{Case, Failure, Play, Played, Stage, Topic, Verdict, World, play_in_world};

/// The longest page.
const CEILING: usize = 1_000;

/// Creations at once.
const AT_ONCE: usize = 16;

/// Keys of no partition of flows.
const BAD_KEYS: [&str; 10] =
    ["", "x", "fp:0", "{fp:0", "{fp:}", "{fp:-1}", "{fp:00}", "{zz:0}", "{b:0}", "{q:0}"];

pub(crate) type Adding = Pin<Box<dyn Future<Output = Result<(), Failure>> + Send>>;

/// A method that lists something page by page.
pub(crate) struct Listing {
    pub(crate) method: Method,
    /// The clauses on order and cursors, on limits, on the ceiling and bad keys, and on pages while others write.
    pub(crate) order: &'static [&'static str],
    pub(crate) limits: &'static [&'static str],
    pub(crate) ceiling: &'static [&'static str],
    pub(crate) growth: &'static [&'static str],
    /// The field of an entry that is its cursor, where an entry is more than that.
    pub(crate) id: Option<&'static str>,
    /// A cursor that something new in this partition could be listed under.
    pub(crate) new: fn(&World, u16) -> String,
    /// Adds what is listed under this cursor.
    pub(crate) add: fn(World, String) -> Adding,
    /// Texts that are no cursor.
    pub(crate) bad_cursors: &'static [&'static str],
    /// Whether it lists one partition.
    pub(crate) is_of_partition: bool,
}

/// A call of a method that lists. Where it names no partition, that is left out.
pub(crate) fn page_call(
    method: Method,
    partition: &str,
    cursor: Option<&str>,
    limit: usize,
) -> Option<Call> {
    let arguments = json!({ "partition": partition, "cursor": cursor, "limit": limit });
    serde_json::from_value(json!({ method.as_str(): arguments })).ok()
}

impl Listing {
    /// The cases of a list.
    pub(crate) fn cases(&'static self, topic: &Topic) -> Vec<Case> {
        let prefix = match self.method.as_str().strip_prefix("list_") {
            Some(listed) if !topic.is_of(listed) => format!("{listed}-"),
            _ => String::new(),
        };
        let case = |name, title, clauses, check| {
            topic.case(&format!("{prefix}{name}"), title, clauses, &[], Checked(self, check))
        };
        let pages = "Pages of every size together are the whole list, in order.";
        let cursor = "A cursor need not be listed; a page that ends with the list has none.";
        let limits = "Nothing for 0, never more than was asked for.";
        let ceiling = "At most 1 000, and as many as there are room and entries for.";
        let growing = "Others are added before and behind the cursor, between any two pages.";
        let bad =
            "Keys that are none, of other families, or not the cursor's; cursors that are none.";
        vec![
            case("pages", pages, self.order, Check::Pages),
            case("cursor", cursor, self.order, Check::Cursor),
            case("limits", limits, self.limits, Check::Limits),
            case("ceiling", ceiling, self.ceiling, Check::Ceiling),
            case("bad-keys", bad, self.ceiling, Check::BadKeys),
            case("growing", growing, self.growth, Check::Growing),
        ]
    }
}

#[derive(Clone, Copy)]
enum Check {
    Pages,
    Cursor,
    Limits,
    Ceiling,
    BadKeys,
    Growing,
}

struct Checked(&'static Listing, Check);

#[async_trait]
impl Play for Checked {
    async fn play(&self, stage: Stage) -> Played {
        let Self(listing, check) = *self;
        play_in_world(stage, move |world| {
            Box::pin(async move {
                let lists = Lists { listing, world: &world };
                match check {
                    Check::Pages => lists.pages().await,
                    Check::Cursor => lists.cursor().await,
                    Check::Limits => lists.limits().await,
                    Check::Ceiling => lists.ceiling().await,
                    Check::BadKeys => lists.bad_keys().await,
                    Check::Growing => lists.growing().await,
                }
            })
        })
        .await
    }
}

/// A page: the cursors of its entries, and the one for the next.
type Page = (Vec<String>, Option<String>);

struct Lists<'a> {
    listing: &'static Listing,
    world: &'a World,
}

impl Lists<'_> {
    /// Adds this many to partition 0, and one to another if there are several; returns the cursors of the
    /// first in order.
    async fn added(&self, count: usize) -> Result<Vec<String>, Failure> {
        let new = |partition| (self.listing.new)(self.world, partition);
        let ids: BTreeSet<String> = (0..count).map(|_| new(0)).collect();
        let is_elsewhere =
            self.listing.is_of_partition && self.world.partitions().num_flow_partitions > 1;
        let elsewhere = is_elsewhere.then(|| new(1));
        let all = ids.iter().cloned().chain(elsewhere);
        let adding = all.map(|id| (self.listing.add)(self.world.clone(), id));
        let added = stream::iter(adding).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>();
        added.await?;
        Ok(ids.into_iter().collect())
    }

    async fn answer(
        &self,
        partition: &str,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Result<Reply, EngineError>, Failure> {
        let call = page_call(self.listing.method, partition, cursor, limit);
        let call =
            call.ok_or_else(|| Failure::new("a list has a partition, a cursor and a limit"))?;
        Ok(self.world.dispatch(call).await)
    }

    async fn page(&self, cursor: Option<&str>, limit: usize) -> Result<Page, Failure> {
        let reply = self.answer("{fp:0}", cursor, limit).await??;
        let reply =
            serde_json::to_value(&reply).map_err(|error| Failure::new(error.to_string()))?;
        let page = &reply[self.listing.method.as_str()];
        let fields = page.as_object().into_iter().flatten();
        let entries = fields.filter_map(|(_, value)| value.as_array()).flatten();
        let id = |entry: &Value| match self.listing.id {
            Some(field) => entry[field].as_str().map(str::to_owned),
            None => entry.as_str().map(str::to_owned),
        };
        Ok((entries.filter_map(id).collect(), page["next_cursor"].as_str().map(str::to_owned)))
    }

    /// Asserts that this is listed after a cursor, page by page.
    async fn expect_rest(
        &self,
        mut cursor: Option<String>,
        size: usize,
        expected: &[String],
    ) -> Verdict {
        let mut seen = Vec::new();
        loop {
            let (entries, next) = self.page(cursor.as_deref(), size).await?;
            expect!(entries.len() <= size, "a page has at most {size}");
            seen.extend(entries);
            expect_eq!(seen, expected[..seen.len().min(expected.len())], "pages of {size}");
            if next.is_none() {
                break;
            }
            expect_eq!(seen.last(), next.as_ref(), "the cursor is the last id");
            expect!(seen.len() < expected.len(), "a cursor, though nothing follows");
            cursor = next;
        }
        expect_eq!(seen.len(), expected.len(), "all are listed in pages of {size}");
        Ok(())
    }

    async fn pages(&self) -> Verdict {
        let expected = self.added(7).await?;
        for size in 1..=8 {
            self.expect_rest(None, size, &expected).await?;
        }
        Ok(())
    }

    async fn cursor(&self) -> Verdict {
        let all = self.added(3).await?;
        let absent = (self.listing.new)(self.world, 0);
        let after: Vec<_> = all.iter().filter(|id| **id > absent).cloned().collect();
        self.expect_rest(Some(absent), 10, &after).await?;
        self.expect_rest(None, 3, &all).await?;
        self.expect_rest(Some(all[2].clone()), 3, &[]).await
    }

    async fn limits(&self) -> Verdict {
        let all = self.added(3).await?;
        expect_eq!(self.page(None, 0).await?, (Vec::new(), None), "none");
        expect_eq!(self.page(Some(&all[0]), 0).await?, (Vec::new(), None), "none of those after");
        for limit in 1..=3 {
            let (entries, _) = self.page(None, limit).await?;
            expect!(entries.len() <= limit, "a page has at most {limit}");
        }
        Ok(())
    }

    async fn ceiling(&self) -> Verdict {
        let all = self.added(CEILING + 1).await?;
        expect_eq!(self.page(None, 3).await?.0, all[..3], "a full page");
        for limit in [CEILING, CEILING + 1, 1 << 40] {
            let (entries, next) = self.page(None, limit).await?;
            expect!(entries == all[..CEILING], "a page for {limit} has the first thousand");
            expect_eq!(next.as_ref(), Some(&all[CEILING - 1]), "there is one more");
        }
        let rest = self.page(Some(&all[CEILING - 1]), CEILING).await?;
        expect_eq!(rest, (all[CEILING..].to_vec(), None), "the rest");
        Ok(())
    }

    async fn bad_keys(&self) -> Verdict {
        let refused = "validation.invalid_input";
        let known = self.added(1).await?;
        for limit in [0, 10] {
            if self.listing.is_of_partition {
                for key in BAD_KEYS {
                    expect_refused!(
                        self.answer(key, None, limit).await?,
                        refused,
                        "{key:?} for {limit}"
                    );
                }
                let foreign = self.answer("{fp:1}", Some(&known[0]), limit).await?;
                expect_refused!(foreign, refused, "a cursor of another partition");
            }
            for cursor in self.listing.bad_cursors {
                let answer = self.answer("{fp:0}", Some(cursor), limit).await?;
                expect_refused!(answer, refused, "after {cursor:?} for {limit}");
            }
        }
        Ok(())
    }

    async fn growing(&self) -> Verdict {
        let expected = self.added(9).await?;
        for size in [1, 2, 4] {
            let (mut seen, mut cursor) = (Vec::new(), None::<String>);
            let mut new = (0..15).map(|_| (self.listing.new)(self.world, 0));
            loop {
                let (entries, next) = self.page(cursor.as_deref(), size).await?;
                seen.extend(entries);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
                // Of several new ones some come before the cursor and some after it.
                for id in new.by_ref().take(3) {
                    (self.listing.add)(self.world.clone(), id).await?;
                }
                expect!(seen.len() < 100, "a list ends");
            }
            let distinct: BTreeSet<&String> = seen.iter().collect();
            expect_eq!(distinct.len(), seen.len(), "pages of {size}: none twice");
            for id in &expected {
                expect!(distinct.contains(id), "pages of {size}: {id} is listed");
            }
        }
        Ok(())
    }
}
