//! Decrypting application data, for either side.

use rustls::split::{ReceiveTraffic, ReceiveTrafficState};
use rustls::{Error, SideData};

use crate::input_buffer::InputBuffer;

/// Decrypts every whole record in the buffer. `None`: the peer closed its direction.
pub(crate) fn read_traffic<S: SideData>(
    mut receive: ReceiveTraffic<S>,
    input: &mut InputBuffer,
    flush: &mut bool,
) -> Result<Option<ReceiveTraffic<S>>, Error> {
    let base = input.base();
    loop {
        let mut exhausted = true;
        let mut state = match receive.read(input)? {
            ReceiveTrafficState::Available(mut available) => {
                exhausted = false;
                let data = available.data();
                let (start, len) = (data.as_ptr() as usize - base, data.len());
                let next = available.into_next();
                input.push_plain(start, len);
                next
            }
            ReceiveTrafficState::FlushSender(sender) => {
                *flush = true;
                sender.into_next()
            }
            ReceiveTrafficState::ReadMore(receive) => ReceiveTrafficState::ReadMore(receive),
            ReceiveTrafficState::CloseNotify => return Ok(None),
        };
        if let ReceiveTrafficState::FlushSender(sender) = state {
            *flush = true;
            state = sender.into_next();
        }
        match state {
            ReceiveTrafficState::ReadMore(more) if exhausted => return Ok(Some(more)),
            ReceiveTrafficState::ReadMore(more) => receive = more,
            _ => return Ok(None),
        }
    }
}
