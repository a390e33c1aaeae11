//! The customer directory. Names and whole numbers only for who may see them.

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use call::directory::Customer as Row;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{limit, query, reveal, shown};
use crate::auth::Granted;
use crate::config::Scope;
use crate::error::{ApiError, ApiResult, ErrorBody};
use crate::state::Shared;

/// One customer.
#[derive(Serialize, ToSchema)]
pub(crate) struct Customer {
    /// Number, its middle masked unless revealed.
    number: String,
    /// Name; null unless revealed.
    name: Option<String>,
    /// Tier.
    tier: String,
    /// Language.
    language: String,
    /// 65 or over.
    senior: bool,
    /// Account manager's agent number.
    manager_a: Option<String>,
    /// The stand-in's.
    manager_b: Option<String>,
}

/// A page of customers by number.
#[derive(Serialize, ToSchema)]
pub(crate) struct Customers {
    customers: Vec<Customer>,
    /// All customers of the directory.
    total: u64,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomersQuery {
    /// Only those after this whole number: the last of the page before. Needs scope `write`, as it tells
    /// numbers.
    after: Option<String>,
    /// Most customers, 1 to 1000; 100 if absent.
    limit: Option<u32>,
    /// Show whole numbers and names; needs scope `write`.
    reveal: Option<bool>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerQuery {
    /// Show the whole number and the name; needs scope `write`.
    reveal: Option<bool>,
}

/// Customers in the order of their numbers.
#[utoipa::path(
    get, path = "/api/v1/customers", tag = "customers", operation_id = "listCustomers", params(CustomersQuery),
    responses((status = 200, description = "One page", body = Customers), (status = 400, description = "Malformed request", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    parameters: Result<Query<CustomersQuery>, QueryRejection>,
) -> ApiResult<Json<Customers>> {
    let asked = query(parameters)?;
    if asked.after.is_some() {
        granted.require(Scope::Write)?;
    }
    let reveal = reveal(&granted, asked.reveal, "customers")?;
    let rows = shared.handles.store.customers(asked.after.as_deref(), limit(asked.limit)?).await?;
    let total = shared.handles.store.customers_count().await?;
    Ok(Json(Customers { customers: rows.iter().map(|row| body(row, reveal)).collect(), total }))
}

/// The customer of one number.
#[utoipa::path(
    get, path = "/api/v1/customers/{number}", tag = "customers", operation_id = "getCustomer", params(("number" = String, Path), CustomerQuery),
    responses((status = 200, description = "The customer", body = Customer), (status = 404, description = "There is no such thing", body = ErrorBody), (status = 503, description = "The switch or the database does not answer now", body = ErrorBody)),
    security(("token" = []))
)]
pub(crate) async fn show(
    State(shared): State<Shared>,
    Extension(granted): Extension<Granted>,
    Path(number): Path<String>,
    parameters: Result<Query<CustomerQuery>, QueryRejection>,
) -> ApiResult<Json<Customer>> {
    let reveal = reveal(&granted, query(parameters)?.reveal, "one customer")?;
    match shared.handles.store.customer(&number).await? {
        Some(row) => Ok(Json(body(&row, reveal))),
        None => Err(ApiError::not_found("no-such-customer", "there is no such customer")),
    }
}

fn body(row: &Row, reveal: bool) -> Customer {
    Customer {
        number: shown(row.number.reveal(), reveal),
        name: reveal.then(|| row.name.reveal().clone()),
        tier: row.tier.clone(),
        language: row.language.clone(),
        senior: row.senior,
        manager_a: row.manager_a.clone(),
        manager_b: row.manager_b.clone(),
    }
}
