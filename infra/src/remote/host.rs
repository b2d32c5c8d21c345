//! What is answered to a server while it talks.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use domain::server::Fingerprint;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, Error};

use super::HostKey;
use super::line::Line;
use super::settings::{PACKET_MAX, WINDOW};

/// More channels than this are not opened by a server in error.
const UNINVITED_MAX: u32 = 8;

pub(super) struct Host {
    pinned: Option<Fingerprint>,
    seen: Arc<OnceLock<HostKey>>,
    line: Line,
    windows: HashMap<ChannelId, Window>,
    uninvited: u32,
}

/// What a server may still send on a channel. russh delivers also what goes beyond it.
struct Window {
    left: u32,
    refilled: bool,
}

impl Host {
    pub(super) fn new(
        pinned: Option<Fingerprint>,
        seen: Arc<OnceLock<HostKey>>,
        line: Line,
    ) -> Self {
        Self { pinned, seen, line, windows: HashMap::new(), uninvited: 0 }
    }

    fn uninvited(&mut self) -> Result<(), Error> {
        self.uninvited += 1;
        if self.uninvited > UNINVITED_MAX { self.end() } else { Ok(()) }
    }

    fn end(&self) -> Result<(), Error> {
        self.line.cut();
        Err(Error::Inconsistent)
    }

    fn window(&mut self, channel: ChannelId) -> &mut Window {
        self.windows.entry(channel).or_insert(Window { left: WINDOW, refilled: false })
    }

    fn receive(&mut self, channel: ChannelId, data: &[u8]) -> Result<(), Error> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let window = self.window(channel);
        let Some(left) = window.left.checked_sub(length).filter(|_| length <= PACKET_MAX) else {
            return self.end();
        };
        window.left = if std::mem::take(&mut window.refilled) { WINDOW } else { left };
        Ok(())
    }
}

impl Handler for Host {
    type Error = Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let Some(shown) = HostKey::of(key) else { return Ok(false) };
        let first = self.seen.set(shown).is_ok();
        Ok(first && self.pinned == Some(shown.fingerprint))
    }

    /// Called before `data` when russh grants the whole window again.
    fn adjust_window(&mut self, channel: ChannelId, window: u32) -> u32 {
        self.window(channel).refilled = true;
        window
    }

    async fn data(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Error> {
        self.receive(channel, data)
    }

    async fn extended_data(
        &mut self,
        channel: ChannelId,
        _: u32,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Error> {
        self.receive(channel, data)
    }

    async fn channel_close(&mut self, channel: ChannelId, _: &mut Session) -> Result<(), Error> {
        self.windows.remove(&channel);
        Ok(())
    }

    // Lethe forwards nothing. A reply that is dropped refuses.

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn should_accept_unknown_server_channel(&mut self, _: ChannelId, _: &str) -> bool {
        // The count cuts the line; there is no error to answer with here.
        let _ = self.uninvited();
        false
    }

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Error> {
        self.uninvited()
    }

    async fn openssh_ext_host_keys_announced(
        &mut self,
        _: Vec<PublicKey>,
        _: &mut Session,
    ) -> Result<(), Error> {
        Ok(())
    }

    /// A server's last words are not repeated.
    async fn disconnected(&mut self, _: DisconnectReason<Error>) -> Result<(), Error> {
        Ok(())
    }
}
