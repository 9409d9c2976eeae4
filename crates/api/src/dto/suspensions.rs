//! Suspensions of every scope, both ways.

use model::{Suspension, SuspensionView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::ApiConfig;
use crate::dto::shown::Time;
use crate::strict::{Body, Faults, Str};

/// A scope to be suspended or lifted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SuspensionScope)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScopeIn<'a> {
    /// `all`, `sport`, `event`, `market` or `account`.
    #[serde(borrow)]
    #[schema(value_type = String, required)]
    scope: Option<Str<'a>>,
    /// Which one: a sport as markets state it, an event, a market, an account; absent for `all`.
    #[schema(value_type = Option<String>)]
    key: Option<Str<'a>>,
}

/// Reads a scope.
pub(crate) struct ScopeBody;

impl Body for ScopeBody {
    type In<'a> = ScopeIn<'a>;
    type Parsed = Suspension;

    fn parse(input: ScopeIn<'_>, faults: &mut Faults) -> Option<Suspension> {
        let key = faults.may("key", input.key.as_ref(), |text| Ok::<_, &str>(text.to_owned()))?;
        let scope = faults.need("scope", input.scope.as_ref(), |text| Ok::<_, &str>(text.to_owned()))?;
        match Suspension::read(&scope, key.as_deref()) {
            Ok(suspension) => Some(suspension),
            Err((field, why)) => {
                faults.add(field, why);
                None
            }
        }
    }
}

/// A scope and the suspensions of it that stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suspension)]
pub(crate) struct SuspensionOut<'a> {
    scope: &'static str,
    /// Null for `all`.
    key: Option<&'a str>,
    /// Whether it is suspended. After a lifting it may still be, by a suspension that this region had not seen.
    suspended: bool,
    /// Who suspended it and when.
    by: Vec<ByOut>,
}

/// One suspension.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SuspendedBy)]
pub(crate) struct ByOut {
    region: String,
    #[schema(value_type = String, format = DateTime)]
    at: Time,
}

impl<'a> SuspensionOut<'a> {
    pub(crate) fn of(view: &'a SuspensionView, config: &ApiConfig) -> Self {
        let by = view.by.iter().map(|(site, at)| ByOut { region: config.region(site.region), at: Time(at.ms()) });
        Self { scope: view.scope.scope(), key: view.scope.key(), suspended: !view.by.is_empty(), by: by.collect() }
    }
}

/// Suspensions in force.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Suspensions)]
pub(crate) struct SuspensionsOut<'a> {
    /// Wide scopes first, then markets, then accounts, each in order of keys.
    pub(crate) suspensions: Vec<SuspensionOut<'a>>,
    /// For `after`, if there are more.
    pub(crate) next: Option<String>,
}

/// How a scope stands in `after` and `next`: `all`, `sport:tennis`, `event:sr:match:1`.
pub(crate) fn mark(scope: &Suspension) -> String {
    scope.key().map_or_else(|| scope.scope().to_owned(), |key| format!("{}:{key}", scope.scope()))
}

/// Reads what [`mark`] has written.
pub(crate) fn marked(text: &str) -> Result<Suspension, String> {
    let (scope, key) = text.split_once(':').map_or((text, None), |(scope, key)| (scope, Some(key)));
    Suspension::read(scope, key).map_err(|(_, why)| why)
}
