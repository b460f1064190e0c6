//! Whether what runs in a container works: what is recorded, and when to look next. Pure.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{ContainerRecord, Status};
use crate::{ident::Timestamp, image::HealthCheck};

/// As many results are kept.
const KEPT: usize = 5;

/// health.json: what the probes of this run have found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    /// What follows from them.
    pub status: HealthStatus,
    /// Failures in a row that count.
    pub failing_streak: u32,
    /// The last results, oldest first.
    pub log: Vec<HealthResult>,
}

/// Docker's three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// No probe has succeeded yet.
    Starting,
    /// The last one did, or not enough have failed since.
    Healthy,
    /// Too many have failed in a row, or nothing runs.
    Unhealthy,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthResult {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// 0 is good; -1 where it did not start, or not end in time.
    pub exit_code: i32,
    /// The beginning of what it wrote.
    pub output: String,
}

impl HealthStatus {
    /// Docker's word.
    pub fn word(self) -> &'static str {
        match self {
            HealthStatus::Starting => "starting",
            HealthStatus::Healthy => "healthy",
            HealthStatus::Unhealthy => "unhealthy",
        }
    }
}

impl Health {
    fn new(status: HealthStatus) -> Self {
        Self {
            status,
            failing_streak: 0,
            log: Vec::new(),
        }
    }

    /// The health of a container of which this is recorded; `None` without a check, and before the
    /// first start.
    pub(super) fn of(
        record: &ContainerRecord,
        (status, ran): (Status, bool),
        recorded: Option<Self>,
    ) -> Option<Self> {
        record.probe()?;
        match status {
            Status::Running | Status::Paused => {
                Some(recorded.unwrap_or_else(|| Self::new(HealthStatus::Starting)))
            }
            // As Docker has it.
            Status::Restarting | Status::Exited if ran => Some(Self::new(HealthStatus::Unhealthy)),
            Status::Restarting | Status::Exited | Status::Created => None,
        }
    }
}

/// A check's numbers, with Docker's where it has none.
#[derive(Debug, Clone, Copy)]
struct Timing {
    interval: Duration,
    timeout: Duration,
    start_period: Duration,
    start_interval: Duration,
    retries: u32,
}

impl Timing {
    fn of(check: &HealthCheck) -> Self {
        // An image may say anything; less than a millisecond would keep us busy.
        let time = |nanoseconds: i64, default: u64| match u64::try_from(nanoseconds) {
            Ok(0) | Err(_) => Duration::from_secs(default),
            Ok(time) => Duration::from_nanos(time).max(Duration::from_millis(1)),
        };
        Self {
            interval: time(check.interval, 30),
            timeout: time(check.timeout, 30),
            start_period: time(check.start_period, 0),
            start_interval: time(check.start_interval, 5),
            retries: match u32::try_from(check.retries) {
                Ok(0) => 3,
                Ok(retries) => retries,
                Err(_) if check.retries < 0 => 3,
                Err(_) => u32::MAX,
            },
        }
    }
}

/// What the probes of one run have found, and when the next is due.
#[derive(Debug)]
pub(super) struct Schedule {
    timing: Timing,
    began: Instant,
    due: Instant,
    health: Health,
}

impl Schedule {
    /// Of a program that began just now.
    pub(super) fn new(check: &HealthCheck, now: Instant) -> Self {
        let mut schedule = Self {
            timing: Timing::of(check),
            began: now,
            due: now,
            health: Health::new(HealthStatus::Starting),
        };
        schedule.postpone(now);
        schedule
    }

