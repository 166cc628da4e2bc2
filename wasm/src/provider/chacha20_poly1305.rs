//! The record layer of the ChaCha20-Poly1305 suites: RFC 8446, section 5 and RFC 7905, over the
//! crate in `wasm/chacha`.
//!
//! All else of these suites (hashes, key schedules, key exchange) is rustls-ring's.

use chacha::ChaCha20Poly1305;
use rustls::crypto::CipherSuite;
use rustls::crypto::cipher::{
    AeadKey, EncryptBuffer, InboundOpaque, Iv, KeyBlockShape, NONCE_LEN, OutboundPlain, Record,
    RecordDecrypter, RecordEncrypter, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls12_aad,
};
use rustls::error::Error;
use rustls::{CipherSuiteCommon, ConnectionTrafficSecrets, Tls12CipherSuite, Tls13CipherSuite};
use rustls_ring::cipher_suite as ring;

use super::records::{Aead, MAX_FRAGMENT, Records, TAG, Tls13Records};

const KEY: usize = 32;

pub(super) static TLS13: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        hash_provider: ring::TLS13_AES_128_GCM_SHA256.common.hash_provider,
        // RFC 8446, section 5.5: sequence numbers wrap first.
        confidentiality_limit: u64::MAX,
    },
    protocol_version: ring::TLS13_AES_128_GCM_SHA256.protocol_version,
    hkdf_provider: ring::TLS13_AES_128_GCM_SHA256.hkdf_provider,
    aead_alg: &Tls13,
    quic: None,
};

pub(super) static TLS12_ECDSA: Tls12CipherSuite = tls12(
    CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ring::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
);

pub(super) static TLS12_RSA: Tls12CipherSuite = tls12(
    CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
);

/// As another suite with the same hash, key exchange and signatures, but for the records.
const fn tls12(suite: CipherSuite, other: &Tls12CipherSuite) -> Tls12CipherSuite {
    Tls12CipherSuite {
        common: CipherSuiteCommon {
            suite,
            hash_provider: other.common.hash_provider,
            confidentiality_limit: u64::MAX,
        },
        protocol_version: other.protocol_version,
        prf_provider: other.prf_provider,
        kx: other.kx,
        sign: other.sign,
        aead_alg: &Tls12,
    }
}

struct Tls13;

struct Tls12;

impl Tls13AeadAlgorithm for Tls13 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordEncrypter> {
        Box::new(Tls13Records(records(&key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordDecrypter> {
        Box::new(Tls13Records(records(&key, iv)))
    }

    fn key_len(&self) -> usize {
        KEY
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv })
    }
}

impl Tls12AeadAlgorithm for Tls12 {
    fn encrypter(&self, key: AeadKey, iv: &[u8], _: &[u8]) -> Box<dyn RecordEncrypter> {
        Box::new(Tls12Records(records(&key, tls12_iv(iv))))
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn RecordDecrypter> {
        Box::new(Tls12Records(records(&key, tls12_iv(iv))))
    }

    /// The whole nonce is in the key block, and none of it in the records.
    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape { enc_key_len: KEY, fixed_iv_len: NONCE_LEN, explicit_nonce_len: 0 }
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        _: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv: tls12_iv(iv) })
    }
}

fn tls12_iv(iv: &[u8]) -> Iv {
    Iv::new(iv).expect("the key block has the shape that was asked for")
}

impl Aead for ChaCha20Poly1305 {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG] {
        ChaCha20Poly1305::seal(self, nonce, aad, data)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error> {
        ChaCha20Poly1305::open(self, nonce, aad, data, tag).map_err(|_| Error::DecryptError)
    }
}

fn records(key: &AeadKey, iv: Iv) -> Records<ChaCha20Poly1305> {
    let key = key.as_ref().try_into().expect("rustls asked for the length of a key");
    Records { aead: ChaCha20Poly1305::new(key), iv }
}

struct Tls12Records(Records<ChaCha20Poly1305>);

impl RecordEncrypter for Tls12Records {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        seq: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        let len = record.payload.len();
        let mut payload = EncryptBuffer::new(out, self.encrypted_payload_len(len))?;
        let aad = make_tls12_aad(seq, record.typ, record.version.encode(), len);
        payload.extend_from_chunks(&record.payload);
        self.0.seal(seq, &aad, &mut payload)?;
        Ok(Record { typ: record.typ, version: record.version, payload: payload.into_written() })
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        payload_len + TAG
    }
}

impl RecordDecrypter for Tls12Records {
    fn decrypt<'a>(
        &mut self,
        mut record: Record<InboundOpaque<'a>>,
        seq: u64,
    ) -> Result<Record<&'a [u8]>, Error> {
        let len = record.payload.len().checked_sub(TAG).ok_or(Error::DecryptError)?;
        let aad = make_tls12_aad(seq, record.typ, record.version.version(), len);
        self.0.open(seq, &aad, &mut record.payload)?;
        if len > MAX_FRAGMENT {
            return Err(Error::PeerSentOversizedRecord);
        }
        Ok(record.into_plain_record())
    }
}
