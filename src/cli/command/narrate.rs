//! `--dry-run` and `--explain`: steps as text and as JSON.

use std::io;

use cowshed::{
    container::{DryRun, Event},
    mount::Narration,
};

use crate::cli::{output, report};

/// Steps of a plan, nothing done.
pub(crate) fn plan_text(plan: &DryRun) -> io::Result<()> {
    let record = &plan.record;
    output::line(&format!(
        "image      {} ({})",
        record.image, record.image_id
    ))?;
    output::line(&format!("container  {} (not made)", record.name))?;
    output::line(&format!("program    {:?} in {}", record.args, record.cwd))?;
    let namespaces = plan.spec.namespaces().names().join("|");
    output::line(&format!("namespaces {namespaces}"))?;
    let steps = plan.narrate();
    for (number, step) in steps.iter().enumerate() {
        output::line(&format!(
            "[{:>2}/{}] {}",
            number + 1,
            steps.len(),
            heading(step)
        ))?;
        for call in &step.calls {
            output::line(&format!("        {call}"))?;
        }
    }
    Ok(())
}

/// The same, one object a line.
pub(crate) fn plan_json(plan: &DryRun) -> io::Result<()> {
    for (number, step) in plan.narrate().iter().enumerate() {
        output::json(&object(number + 1, step))?;
    }
    Ok(())
}

fn heading(step: &Narration) -> String {
    format!("{:<10} {}", step.title, step.why)
}

fn object(number: usize, step: &Narration) -> serde_json::Value {
    serde_json::json!({
        "step": number, "title": step.title, "why": step.why, "calls": step.calls,
    })
}

/// Tells each step when it is done, on standard error.
pub(crate) fn text() -> impl FnMut(Event) {
    let mut number = 0;
    move |event| {
        number += 1;
        let took = microseconds(&event);
        let heading = heading(&event.narration);
        report::line(&format!("[{number:>2}] {heading}   {}", human(took)));
        for call in &event.narration.calls {
            report::line(&format!("       {call}"));
        }
    }
}

/// The same, one object a line; what would be told in notes is in the step that told it.
pub(crate) fn json() -> impl FnMut(Event) {
    report::hold_notes();
    let mut number = 0;
    move |event| {
        number += 1;
        let mut value = object(number, &event.narration);
        value["microseconds"] = microseconds(&event).into();
        let notes = report::take_notes();
        if !notes.is_empty() {
            value["notes"] = notes.into();
        }
        report::line(&value.to_string());
    }
}

fn microseconds(event: &Event) -> u64 {
    u64::try_from(event.took.as_micros()).unwrap_or(u64::MAX)
}

fn human(microseconds: u64) -> String {
    if microseconds < 1000 {
        return format!("{microseconds} µs");
    }
    format!("{}.{} ms", microseconds / 1000, microseconds % 1000 / 100)
}
