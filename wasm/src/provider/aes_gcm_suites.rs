//! The suites with AES-GCM: rustls-ring's, but for what protects records (RFC 8446 section 5,
//! RFC 5288), which is `reprise_aes_gcm`.
//!
//! Records of TLS 1.2 say a part of their nonce: they are here. QUIC is left out.

use reprise_aes_gcm::AesGcm;
use rustls::crypto::cipher::{
    AeadKey, EncryptBuffer, InboundOpaque, Iv, KeyBlockShape, NONCE_LEN, Nonce, OutboundPlain,
    Record, RecordDecrypter, RecordEncrypter, Tls12AeadAlgorithm, Tls13AeadAlgorithm,
    UnsupportedOperationError, make_tls12_aad,
};
use rustls::error::Error;
use rustls::{CipherSuiteCommon, ConnectionTrafficSecrets, Tls12CipherSuite, Tls13CipherSuite};
use rustls_ring::cipher_suite as ring;

use super::records::{Aead, MAX_FRAGMENT, Records, TAG, Tls13Records};

/// AES-GCM with keys of one length, in bytes.
struct Aes {
    key_len: usize,
}

static AES_128: Aes = Aes { key_len: 16 };
static AES_256: Aes = Aes { key_len: 32 };

macro_rules! common {
    ($ring:expr) => {
        CipherSuiteCommon {
            suite: $ring.common.suite,
            hash_provider: $ring.common.hash_provider,
            // 2^24 records, as for every AES-GCM.
            confidentiality_limit: $ring.common.confidentiality_limit,
        }
    };
}

macro_rules! tls13 {
    ($($name:ident: $aes:ident),* $(,)?) => {
        $(
            pub(crate) static $name: &Tls13CipherSuite = &Tls13CipherSuite {
                common: common!(ring::$name),
                protocol_version: ring::$name.protocol_version,
                hkdf_provider: ring::$name.hkdf_provider,
                aead_alg: &$aes,
                quic: None,
            };
        )*
    };
}

macro_rules! tls12 {
    ($($name:ident: $aes:ident),* $(,)?) => {
        $(
            pub(crate) static $name: &Tls12CipherSuite = &Tls12CipherSuite {
                common: common!(ring::$name),
                protocol_version: ring::$name.protocol_version,
                prf_provider: ring::$name.prf_provider,
                kx: ring::$name.kx,
                sign: ring::$name.sign,
                aead_alg: &$aes,
            };
        )*
    };
}

tls13!(
    TLS13_AES_128_GCM_SHA256: AES_128,
    TLS13_AES_256_GCM_SHA384: AES_256,
);

tls12!(
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: AES_128,
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: AES_256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: AES_128,
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: AES_256,
);

impl Aes {
    fn secrets(&self, key: AeadKey, iv: Iv) -> ConnectionTrafficSecrets {
        match self.key_len {
            16 => ConnectionTrafficSecrets::Aes128Gcm { key, iv },
            _ => ConnectionTrafficSecrets::Aes256Gcm { key, iv },
        }
    }
}

impl Tls13AeadAlgorithm for Aes {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordEncrypter> {
        Box::new(Tls13Records(Records { aead: AesGcm::new(key.as_ref()), iv }))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn RecordDecrypter> {
        Box::new(Tls13Records(Records { aead: AesGcm::new(key.as_ref()), iv }))
    }

    fn key_len(&self) -> usize {
        self.key_len
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.secrets(key, iv))
    }
}

impl Aead for Box<AesGcm> {
    fn seal(&self, nonce: &[u8; NONCE_LEN], aad: &[u8], data: &mut [u8]) -> [u8; TAG] {
        AesGcm::seal(self, nonce, aad, data)
    }

    fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG],
    ) -> Result<(), Error> {
        AesGcm::open(self, nonce, aad, data, tag).map_err(|_| Error::DecryptError)
    }
}

/// What a record of TLS 1.2 says of its nonce.
const EXPLICIT: usize = 8;
/// What the handshake agrees on: the other bytes of every nonce.
const SALT: usize = NONCE_LEN - EXPLICIT;

impl Tls12AeadAlgorithm for Aes {
    fn encrypter(&self, key: AeadKey, salt: &[u8], extra: &[u8]) -> Box<dyn RecordEncrypter> {
        Box::new(Tls12Encrypter { key: AesGcm::new(key.as_ref()), iv: tls12_iv(salt, extra) })
    }

