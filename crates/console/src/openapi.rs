//! The API's description, OpenAPI 3.1, made from the handlers themselves.

use axum::http::header;
use axum::response::IntoResponse;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::api::{agents, callbacks, calls, customers, queues, recordings, tiers, trunks};
use crate::events;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Usher",
        version = "1",
        description = "Calls, callbacks, recordings, queues, tiers, trunks, agents and customers of one switch. Every error is a status with \
                       a JSON body of `code` and `message`; 401, 429 and 503 may come from any path.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        calls::list, calls::history, calls::show, calls::hang_up, calls::decisions, queues::list, tiers::list, trunks::list,
        agents::list, agents::show, agents::change_state, customers::list, customers::show, callbacks::list,
        callbacks::done, callbacks::cancel, recordings::list, recordings::audio, events::subscribe,
    ),
    modifiers(&Security)
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token of the configuration. Scope `read` sees, with numbers masked; scope `write` also changes.",
        ));
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(scheme.build()));
    }
}

/// The description of the API, as served at `/api/v1/openapi.json`.
pub fn openapi_json() -> String {
    Api::openapi().to_pretty_json().unwrap_or_default()
}

pub(crate) async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], openapi_json())
}
