//! The time the host last passed in. There is no other clock in here.

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;

use pki_types::UnixTime;
use rustls::time_provider::TimeProvider;

static NOW: AtomicU64 = AtomicU64::new(0);

/// Sets the time, in seconds since 1970; fractions are cut off.
pub(crate) fn set_now(seconds: f64) {
    NOW.store(seconds.max(0.0) as u64, Ordering::Relaxed);
}

pub(crate) fn now() -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(NOW.load(Ordering::Relaxed)))
}

#[derive(Debug)]
pub(crate) struct HostClock;

impl TimeProvider for HostClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(now())
    }
}
