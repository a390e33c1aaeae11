//! Errors as the API answers them: a status, a code for programs, a sentence for people.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use call::admin::AdminError;
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// The body of every answer that is an error.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Word for programs, for example `no-such-call`.
    #[schema(value_type = String)]
    pub(crate) code: &'static str,
    /// Sentence for people.
    pub(crate) message: String,
}

#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after_s: Option<u64>,
}

pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        ApiError { status, code, message: message.into(), retry_after_s: None }
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        ApiError::new(StatusCode::BAD_REQUEST, "bad-request", message)
    }

    pub(crate) fn not_found(code: &'static str, message: &str) -> Self {
        ApiError::new(StatusCode::NOT_FOUND, code, message)
    }

    pub(crate) fn unauthorised() -> Self {
        ApiError::new(StatusCode::UNAUTHORIZED, "unauthorised", "a valid bearer token is needed")
    }

    pub(crate) fn forbidden() -> Self {
        ApiError::new(StatusCode::FORBIDDEN, "forbidden", "the token's scope does not allow this")
    }

    pub(crate) fn too_many(seconds: u64) -> Self {
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-requests",
            "too many requests from this address",
        )
        .retry_after(seconds)
    }

    pub(crate) fn switch_busy() -> Self {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "switch-busy", "the switch does not answer now")
            .retry_after(1)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        tracing::warn!(%error, "the store did not answer a request");
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            "the database does not answer now",
        )
        .retry_after(5)
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::NoSuchAgent => ApiError::not_found("no-such-agent", "there is no such agent"),
            AdminError::NoSuchCall => ApiError::not_found("no-such-call", "there is no such live call"),
            AdminError::NoSuchCallback => {
                ApiError::not_found("no-open-callback", "there is no such open callback")
            }
            AdminError::WrongState => ApiError::new(
                StatusCode::CONFLICT,
                "wrong-state",
                "not possible in the agent's present state",
            ),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = Json(ErrorBody { code: self.code, message: self.message });
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            // RFC 6750 §3.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"usher\""));
        }
        response
    }
}
