//! Answers the requests of a server to the client.

use std::sync::Arc;

use domain::server::Fingerprint;
use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, Error};

use super::HostKey;
use super::cancel::CancelHandle;
use super::host_key::ShownKeys;
use super::settings::PACKET_MAX;

/// A server that opens more channels than this, or announces its keys again as often, does so on purpose.
const UNINVITED_MAX: u32 = 8;

pub(super) struct ClientHandler {
    pinned: Option<Fingerprint>,
    shown: Arc<ShownKeys>,
    cancel: CancelHandle,
    uninvited: u32,
}

impl ClientHandler {
    pub(super) fn new(
        pinned: Option<Fingerprint>,
        shown: Arc<ShownKeys>,
        cancel: CancelHandle,
    ) -> Self {
        Self { pinned, shown, cancel, uninvited: 0 }
    }

    fn uninvited(&mut self) -> Result<(), Error> {
        self.uninvited += 1;
        if self.uninvited > UNINVITED_MAX { self.end() } else { Ok(()) }
    }

    fn end(&self) -> Result<(), Error> {
        self.cancel.cancel();
        Err(Error::Inconsistent)
    }

    /// russh accepts packets of any size that its buffer holds, also beyond the window, but only as fast
    /// as they are read.
    fn receive(&self, data: &[u8]) -> Result<(), Error> {
        if data.len() > PACKET_MAX { self.end() } else { Ok(()) }
    }
}

impl Handler for ClientHandler {
    type Error = Error;

    async fn check_server_key(
        &mut self,
        server_key: &PublicKeyOrCertificate,
    ) -> Result<bool, Error> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = server_key else { return Ok(false) };
        let Some(server_key) = HostKey::of(key) else { return Ok(false) };
        let first = self.shown.show(server_key);
        Ok(first && self.pinned == Some(server_key.fingerprint))
    }

    async fn data(&mut self, _: ChannelId, data: &[u8], _: &mut Session) -> Result<(), Error> {
        self.receive(data)
    }

    async fn extended_data(
        &mut self,
        _: ChannelId,
        _: u32,
        data: &[u8],
        _: &mut Session,
    ) -> Result<(), Error> {
        self.receive(data)
    }

    // Lethe forwards nothing. Dropping the reply refuses the request.

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
        // Past the limit this cancels the stream; there is no error to answer with here.
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

    /// They are kept, and nothing more: whoever may append them asks the server to prove that it holds
    /// them. OpenSSH announces them once.
    async fn openssh_ext_host_keys_announced(
        &mut self,
        keys: Vec<PublicKey>,
        _: &mut Session,
    ) -> Result<(), Error> {
        if self.shown.announce(keys) { Ok(()) } else { self.uninvited() }
    }

    /// Does not repeat the server's text.
    async fn disconnected(&mut self, _: DisconnectReason<Error>) -> Result<(), Error> {
        Ok(())
    }
}
