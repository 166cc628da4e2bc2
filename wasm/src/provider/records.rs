//! Records of TLS 1.3 (RFC 8446 section 5.2) under any AEAD, and what records of TLS 1.2 share.
//!
//! Records are encrypted and decrypted where they lie. rustls counts them, and checks what a record
//! may be; here is only how it is protected.

use rustls::crypto::cipher::{
    EncryptBuffer, InboundOpaque, Iv, NONCE_LEN, Nonce, OutboundPlain, Record, RecordDecrypter,
    RecordEncrypter, make_tls13_aad,
};
use rustls::enums::ContentType;
use rustls::error::Error;

/// The length of a tag, of either AEAD.
pub(super) const TAG: usize = 16;
/// Of TLS 1.2 (RFC 5246 section 6.2.1); rustls checks that of TLS 1.3.
pub(super) const MAX_FRAGMENT: usize = 1 << 14;

/// An AEAD under one key.
pub(super) trait Aead: Send + Sync {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG];

    /// Decrypts in place. Nothing of a forged message is left to be read as plaintext.
    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error>;
}

/// One direction of a connection: the nonce is the IV xor the sequence number.
pub(super) struct Records<A> {
    pub(super) aead: A,
    pub(super) iv: Iv,
}

impl<A: Aead> Records<A> {
    /// Encrypts what was written, and writes the tag behind it.
    pub(super) fn seal(
        &self,
        seq: u64,
        aad: &[u8],
        payload: &mut EncryptBuffer<'_>,
    ) -> Result<(), Error> {
        let nonce = Nonce::new(&self.iv, seq).to_array()?;
        let tag = self.aead.seal(&nonce, aad, payload.as_mut());
        payload.extend_from_slice(&tag);
        Ok(())
    }

    /// Decrypts in place and takes the tag off.
    pub(super) fn open(
        &self,
        seq: u64,
        aad: &[u8],
        payload: &mut InboundOpaque<'_>,
    ) -> Result<(), Error> {
        let nonce = Nonce::new(&self.iv, seq).to_array()?;
        let (data, tag) = payload.split_last_chunk_mut().ok_or(Error::DecryptError)?;
        self.aead.open(&nonce, aad, data, tag)?;
        let len = data.len();
        payload.truncate(len);
        Ok(())
    }
}

pub(super) struct Tls13Records<A>(pub(super) Records<A>);

impl<A: Aead> RecordEncrypter for Tls13Records<A> {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        seq: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        let len = self.encrypted_payload_len(record.payload.len());
        let mut payload = EncryptBuffer::new(out, len)?;
        let typ = ContentType::ApplicationData;
        let aad = make_tls13_aad(typ, record.version.encode(), len);
        payload.extend_from_chunks(&record.payload);
        payload.extend_from_slice(&record.typ.to_array());
        self.0.seal(seq, &aad, &mut payload)?;
        Ok(Record { typ, version: record.version, payload: payload.into_written() })
    }

    /// With the type of the content behind it, and without padding.
    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + 1 + TAG
    }
}

impl<A: Aead> RecordDecrypter for Tls13Records<A> {
    fn decrypt<'a>(
        &mut self,
        mut record: Record<InboundOpaque<'a>>,
        seq: u64,
    ) -> Result<Record<&'a [u8]>, Error> {
        let aad = make_tls13_aad(record.typ, record.version.version(), record.payload.len());
        self.0.open(seq, &aad, &mut record.payload)?;
        record.into_tls13_unpadded_record()
    }
}