    fn decrypter(&self, key: AeadKey, salt: &[u8]) -> Box<dyn RecordDecrypter> {
        let salt = salt.try_into().expect("key_block_shape() says so");
        Box::new(Tls12Decrypter { key: AesGcm::new(key.as_ref()), salt })
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        KeyBlockShape {
            enc_key_len: self.key_len,
            fixed_iv_len: SALT,
            explicit_nonce_len: EXPLICIT,
        }
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        salt: &[u8],
        extra: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Ok(self.secrets(key, tls12_iv(salt, extra)))
    }
}

/// How explicit nonces are made is the sender's business (RFC 5288 section 3): from a start that
/// the handshake agrees on, xor the sequence number, as in TLS 1.3.
fn tls12_iv(salt: &[u8], extra: &[u8]) -> Iv {
    let mut iv = [0; NONCE_LEN];
    iv[..SALT].copy_from_slice(salt);
    iv[SALT..].copy_from_slice(extra);
    iv.into()
}

struct Tls12Encrypter {
    key: Box<AesGcm>,
    iv: Iv,
}

impl RecordEncrypter for Tls12Encrypter {
    fn encrypt<'a>(
        &mut self,
        record: Record<OutboundPlain<'_>>,
        seq: u64,
        out: &'a mut [u8],
    ) -> Result<Record<&'a [u8]>, Error> {
        let Record { typ, version, payload: plain } = record;
        let nonce: [u8; NONCE_LEN] = Nonce::new(&self.iv, seq).to_array()?;
        let aad = make_tls12_aad(seq, typ, version.encode(), plain.len());
        let mut payload = EncryptBuffer::new(out, self.encrypted_payload_len(plain.len()))?;
        payload.extend_from_slice(&nonce[SALT..]);
        payload.extend_from_chunks(&plain);
        let tag = self.key.seal(&nonce, &aad, &mut payload.as_mut()[EXPLICIT..]);
        payload.extend_from_slice(&tag);
        Ok(Record { typ, version, payload: payload.into_written() })
    }

    fn encrypted_payload_len(&self, payload_len: usize) -> usize {
        EXPLICIT + payload_len + TAG
    }
}

struct Tls12Decrypter {
    key: Box<AesGcm>,
    salt: [u8; SALT],
}

impl RecordDecrypter for Tls12Decrypter {
    fn decrypt<'a>(
        &mut self,
        mut record: Record<InboundOpaque<'a>>,
        seq: u64,
    ) -> Result<Record<&'a [u8]>, Error> {
        let (typ, version) = (record.typ, record.version.version());
        let (data, tag) = record.payload.split_last_chunk_mut().ok_or(Error::DecryptError)?;
        let (explicit, data) =
            data.split_first_chunk_mut::<EXPLICIT>().ok_or(Error::DecryptError)?;
        let mut nonce = [0; NONCE_LEN];
        nonce[..SALT].copy_from_slice(&self.salt);
        nonce[SALT..].copy_from_slice(explicit);
        let aad = make_tls12_aad(seq, typ, version, data.len());
        Aead::open(&self.key, &nonce, &aad, data, tag)?;
        if data.len() > MAX_FRAGMENT {
            return Err(Error::PeerSentOversizedRecord);
        }
        let plain = EXPLICIT..EXPLICIT + data.len();
        Ok(record.into_plain_record_range(plain))
    }
}

#[cfg(test)]
mod tests {
    use rustls::crypto::cipher::EncodableVersion;
    use rustls::enums::{ContentType, ProtocolVersion};

    use super::*;

    const LENGTHS: [usize; 8] = [0, 1, 15, 79, 96, 1000, 16_383, 16_384];
    const SEQUENCE: [u64; 5] = [0, 1, 255, 1 << 32, (1 << 24) - 1];

    fn key(len: usize) -> AeadKey {
        match len {
            16 => AeadKey::from([0x61; 16]),
            _ => AeadKey::from([0x62; 32]),
        }
    }

    /// Encrypts, and returns what goes onto the wire, without its header.
    fn sealed(encrypter: &mut dyn RecordEncrypter, seq: u64, plain: &[u8]) -> Vec<u8> {
        let version = EncodableVersion::Legacy(ProtocolVersion::TLSv1_2);
        // In two pieces, as rustls has it where a write is.
        let pieces = plain.split_at(plain.len() / 3);
        let pieces = [pieces.0, pieces.1];
        let record =
            Record::new(ContentType::ApplicationData, version, OutboundPlain::new(&pieces));
        let mut out = vec![0; encrypter.encrypted_payload_len(plain.len())];
        let record = encrypter.encrypt(record, seq, &mut out).unwrap();
        assert_eq!((record.typ, record.version), (ContentType::ApplicationData, version));
        let len = record.payload.len();
        assert_eq!(len, out.len());
        out
    }

