//! Health checks and what they found, as the JSON of Docker's `inspect`; absent without a check.

use cowshed::{
    container::{Health, HealthResult},
    image::HealthCheck,
};
use serde_json::{Value, json};

/// Adds `Healthcheck` to a `Config`.
pub(crate) fn add_check(config: &mut Value, check: Option<&HealthCheck>) {
    if let (Some(check), Some(map)) = (check, config.as_object_mut()) {
        let place = map.keys().position(|key| key == "Cmd").unwrap_or(0);
        map.shift_insert(place + 1, "Healthcheck".to_owned(), json!(check));
    }
}

/// Adds `Health` to a `State`.
pub(crate) fn add_health(state: &mut Value, health: Option<&Health>) {
    if let Some(health) = health {
        state["Health"] = json!({
            "Status": health.status.word(),
            "FailingStreak": health.failing_streak,
            "Log": health.log.iter().map(result).collect::<Vec<_>>(),
        });
    }
}

fn result(result: &HealthResult) -> Value {
    json!({
        "Start": result.start,
        "End": result.end,
        "ExitCode": result.exit_code,
        "Output": result.output,
    })
}
