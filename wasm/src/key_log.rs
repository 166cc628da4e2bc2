//! Key log lines (NSS key log format) of one connection, kept until the host polls them.
//! Installed only where the caller asked for a key log.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;

use rustls::KeyLog;

/// More lines than two handshakes make; older ones go first.
const MAX_LINES: usize = 32;

#[derive(Default)]
pub(crate) struct KeyLogLines(Mutex<VecDeque<String>>);

impl KeyLogLines {
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn pop(&self) -> Option<String> {
        self.0.lock().unwrap().pop_front()
    }
}

impl KeyLog for KeyLogLines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let mut line = String::with_capacity(label.len() + 2 * (client_random.len() + 64) + 2);
        line.push_str(label);
        for part in [client_random, secret] {
            line.push(' ');
            for byte in part {
                let _ = write!(line, "{byte:02x}");
            }
        }
        let mut lines = self.0.lock().unwrap();
        if lines.len() == MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }
}

impl core::fmt::Debug for KeyLogLines {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KeyLogLines")
    }
}