    /// When the next probe shall begin.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// How long one may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timing.timeout
    }

    /// What is known.
    pub(super) fn health(&self) -> &Health {
        &self.health
    }

    /// Waits for another turn, as if nothing had happened.
    pub(super) fn postpone(&mut self, now: Instant) {
        let starts = self.health.status == HealthStatus::Starting
            && now.duration_since(self.began) < self.timing.start_period;
        let pause = if starts {
            self.timing.start_interval
        } else {
            self.timing.interval
        };
        self.due = now + pause;
    }

    /// Takes in the result of a probe that began at `began` and has ended now.
    pub(super) fn take(&mut self, result: HealthResult, began: Instant, now: Instant) {
        let health = &mut self.health;
        let excused = health.status == HealthStatus::Starting
            && began.duration_since(self.began) < self.timing.start_period;
        if result.exit_code == 0 {
            health.status = HealthStatus::Healthy;
            health.failing_streak = 0;
        } else if !excused {
            health.failing_streak = health.failing_streak.saturating_add(1);
            if health.failing_streak >= self.timing.retries {
                health.status = HealthStatus::Unhealthy;
            }
        }
        health.log.push(result);
        let surplus = health.log.len().saturating_sub(KEPT);
        health.log.drain(..surplus);
        self.postpone(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn result(exit_code: i32) -> HealthResult {
        let now = Timestamp::now();
        HealthResult {
            start: now,
            end: now,
            exit_code,
            output: String::new(),
        }
    }

    /// A schedule on a clock of its own, in seconds.
    struct Scene {
        schedule: Schedule,
        began: Instant,
    }

    impl Scene {
        fn new(check: &HealthCheck) -> Self {
            let began = Instant::now();
            let schedule = Schedule::new(check, began);
            Self { schedule, began }
        }

        fn due(&self) -> f64 {
            (self.schedule.due() - self.began).as_secs_f64()
        }

        /// A probe when it is due, and what is known then.
        fn probe(&mut self, exit_code: i32, takes: u64) -> (&'static str, u32) {
            let began = self.schedule.due();
            let ended = began + Duration::from_secs(takes);
            self.schedule.take(result(exit_code), began, ended);
            let health = self.schedule.health();
            (health.status.word(), health.failing_streak)
        }
    }

    #[test]
    fn defaults_are_dockers_and_the_interval_begins_at_a_probes_end() {
        let mut scene = Scene::new(&HealthCheck::default());
        assert!((scene.due() - 30.0).abs() < 1e-9);
        assert_eq!(scene.schedule.timeout(), Duration::from_secs(30));
        assert_eq!(scene.probe(1, 7), ("starting", 1));
        assert!((scene.due() - 67.0).abs() < 1e-9);
        assert_eq!(scene.probe(-1, 0), ("starting", 2));
        assert_eq!(scene.probe(2, 0), ("unhealthy", 3));
        assert_eq!(scene.probe(2, 0), ("unhealthy", 4));
        assert_eq!(scene.probe(0, 0), ("healthy", 0));
        assert_eq!(scene.probe(1, 0), ("healthy", 1));
    }

    #[test]
    fn in_the_start_period_failures_do_not_count_and_probes_come_sooner() {
        let check = HealthCheck {
            interval: 100 * SECOND,
            start_period: 12 * SECOND,
            retries: 1,
            ..HealthCheck::default()
        };
        let mut scene = Scene::new(&check);
        assert!((scene.due() - 5.0).abs() < 1e-9);
        assert_eq!(scene.probe(1, 0), ("starting", 0));
        assert_eq!(scene.probe(1, 3), ("starting", 0));
        // It ended after the period.
        assert!((scene.due() - 113.0).abs() < 1e-9);
        assert_eq!(scene.probe(1, 0), ("unhealthy", 1));
        let mut scene = Scene::new(&check);
        assert_eq!(scene.probe(0, 0), ("healthy", 0));
        // A good probe ends the period.
        assert!((scene.due() - 105.0).abs() < 1e-9);
        assert_eq!(scene.probe(1, 0), ("unhealthy", 1));
    }

    #[test]
    fn five_results_are_kept_and_what_is_postponed_leaves_none() {
        let mut scene = Scene::new(&HealthCheck::default());
        for code in 0..9 {
            scene.probe(code, 0);
        }
        let log = &scene.schedule.health().log;
        let codes: Vec<_> = log.iter().map(|result| result.exit_code).collect();
        assert_eq!(codes, [4, 5, 6, 7, 8]);
        let before = scene.schedule.health().clone();
        let due = scene.schedule.due();
        scene.schedule.postpone(due);
        assert_eq!(scene.schedule.due(), due + Duration::from_secs(30));
        assert_eq!(*scene.schedule.health(), before);
    }

    #[test]
    fn an_images_strange_numbers_are_dockers_or_harmless() {
        let check = HealthCheck {
            interval: -1,
            timeout: 1,
            start_period: i64::MIN,
            retries: -7,
            ..HealthCheck::default()
        };
        let timing = Timing::of(&check);
        assert_eq!(timing.interval, Duration::from_secs(30));
        assert_eq!(timing.timeout, Duration::from_millis(1));
        assert_eq!((timing.start_period, timing.retries), (Duration::ZERO, 3));
        let long = HealthCheck {
            interval: i64::MAX,
            ..check
        };
        Scene::new(&long);
    }
}
