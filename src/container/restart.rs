//! When a container is started again; pure.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Error, State};

/// `--restart`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    No,
    /// After a failure, so many times; 0 means without an end.
    OnFailure(u32),
    /// After every end that nobody asked for, and after every boot.
    Always,
    /// The same, but not after a boot when somebody had stopped it.
    UnlessStopped,
}

/// The first pause before a new start; it doubles from failure to failure.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest pause.
const LONGEST_DELAY: Duration = Duration::from_mins(1);

/// Whoever ran this long has not failed at its start: the pause begins anew.
const STABLE: Duration = Duration::from_secs(10);

/// What became of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The program's code.
    pub(super) code: i32,
    /// How long it ran.
    pub(super) ran_for: Duration,
    /// How often it was started again before.
    pub(super) restarts: u32,
    /// The pause before this run, if it was one of those.
    pub(super) delay: Option<Duration>,
}

impl RestartPolicy {
    /// How long to wait before the next start; `None` ends it.
    pub(super) fn decide(self, outcome: Outcome) -> Option<Duration> {
        let again = match self {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure(max) => {
                outcome.code != 0 && (max == 0 || outcome.restarts < max)
            }
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        };
        let longer = outcome.delay.map(|delay| delay.saturating_mul(2));
        let next = match longer {
            Some(longer) if outcome.ran_for < STABLE => longer.min(LONGEST_DELAY),
            Some(_) | None => FIRST_DELAY,
        };
        again.then_some(next)
    }

    /// Whether a container that is not running is started by `start --restarting`, after a boot.
    pub fn revives(self, state: &State) -> bool {
        match self {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure(max) => {
                state.exit_code != 0 && (max == 0 || state.restarts < max)
            }
            RestartPolicy::Always => true,
            RestartPolicy::UnlessStopped => !state.stopped,
        }
    }

    /// Docker's name without the number.
    pub fn name(self) -> &'static str {
        match self {
            RestartPolicy::No => "no",
            RestartPolicy::OnFailure(_) => "on-failure",
            RestartPolicy::Always => "always",
            RestartPolicy::UnlessStopped => "unless-stopped",
        }
    }

    /// How often at most, 0 where there is no limit.
    pub fn retries(self) -> u32 {
        match self {
            RestartPolicy::OnFailure(max) => max,
            RestartPolicy::No | RestartPolicy::Always | RestartPolicy::UnlessStopped => 0,
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = Error;

    /// `no`, `on-failure[:N]`, `always`, `unless-stopped`; an empty text is `no`. Docker's texts.
    fn from_str(text: &str) -> Result<Self, Error> {
        let usage = |what: String| Error::Usage { what };
        let (name, count) = match text.split_once(':') {
            Some((name, count)) => (name, Some(count)),
            None => (text, None),
        };
        let policy = match name {
            "" | "no" => RestartPolicy::No,
            "always" => RestartPolicy::Always,
            "unless-stopped" => RestartPolicy::UnlessStopped,
            "on-failure" => {
                let max = count.map_or(Ok(0), str::parse);
                let bad = |_| usage("maximum retry count must be an integer".to_owned());
                return Ok(RestartPolicy::OnFailure(max.map_err(bad)?));
            }
            _ => {
                return Err(usage(format!(
                    "invalid restart policy: unknown policy '{name}'; use one of 'no', 'always', \
                     'on-failure', or 'unless-stopped'"
                )));
            }
        };
        if count.is_some() {
            let what = "invalid restart policy: maximum retry count can only be used with \
                        'on-failure'";
            return Err(usage(what.to_owned()));
        }
        Ok(policy)
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self.retries() {
            0 => Ok(()),
            max => write!(f, ":{max}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(restarts: u32, delay: Option<u64>) -> Outcome {
        Outcome {
            code: 1,
            ran_for: Duration::ZERO,
            restarts,
            delay: delay.map(Duration::from_millis),
        }
    }

    #[test]
    fn the_pause_doubles_up_to_a_minute_and_begins_anew_after_a_good_run() {
        let always = RestartPolicy::Always;
        let next = |outcome| always.decide(outcome).unwrap().as_millis();
        assert_eq!(next(failed(0, None)), 100);
        assert_eq!(next(failed(1, Some(100))), 200);
        assert_eq!(next(failed(9, Some(51_200))), 60_000);
        let good = Outcome {
            ran_for: Duration::from_secs(10),
            ..failed(9, Some(51_200))
        };
        assert_eq!(next(good), 100);
    }

    #[test]
    fn on_failure_counts_and_lets_success_be() {
        let twice = RestartPolicy::OnFailure(2);
        assert!(twice.decide(failed(1, Some(100))).is_some());
        assert!(twice.decide(failed(2, Some(200))).is_none());
        let success = Outcome {
            code: 0,
            ..failed(0, None)
        };
        assert!(twice.decide(success).is_none());
        assert!(RestartPolicy::Always.decide(success).is_some());
        assert!(RestartPolicy::No.decide(failed(0, None)).is_none());
        assert!(
            RestartPolicy::OnFailure(0)
                .decide(failed(999, Some(1)))
                .is_some()
        );
    }

    #[test]
    fn after_a_boot_unless_stopped_remembers_who_stopped_it() {
        let stopped = State {
            stopped: true,
            exit_code: 143,
            ..State::default()
        };
        assert!(RestartPolicy::Always.revives(&stopped));
        assert!(!RestartPolicy::UnlessStopped.revives(&stopped));
        assert!(RestartPolicy::UnlessStopped.revives(&State::default()));
        assert!(!RestartPolicy::OnFailure(0).revives(&State::default()));
    }

    #[test]
    fn policies_are_parsed_as_docker_writes_them() {
        for text in [
            "no",
            "always",
            "unless-stopped",
            "on-failure",
            "on-failure:3",
        ] {
            let policy: RestartPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), text);
        }
        let error = |text: &str| text.parse::<RestartPolicy>().unwrap_err().to_string();
        assert!(error("often").contains("unknown policy 'often'"));
        assert!(error("always:3").contains("only be used with 'on-failure'"));
        assert!(error("on-failure:x").contains("must be an integer"));
    }
}