    fn opened(
        decrypter: &mut dyn RecordDecrypter,
        seq: u64,
        mut wire: Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let version = EncodableVersion::Legacy(ProtocolVersion::TLSv1_2);
        let typ = ContentType::ApplicationData;
        let record = Record::new(typ, version, InboundOpaque(&mut wire));
        decrypter.decrypt(record, seq).map(|record| {
            assert_eq!(record.typ, typ);
            record.payload.to_vec()
        })
    }

    type Ends = (Box<dyn RecordEncrypter>, Box<dyn RecordDecrypter>);

    /// Both directions of ours and of ring's: one suite of each version and key length, and the
    /// other AEAD under the same records of TLS 1.3.
    fn suites() -> Vec<(Ends, Ends, usize)> {
        let tls13 = |suite: &'static Tls13CipherSuite| -> Ends {
            let aead = suite.aead_alg;
            let iv = || Iv::from([0x31; 12]);
            let key = || key(aead.key_len());
            (aead.encrypter(key(), iv()), aead.decrypter(key(), iv()))
        };
        let tls12 = |suite: &'static Tls12CipherSuite| -> Ends {
            let aead = suite.aead_alg;
            let key = || key(aead.key_block_shape().enc_key_len);
            (aead.encrypter(key(), &[0x32; 4], &[0x33; 8]), aead.decrypter(key(), &[0x32; 4]))
        };
        vec![
            (tls13(TLS13_AES_128_GCM_SHA256), tls13(ring::TLS13_AES_128_GCM_SHA256), 17),
            (tls13(TLS13_AES_256_GCM_SHA384), tls13(ring::TLS13_AES_256_GCM_SHA384), 17),
            (
                tls13(&super::super::chacha20_poly1305::TLS13),
                tls13(ring::TLS13_CHACHA20_POLY1305_SHA256),
                17,
            ),
            (
                tls12(TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
                tls12(ring::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
                24,
            ),
            (
                tls12(TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
                tls12(ring::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
                24,
            ),
        ]
    }

    #[test]
    fn records_are_those_of_ring() {
        for (mut ours, mut rings, overhead) in suites() {
            for len in LENGTHS {
                let plain: Vec<u8> = (0..len).map(|at| (at * 7) as u8).collect();
                for seq in SEQUENCE {
                    let wire = sealed(&mut *ours.0, seq, &plain);
                    assert_eq!(wire.len(), len + overhead);
                    assert_eq!(wire, sealed(&mut *rings.0, seq, &plain));
                    assert_eq!(opened(&mut *ours.1, seq, wire.clone()).unwrap(), plain);
                    assert_eq!(opened(&mut *rings.1, seq, wire).unwrap(), plain);
                }
            }
        }
    }

    #[test]
    fn changed_records_do_not_open() {
        for (mut ours, ..) in suites() {
            let wire = sealed(&mut *ours.0, 7, b"plaintext");
            assert!(matches!(opened(&mut *ours.1, 8, wire.clone()), Err(Error::DecryptError)));
            for at in 0..wire.len() {
                let mut changed = wire.clone();
                changed[at] ^= 1;
                assert!(matches!(opened(&mut *ours.1, 7, changed), Err(Error::DecryptError)));
                let short = wire[..at].to_vec();
                assert!(matches!(opened(&mut *ours.1, 7, short), Err(Error::DecryptError)));
            }
            assert_eq!(opened(&mut *ours.1, 7, wire).unwrap(), b"plaintext");
        }
    }

    #[test]
    fn oversized_records_are_refused() {
        for (mut ours, mut rings, _) in suites() {
            let wire = sealed(&mut *ours.0, 0, &vec![1; MAX_FRAGMENT + 1]);
            for decrypter in [&mut ours.1, &mut rings.1] {
                let error = opened(&mut **decrypter, 0, wire.clone()).unwrap_err();
                assert!(matches!(error, Error::PeerSentOversizedRecord));
            }
        }
    }

    #[test]
    fn suites_differ_from_rings_by_what_protects_records() {
        macro_rules! same {
            ($($name:ident),*) => {
                $(
                    assert_eq!($name.common.suite, ring::$name.common.suite);
                    assert_eq!($name.common.confidentiality_limit, 1 << 24);
                    assert_eq!(
                        $name.common.hash_provider.algorithm(),
                        ring::$name.common.hash_provider.algorithm(),
                    );
                )*
            };
        }
        same!(
            TLS13_AES_128_GCM_SHA256,
            TLS13_AES_256_GCM_SHA384,
            TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384
        );
    }
}
